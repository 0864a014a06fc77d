//! Product over all elements or one dimension.

use super::elementwise::filled;
use super::reduction::Over;
use crate::dtype::{DType, match_float, match_number};
use crate::gpu::{self, fold::Fold, scan::Scan, scan::scan};
use crate::op::{Context, Grads, Meta, Op, Output, apply};
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::real::Real;
use rekindle_kernels::reduce;
use smallvec::smallvec;

/// Products on a GPU.
const PRODUCT: Fold = Fold { name: "product", identity: "1", combine: "a * b" };

#[derive(Debug)]
struct Prod(Over);

impl Op for Prod {
    fn name(&self) -> &'static str {
        "prod"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        Ok(Meta { shape: self.0.result(&x[0].shape), dtype: x[0].dtype })
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        if out.dtype == DType::I64 {
            let prod = |x: &[i64], o, l, i, y: &mut [i64]| reduce::fold(x, o, l, i, y, 1, i64::wrapping_mul);
            return Tensor::from_vec(self.0.run(x[0], prod), &out.shape).into();
        }
        match_number!("prod", out.dtype, T => {
            let prod = |x: &[T], o, l, i, y: &mut [T]| reduce::fold(x, o, l, i, y, 1 as T, |a, b| a * b);
            Tensor::from_vec(self.0.run(x[0], prod), &out.shape).into()
        })
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let x = ctx.input(0);
        let shape = x.shape_owned();
        let (_, len, inner) = self.0.dims.first().map_or((1, 1, 1), |&dim| shape.split_at(dim));
        smallvec![Some(match_float!("prod", x.dtype(), T => filled(&shape, |dx| {
            others(&x.data::<T>(), &ctx.grad.data::<T>(), len, inner, dx);
        })))]
    }
    fn forward_gpu(&self, x: &[&Tensor], _: &Meta) -> Output {
        self.0.fold(x[0], PRODUCT).into()
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        let (x, shape) = (ctx.input(0), &ctx.metas[0].shape);
        let (outer, len, inner) = self.0.dims.first().map_or((1, 1, 1), |&dim| shape.split_at(dim));
        let gpu = gpu::of(&[x]);
        let [before, after] = [false, true]
            .map(|reverse| scan(&gpu, x, [outer, len, inner], PRODUCT, Scan { reverse, exclusive: true }));
        let operands = [&self.0.widened(ctx.grad, shape), &before, &after];
        smallvec![Some(gpu::map(&gpu, "a * b * c", &operands, &[], &ctx.metas[0]))]
    }
}

/// `dx = dy` times the product of the other elements: of those before, from a first walk, and of those after, from one
/// back. Nothing is divided, so zeros are no special case.
fn others<T: Real>(x: &[T], dy: &[T], len: usize, inner: usize, dx: &mut [T]) {
    let block = (len * inner).max(1);
    for (o, (x, dx)) in x.chunks_exact(block).zip(dx.chunks_exact_mut(block)).enumerate() {
        for i in 0..inner {
            let mut before = dy[o * inner + i];
            for at in (i..block).step_by(inner) {
                dx[at] = before;
                before *= x[at];
            }
            let mut after = T::ONE;
            for at in (i..block).step_by(inner).rev() {
                dx[at] *= after;
                after *= x[at];
            }
        }
    }
}

impl Tensor {
    /// The product of all elements; 1 for none. Truth values are counted as i64. The gradient of an element is the
    /// product of the others.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([2, 3, 4]).prod().item::<i64>(), 24);
    /// ```
    #[track_caller]
    pub fn prod(&self) -> Tensor {
        self.reshape([-1]).prod_dim(0, false)
    }

    /// The product along one dimension, which is dropped or kept with size 1.
    ///
    /// # Panics
    /// If the dimension is out of range.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[1, 2], [3, 4]]).prod_dim(1, false).to_vec::<i64>(), [2, 12]);
    /// ```
    #[track_caller]
    pub fn prod_dim(&self, dim: isize, keepdim: bool) -> Tensor {
        let over = Over::new("prod", self, dim, keepdim);
        if self.dtype() == DType::Bool {
            apply(Prod(over), &[&self.long()])
        } else {
            apply(Prod(over), &[self])
        }
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::new("prod", |x| x[0].prod()).on(&[&[2, 3]]).on(&[&[1]]).on(&[&[]]),
        Sample::new("prod over a dim", |x| x[0].prod_dim(1, false))
            .on(&[&[2, 3, 4]])
            .on(&[&[2, 0, 3]])
            .large(&[&[300, 7, 40]]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::{Tensor, tensor};

    #[test]
    fn gradients_pass_one_zero_and_stop_at_two() {
        let x = tensor([[2.0, 0.0, 5.0], [0.0, 0.0, 5.0]]).requires_grad_(true);
        x.prod_dim(1, false).sum().backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.0, 10.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(Tensor::zeros([0]).prod().item::<f32>(), 1.0);
    }
}
