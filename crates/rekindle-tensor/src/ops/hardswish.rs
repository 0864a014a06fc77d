//! Piecewise quadratic SiLU.

use super::elementwise::unary_float;
use crate::testing::Sample;

unary_float! {
    /// `x` times [`hardsigmoid`](crate::Tensor::hardsigmoid). Gradient: 0 up to -3, `dy * (x / 3 + 1 / 2)` up to 3, then `dy`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([-4.0, 0.0, 4.0]).hardswish().to_vec::<f32>(), [0.0, 0.0, 4.0]);
    /// ```
    Hardswish, hardswish, keeps Inputs,
    forward |x| x * (if x <= -3.0 { 0.0 } else if x >= 3.0 { 6.0 } else { x + 3.0 }) / 6.0,
    backward |g, x| if x <= -3.0 { 0.0 } else if x < 3.0 { g * (x / 3.0 + 0.5) } else { g },
    wgsl "a * clamp(a + 3.0, 0.0, 6.0) / 6.0",
    wgsl_backward "select(select(a, a * (b / 3.0 + 0.5), b < 3.0), 0.0, b <= -3.0)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("hardswish", |x| x.hardswish()).range(-5.0, 5.0)]
}
