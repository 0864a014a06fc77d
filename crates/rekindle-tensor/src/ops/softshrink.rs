//! Soft shrinkage.

use super::elementwise::unary_float;
use crate::testing::Sample;

unary_float! {
    /// `x` moved towards 0 by `lambda` (PyTorch's default is 0.5), 0 within. Gradient: `dy` where `|x| > lambda`, else 0.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([-1.0, 0.2]).softshrink(0.5).to_vec::<f32>(), [-0.5, 0.0]);
    /// ```
    Softshrink { lambda }, softshrink, keeps Inputs,
    forward |x| if x > lambda { x - lambda } else if x < -lambda { x + lambda } else { x * 0.0 },
    backward |g, x| if x > lambda || x < -lambda { g } else { 0.0 },
    wgsl "select(select(a * 0.0, a + p.n0, a < -p.n0), a - p.n0, a > p.n0)",
    wgsl_backward "select(0.0, a, b > p.n0 || b < -p.n0)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("softshrink", |x| x.softshrink(0.5))]
}
