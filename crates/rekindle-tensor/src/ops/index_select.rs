//! Rows (or slices along any dimension) chosen by index, and its mirror image, adding to chosen rows.

use super::elementwise::{filled, no_grads, number};
use super::gather::{placed, taken};
use crate::device::Device;
use crate::dtype::{DType, Element, Number, match_dtype, match_number};
use crate::gpu;
use crate::op::{Context, Grads, Meta, Op, Output, apply, mistake};
use crate::shape::{Shape, dim_index};
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::parallel::chunks_mut;
use smallvec::smallvec;

/// Elements that one task copies.
const CHUNK: usize = 16 * 1024;

/// `y[o][k][i] = x[o][index[k]][i]`; the inputs are x and the index.
#[derive(Debug)]
struct IndexSelect(usize);

impl Op for IndexSelect {
    fn name(&self) -> &'static str {
        "index_select"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        Ok(Meta { shape: x[0].shape.with(self.0, x[1].shape.numel()), dtype: x[0].dtype })
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let (_, len, inner) = x[0].shape_owned().split_at(self.0);
        let index = x[1].data::<i64>();
        match_dtype!(out.dtype, T => filled(&out.shape, |y| {
            take(&x[0].data::<T>(), len, inner, &index, y);
        }))
        .into()
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        taken(x[0], x[1], self.0, out).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let zeros = ctx.grad.new_full(&ctx.metas[0], 0.0);
        smallvec![Some(apply(IndexAdd(self.0), &[&zeros, ctx.input(1), ctx.grad])), None]
    }
    fn input_names(&self) -> &'static [&'static str] {
        &["input", "index"]
    }
}

/// Copies slices of `inner` elements; the index repeats for each of the `outer` blocks.
fn take<T: Element>(x: &[T], len: usize, inner: usize, index: &[i64], y: &mut [T]) {
    let (count, inner) = (index.len().max(1), inner.max(1));
    let slices = (CHUNK / inner).max(1);
    chunks_mut(y, slices * inner, |chunk, y| {
        for (s, y) in y.chunks_exact_mut(inner).enumerate() {
            let slice = chunk * slices + s;
            let from = (slice / count * len + index[slice % count] as usize) * inner;
            // Single elements are the common case of a vector; a call of memcpy costs more than they do.
            if inner == 1 { y[0] = x[from] } else { y.copy_from_slice(&x[from..from + inner]) }
        }
    });
}

/// `y = x; y[o][index[k]][i] += source[o][k][i]`; the inputs are x, the index and the source.
#[derive(Debug)]
struct IndexAdd(usize);

impl Op for IndexAdd {
    fn name(&self) -> &'static str {
        "index_add"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        number("index_add", x)?;
        let want = x[0].shape.with(self.0, x[1].shape.numel());
        if x[2].shape != want || x[2].dtype != x[0].dtype {
            return Err(format!(
                "index_add: the source is {} {} but {} {want} fits the tensor and the index",
                x[2].dtype, x[2].shape, x[0].dtype
            ));
        }
        Ok(x[0].clone())
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let (_, len, inner) = out.shape.split_at(self.0);
        let index = x[1].data::<i64>();
        match_number!("index_add", out.dtype, T => {
            let mut y = x[0].to_vec::<T>();
            let source = x[2].data::<T>();
            let (block, from) = ((len * inner).max(1), index.len() * inner);
            // Each outer block is one task, so equal indices add up in order, whatever the number of threads.
            chunks_mut(&mut y, block, |o, y| {
                for (&k, source) in index.iter().zip(source[o * from..(o + 1) * from].chunks_exact(inner.max(1))) {
                    let at = k as usize * inner;
                    for (y, &s) in y[at..at + inner].iter_mut().zip(source) {
                        *y = y.plus(s);
                    }
                }
            });
            Tensor::from_vec(y, &out.shape)
        })
        .into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let mut grads = no_grads(3);
        grads[0] = ctx.needs[0].then(|| ctx.grad.clone());
        grads[2] = ctx.needs[2].then(|| apply(IndexSelect(self.0), &[ctx.grad, ctx.input(1)]));
        grads
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        placed(x, &x[1].reshape([-1]), self.0, true, out).into()
    }
    fn input_names(&self) -> &'static [&'static str] {
        &["input", "index", "source"]
    }
}

/// Refuses indices that are not i64 or not in `0..size`. Nobody waits for a GPU to look at what is there; the kernels guard themselves.
#[track_caller]
pub(crate) fn check_index(op: &str, index: &Tensor, dim: usize, shape: &[usize]) {
    if index.dtype() != DType::I64 {
        mistake!("{op}: the index must be i64, got {}; convert with .long()", index.dtype());
    }
    if index.device() != Device::Cpu {
        return;
    }
    let size = shape.get(dim).copied().unwrap_or(1);
    if let Some(bad) = index.data::<i64>().iter().find(|&&i| i < 0 || i as usize >= size) {
        mistake!(
            "{op}: index {bad} is out of range for dimension {dim} of {shape:?}; use 0 to {}",
            size as i64 - 1
        );
    }
}

