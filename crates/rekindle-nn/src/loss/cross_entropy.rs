//! Cross-entropy of logits, against class indices or probabilities.

use super::class_indices::{Options, class_indices};
use super::probabilities::probabilities;
use super::{Decision, Loss, Reduction};
use rekindle_tensor::{DType, Tensor, mistake};

/// `-sum over k of q[k] log_softmax(x)[k]` for logits `x` and wanted probabilities `q`. Gradient:
/// `softmax(x) sum(q) - q`.
///
/// Logits are `[N, C, ..]` or `[C]`. Targets are either
/// - class indices, i64 `[N, ..]` or a scalar: `q` is 1 at the class, or `1 - s + s/C` there and `s/C` elsewhere with
///   label smoothing `s`, times the weight of the class. The mean divides by the sum of the targets' weights;
/// - or probabilities, floats in the shape of the logits: `q = (t (1 - s) + s/C) w`. The mean divides by the number
///   of samples.
///
/// # Panics
/// [`forward`](Loss::forward) does if a class index is out of range: the message says which and where.
/// On a GPU the loss is NaN then, because looking for it would wait for the device in every step.
///
/// ```
/// use rekindle_nn::loss::{CrossEntropyLoss, Loss};
/// use rekindle_tensor::tensor;
/// let x = tensor([[0.0, 0.0]]).requires_grad_(true);
/// let loss = CrossEntropyLoss::new().forward(&x, &tensor([1]));
/// loss.backward();
/// assert_eq!(loss.item::<f32>(), 2f32.ln());
/// assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.5, -0.5]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct CrossEntropyLoss {
    options: Options,
}

impl CrossEntropyLoss {
    /// With PyTorch's default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// One weight for each class.
    pub fn weight(mut self, weight: Tensor) -> Self {
        self.options.weight = Some(weight.into());
        self
    }

    /// Samples whose target is this index do not count; -100 by default. For class indices only.
    pub fn ignore_index(mut self, class: i64) -> Self {
        self.options.ignore_index = class;
        self
    }

    /// How much of the wanted probability is spread over all classes alike.
    ///
    /// # Panics
    /// If it is not in [0, 1].
    #[track_caller]
    pub fn label_smoothing(mut self, label_smoothing: f64) -> Self {
        if !(0.0..=1.0).contains(&label_smoothing) {
            mistake!("cross_entropy: label_smoothing must lie in [0, 1], got {label_smoothing}");
        }
        self.options.label_smoothing = label_smoothing;
        self
    }

    /// What becomes of the losses of the samples; their mean by default.
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.options.reduction = reduction;
        self
    }
}

impl Loss for CrossEntropyLoss {
    fn decision(&self) -> Decision {
        Decision::Largest
    }

