//! The gradients of input and weight where most of `dy` is zero, as behind ReLU and pooling: what is zero is skipped, see
//! `gemm::sparse`. The sums are those of `input` and `weight`, in the same order. Input channels lie along the vectors.
use super::Conv2dShape;
use super::input::{CHANNELS, channels, crop};
use super::view::View;
use super::weight::{Cut, add_parts, part};
use crate::gemm::combine::{Combination, MOST_VECTORS};
use crate::gemm::pack::{Matrix, copy};
use crate::gemm::product::inner_blocks;
use crate::gemm::sparse::{Listed, count_nonzero};
use crate::gemm::tile::Kernels;
use crate::parallel::{self, Disjoint};
use crate::real::Real;
use crate::reduce::all_finite;
use crate::scratch::{Offsets, with_scratch};
use std::ops::Range;
use std::ptr::null;

/// Output channels of a task of the weight's gradient.
const OUTS: usize = 128;
/// Output pixels whose windows stay in the L1 cache.
const PIXELS: usize = 64;
/// Elements of lists that may stay in a thread's memory.
const LISTED: usize = 512 * 1024;
/// Skipping pays if at most this share of `dy` is not zero.
const DENSITY: f64 = 0.5;

/// Whether zeros of `dy` are worth skipping: there are many, the other factor is finite (0 times infinity is not 0), and channels
/// fill the vectors.
pub(super) fn pays<T: Real>(kernels: &Kernels<T>, s: &Conv2dShape, dy: &[T], other: &[T]) -> bool {
    let (ci, co) = s.group_channels();
    let vectors = ci.min(CHANNELS).div_ceil(kernels.lanes);
    let fits = ci >= 2 * kernels.lanes && vectors <= MOST_VECTORS && inner_blocks(0..co, co).count() == 1;
    fits && count_nonzero(dy) as f64 <= DENSITY * dy.len() as f64 && all_finite(other)
}

/// Whether the lists of [`backward_input`] stay small: they have room for all output pixels and channels of an image.
pub(super) fn fits(s: &Conv2dShape) -> bool {
    s.group_channels().1 * s.matrix_size().1 <= LISTED
}

/// The gradient of the input.
pub(super) fn backward_input<T: Real>(
    kernels: &'static Kernels<T>,
    s: &Conv2dShape,
    dy: &[T],
    w: &[T],
    dx: &mut [T],
) {
    let (ci, co) = s.group_channels();
    let taps = s.kernel.0 * s.kernel.1;
    let (plane, pixels) = (s.size.0 * s.size.1, s.matrix_size().1);
    let chunks = ci.div_ceil(CHANNELS);
    let width = ci.min(CHANNELS).next_multiple_of(kernels.lanes);
    let view = View::new(s, width);
    let (offsets, targets) = (view.taps(s, 1), view.pixels(s, 1));
    let dx = Disjoint::new(dx);
    with_scratch(s.groups * chunks * taps * co * width, |panels: &mut [T]| {
        pack_taps(s, w, width, panels);
        let panels = &*panels;
        parallel::for_each_task(s.batch * s.groups * chunks, |task| {
            let (group, chunk) = (task / chunks, task % chunks);
            let channels = channels(chunk, ci);
            let first = (group * ci + channels.start) * plane;
            // SAFETY: tasks have different images, groups or channels.
            let dx = unsafe { dx.slice(first..first + channels.len() * plane) };
            let dy = &dy[group * co * pixels..][..co * pixels];
            let panels = &panels[(group % s.groups * chunks + chunk) * taps * co * width..];
            let element = |pixel: usize, o: usize| dy[o * pixels + pixel];
            let listed = Listed { rows: pixels, k: co, piece: co, element, at: |o| o };
            with_scratch(view.channel * width, |dxt: &mut [T]| {
                dxt.fill(T::ZERO);
                listed.with(|lists| {
                    for (tap, panel) in offsets.iter().zip(panels.chunks_exact(co * width)) {
                        for (pixel, target) in targets.iter().enumerate() {
                            let (factors, at) = lists.get(pixel, 0);
                            let row = Combination {
                                factors,
                                at,
                                b: panel.as_ptr(),
                                step: width,
                                start: null(),
                                c: dxt[(tap + target) * width..][..width].as_mut_ptr(),
                                last: kernels.lanes,
                                accumulate: true,
                            };
                            // SAFETY: every entry is a row of the panel.
                            unsafe { (kernels.combine[width / kernels.lanes - 1])(&row) };
                        }
                    }
                });
                crop(kernels, s, view.row, (dxt, width), channels.len(), dx);
            });
        });
    });
}

