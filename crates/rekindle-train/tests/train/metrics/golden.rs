//! The figures of `tests/golden/metrics`, which scikit-learn and torchmetrics made: each to 12 digits, counts
//! and texts exactly.

use rekindle_tensor::Tensor;
use rekindle_train::metrics::*;
use serde_json::{Map, Value as Json, json};
use std::path::Path;

#[test]
fn figures_are_those_of_scikit_learn_and_torchmetrics() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/metrics/metrics.json");
    let file: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let (mut compared, mut wrong) = (0, Vec::new());
    for case in file["cases"].as_array().unwrap() {
        let (ours, theirs) = (figures(case), case["expect"].as_object().unwrap());
        let id = format!("{} {}", case["kind"], case["id"]);
        let names = |figures: &Map<String, Json>| figures.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&ours), names(theirs), "the figures of {id}");
        for (name, expected) in theirs {
            compared += 1;
            let tolerance = if name.contains("f32") { 1e-5 } else { 1e-12 };
            if !close(&ours[name], expected, tolerance) {
                wrong.push(format!("{id}: {name} is {} but should be {expected}", ours[name]));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 3000, "only {compared} figures");
}

/// All figures of a case, named as in the golden file.
fn figures(case: &Json) -> Map<String, Json> {
    match case["kind"].as_str().unwrap() {
        "classes" => classes(case),
        "labels" => labels(case),
        "ranking" => ranking(case),
        "probability" => probability(case),
        "regression" => regression(case),
        kind => panic!("there is no kind {kind}"),
    }
    .into_iter()
    .collect()
}

type Figures = Vec<(String, Json)>;

/// Floats agree to a relative tolerance, all else exactly.
fn close(ours: &Json, theirs: &Json, tolerance: f64) -> bool {
    match (ours, theirs) {
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| close(a, b, tolerance))
        }
        (Json::Number(a), Json::Number(b)) if a.is_f64() || b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            // Differences of nearly equal numbers, such as a calibration error near 0, are known absolutely.
            (a - b).abs() <= tolerance * b.abs().max(1e-3)
        }
        _ => ours == theirs,
    }
}

fn number(x: f64) -> Json {
    match x {
        x if x.is_nan() => json!("nan"),
        f64::INFINITY => json!("inf"),
        x => json!(x),
    }
}

fn numbers(x: &[f64]) -> Json {
    x.iter().copied().map(number).collect()
}

/// A tensor of nested lists: `[n]` or `[n, m]`, whole numbers unless it holds a float.
fn tensor(json: &Json) -> Tensor {
    let rows = json.as_array().unwrap();
    let flat: Vec<&Json> =
        rows.iter().flat_map(|row| row.as_array().map_or(vec![row], |r| r.iter().collect())).collect();
    let shape = match rows[0].as_array() {
        Some(row) => vec![rows.len(), row.len()],
        None => vec![rows.len()],
    };
    match flat.iter().map(|v| v.as_i64()).collect::<Option<Vec<i64>>>() {
        Some(whole) => Tensor::from_vec(whole, shape),
        None => Tensor::from_vec(flat.iter().map(|v| v.as_f64().unwrap()).collect::<Vec<f64>>(), shape),
    }
}

const ZEROS: [(&str, ZeroDivision); 3] =
    [("zero", ZeroDivision::Zero), ("one", ZeroDivision::One), ("nan", ZeroDivision::NaN)];

/// Precision and its relatives of either state, which have methods of the same names.
macro_rules! averaged {
    ($out:ident, $state:expr, $averages:expr, $per_class:expr, $name:expr) => {
        for (zero, value) in ZEROS {
            let state = $state.clone().zero_division(value);
            let all = [
                ("precision", $averages.map(|a| state.precision(a)), state.precision_per_class()),
                ("recall", $averages.map(|a| state.recall(a)), state.recall_per_class()),
                ("f1", $averages.map(|a| state.f1_score(a)), state.f1_score_per_class()),
                ("f0", $averages.map(|a| state.fbeta_score(0.0, a)), state.fbeta_score_per_class(0.0)),
                ("f0.5", $averages.map(|a| state.fbeta_score(0.5, a)), state.fbeta_score_per_class(0.5)),
                (
                    "finf",
                    $averages.map(|a| state.fbeta_score(f64::INFINITY, a)),
                    state.fbeta_score_per_class(f64::INFINITY),
                ),
                ("jaccard", $averages.map(|a| state.jaccard_score(a)), state.jaccard_score_per_class()),
            ];
            // scikit-learn has no Jaccard score with NaN.
            for (figure, averaged, per_class) in
                all.into_iter().filter(|(f, ..)| *f != "jaccard" || zero != "nan")
            {
                for (average, x) in $averages.iter().zip(averaged) {
                    $out.push((format!("{figure}/{}/{zero}", $name(average)), number(x)));
                }
                if $per_class {
                    $out.push((format!("{figure}/per_class/{zero}"), numbers(&per_class)));
                }
            }
        }
    };
}

const THREE: [Average; 3] = [Average::Micro, Average::Macro, Average::Weighted];

