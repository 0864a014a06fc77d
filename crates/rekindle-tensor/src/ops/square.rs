//! Square.

use super::elementwise::{same_number, unary, zip};
use crate::dtype::{Number, match_float, match_number};
use crate::gpu;
use crate::op::{Context, Grads, Meta, Op, Output, apply};
use crate::tensor::Tensor;
use crate::testing::Sample;
use smallvec::smallvec;

#[derive(Debug)]
struct Square;

impl Op for Square {
    fn name(&self) -> &'static str {
        "square"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        same_number("square", x)
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        match_number!("square", out.dtype, T => unary(x[0], |x: T| x.times(x)).into())
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        gpu::map(&gpu::of(x), "a * a", x, &[], out).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        smallvec![Some(match_float!("square", ctx.grad.dtype(), T => {
            zip(ctx.grad, ctx.input(0), |g: T, x: T| -> T { g * (2.0 * x) })
        }))]
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        let operands = [ctx.grad, ctx.input(0)];
        smallvec![Some(gpu::map(&gpu::of(&operands), "a * (2.0 * b)", &operands, &[], &ctx.metas[0]))]
    }
}

impl Tensor {
    /// `x * x`, element by element. Gradient: `dy * 2 x`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([-3.0]).square().item::<f32>(), 9.0);
    /// ```
    #[track_caller]
    pub fn square(&self) -> Tensor {
        apply(Square, &[self])
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("square", |x| x.square())]
}
