//! Natural logarithm.

use super::elementwise::unary_float;
use crate::testing::Sample;
use rekindle_kernels::real::Real;

unary_float! {
    /// The natural logarithm, element by element: -inf at 0, NaN below. Gradient: `dy / x`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([1.0]).ln().item::<f32>(), 0.0);
    /// ```
    Ln, ln, keeps Inputs,
    forward |x| Real::ln(x),
    backward |g, x| g / x,
    wgsl "log(a)",
    wgsl_backward "a / b"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("ln", |x| x.ln()).range(0.1, 3.0)]
}
