//! Sigmoid linear unit (swish).

use super::elementwise::unary_float;
use crate::testing::Sample;
use rekindle_kernels::real::Real;

unary_float! {
    /// `x * sigmoid(x)`. Gradient: `dy * s * (1 + x * (1 - s))` with `s = sigmoid(x)`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([0.0]).silu().item::<f32>(), 0.0);
    /// ```
    Silu, silu, keeps Inputs,
    forward |x| x / (1.0 + Real::exp(-x)),
    backward |g, x| {
        let s = Real::sigmoid(x);
        g * s * (1.0 + x * (1.0 - s))
    },
    wgsl "a * sigmoid(a)",
    wgsl_backward "a * sigmoid(b) * (1.0 + b * (1.0 - sigmoid(b)))"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("silu", |x| x.silu())]
}