/// The weights of each group, chunk and tap: `[co, width]`.
fn pack_taps<T: Real>(s: &Conv2dShape, w: &[T], width: usize, panels: &mut [T]) {
    let (ci, co) = s.group_channels();
    let taps = s.kernel.0 * s.kernel.1;
    let chunks = ci.div_ceil(CHANNELS);
    parallel::chunks_mut(panels, co * width, |i, panel| {
        let (chunk, tap) = (i / taps, i % taps);
        let (g, channels) = (chunk / chunks, channels(chunk % chunks, ci));
        for (o, row) in panel.chunks_exact_mut(width).enumerate() {
            let w = &w[((g * co + o) * ci + channels.start) * taps + tap..];
            row.fill(T::ZERO);
            row.iter_mut().zip(w.iter().step_by(taps)).take(channels.len()).for_each(|(row, w)| *row = *w);
        }
    });
}

/// The gradient of the weight, from the images of each of `parts`.
pub(super) fn backward_weight<T: Real>(
    kernels: &'static Kernels<T>,
    s: &Conv2dShape,
    parts: &[Range<usize>],
    x: &[T],
    dy: &[T],
    dw: &mut [T],
) {
    let (ci, co) = s.group_channels();
    let taps = s.kernel.0 * s.kernel.1;
    let (chunks, out_parts) = (ci.div_ceil(CHANNELS), co.div_ceil(OUTS));
    let width = ci.min(CHANNELS).next_multiple_of(kernels.lanes);
    // For each part, group, chunk and output channel `[taps, width]` sums.
    let each = s.groups * chunks * co * taps * width;
    with_scratch(parts.len() * each, |partial: &mut [T]| {
        let sums = Disjoint::new(partial);
        parallel::for_each_task(parts.len() * s.groups * chunks * out_parts, |task| {
            let (task, o) = (task / out_parts, task % out_parts);
            let (i, chunk) = (task / (s.groups * chunks), task % (s.groups * chunks));
            let outs = part(co, out_parts, o);
            let first = i * each + (chunk * co + outs.start) * taps * width;
            // SAFETY: tasks have different parts, chunks or output channels.
            let sums = unsafe { sums.slice(first..first + outs.len() * taps * width) };
            let (g, channels) = (chunk / chunks, channels(chunk % chunks, ci));
            WeightTask { s, kernels, x, dy, g, images: parts[i].clone(), channels, outs, width }.run(sums);
        });
        for (i, sum) in add_parts(partial, each).chunks_exact(taps * width).enumerate() {
            let (chunk, o) = (i / co, i % co);
            let (g, channels) = (chunk / chunks, channels(chunk % chunks, ci));
            let dw = &mut dw[((g * co + o) * ci + channels.start) * taps..][..channels.len() * taps];
            // SAFETY: both hold `channels * taps` elements.
            unsafe {
                copy(kernels, Matrix::new(sum, (1, width)), channels.len(), taps, dw.as_mut_ptr(), taps)
            };
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
    width: usize,
}

impl<T: Real> WeightTask<'_, T> {
    /// Writes `[outs, taps, width]`, as many images at a time as the dense product.
    fn run(&self, out: &mut [T]) {
        let s = self.s;
        let pixels = s.matrix_size().1;
        let step = Cut::new(s).images;
        let view = View::new(s, self.width);
        // The images lie in `xt` one after the other, and each pixel has `width` channels.
        let view = View { image: view.channel, ..view };
        let (taps, places) = (view.taps(s, 1), view.pixels(s, step));
        let image_len = view.image * self.width;
        with_scratch(step * image_len, |xt: &mut [T]| {
            xt.fill(T::ZERO);
            for first in self.images.clone().step_by(step) {
                let images = first..self.images.end.min(first + step);
                for (image, xt) in images.clone().zip(xt.chunks_exact_mut(image_len)) {
                    self.transpose(image, view.row, xt);
                }
                let k = images.len() * pixels;
                for block in inner_blocks(0..k, k) {
                    let accumulate = first > self.images.start || block.start > 0;
                    self.block(first, block, (&taps, &places), xt, out, accumulate);
                }
            }
        });
    }

    /// The input channels of an image, side by side for each pixel.
    fn transpose(&self, image: usize, row: usize, xt: &mut [T]) {
        let s = self.s;
        let plane = s.size.0 * s.size.1;
        let ci = s.group_channels().0;
        let x = &self.x[(image * s.in_channels + self.g * ci + self.channels.start) * plane..];
        let x = Matrix::new(x, (1, plane));
        for i in 0..s.size.0 {
            let out =
                &mut xt[((i + s.padding.0) * row + s.padding.1) * self.width..][..s.size.1 * self.width];
            // SAFETY: the row lies within x, and `out` holds it.
            unsafe {
                copy(
                    self.kernels,
                    x.from(i * s.size.1, 0),
                    s.size.1,
                    self.channels.len(),
                    out.as_mut_ptr(),
                    self.width,
                );
            }
        }
    }

    /// The sums over an inner block of the output pixels of the images from `image` on; `places` are where their windows begin, and
    /// `taps` what each tap is away from there.
    fn block(
        &self,
        image: usize,
        block: Range<usize>,
        (taps, places): (&[usize], &[usize]),
        xt: &[T],
        out: &mut [T],
        accumulate: bool,
    ) {
        let &WeightTask { s, kernels, width, .. } = self;
        let (co, pixels) = (s.group_channels().1, s.matrix_size().1);
        let places = &places[block.clone()];
        let dy = &self.dy[(image * s.out_channels + self.g * co + self.outs.start) * pixels..];
        // Where a pixel of the first channel is in dy.
        let in_dy: Offsets = block.map(|p| p / pixels * s.out_channels * pixels + p % pixels).collect();
        let listed = Listed {
            rows: self.outs.len(),
            k: places.len(),
            piece: PIXELS,
            element: |o, p| dy[o * pixels + in_dy[p]],
            at: |p| places[p],
        };
        listed.with(|lists| {
            with_scratch(self.outs.len() * width, |unfinished: &mut [T]| {
                for (t, tap) in taps.iter().enumerate() {
                    for j in 0..lists.pieces() {
                        let done = j + 1 == lists.pieces();
                        for (o, unfinished) in unfinished.chunks_exact_mut(width).enumerate() {
                            let c = out[(o * taps.len() + t) * width..][..width].as_mut_ptr();
                            let ((factors, at), unfinished) = (lists.get(o, j), unfinished.as_mut_ptr());
                            let row = Combination {
                                factors,
                                at,
                                b: xt[tap * width..].as_ptr(),
                                step: width,
                                start: if j == 0 { null() } else { unfinished },
                                c: if done { c } else { unfinished },
                                last: kernels.lanes,
                                accumulate: done && accumulate,
                            };
                            // SAFETY: the pixels of the entries and the tap lie within the images.
                            unsafe { (kernels.combine[width / kernels.lanes - 1])(&row) };
                        }
                    }
                }
            });
        });
    }
}
