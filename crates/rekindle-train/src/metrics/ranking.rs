//! Figures of scores by their order: ROC curve and its area, precision-recall curve and average precision.
//!
//! Every distinct score is a threshold: samples with that score or a higher one are taken to be of the class. The curves follow from
//! the integers `tp` and `fp` at each threshold. Source: `_ranking.py` of scikit-learn.

use super::average::Average;
use super::input::{bits, distributions, finite, in_range, is_column, labels, rows, same_length, same_shape};
use super::metric::Task;
use rekindle_tensor::{Tensor, mistake};

/// Scores and what happened, of all samples seen: curves need them all.
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::metrics::{Average, Scores, Task};
///
/// let mut scores = Scores::new(Task::MultiClass(3));
/// scores.update(&tensor([[0.75, 0.25, 0.0], [0.25, 0.5, 0.25]]), &tensor([0, 1]));
/// scores.update(&tensor([[0.25, 0.25, 0.5], [0.25, 0.5, 0.25]]), &tensor([2, 0]));
/// assert_eq!(scores.roc_auc_per_class(), [0.75, 5.0 / 6.0, 1.0]);
/// assert_eq!(scores.roc_curve(0).tpr, [0.0, 0.5, 1.0]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    task: Task,
    /// Row-major, [samples, columns]; so is `positive`.
    scores: Vec<f64>,
    positive: Vec<bool>,
}

impl Scores {
    /// Of no sample. One column is scored for [`Task::Binary`], one for each class or label otherwise.
    ///
    /// # Panics
    /// If there are fewer than two classes or no label.
    #[track_caller]
    pub fn new(task: Task) -> Scores {
        if matches!(task, Task::MultiClass(0 | 1) | Task::MultiLabel(0)) {
            mistake!("metrics: {task:?} has too few classes; two classes need 2, labels at least 1");
        }
        Scores { task, scores: Vec::new(), positive: Vec::new() }
    }

    fn columns(&self) -> usize {
        match self.task {
            Task::Binary => 1,
            Task::MultiClass(n) | Task::MultiLabel(n) => n,
        }
    }

    /// Adds samples. For two classes, scores `[n]` or `[n, 1]` of class 1 in any unit with 0 or 1 `[n]`; for several classes,
    /// probabilities `[n, classes]` with classes `[n]`; for labels, scores and 0 or 1 `[n, labels]`.
    ///
    /// # Panics
    /// If shapes or values do not fit; then nothing was added.
    #[track_caller]
    pub fn update(&mut self, scores: &Tensor, target: &Tensor) {
        let (values, positive) = match self.task {
            Task::Binary => {
                let actual = labels("targets", target);
                in_range("targets", &actual, 2);
                if !is_column(scores) {
                    mistake!(
                        "metrics: the scores of class 1 must be [n] or [n, 1], got {:?}",
                        scores.shape()
                    );
                }
                (finite("scores", scores), actual.iter().map(|&class| class == 1).collect::<Vec<bool>>())
            }
            Task::MultiClass(classes) => {
                let (values, actual) = (distributions(scores), labels("targets", target));
                in_range("targets", &actual, classes);
                (values, actual.iter().flat_map(|&class| (0..classes).map(move |c| c == class)).collect())
            }
            Task::MultiLabel(_) => {
                same_shape(scores, target);
                (finite("scores", scores), bits("targets", target))
            }
        };
        let columns = self.columns();
        if columns > 1 && scores.shape().get(1) != Some(&columns) {
            mistake!("metrics: the scores must be [n, {columns}], got {:?}", scores.shape());
        }
        same_length(values.len() / columns, positive.len() / columns);
        self.scores.extend(values);
        self.positive.extend(positive);
    }

    /// Adds the samples of another.
    ///
    /// # Panics
    /// If their tasks differ.
    #[track_caller]
    pub fn merge(&mut self, other: &Scores) {
        if self.task != other.task {
            mistake!("metrics: cannot merge scores of {:?} into {:?}", other.task, self.task);
        }
        self.scores.extend(&other.scores);
        self.positive.extend(&other.positive);
    }

    /// Forgets the samples.
    pub fn reset(&mut self) {
        self.scores.clear();
        self.positive.clear();
    }

