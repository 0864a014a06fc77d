//! Whether any or all elements are true (or nonzero).

use super::elementwise::no_grads;
use super::reduction::Over;
use crate::dtype::DType;
use crate::gpu::fold::Fold;
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
use crate::shape::Ints;
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::reduce;

#[derive(Debug)]
struct Any {
    all: bool,
    over: Over,
}

impl Op for Any {
    fn name(&self) -> &'static str {
        if self.all { "all" } else { "any" }
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        Ok(Meta { shape: self.over.result(&x[0].shape), dtype: DType::Bool })
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let fold = |x: &[bool], o, l, i, y: &mut [bool]| {
            if self.all {
                reduce::fold(x, o, l, i, y, true, |a, b| a & b);
            } else {
                reduce::fold(x, o, l, i, y, false, |a, b| a | b);
            }
        };
        Tensor::from_vec(self.over.run(&x[0].to(DType::Bool), fold), &out.shape).into()
    }
    fn forward_gpu(&self, x: &[&Tensor], _: &Meta) -> Output {
        let how = match self.all {
            true => Fold { name: "all", identity: "1", combine: "a & b" },
            false => Fold { name: "any", identity: "0", combine: "a | b" },
        };
        self.over.fold(&x[0].to(DType::Bool), how).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        no_grads(ctx.metas.len())
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

impl Tensor {
    /// Whether all elements are true (or nonzero); true for none.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert!(tensor([1.0, 2.0]).gt(0.0).all().item::<bool>());
    /// ```
    #[track_caller]
    pub fn all(&self) -> Tensor {
        self.all_dim(Ints::default(), false)
    }

    /// Whether any element is true (or nonzero); false for none.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert!(!tensor([0.0, 0.0]).any().item::<bool>());
    /// ```
    #[track_caller]
    pub fn any(&self) -> Tensor {
        self.any_dim(Ints::default(), false)
    }

    /// Whether all elements over the given dimensions (all, when the list is empty) are true (or nonzero).
    ///
    /// # Panics
    /// If a dimension is out of range or named twice.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[1, 0], [1, 1]]).all_dim(1, false).to_vec::<bool>(), [false, true]);
    /// ```
    #[track_caller]
    pub fn all_dim(&self, dims: impl Into<Ints>, keepdim: bool) -> Tensor {
        apply(Any { all: true, over: Over::new("all", self, dims, keepdim) }, &[self])
    }

    /// Whether any element over the given dimensions (all, when the list is empty) is true (or nonzero).
    ///
    /// # Panics
    /// If a dimension is out of range or named twice.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[1, 0], [0, 0]]).any_dim(1, false).to_vec::<bool>(), [true, false]);
    /// ```
    #[track_caller]
    pub fn any_dim(&self, dims: impl Into<Ints>, keepdim: bool) -> Tensor {
        apply(Any { all: false, over: Over::new("any", self, dims, keepdim) }, &[self])
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::unary("any", |x| x.gt(1.9).any()),
        Sample::new("all over a dim", |x| x[0].gt(-1.5).all_dim(0, true)).on(&[&[2, 3]]).on(&[&[0, 3]]),
        Sample::new("any over a dim", |x| x[0].gt(1.5).any_dim(1, false))
            .on(&[&[2, 3]])
            .large(&[&[300, 400]]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::{Tensor, tensor};

    #[test]
    fn nothing_is_all_true_and_not_any() {
        let none = Tensor::zeros([0]);
        assert!(none.all().item::<bool>() && !none.any().item::<bool>());
    }

    #[test]
    fn rows_are_judged_one_by_one() {
        let x = tensor([[1, 0], [2, 3], [0, 0]]);
        assert_eq!(x.all_dim(1, false).to_vec::<bool>(), [false, true, false]);
        assert_eq!(x.any_dim(1, false).to_vec::<bool>(), [true, true, false]);
    }
}
