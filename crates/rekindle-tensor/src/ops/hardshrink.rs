//! Hard shrinkage.

use super::elementwise::unary_float;
use crate::testing::Sample;

unary_float! {
    /// `x` where `|x| > lambda` (PyTorch's default is 0.5), else 0. Gradient: `dy` where `|x| > lambda`, else 0.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([-1.0, 0.2]).hardshrink(0.5).to_vec::<f32>(), [-1.0, 0.0]);
    /// ```
    Hardshrink { lambda }, hardshrink, keeps Inputs,
    forward |x| if x >= -lambda && x <= lambda { 0.0 } else { x },
    backward |g, x| if x >= -lambda && x <= lambda { 0.0 } else { g },
    wgsl "select(a, 0.0, a >= -p.n0 && a <= p.n0)",
    wgsl_backward "select(a, 0.0, b >= -p.n0 && b <= p.n0)"
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("hardshrink", |x| x.hardshrink(0.5))]
}
