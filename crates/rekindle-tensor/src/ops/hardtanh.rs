//! Linear between two bounds, constant beyond.

use super::elementwise::unary_float;
use crate::testing::Sample;

unary_float! {
    /// `x` held between `min` and `max` (PyTorch's defaults are -1 and 1; 0 and 6 make ReLU6). The gradient passes strictly
    /// between the bounds and is 0 at them and beyond.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([-2.0, 0.5, 7.0]).hardtanh(0.0, 6.0).to_vec::<f32>(), [0.0, 0.5, 6.0]);
    /// ```
    Hardtanh { min, max }, hardtanh, keeps Inputs,
    forward |x| if x < min { min } else if x > max { max } else { x },
    backward |g, x| if x > min && x < max { g } else { 0.0 },
    wgsl "select(select(a, p.n1, a > p.n1), p.n0, a < p.n0)",
    wgsl_backward "select(0.0, a, b > p.n0 && b < p.n1)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("hardtanh", |x| x.hardtanh(-1.0, 1.0))]
}
