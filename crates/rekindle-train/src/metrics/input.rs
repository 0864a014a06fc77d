//! What metrics read from tensors, and the mistakes that can be made there.

use rekindle_tensor::{DType, Tensor, mistake};

/// Predicted and actual classes of the same samples.
pub(super) struct Pairs {
    pub predicted: Vec<usize>,
    pub actual: Vec<usize>,
    /// The number of classes, if the shape of the predictions tells it.
    pub classes: Option<usize>,
}

impl Pairs {
    /// The number of classes that these samples need: at least two.
    pub fn classes_needed(&self) -> usize {
        let largest = self.predicted.iter().chain(&self.actual).max();
        self.classes.unwrap_or(largest.map_or(2, |&c| (c + 1).max(2)))
    }
}

/// Reads class predictions (classes, or scores that decide) and class targets.
#[track_caller]
pub(super) fn pairs(preds: &Tensor, target: &Tensor) -> Pairs {
    let (predicted, classes) = if !preds.dtype().is_float() {
        (labels("predictions", preds), None)
    } else if is_column(preds) {
        (probabilities("predictions", preds).iter().map(|&p| (p > 0.5) as usize).collect(), Some(2))
    } else {
        let (scores, classes) = (rows(preds), preds.shape()[1]);
        (scores.chunks_exact(classes).map(argmax).collect(), Some(classes))
    };
    let actual = labels("targets", target);
    same_length(predicted.len(), actual.len());
    if let Some(classes) = classes {
        in_range("targets", &actual, classes);
    }
    Pairs { predicted, actual, classes }
}

/// The first of the largest, as `argmax` says it.
pub(super) fn argmax(row: &[f64]) -> usize {
    (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
}

/// One class for each sample: int64, or yes and no in any type.
#[track_caller]
pub(super) fn labels(what: &str, x: &Tensor) -> Vec<usize> {
    if !is_column(x) {
        mistake!(
            "metrics: the {what} must be one class for each sample, [n] or [n, 1], got shape {:?}; for one-hot rows use \
             .argmax_dim(1, false), for several labels a sample use multilabel_counts",
            x.shape()
        );
    }
    if x.dtype() != DType::I64 {
        return bits(what, x).iter().map(|&yes| yes as usize).collect();
    }
    let classes = x.data::<i64>();
    if let Some(class) = classes.iter().find(|c| **c < 0) {
        mistake!("metrics: the {what} hold the class {class}; classes are counted from 0");
    }
    classes.iter().map(|&c| c as usize).collect()
}

/// Refuses classes that do not exist.
#[track_caller]
pub(super) fn in_range(what: &str, labels: &[usize], classes: usize) {
    if let Some(class) = labels.iter().find(|c| **c >= classes) {
        let last = classes.wrapping_sub(1);
        mistake!("metrics: the {what} hold the class {class}, but there are {classes} classes (0 to {last})");
    }
}

/// Yes or no for each element: bool, or numbers that are 0 or 1.
#[track_caller]
pub(super) fn bits(what: &str, x: &Tensor) -> Vec<bool> {
    let values = x.to_f64_vec();
    if let Some(v) = values.iter().find(|v| **v != 0.0 && **v != 1.0) {
        mistake!("metrics: the {what} ({}) must be 0 or 1, got {v}; classes are i64", x.dtype());
    }
    values.iter().map(|&v| v == 1.0).collect()
}

/// Finite floats.
#[track_caller]
pub(super) fn finite(what: &str, x: &Tensor) -> Vec<f64> {
    if !x.dtype().is_float() {
        mistake!("metrics: the {what} must be floats, got {}", x.dtype());
    }
    let values = x.to_f64_vec();
    if let Some(i) = values.iter().position(|v| !v.is_finite()) {
        mistake!("metrics: the {what} are not finite: element {i} is {}", values[i]);
    }
    values
}

/// Floats from 0 to 1.
#[track_caller]
pub(super) fn probabilities(what: &str, x: &Tensor) -> Vec<f64> {
    let values = finite(what, x);
    if let Some(v) = values.iter().find(|v| !(0.0..=1.0).contains(*v)) {
        mistake!(
            "metrics: the {what} must be probabilities, got {v}; use .sigmoid() or .softmax(1) on logits, \
             and i64 for classes"
        );
    }
    values
}

/// Scores with one column for each class, of which there are at least two.
#[track_caller]
pub(super) fn rows(x: &Tensor) -> Vec<f64> {
    if x.dim() != 2 || x.shape()[1] < 2 {
        mistake!("metrics: the scores must have shape [n, classes], got {:?}", x.shape());
    }
    finite("scores", x)
}

/// Rows of probabilities that sum to 1. The tolerance is scikit-learn's for f32, because a row in f64 may come from one.
#[track_caller]
pub(super) fn distributions(x: &Tensor) -> Vec<f64> {
    rows(x);
    let values = probabilities("scores", x);
    let tolerance = f64::from(f32::EPSILON).sqrt();
    let sums = values.chunks_exact(x.shape()[1]).map(|row| row.iter().sum::<f64>());
    if let Some((i, sum)) = sums.enumerate().find(|(_, sum)| (sum - 1.0).abs() > tolerance) {
        mistake!("metrics: the probabilities of row {i} sum to {sum}, not 1; use .softmax(1) on logits");
    }
    values
}

/// Whether there is one value for each sample: `[n]` or `[n, 1]`.
pub(super) fn is_column(x: &Tensor) -> bool {
    matches!(x.shape(), [_] | [_, 1])
}

/// Refuses predictions and targets of different numbers of samples.
#[track_caller]
pub(super) fn same_length(preds: usize, target: usize) {
    if preds != target {
        mistake!("metrics: there are {preds} predictions for {target} targets; give one for each sample");
    }
}

/// Refuses predictions and targets of different shapes.
#[track_caller]
pub(super) fn same_shape(preds: &Tensor, target: &Tensor) {
    if preds.shape() != target.shape() {
        let (p, t) = (preds.shape(), target.shape());
        mistake!(
            "metrics: predictions {p:?} and targets {t:?} must have one shape; use .squeeze_dim(1) or .reshape(..)?"
        );
    }
}
