//! The gradients: `dcols = w^T dy`, added up over the windows; `dw^T = cols dy^T`, added up over the images.
use super::columns::{add_col2im, im2col};
use super::forward::multiply;
use super::{Conv2dShape, PIECE};
use crate::dispatch::{Isa, multiversion};
use crate::gemm::pack::{Matrix, pack_b, with_scratch};
use crate::gemm::product::Target;
use crate::gemm::tile::Kernels;
use crate::parallel::{self, Disjoint};
use crate::real::Real;
use std::ops::Range;
use std::ptr::null;

/// Elements of a piece of `dcols`, which is added to the image while it is in the L1 cache.
const INPUT_PIECE: usize = 8 * 1024;

pub(super) fn input<T: Real>(isa: Isa, s: &Conv2dShape, dy: &[T], w: &[T], dx: &mut [T]) {
    dx.fill(T::ZERO);
    if dx.is_empty() || dy.is_empty() {
        return;
    }
    let kernels = Kernels::get(isa);
    let (rows, pixels) = s.matrix_size();
    let (ci, co) = s.group_channels();
    let plane = s.size.0 * s.size.1;
    let taps = s.kernel.0 * s.kernel.1;
    // The order of additions follows the pieces, so they must not depend on the instruction set.
    let step = (INPUT_PIECE / taps).max(1).next_multiple_of(32).min(pixels);
    let most = (INPUT_PIECE / (taps * step)).max(1);
    let parts = ci.div_ceil(most);
    let dx = Disjoint::new(dx);
    with_scratch(w.len(), |wt: &mut [T]| {
        for (w, wt) in w.chunks_exact(co * rows).zip(wt.chunks_exact_mut(co * rows)) {
            transpose(w, rows, wt);
        }
        let wt = &*wt;
        // One task is some channels of one group of one image.
        parallel::for_each_task(s.batch * s.groups * parts, |task| {
            let (group, part) = (task / parts, task % parts);
            let channels = ci * part / parts..ci * (part + 1) / parts;
            let here = channels.start * taps..channels.end * taps;
            let wt = &wt[(group % s.groups * rows + here.start) * co..][..here.len() * co];
            let dy = Matrix::new(&dy[group * co * pixels..][..co * pixels], (pixels, 1));
            let first = (group * ci + channels.start) * plane;
            // SAFETY: tasks have different images, groups or channels.
            let dx = unsafe { dx.slice(first..first + channels.len() * plane) };
            with_scratch(here.len() * step, |dcols: &mut [T]| {
                for start in (0..pixels).step_by(step) {
                    let pixels = start..pixels.min(start + step);
                    let size = (here.len(), pixels.len(), co);
                    let c = Target { start: dcols.as_mut_ptr(), row: step };
                    // SAFETY: all sizes are those of the slices, and `dcols` is this task's.
                    unsafe {
                        multiply(kernels, size, Matrix::new(wt, (co, 1)), dy.from(0, start), c, null(), false)
                    };
                    add_col2im(s, dcols, step, 0..here.len(), pixels, dx);
                }
            });
        });
    });
}

/// `out = x^T` for `x` with `cols` columns.
fn transpose<T: Real>(x: &[T], cols: usize, out: &mut [T]) {
    let rows = x.len() / cols;
    // SAFETY: x holds `rows * cols` elements.
    unsafe { pack_b(Matrix::new(x, (1, cols)), cols, rows, rows, 1, out) }
}

/// How the gradient of the weight is cut into tasks, by problem size alone.
struct Cut {
    /// Parts of the input channels of a group.
    channel_parts: usize,
    /// Parts of the output channels of a group.
    out_parts: usize,
    /// Parts of the images, which are added up at the end.
    image_parts: usize,
    /// Images that are multiplied together.
    images: usize,
    /// Pixels of an image that are multiplied together.
    pixels: usize,
}

impl Cut {
    fn new(s: &Conv2dShape) -> Self {
        /// Inner length of a product.
        const DEPTH: usize = 384;
        let (_, pixels) = s.matrix_size();
        let (ci, co) = s.group_channels();
        let images = (DEPTH / pixels).clamp(1, s.batch);
        let pixels = pixels.div_ceil(pixels.div_ceil(DEPTH));
        let channel = s.kernel.0 * s.kernel.1 * pixels * images;
        let channel_parts = (ci * channel).div_ceil(PIECE).clamp(1, ci);
        let out_parts = co.div_ceil(128);
        let image_parts = (16 / (channel_parts * out_parts * s.groups)).clamp(1, s.batch.div_ceil(images));
        Cut { channel_parts, out_parts, image_parts, images, pixels }
    }
}

pub(super) fn weight<T: Real>(isa: Isa, s: &Conv2dShape, x: &[T], dy: &[T], dw: &mut [T]) {
    if dw.is_empty() || dy.is_empty() {
        dw.fill(T::ZERO);
        return;
    }
    let kernels = Kernels::get(isa);
    let cut = Cut::new(s);
    let (rows, _) = s.matrix_size();
    let (ci, co) = s.group_channels();
    with_scratch(cut.image_parts * dw.len(), |partial: &mut [T]| {
        // One task is some input and output channels of one group, over some of the images.
        let target = Target { start: partial.as_mut_ptr(), row: co };
        parallel::for_each_task(cut.image_parts * s.groups * cut.channel_parts * cut.out_parts, |task| {
            let (task, o) = (task / cut.out_parts, task % cut.out_parts);
            let (task, c) = (task / cut.channel_parts, task % cut.channel_parts);
            let (i, g) = (task / s.groups, task % s.groups);
            let part = |n: usize, parts: usize, i: usize| n * i / parts..n * (i + 1) / parts;
            let outs = part(co, cut.out_parts, o);
            let channels = part(ci, cut.channel_parts, c);
            let first_row = (i * s.groups + g) * rows + channels.start * s.kernel.0 * s.kernel.1;
            let target = target.from(first_row, outs.start);
            let task = WeightTask {
                s,
                kernels,
                x,
                dy,
                g,
                images: part(s.batch, cut.image_parts, i),
                channels,
                outs,
            };
            // SAFETY: tasks have different parts of `partial`.
            unsafe { task.run(&cut, target) };
        });
        let (sum, rest) = partial.split_at_mut(dw.len());
        for partial in rest.chunks_exact(dw.len()) {
            crate::map::in_place2(sum, partial, |sum, x| sum + x);
        }
        for (sum, dw) in sum.chunks_exact(co * rows).zip(dw.chunks_exact_mut(co * rows)) {
            transpose(sum, co, dw);
        }
    });
}

