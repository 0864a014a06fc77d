//! Several yes-or-no labels a sample.

use super::average::{Average, ZeroDivision};
use super::counts::{Counts, Ratio, Tally, checked_beta, figures};
use super::input::{bits, probabilities, same_shape};
use super::report::ClassificationReport;
use rekindle_tensor::{Tensor, mistake};
use std::collections::BTreeMap;

/// How often each label was rightly and wrongly predicted, where a sample may have several labels or none.
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::metrics::{Average, MultiLabelCounts};
///
/// let mut counts = MultiLabelCounts::new(3);
/// counts.update(&tensor([[0.9, 0.2, 0.7], [0.1, 0.8, 0.6]]), &tensor([[1, 0, 1], [0, 1, 0]]));
/// assert_eq!(counts.accuracy(), 0.5); // One row is wholly right,
/// assert_eq!(counts.hamming_loss(), 1.0 / 6.0); // and one label of six is wrong.
/// assert_eq!(counts.precision_per_class(), [1.0, 1.0, 0.5]);
/// assert_eq!(counts.precision(Average::Samples), 0.75);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiLabelCounts {
    labels: Vec<Counts>,
    /// How many samples have which counts over their labels: averages over samples follow from integers.
    samples: BTreeMap<Counts, u64>,
    zero_division: ZeroDivision,
}

/// Counts the labels of samples; see [`MultiLabelCounts::update`].
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::metrics::{Average, multilabel_counts};
/// let (preds, target) = (tensor([[0.9, 0.2], [0.1, 0.8]]), tensor([[1, 0], [1, 1]]));
/// assert_eq!(multilabel_counts(&preds, &target).recall(Average::Macro), 0.75);
/// ```
#[track_caller]
pub fn multilabel_counts(preds: &Tensor, target: &Tensor) -> MultiLabelCounts {
    if target.dim() != 2 {
        mistake!("multilabel_counts: the targets must have shape [n, labels], got {:?}", target.shape());
    }
    let mut counts = MultiLabelCounts::new(target.shape()[1]);
    counts.update(preds, target);
    counts
}

impl MultiLabelCounts {
    /// Counts of nothing.
    ///
    /// # Panics
    /// If there is no label.
    #[track_caller]
    pub fn new(labels: usize) -> MultiLabelCounts {
        if labels == 0 {
            mistake!("multilabel_counts: needs at least one label, got 0");
        }
        let (labels, samples) = (vec![Counts::default(); labels], BTreeMap::new());
        MultiLabelCounts { labels, samples, zero_division: ZeroDivision::Zero }
    }

    pub(super) fn set_zero_division(&mut self, value: ZeroDivision) {
        self.zero_division = value;
    }

    /// Counts samples: predictions `[n, labels]` are probabilities (above 0.5 is yes), or 0 and 1 in int64 or bool; targets of the
    /// same shape are 0 and 1 in any type.
    ///
    /// # Panics
    /// If shapes or values do not fit; then nothing was counted.
    #[track_caller]
    pub fn update(&mut self, preds: &Tensor, target: &Tensor) {
        let labels = self.labels.len();
        same_shape(preds, target);
        if preds.dim() != 2 || preds.shape()[1] != labels {
            mistake!("multilabel_counts: shape {:?} is not [n, {labels}]", preds.shape());
        }
        let predicted = if preds.dtype().is_float() {
            probabilities("predictions", preds).iter().map(|&p| p > 0.5).collect()
        } else {
            bits("predictions", preds)
        };
        let actual = bits("targets", target);
        for (predicted, actual) in predicted.chunks_exact(labels).zip(actual.chunks_exact(labels)) {
            let mut sample = Counts::default();
            for (label, (&p, &a)) in self.labels.iter_mut().zip(predicted.iter().zip(actual)) {
                label.add(p, a);
                sample.add(p, a);
            }
            *self.samples.entry(sample).or_default() += 1;
        }
    }

    /// Adds what another has counted.
    ///
    /// # Panics
    /// If the numbers of labels differ.
    #[track_caller]
    pub fn merge(&mut self, other: &MultiLabelCounts) {
        if self.labels.len() != other.labels.len() {
            let (own, others) = (self.labels.len(), other.labels.len());
            mistake!("multilabel_counts: cannot merge {others} labels into {own}");
        }
        self.labels.iter_mut().zip(&other.labels).for_each(|(a, b)| *a = a.plus(b));
        other.samples.iter().for_each(|(counts, n)| *self.samples.entry(*counts).or_default() += n);
    }

    /// Forgets what was counted.
    pub fn reset(&mut self) {
        self.labels.fill(Counts::default());
        self.samples.clear();
    }

    /// The number of labels.
    pub fn labels(&self) -> usize {
        self.labels.len()
    }

    /// The number of samples that were counted.
    pub fn samples(&self) -> u64 {
        self.samples.values().sum()
    }

    /// A matrix for each label, `[[tn, fp], [fn, tp]]`; scikit-learn's `multilabel_confusion_matrix`.
    pub fn counts(&self) -> Vec<[[u64; 2]; 2]> {
        self.labels.iter().map(|c| [[c.tn, c.fp], [c.fn_, c.tp]]).collect()
    }

    pub(super) fn tally(&self) -> Tally {
        Tally {
            classes: self.labels.clone(),
            in_macro: vec![true; self.labels.len()],
            samples: Some(self.samples.iter().map(|(counts, n)| (*counts, *n)).collect()),
            zero_division: self.zero_division,
        }
    }

    /// The part of the samples whose labels are all right: scikit-learn's `accuracy_score`, torchmetrics' `ExactMatch`. (The part
    /// of the labels that are right is `1 - hamming_loss()`.)
    pub fn accuracy(&self) -> f64 {
        let right = self.samples.iter().filter(|(c, _)| c.fp + c.fn_ == 0).map(|(_, n)| n).sum::<u64>();
        right as f64 / self.samples() as f64
    }

    /// The part of all labels of all samples that are wrong.
    pub fn hamming_loss(&self) -> f64 {
        let wrong = self.labels.iter().map(|c| c.fp + c.fn_).sum::<u64>();
        wrong as f64 / (self.samples() * self.labels.len() as u64) as f64
    }

    /// scikit-learn's `classification_report` of several labels a sample; without names (an empty list) the labels are called
    /// by their numbers.
    ///
    /// # Panics
    /// If there are names, but not one for each label.
    #[track_caller]
    pub fn report(&self, label_names: &[impl AsRef<str>], digits: usize) -> ClassificationReport {
        ClassificationReport::of(&self.tally()).class_names(label_names).digits(digits)
    }
}

figures!(MultiLabelCounts);