/// The dimension as an index, and the tensor with a dimension if it has none.
#[track_caller]
pub(crate) fn dim_of(op: &str, x: &Tensor, dim: isize) -> (usize, Tensor) {
    match dim_index(op, dim, x.dim()) {
        Ok(d) if x.dim() == 0 => (d, x.reshape([1])),
        Ok(d) => (d, x.clone()),
        Err(e) => mistake!("{e}"),
    }
}

impl Tensor {
    /// The slices along `dim` whose numbers stand in `index`, in that order and as often: rows of a matrix for `dim` 0.
    /// On a GPU, an index out of range gives NaN, or 0 of integers, instead of a panic.
    ///
    /// # Panics
    /// If the index is not i64, has more than one dimension, or names a slice that is not there.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let x = tensor([[1, 2], [3, 4], [5, 6]]);
    /// assert_eq!(x.index_select(0, &tensor([2, 0])).to_vec::<i64>(), [5, 6, 1, 2]);
    /// ```
    #[track_caller]
    pub fn index_select(&self, dim: isize, index: &Tensor) -> Tensor {
        if index.dim() > 1 {
            mistake!("index_select: the index must be a vector, got {:?}; flatten it?", index.shape());
        }
        let (dim, x) = dim_of("index_select", self, dim);
        check_index("index_select", index, dim, x.shape());
        apply(IndexSelect(dim), &[&x, index])
    }

    /// The tensor with slice `k` of `source` added to slice `index[k]` along `dim`; equal indices add up.
    /// On a GPU, an index out of range is left out instead of a panic.
    ///
    /// # Panics
    /// If the index is not i64, names a slice that is not there, or `source` does not fit.
    ///
    /// ```
    /// # use rekindle_tensor::{tensor, Tensor};
    /// let y = Tensor::zeros([3]).index_add(0, &tensor([2, 0, 2]), &tensor([1.0, 2.0, 4.0]));
    /// assert_eq!(y.to_vec::<f32>(), [2.0, 0.0, 5.0]);
    /// ```
    #[track_caller]
    pub fn index_add(&self, dim: isize, index: &Tensor, source: &Tensor) -> Tensor {
        let (dim, x) = dim_of("index_add", self, dim);
        check_index("index_add", index, dim, x.shape());
        apply(IndexAdd(dim), &[&x, index, source])
    }

    /// The elements in reversed order along the given dimensions.
    ///
    /// # Panics
    /// If a dimension is out of range.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[1, 2], [3, 4]]).flip([0]).to_vec::<i64>(), [3, 4, 1, 2]);
    /// ```
    #[track_caller]
    pub fn flip(&self, dims: impl Into<crate::Ints>) -> Tensor {
        dims.into().0.iter().fold(self.clone(), |x, &dim| {
            let n = x.size(dim);
            x.index_select(dim, &x.new_arange(n as i64 - 1, -1, n))
        })
    }

    /// The indices of the true (or nonzero) elements: one row for each, one column for each dimension. On a GPU it waits
    /// for their number.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[0, 7], [3, 0]]).nonzero().to_vec::<i64>(), [0, 1, 1, 0]);
    /// ```
    pub fn nonzero(&self) -> Tensor {
        if let Some(index) = self.device().index() {
            return self.nonzero_on_gpu(&gpu::open(index));
        }
        let shape = self.shape_owned();
        let strides = shape.contiguous_strides();
        let mut rows = Vec::new();
        let mut found = 0;
        for (at, _) in self.detach().bool().data::<bool>().iter().enumerate().filter(|(_, b)| **b) {
            rows.extend(strides.iter().zip(&shape[..]).map(|(&stride, &n)| (at / stride % n) as i64));
            found += 1;
        }
        Tensor::from_vec(rows, Shape::from([found, shape.len()]))
    }

    fn nonzero_on_gpu(&self, gpu: &gpu::Gpu) -> Tensor {
        let at = true_at("nonzero", &self.detach().bool());
        let y = gpu::empty(gpu, &Meta::new([at.numel(), self.dim()], DType::I64));
        for (d, stride) in self.shape_owned().contiguous_strides().into_iter().enumerate() {
            let [stride, size] = [stride, self.shape()[d]].map(|n| Tensor::scalar(n.into(), DType::I64));
            gpu::map_into(gpu, "a / b % c", &[&at, &stride, &size], &[], &y.select(1, d as isize));
        }
        y
    }

