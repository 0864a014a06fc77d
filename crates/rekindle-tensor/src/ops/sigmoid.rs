//! Logistic sigmoid.

use super::elementwise::unary_float;
use crate::testing::Sample;
use rekindle_kernels::real::Real;

unary_float! {
    /// `1 / (1 + e^-x)`, element by element. Gradient: `dy * y * (1 - y)`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([0.0]).sigmoid().item::<f32>(), 0.5);
    /// ```
    Sigmoid, sigmoid, keeps Output,
    forward |x| Real::sigmoid(x),
    backward |g, y| g * ((1.0 - y) * y),
    wgsl "sigmoid(a)",
    wgsl_backward "a * ((1.0 - b) * b)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("sigmoid", |x| x.sigmoid()).large(&[&[300, 400]])]
}
