//! Tensors joined along a dimension, or stacked along a new one, and cut apart again.

use super::elementwise::filled;
use crate::dtype::{DType, match_dtype};
use crate::gpu;
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply, mistake};
use crate::shape::dim_index;
use crate::tensor::Tensor;
use crate::testing::Sample;
use std::borrow::Borrow;

#[derive(Debug)]
struct Cat(usize);

impl Op for Cat {
    fn name(&self) -> &'static str {
        "cat"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        let first = &x[0];
        let bare = |m: &Meta| (m.shape.len() > self.0).then(|| m.shape.with(self.0, 0));
        for m in &x[1..] {
            if m.dtype != first.dtype {
                return Err(format!(
                    "cat: element types differ: {} and {}; convert with .to(..)",
                    first.dtype, m.dtype
                ));
            }
            if bare(m).is_none() || bare(m) != bare(first) {
                return Err(format!(
                    "cat: {} and {} cannot be joined along dimension {}; the other dimensions must agree",
                    first.shape, m.shape, self.0
                ));
            }
        }
        Ok(Meta {
            shape: first.shape.with(self.0, x.iter().map(|m| m.shape[self.0]).sum()),
            dtype: first.dtype,
        })
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let (_, len, inner) = out.shape.split_at(self.0);
        match_dtype!(out.dtype, T => filled(&out.shape, |y: &mut [T]| {
            let mut start = 0;
            for x in x {
                let width = x.shape()[self.0] * inner;
                let data = x.data::<T>();
                for (row, x) in y.chunks_exact_mut((len * inner).max(1)).zip(data.chunks_exact(width.max(1))) {
                    row[start..start + width].copy_from_slice(x);
                }
                start += width;
            }
        }))
        .into()
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let gpu = gpu::of(x);
        let (y, mut start) = (gpu::empty(&gpu, out), 0);
        for x in x {
            let len = x.shape()[self.0];
            gpu::map_into(&gpu, "a", &[x], &[], &y.narrow(self.0 as isize, start, len));
            start += len;
        }
        y.into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let mut start = 0;
        let parts = ctx.metas.iter().zip(ctx.needs).map(|(m, needs)| {
            let len = m.shape[self.0];
            start += len;
            needs.then(|| ctx.grad.narrow(self.0 as isize, start - len, len))
        });
        parts.collect()
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

impl Tensor {
    /// The tensors (or references to them) one after another along an existing dimension, in their common type.
    ///
    /// # Panics
    /// If there are none, or their sizes differ in another dimension.
    ///
    /// ```
    /// # use rekindle_tensor::{tensor, Tensor};
    /// let x = tensor([[1, 2]]);
    /// assert_eq!(Tensor::cat(&[&x, &x], 0).shape(), [2, 2]);
    /// assert_eq!(Tensor::cat(&[&x, &x], 1).to_vec::<i64>(), [1, 2, 1, 2]);
    /// ```
    #[track_caller]
    pub fn cat(tensors: &[impl Borrow<Tensor>], dim: isize) -> Tensor {
        let tensors: Vec<&Tensor> = tensors.iter().map(Borrow::borrow).collect();
        let Some(first) = tensors.first() else { mistake!("cat: needs at least one tensor, got none") };
        if first.dim() == 0 {
            mistake!("cat: scalars have no dimension to join along; use Tensor::stack");
        }
        let dim = match dim_index("cat", dim, first.dim()) {
            Ok(dim) => dim,
            Err(e) => mistake!("{e}"),
        };
        let kind = |t: &Tensor| (t.dtype(), t.dim() == 0);
        let dtype = tensors.iter().fold(first.dtype(), |dtype, t| DType::promote((dtype, false), kind(t)));
        if tensors.iter().all(|t| t.dtype() == dtype) {
            return apply(Cat(dim), &tensors);
        }
        let promoted: Vec<Tensor> = tensors.iter().map(|t| t.to(dtype)).collect();
        apply(Cat(dim), &promoted.iter().collect::<Vec<_>>())
    }

