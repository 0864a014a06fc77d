//! Negative log-likelihood.

use super::class_indices::{Options, class_indices};
use super::{Decision, Loss, Reduction};
use rekindle_tensor::Tensor;

/// `-w[y] x[y]` for log-probabilities `x` (from `log_softmax`) and class indices `y`. Gradient: `-w[y]` at the class.
///
/// Predictions are `[N, C, ..]` and targets i64 `[N, ..]`, or `[C]` and a scalar. The mean divides by the sum of
/// the weights. An index out of range is a mistake; on a GPU the loss is NaN then. Together with log-softmax this is [`CrossEntropyLoss`](super::CrossEntropyLoss).
///
/// ```
/// use rekindle_nn::loss::{Loss, NLLLoss};
/// use rekindle_tensor::tensor;
/// let loss = NLLLoss::new().forward(&tensor([[-0.5, -2.0], [-1.5, -0.25]]), &tensor([0, 1]));
/// assert_eq!(loss.item::<f32>(), 0.375);
/// ```
#[derive(Clone, Debug, Default)]
pub struct NLLLoss {
    options: Options,
}

impl NLLLoss {
    /// With PyTorch's default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// One weight for each class.
    pub fn weight(mut self, weight: Tensor) -> Self {
        self.options.weight = Some(weight.into());
        self
    }

    /// Samples of this class do not count; -100 by default.
    pub fn ignore_index(mut self, class: i64) -> Self {
        self.options.ignore_index = class;
        self
    }

    /// What becomes of the losses of the samples; their mean by default.
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.options.reduction = reduction;
        self
    }
}

impl Loss for NLLLoss {
    fn decision(&self) -> Decision {
        Decision::Largest
    }

    #[track_caller]
    fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        class_indices("nll_loss", false, &self.options, input, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::tests::message;
    use rekindle_tensor::tensor;
    use rekindle_tensor::testing::Sample;

    #[test]
    fn gradients_agree_with_differences() {
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
            let plain = NLLLoss::new().reduction(reduction);
            let weighted = plain.clone().weight(tensor([1.0, 0.5, 2.0]).double()).ignore_index(0);
            for loss in [plain, weighted] {
                let on = |shape: &[usize], targets: Tensor| {
                    let loss = loss.clone();
                    let f = move |x: &[Tensor]| loss.forward(&x[0], &x[1]);
                    Sample::new("nll_loss", f).on(&[shape]).with(&[targets]).check().unwrap();
                };
                on(&[4, 3], tensor([2, 0, 1, 2]));
                on(&[3], tensor(1));
                on(&[2, 3, 2], tensor([[2, 0], [1, 1]]));
            }
        }
    }

    #[test]
    fn a_class_that_does_not_exist_is_named() {
        assert_eq!(
            message(|| NLLLoss::new().forward(&Tensor::zeros([2, 3]), &tensor([0, 3]))),
            "nll_loss: Target 3 is out of bounds. (row 1, classes 0 to 2) Does the last layer have one output per class?"
        );
    }
}
