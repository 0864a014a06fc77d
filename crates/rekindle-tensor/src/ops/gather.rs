//! Elements chosen by index along one dimension, and its mirror images, adding or writing to chosen elements.

use super::elementwise::{filled, no_grads, number};
use super::index_select::{check_index, dim_of};
use super::sort::sorted;
use crate::dtype::{Element, Number, match_dtype, match_number};
use crate::gpu;
use crate::numbers;
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
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        taken(x[0], x[1], self.0, out).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let zeros = ctx.grad.new_full(&ctx.metas[0], 0.0);
        smallvec![Some(apply(Scatter { dim: self.0, add: true }, &[&zeros, ctx.input(1), ctx.grad])), None]
    }
    fn input_names(&self) -> &'static [&'static str] {
        &["input", "index"]
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
        if self.add {
            number(self.name(), x)?;
        }
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
            let zeros = ctx.grad.new_full(&ctx.metas[2], 0.0);
            apply(Scatter { dim: self.dim, add: false }, &[ctx.grad, index, &zeros])
        });
        grads[2] = ctx.needs[2].then(|| apply(Gather(self.dim), &[ctx.grad, index]));
        grads
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let (outer, count, inner) = x[1].shape_owned().split_at(self.dim);
        let lists = x[1].reshape([outer, count, inner]).transpose(1, 2);
        placed(x, &lists, self.dim, self.add, out).into()
    }
    fn input_names(&self) -> &'static [&'static str] {
        &["input", "index", "source"]
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

/// The elements at an index along `dim` on a GPU: one index for all blocks and columns, or an element of its own for each
/// result. What is out of range is NaN, or 0 of integers.
pub(super) fn taken(x: &Tensor, index: &Tensor, dim: usize, out: &Meta) -> Tensor {
    let ((_, len, inner), (_, count, _)) = (x.shape_owned().split_at(dim), out.shape.split_at(dim));
    let gpu = gpu::of(&[x]);
    let (y, n) = (gpu::empty(&gpu, out), out.shape.numel());
    let missing = if out.dtype.is_float() { gpu::Number::Float(f32::NAN) } else { 0usize.into() };
    let own = usize::from(index.shape() == &out.shape[..]);
    let numbers = [&numbers![n, len, count, inner, own][..], &[missing]].concat();
    gpu::launch(&gpu, &TAKE, &[x, index], &[&y], &numbers, gpu::threads(n));
    y
}

/// Elements are moved as words, whatever their type.
const TAKE: gpu::Text = gpu::Text::new(
    "take",
    "x: u32, index: i32 -> y: u32",
    "n, len, count, inner, own, missing",
    "
fn each(i: u32) {
    let k = u32(index[select((i / p.inner) % p.count, i, p.own == 1u)]);
    var value = p.missing;
    if (k < p.len) { value = x[(i / p.inner / p.count * p.len + k) * p.inner + i % p.inner]; }
    y[i] = value;
}
",
);

/// `x[0]` with the elements of `x[2]` set or added at an index along `dim`, on a GPU. `lists` has the index in its last
/// dimension: one for all, or one for each block and column. What is out of range is left out.
///
/// The lists are sorted, so that every element of the result finds its own sources, in their order: no two threads write to one place, and
/// sums have the same bits each time.
pub(super) fn placed(x: &[&Tensor], lists: &Tensor, dim: usize, add: bool, out: &Meta) -> Tensor {
    let ((_, len, inner), count) = (out.shape.split_at(dim), lists.size(-1));
    let gpu = gpu::of(x);
    let (keys, order) = sorted(&gpu, lists);
    let t = if add { gpu::wgsl(out.dtype) } else { "u32" };
    let text = gpu::Text {
        name: format!("place, add {add}, {t}").into(),
        io: format!("x: {t}, keys: i32, order: u32, source: {t} -> y: {t}").into(),
        params: "n, len, count, inner, own".into(),
        body: PLACE.replace("{value}", if add { "value + source[at]" } else { "source[at]" }).into(),
    };
    let (y, n) = (gpu::empty(&gpu, out), out.shape.numel());
    let numbers = numbers![n, len, count, inner, usize::from(lists.dim() > 1)];
    gpu::launch(&gpu, &text, &[x[0], &keys, &order, x[2]], &[&y], &numbers, gpu::threads(n));
    y
}

/// The first of an element's sources is found by bisection.
const PLACE: &str = "
fn each(i: u32) {
    let column = i % p.inner;
    let place = i32((i / p.inner) % p.len);
    let block = i / p.inner / p.len;
    let list = select(0u, block * p.inner + column, p.own == 1u) * p.count;
    var low = 0u;
    var high = p.count;
    while (low < high) {
        let middle = (low + high) / 2u;
        if (keys[list + middle] < place) { low = middle + 1u; } else { high = middle; }
    }
    var value = x[i];
    for (var s = low; s < p.count; s++) {
        if (keys[list + s] != place) { break; }
        let at = (block * p.count + order[list + s]) * p.inner + column;
        value = {value};
    }
    y[i] = value;
}
";

impl Tensor {
    /// `y[i][j] = x[i][index[i][j]]` for `dim` 1, and so for other dimensions and ranks; the result has the shape of
    /// the index. Along other dimensions than `dim`, the index may be smaller than the tensor. On a GPU, an index out of range
    /// gives NaN, or 0 of integers, instead of a panic.
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
    /// indices add up. All sizes but that of `dim` agree. On a GPU, an index out of range is left out instead of a panic.
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
    /// the last wins. All sizes but that of `dim` agree. `source` may be a number. On a GPU, an index out of range is left out
    /// instead of a panic.
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
        let source = if is_number {
            x.new_full(&Meta::new([], x.dtype()), source.value()).expand(index.shape())
        } else {
            source.into_owned()
        };
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
        Sample::new("scatter_add to many", |x| x[0].scatter_add(0, &((&x[1] * 100.0).long() + 250), &x[1]))
            .on(&[&[500, 2], &[3, 2]])
            .large(&[&[500, 3], &[3000, 3]]),
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
