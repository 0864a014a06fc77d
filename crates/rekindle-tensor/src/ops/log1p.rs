//! Logarithm of one plus x.

use super::elementwise::unary_float;
use crate::testing::Sample;
use rekindle_kernels::real::Real;

unary_float! {
    /// `ln(1 + x)` without the loss of precision near 0. Gradient: `dy / (1 + x)`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([1e-10]).log1p().item::<f32>(), 1e-10);
    /// ```
    Log1p, log1p, keeps Inputs,
    forward |x| Real::ln_1p(x),
    backward |g, x| g / (1.0 + x),
    wgsl "log1p(a)",
    wgsl_backward "a / (1.0 + b)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("log1p", |x| x.log1p()).range(-0.9, 3.0)]
}
