//! Piecewise linear sigmoid.

use super::elementwise::unary_float;
use crate::testing::Sample;

unary_float! {
    /// `x / 6 + 1 / 2` held between 0 and 1. Gradient: `dy / 6` for `-3 < x < 3`, 0 elsewhere.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([-4.0, 0.0, 4.0]).hardsigmoid().to_vec::<f32>(), [0.0, 0.5, 1.0]);
    /// ```
    Hardsigmoid, hardsigmoid, keeps Inputs,
    forward |x| (if x <= -3.0 { 0.0 } else if x >= 3.0 { 6.0 } else { x + 3.0 }) / 6.0,
    backward |g, x| if x > -3.0 && x < 3.0 { g / 6.0 } else { 0.0 },
    wgsl "clamp(a + 3.0, 0.0, 6.0) / 6.0",
    wgsl_backward "select(0.0, a / 6.0, b > -3.0 && b < 3.0)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("hardsigmoid", |x| x.hardsigmoid()).range(-5.0, 5.0)]
}
