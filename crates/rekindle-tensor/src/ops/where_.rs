//! Choice between two tensors, and filling where a mask says so.

use super::elementwise::{sum_to, zip, zip3};
use crate::create::tensor;
use crate::dtype::{DType, match_dtype, match_float};
use crate::gpu;
use crate::op::{Context, Grads, Meta, Op, Output, apply};
use crate::operand::{Operand, promoted};
use crate::shape::broadcast;
use crate::tensor::Tensor;
use crate::testing::Sample;
use smallvec::smallvec;

/// Inputs: condition, value where it is true, value where it is false.
#[derive(Debug)]
struct Where;

impl Op for Where {
    fn name(&self) -> &'static str {
        "where"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        if x[0].dtype != DType::Bool {
            return Err(format!(
                "where: the condition must be bool, got {}; compare or convert with .bool()",
                x[0].dtype
            ));
        }
        let values = broadcast("where", &x[1].shape, &x[2].shape)?;
        Ok(Meta { shape: broadcast("where", &x[0].shape, &values)?, dtype: x[1].dtype })
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let [condition, a, b] = [x[0], x[1], x[2]].map(|t| t.expand(&out.shape));
        match_dtype!(out.dtype, T => zip3(&condition, &a, &b, |c: bool, a: T, b: T| if c { a } else { b }).into())
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let condition = ctx.input(0).expand(ctx.grad.shape());
        let part = |side: bool| {
            match_float!("where", ctx.grad.dtype(), T => {
                zip(&condition, ctx.grad, move |c: bool, g: T| -> T { if c == side { g } else { 0.0 } })
            })
        };
        smallvec![
            None,
            ctx.needs[1].then(|| sum_to(part(true), &ctx.metas[1].shape)),
            ctx.needs[2].then(|| sum_to(part(false), &ctx.metas[2].shape)),
        ]
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        gpu::map(&gpu::of(x), "select(c, b, a)", x, &[], out).into()
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        let operands = [ctx.input(0), ctx.grad];
        let part = |wgsl: &str| gpu::map(&gpu::of(&operands), wgsl, &operands, &[], &Meta::of(ctx.grad));
        smallvec![
            None,
            ctx.needs[1].then(|| sum_to(part("select(0.0, b, a)"), &ctx.metas[1].shape)),
            ctx.needs[2].then(|| sum_to(part("select(b, 0.0, a)"), &ctx.metas[2].shape)),
        ]
    }
    fn input_names(&self) -> &'static [&'static str] {
        &["condition", "input", "other"]
    }
}

impl Tensor {
    /// The elements of `a` where the condition is true, else those of `b`; all three broadcast. PyTorch's
    /// `torch.where`. The gradient goes to the chosen element.
    ///
    /// # Panics
    /// If the condition is not bool or the shapes do not broadcast.
    ///
    /// ```
    /// # use rekindle_tensor::{tensor, Tensor};
    /// let x = tensor([-1.0, 2.0]);
    /// assert_eq!(Tensor::where_(&x.gt(0.0), &x, 0.0).to_vec::<f32>(), [0.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn where_(condition: &Tensor, a: impl Operand, b: impl Operand) -> Tensor {
        let numbers = a.operand().1 && b.operand().1;
        let (a, b) = promoted(&a, &b);
        if numbers && a.dtype() == DType::F64 {
            // Two bare floats make the default float type.
            return apply(Where, &[condition, &a.float(), &b.float()]);
        }
        apply(Where, &[condition, &a, &b])
    }

    /// The tensor with `value`, converted to its type, where `mask` (bool, which broadcasts) is true.
    ///
    /// # Panics
    /// If the mask is not bool or the shapes do not broadcast.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let y = tensor([1.0, 2.0]).masked_fill(&tensor([false, true]), f64::NEG_INFINITY);
    /// assert_eq!(y.to_vec::<f32>(), [1.0, f32::NEG_INFINITY]);
    /// ```
    #[track_caller]
    pub fn masked_fill(&self, mask: &Tensor, value: impl Operand) -> Tensor {
        Tensor::where_(mask, value.operand().0.to(self.dtype()), self)
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::binary("where", |a, b| Tensor::where_(&a.gt(b), a, b)),
        Sample::unary("where with numbers", |x| Tensor::where_(&x.gt(0.3), x, 1.5)).large(&[&[300, 400]]),
        Sample::unary("masked_fill", |x| x.masked_fill(&x.gt(0.3), -1.0)),
        Sample::new("where with a broadcast condition", |x| {
            Tensor::where_(&tensor([true, false, true]).to(x[0].device()), &x[0], &x[1])
        })
        .on(&[&[2, 3], &[1]])
        .on(&[&[3, 1], &[]]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::{DType, Tensor, tensor};

    #[test]
    fn the_rejected_value_leaves_no_nan_in_the_gradient() {
        let x = tensor([0.0, 4.0]).requires_grad_(true);
        Tensor::where_(&x.gt(0.0), x.detach().sqrt() * &x, 0.0).sum().backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.0, 2.0]);
    }

    #[test]
    fn numbers_and_integers_can_be_chosen() {
        let c = tensor([true, false]);
        assert_eq!(Tensor::where_(&c, 1.0, 0.0).dtype(), DType::F32);
        assert_eq!(Tensor::where_(&c, tensor([1, 2]), -1).to_vec::<i64>(), [1, -1]);
        assert_eq!(Tensor::where_(&c, true, false).to_vec::<bool>(), [true, false]);
    }

    #[test]
    #[should_panic(expected = "where: the condition must be bool, got f32; compare or convert with .bool()")]
    fn the_condition_is_a_truth_value() {
        Tensor::where_(&tensor([1.0]), 1.0, 2.0);
    }
}
