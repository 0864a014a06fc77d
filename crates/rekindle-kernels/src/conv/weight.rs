//! `dw^T = cols dy^T`, added up over the images, and the gradient of the bias.
//!
//! Both are made for parts of the batch (`Conv2dShape::image_parts`), image after image, and the parts are added in their
//! order: so whoever has only one part at a time, as a captured step has, comes to the same bits.
use super::Conv2dShape;
use super::forward::{Gathered, blocks};
use super::view::View;
use crate::dispatch::multiversion;
use crate::gemm::pack::{Matrix, copy, pack_b};
use crate::gemm::product::{Target, inner_blocks};
use crate::gemm::tile::Kernels;
use crate::map;
use crate::parallel;
use crate::real::Real;
use crate::scratch::{Offsets, with_scratch};
use std::ops::Range;

/// How the gradient of the weight is cut into tasks, by problem size alone.
pub(super) struct Cut {
    /// Parts of the input channels of a group.
    channel_parts: usize,
    /// Parts of the output channels of a group.
    out_parts: usize,
    /// Images that are multiplied together.
    pub images: usize,
}

impl Cut {
    pub fn new(s: &Conv2dShape) -> Self {
        let (_, pixels) = s.matrix_size();
        let (ci, co) = s.group_channels();
        Cut {
            channel_parts: ci.div_ceil(16),
            out_parts: co.div_ceil(128),
            images: (256 / pixels).clamp(1, s.batch),
        }
    }
}

/// The gradient of the weight from every `dy`, not empty, from the images of each of `parts`.
pub(super) fn backward_weight<T: Real>(
    kernels: &'static Kernels<T>,
    s: &Conv2dShape,
    parts: &[Range<usize>],
    x: &[T],
    dy: &[T],
    dw: &mut [T],
) {
    let cut = Cut::new(s);
    let (rows, _) = s.matrix_size();
    let (ci, co) = s.group_channels();
    with_scratch(parts.len() * dw.len(), |partial: &mut [T]| {
        // One task is some input and output channels of one group, over some of the images.
        let target = Target { start: partial.as_mut_ptr(), row: co };
        parallel::for_each_task(parts.len() * s.groups * cut.channel_parts * cut.out_parts, |task| {
            let (task, o) = (task / cut.out_parts, task % cut.out_parts);
            let (task, c) = (task / cut.channel_parts, task % cut.channel_parts);
            let (i, g) = (task / s.groups, task % s.groups);
            let outs = part(co, cut.out_parts, o);
            let channels = part(ci, cut.channel_parts, c);
            let first_row = (i * s.groups + g) * rows + channels.start * s.kernel.0 * s.kernel.1;
            let target = target.from(first_row, outs.start);
            let task = WeightTask { s, kernels, x, dy, g, images: parts[i].clone(), channels, outs };
            // SAFETY: tasks have different parts of `partial`.
            unsafe { task.run(cut.images, target) };
        });
        let sum = add_parts(partial, dw.len());
        for (sum, dw) in sum.chunks_exact(co * rows).zip(dw.chunks_exact_mut(co * rows)) {
            // SAFETY: both hold `co * rows` elements.
            unsafe { copy(kernels, Matrix::new(sum, (1, co)), co, rows, dw.as_mut_ptr(), rows) };
        }
    });
}

/// The sum of the parts, in their order, each of `len` numbers.
pub(super) fn add_parts<T: Real>(parts: &mut [T], len: usize) -> &mut [T] {
    let (sum, rest) = parts.split_at_mut(len);
    for part in rest.chunks_exact(len) {
        map::in_place2(sum, part, |sum, x| sum + x);
    }
    sum
}

