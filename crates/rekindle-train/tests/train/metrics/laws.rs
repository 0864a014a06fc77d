//! Laws of the metrics, for every object of each kind of data.

use rekindle_tensor::random::{Generator, with_generator};
use rekindle_tensor::{Tensor, tensor};
use rekindle_train::metrics::*;

type Metrics = Vec<Box<dyn Metric>>;

macro_rules! metrics {
    ($($metric:expr),* $(,)?) => { vec![$(Box::new($metric) as Box<dyn Metric>),*] };
}

const THREE: [Average; 3] = [Average::Micro, Average::Macro, Average::Weighted];

/// The objects of decisions, with these averages.
fn of_decisions(task: Task, averages: &[Average]) -> Metrics {
    let mut all = metrics![Accuracy::new(task), HammingDistance::new(task)];
    for &average in averages {
        all.extend(metrics![
            Precision::new(task, average).zero_division(ZeroDivision::NaN),
            Recall::new(task, average),
            F1Score::new(task, average).zero_division(ZeroDivision::One),
            FBetaScore::new(task, 0.5, average),
            Specificity::new(task, average),
            JaccardIndex::new(task, average),
        ]);
    }
    all
}

fn of_classes(task: Task, averages: &[Average]) -> Metrics {
    let mut all = of_decisions(task, averages);
    all.extend(metrics![BalancedAccuracy::new(task), CohenKappa::new(task), MatthewsCorrCoef::new(task)]);
    all
}

fn of_scores(task: Task, averages: &[Average]) -> Metrics {
    averages.iter().flat_map(|&a| metrics![AUROC::new(task, a), AveragePrecision::new(task, a)]).collect()
}

fn of_probabilities() -> Metrics {
    metrics![LogLoss::new(), BrierScore::new(), CalibrationError::new(15)]
}

fn of_numbers() -> Metrics {
    metrics![MeanAbsoluteError::new(), MeanSquaredError::new(), RootMeanSquaredError::new(), R2Score::new()]
}

/// A kind of data: all of its objects, predictions, targets, and predictions that are perfect.
struct Kind {
    metrics: fn() -> Metrics,
    preds: Tensor,
    target: Tensor,
    perfect: Tensor,
}

/// Random data of every kind, with ties in the scores.
fn kinds() -> Vec<Kind> {
    let tied = |x: Tensor| (x * 10.0).round() / 10.0;
    let n = 60;
    with_generator(&mut Generator::seeded(3), || {
        let (yes, classes, some) =
            (Tensor::randint(0, 2, [n]), Tensor::randint(0, 4, [n]), Tensor::randint(0, 2, [n, 2]));
        // Each sample has a label: the recall of none is 0 / 0.
        let labels = Tensor::cat(&[some.sum_dim(1, true).eq(0).long(), some], 1);
        let numbers = Tensor::randn([n, 1]) * 100.0;
        vec![
            Kind {
                metrics: || {
                    let task = Task::Binary;
                    let mut all = of_classes(task, &[Average::Binary, Average::Macro]);
                    all.extend(of_scores(task, &[Average::Binary, Average::Weighted]));
                    all.extend(of_probabilities());
                    all
                },
                preds: tied(Tensor::rand([n, 1])),
                perfect: yes.double(),
                target: yes,
            },
            Kind {
                metrics: || {
                    let task = Task::MultiClass(4);
                    let mut all = of_classes(task, &THREE);
                    all.extend(of_scores(task, &THREE));
                    all.extend(of_probabilities());
                    all.extend(metrics![TopKAccuracy::new(1), TopKAccuracy::new(3)]);
                    all
                },
                preds: tied(Tensor::randn([n, 4])).softmax(1),
                perfect: classes.one_hot(4).double(),
                target: classes,
            },
            Kind {
                metrics: || {
                    let (task, four) = (Task::MultiLabel(3), [&THREE[..], &[Average::Samples]].concat());
                    let mut all = of_decisions(task, &four);
                    all.extend(of_scores(task, &THREE));
                    all
                },
                preds: tied(Tensor::rand([n, 3])),
                perfect: labels.float(),
                target: labels.bool(),
            },
            Kind {
                metrics: of_numbers,
                preds: &numbers + Tensor::randn([n, 1]),
                perfect: numbers.clone(),
                target: numbers,
            },
        ]
    })
}

fn update(metrics: &mut Metrics, preds: &Tensor, target: &Tensor) {
    metrics.iter_mut().for_each(|m| m.update(preds, target));
}

/// The names and bits of the figures.
fn figures(metrics: &Metrics) -> Vec<(String, u64)> {
    metrics.iter().map(|m| (m.name(), m.compute().to_bits())).collect()
}

