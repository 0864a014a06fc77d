//! Exponential function minus one.

use super::elementwise::unary_float;
use crate::testing::Sample;
use rekindle_kernels::real::Real;

unary_float! {
    /// `e^x - 1` without the loss of precision near 0; PyTorch's `expm1`. Gradient: `dy * (y + 1)`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([1e-10]).exp_m1().item::<f32>(), 1e-10);
    /// ```
    ExpM1, exp_m1, keeps Output,
    forward |x| Real::exp_m1(x),
    backward |g, y| g * (y + 1.0),
    wgsl "expm1(a)",
    wgsl_backward "a * (b + 1.0)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("exp_m1", |x| x.exp_m1())]
}
