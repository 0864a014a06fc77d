//! `y^T = cols^T w^T + bias`, one image after the other.
//!
//! The products of an output are added up in the order of oneDNN's direct convolution for AVX-512 (`jit_avx512_common_conv`
//! of its source), which PyTorch calls: 16 input channels at a time, for each row and column of the kernel one channel
//! after the other, from zero; the bias joins the first sum, and the sums follow one another. With it the two print the
//! same digits, down to which of two nearly equal pixels a pooling layer chooses.
use super::Conv2dShape;
use super::view::View;
use crate::dispatch::Isa;
use crate::gemm::pack::{Matrix, Rows, copy, pack_b};
use crate::gemm::product::{Columns, Strip, Target};
use crate::gemm::tile::Kernels;
use crate::parallel;
use crate::real::Real;
use crate::scratch::{Offsets, with_scratch};
use std::ops::Range;
use std::ptr::null;

/// Elements of `y^T` that are computed together.
const PIECE: usize = 8 * 1024;
/// Images and groups that are enough tasks.
const MANY: usize = 32;
/// Input channels whose products are added up before the sum joins the output.
const CHANNELS: usize = 16;

pub(super) fn forward<T: Real>(isa: Isa, s: &Conv2dShape, x: &[T], w: &[T], bias: Option<&[T]>, y: &mut [T]) {
    if y.is_empty() {
        return;
    }
    let kernels = Kernels::get(isa);
    let (rows, pixels) = s.matrix_size();
    let (ci, co) = s.group_channels();
    let width = co.next_multiple_of(kernels.lanes);
    let view = View::new(s, ci);
    let (order, ends) = order_of_taps(s);
    let taps = view.taps(s, ci);
    let taps: Offsets = order.iter().map(|&tap| taps[tap]).collect();
    let offsets = view.pixels(s, 1);
    let step = (PIECE / width).max(kernels.gathering.len()).min(pixels);
    let pieces = pixels.div_ceil(step);
    let y = Target { start: y.as_mut_ptr(), row: pixels };
    with_scratch(s.groups * rows * width, |panels: &mut [T]| {
        pack_weights(kernels, s, w, (&order, &ends), panels);
        let panels = &*panels;
        // One task is one group of one image, or a piece of it if there are few.
        let tasks = if s.batch * s.groups < MANY { pieces } else { 1 };
        parallel::for_each_task(s.batch * s.groups * tasks, |task| {
            let (group, task) = (task / tasks, task % tasks);
            let (image, g) = (group / s.groups, group % s.groups);
            let padded = view.scratch(s, ci, 1);
            with_scratch(step * width + padded, |scratch: &mut [T]| {
                let (yt, scratch) = scratch.split_at_mut(step * width);
                let x = view.padded(s, x, image..image + 1, g * ci..(g + 1) * ci, scratch);
                for start in (pieces * task / tasks..pieces * (task + 1) / tasks).map(|piece| piece * step) {
                    let here = start..pixels.min(start + step);
                    let product = Gathered {
                        kernels,
                        a: x,
                        rows: &offsets[here.clone()],
                        cols: &taps,
                        ends: &ends,
                        panels: &panels[g * rows * width..],
                        n: co,
                        bias: bias.map(|bias| &bias[g * co..]),
                    };
                    let out = y.from(group * co, here.start).start;
                    // SAFETY: all sizes are those of the slices, and tasks have different parts of y.
                    unsafe {
                        product.run(Target { start: yt.as_mut_ptr(), row: width }, false);
                        copy(kernels, Matrix::new(yt, (1, width)), co, here.len(), out, pixels);
                    }
                }
            });
        });
    });
}

/// In which order the taps (c, p, q) of a group are added up, and where the blocks end that are summed before they join the rest.
fn order_of_taps(s: &Conv2dShape) -> (Offsets, Offsets) {
    let (ci, _) = s.group_channels();
    let taps = s.kernel.0 * s.kernel.1;
    // A kernel of one tap is a plain product, one sum over all channels.
    let step = if taps == 1 { ci.max(1) } else { CHANNELS };
    let blocks = (0..ci).step_by(step).map(|first| first..ci.min(first + step));
    let order = blocks.clone().flat_map(|channels| {
        (0..taps).flat_map(move |tap| channels.clone().map(move |channel| channel * taps + tap))
    });
    (order.collect(), blocks.map(|channels| channels.end * taps).collect())
}

/// The blocks that end there.
pub(super) fn blocks(ends: &[usize]) -> impl Iterator<Item = Range<usize>> {
    std::iter::once(&0).chain(ends).zip(ends).map(|(&start, &end)| start..end)
}

/// The transposed weights of each group in panels, block by block, the taps in their order.
fn pack_weights<T: Real>(
    kernels: &Kernels<T>,
    s: &Conv2dShape,
    w: &[T],
    (order, ends): (&[usize], &[usize]),
    panels: &mut [T],
) {
    let (rows, _) = s.matrix_size();
    let (_, co) = s.group_channels();
    let width = co.next_multiple_of(kernels.lanes);
    with_scratch(co * rows, |ordered: &mut [T]| {
        for g in 0..s.groups {
            let w = w[g * co * rows..].chunks_exact(rows.max(1));
            for (w, ordered) in w.zip(ordered.chunks_exact_mut(rows.max(1))) {
                ordered.iter_mut().zip(order).for_each(|(ordered, &tap)| *ordered = w[tap]);
            }
            let w = Matrix::new(ordered, (1, rows));
            for block in blocks(ends) {
                let out = &mut panels[(g * rows + block.start) * width..];
                // SAFETY: the block lies within the weights of the group.
                unsafe { pack_b(kernels, w.from(block.start, 0), block.len(), co, out) };
            }
        }
    });
}

/// `c = [c +] a b [+ bias]` for A given by offsets and B in panels, on the calling thread.
pub(super) struct Gathered<'a, T: 'static> {
    pub kernels: &'static Kernels<T>,
    pub a: &'a [T],
    /// Offsets of the rows and columns of A.
    pub rows: &'a [usize],
    pub cols: &'a [usize],
    /// Where the inner blocks end, which are summed one by one.
    pub ends: &'a [usize],
    /// For each inner block, what `pack_b` makes of its rows of B.
    pub panels: &'a [T],
    pub n: usize,
    pub bias: Option<&'a [T]>,
}

impl<T: Real> Gathered<'_, T> {
    /// # Safety
    /// The offsets must lie within A, `c` must be valid for the size, and nobody else may use it.
    pub unsafe fn run(&self, c: Target<T>, accumulate: bool) {
        let width = self.n.next_multiple_of(self.kernels.lanes);
        // A sum of no products is the bias.
        let nothing = self.ends.is_empty().then_some(0..0);
        for block in blocks(self.ends).chain(nothing) {
            let bias = self.bias.filter(|_| block.start == 0);
            let strip = Strip {
                kernels: self.kernels,
                rows: self.rows.len(),
                cols: self.n,
                k: block.len(),
                a: Rows::Gathered(self.a.as_ptr(), self.rows.as_ptr(), self.cols[block.start..].as_ptr()),
                b: Columns::Packed(self.panels[block.start * width..].as_ptr()),
                c,
                spill: null(),
                accumulate: accumulate || block.start > 0,
                bias: bias.map_or(null(), |bias| bias.as_ptr()),
            };
            // SAFETY: the contract is the caller's.
            unsafe { strip.run() };
        }
    }
}
