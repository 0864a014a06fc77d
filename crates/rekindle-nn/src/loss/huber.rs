//! Losses that are quadratic near 0 and linear far away.
//!
//! Source: P. J. Huber, "Robust Estimation of a Location Parameter", Ann. Math. Statist. 35, 1964.

use super::l1::Absolute;
use super::pointwise::{Formula, Wgsl, pointwise};
use super::{Loss, Reduction, reducible};
use rekindle_kernels::real::Real;
use rekindle_tensor::{Tensor, mistake};

/// With `d = |x - t|`: `0.5 d^2` if `d <= delta`, else `delta (d - 0.5 delta)`.
///
/// Prediction and target have one shape; the result is a scalar, or that shape with [`Reduction::None`].
/// PyTorch broadcasts prediction and target of different shapes with a warning; here they are refused, because
/// `[N, 1]` against `[N]` would compare every prediction with every target.
///
/// ```
/// use rekindle_nn::loss::{HuberLoss, Loss};
/// use rekindle_tensor::tensor;
/// assert_eq!(HuberLoss::new().forward(&tensor([1.0, 4.0]), &tensor([0.0, 1.0])).item::<f32>(), 1.5);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct HuberLoss {
    delta: f64,
    reduction: Reduction,
}
reducible!(HuberLoss);

impl Default for HuberLoss {
    fn default() -> Self {
        HuberLoss { delta: 1.0, reduction: Reduction::Mean }
    }
}

impl HuberLoss {
    /// Where the parabola becomes a line; 1 by default.
    ///
    /// # Panics
    /// If `delta` is not positive.
    #[track_caller]
    pub fn delta(self, delta: f64) -> Self {
        if delta.is_nan() || delta <= 0.0 {
            mistake!("huber_loss: delta must be positive, got {delta}");
        }
        HuberLoss { delta, ..self }
    }
}

impl Loss for HuberLoss {
    #[track_caller]
    fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        pointwise(Huber { delta: self.delta }, self.reduction, input, target, None)
    }
}

#[derive(Clone, Copy, Debug)]
struct Huber {
    delta: f64,
}

impl Formula for Huber {
    const NAME: &'static str = "huber_loss";
    const WGSL: Wgsl = Wgsl {
        value: "select(p.n1 * (abs(a - b) - 0.5 * p.n1), 0.5 * (a - b) * (a - b), abs(a - b) <= p.n1)",
        slope: "select((a - b) * c, sign(a - b) * c * p.n1, abs(a - b) >= p.n1) / p.n0",
        target_slope: None,
    };

    fn numbers(self) -> Vec<f64> {
        vec![self.delta]
    }

    #[inline(always)]
    fn value<T: Real>(self, x: T, t: T) -> T {
        let (delta, half) = (T::from_f64(self.delta), T::from_f64(0.5));
        let d = (x - t).abs();
        let (near, far) = (half * d * d, delta * (d - half * delta));
        if d <= delta { near } else { far }
    }
    #[inline(always)]
    fn slope<T: Real>(self, x: T, t: T, g: T, n: T) -> T {
        let (delta, norm) = (T::from_f64(self.delta), T::ONE / n);
        let d = x - t;
        let (near, far) = (norm * d * g, norm.copysign(d) * g * delta);
        if d <= -delta || d >= delta { far } else { near }
    }
}

/// With `d = |x - t|`: `0.5 d^2 / beta` if `d < beta`, else `d - 0.5 beta`. `beta` 0 is [`L1Loss`](super::L1Loss).
///
/// Prediction and target have one shape; the result is a scalar, or that shape with [`Reduction::None`].
/// PyTorch broadcasts prediction and target of different shapes with a warning; here they are refused, because
/// `[N, 1]` against `[N]` would compare every prediction with every target.
///
/// ```
/// use rekindle_nn::loss::{Loss, SmoothL1Loss};
/// use rekindle_tensor::tensor;
/// assert_eq!(SmoothL1Loss::new().forward(&tensor([1.0, 4.0]), &tensor([0.0, 1.0])).item::<f32>(), 1.5);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SmoothL1Loss {
    beta: f64,
    reduction: Reduction,
}
reducible!(SmoothL1Loss);

