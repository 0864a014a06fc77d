//! Copies of blocks of A and B in the order in which the microkernel reads them.
use super::tile::Kernels;
use crate::real::Real;

/// A matrix in memory: its first element and the distances to the next row and column.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<T> {
    pub start: *const T,
    pub row: usize,
    pub col: usize,
}

// SAFETY: a matrix is only read, and only while the slice that it was made from is borrowed.
unsafe impl<T: Sync> Sync for Matrix<T> {}

impl<T> Matrix<T> {
    pub fn new(data: &[T], (row, col): (usize, usize)) -> Self {
        Matrix { start: data.as_ptr(), row, col }
    }

    /// The matrix that starts at row `i` and column `j`.
    pub fn from(self, i: usize, j: usize) -> Self {
        Matrix { start: self.start.wrapping_add(i * self.row + j * self.col), ..self }
    }
}

/// Copies a `[k, n]` block of B into panels of `kernels.cols()` columns: panel after panel, each row-major without gaps.
/// The last panel is as wide as `n` leaves, rounded up to whole vectors; columns past `n` are 0.
///
/// # Safety
/// `b` must be valid for the block.
pub(crate) unsafe fn pack_b<T: Real>(
    kernels: &Kernels<T>,
    b: Matrix<T>,
    k: usize,
    n: usize,
    panels: &mut [T],
) {
    const ROWS: usize = 8;
    let width = kernels.cols();
    let last = (n % width).next_multiple_of(kernels.lanes);
    if b.col == 1 {
        // Some rows at a time, read along: B may come from main memory.
        for rows in (0..k).step_by(ROWS).map(|p| p..k.min(p + ROWS)) {
            for first in (0..n).step_by(width) {
                let cols = width.min(n - first);
                let stride = if cols == width { width } else { last };
                let out = &mut panels[first * k + rows.start * stride..][..rows.len() * stride];
                for (p, out) in rows.clone().zip(out.chunks_exact_mut(stride)) {
                    // SAFETY: the caller vouches for n elements of the row.
                    copy_row(unsafe { std::slice::from_raw_parts(b.from(p, first).start, cols) }, out);
                }
            }
        }
        return;
    }
    for first in (0..n).step_by(width) {
        let cols = width.min(n - first);
        let stride = if cols == width { width } else { last };
        let panel = &mut panels[first * k..][..k * stride];
        // SAFETY: the panel lies within the block.
        unsafe { copy(kernels, b.from(0, first), k, cols, panel.as_mut_ptr(), stride) };
        if stride > cols {
            panel.chunks_exact_mut(stride).for_each(|row| row[cols..].fill(T::ZERO));
        }
    }
}

/// Copies a short row, in pieces whose length the compiler knows, and fills what is left of `out` with 0.
#[inline(always)]
fn copy_row<T: Real>(from: &[T], out: &mut [T]) {
    let (pieces, rest) = from.as_chunks::<16>();
    let (out_pieces, _) = out.as_chunks_mut::<16>();
    for (from, out) in pieces.iter().zip(out_pieces) {
        *out = *from;
    }
    let at = from.len() - rest.len();
    out[at..from.len()].copy_from_slice(rest);
    out[from.len()..].fill(T::ZERO);
}

/// Copies a `[rows, cols]` matrix to `out`, row-major with its rows `stride` apart.
///
/// # Safety
/// Both must be valid for the size, and must not overlap.
pub(crate) unsafe fn copy<T: Real>(
    kernels: &Kernels<T>,
    x: Matrix<T>,
    rows: usize,
    cols: usize,
    out: *mut T,
    stride: usize,
) {
    // SAFETY: the contract is the caller's; `kernels` is for a present instruction set.
    unsafe {
        if x.col == 1 {
            for i in 0..rows {
                std::ptr::copy_nonoverlapping(x.from(i, 0).start, out.add(i * stride), cols);
            }
        } else if x.row == 1 {
            (kernels.transpose)(rows, cols, x.start, x.col, out, stride);
        } else {
            for (i, j) in (0..rows).flat_map(|i| (0..cols).map(move |j| (i, j))) {
                *out.add(i * stride + j) = *x.from(i, j).start;
            }
        }
    }
}

/// Where the rows of an inner block of A are.
#[derive(Clone, Copy)]
pub(crate) enum Rows<T> {
    Strided(Matrix<T>),
    /// Tile by tile as `copy_a` makes them, each with its columns side by side.
    Tiles(*const T),
    /// Element (i, p) is at the start + element i of the first offsets + element p of the second.
    Gathered(*const T, *const usize, *const usize),
}

/// Cuts `rows` into as few tile rows as possible, all of nearly the same height: heights with how many tiles have them, the greater first.
pub(crate) fn tile_heights(rows: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let tiles = rows.div_ceil(most).max(1);
    let (low, high) = (rows / tiles, rows % tiles);
    [(low + 1, high), (low, tiles - high)].into_iter().filter(|&(height, count)| height > 0 && count > 0)
}

/// Copies `rows` rows and `k` columns of A: row after row if these are contiguous, otherwise in tiles.
///
/// # Safety
/// `a` must be valid for the rows and columns; the copy lives as long as `out`.
pub(crate) unsafe fn copy_a<T: Real>(
    kernels: &Kernels<T>,
    a: Matrix<T>,
    rows: usize,
    k: usize,
    out: &mut [T],
) -> Rows<T> {
    if a.col == 1 {
        for (i, out) in out.chunks_exact_mut(k).take(rows).enumerate() {
            // SAFETY: the caller vouches for k elements of the row.
            out.copy_from_slice(unsafe { std::slice::from_raw_parts(a.from(i, 0).start, k) });
        }
        return Rows::Strided(Matrix { start: out.as_ptr(), row: k, col: 1 });
    }
    let mut row = 0;
    for (height, tiles) in tile_heights(rows, kernels.rows()) {
        for first in (0..tiles).map(|t| row + t * height) {
            for (p, out) in out[first * k..].chunks_exact_mut(height).take(k).enumerate() {
                for (i, out) in out.iter_mut().enumerate() {
                    // SAFETY: the caller vouches for the element.
                    *out = unsafe { *a.from(first + i, p).start };
                }
            }
        }
        row += height * tiles;
    }
    Rows::Tiles(out.as_ptr())
}
