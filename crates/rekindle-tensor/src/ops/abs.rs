//! Absolute value.

use super::elementwise::{same_number, unary, zip};
use crate::dtype::{Number, match_float, match_number};
use crate::gpu;
use crate::op::{Context, Grads, Meta, Op, Output, apply};
use crate::tensor::Tensor;
use crate::testing::Sample;
use smallvec::smallvec;

#[derive(Debug)]
struct Abs;

impl Op for Abs {
    fn name(&self) -> &'static str {
        "abs"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        same_number("abs", x)
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        match_number!("abs", out.dtype, T => unary(x[0], <T as Number>::magnitude).into())
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        gpu::map(&gpu::of(x), "abs(a)", x, &[], out).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        smallvec![Some(match_float!("abs", ctx.grad.dtype(), T => {
            zip(ctx.grad, ctx.input(0), |g: T, x: T| -> T { if x > 0.0 { g } else if x < 0.0 { -g } else { 0.0 * g } })
        }))]
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        let operands = [ctx.grad, ctx.input(0)];
        let wgsl = "a * (f32(b > 0.0) - f32(b < 0.0))";
        smallvec![Some(gpu::map(&gpu::of(&operands), wgsl, &operands, &[], &ctx.metas[0]))]
    }
}

impl Tensor {
    /// The absolute value, element by element. Gradient: `dy * sign(x)`, so 0 at 0.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([-2, 3]).abs().to_vec::<i64>(), [2, 3]);
    /// ```
    #[track_caller]
    pub fn abs(&self) -> Tensor {
        apply(Abs, &[self])
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("abs", |x| x.abs()).away_from(0.0)]
}

#[cfg(test)]
mod tests {
    use crate::tensor;

    #[test]
    fn the_gradient_at_zero_is_zero() {
        let x = tensor([-2.0, 0.0, 3.0]).requires_grad_(true);
        x.abs().sum().backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [-1.0, 0.0, 1.0]);
    }
}
