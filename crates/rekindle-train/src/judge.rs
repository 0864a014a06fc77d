//! How good a net is on each part of its data: the figures and reports of `evaluate`.

use crate::error::{Error, guarded};
use crate::metrics::{self, Average, ConfusionMatrix, MultiLabelCounts, ReportRow, display_width};
use crate::objective::Objective;
use crate::part::{Data, Part, Place};
use crate::recipe::Recipe;
use crate::signature::{Units, in_units};
use crate::trainer::{figures, outputs};
use rekindle_nn::loss::Decision;
use rekindle_nn::{Parameters, Sequential};
use rekindle_tensor::{DType, Tensor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::fmt::{self, Display};
use std::sync::Arc;

/// Bins of the expected calibration error and of the reliability diagram.
pub(crate) const BINS: usize = 15;

/// The most classes of which a report shows the whole confusion matrix.
const WIDEST: usize = 20;

/// How many mistakes are named in a report.
const MISTAKES: usize = 5;

/// What a net says about the samples of one part of the data, and how good that is.
pub struct Judged {
    /// `train`, `validation` or `test`.
    pub name: &'static str,
    /// The mean loss.
    pub loss: f64,
    /// The number of samples.
    pub samples: usize,
    /// The answers and what they are measured with.
    pub answers: Answers,
    classes: Vec<String>,
    places: Option<Arc<[Place]>>,
}

/// A net's answers, by what it was asked.
pub enum Answers {
    /// One of two or more classes.
    Classes {
        /// Of each class, `[n, classes]`.
        probabilities: Tensor,
        /// The chosen classes, I64 `[n]`.
        predicted: Tensor,
        /// The right classes, I64 `[n]`.
        target: Tensor,
        /// How often each class was taken for each.
        confusion: ConfusionMatrix,
    },
    /// Yes or no to several labels.
    Labels {
        /// Of each label, `[n, labels]`.
        probabilities: Tensor,
        /// Zeros and ones, `[n, labels]`.
        target: Tensor,
        /// Hits and misses for each label.
        counts: MultiLabelCounts,
    },
    /// Numbers.
    Numbers {
        /// What the net says, `[n, ..]`.
        predicted: Tensor,
        /// What is right, of the same shape.
        target: Tensor,
    },
}

/// A sample that was taken for another class.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake {
    /// Its place in its part of the data, counted from 0.
    pub sample: usize,
    /// Its class.
    pub actual: usize,
    /// What the net took it for.
    pub predicted: usize,
    /// The probability of its class.
    pub right: f64,
    /// The probability of the other.
    pub wrong: f64,
}

/// The judgement of a model on all parts of its data.
pub struct Judgement {
    /// Training, validation (if there is any) and test data.
    pub parts: Vec<Judged>,
    title: String,
}

/// Judges a net on the data of its recipe.
///
/// ```
/// use rekindle_train::{CIRCLES, Recipe, judge, run};
/// let recipe = Recipe { epochs: 1, ..Recipe::from_toml(CIRCLES)? };
/// let trained = run(&recipe, None, &mut |_| ())?;
/// let judgement = judge(&recipe, &trained.net, &trained.data)?;
/// assert!(judgement.json().starts_with("{\"train\":{\"samples\":800,\"loss\":"));
/// assert_eq!(judgement.test().figures()[0], ("accuracy", 0.5));
/// println!("{judgement}"); // scikit-learn's report, a confusion matrix and the worst samples
/// # Ok::<(), rekindle_train::Error>(())
/// ```
///
/// Of a part that is on disk and has more than 100,000 samples, so many are judged, evenly spaced.
///
/// # Errors
/// If net and data do not fit each other, or an output is not finite.
pub fn judge(recipe: &Recipe, net: &Sequential, data: &Data) -> Result<Judgement, Error> {
    net.eval();
    let all = || {
        let objective = Objective::build(&recipe.loss).map_err(Error::Recipe)?;
        let units = data.input.units();
        let one = |(name, part): (_, &Part)| {
            let part = part.at_hand();
            judge_part(&objective, &outputs(net, &part), name, &part, (&data.classes, units))
        };
        data.parts().map(one).collect::<Result<Vec<Judged>, Error>>()
    };
    let parts = guarded(all).map_err(|e| recipe.named(e))?;
    Ok(Judgement { parts, title: recipe.name.clone() })
}

pub(crate) fn judge_part(
    objective: &Objective,
    outputs: &Tensor,
    name: &'static str,
    part: &Part,
    (classes, units): (&[String], Units),
) -> Result<Judged, Error> {
    if !outputs.all_finite() {
        return Err(Error::Recipe(format!("the output of the {name} data is not finite")));
    }
    let loss = figures(objective, outputs, part).loss;
    let answers = Answers::new(objective, outputs, part, units);
    // Outputs of a yes-or-no loss are judged one by one, so there may be another number of names.
    let classes = (0..answers.classes()).map(|i| classes.get(i).cloned().unwrap_or(i.to_string())).collect();
    Ok(Judged { name, loss, samples: part.len(), answers, classes, places: part.places() })
}

