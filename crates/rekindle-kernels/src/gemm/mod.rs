//! Matrix products `C = A B (+ bias)`.
//!
//! Every output is a chain `acc = fma(a_k, b_k, acc)` from 0 over the inner index in order. The inner range is cut
//! into blocks (see `inner_block`), the block sums are added in order and the bias is added last. These are the
//! roundings of MKL's AVX-512 kernels, so a product has the bits that PyTorch prints on such a machine; and since
//! nothing else rounds, all instruction sets and thread counts give the same bits. The product of a matrix whose
//! rows are contiguous with a vector has its own order of additions, see [`dot`](self::dot).
//!
//! The loops are those of Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008): a block
//! of B is packed into panels that stay in the L2 cache, and the microkernel multiplies a few rows of A, which stay
//! in L1, with one panel after the other.
mod dot;
mod pack;
mod simd;
mod tile;

use crate::dispatch::{self, Isa};
use crate::parallel;
use crate::real::Real;
use pack::{Matrix, copy_a, pack_b, with_scratch};
use std::ops::Range;
use tile::{Kernels, Tile};

/// `c = a b + bias` with `a` of shape `[m, k]`, `b` of shape `[k, n]`, and `c` of shape `[m, n]`.
///
/// `a` and `b` are given with (row, column) strides in elements, so a transposed matrix costs nothing to pass; `c` is
/// row-major without gaps and is overwritten. `bias` has `n` elements and is added to every row.
///
/// # Panics
/// If a slice is too short for its matrix.
///
/// ```
/// let x = [1.0_f32, 2.0, 3.0, 4.0]; // [2, 2]
/// let w = [1.0_f32, 0.0, 2.0, 1.0]; // [2, 2], used transposed
/// let mut y = [0.0; 4];
/// rekindle_kernels::gemm::gemm(2, 2, 2, &x, (2, 1), &w, (1, 2), &mut y, Some(&[0.5, 0.0]));
/// assert_eq!(y, [1.5, 4.0, 3.5, 10.0]);
/// ```
#[track_caller]
#[allow(clippy::too_many_arguments)]
pub fn gemm<T: Real>(
    m: usize,
    n: usize,
    k: usize,
    a: &[T],
    a_strides: (usize, usize),
    b: &[T],
    b_strides: (usize, usize),
    c: &mut [T],
    bias: Option<&[T]>,
) {
    check_extent("a", a.len(), (m, k), a_strides);
    check_extent("b", b.len(), (k, n), b_strides);
    assert!(c.len() == m * n, "gemm: c has {} elements for a [{m}, {n}] matrix", c.len());
    assert!(bias.is_none_or(|v| v.len() == n), "gemm: the bias must have {n} elements");
    let isa = dispatch::isa();
    if m == 0 || n == 0 {
    } else if n == 1 && a_strides.1 == 1 && k > 0 {
        let bias = bias.map_or(T::ZERO, |bias| bias[0]);
        dot::matrix_vector(isa, (m, k), a, a_strides.0, b, b_strides.0, c, |_| bias);
    } else if m == 1 && b_strides.0 == 1 && k > 0 {
        let bias = |j: usize| bias.map_or(T::ZERO, |bias| bias[j]);
        dot::matrix_vector(isa, (n, k), b, b_strides.1, a, a_strides.1, c, bias);
    } else {
        // SAFETY: the extents have been checked.
        unsafe { Product::new(isa, (m, n, k), a, a_strides, b, b_strides, c, bias).run() }
    }
}

#[track_caller]
fn check_extent(name: &str, len: usize, shape: (usize, usize), strides: (usize, usize)) {
    if shape.0 == 0 || shape.1 == 0 {
        return;
    }
    let needed = (shape.0 - 1) * strides.0 + (shape.1 - 1) * strides.1 + 1;
    assert!(
        needed <= len,
        "gemm: {name} has {len} elements, but shape {shape:?} with strides {strides:?} reaches {needed}"
    );
}

