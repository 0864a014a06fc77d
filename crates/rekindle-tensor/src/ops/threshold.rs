//! Threshold.

use super::elementwise::unary_float;
use crate::testing::Sample;

unary_float! {
    /// `x` where it exceeds `threshold`, else `value`. Gradient: `dy` where `x > threshold`, else 0.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([0.2, 0.7]).threshold(0.5, -1.0).to_vec::<f32>(), [-1.0, 0.7]);
    /// ```
    Threshold { threshold, value }, threshold, keeps Inputs,
    forward |x| if x <= threshold { value } else { x },
    backward |g, x| if x <= threshold { 0.0 } else { g },
    wgsl "select(a, p.n1, a <= p.n0)",
    wgsl_backward "select(a, 0.0, b <= p.n0)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("threshold", |x| x.threshold(0.1, -1.0))]
}
