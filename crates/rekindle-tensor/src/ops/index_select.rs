//! Chosen rows (or columns, ..), copied in the order asked for.

use super::elementwise::filled;
use crate::dtype::{Element, match_dtype, match_float};
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
use crate::shape::dim_index;
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::parallel;
use smallvec::smallvec;

/// Enough elements for a thread to be worth waking.
const ELEMENTS_PER_TASK: usize = 1 << 15;

#[derive(Debug)]
struct IndexSelect {
    dim: usize,
    index: Vec<usize>,
}

impl IndexSelect {
    /// `y[o, j, :] = x[o, index[j], :]`, where `x` is [outer, len, inner].
    fn gather<T: Element>(&self, x: &Tensor, out: &Meta) -> Tensor {
        let (_, len, inner) = x.shape_owned().split_at(self.dim);
        let x = x.data::<T>();
        let (rows, inner) = (self.index.len(), inner.max(1));
        let rows_per_task = (ELEMENTS_PER_TASK / inner).max(1);
        filled(&out.shape, |y| {
            parallel::chunks_mut(y, rows_per_task * inner, |task, y| {
                for (i, y) in y.chunks_exact_mut(inner).enumerate() {
                    let row = task * rows_per_task + i;
                    let from = (row / rows * len + self.index[row % rows]) * inner;
                    y.copy_from_slice(&x[from..from + inner]);
                }
            })
        })
    }

    /// `dx[o, index[j], :] += dy[o, j, :]`, in the order of `j`, so that repeated indices add up the same way
    /// each time.
    fn scatter<T: Element + std::ops::AddAssign>(&self, dy: &Tensor, x: &Meta) -> Tensor {
        let (outer, len, inner) = x.shape.split_at(self.dim);
        let dy = dy.data::<T>();
        filled(&x.shape, |dx: &mut [T]| {
            dx.fill(T::default());
            for o in 0..outer {
                for (j, &i) in self.index.iter().enumerate() {
                    let (to, from) = ((o * len + i) * inner, (o * self.index.len() + j) * inner);
                    dx[to..to + inner].iter_mut().zip(&dy[from..from + inner]).for_each(|(dx, &dy)| *dx += dy);
                }
            }
        })
    }
}

impl Op for IndexSelect {
    fn name(&self) -> &'static str {
        "index_select"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        let size = x[0].shape[self.dim];
        match self.index.iter().position(|&i| i >= size) {
            None => Ok(Meta { shape: x[0].shape.with(self.dim, self.index.len()), dtype: x[0].dtype }),
            Some(at) => Err(format!(
                "index_select: index {} at position {at} is out of range for dimension {} of {:?}; use 0 to {}",
                self.index[at] as isize,
                self.dim,
                x[0].shape,
                size as isize - 1
            )),
        }
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        match_dtype!(out.dtype, T => self.gather::<T>(x[0], out).into())
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let x = &ctx.metas[0];
        smallvec![Some(match_float!("index_select", x.dtype, T => self.scatter::<T>(ctx.grad, x)))]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

impl Tensor {
    /// The entries of dimension `dim` at the places in `index` (i64, one dimension), in that order; an entry may
    /// come several times. The result is a copy.
    ///
    /// # Panics
    /// If an index is out of range (negative ones are), or `index` is not a vector of i64.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let x = tensor([[1, 2], [3, 4], [5, 6]]);
    /// assert_eq!(x.index_select(0, &tensor([2, 0, 2])).to_vec::<i64>(), [5, 6, 1, 2, 5, 6]);
    /// ```
    #[track_caller]
    pub fn index_select(&self, dim: isize, index: &Tensor) -> Tensor {
        if index.dtype() != crate::DType::I64 || index.dim() != 1 {
            panic!(
                "index_select: the index must be a vector of int64, got {} of shape {:?}; use .long() or .flatten(0, -1)",
                index.dtype(),
                index.shape()
            );
        }
        match dim_index("index_select", dim, self.dim()) {
            Ok(_) if self.dim() == 0 => panic!("index_select: a scalar has no dimension to select from"),
            // A negative index becomes a huge one, which the shape rule refuses.
            Ok(dim) => {
                apply(IndexSelect { dim, index: index.data::<i64>().iter().map(|&i| i as usize).collect() }, &[self])
            }
            Err(e) => panic!("{e}"),
        }
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let select = |name, dim| {
        Sample::new(name, move |x| x[0].index_select(dim, &x[1])).with(&[crate::tensor([2, 0, 2, 1])])
    };
    vec![
        select("rows", 0).on(&[&[3, 4]]).on(&[&[3]]).on(&[&[5, 0]]).on(&[&[3, 2, 5]]),
        select("columns", -1).on(&[&[4, 3]]).on(&[&[2, 2, 3]]).on(&[&[0, 3]]),
        select("middle", 1).on(&[&[2, 3, 4]]).on(&[&[2, 4, 1]]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::{Tensor, tensor};

    #[test]
    fn rows_over_several_tasks_match_one_by_one() {
        let x = Tensor::arange(0, 7 * 1000, 1).reshape([7, 1000]);
        let index: Vec<i64> = (0..100).map(|i| i * i % 7).collect();
        let y = x.index_select(0, &Tensor::from_vec(index.clone(), [100]));
        for (row, &i) in index.iter().enumerate() {
            assert_eq!(y.select(0, row as isize).to_vec::<i64>(), x.select(0, i as isize).to_vec::<i64>());
        }
    }

    #[test]
    fn no_index_selects_nothing() {
        let none = Tensor::from_vec(Vec::<i64>::new(), [0]);
        assert_eq!(Tensor::zeros([3, 2]).index_select(0, &none).shape(), [0, 2]);
    }

    #[test]
    #[should_panic(expected = "index_select: index -1 at position 1 is out of range for dimension 0 of [3]; use 0 to 2")]
    fn a_negative_index_panics() {
        tensor([1.0, 2.0, 3.0]).index_select(0, &tensor([0, -1]));
    }
}
