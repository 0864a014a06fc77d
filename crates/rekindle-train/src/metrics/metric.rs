//! Figures as objects that see the data in batches, under torchmetrics' names. They are a table at the end of this file: a line
//! says which state they have and what they ask of it.

use super::average::{Average, ZeroDivision};
use super::calibration::Bins;
use super::confusion_matrix::ConfusionMatrix;
use super::counts::checked_beta;
use super::multi_label::MultiLabelCounts;
use super::probability::Mean;
use super::ranking::Scores;
use super::regression::{Errors, one_output};
use super::top_k::{Hits, checked_k};
use rekindle_tensor::{Tensor, mistake};
use std::any::Any;
use std::fmt;

/// A figure of data that comes in batches.
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::metrics::{Accuracy, Average, Metric, Precision, Task};
///
/// let task = Task::MultiClass(3);
/// let mut metrics: Vec<Box<dyn Metric>> =
///     vec![Box::new(Accuracy::new(task)), Box::new(Precision::new(task, Average::Macro))];
/// for (preds, target) in [(tensor([0, 1]), tensor([0, 2])), (tensor([1, 2]), tensor([1, 2]))] {
///     metrics.iter_mut().for_each(|metric| metric.update(&preds, &target));
/// }
/// let figures: Vec<String> = metrics.iter().map(|m| format!("{} {:.3}", m.name(), m.compute())).collect();
/// assert_eq!(figures, ["accuracy 0.750", "precision_macro 0.833"]);
/// ```
pub trait Metric: Any + Send + fmt::Debug {
    /// What the figure is called, with its average: `precision_macro`.
    fn name(&self) -> String;

    /// Adds samples.
    ///
    /// # Panics
    /// If predictions and targets do not fit; then nothing was added.
    #[track_caller]
    fn update(&mut self, preds: &Tensor, target: &Tensor);

    /// The figure of all samples since the start or the last reset; NaN if there are none.
    fn compute(&self) -> f64;

    /// Forgets all samples.
    fn reset(&mut self);

    /// Adds the samples of another object of the same kind, made with the same options.
    ///
    /// # Panics
    /// If it is of another kind or has other options.
    #[track_caller]
    fn merge(&mut self, other: &dyn Metric);
}

/// What predictions and targets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// Two classes, 0 and 1.
    Binary,
    /// One of so many classes for each sample.
    MultiClass(usize),
    /// So many labels, each yes or no, for each sample.
    MultiLabel(usize),
}

/// The state of figures of decisions.
#[derive(Clone, Debug)]
enum Decisions {
    Classes(ConfusionMatrix),
    Labels(MultiLabelCounts),
}

/// Asks either state; both have methods of the same names.
macro_rules! either {
    ($decisions:expr, $state:ident => $value:expr) => {
        match $decisions {
            Decisions::Classes($state) => $value,
            Decisions::Labels($state) => $value,
        }
    };
}

impl Decisions {
    #[track_caller]
    fn new(task: Task) -> Decisions {
        match task {
            Task::MultiLabel(labels) => Decisions::Labels(MultiLabelCounts::new(labels)),
            _ => Decisions::Classes(classes(task)),
        }
    }

    #[track_caller]
    fn update(&mut self, preds: &Tensor, target: &Tensor) {
        either!(self, state => state.update(preds, target));
    }

    #[track_caller]
    fn merge(&mut self, other: &Decisions) {
        match (self, other) {
            (Decisions::Classes(a), Decisions::Classes(b)) => a.merge(b),
            (Decisions::Labels(a), Decisions::Labels(b)) => a.merge(b),
            _ => mistake!("metrics: cannot merge classes and labels"),
        }
    }

    fn reset(&mut self) {
        either!(self, state => state.reset());
    }
}

/// The matrix of a task that has one class for each sample.
#[track_caller]
fn classes(task: Task) -> ConfusionMatrix {
    match task {
        Task::Binary => ConfusionMatrix::new(2),
        Task::MultiClass(classes) => ConfusionMatrix::new(classes),
        Task::MultiLabel(_) => mistake!("metrics: this figure is not defined for {task:?}"),
    }
}

