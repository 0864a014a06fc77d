//! Smooth rectifier.

use super::elementwise::unary_float;
use crate::testing::Sample;
use rekindle_kernels::real::Real;

unary_float! {
    /// `ln(1 + e^(beta x)) / beta`, and `x` itself where `beta x > threshold` (PyTorch's defaults are 1 and 20). Gradient:
    /// `dy * sigmoid(beta x)`, or `dy` beyond the threshold.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([100.0]).softplus(1.0, 20.0).item::<f32>(), 100.0);
    /// ```
    Softplus { beta, threshold }, softplus, keeps Inputs,
    forward |x| if x * beta > threshold { x } else { Real::ln_1p(Real::exp(x * beta)) / beta },
    backward |g, x| if x * beta > threshold { g } else { let z = Real::exp(x * beta); g * z / (z + 1.0) },
    wgsl "select(softplus_(a * p.n0) / p.n0, a, a * p.n0 > p.n1)",
    wgsl_backward "select(a * sigmoid(b * p.n0), a, b * p.n0 > p.n1)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("softplus", |x| x.softplus(2.0, 5.0))]
}
