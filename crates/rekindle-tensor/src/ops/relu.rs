//! Rectified linear unit.

use super::elementwise::unary_float;
use crate::testing::Sample;

unary_float! {
    /// `max(x, 0)`; NaN stays NaN. Gradient: `dy` where the output is positive, 0 elsewhere, so 0 at `x = 0`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([-1.0, 2.0]).relu().to_vec::<f32>(), [0.0, 2.0]);
    /// ```
    Relu, relu, keeps Output,
    // -0.0 passes, as in PyTorch.
    forward |x| if x < 0.0 { 0.0 } else { x },
    backward |g, y| if y <= 0.0 { 0.0 } else { g },
    wgsl "select(a, 0.0, a < 0.0)",
    wgsl_backward "select(a, 0.0, b <= 0.0)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("relu", |x| x.relu()).away_from(0.0)]
}
