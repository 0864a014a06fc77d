//! How good probabilities are: log loss and Brier score, which reward saying what is known and no more.

use super::exact_sum::ExactSum;
use super::input::{distributions, in_range, is_column, labels, probabilities, same_length};
use rekindle_tensor::{DType, Tensor};

/// Probabilities with what happened, row by row.
pub(super) struct Forecasts {
    /// The probabilities of the classes; of both where one was given.
    rows: Vec<f64>,
    pub classes: usize,
    pub actual: Vec<usize>,
}

impl Forecasts {
    /// Reads probabilities `[n]` or `[n, 1]` of class 1, or rows `[n, classes]` that sum to 1, with their targets.
    #[track_caller]
    pub fn read(preds: &Tensor, target: &Tensor) -> Forecasts {
        let (rows, classes) = if is_column(preds) {
            (probabilities("predictions", preds).into_iter().flat_map(|p| [1.0 - p, p]).collect(), 2)
        } else {
            (distributions(preds), preds.shape()[1])
        };
        let actual = labels("targets", target);
        same_length(preds.shape()[0], actual.len());
        in_range("targets", &actual, classes);
        Forecasts { rows, classes, actual }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&[f64], usize)> {
        self.rows.chunks_exact(self.classes).zip(self.actual.iter().copied())
    }
}

/// The mean of a figure over samples.
#[derive(Clone, Debug, Default)]
pub(super) struct Mean {
    n: u64,
    sum: ExactSum,
}

impl Mean {
    #[track_caller]
    pub fn update_log_loss(&mut self, preds: &Tensor, target: &Tensor) {
        let eps = if preds.dtype() == DType::F32 { f32::EPSILON.into() } else { f64::EPSILON };
        for (row, class) in Forecasts::read(preds, target).iter() {
            self.add(-row[class].clamp(eps, 1.0 - eps).ln());
        }
    }

    #[track_caller]
    pub fn update_brier_score(&mut self, preds: &Tensor, target: &Tensor) {
        let forecasts = Forecasts::read(preds, target);
        let scale = if forecasts.classes == 2 { 0.5 } else { 1.0 };
        for (row, class) in forecasts.iter() {
            let happened = |c: usize| f64::from(u8::from(c == class));
            self.add(scale * row.iter().enumerate().map(|(c, p)| (happened(c) - p).powi(2)).sum::<f64>());
        }
    }

    fn add(&mut self, x: f64) {
        self.n += 1;
        self.sum.add(x);
    }

    pub fn reset(&mut self) {
        *self = Mean::default();
    }

    pub fn merge(&mut self, other: &Mean) {
        self.n += other.n;
        self.sum.merge(&other.sum);
    }

    pub fn value(&self) -> f64 {
        self.sum.value() / self.n as f64
    }
}

/// The mean of `-ln p` of the probabilities given to what happened; cross entropy of probabilities. Predictions are
/// probabilities of class 1, `[n]` or `[n, 1]`, or rows `[n, classes]` that sum to 1. As in scikit-learn, a probability is cut to
/// `[eps, 1 - eps]` with the epsilon of its type, so that a certain mistake costs much but not everything.
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::metrics::log_loss;
/// let loss = log_loss(&tensor([0.5, 0.25]), &tensor([1, 0]));
/// assert!((loss - (2.0f64.ln() + (4.0f64 / 3.0).ln()) / 2.0).abs() < 1e-12);
/// ```
///
/// # Panics
/// If shapes or labels do not fit, or a row is no probability distribution.
#[track_caller]
pub fn log_loss(probs: &Tensor, target: &Tensor) -> f64 {
    let mut mean = Mean::default();
    mean.update_log_loss(probs, target);
    mean.value()
}

/// The mean squared difference of probabilities and what happened: `(p - y)^2` for two classes (from 0 to 1), summed over the
/// classes for more of them (from 0 to 2), as in scikit-learn 1.9. Input as for [`log_loss`].
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::metrics::brier_score;
/// assert_eq!(brier_score(&tensor([0.5, 1.0]), &tensor([1, 1])), 0.125);
/// ```
///
/// # Panics
/// If shapes or labels do not fit, or a row is no probability distribution.
#[track_caller]
pub fn brier_score(probs: &Tensor, target: &Tensor) -> f64 {
    let mut mean = Mean::default();
    mean.update_brier_score(probs, target);
    mean.value()
}