/// Each entry: the object with its options, its name in print, its state when new, what an update does, the figure.
macro_rules! metrics {
    ($($(#[$doc:meta])* $Metric:ident($($option:ident: $Type:ty),*), $name:literal, $State:ty = $new:expr,
        |$at:ident, $preds:ident, $target:ident| $update:expr, |$of:ident| $figure:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $Metric {
            $($option: $Type,)*
            state: $State,
        }

        impl $Metric {
            /// Of no samples yet.
            ///
            /// # Panics
            /// If the options do not fit one another.
            #[track_caller]
            #[allow(clippy::new_without_default)] // All are made alike, those without options too.
            pub fn new($($option: $Type),*) -> $Metric {
                let metric = $Metric { state: $new, $($option),* };
                metric.compute(); // An average that does not fit the task is a mistake here already.
                metric
            }
        }

        impl Metric for $Metric {
            fn name(&self) -> String {
                let $Metric { $($option,)* state: _ } = self;
                $(let _ = $option;)* // Not every name has every option.
                format!($name)
            }

            #[track_caller]
            fn update(&mut self, $preds: &Tensor, $target: &Tensor) {
                let $at = self;
                $update;
            }

            #[track_caller]
            fn compute(&self) -> f64 {
                let $of = self;
                $figure
            }

            fn reset(&mut self) {
                self.state.reset();
            }

            #[track_caller]
            fn merge(&mut self, other: &dyn Metric) {
                match (other as &dyn Any).downcast_ref::<$Metric>() {
                    Some(other) if self.name() == other.name() => self.state.merge(&other.state),
                    _ => mistake!("metrics: cannot merge {} into {}", other.name(), self.name()),
                }
            }
        }
    )*};
}

#[rustfmt::skip] // One block for each object.
metrics! {
    /// The part of the samples that are right; with several labels a sample, of those that are wholly right. See
    /// [`ConfusionMatrix::accuracy`], [`MultiLabelCounts::accuracy`].
    ///
    /// ```
    /// use rekindle_tensor::tensor;
    /// use rekindle_train::metrics::{Accuracy, Metric, Task};
    /// let mut accuracy = Accuracy::new(Task::Binary);
    /// accuracy.update(&tensor([0.2, 0.7]), &tensor([0, 1]));
    /// accuracy.update(&tensor([0.6, 0.9]), &tensor([0, 1]));
    /// assert_eq!(accuracy.compute(), 0.75);
    /// ```
    Accuracy(task: Task), "accuracy", Decisions = Decisions::new(task),
        |m, preds, target| m.state.update(preds, target), |m| either!(&m.state, s => s.accuracy());
    /// See [`ConfusionMatrix::balanced_accuracy`].
    BalancedAccuracy(task: Task), "balanced_accuracy", ConfusionMatrix = classes(task),
        |m, preds, target| m.state.update(preds, target), |m| m.state.balanced_accuracy();
    /// See [`top_k_accuracy`](super::top_k_accuracy).
    TopKAccuracy(k: usize), "top_{k}_accuracy", Hits = { checked_k(k); Hits::default() },
        |m, preds, target| m.state.update(m.k, preds, target), |m| m.state.value();
    /// See [`ConfusionMatrix::precision`].
    Precision(task: Task, average: Average), "precision_{average}", Decisions = Decisions::new(task),
        |m, preds, target| m.state.update(preds, target), |m| either!(&m.state, s => s.precision(m.average));
    /// See [`ConfusionMatrix::recall`].
    Recall(task: Task, average: Average), "recall_{average}", Decisions = Decisions::new(task),
        |m, preds, target| m.state.update(preds, target), |m| either!(&m.state, s => s.recall(m.average));
    /// See [`ConfusionMatrix::f1_score`].
    F1Score(task: Task, average: Average), "f1_{average}", Decisions = Decisions::new(task),
        |m, preds, target| m.state.update(preds, target), |m| either!(&m.state, s => s.f1_score(m.average));
    /// See [`ConfusionMatrix::fbeta_score`].
    FBetaScore(task: Task, beta: f64, average: Average), "f{beta}_{average}",
        Decisions = { checked_beta(beta); Decisions::new(task) },
        |m, preds, target| m.state.update(preds, target),
        |m| either!(&m.state, s => s.fbeta_score(m.beta, m.average));
    /// See [`ConfusionMatrix::specificity`].
    Specificity(task: Task, average: Average), "specificity_{average}", Decisions = Decisions::new(task),
        |m, preds, target| m.state.update(preds, target), |m| either!(&m.state, s => s.specificity(m.average));
    /// See [`ConfusionMatrix::jaccard_score`].
    JaccardIndex(task: Task, average: Average), "jaccard_{average}", Decisions = Decisions::new(task),
        |m, preds, target| m.state.update(preds, target), |m| either!(&m.state, s => s.jaccard_score(m.average));
    /// See [`ConfusionMatrix::hamming_loss`] and [`MultiLabelCounts::hamming_loss`].
    HammingDistance(task: Task), "hamming_loss", Decisions = Decisions::new(task),
        |m, preds, target| m.state.update(preds, target), |m| either!(&m.state, s => s.hamming_loss());
    /// See [`ConfusionMatrix::cohen_kappa`].
    CohenKappa(task: Task), "cohen_kappa", ConfusionMatrix = classes(task),
        |m, preds, target| m.state.update(preds, target), |m| m.state.cohen_kappa();
    /// See [`ConfusionMatrix::matthews_corrcoef`].
    MatthewsCorrCoef(task: Task), "matthews_corrcoef", ConfusionMatrix = classes(task),
        |m, preds, target| m.state.update(preds, target), |m| m.state.matthews_corrcoef();
    /// See [`roc_auc`](super::roc_auc). It keeps all scores.
    AUROC(task: Task, average: Average), "roc_auc_{average}", Scores = Scores::new(task),
        |m, preds, target| m.state.update(preds, target), |m| m.state.roc_auc(m.average);
    /// See [`average_precision`](super::average_precision). It keeps all scores.
    AveragePrecision(task: Task, average: Average), "average_precision_{average}", Scores = Scores::new(task),
        |m, preds, target| m.state.update(preds, target), |m| m.state.average_precision(m.average);
    /// See [`log_loss`](super::log_loss).
    LogLoss(), "log_loss", Mean = Mean::default(),
        |m, preds, target| m.state.update_log_loss(preds, target), |m| m.state.value();
    /// See [`brier_score`](super::brier_score).
    BrierScore(), "brier_score", Mean = Mean::default(),
        |m, preds, target| m.state.update_brier_score(preds, target), |m| m.state.value();
    /// See [`expected_calibration_error`](super::expected_calibration_error); torchmetrics has 15 bins.
    CalibrationError(bins: usize), "expected_calibration_error", Bins = Bins::new(bins),
        |m, preds, target| m.state.update(preds, target), |m| m.state.error();
    /// See [`mean_absolute_error`](super::mean_absolute_error).
    MeanAbsoluteError(), "mean_absolute_error", Errors = Errors::default(),
        |m, preds, target| m.state.update(preds, target), |m| m.state.mean_absolute();
    /// See [`mean_squared_error`](super::mean_squared_error).
    MeanSquaredError(), "mean_squared_error", Errors = Errors::default(),
        |m, preds, target| m.state.update(preds, target), |m| m.state.mean_squared();
    /// See [`root_mean_squared_error`](super::root_mean_squared_error).
    RootMeanSquaredError(), "root_mean_squared_error", Errors = Errors::default(),
        |m, preds, target| m.state.update(preds, target), |m| m.state.mean_squared().sqrt();
    /// See [`r2_score`](super::r2_score).
    R2Score(), "r2_score", Errors = Errors::default(),
        |m, preds, target| { one_output(target); m.state.update(preds, target) }, |m| m.state.r2();
}

macro_rules! zero_division {
    ($($Metric:ident),*) => {$(
        impl $Metric {
            /// What the figure is where its denominator is zero; see [`ZeroDivision`].
            pub fn zero_division(mut self, value: ZeroDivision) -> $Metric {
                either!(&mut self.state, s => s.set_zero_division(value));
                self
            }
        }
    )*};
}
zero_division!(Precision, Recall, F1Score, FBetaScore, Specificity, JaccardIndex);