    /// Tensors of one shape one after another along a new dimension, in their common type.
    ///
    /// # Panics
    /// If there are none, or their shapes differ.
    ///
    /// ```
    /// # use rekindle_tensor::{tensor, Tensor};
    /// let (a, b) = (tensor([1, 2]), tensor([3, 4]));
    /// assert_eq!(Tensor::stack(&[&a, &b], 0).to_vec::<i64>(), [1, 2, 3, 4]);
    /// assert_eq!(Tensor::stack(&[&a, &b], -1).to_vec::<i64>(), [1, 3, 2, 4]);
    /// ```
    #[track_caller]
    pub fn stack(tensors: &[impl Borrow<Tensor>], dim: isize) -> Tensor {
        let tensors: Vec<&Tensor> = tensors.iter().map(Borrow::borrow).collect();
        let Some(first) = tensors.first() else { mistake!("stack: needs at least one tensor, got none") };
        if let Some(other) = tensors.iter().find(|t| t.shape() != first.shape()) {
            mistake!(
                "stack: shapes differ: {:?} and {:?}; cat joins along an existing dimension",
                first.shape(),
                other.shape()
            );
        }
        let dim = match dim_index("stack", dim, first.dim() + 1) {
            Ok(dim) => dim as isize,
            Err(e) => mistake!("{e}"),
        };
        let raised: Vec<Tensor> = tensors.iter().map(|t| t.unsqueeze(dim)).collect();
        Tensor::cat(&raised, dim)
    }

    /// Views of `size` indices each along `dim`; the last may be shorter.
    ///
    /// # Panics
    /// If `size` is 0.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// let parts = Tensor::arange(0, 5, 1).split(2, 0);
    /// assert_eq!(parts.iter().map(|p| p.numel()).collect::<Vec<_>>(), [2, 2, 1]);
    /// ```
    #[track_caller]
    pub fn split(&self, size: usize, dim: isize) -> Vec<Tensor> {
        if size == 0 {
            mistake!("split: parts of size 0 never reach the end; give a size of at least 1");
        }
        let n = self.size(dim);
        // An empty dimension gives one empty part, as in PyTorch.
        let starts = (0..n.max(1)).step_by(size);
        starts.map(|start| self.narrow(dim, start, size.min(n - start))).collect()
    }

    /// At most `n` views of equal size along `dim`; the last may be shorter.
    ///
    /// # Panics
    /// If `n` is 0.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::arange(0, 5, 1).chunk(2, 0)[1].to_vec::<i64>(), [3, 4]);
    /// ```
    #[track_caller]
    pub fn chunk(&self, n: usize, dim: isize) -> Vec<Tensor> {
        if n == 0 {
            mistake!("chunk: cannot cut into 0 parts");
        }
        self.split(self.size(dim).div_ceil(n).max(1), dim)
    }

    /// The views at every index along `dim`, without that dimension: the rows of a matrix for `dim` 0.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[1, 2], [3, 4]]).unbind(0)[1].to_vec::<i64>(), [3, 4]);
    /// ```
    #[track_caller]
    pub fn unbind(&self, dim: isize) -> Vec<Tensor> {
        if self.dim() == 0 {
            mistake!("unbind: a scalar has no dimension to cut");
        }
        (0..self.size(dim)).map(|i| self.select(dim, i as isize)).collect()
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::new("cat", |x| Tensor::cat(&[&x[0], &x[1], &x[0]], 1))
            .on(&[&[2, 3], &[2, 1]])
            .on(&[&[2, 0, 3], &[2, 2, 3]])
            .on(&[&[0, 1], &[0, 2]])
            .large(&[&[300, 200], &[300, 100]]),
        Sample::new("stack", |x| Tensor::stack(&[&x[0], &x[1]], -1)).on(&[&[2, 3], &[2, 3]]).on(&[&[], &[]]),
        Sample::new("split", |x| Tensor::cat(&x[0].split(2, 0).iter().rev().collect::<Vec<_>>(), 0))
            .on(&[&[5, 2]])
            .on(&[&[0, 2]]),
        Sample::new("unbind", |x| Tensor::stack(&x[0].unbind(1).iter().rev().collect::<Vec<_>>(), 0))
            .on(&[&[2, 3]]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::{Tensor, tensor};

    #[test]
    #[should_panic(
        expected = "cat: [2, 3] and [3, 3] cannot be joined along dimension 1; the other dimensions must agree"
    )]
    fn sizes_must_agree_elsewhere() {
        Tensor::cat(&[&Tensor::zeros([2, 3]), &Tensor::zeros([3, 3])], 1);
    }

    #[test]
    fn chunks_are_views_that_join_to_the_whole() {
        let x = Tensor::arange(0, 14, 1).reshape([7, 2]);
        let parts = x.chunk(3, 0);
        assert_eq!(parts.iter().map(|p| p.size(0)).collect::<Vec<_>>(), [3, 3, 1]);
        assert!(parts.iter().all(|p| p.shares_memory(&x)));
        assert!(Tensor::cat(&parts, 0).equal(&x));
        assert_eq!(tensor([[true], [false]]).unbind(0)[1].to_vec::<bool>(), [false]);
    }
}
