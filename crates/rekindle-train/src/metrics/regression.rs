//! How far predicted numbers are from the targets.

use super::exact_sum::ExactSum;
use super::input::{finite, same_shape};
use rekindle_tensor::{Tensor, mistake};

/// The sums of absolute and squared errors, exactly.
#[derive(Clone, Debug, Default)]
pub(super) struct Errors {
    n: u64,
    absolute: ExactSum,
    squared: ExactSum,
    target: ExactSum,
    target_squared: ExactSum,
}

impl Errors {
    #[track_caller]
    pub fn update(&mut self, preds: &Tensor, target: &Tensor) {
        same_shape(preds, target);
        let (preds, target) = (finite("predictions", preds), finite("targets", target));
        self.n += target.len() as u64;
        for (p, t) in preds.into_iter().zip(target) {
            self.absolute.add((t - p).abs());
            self.squared.add((t - p) * (t - p));
            self.target.add(t);
            self.target_squared.add_product(t, t);
        }
    }

    pub fn reset(&mut self) {
        *self = Errors::default();
    }

    pub fn merge(&mut self, other: &Errors) {
        self.n += other.n;
        self.absolute.merge(&other.absolute);
        self.squared.merge(&other.squared);
        self.target.merge(&other.target);
        self.target_squared.merge(&other.target_squared);
    }

    #[track_caller]
    pub fn of(preds: &Tensor, target: &Tensor) -> Errors {
        let mut errors = Errors::default();
        errors.update(preds, target);
        errors
    }

    pub fn mean_absolute(&self) -> f64 {
        self.absolute.value() / self.n as f64
    }

    pub fn mean_squared(&self) -> f64 {
        self.squared.value() / self.n as f64
    }

    pub fn r2(&self) -> f64 {
        let n = self.n as f64;
        if self.n < 2 {
            return f64::NAN;
        }
        // sum (t - mean)^2 = (n sum t^2 - (sum t)^2) / n, of which nothing cancels because the sums are exact.
        let total = self.target_squared.times_minus_square(n, &self.target) / n;
        match (self.squared.value(), total) {
            (0.0, 0.0) => 1.0,
            (_, 0.0) => 0.0,
            (residual, total) => 1.0 - residual / total,
        }
    }
}

/// The mean of `|target - prediction|` over all elements.
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::metrics::mean_absolute_error;
/// assert_eq!(mean_absolute_error(&tensor([1.0, 2.0]), &tensor([1.5, 0.5])), 1.0);
/// ```
///
/// # Panics
/// If the shapes differ or a number is not finite; so do the functions below.
#[track_caller]
pub fn mean_absolute_error(preds: &Tensor, target: &Tensor) -> f64 {
    Errors::of(preds, target).mean_absolute()
}

/// The mean of `(target - prediction)^2` over all elements.
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::metrics::mean_squared_error;
/// assert_eq!(mean_squared_error(&tensor([1.0, 2.0]), &tensor([1.5, 0.5])), 1.25);
/// ```
#[track_caller]
pub fn mean_squared_error(preds: &Tensor, target: &Tensor) -> f64 {
    Errors::of(preds, target).mean_squared()
}

/// The root of the mean squared error over all elements.
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::metrics::root_mean_squared_error;
/// assert_eq!(root_mean_squared_error(&tensor([1.0, 2.0]), &tensor([4.0, 5.0])), 3.0);
/// ```
#[track_caller]
pub fn root_mean_squared_error(preds: &Tensor, target: &Tensor) -> f64 {
    mean_squared_error(preds, target).sqrt()
}

/// The part of the targets' variance that is explained: `1 - sum (t - p)^2 / sum (t - mean t)^2`. As in scikit-learn, it is NaN
/// for fewer than two samples; for constant targets it is 1 if they are all met and else 0.
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::metrics::r2_score;
/// let (preds, target) = (tensor([1.0, 2.0, 4.0]), tensor([1.0, 2.0, 3.0]));
/// assert_eq!(r2_score(&preds, &target), 0.5);
/// ```
///
/// # Panics
/// Also if there are several targets a sample.
#[track_caller]
pub fn r2_score(preds: &Tensor, target: &Tensor) -> f64 {
    one_output(target);
    Errors::of(preds, target).r2()
}

/// R2 of several outputs is the mean of theirs, not the R2 of all elements.
#[track_caller]
pub(super) fn one_output(target: &Tensor) {
    if !super::input::is_column(target) {
        mistake!(
            "r2_score: takes one target a sample, [n] or [n, 1], got {:?}; use .select(1, i)",
            target.shape()
        );
    }
}
