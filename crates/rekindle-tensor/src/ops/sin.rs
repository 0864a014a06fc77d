//! Sine.

use super::elementwise::unary_float;
use crate::testing::Sample;
use rekindle_kernels::real::Real;

unary_float! {
    /// The sine of an angle in radians. Gradient: `dy * cos(x)`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([0.0]).sin().item::<f32>(), 0.0);
    /// ```
    Sin, sin, keeps Inputs,
    forward |x| Real::sin(x),
    backward |g, x| g * Real::cos(x),
    wgsl "sin(a)",
    wgsl_backward "a * cos(b)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("sin", |x| x.sin())]
}
