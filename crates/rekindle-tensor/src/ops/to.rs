//! Conversion of the element type, and copies.

use super::elementwise::{same, unary};
use crate::dtype::{DType, Element, match_dtype};
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
use crate::tensor::Tensor;
use crate::testing::Sample;
use smallvec::smallvec;

#[derive(Debug)]
struct To(DType);

impl Op for To {
    fn name(&self) -> &'static str {
        "to"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        Ok(Meta { shape: x[0].shape.clone(), dtype: self.0 })
    }
    fn forward(&self, x: &[&Tensor], _: &Meta) -> Output {
        match_dtype!(x[0].dtype(), A => match_dtype!(self.0, B => {
            unary(x[0], |v: A| B::from_scalar(v.to_scalar())).into()
        }))
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        smallvec![Some(ctx.grad.to(ctx.metas[0].dtype))]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

#[derive(Debug)]
struct CloneOp;

impl Op for CloneOp {
    fn name(&self) -> &'static str {
        "clone"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        same(x)
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        match_dtype!(out.dtype, T => unary(x[0], |v: T| v).into())
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        smallvec![Some(ctx.grad.clone())]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

impl Tensor {
    /// The tensor with another element type; itself when it has that type. Floats become integers by truncation,
    /// truth values 0 and 1.
    ///
    /// ```
    /// # use rekindle_tensor::{tensor, DType};
    /// assert_eq!(tensor([1.9, -1.9]).to(DType::I64).to_vec::<i64>(), [1, -1]);
    /// ```
    #[track_caller]
    pub fn to(&self, dtype: DType) -> Tensor {
        if self.dtype() == dtype { self.clone() } else { apply(To(dtype), &[self]) }
    }

    /// The tensor as f32.
    #[track_caller]
    pub fn float(&self) -> Tensor {
        self.to(DType::F32)
    }

    /// The tensor as f64.
    #[track_caller]
    pub fn double(&self) -> Tensor {
        self.to(DType::F64)
    }

    /// The tensor as i64.
    #[track_caller]
    pub fn long(&self) -> Tensor {
        self.to(DType::I64)
    }

    /// The tensor as truth values: whether each element differs from zero.
    #[track_caller]
    pub fn bool(&self) -> Tensor {
        self.to(DType::Bool)
    }

    /// A contiguous copy in memory of its own through which gradients flow (PyTorch's `x.clone()`; in Rust
    /// `x.clone()` is another handle of the same tensor).
    #[track_caller]
    pub fn copy(&self) -> Tensor {
        apply(CloneOp, &[self])
    }

    /// The tensor itself if its elements lie in row-major order without gaps, else a copy that does.
    #[track_caller]
    pub fn contiguous(&self) -> Tensor {
        if self.is_contiguous() { self.clone() } else { self.copy() }
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("to", |x| x.to(DType::F32).to(DType::F64)).loose(), Sample::unary("copy", |x| x.copy())]
}
