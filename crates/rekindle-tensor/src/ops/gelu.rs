//! Gaussian error linear unit.

use super::elementwise::unary_float;
use crate::testing::Sample;
use rekindle_kernels::real::Real;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, SQRT_2};

unary_float! {
    /// `x * P(X <= x)` for a standard normal X: `x / 2 * (1 + erf(x / sqrt(2)))` (Hendrycks and Gimpel, 2016). Gradient:
    /// `dy * (P(X <= x) + x * density(x))`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([0.0]).gelu().item::<f32>(), 0.0);
    /// ```
    Gelu, gelu, keeps Inputs,
    forward |x| x * 0.5 * (1.0 + Real::erf(x * T::from_f64(FRAC_1_SQRT_2))),
    backward |g, x| {
        let cdf = 0.5 * (1.0 + Real::erf(x * T::from_f64(FRAC_1_SQRT_2)));
        let density = Real::exp(-0.5 * x * x) * T::from_f64(FRAC_2_SQRT_PI * FRAC_1_SQRT_2 * 0.5);
        g * (cdf + x * density)
    },
    wgsl "a * 0.5 * (1.0 + erf(a * 0.70710677))",
    wgsl_backward "a * (0.5 * (1.0 + erf(b * 0.70710677)) + b * exp(-0.5 * b * b) * 0.3989423)"
}

/// `sqrt(2 / pi)`
const ROOT: f64 = SQRT_2 * FRAC_2_SQRT_PI * 0.5;
const CUBIC: f64 = 0.044715;

unary_float! {
    /// [`gelu`](crate::Tensor::gelu) with the hyperbolic tangent in place of the error function:
    /// `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))`. PyTorch's `approximate="tanh"`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([0.0]).gelu_tanh().item::<f32>(), 0.0);
    /// ```
    GeluTanh, gelu_tanh, keeps Inputs,
    forward |x| 0.5 * x * (1.0 + Real::tanh(T::from_f64(ROOT) * (x + T::from_f64(CUBIC) * x * x * x))),
    backward |g, x| {
        let (root, cubic) = (T::from_f64(ROOT), T::from_f64(CUBIC));
        let tanh = Real::tanh(root * (x + cubic * x * x * x));
        let slope = root * (1.0 + 3.0 * cubic * x * x);
        g * (0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * slope)
    },
    wgsl "0.5 * a * (1.0 + tanh_(0.7978846 * (a + 0.044715 * a * a * a)))",
    wgsl_backward "gelu_tanh_slope(a, b)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::unary("gelu", |x| x.gelu()).large(&[&[300, 400]]),
        Sample::unary("gelu_tanh", |x| x.gelu_tanh()),
    ]
}
