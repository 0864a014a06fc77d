//! Scaled exponential linear unit.

use super::elementwise::unary_float;
use crate::testing::Sample;
use rekindle_kernels::real::Real;

const SCALE: f64 = 1.0507009873554804934193349852946;
const ALPHA: f64 = 1.6732632423543772848170429916717;

unary_float! {
    /// `scale * x` where it is positive, `scale * alpha * (e^x - 1)` elsewhere, with the constants that keep activations at
    /// mean 0 and variance 1 (Klambauer et al., 2017). Gradient at 0: the negative side's, `scale * alpha`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([0.0]).selu().item::<f32>(), 0.0);
    /// ```
    Selu, selu, keeps Inputs,
    forward |x| if x > 0.0 { x * T::from_f64(SCALE) } else { T::from_f64(SCALE * ALPHA) * Real::exp_m1(x) },
    backward |g, x| if x > 0.0 { g * T::from_f64(SCALE) } else { g * (T::from_f64(SCALE * ALPHA) * Real::exp(x)) },
    wgsl "select(1.7580993 * expm1(a), a * 1.050701, a > 0.0)",
    wgsl_backward "select(a * (1.7580993 * exp(b)), a * 1.050701, b > 0.0)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("selu", |x| x.selu()).away_from(0.0)]
}
