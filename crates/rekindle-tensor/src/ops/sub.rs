//! Subtraction with broadcasting.

use super::elementwise::{binary, broadcasting_numbers, sum_to};
use crate::dtype::{Number, match_number};
use crate::gpu;
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
use crate::operand::{Operand, promoted};
use crate::tensor::Tensor;
use crate::testing::Sample;
use smallvec::smallvec;

#[derive(Debug)]
struct Sub;

impl Op for Sub {
    fn name(&self) -> &'static str {
        "sub"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        broadcasting_numbers("sub", x)
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        match_number!("sub", out.dtype, T => binary(x[0], x[1], &out.shape, <T as Number>::minus).into())
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        gpu::map(&gpu::of(x), "a - b", x, &[], out).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        smallvec![
            ctx.needs[0].then(|| sum_to(ctx.grad.clone(), &ctx.metas[0].shape)),
            ctx.needs[1].then(|| sum_to(ctx.grad.neg(), &ctx.metas[1].shape)),
        ]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

#[track_caller]
pub(crate) fn sub(a: &impl Operand, b: &impl Operand) -> Tensor {
    let (a, b) = promoted(a, b);
    apply(Sub, &[&a, &b])
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::binary("sub", |a, b| a - b),
        Sample::unary("sub with a number", |x| x - 2.5),
        Sample::unary("number sub", |x| 2.5 - x),
    ]
}