/// Length of the next block when `rest` of the inner range remains: 384 while more than 768 remain, then halves of
/// what exceeds 384 (the first rounded up).
fn inner_block(rest: usize) -> usize {
    match rest {
        769.. => 384,
        385.. => rest.div_ceil(2),
        _ => rest,
    }
}

/// Packed elements of B that are to stay in the L2 cache.
const PACKED: usize = 256 * 1024;
/// Columns of B that are packed at once.
const PACKED_COLS: usize = 512;
/// Products below which a task is not worth handing to another thread.
const TASK: usize = 128 * 1024;

struct Product<T: 'static> {
    kernels: &'static Kernels<T>,
    /// m, n, k
    size: (usize, usize, usize),
    a: Matrix<T>,
    b: Matrix<T>,
    c: *mut T,
    /// n elements, or null.
    bias: *const T,
}

// SAFETY: tasks read A, B and the bias, and write disjoint parts of C.
unsafe impl<T: Send + Sync> Sync for Product<T> {}

impl<T: Real> Product<T> {
    #[allow(clippy::too_many_arguments)]
    fn new(
        isa: Isa,
        size: (usize, usize, usize),
        a: &[T],
        a_strides: (usize, usize),
        b: &[T],
        b_strides: (usize, usize),
        c: &mut [T],
        bias: Option<&[T]>,
    ) -> Self {
        Product {
            kernels: Kernels::get(isa),
            size,
            a: Matrix { start: a.as_ptr(), row: a_strides.0, col: a_strides.1 },
            b: Matrix { start: b.as_ptr(), row: b_strides.0, col: b_strides.1 },
            c: c.as_mut_ptr(),
            bias: bias.map_or(std::ptr::null(), |bias| bias.as_ptr()),
        }
    }

    /// # Safety
    /// The matrices must be valid for the size.
    unsafe fn run(&self) {
        let (m, n, _) = self.size;
        let (row_tasks, col_tasks) = self.grid();
        let part = |len: usize, unit: usize, parts: usize, i: usize| {
            let units = len.div_ceil(unit);
            (units * i / parts * unit).min(len)..(units * (i + 1) / parts * unit).min(len)
        };
        parallel::for_each_task(row_tasks * col_tasks, |task| {
            let rows = part(m, self.kernels.rows(), row_tasks, task / col_tasks);
            let cols = part(n, self.kernels.cols(), col_tasks, task % col_tasks);
            // SAFETY: the parts lie within the matrices, and no two tasks have the same part of C.
            unsafe { self.part(rows, cols) }
        });
    }

    /// How many parts to cut the rows and the columns into. Every part of the rows packs B anew, every part of the
    /// columns reads A anew.
    fn grid(&self) -> (usize, usize) {
        let (m, n, k) = self.size;
        let (rows, cols) = (m.div_ceil(self.kernels.rows()), n.div_ceil(self.kernels.cols()));
        let threads = parallel::num_threads();
        let tasks = (m * n * k / TASK).min(2 * threads);
        if threads == 1 || tasks < 2 {
            return (1, 1);
        }
        let cost = |(r, c): (usize, usize)| 2 * r * n * k + c * m * k + m * n * k / (r * c).min(tasks);
        (1..=tasks.min(cols))
            .map(|c| ((tasks / c).clamp(1, rows), c))
            .min_by_key(|&grid| cost(grid))
            .expect("at least one column")
    }

