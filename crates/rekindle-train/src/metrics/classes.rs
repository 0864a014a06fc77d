//! The figures of decided classes as functions: each counts a [`ConfusionMatrix`] and asks it.
//!
//! Predictions are classes int64 `[n]`, scores `[n, classes]`, or probabilities of class 1 `[n]` or `[n, 1]`; targets are
//! classes `[n]`. Whoever wants several figures of the same data asks one matrix for them.

use super::average::Average;
use super::confusion_matrix::ConfusionMatrix;
use super::report::ClassificationReport;
use rekindle_tensor::Tensor;

/// Counts how often each class is taken for each. Scores tell the number of classes by their shape; classes by the largest among
/// them (and there are at least two); [`ConfusionMatrix::new`] is told.
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::metrics::confusion_matrix;
/// let matrix = confusion_matrix(&tensor([0, 1, 1, 0]), &tensor([0, 1, 0, 0]));
/// println!("{matrix}");
/// assert_eq!(matrix.counts(), [[2, 1], [0, 1]]);
/// ```
///
/// # Panics
/// If shapes or labels do not fit; so do all functions here.
#[track_caller]
pub fn confusion_matrix(preds: &Tensor, target: &Tensor) -> ConfusionMatrix {
    ConfusionMatrix::of(preds, target)
}

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident($($option:ident: $Type:ty),*);)*) => {$(
        $(#[$doc])*
        #[track_caller]
        pub fn $name(preds: &Tensor, target: &Tensor, $($option: $Type),*) -> f64 {
            ConfusionMatrix::of(preds, target).$name($($option),*)
        }
    )*};
}

functions! {
    /// The part of the samples whose class is predicted. See [`ConfusionMatrix::accuracy`].
    ///
    /// ```
    /// use rekindle_tensor::tensor;
    /// use rekindle_train::metrics::accuracy;
    /// // Four probabilities of class 1, as a sigmoid gives them.
    /// let (y_preds, y) = (tensor([[0.9], [0.2], [0.6], [0.3]]), tensor([[1.0], [0.0], [0.0], [0.0]]));
    /// assert_eq!(accuracy(&y_preds, &y), 0.75);
    /// ```
    accuracy();
    /// The mean of the recalls of the classes. See [`ConfusionMatrix::balanced_accuracy`].
    ///
    /// ```
    /// use rekindle_tensor::tensor;
    /// use rekindle_train::metrics::balanced_accuracy;
    /// // Always 0 is right three times of four, but for one class of two.
    /// assert_eq!(balanced_accuracy(&tensor([0, 0, 0, 0]), &tensor([0, 0, 0, 1])), 0.5);
    /// ```
    balanced_accuracy();
    /// Of the samples predicted to be of a class, the part that are. See [`ConfusionMatrix::precision`].
    ///
    /// ```
    /// use rekindle_tensor::tensor;
    /// use rekindle_train::metrics::{Average, precision};
    /// assert_eq!(precision(&tensor([1, 1, 0, 1]), &tensor([1, 0, 0, 1]), Average::Binary), 2.0 / 3.0);
    /// ```
    precision(average: Average);
    /// Of the samples of a class, the part that is predicted to be. See [`ConfusionMatrix::recall`].
    ///
    /// ```
    /// use rekindle_tensor::tensor;
    /// use rekindle_train::metrics::{Average, recall};
    /// assert_eq!(recall(&tensor([1, 0, 0, 1]), &tensor([1, 1, 1, 1]), Average::Binary), 0.5);
    /// ```
    recall(average: Average);
    /// The harmonic mean of precision and recall. See [`ConfusionMatrix::f1_score`].
    ///
    /// ```
    /// use rekindle_tensor::tensor;
    /// use rekindle_train::metrics::{Average, f1_score};
    /// assert_eq!(f1_score(&tensor([0, 1, 2]), &tensor([0, 1, 1]), Average::Micro), 2.0 / 3.0);
    /// ```
    f1_score(average: Average);
    /// Precision and recall, recall weighted by `beta`. See [`ConfusionMatrix::fbeta_score`].
    ///
    /// ```
    /// use rekindle_tensor::tensor;
    /// use rekindle_train::metrics::{Average, fbeta_score};
    /// assert_eq!(fbeta_score(&tensor([1, 0, 0, 1]), &tensor([1, 1, 1, 1]), 2.0, Average::Binary), 10.0 / 18.0);
    /// ```
    fbeta_score(beta: f64, average: Average);
    /// Of the samples that are not of a class, the part that are predicted not to be. See [`ConfusionMatrix::specificity`].
    ///
    /// ```
    /// use rekindle_tensor::tensor;
    /// use rekindle_train::metrics::{Average, specificity};
    /// assert_eq!(specificity(&tensor([1, 0, 0, 1]), &tensor([1, 0, 0, 0]), Average::Binary), 2.0 / 3.0);
    /// ```
    specificity(average: Average);
    /// Intersection over union of targets and predictions. See [`ConfusionMatrix::jaccard_score`].
    ///
    /// ```
    /// use rekindle_tensor::tensor;
    /// use rekindle_train::metrics::{Average, jaccard_score};
    /// assert_eq!(jaccard_score(&tensor([1, 1, 0, 1]), &tensor([1, 0, 0, 1]), Average::Binary), 2.0 / 3.0);
    /// ```
    jaccard_score(average: Average);
    /// The part of the samples whose class is not predicted. See [`ConfusionMatrix::hamming_loss`].
    ///
    /// ```
    /// use rekindle_tensor::tensor;
    /// use rekindle_train::metrics::hamming_loss;
    /// assert_eq!(hamming_loss(&tensor([1, 1, 0, 1]), &tensor([1, 0, 0, 1])), 0.25);
    /// ```
    hamming_loss();
    /// Agreement beyond chance. See [`ConfusionMatrix::cohen_kappa`].
    ///
    /// ```
    /// use rekindle_tensor::tensor;
    /// use rekindle_train::metrics::cohen_kappa;
    /// assert_eq!(cohen_kappa(&tensor([1, 1, 0, 1]), &tensor([1, 0, 0, 1])), 0.5);
    /// ```
    cohen_kappa();
    /// Matthews' correlation coefficient. See [`ConfusionMatrix::matthews_corrcoef`].
    ///
    /// ```
    /// use rekindle_tensor::tensor;
    /// use rekindle_train::metrics::matthews_corrcoef;
    /// assert_eq!(matthews_corrcoef(&tensor([1, 1, 0, 0]), &tensor([0, 0, 1, 1])), -1.0);
    /// ```
    matthews_corrcoef();
}

/// scikit-learn's report with numbers for names and two digits; change both with its methods. See
/// [`ConfusionMatrix::report`].
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::metrics::classification_report;
/// let report = classification_report(&tensor([0, 1, 1, 1]), &tensor([0, 0, 1, 1]));
/// print!("{}", report.clone().class_names(&["cat", "dog"]).digits(4));
/// assert_eq!((report.accuracy, report.classes[0].recall), (Some(0.75), 0.5));
/// ```
#[track_caller]
pub fn classification_report(preds: &Tensor, target: &Tensor) -> ClassificationReport {
    ClassificationReport::of(&ConfusionMatrix::of(preds, target).tally())
}
