//! Mish.

use super::elementwise::unary_float;
use crate::testing::Sample;
use rekindle_kernels::real::Real;

/// `ln(1 + e^x)`, written so that the exponential does not overflow.
#[inline(always)]
fn softplus<T: Real>(x: T) -> T {
    x.maximum(T::ZERO) + (-x.abs()).exp().ln_1p()
}

unary_float! {
    /// `x * tanh(softplus(x))` (Misra, 2019). Gradient: `dy * (t + x * sigmoid(x) * (1 - t^2))` with `t = tanh(softplus(x))`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([0.0]).mish().item::<f32>(), 0.0);
    /// ```
    Mish, mish, keeps Inputs,
    forward |x| x * Real::tanh(softplus(x)),
    backward |g, x| {
        let t = Real::tanh(softplus(x));
        g * (t + x * Real::sigmoid(x) * (1.0 - t * t))
    },
    wgsl "a * tanh_(softplus_(a))",
    wgsl_backward "a * (tanh_(softplus_(b)) + b * sigmoid(b) * (1.0 - tanh_(softplus_(b)) * tanh_(softplus_(b))))"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("mish", |x| x.mish())]
}
