//! Sorting along one dimension, the greatest few, and the median.

use super::elementwise::{filled, no_grads};
use super::max::Ordered;
use crate::dtype::{DType, match_dtype};
use crate::gpu::{self, Gpu, Text};
use crate::numbers;
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply, mistake};
use crate::shape::dim_index;
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::parallel::chunks_mut;
use std::cmp::Ordering;

/// The indices that sort the elements along the last dimension; equals stay in order, NaN counts as greatest.
#[derive(Debug)]
struct Argsort {
    descending: bool,
}

/// NaN above every number, as [`Ordered::above`] has it.
fn order<T: Ordered>(a: T, b: T) -> Ordering {
    if T::above(a, b) {
        Ordering::Greater
    } else if T::above(b, a) {
        Ordering::Less
    } else {
        Ordering::Equal
    }
}

impl Op for Argsort {
    fn name(&self) -> &'static str {
        "argsort"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        Ok(Meta { dtype: DType::I64, ..x[0].clone() })
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let len = out.shape.last().copied().unwrap_or(1).max(1);
        let rows = (16 * 1024 / len).max(1);
        match_dtype!(x[0].dtype(), T => {
            let x = x[0].data::<T>();
            filled(&out.shape, |y: &mut [i64]| chunks_mut(y, rows * len, |chunk, y| {
                for (row, y) in y.chunks_exact_mut(len).enumerate() {
                    let x = &x[(chunk * rows + row) * len..][..len];
                    y.iter_mut().enumerate().for_each(|(i, y)| *y = i as i64);
                    y.sort_by(|&i, &j| {
                        let by = order(x[i as usize], x[j as usize]);
                        if self.descending { by.reverse() } else { by }
                    });
                }
            }))
        })
        .into()
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let key = if x[0].dtype().is_float() { "sort_key(a)" } else { "i32(a)" };
        let wgsl = if self.descending { format!("~{key}") } else { key.into() };
        let gpu = gpu::of(x);
        sorted(&gpu, &gpu::map(&gpu, &wgsl, x, &[], out)).1.into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        no_grads(ctx.metas.len())
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

/// Elements that one workgroup of a GPU sorts.
const BLOCK: usize = 1024;

/// The integers of each row in ascending order, and where they were; equals stay in order.
///
/// Rows of any length: blocks are sorted in shared memory, then pairs of sorted runs are merged, twice as long each time.
pub(super) fn sorted(gpu: &Gpu, keys: &Tensor) -> (Tensor, Tensor) {
    let len = keys.shape().last().copied().unwrap_or(1);
    let (n, span) = (keys.numel(), len.next_power_of_two().min(BLOCK));
    let (rows, blocks) = (n / len.max(1), len.div_ceil(span));
    let pair = || [(); 2].map(|()| gpu::empty(gpu, &Meta::of(keys)));
    let mut sorted = pair();
    let numbers = numbers![rows, len, span, blocks];
    let groups = gpu::groups((rows * blocks * span).div_ceil(BLOCK));
    gpu::launch(gpu, &BLOCKS, &[keys], &sorted.each_ref(), &numbers, groups);
    let mut run = span;
    while run < len {
        let merged = pair();
        let numbers = numbers![n, len, run];
        gpu::launch(gpu, &MERGE, &sorted.each_ref(), &merged.each_ref(), &numbers, gpu::threads(n));
        (sorted, run) = (merged, 2 * run);
    }
    let [keys, order] = sorted;
    (keys, order)
}

/// K. Batcher's bitonic sort of keys with their places, all of which differ; short rows lie side by side in a block.
const BLOCKS: Text = Text::new(
    "sort blocks",
    "x: i32 -> sorted: i32, y: u32",
    "rows, len, span, blocks",
    "
const BLOCK = 1024u;
var<workgroup> keys: array<i32, BLOCK>;
var<workgroup> order: array<u32, BLOCK>;

fn together(number: u32, l: u32) {
    let first = number * BLOCK;
    for (var s = l; s < BLOCK; s += 256u) {
        let segment = (first + s) / p.span;
        let row = segment / p.blocks;
        let column = (segment % p.blocks) * p.span + s % p.span;
        // Behind the end all is last.
        keys[s] = 0x7fffffff;
        order[s] = column;
        if (row < p.rows && column < p.len) { keys[s] = x[row * p.len + column]; }
    }
    for (var size = 2u; size <= p.span; size *= 2u) {
        for (var step = size / 2u; step > 0u; step /= 2u) {
            workgroupBarrier();
            for (var pair = l; pair < BLOCK / 2u; pair += 256u) {
                let i = 2u * pair - (pair & (step - 1u));
                let j = i + step;
                // Up and down by turns, at last up.
                let up = size == p.span || (i & size) == 0u;
                let later = keys[i] > keys[j] || (keys[i] == keys[j] && order[i] > order[j]);
                if (later == up) {
                    let k = keys[i]; keys[i] = keys[j]; keys[j] = k;
                    let o = order[i]; order[i] = order[j]; order[j] = o;
                }
            }
        }
    }
    workgroupBarrier();
    for (var s = l; s < BLOCK; s += 256u) {
        let segment = (first + s) / p.span;
        let row = segment / p.blocks;
        let column = (segment % p.blocks) * p.span + s % p.span;
        if (row < p.rows && column < p.len) {
            sorted[row * p.len + column] = keys[s];
            y[row * p.len + column] = order[s];
        }
    }
}
",
);

/// Each element of two sorted runs goes as far behind its place as the other run has elements before it, which is found by bisection.
const MERGE: Text = Text::new(
    "merge sorted runs",
    "x: i32, order: u32 -> sorted: i32, y: u32",
    "n, len, run",
    "
fn each(i: u32) {
    let row = i - i % p.len;
    let column = i % p.len;
    let own = column / p.run;
    let start = min(p.len, (own ^ 1u) * p.run);
    var low = start;
    var high = min(p.len, start + p.run);
    let key = x[i];
    let place = order[i];
    while (low < high) {
        let middle = (low + high) / 2u;
        let other = x[row + middle];
        if (other < key || (other == key && order[row + middle] < place)) { low = middle + 1u; } else { high = middle; }
    }
    let to = row + (own & ~1u) * p.run + column % p.run + low - start;
    sorted[to] = key;
    y[to] = place;
}
",
);

impl Tensor {
    /// The indices that sort the elements along `dim`. Equal elements stay in order; NaN counts as greatest.
    ///
    /// # Panics
    /// If the dimension is out of range.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([3.0, 1.0, 2.0]).argsort(0, false).to_vec::<i64>(), [1, 2, 0]);
    /// ```
    #[track_caller]
    pub fn argsort(&self, dim: isize, descending: bool) -> Tensor {
        if let Err(e) = dim_index("sort", dim, self.dim()) {
            mistake!("{e}");
        }
        let last = |x: &Tensor| if x.dim() == 0 { x.clone() } else { x.transpose(dim, -1) };
        last(&apply(Argsort { descending }, &[&last(&self.detach())])).contiguous()
    }

