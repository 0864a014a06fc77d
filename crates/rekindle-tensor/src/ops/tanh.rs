//! Hyperbolic tangent.

use super::elementwise::unary_float;
use crate::testing::Sample;
use rekindle_kernels::real::Real;

unary_float! {
    /// The hyperbolic tangent, element by element. Gradient: `dy * (1 - y^2)`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([0.0]).tanh().item::<f32>(), 0.0);
    /// ```
    Tanh, tanh, keeps Output,
    forward |x| Real::tanh(x),
    backward |g, y| g * (1.0 - y * y),
    wgsl "tanh_(a)",
    wgsl_backward "a * (1.0 - b * b)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("tanh", |x| x.tanh())]
}
