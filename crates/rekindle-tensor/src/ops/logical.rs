//! Logic on truth values; numbers count as true unless they are 0.

use super::elementwise::{binary, broadcasting, no_grads};
use crate::dtype::DType;
use crate::gpu;
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
use crate::tensor::Tensor;
use crate::testing::Sample;

#[derive(Clone, Copy, Debug)]
enum Logical {
    And,
    Or,
    Xor,
}

impl Op for Logical {
    fn name(&self) -> &'static str {
        match self {
            Logical::And => "logical_and",
            Logical::Or => "logical_or",
            Logical::Xor => "logical_xor",
        }
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        broadcasting(self.name(), x)
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        match self {
            Logical::And => binary(x[0], x[1], &out.shape, |a: bool, b: bool| a & b),
            Logical::Or => binary(x[0], x[1], &out.shape, |a: bool, b: bool| a | b),
            Logical::Xor => binary(x[0], x[1], &out.shape, |a: bool, b: bool| a ^ b),
        }
        .into()
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let wgsl = match self {
            Logical::And => "a && b",
            Logical::Or => "a || b",
            Logical::Xor => "a != b",
        };
        gpu::map(&gpu::of(x), wgsl, x, &[], out).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        no_grads(ctx.metas.len())
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

impl Tensor {
    /// Whether both elements are true.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let x = tensor([-1.0, 0.5, 2.0]);
    /// assert_eq!(x.gt(0.0).logical_and(&x.lt(1.0)).to_vec::<bool>(), [false, true, false]);
    /// assert_eq!((x.gt(0.0) & !x.gt(1.0)).to_vec::<bool>(), [false, true, false]);
    /// ```
    #[track_caller]
    pub fn logical_and(&self, other: &Tensor) -> Tensor {
        apply(Logical::And, &[&self.to(DType::Bool), &other.to(DType::Bool)])
    }

    /// Whether at least one of the elements is true.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([true, false]).logical_or(&tensor([false, false])).to_vec::<bool>(), [true, false]);
    /// ```
    #[track_caller]
    pub fn logical_or(&self, other: &Tensor) -> Tensor {
        apply(Logical::Or, &[&self.to(DType::Bool), &other.to(DType::Bool)])
    }

    /// Whether exactly one of the elements is true.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([true, true]).logical_xor(&tensor([true, false])).to_vec::<bool>(), [false, true]);
    /// ```
    #[track_caller]
    pub fn logical_xor(&self, other: &Tensor) -> Tensor {
        apply(Logical::Xor, &[&self.to(DType::Bool), &other.to(DType::Bool)])
    }

    /// Whether each element is false.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([1.5, 0.0]).logical_not().to_vec::<bool>(), [false, true]);
    /// ```
    #[track_caller]
    pub fn logical_not(&self) -> Tensor {
        self.to(DType::Bool).eq(false)
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::binary("logical and", |a, b| a.gt(0.0).logical_and(&b.gt(0.0))),
        Sample::binary("logical or", |a, b| a.gt(0.0).logical_or(&b.gt(0.0))),
        Sample::binary("logical xor", |a, b| a.gt(0.0).logical_xor(&b.gt(0.0))),
        Sample::unary("logical not", |x| x.gt(0.0).logical_not()),
    ]
}