    /// The elements sorted along `dim` and their former indices. Equal elements stay in order; NaN counts as greatest.
    ///
    /// # Panics
    /// If the dimension is out of range.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let (values, indices) = tensor([3.0, 1.0, 2.0]).sort(0, true);
    /// assert_eq!((values.to_vec::<f32>(), indices.to_vec::<i64>()), (vec![3.0, 2.0, 1.0], vec![0, 2, 1]));
    /// ```
    #[track_caller]
    pub fn sort(&self, dim: isize, descending: bool) -> (Tensor, Tensor) {
        self.pick(dim, self.argsort(dim, descending), true)
    }

    /// The `k` greatest elements along `dim`, greatest first (the least, least first, if not `largest`), and their
    /// indices; the first of equals come first.
    ///
    /// # Panics
    /// If there are fewer than `k`, or the dimension is out of range.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let (values, indices) = tensor([3.0, 1.0, 2.0]).topk(2, 0, true);
    /// assert_eq!((values.to_vec::<f32>(), indices.to_vec::<i64>()), (vec![3.0, 2.0], vec![0, 2]));
    /// ```
    #[track_caller]
    pub fn topk(&self, k: usize, dim: isize, largest: bool) -> (Tensor, Tensor) {
        if k > self.size(dim) {
            mistake!("topk: there are no {k} elements in dimension {dim} of {:?}", self.shape());
        }
        let order = self.argsort(dim, largest);
        let first = if order.dim() == 0 { order } else { order.narrow(dim, 0, k).contiguous() };
        self.pick(dim, first, true)
    }