    /// The elements where `mask` (bool, which broadcasts) is true, as a vector. On a GPU it waits for their number.
    ///
    /// # Panics
    /// If the mask is not bool or does not broadcast.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let x = tensor([1.0, -2.0, 3.0]);
    /// assert_eq!(x.masked_select(&x.gt(0.0)).to_vec::<f32>(), [1.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn masked_select(&self, mask: &Tensor) -> Tensor {
        let shape = match crate::shape::broadcast("masked_select", self.shape(), mask.shape()) {
            Ok(shape) => shape,
            Err(e) => mistake!("{e}"),
        };
        self.expand(&shape).reshape([-1]).index_select(0, &true_at("masked_select", &mask.expand(&shape)))
    }

    /// The parts of the tensor where `mask` is true: PyTorch's `x[mask]`. The mask covers the first dimensions, so a
    /// vector chooses rows of a matrix. On a GPU it waits for their number.
    ///
    /// # Panics
    /// If the mask is not bool or its shape differs from the first dimensions.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let x = tensor([[1, 2], [3, 4]]);
    /// assert_eq!(x.index_mask(&tensor([false, true])).to_vec::<i64>(), [3, 4]);
    /// ```
    #[track_caller]
    pub fn index_mask(&self, mask: &Tensor) -> Tensor {
        let Some(rest) = self.shape().strip_prefix(mask.shape()) else {
            mistake!(
                "index_mask: a mask of {:?} does not cover the first dimensions of {:?}",
                mask.shape(),
                self.shape()
            );
        };
        let rows = [&[mask.numel()], rest].concat();
        self.reshape(rows).index_select(0, &true_at("index_mask", mask))
    }
}

/// Where a mask is true, counted in row-major order.
#[track_caller]
fn true_at(op: &str, mask: &Tensor) -> Tensor {
    if mask.dtype() != DType::Bool {
        mistake!("{op}: the mask must be bool, got {}; compare or convert with .bool()", mask.dtype());
    }
    if mask.device() != Device::Cpu {
        // The size of the result is read back, as in PyTorch. The true come first and stay in order.
        let count = mask.sum().item::<i64>() as usize;
        return mask.logical_not().reshape([-1]).argsort(0, false).narrow(0, 0, count);
    }
    let at: Vec<i64> =
        mask.data::<bool>().iter().enumerate().filter(|(_, b)| **b).map(|(i, _)| i as i64).collect();
    let n = at.len();
    Tensor::from_vec(at, n)
}

pub(crate) fn samples() -> Vec<Sample> {
    let index = [Tensor::from_vec(vec![2i64, 0, 2], 3)];
    let mask = [Tensor::from_vec(vec![true, false, true], 3)];
    vec![
        Sample::new("index_select", |x| x[0].index_select(0, &x[1]))
            .on(&[&[3, 4]])
            .on(&[&[3]])
            .on(&[&[4, 0, 1]])
            .with(&index)
            .large(&[&[3, 20_000]]),
        Sample::new("index_select inside", |x| x[0].index_select(1, &x[1])).on(&[&[2, 3, 4]]).with(&index),
        Sample::new("index_add", |x| x[0].index_add(-1, &x[2], &x[1]))
            .on(&[&[2, 4], &[2, 3]])
            .on(&[&[3], &[3]])
            .on(&[&[0, 3], &[0, 3]])
            .on(&[&[1, 3], &[1, 3]])
            .with(&index)
            .large(&[&[9000, 4], &[9000, 3]]),
        Sample::new("flip", |x| x[0].flip([0, -1])).on(&[&[2, 1, 3]]).on(&[&[0, 2]]),
        Sample::new("masked_select", |x| x[0].masked_select(&x[1])).on(&[&[2, 3]]).on(&[&[1]]).with(&mask),
        Sample::new("index_mask", |x| x[0].index_mask(&x[1]))
            .on(&[&[3, 2]])
            .on(&[&[3]])
            .on(&[&[3, 0]])
            .with(&mask),
    ]
}

#[cfg(test)]
mod tests {
    use crate::{Tensor, tensor};

    #[test]
    #[should_panic(expected = "index_select: index 3 is out of range for dimension 0 of [3]; use 0 to 2")]
    fn an_index_beyond_the_end_is_named() {
        tensor([1, 2, 3]).index_select(0, &tensor([0, 3]));
    }

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
    fn rows_chosen_twice_get_both_gradients() {
        let x = tensor([[1.0, 2.0], [3.0, 4.0]]).requires_grad_(true);
        x.index_select(0, &tensor([1, 1])).sum().backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.0, 0.0, 2.0, 2.0]);
    }

    #[test]
    fn truth_values_can_be_selected_and_a_scalar_has_one_row() {
        assert_eq!(tensor([true, false]).index_select(0, &tensor([1, 0])).to_vec::<bool>(), [false, true]);
        assert_eq!(tensor(5).index_select(0, &tensor([0, 0])).to_vec::<i64>(), [5, 5]);
        assert_eq!(tensor(true).nonzero().shape(), [1, 0]);
        assert_eq!(Tensor::zeros([2, 3]).nonzero().shape(), [0, 2]);
    }
}
