//! The confusion matrix: what every figure of decided classes is computed from.

use super::average::{Average, ZeroDivision};
use super::counts::{Counts, Ratio, Tally, checked_beta, figures};
use super::input::{Pairs, in_range, pairs};
use super::report::ClassificationReport;
use rekindle_tensor::{Tensor, mistake};
use std::fmt;

/// How often each class was taken for each: rows are the actual classes, columns the predicted ones.
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::metrics::{Average, ConfusionMatrix};
///
/// let mut matrix = ConfusionMatrix::new(3);
/// matrix.update(&tensor([0, 1, 2]), &tensor([0, 1, 1]));
/// matrix.update(&tensor([[0.2, 0.3, 0.5]]), &tensor([2])); // Scores decide for the largest.
/// assert_eq!(matrix.to_string(), "[[1 0 0]\n [0 1 1]\n [0 0 1]]");
/// assert_eq!((matrix.accuracy(), matrix.precision(Average::Micro)), (0.75, 0.75));
/// assert_eq!(matrix.recall_per_class(), [1.0, 0.5, 1.0]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    /// Row-major, [actual, predicted].
    counts: Vec<u64>,
    zero_division: ZeroDivision,
    all_classes: bool,
}

/// By what the counts of a confusion matrix are divided; scikit-learn's `normalize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Normalise {
    /// By the number of samples of the actual class: rows sum to 1.
    True,
    /// By the number of samples that were predicted to be of the class: columns sum to 1.
    Pred,
    /// By the number of all samples.
    All,
}

/// A matrix of more classes takes more than 2 GiB.
const MOST_CLASSES: usize = 1 << 14;

impl ConfusionMatrix {
    /// A matrix that has counted nothing.
    ///
    /// # Panics
    /// If there are fewer than 2 or more than 16384 classes.
    #[track_caller]
    pub fn new(classes: usize) -> ConfusionMatrix {
        if !(2..=MOST_CLASSES).contains(&classes) {
            mistake!(
                "confusion_matrix: needs 2 to {MOST_CLASSES} classes, got {classes}; for regression see r2_score"
            );
        }
        let counts = vec![0; classes * classes];
        ConfusionMatrix { classes, counts, zero_division: ZeroDivision::Zero, all_classes: false }
    }

    /// Whether macro averages and the report have all classes, also those that are neither target nor prediction of any
    /// sample: scikit-learn's figures for `labels=range(classes)`. Without this they have the classes that were seen.
    ///
    /// ```
    /// use rekindle_tensor::tensor;
    /// use rekindle_train::metrics::{Average, ConfusionMatrix};
    /// let mut matrix = ConfusionMatrix::new(3);
    /// matrix.update(&tensor([0, 1]), &tensor([0, 1])); // Class 2 was not seen.
    /// assert_eq!(matrix.recall(Average::Macro), 1.0);
    /// assert_eq!(matrix.all_classes(true).recall(Average::Macro), 2.0 / 3.0);
    /// ```
    pub fn all_classes(mut self, on: bool) -> ConfusionMatrix {
        self.all_classes = on;
        self
    }

    pub(super) fn set_zero_division(&mut self, value: ZeroDivision) {
        self.zero_division = value;
    }

    /// Counts samples: predictions are classes int64 `[n]`, scores `[n, classes]`, or, with two classes, probabilities `[n]`
    /// or `[n, 1]`; targets are classes `[n]`.
    ///
    /// # Panics
    /// If shapes, numbers of classes or labels do not fit; then nothing was counted.
    #[track_caller]
    pub fn update(&mut self, preds: &Tensor, target: &Tensor) {
        let pairs = pairs(preds, target);
        if let Some(classes) = pairs.classes.filter(|c| *c != self.classes) {
            let (shape, own) = (preds.shape(), self.classes);
            mistake!(
                "confusion_matrix: scores of shape {shape:?} are of {classes} classes, the matrix has {own}"
            );
        }
        in_range("predictions", &pairs.predicted, self.classes);
        in_range("targets", &pairs.actual, self.classes);
        self.count(&pairs);
    }

    fn count(&mut self, pairs: &Pairs) {
        for (predicted, actual) in pairs.predicted.iter().zip(&pairs.actual) {
            self.counts[actual * self.classes + predicted] += 1;
        }
    }

    /// The matrix of samples whose number of classes they tell themselves.
    #[track_caller]
    pub(super) fn of(preds: &Tensor, target: &Tensor) -> ConfusionMatrix {
        let pairs = pairs(preds, target);
        let mut matrix = ConfusionMatrix::new(pairs.classes_needed());
        matrix.count(&pairs);
        matrix
    }

