//! Tanhshrink.

use super::elementwise::unary_float;
use crate::testing::Sample;
use rekindle_kernels::real::Real;

unary_float! {
    /// `x - tanh(x)`. Gradient: `dy * tanh(x)^2`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([0.0]).tanhshrink().item::<f32>(), 0.0);
    /// ```
    Tanhshrink, tanhshrink, keeps Inputs,
    forward |x| x - Real::tanh(x),
    backward |g, x| {
        let t = Real::tanh(x);
        g * (t * t)
    },
    wgsl "a - tanh_(a)",
    wgsl_backward "a * (tanh_(b) * tanh_(b))"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("tanhshrink", |x| x.tanhshrink())]
}
