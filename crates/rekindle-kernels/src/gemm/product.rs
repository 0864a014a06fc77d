//! The loops around the microkernel, and how a product is shared among threads.
use super::inner_block;
use super::pack::{Matrix, copy_a, pack_b, with_scratch};
use super::tile::{Kernels, Tile};
use crate::parallel;
use crate::real::Real;
use std::ops::Range;
use std::ptr::null;

/// Packed elements of B that are to stay in the L2 cache.
const PACKED: usize = 256 * 1024;
/// Columns of B that are packed at once.
const PACKED_COLS: usize = 512;
/// Products below which a task is not worth handing to another thread.
const TASK: usize = 256 * 1024;

/// Where the columns of an inner block of B are.
#[derive(Clone, Copy)]
pub(crate) enum Columns<T> {
    /// Side by side in a row-major matrix with this distance between rows.
    Direct(*const T, usize),
    /// In panels made by `pack_b`.
    Packed(*const T),
}

/// A row-major matrix to write, of which several tasks hold different parts: its first element and the distance to
/// the next row.
#[derive(Clone, Copy)]
pub(crate) struct Target<T> {
    pub start: *mut T,
    pub row: usize,
}

// SAFETY: it is written only through `Strip::run`, whose contract keeps the parts that threads hold apart.
unsafe impl<T: Send> Sync for Target<T> {}

impl<T> Target<T> {
    /// The matrix that starts at row `i` and column `j`.
    pub fn from(self, i: usize, j: usize) -> Self {
        Target { start: self.start.wrapping_add(i * self.row + j), ..self }
    }
}

/// One tile row of C over one inner block: `c = [c +] a b [+ bias]` for at most `kernels.rows()` rows.
pub(crate) struct Strip<T: 'static> {
    pub kernels: &'static Kernels<T>,
    pub rows: usize,
    pub cols: usize,
    pub k: usize,
    pub a: Matrix<T>,
    pub b: Columns<T>,
    pub c: Target<T>,
    pub accumulate: bool,
    /// What is added to each column at the end, or null.
    pub bias: *const T,
}

impl<T: Real> Strip<T> {
    /// # Safety
    /// The pointers must be valid for the sizes, and nobody else may use this part of C.
    #[inline]
    pub unsafe fn run(&self) {
        let &Strip { kernels, rows, cols, k, a, b, c, accumulate, bias } = self;
        for first in (0..cols).step_by(kernels.cols()) {
            let count = kernels.cols().min(cols - first);
            let vectors = count.div_ceil(kernels.lanes);
            let (b, b_stride) = match b {
                Columns::Direct(b, stride) => (b.wrapping_add(first), stride),
                Columns::Packed(b) => (b.wrapping_add(first * k), vectors * kernels.lanes),
            };
            let tile = Tile {
                k,
                a: a.start,
                a_strides: (a.row, a.col),
                a_offsets: (null(), null()),
                b,
                b_stride,
                c: c.from(0, first).start,
                c_stride: c.row,
                last: count - (vectors - 1) * kernels.lanes,
                accumulate,
                bias: if bias.is_null() { bias } else { bias.wrapping_add(first) },
            };
            // SAFETY: the caller vouches for the pointers; `kernels` is for a present instruction set.
            unsafe { kernels.tiles[rows - 1][vectors - 1](&tile) };
        }
    }
}

/// Cuts `rows` into as few tile rows as possible, all of nearly the same height.
pub(crate) fn tile_rows(rows: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    let (len, tiles) = (rows.len(), rows.len().div_ceil(most));
    (0..tiles).map(move |t| rows.start + len * t / tiles..rows.start + len * (t + 1) / tiles)
}

/// The inner blocks of `depth`, which starts at one, out of `k`.
pub(crate) fn inner_blocks(depth: Range<usize>, k: usize) -> impl Iterator<Item = Range<usize>> {
    let mut start = depth.start;
    std::iter::from_fn(move || {
        (start < depth.end).then(|| {
            let block = start..start + inner_block(k - start);
            start = block.end;
            block
        })
    })
}

/// A whole product `c = a b [+ bias]`, with `k > 0`.
pub(super) struct Product<T: 'static> {
    pub kernels: &'static Kernels<T>,
    /// m, n, k
    pub size: (usize, usize, usize),
    pub a: Matrix<T>,
    pub b: Matrix<T>,
    pub c: Target<T>,
    /// n elements, or null.
    pub bias: *const T,
}

// SAFETY: tasks only read A, B and the bias.
unsafe impl<T: Send + Sync> Sync for Product<T> {}

