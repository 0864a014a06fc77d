//! Softsign.

use super::elementwise::unary_float;
use crate::testing::Sample;

unary_float! {
    /// `x / (1 + |x|)`. Gradient: `dy / (1 + |x|)^2`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([-1.0]).softsign().item::<f32>(), -0.5);
    /// ```
    Softsign, softsign, keeps Inputs,
    forward |x| x / (1.0 + x.abs()),
    backward |g, x| {
        let d = 1.0 + x.abs();
        g / (d * d)
    },
    wgsl "a / (1.0 + abs(a))",
    wgsl_backward "a / ((1.0 + abs(b)) * (1.0 + abs(b)))"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("softsign", |x| x.softsign())]
}
