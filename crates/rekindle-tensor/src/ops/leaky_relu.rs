//! Rectified linear unit with a slope on the negative side.

use super::elementwise::unary_float;
use crate::testing::Sample;

unary_float! {
    /// `x` where it is positive, `negative_slope * x` elsewhere (PyTorch's default slope is 0.01). Gradient: `dy` where
    /// `x > 0`, `negative_slope * dy` elsewhere, so at 0 too.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([-2.0, 2.0]).leaky_relu(0.5).to_vec::<f32>(), [-1.0, 2.0]);
    /// ```
    LeakyRelu { negative_slope }, leaky_relu, keeps Inputs,
    forward |x| if x > 0.0 { x } else { x * negative_slope },
    backward |g, x| if x > 0.0 { g } else { g * negative_slope },
    wgsl "select(a * p.n0, a, a > 0.0)",
    wgsl_backward "select(a * p.n0, a, b > 0.0)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("leaky_relu", |x| x.leaky_relu(0.2)).away_from(0.0)]
}