    /// Reads scores whose shapes, and those of their targets, tell the task.
    #[track_caller]
    fn of(scores: &Tensor, target: &Tensor) -> Scores {
        let mut of = Scores::new(match (is_column(scores), is_column(target)) {
            (true, _) => Task::Binary,
            (false, true) => {
                rows(scores);
                Task::MultiClass(scores.shape()[1])
            }
            (false, false) => {
                rows(scores);
                Task::MultiLabel(scores.shape()[1])
            }
        });
        of.update(scores, target);
        of
    }

    /// Reads the scores of one class against the other.
    #[track_caller]
    fn binary(scores: &Tensor, target: &Tensor) -> Scores {
        let mut binary = Scores::new(Task::Binary);
        binary.update(scores, target);
        binary
    }

    #[track_caller]
    fn column(&self, class: usize) -> Thresholds {
        let columns = self.columns();
        if class >= columns {
            mistake!("metrics: there is no column {class} of scores; there are {columns}");
        }
        let pick = self.scores.iter().copied().zip(self.positive.iter().copied());
        Thresholds::of(pick.skip(class).step_by(columns))
    }

    fn all(&self) -> Thresholds {
        Thresholds::of(self.scores.iter().copied().zip(self.positive.iter().copied()))
    }

    /// The ROC curve of a class against all others; class 0 is the only column of two classes' scores.
    ///
    /// # Panics
    /// If there is no such class.
    #[track_caller]
    pub fn roc_curve(&self, class: usize) -> RocCurve {
        self.column(class).roc_curve()
    }

    /// The precision-recall curve of a class against all others, see [`roc_curve`](Scores::roc_curve).
    ///
    /// # Panics
    /// If there is no such class.
    #[track_caller]
    pub fn precision_recall_curve(&self, class: usize) -> PrecisionRecallCurve {
        self.column(class).precision_recall_curve()
    }

    /// The area under the ROC curve of each class against all others; see [`roc_auc`].
    pub fn roc_auc_per_class(&self) -> Vec<f64> {
        self.per_class(Thresholds::area)
    }

    /// The average precision of each class against all others; see [`average_precision`].
    pub fn average_precision_per_class(&self) -> Vec<f64> {
        self.per_class(Thresholds::average_precision)
    }

    /// The averaged area under the ROC curves; see [`roc_auc`].
    #[track_caller]
    pub fn roc_auc(&self, average: Average) -> f64 {
        self.averaged(Thresholds::area, average)
    }

    /// The averaged average precision; see [`average_precision`].
    #[track_caller]
    pub fn average_precision(&self, average: Average) -> f64 {
        self.averaged(Thresholds::average_precision, average)
    }

    fn per_class(&self, figure: fn(&Thresholds) -> f64) -> Vec<f64> {
        (0..self.columns()).map(|class| figure(&self.column(class))).collect()
    }

    /// As `_average_binary_score` of scikit-learn: of a class without targets nothing is counted in a weighted mean.
    #[track_caller]
    fn averaged(&self, figure: fn(&Thresholds) -> f64, average: Average) -> f64 {
        match average {
            Average::Binary if self.task != Task::Binary => {
                mistake!(
                    "metrics: Average::Binary is for two classes, not {:?}; use Average::Macro?",
                    self.task
                )
            }
            Average::Samples => {
                mistake!("metrics: scores are not averaged over samples; use Average::Macro?")
            }
            Average::Binary | Average::Micro => figure(&self.all()),
            _ if self.scores.is_empty() => f64::NAN,
            Average::Macro => self.per_class(figure).iter().sum::<f64>() / self.columns() as f64,
            // Two classes' scores are one column, and its figure is the mean.
            Average::Weighted if self.task == Task::Binary => figure(&self.all()),
            Average::Weighted => {
                let columns = (0..self.columns()).map(|class| self.column(class));
                let kept: Vec<Thresholds> = columns.filter(|c| c.positives() > 0).collect();
                let total: u64 = kept.iter().map(Thresholds::positives).sum();
                let sum = kept.iter().map(|c| figure(c) * c.positives() as f64).sum::<f64>();
                if total == 0 { 0.0 } else { sum / total as f64 }
            }
        }
    }
}

/// The counts of wrongly (`fp`) and rightly (`tp`) positive samples at each threshold, from the highest to the lowest.
struct Thresholds {
    thresholds: Vec<f64>,
    fp: Vec<u64>,
    tp: Vec<u64>,
}

