//! Cosine.

use super::elementwise::unary_float;
use crate::testing::Sample;
use rekindle_kernels::real::Real;

unary_float! {
    /// The cosine of an angle in radians. Gradient: `-dy * sin(x)`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([0.0]).cos().item::<f32>(), 1.0);
    /// ```
    Cos, cos, keeps Inputs,
    forward |x| Real::cos(x),
    backward |g, x| -g * Real::sin(x),
    wgsl "cos(a)",
    wgsl_backward "-a * sin(b)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("cos", |x| x.cos())]
}
