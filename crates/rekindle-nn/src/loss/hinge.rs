//! Losses of margins.

use super::pointwise::{Formula, pointwise};
use super::{Loss, Reduction, reducible};
use rekindle_kernels::real::Real;
use rekindle_tensor::Tensor;

/// For a target of 1 the distance `x` itself, for -1 what it lacks of the margin: `max(0, margin - x)`.
///
/// Prediction and target have one shape; the result is a scalar, or that shape with [`Reduction::None`].
///
/// ```
/// use rekindle_nn::loss::{HingeEmbeddingLoss, Loss};
/// use rekindle_tensor::tensor;
/// let loss = HingeEmbeddingLoss::new().forward(&tensor([0.5, 0.25]), &tensor([1.0, -1.0]));
/// assert_eq!(loss.item::<f32>(), 0.625);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct HingeEmbeddingLoss {
    margin: f64,
    reduction: Reduction,
}
reducible!(HingeEmbeddingLoss);

impl Default for HingeEmbeddingLoss {
    fn default() -> Self {
        HingeEmbeddingLoss { margin: 1.0, reduction: Reduction::Mean }
    }
}

impl HingeEmbeddingLoss {
    /// The distance beyond which unlike pairs cost nothing; 1 by default.
    pub fn margin(self, margin: f64) -> Self {
        HingeEmbeddingLoss { margin, ..self }
    }
}

impl Loss for HingeEmbeddingLoss {
    #[track_caller]
    fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        let target = target.to(input.dtype());
        pointwise(HingeEmbedding { margin: self.margin }, self.reduction, input, &target, None)
    }
}

#[derive(Clone, Copy, Debug)]
struct HingeEmbedding {
    margin: f64,
}

impl Formula for HingeEmbedding {
    const NAME: &'static str = "hinge_embedding_loss";

    #[inline(always)]
    fn value<T: Real>(self, x: T, t: T) -> T {
        let missing = (T::from_f64(self.margin) - x).maximum(T::ZERO);
        // Written as PyTorch's sum of two parts, which defines targets other than 1 and -1 too.
        let unlike = if t == T::ONE { T::ZERO } else { missing };
        let like = if t == -T::ONE { T::ZERO } else { x };
        unlike + like
    }
    #[inline(always)]
    fn slope<T: Real>(self, x: T, t: T, g: T, n: T) -> T {
        let outside = t == T::ONE || x > T::from_f64(self.margin);
        let unlike = if outside { T::ZERO } else { -g / n };
        let like = if t == -T::ONE { T::ZERO } else { g / n };
        unlike + like
    }
    #[inline(always)]
    fn target_slope<T: Real>(self, _: T, _: T, _: T, _: T) -> T {
        T::ZERO
    }
}
