//! Precision, recall and their relatives, and how they are averaged: the one place for classes and labels alike.
//!
//! For a class (or label) `tp`, `fp`, `fn`, `tn` count the samples that are rightly or wrongly predicted to have or not to have
//! it. Source of the averages: `precision_recall_fscore_support` of scikit-learn.

use super::average::{Average, ZeroDivision, nan_average};
use rekindle_tensor::mistake;

/// How often a class was right and wrong, present and absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Counts {
    pub tp: u64,
    pub fp: u64,
    pub fn_: u64,
    pub tn: u64,
}

impl Counts {
    /// How often the class is the target.
    pub fn support(&self) -> u64 {
        self.tp + self.fn_
    }

    fn predicted(&self) -> u64 {
        self.tp + self.fp
    }

    /// Counts one decision.
    pub fn add(&mut self, predicted: bool, actual: bool) {
        let count = match (predicted, actual) {
            (true, true) => &mut self.tp,
            (true, false) => &mut self.fp,
            (false, true) => &mut self.fn_,
            (false, false) => &mut self.tn,
        };
        *count += 1;
    }

    pub fn plus(self, other: &Counts) -> Counts {
        let (tp, fp) = (self.tp + other.tp, self.fp + other.fp);
        Counts { tp, fp, fn_: self.fn_ + other.fn_, tn: self.tn + other.tn }
    }
}

/// A figure as numerator and denominator.
#[derive(Clone, Copy)]
pub(super) enum Ratio {
    Precision,
    Recall,
    FBeta(f64),
    Specificity,
    Jaccard,
}

impl Ratio {
    fn of(self, c: &Counts) -> (f64, f64) {
        let (tp, predicted, support) = (c.tp as f64, c.predicted() as f64, c.support() as f64);
        match self {
            Ratio::Precision => (tp, predicted),
            Ratio::Recall => (tp, support),
            Ratio::FBeta(f64::INFINITY) => (tp, support),
            Ratio::FBeta(beta) => ((1.0 + beta * beta) * tp, beta * beta * support + predicted),
            Ratio::Specificity => (c.tn as f64, (c.tn + c.fp) as f64),
            Ratio::Jaccard => (tp, (c.tp + c.fp + c.fn_) as f64),
        }
    }
}

/// The counts of all classes, and what averages need to know of them.
pub(super) struct Tally {
    pub classes: Vec<Counts>,
    /// The classes that a macro average has.
    pub in_macro: Vec<bool>,
    /// The counts of each sample's labels, with how many samples have them; none where a sample has one class.
    pub samples: Option<Vec<(Counts, u64)>>,
    pub zero_division: ZeroDivision,
}

impl Tally {
    /// The figure of each class; NaN if there were no samples.
    pub fn per_class(&self, ratio: Ratio) -> Vec<f64> {
        self.classes.iter().map(|c| self.figure(ratio, c)).collect()
    }

    /// The figure of some counts. What no sample was seen of is not a division by zero but unknown.
    pub fn figure(&self, ratio: Ratio, counts: &Counts) -> f64 {
        match ratio.of(counts) {
            _ if *counts == Counts::default() => f64::NAN,
            (_, 0.0) => self.zero_division.value(),
            (numerator, denominator) => numerator / denominator,
        }
    }

    /// The averaged figure.
    #[track_caller]
    pub fn averaged(&self, ratio: Ratio, average: Average) -> f64 {
        let per_class = || self.classes.iter().map(|c| (self.figure(ratio, c), c));
        match average {
            Average::Binary => {
                if self.classes.len() != 2 || self.samples.is_some() {
                    let n = self.classes.len();
                    mistake!("metrics: Average::Binary is for two classes, not {n}; use Average::Macro?");
                }
                self.figure(ratio, &self.classes[1])
            }
            Average::Micro => {
                self.figure(ratio, &self.classes.iter().fold(Counts::default(), |sum, c| sum.plus(c)))
            }
            Average::Macro => nan_average(
                per_class().zip(&self.in_macro).filter(|(_, in_it)| **in_it).map(|((f, _), _)| (f, 1)),
            ),
            Average::Weighted => nan_average(per_class().map(|(figure, c)| (figure, c.support()))),
            Average::Samples => match &self.samples {
                Some(samples) => nan_average(samples.iter().map(|(c, n)| (self.figure(ratio, c), *n))),
                None => {
                    mistake!("metrics: Average::Samples is for several labels a sample; use Average::Macro?")
                }
            },
        }
    }
}

