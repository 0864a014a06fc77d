//! Continuously differentiable exponential linear unit.

use super::elementwise::unary_float;
use crate::testing::Sample;
use rekindle_kernels::real::Real;

unary_float! {
    /// `x` where it is positive, `alpha * (e^(x / alpha) - 1)` elsewhere (PyTorch's default alpha is 1). Gradient: `dy` where
    /// `x > 0`, `dy * e^(x / alpha)` elsewhere.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([0.0, 2.0]).celu(1.3).to_vec::<f32>(), [0.0, 2.0]);
    /// ```
    Celu { alpha }, celu, keeps Inputs,
    forward |x| if x > 0.0 { x } else { alpha * Real::exp_m1(x / alpha) },
    backward |g, x| if x > 0.0 { g } else { g * Real::exp(x / alpha) },
    wgsl "select(p.n0 * expm1(a / p.n0), a, a > 0.0)",
    wgsl_backward "select(a * exp(b / p.n0), a, b > 0.0)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("celu", |x| x.celu(1.3))]
}