impl Default for SmoothL1Loss {
    fn default() -> Self {
        SmoothL1Loss { beta: 1.0, reduction: Reduction::Mean }
    }
}

impl SmoothL1Loss {
    /// Where the parabola becomes a line; 1 by default.
    ///
    /// # Panics
    /// If `beta` is negative.
    #[track_caller]
    pub fn beta(self, beta: f64) -> Self {
        if beta.is_nan() || beta < 0.0 {
            mistake!("smooth_l1_loss: beta must not be negative, got {beta}");
        }
        SmoothL1Loss { beta, ..self }
    }
}

impl Loss for SmoothL1Loss {
    #[track_caller]
    fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        if self.beta == 0.0 {
            return pointwise(Absolute, self.reduction, input, target, None);
        }
        pointwise(SmoothL1 { beta: self.beta }, self.reduction, input, target, None)
    }
}

#[derive(Clone, Copy, Debug)]
struct SmoothL1 {
    beta: f64,
}

impl Formula for SmoothL1 {
    const NAME: &'static str = "smooth_l1_loss";
    const WGSL: Wgsl = Wgsl {
        value: "select(abs(a - b) - 0.5 * p.n1, 0.5 * (a - b) * (a - b) / p.n1, abs(a - b) < p.n1)",
        slope: "select((a - b) * c / p.n1, sign(a - b) * c, abs(a - b) >= p.n1) / p.n0",
        target_slope: None,
    };

    fn numbers(self) -> Vec<f64> {
        vec![self.beta]
    }

    #[inline(always)]
    fn value<T: Real>(self, x: T, t: T) -> T {
        let (beta, half) = (T::from_f64(self.beta), T::from_f64(0.5));
        let d = (x - t).abs();
        let (near, far) = (half * d * d / beta, d - half * beta);
        if d < beta { near } else { far }
    }
    #[inline(always)]
    fn slope<T: Real>(self, x: T, t: T, g: T, n: T) -> T {
        let (beta, norm) = (T::from_f64(self.beta), T::ONE / n);
        let d = x - t;
        let (near, far) = (norm * d * g / beta, norm.copysign(d) * g);
        if d <= -beta || d >= beta { far } else { near }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::tests::agrees;

    /// |d| and how much of it lies within `edge`.
    fn split(x: &Tensor, t: &Tensor, edge: f64) -> (Tensor, Tensor) {
        let d = (x - t).relu() + (t - x).relu();
        let inside = &d - (&d - edge).relu();
        (d, inside)
    }

    #[test]
    fn huber_agrees_with_its_composed_form() {
        for delta in [1.0, 0.5] {
            let naive = move |x: &Tensor, t: &Tensor| {
                let (d, near) = split(x, t, delta);
                &near * &near * 0.5 + (d - near) * delta
            };
            agrees(move |r| HuberLoss::new().delta(delta).reduction(r), naive, (-2.0, 2.0));
        }
    }

    #[test]
    fn smooth_l1_agrees_with_its_composed_form() {
        for beta in [1.0, 0.5] {
            let naive = move |x: &Tensor, t: &Tensor| {
                let (d, near) = split(x, t, beta);
                &near * &near * (0.5 / beta) + (d - near)
            };
            agrees(move |r| SmoothL1Loss::new().beta(beta).reduction(r), naive, (-2.0, 2.0));
        }
    }

    #[test]
    fn smooth_l1_without_a_parabola_is_l1() {
        agrees(|r| SmoothL1Loss::new().beta(0.0).reduction(r), |x, t| split(x, t, 0.0).0, (-2.0, 2.0));
    }
}