fn classes(case: &Json) -> Figures {
    let (preds, target) = (tensor(&case["preds"]), tensor(&case["target"]));
    let mut matrix = ConfusionMatrix::new(case["classes"].as_u64().unwrap() as usize);
    matrix.update(&preds, &target);
    let mut out = Figures::new();
    averaged!(out, matrix, THREE, true, ToString::to_string);
    averaged!(out, matrix.clone().all_classes(true), [Average::Macro], false, |a| format!("{a}_all"));
    if matrix.classes() == 2 {
        averaged!(out, matrix, [Average::Binary], false, ToString::to_string);
    }
    out.extend(THREE.map(|a| (format!("specificity/{a}/zero"), number(matrix.specificity(a)))));
    out.push(("specificity/per_class/zero".into(), numbers(&matrix.specificity_per_class())));
    for (by, normalise) in [("true", Normalise::True), ("pred", Normalise::Pred), ("all", Normalise::All)] {
        out.push((format!("normalised/{by}"), json!(matrix.normalised(normalise))));
    }
    let names: Vec<&str> = case["names"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
    for (digits, (zero, value)) in
        [(2, ZEROS[0]), (2, ZEROS[1]), (2, ZEROS[2]), (4, ZEROS[0]), (15, ZEROS[0])]
    {
        let matrix = matrix.clone().zero_division(value);
        let text = matrix.report(&[""; 0], digits).to_string();
        out.push((format!("report/{digits}/{zero}"), json!(text)));
        let text = matrix.all_classes(true).report(&names, digits).to_string();
        out.push((format!("report_all/{digits}/{zero}"), json!(text)));
    }
    out.push(("confusion_matrix".into(), json!(matrix.counts())));
    // The functions find the number of classes themselves: what no sample has changes nothing here.
    let functions = [
        ("accuracy", accuracy(&preds, &target)),
        ("balanced_accuracy", balanced_accuracy(&preds, &target)),
        ("hamming_loss", hamming_loss(&preds, &target)),
        ("cohen_kappa", cohen_kappa(&preds, &target)),
        ("matthews_corrcoef", matthews_corrcoef(&preds, &target)),
    ];
    out.extend(functions.map(|(name, x)| (name.to_string(), number(x))));
    out
}

fn labels(case: &Json) -> Figures {
    let counts = multilabel_counts(&tensor(&case["preds"]), &tensor(&case["target"]));
    let averages = [Average::Micro, Average::Macro, Average::Weighted, Average::Samples];
    let mut out = Figures::new();
    averaged!(out, counts, averages, true, ToString::to_string);
    out.extend(THREE.map(|a| (format!("specificity/{a}/zero"), number(counts.specificity(a)))));
    out.push(("specificity/per_class/zero".into(), numbers(&counts.specificity_per_class())));
    out.push(("accuracy".into(), number(counts.accuracy())));
    out.push(("hamming_loss".into(), number(counts.hamming_loss())));
    out.push(("counts".into(), json!(counts.counts())));
    for (zero, value) in ZEROS {
        let text = counts.clone().zero_division(value).report(&[""; 0], 3).to_string();
        out.push((format!("report/3/{zero}"), json!(text)));
    }
    out
}

fn roc(curve: &RocCurve) -> Json {
    [&curve.fpr, &curve.tpr, &curve.thresholds].iter().map(|x| numbers(x)).collect()
}

fn ranking(case: &Json) -> Figures {
    let (scores, target) = (tensor(&case["preds"]).double(), tensor(&case["target"]));
    if scores.dim() == 1 {
        let curve = precision_recall_curve(&scores, &target);
        let curve = [curve.precision, curve.recall, curve.thresholds].iter().map(|x| numbers(x)).collect();
        return vec![
            ("roc".into(), roc(&roc_curve(&scores, &target))),
            ("precision_recall".into(), curve),
            ("roc_auc/binary".into(), number(roc_auc(&scores, &target, Average::Binary))),
            ("average_precision/binary".into(), number(average_precision(&scores, &target, Average::Binary))),
        ];
    }
    let columns = scores.shape()[1];
    let task = if target.dim() == 2 { Task::MultiLabel(columns) } else { Task::MultiClass(columns) };
    let mut state = Scores::new(task);
    state.update(&scores, &target);
    let mut out = vec![
        ("roc".into(), (0..columns).map(|class| roc(&state.roc_curve(class))).collect()),
        ("roc_auc/per_class".into(), numbers(&roc_auc_per_class(&scores, &target))),
        ("average_precision/per_class".into(), numbers(&average_precision_per_class(&scores, &target))),
    ];
    for a in THREE {
        out.push((format!("roc_auc/{a}"), number(roc_auc(&scores, &target, a))));
        out.push((format!("average_precision/{a}"), number(average_precision(&scores, &target, a))));
    }
    out
}

fn probability(case: &Json) -> Figures {
    let (probs, target) = (tensor(&case["preds"]).double(), tensor(&case["target"]));
    let mut out: Figures = vec![
        ("log_loss".into(), number(log_loss(&probs, &target))),
        ("log_loss_f32".into(), number(log_loss(&probs.float(), &target))),
        ("brier_score".into(), number(brier_score(&probs, &target))),
    ];
    for bins in [1, 5, 10, 15] {
        let error = expected_calibration_error(&probs, &target, bins);
        out.push((format!("calibration/{bins}"), number(error)));
        let error = expected_calibration_error(&probs.float(), &target, bins);
        out.push((format!("calibration_f32/{bins}"), number(error)));
    }
    if probs.dim() == 2 && probs.shape()[1] > 2 {
        out.extend(
            (1..=probs.shape()[1])
                .map(|k| (format!("top_k/{k}"), number(top_k_accuracy(&probs, &target, k)))),
        );
    }
    out
}

fn regression(case: &Json) -> Figures {
    let (preds, target) = (tensor(&case["preds"]).double(), tensor(&case["target"]).double());
    let functions = [
        ("mean_absolute_error", mean_absolute_error(&preds, &target)),
        ("mean_squared_error", mean_squared_error(&preds, &target)),
        ("root_mean_squared_error", root_mean_squared_error(&preds, &target)),
        ("r2_score", r2_score(&preds, &target)),
    ];
    functions.map(|(name, x)| (name.to_string(), number(x))).into()
}