impl Thresholds {
    fn of(samples: impl Iterator<Item = (f64, bool)>) -> Thresholds {
        let mut samples: Vec<(f64, bool)> = samples.map(|(score, yes)| (score + 0.0, yes)).collect(); // -0.0 is 0.0.
        samples.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let (mut thresholds, mut fp, mut tp) = (Vec::new(), Vec::new(), Vec::new());
        let (mut wrong, mut right) = (0, 0);
        for tied in samples.chunk_by(|a, b| a.0 == b.0) {
            let yes = tied.iter().filter(|(_, yes)| *yes).count() as u64;
            right += yes;
            wrong += tied.len() as u64 - yes;
            thresholds.push(tied[0].0);
            fp.push(wrong);
            tp.push(right);
        }
        Thresholds { thresholds, fp, tp }
    }

    fn positives(&self) -> u64 {
        self.tp.last().copied().unwrap_or(0)
    }

    fn negatives(&self) -> u64 {
        self.fp.last().copied().unwrap_or(0)
    }

    /// The trapezoids under the curve, in integers and divided once.
    fn area(&self) -> f64 {
        let (mut doubled, mut before) = (0u128, (0, 0));
        for (&fp, &tp) in self.fp.iter().zip(&self.tp) {
            doubled += u128::from(fp - before.0) * u128::from(tp + before.1);
            before = (fp, tp);
        }
        doubled as f64 / (2 * u128::from(self.positives()) * u128::from(self.negatives())) as f64
    }

    /// The sum of the precisions at the thresholds, each weighted by the recall that it adds.
    fn average_precision(&self) -> f64 {
        if self.tp.is_empty() {
            return f64::NAN;
        }
        let (mut sum, mut before) = (0.0, 0);
        for (&fp, &tp) in self.fp.iter().zip(&self.tp) {
            sum += (tp - before) as f64 * (tp as f64 / (tp + fp) as f64);
            before = tp;
        }
        sum / self.positives().max(1) as f64
    }

    /// The places of a curve's corners; points on the straight line between their neighbours are left out.
    fn corners(&self) -> Vec<usize> {
        let straight = |x: &[u64], i: usize| x[i + 1] - x[i] == x[i] - x[i - 1];
        let inner = |i: usize| i > 0 && i + 1 < self.tp.len();
        let kept = |&i: &usize| !inner(i) || !straight(&self.fp, i) || !straight(&self.tp, i);
        (0..self.tp.len()).filter(kept).collect()
    }

    fn roc_curve(&self) -> RocCurve {
        let corners = self.corners();
        let rate = |counts: &[u64], all: u64| {
            let points = std::iter::once(0).chain(corners.iter().map(|&i| counts[i]));
            points.map(|n| n as f64 / all as f64).collect()
        };
        let thresholds = corners.iter().map(|&i| self.thresholds[i]);
        RocCurve {
            fpr: rate(&self.fp, self.negatives()),
            tpr: rate(&self.tp, self.positives()),
            thresholds: std::iter::once(f64::INFINITY).chain(thresholds).collect(),
        }
    }

    fn precision_recall_curve(&self) -> PrecisionRecallCurve {
        let all = self.positives();
        let precision = self.tp.iter().zip(&self.fp).map(|(&tp, &fp)| tp as f64 / (tp + fp) as f64);
        let recall = self.tp.iter().map(|&tp| if all == 0 { 1.0 } else { tp as f64 / all as f64 });
        PrecisionRecallCurve {
            precision: precision.rev().chain([1.0]).collect(),
            recall: recall.rev().chain([0.0]).collect(),
            thresholds: self.thresholds.iter().rev().copied().collect(),
        }
    }
}

/// A receiver operating characteristic: one point for each threshold, from (0, 0) to (1, 1).
#[derive(Clone, Debug, PartialEq)]
pub struct RocCurve {
    /// The part of the negative samples that are taken to be positive; NaN if there is no negative sample.
    pub fpr: Vec<f64>,
    /// The part of the positive samples that are; NaN if there is no positive sample.
    pub tpr: Vec<f64>,
    /// Falling; scores from here on are positive. The first is infinite.
    pub thresholds: Vec<f64>,
}

/// Precision against recall: one point for each threshold, and a last one of precision 1 and recall 0.
#[derive(Clone, Debug, PartialEq)]
pub struct PrecisionRecallCurve {
    /// Of the samples that are taken to be positive, the part that are.
    pub precision: Vec<f64>,
    /// Falling: the part of the positive samples that are taken to be; all 1 (but the last) if there is none.
    pub recall: Vec<f64>,
    /// Rising; one fewer than points.
    pub thresholds: Vec<f64>,
}