    /// Computes the part of C in `rows` and `cols`.
    ///
    /// # Safety
    /// As for `run`; nobody else may use this part of C.
    unsafe fn part(&self, rows: Range<usize>, cols: Range<usize>) {
        let (_, _, k) = self.size;
        let tile_rows = self.kernels.rows();
        let direct_b = self.b.col == 1 && rows.len() <= 2 * tile_rows;
        for first in cols.clone().step_by(PACKED_COLS) {
            let cols = first..cols.end.min(first + PACKED_COLS);
            let width = cols.len().next_multiple_of(self.kernels.lanes);
            let mut depth = 0..0;
            while depth.end < k || k == 0 {
                depth = self.depth(depth.end, if direct_b { 0 } else { width });
                let packed = if direct_b { 0 } else { depth.len() * width };
                with_scratch(packed + tile_rows * depth.len(), |scratch: &mut [T]| {
                    let (panels, a_copy) = scratch.split_at_mut(packed);
                    // SAFETY: the ranges lie within the matrices.
                    unsafe {
                        if !direct_b {
                            self.pack(depth.clone(), cols.clone(), panels);
                        }
                        let panels = (!direct_b).then_some(&*panels);
                        self.sweep(rows.clone(), cols.clone(), depth.clone(), panels, a_copy);
                    }
                });
                if k == 0 {
                    return;
                }
            }
        }
    }

    /// The inner range from `start` on whose panels of `width` columns fit into the cache: at least one block.
    fn depth(&self, start: usize, width: usize) -> Range<usize> {
        let k = self.size.2;
        let mut end = start + inner_block(k - start);
        while end < k && (end + inner_block(k - end) - start) * width <= PACKED {
            end += inner_block(k - end);
        }
        start..end
    }

    unsafe fn pack(&self, depth: Range<usize>, cols: Range<usize>, panels: &mut [T]) {
        let width = cols.len().next_multiple_of(self.kernels.lanes);
        let mut start = depth.start;
        while start < depth.end {
            let len = inner_block(self.size.2 - start);
            let out = &mut panels[(start - depth.start) * width..][..len * width];
            // SAFETY: the caller vouches for the block.
            unsafe {
                let b = self.b.from(start, cols.start);
                pack_b(b, len, cols.len(), self.kernels.cols(), self.kernels.lanes, out);
            }
            start += len;
        }
    }

    /// All tiles of a part of C, over the inner range `depth`.
    unsafe fn sweep(
        &self,
        rows: Range<usize>,
        cols: Range<usize>,
        depth: Range<usize>,
        panels: Option<&[T]>,
        a_copy: &mut [T],
    ) {
        let (_, n, k) = self.size;
        let copies = cols.len() > 2 * self.kernels.cols();
        let width = cols.len().next_multiple_of(self.kernels.lanes);
        let tiles = rows.len().div_ceil(self.kernels.rows());
        for t in 0..tiles {
            let rows = rows.start + rows.len() * t / tiles..rows.start + rows.len() * (t + 1) / tiles;
            let mut a = self.a.from(rows.start, depth.start);
            if copies {
                // SAFETY: the rows and the range lie within A.
                a = unsafe { copy_a(a, rows.len(), depth.len(), a_copy) };
            }
            let mut start = depth.start;
            loop {
                let len = inner_block(k - start);
                let end = start + len;
                for first in (0..cols.len()).step_by(self.kernels.cols()) {
                    let count = self.kernels.cols().min(cols.len() - first);
                    let (b, b_stride) = match panels {
                        Some(panels) => {
                            let b = &panels[(start - depth.start) * width + first * len..];
                            (b.as_ptr(), count.next_multiple_of(self.kernels.lanes))
                        }
                        None => (self.b.from(start, cols.start + first).start, self.b.row),
                    };
                    let j = cols.start + first;
                    let vectors = count.div_ceil(self.kernels.lanes);
                    let tile = Tile {
                        k: len,
                        a: a.from(0, start - depth.start).start,
                        a_strides: (a.row, a.col),
                        b,
                        b_stride,
                        c: self.c.wrapping_add(rows.start * n + j),
                        c_stride: n,
                        last: count - (vectors - 1) * self.kernels.lanes,
                        accumulate: start > 0,
                        bias: if end == k && !self.bias.is_null() {
                            self.bias.wrapping_add(j)
                        } else {
                            std::ptr::null()
                        },
                    };
                    // SAFETY: the tile lies within the matrices, and `kernels` is for a present instruction set.
                    unsafe { self.kernels.tiles[rows.len() - 1][vectors - 1](&tile) };
                }
                start = end;
                if start >= depth.end {
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