    #[track_caller]
    fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        // Float targets in another shape are indices that someone forgot to convert.
        if target.dtype() != DType::I64 && target.shape() == input.shape() {
            return probabilities(&self.options, input, target);
        }
        class_indices("cross_entropy", true, &self.options, input, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::tests::{message, scalars};
    use rekindle_tensor::tensor;
    use rekindle_tensor::testing::Sample;

    const REDUCTIONS: [Reduction; 3] = [Reduction::Mean, Reduction::Sum, Reduction::None];

    fn losses() -> Vec<CrossEntropyLoss> {
        let weight = || tensor([1.0, 0.5, 2.0]).double();
        let plain = REDUCTIONS.map(|r| CrossEntropyLoss::new().reduction(r));
        let with = |f: &dyn Fn(CrossEntropyLoss) -> CrossEntropyLoss| plain.clone().map(f);
        [
            plain.clone(),
            with(&|l| l.weight(weight())),
            with(&|l| l.label_smoothing(0.1)),
            with(&|l| l.weight(weight()).label_smoothing(0.2).ignore_index(0)),
        ]
        .concat()
    }

    /// Gradients against differences, strided inputs, and the value against the composed form.
    fn holds(loss: &CrossEntropyLoss, shape: &[usize], target: &Tensor, wanted: &Tensor) {
        let (l, t) = (loss.clone(), target.clone());
        let typed = move |x: &Tensor| if t.dtype().is_float() { t.to(x.dtype()) } else { t.clone() };
        let sample = Sample::new("cross_entropy", move |x| l.forward(&x[0], &typed(&x[0]))).on(&[shape]);
        sample.check().unwrap();
        let x = sample.inputs(0);
        let got = scalars(&(sample.f)(&x));
        let expected = scalars(&composed(loss, &x[0], target, wanted));
        let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-12 * b.abs().max(1.0);
        assert!(got.iter().zip(&expected).all(close), "{loss:?} on {shape:?}: {got:?} {expected:?}");
    }

    /// The loss of `[N, C]` logits from the table of the wanted probabilities, by tensor operations alone.
    fn composed(loss: &CrossEntropyLoss, x: &Tensor, target: &Tensor, wanted: &Tensor) -> Tensor {
        let o = &loss.options;
        let (n, c) = (x.size(0), x.size(1));
        let e = x.exp();
        let sums = e.sum_dim(1, true);
        let logp = Tensor::from_vec((e / sums).to_vec::<f64>().into_iter().map(f64::ln).collect(), [n, c]);
        let w = o.weight.as_ref().map_or(Tensor::ones([c]).double(), |w| w.beside(x));
        let indices = target.dtype() == DType::I64;
        let y: Vec<i64> = if indices { target.to_vec() } else { vec![-1; n] };
        let kept: Vec<f64> = y.iter().map(|&y| (y != o.ignore_index) as u8 as f64).collect();
        let kept = Tensor::from_vec(kept, [n, 1]);
        let target_weight = (wanted * &w).sum_dim(1, true);
        let q = if indices {
            wanted * &target_weight * (1.0 - o.label_smoothing) + &w * (o.label_smoothing / c as f64)
        } else {
            (wanted * (1.0 - o.label_smoothing) + o.label_smoothing / c as f64) * &w
        };
        let losses = -(q * logp * &kept).sum_dim(1, false);
        match o.reduction {
            Reduction::Mean if indices => losses.sum() / (target_weight * kept).sum(),
            r => r.of(losses),
        }
    }

    #[test]
    fn class_indices_agree_with_the_composed_form() {
        let wanted = tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]).double();
        for loss in losses() {
            holds(&loss, &[4, 3], &tensor([2, 0, 1, 2]), &wanted);
        }
    }

    #[test]
    fn probabilities_agree_with_the_composed_form() {
        let t = tensor([[0.25, 0.25, 0.5], [0.1, 0.9, 0.0], [1.0, 0.0, 0.0]]).double();
        for loss in losses() {
            holds(&loss, &[3, 3], &t, &t);
            let l = loss.clone();
            let sample =
                Sample::new("target", move |x| l.forward(&x[0], &x[1])).on(&[&[2, 3, 2], &[2, 3, 2]]);
            sample.check().unwrap();
        }
    }

    #[test]
    fn further_dimensions_are_further_samples() {
        let x = Tensor::from_vec((0..12).map(|i| ((i * 7) % 5) as f32).collect(), [2, 3, 2]);
        let flat = x.permute([0, 2, 1]).reshape([4, 3]);
        let t = tensor([[2, 0], [1, 1]]);
        for loss in REDUCTIONS.map(|r| CrossEntropyLoss::new().label_smoothing(0.1).reduction(r)) {
            let (a, b) = (loss.forward(&x, &t), loss.forward(&flat, &t.reshape([4])));
            assert_eq!(a.to_vec::<f32>(), b.to_vec::<f32>());
            let l = loss.clone();
            Sample::new("4d", move |x| l.forward(&x[0], &x[1]))
                .on(&[&[2, 3, 2]])
                .with(std::slice::from_ref(&t))
                .check()
                .unwrap();
        }
    }

    #[test]
    fn one_sample_needs_no_batch() {
        let x = tensor([0.5, 1.0, -1.0]);
        let (one, batch) = (x.clone(), x.unsqueeze(0));
        let loss = CrossEntropyLoss::new().reduction(Reduction::None);
        assert_eq!(loss.forward(&one, &tensor(1)).shape(), [0usize; 0]);
        assert_eq!(
            loss.forward(&one, &tensor(1)).item::<f32>(),
            loss.forward(&batch, &tensor([1])).item::<f32>()
        );
        let p = tensor([0.5, 0.25, 0.25]);
        assert_eq!(loss.forward(&one, &p).item::<f32>(), loss.forward(&batch, &p.unsqueeze(0)).item::<f32>());
    }

    #[test]
    fn without_counted_samples_the_mean_is_nan_and_the_gradient_zero() {
        let x = tensor([[1.0, 2.0]]).requires_grad_(true);
        let loss = CrossEntropyLoss::new().forward(&x, &tensor([-100]));
        loss.backward();
        assert!(loss.item::<f32>().is_nan());
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.0, 0.0]);
        let empty = CrossEntropyLoss::new().forward(&Tensor::zeros([0, 3]), &Tensor::zeros([0]).long());
        assert!(empty.item::<f32>().is_nan());
    }

    #[test]
    fn a_class_that_does_not_exist_is_named_with_its_place() {
        assert_eq!(
            message(|| CrossEntropyLoss::new().forward(&Tensor::zeros([2, 1]), &tensor([1, 0]))),
            "cross_entropy: Target 1 is out of bounds. (row 0, classes 0 to 0) Does the last layer have one output per class?"
        );
    }

    #[test]
    fn unfit_targets_get_the_cure() {
        let say = |t: Tensor| message(|| CrossEntropyLoss::new().forward(&Tensor::zeros([2, 3]), &t));
        assert_eq!(
            say(tensor([0.0, 1.0])),
            "cross_entropy: class indices must be i64, got f32; convert them with .long()"
        );
        assert_eq!(
            say(tensor([[0], [1]])),
            "cross_entropy: scores [2, 3] and class indices [2, 1] do not fit; target.squeeze_dim(1)?"
        );
        assert_eq!(
            say(tensor([[0, 1, 0], [1, 0, 0]])),
            "cross_entropy: scores [2, 3] and class indices [2, 3] do not fit; one-hot targets must be floats: \
             target.float(), or give indices with target.argmax_dim(1, false)?"
        );
        assert_eq!(
            say(tensor([0, 1, 2])),
            "cross_entropy: scores [2, 3] and class indices [3] do not fit; for scores [N, C, ..] the indices are [N, ..], here [2]"
        );
    }
}
