//! Reciprocal of the square root.

use super::elementwise::unary_float;
use crate::testing::Sample;

unary_float! {
    /// `1 / sqrt(x)`, element by element. Gradient: `-dy / 2 * y^3`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([4.0]).rsqrt().item::<f32>(), 0.5);
    /// ```
    Rsqrt, rsqrt, keeps Output,
    forward |x| 1.0 / x.sqrt(),
    backward |g, y| -0.5 * g * (y * y * y),
    wgsl "1.0 / sqrt(a)",
    wgsl_backward "-0.5 * a * (b * b * b)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("rsqrt", |x| x.rsqrt()).range(0.2, 3.0)]
}
