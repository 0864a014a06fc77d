//! Whether probabilities mean what they say: of the samples predicted with confidence 0.8, are 80 % right?
//!
//! A confidence lies in bin `i` if it is from `i / bins` up to, but not including, `(i + 1) / bins`; the confidence 1 is counted
//! for itself, as in torchmetrics. Source: Guo et al., "On Calibration of Modern Neural Networks" (2017).

use super::exact_sum::ExactSum;
use super::input::{argmax, is_column};
use super::probability::Forecasts;
use rekindle_tensor::{DType, Tensor, mistake};

/// Confidences in bins.
#[derive(Clone, Debug)]
pub(super) struct Bins {
    /// One for each interval, and one for the confidence 1.
    bins: Vec<Bin>,
}

#[derive(Clone, Debug, Default)]
struct Bin {
    n: u64,
    right: u64,
    confidence: ExactSum,
}

impl Bin {
    fn merge(&mut self, other: &Bin) {
        self.n += other.n;
        self.right += other.right;
        self.confidence.merge(&other.confidence);
    }

    fn accuracy(&self) -> f64 {
        self.right as f64 / self.n as f64
    }

    fn mean_confidence(&self) -> f64 {
        self.confidence.value() / self.n as f64
    }
}

impl Bins {
    #[track_caller]
    pub fn new(bins: usize) -> Bins {
        if bins == 0 {
            mistake!("calibration_error: needs at least one bin, got 0");
        }
        Bins { bins: vec![Bin::default(); bins + 1] }
    }

    #[track_caller]
    pub fn update(&mut self, probs: &Tensor, target: &Tensor) {
        let forecasts = Forecasts::read(probs, target);
        let borders = borders(self.bins.len() - 1, probs.dtype());
        for (row, class) in forecasts.iter() {
            // Of two classes given as one probability, the confidence is that of class 1, whether it is likely or not.
            let predicted = if is_column(probs) { 1 } else { argmax(row) };
            let bin = &mut self.bins[borders.partition_point(|b| *b <= row[predicted]) - 1];
            bin.n += 1;
            bin.right += u64::from(predicted == class);
            bin.confidence.add(row[predicted]);
        }
    }

    #[track_caller]
    pub fn merge(&mut self, other: &Bins) {
        if self.bins.len() != other.bins.len() {
            mistake!(
                "calibration_error: cannot merge {} bins into {}",
                other.bins.len() - 1,
                self.bins.len() - 1
            );
        }
        self.bins.iter_mut().zip(&other.bins).for_each(|(a, b)| a.merge(b));
    }

    pub fn reset(&mut self) {
        self.bins.fill(Bin::default());
    }

    /// The sum of the bins' gaps, weighted by their parts of the samples.
    pub fn error(&self) -> f64 {
        let all: u64 = self.bins.iter().map(|bin| bin.n).sum();
        let gap = |bin: &Bin| (bin.accuracy() - bin.mean_confidence()).abs() * (bin.n as f64 / all as f64);
        let error = self.bins.iter().filter(|bin| bin.n > 0).map(gap).sum();
        if all == 0 { f64::NAN } else { error }
    }

    fn curve(mut self) -> ReliabilityCurve {
        let certain = self.bins.pop().unwrap_or_default();
        if let Some(last) = self.bins.last_mut() {
            last.merge(&certain);
        }
        ReliabilityCurve {
            confidence: self.bins.iter().map(Bin::mean_confidence).collect(),
            accuracy: self.bins.iter().map(Bin::accuracy).collect(),
            count: self.bins.iter().map(|bin| bin.n).collect(),
        }
    }
}

/// The lower borders of the bins and 1, as `torch.linspace` rounds them: from both ends, in the type of the probabilities.
fn borders(bins: usize, dtype: DType) -> Vec<f64> {
    let single = dtype == DType::F32;
    let border = |i: usize| match (single, i < bins.div_ceil(2)) {
        (true, true) => (1.0 / bins as f32 * i as f32).into(),
        (true, false) => (1.0 - 1.0 / bins as f32 * (bins - i) as f32).into(),
        (false, true) => 1.0 / bins as f64 * i as f64,
        (false, false) => 1.0 - 1.0 / bins as f64 * (bins - i) as f64,
    };
    (0..=bins).map(border).collect()
}

/// The points of a reliability diagram, one for each bin.
#[derive(Clone, Debug, PartialEq)]
pub struct ReliabilityCurve {
    /// The mean confidence of the samples in each bin; NaN if it is empty.
    pub confidence: Vec<f64>,
    /// The part of the samples in each bin that are right; NaN if it is empty.
    pub accuracy: Vec<f64>,
    /// The number of samples in each bin.
    pub count: Vec<u64>,
}

/// The expected calibration error: the mean over the samples of the gap between accuracy and mean confidence in their bin.
/// For rows `[n, classes]` the confidence is the largest probability and right is whether its class happened; for
/// probabilities `[n]` or `[n, 1]` the confidence is the probability of class 1 and right is whether that happened. This is
/// torchmetrics' `calibration_error` with its norm `l1`; there, `bins` is 15 unless told.
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::metrics::expected_calibration_error;
/// let (probs, target) = (tensor([[0.75, 0.25], [0.75, 0.25]]), tensor([0, 1])); // Sure by 0.75, right by 0.5.
/// assert_eq!(expected_calibration_error(&probs, &target, 15), 0.25);
/// ```
///
/// # Panics
/// If shapes or labels do not fit, a row is no probability distribution, or there is no bin.
#[track_caller]
pub fn expected_calibration_error(probs: &Tensor, target: &Tensor, bins: usize) -> f64 {
    let mut state = Bins::new(bins);
    state.update(probs, target);
    state.error()
}

/// What a reliability diagram shows; see [`expected_calibration_error`]. The confidence 1 is in the last bin here.
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::metrics::reliability_curve;
/// let curve = reliability_curve(&tensor([0.25, 0.75, 1.0]), &tensor([0, 0, 1]), 2);
/// assert_eq!((curve.count, curve.accuracy), (vec![1, 2], vec![0.0, 0.5]));
/// assert_eq!(curve.confidence, [0.25, 0.875]);
/// ```
///
/// # Panics
/// As [`expected_calibration_error`].
#[track_caller]
pub fn reliability_curve(probs: &Tensor, target: &Tensor, bins: usize) -> ReliabilityCurve {
    let mut state = Bins::new(bins);
    state.update(probs, target);
    state.curve()
}