fn whole(kind: &Kind) -> Vec<(String, u64)> {
    let mut all = (kind.metrics)();
    update(&mut all, &kind.preds, &kind.target);
    figures(&all)
}

#[test]
fn the_order_of_the_samples_changes_no_bit() {
    for kind in kinds() {
        let n = kind.target.shape()[0];
        let order = with_generator(&mut Generator::seeded(5), || Tensor::randperm(n));
        let mut all = (kind.metrics)();
        update(&mut all, &kind.preds.index_select(0, &order), &kind.target.index_select(0, &order));
        assert_eq!(figures(&all), whole(&kind));
    }
}

#[test]
fn batches_and_merged_parts_are_the_whole_to_the_bit() {
    for kind in kinds() {
        let parts: Vec<(Tensor, Tensor)> =
            kind.preds.split(17, 0).into_iter().zip(kind.target.split(17, 0)).collect();
        let mut batches = (kind.metrics)();
        parts.iter().for_each(|(preds, target)| update(&mut batches, preds, target));
        assert_eq!(figures(&batches), whole(&kind));

        let mut merged = (kind.metrics)();
        for (preds, target) in parts.iter().rev() {
            let mut part = (kind.metrics)();
            update(&mut part, preds, target);
            merged.iter_mut().zip(&part).for_each(|(all, part)| all.merge(&**part));
        }
        assert_eq!(figures(&merged), whole(&kind));
    }
}

#[test]
fn of_no_samples_every_figure_is_nan_and_reset_forgets() {
    for kind in kinds() {
        let mut all = (kind.metrics)();
        assert!(all.iter().all(|m| m.compute().is_nan()), "new: {all:?}");
        update(&mut all, &kind.preds.slice(0, 0..0), &kind.target.slice(0, 0..0));
        assert!(all.iter().all(|m| m.compute().is_nan()), "after no samples: {all:?}");
        update(&mut all, &kind.preds, &kind.target);
        all.iter_mut().for_each(|m| m.reset());
        assert!(all.iter().all(|m| m.compute().is_nan()), "reset: {all:?}");
        update(&mut all, &kind.preds, &kind.target);
        assert_eq!(figures(&all), whole(&kind));
    }
}

#[test]
fn perfect_predictions_have_the_best_figure() {
    for kind in kinds() {
        let mut all = (kind.metrics)();
        update(&mut all, &kind.perfect, &kind.target);
        for metric in &all {
            let name = metric.name();
            let best = if name.ends_with("loss") || name.contains("error") || name == "brier_score" {
                0.0
            } else {
                1.0
            };
            assert!((metric.compute() - best).abs() < 1e-12, "{name} is {}", metric.compute());
        }
    }
}

#[test]
fn views_are_read_as_their_copies() {
    for kind in kinds() {
        let twice = |x: &Tensor| Tensor::stack(&[x, x], 1).flatten(0, 1).slice_step(0, 0..120, 2);
        let mut all = (kind.metrics)();
        assert!(!twice(&kind.preds).is_contiguous());
        update(&mut all, &twice(&kind.preds), &twice(&kind.target));
        assert_eq!(figures(&all), whole(&kind));
    }
}

#[test]
fn averages_are_named() {
    let metrics: Metrics = metrics![
        Precision::new(Task::Binary, Average::Binary),
        FBetaScore::new(Task::MultiLabel(2), 0.5, Average::Samples),
        AUROC::new(Task::MultiClass(3), Average::Weighted),
        TopKAccuracy::new(5),
    ];
    let names: Vec<String> = metrics.iter().map(|m| m.name()).collect();
    assert_eq!(names, ["precision_binary", "f0.5_samples", "roc_auc_weighted", "top_5_accuracy"]);
}

#[test]
fn predictions_may_be_classes_probabilities_or_scores() {
    let target = tensor([0, 1, 1, 0]);
    let same = [
        tensor([0, 1, 0, 0]),
        tensor([false, true, false, false]),
        tensor([[0.5], [0.75], [0.25], [0.0]]), // 0.5 is not above 0.5.
        tensor([[3.0, -1.0], [-2.0, 5.0], [1.0, 1.0], [0.5, 0.25]]), // Of equal scores the first wins.
    ];
    for preds in same {
        assert_eq!(confusion_matrix(&preds, &target).counts(), [[2, 0], [1, 1]], "{preds}");
    }
    let labels = multilabel_counts(&tensor([[0.5, 0.75], [0.25, 0.5]]), &tensor([[0, 1], [1, 1]]));
    assert_eq!(labels.counts(), [[[1, 0], [1, 0]], [[0, 0], [1, 1]]]);
    let float = tensor([[0.0], [1.0], [1.0], [0.0]]);
    assert_eq!(confusion_matrix(&tensor([[0.5], [0.75], [0.25], [0.0]]), &float).counts(), [[2, 0], [1, 1]]);
}

