//! Sum over all or some dimensions.
//!
//! Floats are added in the order of PyTorch's kernels (see [`rekindle_kernels::reduce`]); over several dimensions that
//! are not neighbours, the last ones first.

use super::reduction::Over;
use crate::dtype::DType;
use crate::gpu::fold::SUM;
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
use crate::shape::Ints;
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::reduce;
use smallvec::smallvec;

#[derive(Debug)]
struct Sum(Over);

impl Op for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        Ok(Meta { shape: self.0.result(&x[0].shape), dtype: x[0].dtype })
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let y = match out.dtype {
            DType::F32 => Tensor::from_vec(self.0.run::<f32>(x[0], reduce::sum_dim), &out.shape),
            DType::F64 => Tensor::from_vec(self.0.run::<f64>(x[0], reduce::sum_dim), &out.shape),
            _ => {
                let sum = |x: &[i64], outer, len, inner, y: &mut [i64]| {
                    reduce::fold(x, outer, len, inner, y, 0, i64::wrapping_add);
                };
                Tensor::from_vec(self.0.run(x[0], sum), &out.shape)
            }
        };
        y.into()
    }
    fn forward_gpu(&self, x: &[&Tensor], _: &Meta) -> Output {
        self.0.fold(x[0], SUM).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let shape = &ctx.metas[0].shape;
        smallvec![Some(self.0.widened(ctx.grad, shape).expand(shape))]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

impl Tensor {
    /// The sum of all elements; truth values are counted as i64.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[1, 2], [3, 4]]).sum().item::<i64>(), 10);
    /// ```
    #[track_caller]
    pub fn sum(&self) -> Tensor {
        self.sum_dim(Ints::default(), false)
    }

    /// The sum over the given dimensions (all, when the list is empty), which are dropped or kept with size 1.
    ///
    /// # Panics
    /// If a dimension is out of range or named twice.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[1, 2], [3, 4]]).sum_dim(0, false).to_vec::<i64>(), [4, 6]);
    /// ```
    #[track_caller]
    pub fn sum_dim(&self, dims: impl Into<Ints>, keepdim: bool) -> Tensor {
        let over = Over::new("sum", self, dims, keepdim);
        if self.dtype() == DType::Bool {
            apply(Sum(over), &[&self.long()])
        } else {
            apply(Sum(over), &[self])
        }
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::unary("sum", |x| x.sum()).large(&[&[300, 400]]),
        Sample::new("sum over dims", |x| x[0].sum_dim([0, -1], false))
            .on(&[&[2, 3, 4]])
            .on(&[&[1, 1]])
            .on(&[&[0, 2, 3]])
            .large(&[&[40, 33, 50]]),
        Sample::new("sum over neighbours", |x| x[0].sum_dim([2, 1], true))
            .on(&[&[2, 3, 4]])
            .on(&[&[3, 0, 2]]),
        Sample::new("sum over rows", |x| x[0].sum_dim(0, false))
            .on(&[&[5, 3]])
            .on(&[&[0, 3]])
            .large(&[&[999, 77]]),
        Sample::new("sum keeping the dim", |x| x[0].sum_dim(1, true))
            .on(&[&[2, 3, 4]])
            .on(&[&[3, 1]])
            .on(&[&[3, 0]]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::{Tensor, tensor};

    #[test]
    fn integers_and_truth_values_sum_to_integers() {
        assert_eq!(tensor([true, false, true]).sum().item::<i64>(), 2);
        let x = Tensor::arange(0, 24, 1).reshape([2, 3, 4]);
        assert_eq!(x.sum_dim([0, 2], false).to_vec::<i64>(), [60, 92, 124]);
        assert_eq!(tensor(3).sum_dim(0, true).item::<i64>(), 3);
    }

    #[test]
    fn an_empty_sum_is_zero() {
        assert_eq!(Tensor::zeros([0, 3]).sum().item::<f32>(), 0.0);
        assert_eq!(Tensor::zeros([2, 0]).sum_dim(1, false).to_vec::<f32>(), [0.0, 0.0]);
    }

    #[test]
    fn sums_of_permuted_views_follow_the_views_order() {
        let x = Tensor::arange(0, 6, 1).reshape([2, 3]).t();
        assert_eq!(x.sum_dim(0, false).to_vec::<i64>(), [3, 12]);
    }
}
