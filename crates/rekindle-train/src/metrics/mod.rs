//! How good a classifier or a regression is: scikit-learn's and torchmetrics' figures, as functions and as
//! objects that see the data in batches.
//!
//! The lecture's `torchmetrics.Accuracy()(y_preds, y_blob_test)`:
//!
//! ```
//! use rekindle_tensor::tensor;
//! use rekindle_train::metrics::{accuracy, classification_report};
//!
//! // [n, classes]
//! let y_preds = tensor([[0.1, 0.7, 0.2], [0.8, 0.1, 0.1], [0.3, 0.3, 0.4], [0.2, 0.5, 0.3]]);
//! let y_blob_test = tensor([1, 0, 2, 0]);
//! println!("{:.4}", accuracy(&y_preds, &y_blob_test)); // 0.7500
//! print!("{}", classification_report(&y_preds, &y_blob_test));
//! # assert_eq!(accuracy(&y_preds, &y_blob_test), 0.75);
//! ```
//!
//! | data | functions | state, seen in batches | objects ([`Metric`]) |
//! |---|---|---|---|
//! | two or more classes | [`accuracy`], [`f1_score`], .. | [`ConfusionMatrix`] | [`Accuracy`], [`F1Score`], .. |
//! | several labels a sample | [`multilabel_counts`] | [`MultiLabelCounts`] | the same, [`Task::MultiLabel`] |
//! | scores to be ranked | [`roc_curve`], [`roc_auc`], .. | [`Scores`] | [`AUROC`], [`AveragePrecision`] |
//! | probabilities | [`log_loss`], [`top_k_accuracy`], .. | the objects | [`LogLoss`], [`TopKAccuracy`], .. |
//! | numbers | [`mean_squared_error`], .. | the objects | [`MeanSquaredError`], [`R2Score`], .. |
//!
//! # What is read
//! Predictions come first, targets second: torchmetrics' order, **not scikit-learn's** `(y_true, y_pred)`. (Swapped, precision and
//! recall are swapped.) Classes are int64 `[n]` (or `[n, 1]`).
//! Predictions may also be scores: probabilities `[n]` or `[n, 1]` of class 1 (above 0.5 is class 1), or
//! `[n, classes]` (the first largest wins). Yes-or-no targets may be bool, or floats that are 0 or 1. Another
//! shape, a label out of range, a score that is NaN or a logit where a probability belongs is a mistake with
//! a message, never a wrong figure.
//!
//! # What is computed
//! Everything is counted in integers, kept row by row, or summed exactly and rounded once, in f64: how the
//! data was cut into batches, in which order they came and how states were merged does not change a bit.
//! Where scikit-learn 1.9 or torchmetrics 1.9 defines a figure, it is theirs to 12 digits. **Of no data at
//! all every figure is NaN** (scikit-learn raises an error).

mod average;
mod calibration;
mod classes;
mod confusion_matrix;
mod counts;
mod exact_sum;
mod input;
mod metric;
mod multi_label;
mod probability;
mod ranking;
mod regression;
mod report;
mod top_k;

pub use average::{Average, ZeroDivision};
pub use calibration::{ReliabilityCurve, expected_calibration_error, reliability_curve};
pub use classes::{
    accuracy, balanced_accuracy, classification_report, cohen_kappa, confusion_matrix, f1_score, fbeta_score,
    hamming_loss, jaccard_score, matthews_corrcoef, precision, recall, specificity,
};
pub use confusion_matrix::{ConfusionMatrix, Normalise};
pub use metric::{
    AUROC, Accuracy, AveragePrecision, BalancedAccuracy, BrierScore, CalibrationError, CohenKappa, F1Score,
    FBetaScore, HammingDistance, JaccardIndex, LogLoss, MatthewsCorrCoef, MeanAbsoluteError,
    MeanSquaredError, Metric, Precision, R2Score, Recall, RootMeanSquaredError, Specificity, Task,
    TopKAccuracy,
};
pub use multi_label::{MultiLabelCounts, multilabel_counts};
pub use probability::{brier_score, log_loss};
pub use ranking::{
    PrecisionRecallCurve, RocCurve, Scores, average_precision, average_precision_per_class,
    precision_recall_curve, roc_auc, roc_auc_per_class, roc_curve,
};
pub use regression::{mean_absolute_error, mean_squared_error, r2_score, root_mean_squared_error};
pub(crate) use report::display_width;
pub use report::{ClassificationReport, ReportRow};
pub use top_k::top_k_accuracy;
