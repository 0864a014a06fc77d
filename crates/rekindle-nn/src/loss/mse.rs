//! Mean squared error.

use super::pointwise::{Formula, Wgsl, pointwise};
use super::{Loss, Reduction, reducible};
use rekindle_kernels::real::Real;
use rekindle_tensor::Tensor;

/// `(x - t)^2`. Gradient: `2 (x - t)`.
///
/// Prediction and target have one shape; the result is a scalar, or that shape with [`Reduction::None`].
/// PyTorch broadcasts prediction and target of different shapes with a warning; here they are refused, because
/// `[N, 1]` against `[N]` would compare every prediction with every target.
///
/// ```
/// use rekindle_nn::loss::{Loss, MSELoss};
/// use rekindle_tensor::tensor;
/// let x = tensor([1.0, 4.0]).requires_grad_(true);
/// MSELoss::new().forward(&x, &tensor([1.0, 2.0])).backward();
/// assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.0, 2.0]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct MSELoss {
    reduction: Reduction,
}
reducible!(MSELoss);

impl Loss for MSELoss {
    #[track_caller]
    fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        pointwise(Square, self.reduction, input, target, None)
    }
}

#[derive(Clone, Copy, Debug)]
struct Square;

impl Formula for Square {
    const NAME: &'static str = "mse_loss";
    const WGSL: Wgsl =
        Wgsl { value: "(a - b) * (a - b)", slope: "2.0 / p.n0 * (a - b) * c", target_slope: None };

    #[inline(always)]
    fn value<T: Real>(self, x: T, t: T) -> T {
        (x - t) * (x - t)
    }
    #[inline(always)]
    fn slope<T: Real>(self, x: T, t: T, g: T, n: T) -> T {
        T::from_f64(2.0) / n * (x - t) * g
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::tests::{agrees, message};
    use rekindle_tensor::tensor;

    #[test]
    fn agrees_with_its_composed_form() {
        agrees(|r| MSELoss::new().reduction(r), |x, t| (x - t) * (x - t), (-2.0, 2.0));
    }

    #[test]
    fn mismatches_name_both_sides_and_a_cure() {
        let say = |x: &Tensor, t: &Tensor| message(|| MSELoss::new().forward(x, t));
        assert_eq!(
            say(&Tensor::zeros([4, 1]), &Tensor::zeros([4])),
            "mse_loss: prediction [4, 1] and target [4] differ in shape; target.unsqueeze(1) or prediction.squeeze_dim(1)?"
        );
        assert_eq!(
            say(&Tensor::zeros([4]), &Tensor::zeros([4, 1])),
            "mse_loss: prediction [4] and target [4, 1] differ in shape; prediction.unsqueeze(1) or target.squeeze_dim(1)?"
        );
        assert_eq!(
            say(&Tensor::zeros([2]), &tensor([0, 1])),
            "mse_loss: the prediction is f32 but the target is i64; convert the target with .float()"
        );
    }

    #[test]
    fn an_empty_mean_is_nan_and_an_empty_sum_is_zero() {
        let x = Tensor::zeros([0, 3]);
        assert!(MSELoss::new().forward(&x, &x).item::<f32>().is_nan());
        assert_eq!(MSELoss::new().reduction(Reduction::Sum).forward(&x, &x).item::<f32>(), 0.0);
    }
}
