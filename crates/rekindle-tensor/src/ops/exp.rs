//! Exponential function.

use super::elementwise::unary_float;
use crate::testing::Sample;
use rekindle_kernels::real::Real;

unary_float! {
    /// `e^x`, element by element. Gradient: `dy * y`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([0.0]).exp().item::<f32>(), 1.0);
    /// ```
    Exp, exp, keeps Output,
    forward |x| Real::exp(x),
    backward |g, y| g * y,
    wgsl "exp(a)",
    wgsl_backward "a * b"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("exp", |x| x.exp())]
}
