//! Square root.

use super::elementwise::unary_float;
use crate::testing::Sample;

unary_float! {
    /// The square root, element by element: NaN below 0. Gradient: `dy / (2 y)`, infinite at 0.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([9.0]).sqrt().item::<f32>(), 3.0);
    /// ```
    Sqrt, sqrt, keeps Output,
    forward |x| x.sqrt(),
    backward |g, y| g / (2.0 * y),
    wgsl "sqrt(a)",
    wgsl_backward "a / (2.0 * b)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("sqrt", |x| x.sqrt()).range(0.1, 3.0)]
}