    /// The median of all elements: of an even number, the lower of the two in the middle; NaN if there is one.
    ///
    /// # Panics
    /// If the tensor is empty.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([4.0, 1.0, 3.0, 2.0]).median().item::<f32>(), 2.0);
    /// ```
    #[track_caller]
    pub fn median(&self) -> Tensor {
        self.reshape([-1]).median_dim(0, false).0
    }

    /// The medians along `dim` (of an even number, the lower of the two in the middle; NaN if there is one) and their
    /// indices.
    ///
    /// # Panics
    /// If the dimension is out of range or has size 0.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let (values, indices) = tensor([[3.0, 1.0, 2.0]]).median_dim(1, false);
    /// assert_eq!((values.item::<f32>(), indices.item::<i64>()), (2.0, 2));
    /// ```
    #[track_caller]
    pub fn median_dim(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        let n = self.size(dim);
        if n == 0 {
            mistake!("median: nothing to choose from in dimension {dim} of {:?}", self.shape());
        }
        let order = self.argsort(dim, false);
        if order.dim() == 0 {
            return self.pick(dim, order, keepdim);
        }
        // NaN is sorted to the end; where the last element is one, so is the median.
        let (middle, last) = (order.narrow(dim, (n - 1) / 2, 1), order.narrow(dim, n - 1, 1));
        let greatest = self.detach().gather(dim, &last);
        self.pick(dim, Tensor::where_(&greatest.ne(&greatest), &last, &middle), keepdim)
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::unary("sort", |x| x.sort(-1, false).0),
        Sample::new("sort columns", |x| x[0].sort(0, true).0).on(&[&[3, 4]]).large(&[&[100, 400]]),
        Sample::new("sort long rows", |x| x[0].sort(-1, true).0).on(&[&[2, 3]]).large(&[&[3, 4500]]),
        Sample::new("topk", |x| x[0].topk(2, 1, true).0).on(&[&[3, 4]]).on(&[&[0, 2]]),
        Sample::new("median", |x| x[0].median()).on(&[&[3, 4]]).on(&[&[1]]),
        Sample::new("median over a dim", |x| x[0].median_dim(1, true).0).on(&[&[3, 4]]).on(&[&[2, 5, 3]]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::tensor;

    #[test]
    fn nan_is_sorted_to_the_end_and_is_the_median() {
        let x = tensor([2.0, f64::NAN, 1.0]);
        assert_eq!(x.argsort(0, false).to_vec::<i64>(), [2, 0, 1]);
        assert!(x.median().item::<f32>().is_nan());
    }

    #[test]
    fn equals_stay_in_order_both_ways() {
        let x = tensor([[1, 0, 1, 0]]);
        assert_eq!(x.argsort(1, false).to_vec::<i64>(), [1, 3, 0, 2]);
        assert_eq!(x.argsort(1, true).to_vec::<i64>(), [0, 2, 1, 3]);
    }

    #[test]
    #[should_panic(expected = "topk: there are no 3 elements in dimension 0 of [2]")]
    fn topk_needs_enough_elements() {
        tensor([1.0, 2.0]).topk(3, 0, true);
    }
}
