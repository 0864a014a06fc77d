//! How the figures of several classes become one, and what a division by zero gives.

use std::fmt;

/// How the figures of the classes (or labels) become one number; scikit-learn's `average`. The figures of each class are in the
/// methods that end in `_per_class`.
///
/// | | |
/// |---|---|
/// | `Binary` | the figure of class 1, of two |
/// | `Micro` | the figure of the sums of all classes' counts |
/// | `Macro` | the mean of the classes' figures |
/// | `Weighted` | the mean of the classes' figures, weighted by how often each class is the target |
/// | `Samples` | the mean of the figures of each sample's labels; only for several labels a sample |
///
/// ```
/// use rekindle_train::metrics::Average;
/// assert_eq!(format!("precision_{}", Average::Macro), "precision_macro");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Average {
    /// The figure of class 1, of two classes.
    Binary,
    /// The figure of the sums of all classes' counts.
    Micro,
    /// The mean of the classes' figures. Classes that are neither target nor prediction of any sample are left out.
    Macro,
    /// The mean of the classes' figures, weighted by the number of their targets.
    Weighted,
    /// The mean over the samples; for several labels a sample.
    Samples,
}

impl fmt::Display for Average {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Average::Binary => "binary",
            Average::Micro => "micro",
            Average::Macro => "macro",
            Average::Weighted => "weighted",
            Average::Samples => "samples",
        })
    }
}

/// What a figure is whose denominator is zero, such as the precision of a class that was never predicted; scikit-learn's
/// `zero_division`. A figure that is NaN is left out of macro, weighted and samples averages.
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::metrics::{ZeroDivision, confusion_matrix};
/// let matrix = confusion_matrix(&tensor([0, 0, 0]), &tensor([0, 0, 1])); // Nobody predicted class 1.
/// assert_eq!(matrix.precision_per_class()[1], 0.0);
/// assert!(matrix.zero_division(ZeroDivision::NaN).precision_per_class()[1].is_nan());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ZeroDivision {
    /// 0, scikit-learn's default.
    #[default]
    Zero,
    /// 1.
    One,
    /// Not a number.
    NaN,
}

impl ZeroDivision {
    /// The value that stands for `0 / 0`.
    pub fn value(self) -> f64 {
        match self {
            ZeroDivision::Zero => 0.0,
            ZeroDivision::One => 1.0,
            ZeroDivision::NaN => f64::NAN,
        }
    }
}

/// The weighted mean of the figures that are not NaN; their plain mean if all of their weights are zero. NaN if there are
/// none. (scikit-learn's `_nanaverage`.)
pub(super) fn nan_average(figures: impl Iterator<Item = (f64, u64)>) -> f64 {
    let kept: Vec<(f64, u64)> = figures.filter(|(figure, _)| !figure.is_nan()).collect();
    let total: u64 = kept.iter().map(|(_, weight)| weight).sum();
    if total == 0 {
        return kept.iter().map(|(figure, _)| figure).sum::<f64>() / kept.len() as f64;
    }
    kept.iter().map(|&(figure, weight)| figure * weight as f64).sum::<f64>() / total as f64
}
