//! Division with broadcasting.

use super::elementwise::{binary, broadcasting, sum_to};
use crate::dtype::match_float;
use crate::gpu;
use crate::op::{Context, Grads, Meta, Op, Output, apply};
use crate::operand::{Operand, promoted};
use crate::tensor::Tensor;
use crate::testing::Sample;
use smallvec::smallvec;

#[derive(Debug)]
struct Div;

impl Op for Div {
    fn name(&self) -> &'static str {
        "div"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        broadcasting("div", x)
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        match_float!("div", out.dtype, T => binary(x[0], x[1], &out.shape, |a: T, b: T| a / b).into())
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        gpu::map(&gpu::of(x), "a / b", x, &[], out).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let (a, b) = (ctx.input(0), ctx.input(1));
        smallvec![
            ctx.needs[0].then(|| sum_to(ctx.grad / b, &ctx.metas[0].shape)),
            // The order of the operations is PyTorch's: -g * ((a / b) / b).
            ctx.needs[1].then(|| sum_to(-ctx.grad * ((a / b) / b), &ctx.metas[1].shape)),
        ]
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        let operands = [ctx.grad, ctx.input(0), ctx.input(1)];
        let grad = |wgsl: &str| gpu::map(&gpu::of(&operands), wgsl, &operands, &[], &Meta::of(ctx.grad));
        smallvec![
            ctx.needs[0].then(|| sum_to(grad("a / c"), &ctx.metas[0].shape)),
            ctx.needs[1].then(|| sum_to(grad("-a * ((b / c) / c)"), &ctx.metas[1].shape)),
        ]
    }
}

/// True division: integers and truth values are converted to f32 first.
#[track_caller]
pub(crate) fn div(a: &impl Operand, b: &impl Operand) -> Tensor {
    let (a, b) = promoted(a, b);
    if a.dtype().is_float() {
        return apply(Div, &[&a, &b]);
    }
    apply(Div, &[&a.float(), &b.float()])
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::binary("div", |a, b| a / b).away_from(0.0),
        Sample::unary("div by a number", |x| x / 2.5),
        Sample::unary("number div", |x| 2.5 / x).away_from(0.0),
    ]
}
