//! `y = w cols`: the output of a group of channels of one image is a product of the weight, `[channels, rows]`, with
//! the matrix of columns, `[rows, pixels]`.
use super::columns::im2col;
use super::{Conv2dShape, PIECE};
use crate::dispatch::Isa;
use crate::gemm::pack::{Matrix, with_scratch};
use crate::gemm::product::{Columns, Strip, Target, inner_blocks, tile_rows};
use crate::gemm::tile::Kernels;
use crate::parallel;
use crate::real::Real;
use std::ops::Range;
use std::ptr::null;

pub(super) fn forward<T: Real>(isa: Isa, s: &Conv2dShape, x: &[T], w: &[T], bias: Option<&[T]>, y: &mut [T]) {
    if y.is_empty() {
        return;
    }
    let kernels = Kernels::get(isa);
    let (rows, pixels) = s.matrix_size();
    let (ci, co) = s.group_channels();
    let plane = s.size.0 * s.size.1;
    let step = (PIECE / rows.max(1)).next_multiple_of(kernels.cols()).min(pixels);
    let pieces = pixels.div_ceil(step);
    let y = Target { start: y.as_mut_ptr(), row: pixels };
    // One task is one piece of the pixels of one group of one image.
    parallel::for_each_task(s.batch * s.groups * pieces, |task| {
        let (group, piece) = (task / pieces, task % pieces);
        let g = group % s.groups;
        let here = piece * step..pixels.min((piece + 1) * step);
        let y = y.from(group * co, here.start);
        let w = Matrix::new(&w[g * co * rows..][..co * rows], (rows, 1));
        let start = bias.map_or(null(), |bias| bias[g * co..][..co].as_ptr());
        with_scratch(rows * here.len(), |cols: &mut [T]| {
            im2col(s, &x[group * ci * plane..][..ci * plane], 0..rows, here.clone(), cols, here.len());
            let cols = Matrix::new(cols, (here.len(), 1));
            // SAFETY: all sizes are those of the slices, and tasks have different parts of y.
            unsafe { multiply(kernels, (co, here.len(), rows), w, cols, y, start, false) };
        });
    });
}

/// `c = [c +] start + a b` on the calling thread for `[m, n, k] = size`, where the rows of `b` are contiguous. `start`
/// has an element per row, or is null.
///
/// # Safety
/// The pointers must be valid for the size, and nobody else may use this part of C.
pub(super) unsafe fn multiply<T: Real>(
    kernels: &'static Kernels<T>,
    (m, n, k): (usize, usize, usize),
    a: Matrix<T>,
    b: Matrix<T>,
    c: Target<T>,
    start: *const T,
    accumulate: bool,
) {
    for rows in tile_rows(0..m, kernels.rows()) {
        let strip = |block: Range<usize>| Strip {
            kernels,
            rows: rows.len(),
            cols: n,
            k: block.len(),
            a: a.from(rows.start, block.start),
            b: Columns::Direct(b.from(block.start, 0).start, b.row),
            c: c.from(rows.start, 0),
            accumulate: accumulate || block.start > 0,
            start: if start.is_null() || block.start > 0 { null() } else { start.wrapping_add(rows.start) },
            bias: null(),
        };
        if k == 0 {
            // SAFETY: the strip lies within the matrices.
            unsafe { strip(0..0).run() };
        }
        for block in inner_blocks(0..k, k) {
            // SAFETY: as above.
            unsafe { strip(block).run() };
        }
    }
}