impl<T: Real> Product<T> {
    /// # Safety
    /// The pointers must be valid for the size.
    pub unsafe fn run(&self) {
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

    /// Whether few rows of C, as in the gradient of a narrow layer's weight, would make packing a large B the greater
    /// part of the work. Its transpose needs no packing.
    pub fn is_better_transposed(&self) -> bool {
        let (m, n, k) = self.size;
        let few = self.kernels.lanes <= m && m <= 2 * self.kernels.cols();
        few && 2 * m <= n && k * n > PACKED && self.a.row == 1 && self.b.col == 1 && self.bias.is_null()
    }

    /// Computes `c^T = b^T a^T`, then transposes.
    ///
    /// # Safety
    /// As for `run`; there must be no bias.
    pub unsafe fn run_transposed(&self) {
        let (m, n, k) = self.size;
        let flip = |x: Matrix<T>| Matrix { row: x.col, col: x.row, ..x };
        with_scratch(m * n, |ct: &mut [T]| {
            let c = Target { start: ct.as_mut_ptr(), row: m };
            // SAFETY: the same elements as those of this product; `ct` holds `[n, m]`.
            unsafe {
                Product { size: (n, m, k), a: flip(self.b), b: flip(self.a), c, ..*self }.run();
                super::pack::copy(self.kernels, Matrix::new(ct, (1, m)), m, n, self.c.start, self.c.row);
            }
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
        let narrow = self.size.1 <= 2 * self.kernels.cols() && self.b.row <= 2 * self.kernels.cols();
        let direct_b = self.b.col == 1 && (narrow || rows.len() <= 2 * self.kernels.rows());
        for first in cols.clone().step_by(PACKED_COLS) {
            let cols = first..cols.end.min(first + PACKED_COLS);
            let width = if direct_b { 0 } else { cols.len().next_multiple_of(self.kernels.lanes) };
            let copy_rows = if cols.len() > 2 * self.kernels.cols() { self.kernels.rows() } else { 0 };
            let mut depth = 0..0;
            while depth.end < k {
                // Reading A across its rows, one block at a time keeps to the pages that the TLB knows.
                depth = self.depth(depth.end, if self.a.row == 1 { PACKED } else { width });
                with_scratch((width + copy_rows) * depth.len(), |scratch: &mut [T]| {
                    let (panels, copy) = scratch.split_at_mut(width * depth.len());
                    // SAFETY: the ranges lie within the matrices.
                    unsafe {
                        if !direct_b {
                            self.pack(depth.clone(), cols.clone(), panels);
                        }
                        self.sweep(rows.clone(), cols.clone(), depth.clone(), panels, copy);
                    }
                });
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
        let width = panels.len() / depth.len();
        for block in inner_blocks(depth.clone(), self.size.2) {
            let b = self.b.from(block.start, cols.start);
            let out = &mut panels[(block.start - depth.start) * width..][..block.len() * width];
            // SAFETY: the caller vouches for the block.
            unsafe { pack_b(self.kernels, b, block.len(), cols.len(), out) };
        }
    }

    /// All tiles of a part of C over the inner range `depth`. B is read in place if `panels` is empty, and so is A if
    /// `copy` is.
    unsafe fn sweep(
        &self,
        rows: Range<usize>,
        cols: Range<usize>,
        depth: Range<usize>,
        panels: &[T],
        copy: &mut [T],
    ) {
        let &Product { kernels, size: (_, _, k), c, .. } = self;
        let width = panels.len() / depth.len();
        for rows in tile_rows(rows, kernels.rows()) {
            let mut a = self.a.from(rows.start, depth.start);
            if !copy.is_empty() {
                // SAFETY: the rows and the range lie within A.
                a = unsafe { copy_a(a, rows.len(), depth.len(), copy) };
            }
            for block in inner_blocks(depth.clone(), k) {
                let b = match panels.is_empty() {
                    true => Columns::Direct(self.b.from(block.start, cols.start).start, self.b.row),
                    false => Columns::Packed(panels[(block.start - depth.start) * width..].as_ptr()),
                };
                let add_bias = block.end == k && !self.bias.is_null();
                let strip = Strip {
                    kernels,
                    rows: rows.len(),
                    cols: cols.len(),
                    k: block.len(),
                    a: a.from(0, block.start - depth.start),
                    b,
                    c: c.from(rows.start, cols.start),
                    accumulate: block.start > 0,
                    bias: if add_bias { self.bias.wrapping_add(cols.start) } else { null() },
                };
                // SAFETY: the strip lies within the matrices.
                unsafe { strip.run() };
            }
        }
    }
}