struct WeightTask<'a, T: 'static> {
    s: &'a Conv2dShape,
    kernels: &'static Kernels<T>,
    x: &'a [T],
    dy: &'a [T],
    g: usize,
    images: Range<usize>,
    channels: Range<usize>,
    outs: Range<usize>,
}

impl<T: Real> WeightTask<'_, T> {
    /// Writes `dw^T` of this task to `target`.
    ///
    /// # Safety
    /// `target` must be valid for `[rows, outs]`, and nobody else may use it.
    unsafe fn run(&self, cut: &Cut, target: Target<T>) {
        let (_, pixels) = self.s.matrix_size();
        let rows = self.channels.len() * self.s.kernel.0 * self.s.kernel.1;
        let width = self.outs.len().next_multiple_of(self.kernels.lanes);
        let depth = cut.images * cut.pixels;
        let mut accumulate = false;
        with_scratch((rows + width) * depth, |scratch: &mut [T]| {
            let (cols, dyt) = scratch.split_at_mut(rows * depth);
            for first in self.images.clone().step_by(cut.images) {
                let images = first..self.images.end.min(first + cut.images);
                for start in (0..pixels).step_by(cut.pixels) {
                    let here = start..pixels.min(start + cut.pixels);
                    for (image, at) in images.clone().zip((0..).step_by(here.len())) {
                        self.gather(image, here.clone(), &mut cols[at..], depth, &mut dyt[at * width..]);
                    }
                    let size = (rows, self.outs.len(), images.len() * here.len());
                    let (cols, dyt) = (Matrix::new(cols, (depth, 1)), Matrix::new(dyt, (width, 1)));
                    // SAFETY: the sizes are those of the scratch memory; the caller vouches for `target`.
                    unsafe { multiply(self.kernels, size, cols, dyt, target, null(), accumulate) };
                    accumulate = true;
                }
            }
        });
    }

    /// Fills in the columns of one image, at distance `stride`, and its `dy^T`.
    fn gather(&self, image: usize, here: Range<usize>, cols: &mut [T], stride: usize, dyt: &mut [T]) {
        let s = self.s;
        let (_, pixels) = s.matrix_size();
        let (ci, co) = s.group_channels();
        let group = image * s.groups + self.g;
        let plane = s.size.0 * s.size.1;
        let x = &self.x[(group * ci + self.channels.start) * plane..][..self.channels.len() * plane];
        let rows = self.channels.len() * s.kernel.0 * s.kernel.1;
        im2col(s, x, 0..rows, here.clone(), cols, stride);
        let dy = &self.dy[(group * co + self.outs.start) * pixels..][..self.outs.len() * pixels];
        let dy = Matrix::new(dy, (1, pixels)).from(here.start, 0);
        let width = self.outs.len().next_multiple_of(self.kernels.lanes);
        // SAFETY: the pixels and channels lie within dy.
        unsafe { pack_b(dy, here.len(), self.outs.len(), width, self.kernels.lanes, dyt) };
    }
}

/// Parts of the images whose bias gradients are added up at the end.
const BIAS_PARTS: usize = 16;

pub(super) fn bias<T: Real>(s: &Conv2dShape, dy: &[T], db: &mut [T]) {
    let (_, pixels) = s.matrix_size();
    let channels = s.out_channels;
    db.fill(T::ZERO);
    if dy.is_empty() {
        return;
    }
    with_scratch(BIAS_PARTS * channels, |partial: &mut [T]| {
        parallel::chunks_mut(partial, channels, |part, sums| {
            let images = s.batch * part / BIAS_PARTS..s.batch * (part + 1) / BIAS_PARTS;
            sums.fill(T::ZERO);
            for dy in dy[images.start * channels * pixels..images.end * channels * pixels]
                .chunks_exact(channels * pixels)
            {
                add_plane_sums(dy, pixels, sums);
            }
        });
        for sums in partial.chunks_exact(channels) {
            db.iter_mut().zip(sums).for_each(|(db, sum)| *db += *sum);
        }
    });
}

multiversion! {
    /// Adds the sum of each plane of `dy` to its element of `sums`, in 16 lanes.
    fn add_plane_sums[T: Real](dy: &[T], pixels: usize, sums: &mut [T]) {
        for (dy, sum) in dy.chunks_exact(pixels).zip(sums) {
            let mut lanes = [T::ZERO; 16];
            let (whole, rest) = dy.as_chunks::<16>();
            for dy in whole {
                for (lane, dy) in lanes.iter_mut().zip(dy) {
                    *lane += *dy;
                }
            }
            for (lane, dy) in lanes.iter_mut().zip(rest) {
                *lane += *dy;
            }
            for half in [8, 4, 2, 1] {
                for i in 0..half {
                    lanes[i] += lanes[i + half];
                }
            }
            *sum += lanes[0];
        }
    }
}
