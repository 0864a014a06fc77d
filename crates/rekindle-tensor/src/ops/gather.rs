//! Elements chosen by index along one dimension, and its mirror images, adding or writing to chosen elements.

use super::elementwise::{filled, no_grads};
use super::index_select::{check_index, dim_of};
use crate::dtype::{Element, Number, match_dtype, match_number};
use crate::op::{Context, Grads, Meta, Op, Output, apply};
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::parallel::chunks_mut;
use smallvec::smallvec;

/// `y[o][k][i] = x[o][index[o][k][i]][i]`; the inputs are x and the index.
#[derive(Debug)]
struct Gather(usize);

impl Op for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        fits("gather", &x[0], &x[1], self.0)?;
        Ok(Meta { shape: x[1].shape.clone(), dtype: x[0].dtype })
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let (_, len, inner) = x[0].shape_owned().split_at(self.0);
        let (_, count, _) = out.shape.split_at(self.0);
        let index = x[1].data::<i64>();
        match_dtype!(out.dtype, T => filled(&out.shape, |y: &mut [T]| {
            let (x, block) = (x[0].data::<T>(), (count * inner).max(1));
            let blocks = (16 * 1024 / block).max(1);
            chunks_mut(y, blocks * block, |chunk, y| {
                let start = chunk * blocks * block;
                for (at, (y, &k)) in y.iter_mut().zip(&index[start..]).enumerate() {
                    let (o, i) = ((start + at) / block, at % inner);
                    *y = x[(o * len + k as usize) * inner + i];
                }
            });
        }))
        .into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let zeros = Tensor::full_of(&ctx.metas[0].shape, 0.0, ctx.metas[0].dtype);
        smallvec![Some(apply(Scatter { dim: self.0, add: true }, &[&zeros, ctx.input(1), ctx.grad])), None]
    }
}

/// Every size but that of `dim` must agree (larger sources were narrowed).
fn fits(op: &str, x: &Meta, index: &Meta, dim: usize) -> Result<(), String> {
    if x.shape.len() == index.shape.len() && x.shape.with(dim, 0) == index.shape.with(dim, 0) {
        return Ok(());
    }
    Err(format!(
        "{op}: an index of {} does not fit {} along dimension {dim}; the other dimensions must not be larger",
        index.shape, x.shape
    ))
}

/// `y = x`, then `y[o][index[o][k][i]][i]` is set, or increased (`add`), by `source[o][k][i]`; the inputs are x, the
/// index and the source.
#[derive(Debug)]
struct Scatter {
    dim: usize,
    add: bool,
}

impl Op for Scatter {
    fn name(&self) -> &'static str {
        if self.add { "scatter_add" } else { "scatter" }
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        fits(self.name(), &x[0], &x[1], self.dim)?;
        if x[2].shape != x[1].shape || x[2].dtype != x[0].dtype {
            return Err(format!(
                "{}: the source is {} {} but the index needs {} {}",
                self.name(),
                x[2].dtype,
                x[2].shape,
                x[0].dtype,
                x[1].shape
            ));
        }
        Ok(x[0].clone())
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let (_, len, inner) = out.shape.split_at(self.dim);
        let index = x[1].data::<i64>();
        let y = if self.add {
            match_number!("scatter_add", out.dtype, T => {
                scattered(x[0], &index, &x[2].data::<T>(), len, inner, |y: &mut T, s| *y = y.plus(s))
            })
        } else {
            match_dtype!(out.dtype, T => scattered(x[0], &index, &x[2].data::<T>(), len, inner, |y: &mut T, s| *y = s))
        };
        y.into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let index = ctx.input(1);
        let mut grads = no_grads(3);
        grads[0] = ctx.needs[0].then(|| {
            if self.add {
                return ctx.grad.clone();
            }
            let zeros = Tensor::full_of(index.shape(), 0.0, ctx.grad.dtype());
            apply(Scatter { dim: self.dim, add: false }, &[ctx.grad, index, &zeros])
        });
        grads[2] = ctx.needs[2].then(|| apply(Gather(self.dim), &[ctx.grad, index]));
        grads
    }
}

/// Each outer block is written by one task in the order of the index, whatever the number of threads.
fn scattered<T: Element>(
    x: &Tensor,
    index: &[i64],
    source: &[T],
    len: usize,
    inner: usize,
    write: impl Fn(&mut T, T) + Sync,
) -> Tensor {
    let mut y = x.to_vec::<T>();
    let block = (len * inner).max(1);
    let from = index.len() / (y.len() / block).max(1);
    let blocks = (16 * 1024 / block.max(from).max(1)).max(1);
    chunks_mut(&mut y, blocks * block, |chunk, y| {
        for (b, y) in y.chunks_exact_mut(block).enumerate() {
            let start = (chunk * blocks + b) * from;
            let pairs = index[start..start + from].iter().zip(&source[start..]);
            for (at, (&k, &s)) in pairs.enumerate() {
                write(&mut y[k as usize * inner + at % inner], s);
            }
        }
    });
    Tensor::from_vec(y, x.shape())
}

