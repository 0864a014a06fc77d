//! Error function.

use super::elementwise::unary_float;
use crate::testing::Sample;
use rekindle_kernels::real::Real;

unary_float! {
    /// `2 / sqrt(pi)` times the integral of `exp(-t^2)` from 0 to x. Gradient: `dy * 2 / sqrt(pi) * exp(-x^2)`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([0.0]).erf().item::<f32>(), 0.0);
    /// ```
    Erf, erf, keeps Inputs,
    forward |x| Real::erf(x),
    backward |g, x| g * (T::from_f64(std::f64::consts::FRAC_2_SQRT_PI) * Real::exp(-x * x)),
    wgsl "erf(a)",
    wgsl_backward "a * (1.1283792 * exp(-b * b))"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("erf", |x| x.erf())]
}