#[test]
fn a_reliability_curve_has_the_gaps_of_the_calibration_error() {
    let probs = tensor([0.05, 0.15, 0.18, 0.5, 0.55, 0.95]).double();
    let target = tensor([0, 0, 1, 1, 0, 1]);
    let curve = reliability_curve(&probs, &target, 10);
    assert_eq!(curve.count, [1, 2, 0, 0, 0, 2, 0, 0, 0, 1]);
    assert!(curve.accuracy[2].is_nan() && curve.confidence[2].is_nan());
    let gaps = (0..10).filter(|&i| curve.count[i] > 0);
    let error: f64 =
        gaps.map(|i| (curve.accuracy[i] - curve.confidence[i]).abs() * curve.count[i] as f64 / 6.0).sum();
    assert!((error - expected_calibration_error(&probs, &target, 10)).abs() < 1e-15);
}

#[test]
fn the_r2_of_numbers_far_from_zero_loses_no_digit() {
    // In f64, sums of squares of such numbers have no digit left for their variance.
    let far = 2f64.powi(40);
    let target = tensor([1.0, 2.0, 4.0, 9.0]).double();
    let preds = tensor([1.5, 2.0, 3.0, 8.0]).double();
    assert_eq!(r2_score(&(&preds + far), &(&target + far)), r2_score(&preds, &target));
}

/// Holds objects that have seen the data against the figures of functions.
#[track_caller]
fn assert_figures<const N: usize>(preds: &Tensor, target: &Tensor, pairs: [(Box<dyn Metric>, f64); N]) {
    for (mut metric, figure) in pairs {
        metric.update(preds, target);
        assert_eq!(metric.compute().to_bits(), figure.to_bits(), "{}", metric.name());
    }
}

#[test]
fn objects_have_the_figures_of_the_functions() {
    let [_, Kind { preds: p, target: t, .. }, labels, numbers] = &kinds()[..] else { panic!("four kinds") };
    let (four, mean) = (Task::MultiClass(4), Average::Macro);
    assert_figures(
        p,
        t,
        [
            (Box::new(Accuracy::new(four)), accuracy(p, t)),
            (Box::new(BalancedAccuracy::new(four)), balanced_accuracy(p, t)),
            (Box::new(TopKAccuracy::new(2)), top_k_accuracy(p, t, 2)),
            (Box::new(Precision::new(four, mean)), precision(p, t, mean)),
            (Box::new(Recall::new(four, mean)), recall(p, t, mean)),
            (Box::new(F1Score::new(four, mean)), f1_score(p, t, mean)),
            (Box::new(FBetaScore::new(four, 2.0, mean)), fbeta_score(p, t, 2.0, mean)),
            (Box::new(Specificity::new(four, mean)), specificity(p, t, mean)),
            (Box::new(JaccardIndex::new(four, mean)), jaccard_score(p, t, mean)),
            (Box::new(HammingDistance::new(four)), hamming_loss(p, t)),
            (Box::new(CohenKappa::new(four)), cohen_kappa(p, t)),
            (Box::new(MatthewsCorrCoef::new(four)), matthews_corrcoef(p, t)),
            (Box::new(AUROC::new(four, mean)), roc_auc(p, t, mean)),
            (Box::new(AveragePrecision::new(four, mean)), average_precision(p, t, mean)),
            (Box::new(LogLoss::new()), log_loss(p, t)),
            (Box::new(BrierScore::new()), brier_score(p, t)),
            (Box::new(CalibrationError::new(7)), expected_calibration_error(p, t, 7)),
        ],
    );
    let (p, t, three) = (&labels.preds, &labels.target, Task::MultiLabel(3));
    let counts = multilabel_counts(p, t);
    assert_figures(
        p,
        t,
        [
            (Box::new(Accuracy::new(three)), counts.accuracy()),
            (Box::new(HammingDistance::new(three)), counts.hamming_loss()),
            (Box::new(Recall::new(three, Average::Samples)), counts.recall(Average::Samples)),
            (Box::new(AUROC::new(three, mean)), roc_auc(p, t, mean)),
        ],
    );
    let (p, t) = (&numbers.preds, &numbers.target);
    assert_figures(
        p,
        t,
        [
            (Box::new(MeanAbsoluteError::new()), mean_absolute_error(p, t)),
            (Box::new(MeanSquaredError::new()), mean_squared_error(p, t)),
            (Box::new(RootMeanSquaredError::new()), root_mean_squared_error(p, t)),
            (Box::new(R2Score::new()), r2_score(p, t)),
        ],
    );
}
