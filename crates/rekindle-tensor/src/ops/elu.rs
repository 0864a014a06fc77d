//! Exponential linear unit.

use super::elementwise::unary_float;
use crate::testing::Sample;
use rekindle_kernels::real::Real;

unary_float! {
    /// `x` where it is positive, `alpha * (e^x - 1)` elsewhere (PyTorch's default alpha is 1). Gradient: `dy` where `x > 0`,
    /// `dy * alpha * e^x` elsewhere, so at 0 too.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([0.0, 2.0]).elu(1.0).to_vec::<f32>(), [0.0, 2.0]);
    /// ```
    Elu { alpha }, elu, keeps Inputs,
    forward |x| if x > 0.0 { x } else { alpha * Real::exp_m1(x) },
    backward |g, x| if x > 0.0 { g } else { g * (alpha * Real::exp(x)) },
    wgsl "select(p.n0 * expm1(a), a, a > 0.0)",
    wgsl_backward "select(a * (p.n0 * exp(b)), a, b > 0.0)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("elu", |x| x.elu(0.5)).away_from(0.0)]
}
