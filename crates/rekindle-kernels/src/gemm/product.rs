//! The loops around the microkernel, and how a product is shared among threads.
use super::inner_block;
use super::pack::{Matrix, Rows, copy_a, pack_b, tile_heights};
use super::tile::{Kernels, Tile, TileFn};
use crate::parallel;
use crate::real::Real;
use crate::scratch::with_scratch;
use std::ops::Range;
use std::ptr::null;

/// Packed elements of B that are to stay in the L2 cache.
const PACKED: usize = 256 * 1024;
/// Columns of B that are packed at once.
const PACKED_COLS: usize = 512;
/// Tiles below each other, whose rows of A stay in the L2 cache.
const TILES: usize = 16;
/// Products below which a task is not worth handing to another thread.
const TASK: usize = crate::for_miri(256 * 1024);

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

/// Some rows of C over one inner block: `c = [c +] a b [+ bias]`, on the calling thread.
pub(crate) struct Strip<T: 'static> {
    pub kernels: &'static Kernels<T>,
    pub rows: usize,
    pub cols: usize,
    pub k: usize,
    pub a: Rows<T>,
    pub b: Columns<T>,
    pub c: Target<T>,
    /// See [`Tile::spill`].
    pub spill: *const T,
    pub accumulate: bool,
    /// What is added to each column at the end, or null.
    pub bias: *const T,
}

impl<T: Real> Strip<T> {
    /// One panel of columns after the other, which stays in the L1 cache for all rows.
    ///
    /// # Safety
    /// The pointers must be valid for the sizes, and nobody else may use this part of C.
    #[inline]
    pub unsafe fn run(&self) {
        for first in (0..self.cols).step_by(self.kernels.cols()) {
            // SAFETY: the contract is the caller's.
            unsafe { self.panel(first) };
        }
    }

    fn tiles(&self) -> &'static [[TileFn<T>; 2]] {
        match self.a {
            Rows::Gathered(..) => self.kernels.gathering,
            _ => self.kernels.tiles,
        }
    }

    /// All rows in the columns from `first` on.
    ///
    /// # Safety
    /// As for `run`.
    unsafe fn panel(&self, first: usize) {
        let &Strip { kernels, cols, k, a, b, c, spill, accumulate, bias, .. } = self;
        let count = kernels.cols().min(cols - first);
        let vectors = count.div_ceil(kernels.lanes);
        let (b, b_stride) = match b {
            Columns::Direct(b, stride) => (b.wrapping_add(first), stride),
            Columns::Packed(b) => (b.wrapping_add(first * k), vectors * kernels.lanes),
        };
        let (mut row, functions) = (0, self.tiles());
        for (height, tiles) in tile_heights(self.rows, functions.len()) {
            let nowhere = (null(), null());
            let (a, a_strides, a_step, a_offsets) = match a {
                Rows::Strided(a) => (a.from(row, 0).start, (a.row, a.col), height * a.row, nowhere),
                Rows::Tiles(a) => (a.wrapping_add(row * k), (1, height), height * k, nowhere),
                Rows::Gathered(a, rows, cols) => (a, (0, 0), 0, (rows.wrapping_add(row), cols)),
            };
            let tile = Tile {
                tiles,
                k,
                a,
                a_strides,
                a_step,
                a_offsets,
                b,
                b_stride,
                c: c.from(row, first).start,
                c_stride: c.row,
                last: count - (vectors - 1) * kernels.lanes,
                spill,
                accumulate,
                bias: if bias.is_null() { bias } else { bias.wrapping_add(first) },
            };
            // SAFETY: the caller vouches for the pointers; `kernels` is for a present instruction set.
            unsafe { functions[height - 1][vectors - 1](&tile) };
            row += height * tiles;
        }
    }
}

/// Cuts `rows` into as few groups of at most `most` as possible, all of nearly the same size.
pub(crate) fn even_rows(rows: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    let (len, groups) = (rows.len(), rows.len().div_ceil(most));
    (0..groups).map(move |g| rows.start + len * g / groups..rows.start + len * (g + 1) / groups)
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
        let direct_b = self.b.col == 1 && self.reads_b_in_place(rows.len());
        for first in cols.clone().step_by(PACKED_COLS) {
            let cols = first..cols.end.min(first + PACKED_COLS);
            let width = if direct_b { 0 } else { cols.len().next_multiple_of(self.kernels.lanes) };
            let copy_rows =
                if cols.len() > 2 * self.kernels.cols() { self.kernels.rows() * TILES } else { 0 };
            let mut depth = 0..0;
            while depth.end < k {
                // Reading A across its rows, one block at a time keeps to the pages that the TLB knows.
                depth = self.depth(depth.end, if self.a.row == 1 { PACKED } else { width });
                let copied = copy_rows * inner_block(k).min(depth.len());
                with_scratch(width * depth.len() + copied, |scratch: &mut [T]| {
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

    /// Whether panels of B, whose rows are contiguous, need no copy: they are narrow, or few rows of C read them, and their rows do not
    /// meet in few sets of the L1 cache.
    fn reads_b_in_place(&self, rows: usize) -> bool {
        let narrow = self.size.1 <= 2 * self.kernels.cols() && self.b.row <= 2 * self.kernels.cols();
        let apart = !(self.b.row * size_of::<T>()).is_multiple_of(512);
        narrow || rows <= 2 * self.kernels.rows() || apart && rows <= 8 * self.kernels.rows()
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
    /// `copy` is. A group of rows of A stays in the L2 cache for all panels.
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
        // Rows of one panel that lie side by side and are written once, from the first to the last.
        let spills = c.row == cols.len() && cols.len() <= kernels.cols() && k == inner_block(k);
        for rows in even_rows(rows, kernels.rows() * TILES) {
            for block in inner_blocks(depth.clone(), k) {
                let a = self.a.from(rows.start, block.start);
                let a = match copy.is_empty() {
                    true => Rows::Strided(a),
                    // SAFETY: the rows and the block lie within A.
                    false => unsafe { copy_a(kernels, a, rows.len(), block.len(), copy) },
                };
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
                    a,
                    b,
                    c: c.from(rows.start, cols.start),
                    spill: if spills { c.from(rows.end, 0).start } else { null() },
                    accumulate: block.start > 0,
                    bias: if add_bias { self.bias.wrapping_add(cols.start) } else { null() },
                };
                // SAFETY: the strip lies within the matrices.
                unsafe { strip.run() };
            }
        }
    }
}