impl Tensor {
    /// `y[i][j] = x[i][index[i][j]]` for `dim` 1, and so for other dimensions and ranks; the result has the shape of
    /// the index. Along other dimensions than `dim`, the index may be smaller than the tensor.
    ///
    /// # Panics
    /// If the index is not i64, has another rank, or names an element that is not there.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let x = tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.gather(1, &tensor([[1], [0]])).to_vec::<f32>(), [2.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn gather(&self, dim: isize, index: &Tensor) -> Tensor {
        if self.dim() == 0 && index.dim() == 0 {
            return self.reshape([1]).gather(dim, &index.reshape([1])).reshape(&index.shape_owned());
        }
        let (dim, x) = dim_of("gather", self, dim);
        check_index("gather", index, dim, x.shape());
        let larger = (0..x.dim()).filter(|&d| d != dim && x.dim() == index.dim());
        let x = larger.fold(x.clone(), |x, d| match index.shape()[d] {
            n if n < x.shape()[d] => x.narrow(d as isize, 0, n),
            _ => x,
        });
        apply(Gather(dim), &[&x, index])
    }

    /// The tensor with `source[i][j]` added to `y[i][index[i][j]]` for `dim` 1, and so for other dimensions; equal
    /// indices add up. All sizes but that of `dim` agree.
    ///
    /// # Panics
    /// If the index is not i64 or names an element that is not there, or shapes or types do not fit.
    ///
    /// ```
    /// # use rekindle_tensor::{tensor, Tensor};
    /// let y = Tensor::zeros([3]).scatter_add(0, &tensor([2, 0, 2]), &tensor([1.0, 2.0, 4.0]));
    /// assert_eq!(y.to_vec::<f32>(), [2.0, 0.0, 5.0]);
    /// ```
    #[track_caller]
    pub fn scatter_add(&self, dim: isize, index: &Tensor, source: &Tensor) -> Tensor {
        let (dim, x) = dim_of("scatter_add", self, dim);
        check_index("scatter_add", index, dim, x.shape());
        apply(Scatter { dim, add: true }, &[&x, index, source])
    }

    /// The tensor with `y[i][index[i][j]] = source[i][j]` for `dim` 1, and so for other dimensions; of equal indices
    /// the last wins. All sizes but that of `dim` agree. `source` may be a number.
    ///
    /// # Panics
    /// If the index is not i64 or names an element that is not there, or shapes or types do not fit.
    ///
    /// ```
    /// # use rekindle_tensor::{tensor, Tensor};
    /// let one_hot = Tensor::zeros([2, 3]).scatter(1, &tensor([[2], [0]]), 1.0);
    /// assert_eq!(one_hot.to_vec::<f32>(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn scatter(&self, dim: isize, index: &Tensor, source: impl crate::Operand) -> Tensor {
        let (dim, x) = dim_of("scatter", self, dim);
        check_index("scatter", index, dim, x.shape());
        let (source, is_number) = source.operand();
        let source = if is_number { source.to(x.dtype()).expand(index.shape()) } else { source.into_owned() };
        apply(Scatter { dim, add: false }, &[&x, index, &source])
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let columns = [Tensor::from_vec(vec![2i64, 0, 2, 1, 1, 0], [2, 3])];
    let empty = [Tensor::from_vec(Vec::<i64>::new(), [0, 1])];
    let distinct = [Tensor::from_vec(vec![3i64, 0, 2, 1], [2, 2])];
    vec![
        Sample::new("gather", |x| x[0].gather(1, &x[1]))
            .on(&[&[2, 3]])
            .on(&[&[2, 5]])
            .on(&[&[4, 3]])
            .with(&columns),
        Sample::new("gather columns", |x| x[0].gather(0, &x[1])).on(&[&[3, 3]]).on(&[&[3, 4]]).with(&columns),
        Sample::new("gather nothing", |x| x[0].gather(1, &x[1])).on(&[&[0, 1]]).with(&empty),
        Sample::new("scatter_add", |x| x[0].scatter_add(1, &x[2], &x[1]))
            .on(&[&[2, 3], &[2, 3]])
            .on(&[&[2, 5], &[2, 3]])
            .with(&columns),
        Sample::new("scatter_add nothing", |x| x[0].scatter_add(1, &x[2], &x[1]))
            .on(&[&[0, 1], &[0, 1]])
            .with(&empty),
        Sample::new("scatter nothing", |x| x[0].scatter(1, &x[2], &x[1]))
            .on(&[&[0, 1], &[0, 1]])
            .with(&empty),
        Sample::new("scatter", |x| x[0].scatter(1, &x[2], &x[1]))
            .on(&[&[2, 4], &[2, 2]])
            .on(&[&[2, 7], &[2, 2]])
            .with(&distinct),
        Sample::new("scatter a number", |x| x[0].scatter(1, &x[1], 1.5)).on(&[&[2, 4]]).with(&distinct),
        Sample::new("gather many rows", |x| x[0].gather(1, &x[0].argmax_dim(1, true)))
            .on(&[&[3, 4]])
            .large(&[&[9000, 10]]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::{Tensor, tensor};

    #[test]
    fn gather_agrees_with_its_definition() {
        let x = Tensor::arange(0, 24, 1).reshape([2, 3, 4]);
        let index = tensor([[[2, 0, 1, 1]], [[0, 0, 2, 1]]]);
        let y = x.gather(1, &index).to_vec::<i64>();
        let (x, k) = (x.to_vec::<i64>(), index.to_vec::<i64>());
        let expected: Vec<i64> = (0..2)
            .flat_map(|o| (0..4).map(move |i| (o, i)))
            .map(|(o, i)| x[o * 12 + k[o * 4 + i] as usize * 4 + i])
            .collect();
        assert_eq!(y, expected);
    }

    #[test]
    #[should_panic(expected = "gather: an index of [1] does not fit [2, 3] along dimension 1")]
    fn the_index_has_the_tensors_rank() {
        Tensor::zeros([2, 3]).gather(1, &tensor([0]));
    }

    #[test]
    #[should_panic(expected = "gather: index -1 is out of range for dimension 1 of [1, 3]; use 0 to 2")]
    fn negative_indices_are_refused() {
        Tensor::zeros([1, 3]).gather(1, &tensor([[-1]]));
    }
}