impl Answers {
    /// `units` are those of numbers; see [`in_units`].
    pub(crate) fn new(objective: &Objective, outputs: &Tensor, part: &Part, units: Units) -> Answers {
        let y = &part.y;
        let columns = outputs.shape().get(1).copied().unwrap_or(1);
        match objective.decision {
            Decision::None => {
                Answers::Numbers { predicted: in_units(outputs, units), target: in_units(y, units) }
            }
            Decision::Largest => {
                let target = if y.dim() > 1 { y.argmax_dim(1, false) } else { y.clone() };
                Answers::of_classes(objective.of_all_classes(outputs), objective.decide(outputs), target)
            }
            _ if columns == 1 => {
                let target = y.flatten(0, -1).to(DType::I64);
                Answers::of_classes(objective.of_all_classes(outputs), objective.decide(outputs), target)
            }
            _ => {
                let probabilities = objective.probabilities(outputs);
                let mut counts = MultiLabelCounts::new(columns);
                counts.update(&probabilities, y);
                Answers::Labels { probabilities, target: y.clone(), counts }
            }
        }
    }

    fn of_classes(probabilities: Tensor, predicted: Tensor, target: Tensor) -> Answers {
        let mut confusion = ConfusionMatrix::new(probabilities.size(1));
        confusion.update(&predicted, &target);
        Answers::Classes { probabilities, predicted, target, confusion }
    }

    /// The probabilities as the measures of calibration read them: of class 1, or of all classes; or the numbers.
    pub(crate) fn scores(&self) -> Tensor {
        match self {
            Answers::Classes { probabilities: p, .. } if p.size(1) == 2 => p.select(1, 1),
            Answers::Classes { probabilities, .. } | Answers::Labels { probabilities, .. } => {
                probabilities.clone()
            }
            Answers::Numbers { predicted, .. } => predicted.clone(),
        }
    }

    /// What is right.
    pub(crate) fn target(&self) -> &Tensor {
        match self {
            Answers::Classes { target, .. }
            | Answers::Labels { target, .. }
            | Answers::Numbers { target, .. } => target,
        }
    }

    /// The number of classes or labels; none for regression.
    fn classes(&self) -> usize {
        match self {
            Answers::Classes { confusion, .. } => confusion.classes(),
            Answers::Labels { counts, .. } => counts.labels(),
            Answers::Numbers { .. } => 0,
        }
    }
}

impl Judged {
    /// The names of the classes or labels.
    pub fn class_names(&self) -> &[String] {
        &self.classes
    }

    /// The samples that the net took for another class with the largest probabilities, the largest first.
    pub fn surest_mistakes(&self, most: usize) -> Vec<Mistake> {
        let Answers::Classes { probabilities, predicted, target, .. } = &self.answers else {
            return Vec::new();
        };
        let (p, k) = (probabilities.data::<f64>(), probabilities.size(1));
        let (predicted, target) = (predicted.data::<i64>(), target.data::<i64>());
        let mistake = |sample: usize| {
            let (actual, predicted) = (target[sample] as usize, predicted[sample] as usize);
            let [right, wrong] = [actual, predicted].map(|class| p[sample * k + class]);
            Mistake { sample, actual, predicted, right, wrong }
        };
        let mut all: Vec<Mistake> =
            (0..predicted.len()).filter(|&i| predicted[i] != target[i]).map(mistake).collect();
        all.sort_by(|a, b| b.wrong.total_cmp(&a.wrong));
        all.truncate(most);
        all
    }