/// The ROC curve of scores `[n]` or `[n, 1]` of class 1, in any unit. Points on straight lines are left out, as in scikit-learn.
/// For the curves of several classes see [`Scores::roc_curve`].
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::metrics::roc_curve;
/// let curve = roc_curve(&tensor([0.1, 0.4, 0.35, 0.8]), &tensor([0, 0, 1, 1]));
/// assert_eq!(curve.fpr, [0.0, 0.0, 0.5, 0.5, 1.0]);
/// assert_eq!(curve.tpr, [0.0, 0.5, 0.5, 1.0, 1.0]);
/// ```
///
/// # Panics
/// If shapes do not fit, targets are not 0 or 1, or scores not finite.
#[track_caller]
pub fn roc_curve(scores: &Tensor, target: &Tensor) -> RocCurve {
    Scores::binary(scores, target).roc_curve(0)
}

/// The precision-recall curve of scores `[n]` or `[n, 1]` of class 1, in any unit. For the curves of several classes see
/// [`Scores::precision_recall_curve`].
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::metrics::precision_recall_curve;
/// let curve = precision_recall_curve(&tensor([0.1, 0.4, 0.35, 0.8]), &tensor([0, 0, 1, 1]));
/// assert_eq!(curve.precision, [0.5, 2.0 / 3.0, 0.5, 1.0, 1.0]);
/// assert_eq!(curve.recall, [1.0, 1.0, 0.5, 0.5, 0.0]);
/// ```
///
/// # Panics
/// If shapes do not fit, targets are not 0 or 1, or scores not finite.
#[track_caller]
pub fn precision_recall_curve(scores: &Tensor, target: &Tensor) -> PrecisionRecallCurve {
    Scores::binary(scores, target).precision_recall_curve(0)
}

/// The area under the ROC curve: the chance that a sample of the class is scored above one of another, ties counting half.
/// Scores are `[n]` of class 1 (any average is that of class 1), probabilities `[n, classes]` with classes `[n]` (each class against
/// the rest), or `[n, labels]` with as many 0 and 1. Where a class has no sample or all, it is NaN, and so is their `Macro` average,
/// as in scikit-learn; `Weighted` leaves out classes without a sample. (torchmetrics leaves NaN out of both.)
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::metrics::{Average, roc_auc};
/// let (scores, target) = (tensor([0.1, 0.4, 0.35, 0.8]), tensor([0, 0, 1, 1]));
/// assert_eq!(roc_auc(&scores, &target, Average::Binary), 0.75);
/// ```
///
/// # Panics
/// If shapes or labels do not fit, scores are not finite, or rows of several classes do not sum to 1.
#[track_caller]
pub fn roc_auc(scores: &Tensor, target: &Tensor, average: Average) -> f64 {
    Scores::of(scores, target).roc_auc(average)
}

/// The area under the ROC curve of each class against the rest; see [`roc_auc`].
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::metrics::roc_auc_per_class;
/// let scores = tensor([[0.5, 0.5, 0.0], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5]]);
/// assert_eq!(roc_auc_per_class(&scores, &tensor([0, 1, 2])), [1.0, 0.75, 1.0]);
/// ```
///
/// # Panics
/// As [`roc_auc`].
#[track_caller]
pub fn roc_auc_per_class(scores: &Tensor, target: &Tensor) -> Vec<f64> {
    Scores::of(scores, target).roc_auc_per_class()
}

/// The precision at each threshold, weighted by the recall that it adds: the area under the precision-recall curve as a step
/// function. Input as for [`roc_auc`]. It is 0 for a class without a sample, as in scikit-learn.
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::metrics::{Average, average_precision};
/// let (scores, target) = (tensor([0.1, 0.4, 0.35, 0.8]), tensor([0, 0, 1, 1]));
/// assert!((average_precision(&scores, &target, Average::Binary) - 5.0 / 6.0).abs() < 1e-15);
/// ```
///
/// # Panics
/// As [`roc_auc`].
#[track_caller]
pub fn average_precision(scores: &Tensor, target: &Tensor, average: Average) -> f64 {
    Scores::of(scores, target).average_precision(average)
}

/// The average precision of each class against the rest; see [`average_precision`].
///
/// # Panics
/// As [`roc_auc`].
#[track_caller]
pub fn average_precision_per_class(scores: &Tensor, target: &Tensor) -> Vec<f64> {
    Scores::of(scores, target).average_precision_per_class()
}