    /// Adds what another matrix has counted.
    ///
    /// # Panics
    /// If the numbers of classes differ.
    #[track_caller]
    pub fn merge(&mut self, other: &ConfusionMatrix) {
        if self.classes != other.classes {
            mistake!("confusion_matrix: cannot merge {} classes into {}", other.classes, self.classes);
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
    }

    /// Forgets what was counted.
    pub fn reset(&mut self) {
        self.counts.fill(0);
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The number of samples that were counted.
    pub fn samples(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The counts: `counts()[actual][predicted]`.
    pub fn counts(&self) -> Vec<Vec<u64>> {
        self.counts.chunks_exact(self.classes).map(<[u64]>::to_vec).collect()
    }

    /// The counts divided by what `by` names; 0 where that is 0, as in scikit-learn.
    ///
    /// ```
    /// use rekindle_tensor::tensor;
    /// use rekindle_train::metrics::{Normalise, confusion_matrix};
    /// let matrix = confusion_matrix(&tensor([0, 1, 1, 1]), &tensor([0, 0, 1, 1]));
    /// assert_eq!(matrix.normalised(Normalise::True), [[0.5, 0.5], [0.0, 1.0]]);
    /// ```
    pub fn normalised(&self, by: Normalise) -> Vec<Vec<f64>> {
        let (rows, columns, all) = (self.row_sums(), self.column_sums(), self.samples());
        let total = |actual: usize, predicted: usize| match by {
            Normalise::True => rows[actual],
            Normalise::Pred => columns[predicted],
            Normalise::All => all,
        };
        let part = |a: usize, p: usize| self.at(a, p) as f64 / total(a, p).max(1) as f64;
        (0..self.classes).map(|a| (0..self.classes).map(|p| part(a, p)).collect()).collect()
    }

    fn at(&self, actual: usize, predicted: usize) -> u64 {
        self.counts[actual * self.classes + predicted]
    }

    fn row_sums(&self) -> Vec<u64> {
        self.counts.chunks_exact(self.classes).map(|row| row.iter().sum()).collect()
    }

    fn column_sums(&self) -> Vec<u64> {
        let column = |p: usize| self.counts[p..].iter().step_by(self.classes).sum();
        (0..self.classes).map(column).collect()
    }

    fn right(&self) -> u64 {
        self.counts.iter().step_by(self.classes + 1).sum()
    }

    /// The counts of each class against all others.
    pub(super) fn tally(&self) -> Tally {
        let all = self.samples();
        let sums = self.row_sums().into_iter().zip(self.column_sums());
        let counts = sums.enumerate().map(|(c, (support, predicted))| {
            let tp = self.at(c, c);
            Counts { tp, fp: predicted - tp, fn_: support - tp, tn: all + tp - support - predicted }
        });
        let classes: Vec<Counts> = counts.collect();
        let in_macro = classes.iter().map(|c| self.all_classes || c.tp + c.fp + c.fn_ > 0).collect();
        Tally { classes, in_macro, samples: None, zero_division: self.zero_division }
    }

    /// The part of the samples whose class was predicted.
    pub fn accuracy(&self) -> f64 {
        self.right() as f64 / self.samples() as f64
    }

    /// The mean of the recalls of the classes that have targets, so that each class counts alike.
    pub fn balanced_accuracy(&self) -> f64 {
        let tally = self.tally();
        let recalls = tally.per_class(Ratio::Recall).into_iter().zip(&tally.classes);
        super::average::nan_average(recalls.filter(|(_, c)| c.support() > 0).map(|(recall, _)| (recall, 1)))
    }

    /// The part of the samples whose class was not predicted.
    pub fn hamming_loss(&self) -> f64 {
        (self.samples() - self.right()) as f64 / self.samples() as f64
    }

    /// Cohen's kappa, agreement beyond what chance would give: `1 - (1 - p_o) / (1 - p_e)` with the observed and the expected
    /// agreement. NaN if targets and predictions are all of one class, as in scikit-learn.
    pub fn cohen_kappa(&self) -> f64 {
        let n = self.samples() as i128;
        let disagreed = n - self.right() as i128;
        1.0 - (disagreed * n) as f64 / (n * n - dot(&self.row_sums(), &self.column_sums())) as f64
    }

    /// Matthews' correlation coefficient of several classes: the covariance of predictions and targets over the root of the
    /// product of their variances. 0 if one of them is constant, as in scikit-learn.
    pub fn matthews_corrcoef(&self) -> f64 {
        let (actual, predicted, n) = (self.row_sums(), self.column_sums(), self.samples() as i128);
        if n == 0 {
            return f64::NAN;
        }
        let covariance = self.right() as i128 * n - dot(&actual, &predicted);
        let variances = [&actual, &predicted].map(|sums| (n * n - dot(sums, sums)) as f64);
        let product = variances[0] * variances[1];
        if product == 0.0 { 0.0 } else { covariance as f64 / product.sqrt() }
    }

    /// scikit-learn's `classification_report`: precision, recall, F1 and support of each class and their averages. The
    /// classes without a name (if `class_names` is empty) are called by their numbers.
    ///
    /// ```
    /// use rekindle_tensor::tensor;
    /// use rekindle_train::metrics::confusion_matrix;
    /// let matrix = confusion_matrix(&tensor([0, 1, 1, 1]), &tensor([0, 0, 1, 1]));
    /// assert_eq!(matrix.report(&["cat", "dog"], 2).to_string(), "
    ///               precision    recall  f1-score   support
    ///
    ///          cat       1.00      0.50      0.67         2
    ///          dog       0.67      1.00      0.80         2
    ///
    ///     accuracy                           0.75         4
    ///    macro avg       0.83      0.75      0.73         4
    /// weighted avg       0.83      0.75      0.73         4
    /// "[1..]);
    /// ```
    ///
    /// # Panics
    /// If there are names, but not one for each class.
    #[track_caller]
    pub fn report(&self, class_names: &[impl AsRef<str>], digits: usize) -> ClassificationReport {
        ClassificationReport::of(&self.tally()).class_names(class_names).digits(digits)
    }
}

figures!(ConfusionMatrix);

/// The sum of products, which integers hold exactly: counts are below 2^63.
fn dot(a: &[u64], b: &[u64]) -> i128 {
    a.iter().zip(b).map(|(&a, &b)| a as i128 * b as i128).sum()
}

/// As NumPy prints it.
impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.counts.iter().max().map_or(1, |most| most.to_string().len());
        for (i, row) in self.counts.chunks_exact(self.classes).enumerate() {
            let numbers: Vec<String> = row.iter().map(|n| format!("{n:>width$}")).collect();
            let (open, close) =
                (if i == 0 { "[[" } else { "\n [" }, if i + 1 == self.classes { "]]" } else { "]" });
            write!(f, "{open}{}{close}", numbers.join(" "))?;
        }
        Ok(())
    }
}