/// The figures that follow from a `tally()`, as methods.
macro_rules! figures {
    ($State:ty) => {
        impl $State {
            /// Of the samples that are predicted to be of a class, the part that are: `tp / (tp + fp)`.
            ///
            /// # Panics
            /// If the average does not fit the data, see [`Average`]; so do the figures below.
            #[track_caller]
            pub fn precision(&self, average: Average) -> f64 {
                self.tally().averaged(Ratio::Precision, average)
            }

            /// Of the samples of a class, the part that is predicted to be: `tp / (tp + fn)`.
            #[track_caller]
            pub fn recall(&self, average: Average) -> f64 {
                self.tally().averaged(Ratio::Recall, average)
            }

            /// The harmonic mean of precision and recall: `2 tp / (2 tp + fp + fn)`.
            #[track_caller]
            pub fn f1_score(&self, average: Average) -> f64 {
                self.fbeta_score(1.0, average)
            }

            /// The weighted harmonic mean of precision and recall, `(1 + b^2) tp / ((1 + b^2) tp + b^2 fn + fp)`: a
            /// larger `beta` weights recall more.
            ///
            /// # Panics
            /// Also if `beta` is negative or NaN.
            #[track_caller]
            pub fn fbeta_score(&self, beta: f64, average: Average) -> f64 {
                self.tally().averaged(Ratio::FBeta(checked_beta(beta)), average)
            }

            /// Of the samples that are not of a class, the part that are predicted not to be: `tn / (tn + fp)`.
            #[track_caller]
            pub fn specificity(&self, average: Average) -> f64 {
                self.tally().averaged(Ratio::Specificity, average)
            }

            /// Intersection over union of targets and predictions: `tp / (tp + fp + fn)`.
            #[track_caller]
            pub fn jaccard_score(&self, average: Average) -> f64 {
                self.tally().averaged(Ratio::Jaccard, average)
            }

            /// The precision of each class.
            pub fn precision_per_class(&self) -> Vec<f64> {
                self.tally().per_class(Ratio::Precision)
            }

            /// The recall of each class.
            pub fn recall_per_class(&self) -> Vec<f64> {
                self.tally().per_class(Ratio::Recall)
            }

            /// The F1 score of each class.
            pub fn f1_score_per_class(&self) -> Vec<f64> {
                self.tally().per_class(Ratio::FBeta(1.0))
            }

            /// The F-beta score of each class.
            ///
            /// # Panics
            /// If `beta` is negative or NaN.
            #[track_caller]
            pub fn fbeta_score_per_class(&self, beta: f64) -> Vec<f64> {
                self.tally().per_class(Ratio::FBeta(checked_beta(beta)))
            }

            /// The specificity of each class.
            pub fn specificity_per_class(&self) -> Vec<f64> {
                self.tally().per_class(Ratio::Specificity)
            }

            /// The Jaccard score of each class.
            pub fn jaccard_score_per_class(&self) -> Vec<f64> {
                self.tally().per_class(Ratio::Jaccard)
            }

            /// How many samples have each class as their target.
            pub fn support(&self) -> Vec<u64> {
                self.tally().classes.iter().map(Counts::support).collect()
            }

            /// What a figure is whose denominator is zero; see [`ZeroDivision`].
            pub fn zero_division(mut self, value: ZeroDivision) -> Self {
                self.set_zero_division(value);
                self
            }
        }
    };
}
pub(super) use figures;

/// Refuses a `beta` that weights nothing.
#[track_caller]
pub(super) fn checked_beta(beta: f64) -> f64 {
    if beta.is_nan() || beta < 0.0 {
        mistake!("metrics: beta must not be negative, got {beta}");
    }
    beta
}