    /// The figures beside the loss, with their names; averages are named.
    #[rustfmt::skip] // One line for each figure.
    pub fn figures(&self) -> Vec<(&'static str, f64)> {
        match &self.answers {
            Answers::Classes { probabilities: p, target: y, confusion: c, .. } => {
                let mut all = vec![
                    ("accuracy", c.accuracy()),
                    ("balanced_accuracy", c.balanced_accuracy()),
                    ("precision_macro", c.precision(Average::Macro)),
                    ("recall_macro", c.recall(Average::Macro)),
                    ("f1_macro", c.f1_score(Average::Macro)),
                    ("precision_weighted", c.precision(Average::Weighted)),
                    ("recall_weighted", c.recall(Average::Weighted)),
                    ("f1_weighted", c.f1_score(Average::Weighted)),
                    ("matthews_corrcoef", c.matthews_corrcoef()),
                    ("cohen_kappa", c.cohen_kappa()),
                    ("log_loss", metrics::log_loss(p, y)),
                    ("brier_score", metrics::brier_score(p, y)),
                    ("expected_calibration_error", metrics::expected_calibration_error(&self.scores(), y, BINS)),
                ];
                if c.classes() == 2 {
                    let p = p.select(1, 1);
                    all.extend([("roc_auc", metrics::roc_auc(&p, y, Average::Macro)),
                        ("average_precision", metrics::average_precision(&p, y, Average::Macro))]);
                } else {
                    all.push(("roc_auc_ovr_macro", metrics::roc_auc(p, y, Average::Macro)));
                    all.push(("average_precision_macro", metrics::average_precision(p, y, Average::Macro)));
                }
                if c.classes() > 5 {
                    all.push(("top_3_accuracy", metrics::top_k_accuracy(p, y, 3)));
                }
                all
            }
            Answers::Labels { probabilities: p, target: y, counts: c } => vec![
                ("accuracy", c.accuracy()), // of whole rows
                ("hamming_loss", c.hamming_loss()),
                ("precision_micro", c.precision(Average::Micro)),
                ("recall_micro", c.recall(Average::Micro)),
                ("f1_micro", c.f1_score(Average::Micro)),
                ("precision_macro", c.precision(Average::Macro)),
                ("recall_macro", c.recall(Average::Macro)),
                ("f1_macro", c.f1_score(Average::Macro)),
                ("jaccard_macro", c.jaccard_score(Average::Macro)),
                ("roc_auc_macro", metrics::roc_auc(p, y, Average::Macro)),
                ("average_precision_macro", metrics::average_precision(p, y, Average::Macro)),
            ],
            Answers::Numbers { predicted: p, target: y } => {
                let mut all = vec![
                    ("mean_absolute_error", metrics::mean_absolute_error(p, y)),
                    ("mean_squared_error", metrics::mean_squared_error(p, y)),
                    ("root_mean_squared_error", metrics::root_mean_squared_error(p, y)),
                ];
                // Of several outputs the mean, as scikit-learn's "uniform_average".
                let [p, y] = [p, y].map(|t| t.reshape([self.samples as i64, -1]));
                let each = (0..y.size(1) as isize).map(|c| metrics::r2_score(&p.select(1, c), &y.select(1, c)));
                all.push(("r2_score", each.sum::<f64>() / y.size(1) as f64));
                all
            }
        }
    }

    /// See [`Answers::scores`].
    pub(crate) fn scores(&self) -> Tensor {
        self.answers.scores()
    }

    /// What a sample is called: the line or file that it comes from, or its number in its part of the data.
    pub fn sample(&self, sample: usize) -> String {
        match self.places.as_ref().and_then(|places| places.get(sample)) {
            Some(place) => place.to_string(),
            None => format!("{} sample {sample}", self.name),
        }
    }

    /// One line that says how good the model is here.
    pub fn headline(&self) -> String {
        let Judged { name, samples: n, loss, .. } = self;
        match &self.answers {
            Answers::Classes { confusion, .. } => {
                let right: u64 = confusion.counts().iter().enumerate().map(|(class, row)| row[class]).sum();
                format!("{right} of {n} {name} samples right (accuracy {:.4})", confusion.accuracy())
            }
            Answers::Labels { counts, .. } => {
                let right = counts.accuracy() * *n as f64;
                format!(
                    "{right:.0} of {n} {name} samples right in all labels (accuracy {:.4})",
                    counts.accuracy()
                )
            }
            Answers::Numbers { .. } => {
                let figures = self.figures();
                let of = |name: &str| figures.iter().find(|(n, _)| *n == name).map_or(f64::NAN, |f| f.1);
                let (error, r2) = (of("mean_absolute_error"), of("r2_score"));
                format!("mean absolute error {error:.5}, R2 {r2:.4}, loss {loss:.5} on {n} {name} samples")
            }
        }
    }

    /// The confusion matrix as text, or of many classes those pairs that are confused most often.
    fn write_confusion(&self, confusion: &ConfusionMatrix, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = confusion.counts();
        if counts.len() > WIDEST {
            return self.write_confused(&counts, f);
        }
        let names: Vec<String> = self.classes.iter().map(|name| shortened(name, 14)).collect();
        let width = names.iter().map(|name| display_width(name)).max().unwrap_or(0).max(5);
        let padded = |name: &str| " ".repeat(width - display_width(name)) + name;
        writeln!(f, "\nconfusion matrix: rows are the actual class, columns the predicted one")?;
        let head: String = names.iter().map(|name| format!(" {}", padded(name))).collect();
        writeln!(f, "  {}{head}", " ".repeat(width))?;
        for (name, row) in names.iter().zip(&counts) {
            let cells: String = row.iter().map(|n| format!(" {n:>width$}")).collect();
            writeln!(f, "  {}{cells}", padded(name))?;
        }
        Ok(())
    }

