//! Mean absolute error.

use super::pointwise::{Formula, Wgsl, pointwise};
use super::{Loss, Reduction, reducible};
use rekindle_kernels::real::Real;
use rekindle_tensor::Tensor;

/// `|x - t|`. Gradient: the sign of `x - t`, 0 where they are equal.
///
/// Prediction and target have one shape; the result is a scalar, or that shape with [`Reduction::None`].
/// PyTorch broadcasts prediction and target of different shapes with a warning; here they are refused, because
/// `[N, 1]` against `[N]` would compare every prediction with every target.
///
/// ```
/// use rekindle_nn::loss::{L1Loss, Loss};
/// use rekindle_tensor::tensor;
/// assert_eq!(L1Loss::new().forward(&tensor([1.0, 4.0]), &tensor([1.0, 2.0])).item::<f32>(), 1.0);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct L1Loss {
    reduction: Reduction,
}
reducible!(L1Loss);

impl Loss for L1Loss {
    #[track_caller]
    fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        pointwise(Absolute, self.reduction, input, target, None)
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Absolute;

impl Formula for Absolute {
    const NAME: &'static str = "l1_loss";
    const WGSL: Wgsl = Wgsl {
        value: "abs(a - b)",
        slope: "c / p.n0 * select(select(a - b, -1.0, a < b), 1.0, a > b)",
        target_slope: None,
    };

    #[inline(always)]
    fn value<T: Real>(self, x: T, t: T) -> T {
        (x - t).abs()
    }
    #[inline(always)]
    fn slope<T: Real>(self, x: T, t: T, g: T, n: T) -> T {
        let d = x - t;
        let sign = if d > T::ZERO {
            T::ONE
        } else if d < T::ZERO {
            -T::ONE
        } else {
            // 0, or NaN where the difference is NaN.
            d
        };
        g / n * sign
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::tests::agrees;
    use rekindle_tensor::tensor;

    #[test]
    fn agrees_with_its_composed_form() {
        agrees(|r| L1Loss::new().reduction(r), |x, t| (x - t).relu() + (t - x).relu(), (-2.0, 2.0));
    }

    #[test]
    fn equal_elements_have_no_gradient() {
        let x = tensor([1.0, 2.0]).requires_grad_(true);
        L1Loss::new().forward(&x, &tensor([1.0, 5.0])).backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.0, -0.5]);
    }
}
