//! Reciprocal.

use super::elementwise::unary_float;
use crate::testing::Sample;

unary_float! {
    /// `1 / x`, element by element. Gradient: `-dy * y^2`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([4.0]).reciprocal().item::<f32>(), 0.25);
    /// ```
    Reciprocal, reciprocal, keeps Output,
    forward |x| 1.0 / x,
    backward |g, y| -g * (y * y),
    wgsl "1.0 / a",
    wgsl_backward "-a * (b * b)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("reciprocal", |x| x.reciprocal()).range(0.2, 3.0)]
}
