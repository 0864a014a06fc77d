//! Logarithm of the logistic sigmoid.

use super::elementwise::unary_float;
use crate::testing::Sample;
use rekindle_kernels::real::Real;

unary_float! {
    /// `ln(sigmoid(x))` as `min(x, 0) - ln(1 + e^-|x|)`, which neither overflows nor loses precision. Gradient:
    /// `dy * sigmoid(-x)`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([-200.0]).logsigmoid().item::<f32>(), -200.0);
    /// ```
    LogSigmoid, logsigmoid, keeps Inputs,
    forward |x| Real::minimum(x, 0.0) - Real::ln_1p(Real::exp(-x.abs())),
    backward |g, x| {
        let z = Real::exp(-x.abs());
        g * (if x < 0.0 { 1.0 } else { z } / (1.0 + z))
    },
    wgsl "log_sigmoid(a)",
    wgsl_backward "a * sigmoid(-b)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("logsigmoid", |x| x.logsigmoid())]
}