    fn write_confused(&self, counts: &[Vec<u64>], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = |(actual, row): (usize, &Vec<u64>)| -> Vec<(u64, usize, usize)> {
            row.iter().enumerate().map(|(predicted, n)| (*n, actual, predicted)).collect()
        };
        let mut pairs: Vec<_> =
            counts.iter().enumerate().flat_map(pairs).filter(|p| p.0 > 0 && p.1 != p.2).collect();
        pairs.sort_by_key(|(n, actual, predicted)| (std::cmp::Reverse(*n), *actual, *predicted));
        writeln!(f, "\nmost confused of {} classes", counts.len())?;
        for (n, actual, predicted) in pairs.iter().take(WIDEST) {
            writeln!(
                f,
                "  {n:>6} of class {} taken for {}",
                self.classes[*actual], self.classes[*predicted]
            )?;
        }
        Ok(())
    }

    fn write_mistakes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mistakes = self.surest_mistakes(MISTAKES);
        if !mistakes.is_empty() {
            writeln!(f, "\nthe wrong samples that the model was surest about")?;
        }
        for m in mistakes {
            let (actual, predicted) = (&self.classes[m.actual], &self.classes[m.predicted]);
            let (right, wrong) = (m.right, m.wrong);
            writeln!(
                f,
                "  {}: it is {actual} (probability {right:.4}), taken for {predicted} ({wrong:.4})",
                self.sample(m.sample)
            )?;
        }
        Ok(())
    }
}

/// The report: figures, scikit-learn's table, confusion matrix, worst samples.
impl Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} samples, loss {:.5}\n", self.name, self.samples, self.loss)?;
        match &self.answers {
            Answers::Classes { confusion, .. } => {
                writeln!(f, "{}", confusion.report(&self.classes, 4))?;
                self.write_figures(8, f)?;
                self.write_confusion(confusion, f)?;
                self.write_mistakes(f)
            }
            Answers::Labels { counts, .. } => {
                writeln!(f, "{}", counts.report(&self.classes, 4))?;
                self.write_figures(0, f)
            }
            Answers::Numbers { .. } => self.write_figures(0, f),
        }
    }
}

impl Judged {
    /// The figures after the first ones, which the table above shows.
    fn write_figures(&self, shown: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.figures().iter().skip(shown).try_for_each(|(name, value)| writeln!(f, "{name:<28} {value:.4}"))
    }
}

/// A text of at most so many columns, with a mark where it was cut.
fn shortened(text: &str, columns: usize) -> String {
    if display_width(text) <= columns {
        return text.to_string();
    }
    let mut short = String::new();
    for c in text.chars() {
        if display_width(&short) + display_width(c.encode_utf8(&mut [0; 4])) + 1 > columns {
            break;
        }
        short.push(c);
    }
    short + "…"
}

impl Judgement {
    /// What is said of the test data.
    pub fn test(&self) -> &Judged {
        self.parts.last().expect("there is test data")
    }

    /// One line of JSON: an object with `train`, `validation` (null if the recipe has none) and `test`, each an object of
    /// all figures by name. A figure that is not defined, such as the area under a curve of one class, is null.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("names are text")
    }
}

impl Serialize for Judgement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let of = |name| (name, self.parts.iter().find(|part| part.name == name));
        serializer.collect_map(["train", "validation", "test"].map(of))
    }
}

impl Serialize for Judged {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_map(None)?;
        all.serialize_entry("samples", &self.samples)?;
        all.serialize_entry("loss", &self.loss)?;
        self.figures().iter().try_for_each(|(name, value)| all.serialize_entry(name, value))?;
        let report = match &self.answers {
            Answers::Classes { confusion, .. } => {
                all.serialize_entry("confusion_matrix", &confusion.counts())?;
                confusion.report(&self.classes, 4)
            }
            Answers::Labels { counts, .. } => {
                all.serialize_entry("confusion_matrix", &counts.counts())?;
                counts.report(&self.classes, 4)
            }
            Answers::Numbers { .. } => return all.end(),
        };
        let row = |r: &ReportRow| {
            let ReportRow { name, precision, recall, f1_score, support } = r;
            serde_json::json!({"class": name, "precision": precision, "recall": recall, "f1": f1_score, "support": support})
        };
        all.serialize_entry("per_class", &report.classes.iter().map(row).collect::<Vec<_>>())?;
        all.serialize_entry("classes", &self.classes)?;
        all.end()
    }
}

impl Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.title)?;
        self.parts.iter().try_for_each(|part| writeln!(f, "{part}\n"))
    }
}
