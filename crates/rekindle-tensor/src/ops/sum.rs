//! Sum over all or some dimensions.

use crate::op::mistake;
use super::elementwise::filled;
use crate::dtype::{DType, match_number};
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
use crate::shape::{Dims, Ints, Shape, dim_indices};
use crate::tensor::Tensor;
use crate::testing::Sample;
use smallvec::smallvec;

/// Sums over the given dimensions, which stay with size 1.
#[derive(Debug)]
struct Sum(Dims);

/// The shape after a reduction that keeps its dimensions with size 1.
pub(crate) fn kept(shape: &Shape, dims: &[usize]) -> Shape {
    let mut out = shape.clone();
    dims.iter().for_each(|&d| out.0[d] = 1);
    out
}

/// Drops the dimensions that a reduction left with size 1, unless they are to be kept.
pub(crate) fn drop_dims(x: Tensor, dims: &[usize], keepdim: bool) -> Tensor {
    if keepdim || dims.is_empty() {
        return x;
    }
    let left: Vec<usize> = (0..x.dim()).filter(|d| !dims.contains(d)).map(|d| x.shape()[d]).collect();
    x.reshape(left)
}

impl Op for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        Ok(Meta { shape: kept(&x[0].shape, &self.0), dtype: x[0].dtype })
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        match_number!("sum", out.dtype, T => {
            // The reduced dimensions move together so that the kernel sees [outer, len, inner].
            let mut shape = x[0].shape_owned();
            let mut data = x[0].to_vec::<T>();
            for &d in self.0.iter().rev() {
                let (outer, len, inner) = shape.split_at(d);
                data = (0..outer * inner)
                    .map(|i| (0..len).fold(T::default(), |s, l| s + data[(i / inner * len + l) * inner + i % inner]))
                    .collect();
                shape = shape.with(d, 1);
            }
            filled(&out.shape, |y| y.copy_from_slice(&data)).into()
        })
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        smallvec![Some(ctx.grad.expand(&ctx.metas[0].shape))]
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
        let x = if self.dtype() == DType::Bool { self.long() } else { self.clone() };
        match dim_indices("sum", &dims.into(), x.dim()) {
            Ok(dims) if x.dim() == 0 => drop_dims(x.copy(), &dims[..0], keepdim),
            Ok(dims) => drop_dims(apply(Sum(dims.clone()), &[&x]), &dims, keepdim),
            Err(e) => mistake!("{e}"),
        }
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::unary("sum", |x| x.sum()),
        Sample::new("sum over dims", |x| x[0].sum_dim([0, -1], false)).on(&[&[2, 3, 4]]).on(&[&[1, 1]]).on(&[&[0, 2, 3]]),
        Sample::new("sum keeping the dim", |x| x[0].sum_dim(1, true)).on(&[&[2, 3, 4]]).on(&[&[3, 1]]).on(&[&[3, 0]]),
    ]
}
