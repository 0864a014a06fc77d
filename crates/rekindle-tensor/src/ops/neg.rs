//! Negation.

use super::elementwise::{same_number, unary};
use crate::dtype::{Number, match_number};
use crate::gpu;
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
use crate::tensor::Tensor;
use crate::testing::Sample;
use smallvec::smallvec;

#[derive(Debug)]
struct NegOp;

impl Op for NegOp {
    fn name(&self) -> &'static str {
        "neg"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        same_number("neg", x)
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        match_number!("neg", out.dtype, T => unary(x[0], <T as Number>::negated).into())
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        gpu::map(&gpu::of(x), "-a", x, &[], out).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        smallvec![Some(ctx.grad.neg())]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

impl Tensor {
    /// `-x`, also written with the operator.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!((-tensor([1, -2])).to_vec::<i64>(), [-1, 2]);
    /// ```
    #[track_caller]
    pub fn neg(&self) -> Tensor {
        apply(NegOp, &[self])
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("neg", |x| -x)]
}