/// Part `i` of `parts` of `n` things.
pub(super) fn part(n: usize, parts: usize, i: usize) -> Range<usize> {
    n * i / parts..n * (i + 1) / parts
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
    /// Writes `dw^T` of this task to `target`, `step` images at a time.
    ///
    /// # Safety
    /// `target` must be valid for `[rows, outs]`, and nobody else may use it.
    unsafe fn run(&self, step: usize, target: Target<T>) {
        let s = self.s;
        let (_, pixels) = s.matrix_size();
        let (ci, _) = s.group_channels();
        let channels = self.g * ci + self.channels.start..self.g * ci + self.channels.end;
        let view = View::new(s, channels.len());
        let (taps, offsets) = (view.taps(s, channels.len()), view.pixels(s, step));
        let width = self.outs.len().next_multiple_of(self.kernels.lanes);
        let dyt_len = step * pixels * width;
        with_scratch(dyt_len + view.scratch(s, channels.len(), step), |scratch: &mut [T]| {
            let (dyt, scratch) = scratch.split_at_mut(dyt_len);
            for first in self.images.clone().step_by(step) {
                let images = first..self.images.end.min(first + step);
                let pixels = images.len() * pixels;
                let ends: Offsets = inner_blocks(0..pixels, pixels).map(|block| block.end).collect();
                self.pack(images.clone(), &ends, dyt);
                let product = Gathered {
                    kernels: self.kernels,
                    a: view.padded(s, self.x, images.clone(), channels.clone(), scratch),
                    rows: &taps,
                    cols: &offsets[..pixels],
                    ends: &ends,
                    panels: dyt,
                    n: self.outs.len(),
                    bias: None,
                };
                // SAFETY: the offsets lie within the images; the caller vouches for `target`.
                unsafe { product.run(target, first > self.images.start) };
            }
        });
    }

    /// `dy^T` of some images, `[pixels of all, outs]`, in panels, inner block by inner block.
    fn pack(&self, images: Range<usize>, ends: &[usize], dyt: &mut [T]) {
        let (_, pixels) = self.s.matrix_size();
        let (_, co) = self.s.group_channels();
        let Kernels { lanes, .. } = *self.kernels;
        let width = self.outs.len().next_multiple_of(lanes);
        for block in blocks(ends) {
            let out = &mut dyt[block.start * width..][..block.len() * width];
            let mut at = block.start;
            while at < block.end {
                let (image, pixel) = (images.start + at / pixels, at % pixels);
                let len = (pixels - pixel).min(block.end - at);
                let dy = &self.dy[((image * self.s.groups + self.g) * co + self.outs.start) * pixels..];
                for first in (0..self.outs.len()).step_by(self.kernels.cols()) {
                    let cols = self.kernels.cols().min(self.outs.len() - first);
                    let stride = cols.next_multiple_of(lanes);
                    let out = &mut out[first * block.len() + (at - block.start) * stride..][..len * stride];
                    let dy = Matrix::new(dy, (1, pixels)).from(pixel, first);
                    // SAFETY: the pixels and channels lie within dy.
                    unsafe { pack_b(self.kernels, dy, len, cols, out) };
                }
                at += len;
            }
        }
    }
}

/// The gradient of the bias, from the images of each of `parts`.
pub(super) fn backward_bias<T: Real>(s: &Conv2dShape, parts: &[Range<usize>], dy: &[T], db: &mut [T]) {
    let (_, pixels) = s.matrix_size();
    let channels = s.out_channels;
    if dy.is_empty() {
        return db.fill(T::ZERO);
    }
    with_scratch(parts.len() * channels, |partial: &mut [T]| {
        parallel::chunks_mut(partial, channels, |i, sums| {
            let images = parts[i].clone();
            sums.fill(T::ZERO);
            for dy in dy[images.start * channels * pixels..images.end * channels * pixels]
                .chunks_exact(channels * pixels)
            {
                add_plane_sums(dy, pixels, sums);
            }
        });
        let (first, rest) = partial.split_at(channels);
        db.copy_from_slice(first);
        for sums in rest.chunks_exact(channels) {
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
