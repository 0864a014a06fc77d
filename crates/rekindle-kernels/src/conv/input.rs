//! `dcols = w^T dy`, added up over the windows: for each tap of the kernel, a product `dy^T w` goes straight to the
//! pixels of `dx^T` that the tap looks at. Input channels lie along the vectors.
use super::Conv2dShape;
use super::view::View;
use crate::gemm::pack::{Matrix, Rows, copy, pack_b};
use crate::gemm::product::{Columns, Strip, Target, inner_blocks};
use crate::gemm::tile::Kernels;
use crate::parallel::{self, Disjoint};
use crate::real::Real;
use crate::scratch::with_scratch;
use std::ops::Range;
use std::ptr::null;

/// Input channels of a task.
pub(super) const CHANNELS: usize = 64;

/// `dx` from every `dy`, not empty.
pub(super) fn backward_input<T: Real>(
    kernels: &'static Kernels<T>,
    s: &Conv2dShape,
    dy: &[T],
    w: &[T],
    dx: &mut [T],
) {
    let (ci, co) = s.group_channels();
    let taps = s.kernel.0 * s.kernel.1;
    let plane = s.size.0 * s.size.1;
    let (parts, step) = (ci.div_ceil(CHANNELS), ci.min(CHANNELS));
    let width = step.next_multiple_of(kernels.lanes);
    let view = View::new(s, step);
    let dx = Disjoint::new(dx);
    with_scratch(s.groups * parts * taps * co * width, |panels: &mut [T]| {
        parallel::chunks_mut(panels, co * width, |i, panels| {
            let (part, tap) = (i / taps, i % taps);
            let (g, channels) = (part / parts, channels(part % parts, ci));
            let w = Matrix::new(&w[(g * co * ci + channels.start) * taps + tap..], (ci * taps, taps));
            for block in inner_blocks(0..co, co) {
                let (w, out) = (w.from(block.start, 0), &mut panels[block.start * width..]);
                // SAFETY: the block lies within the weights of the group.
                unsafe { pack_b(kernels, w, block.len(), channels.len(), out) };
            }
        });
        let panels = &*panels;
        // One task is some channels of one group of one image.
        parallel::for_each_task(s.batch * s.groups * parts, |task| {
            let (group, part) = (task / parts, task % parts);
            let channels = channels(part, ci);
            let first = (group * ci + channels.start) * plane;
            // SAFETY: tasks have different images, groups or channels.
            let dx = unsafe { dx.slice(first..first + channels.len() * plane) };
            let dy = &dy[group * co * s.matrix_size().1..];
            let panels =
                &panels[(group % s.groups * parts + part) * taps * co * width..][..taps * co * width];
            with_scratch(view.channel * width, |dxt: &mut [T]| {
                dxt.fill(T::ZERO);
                let task = InputTask { s, kernels, view, dy, panels, channels: channels.len(), width };
                task.run(dxt);
                crop(kernels, s, view.row, (dxt, width), channels.len(), dx);
            });
        });
    });
}

/// Those of a group that are a task's.
pub(super) fn channels(part: usize, all: usize) -> Range<usize> {
    part * CHANNELS..all.min((part + 1) * CHANNELS)
}

struct InputTask<'a, T: 'static> {
    s: &'a Conv2dShape,
    kernels: &'static Kernels<T>,
    view: View,
    dy: &'a [T],
    /// For each tap, the panels of `[co, channels]`.
    panels: &'a [T],
    channels: usize,
    /// Distance between the pixels of `dx^T`.
    width: usize,
}

impl<T: Real> InputTask<'_, T> {
    /// Adds up `dx^T`, `[padded pixels, width]`.
    fn run(&self, dxt: &mut [T]) {
        let s = self.s;
        let (_, co) = s.group_channels();
        let (oh, ow) = s.out_size();
        let dxt = Target { start: dxt.as_mut_ptr(), row: self.width };
        let width = self.channels.next_multiple_of(self.kernels.lanes);
        for (tap, panels) in self.panels.chunks_exact(co * self.width).enumerate() {
            let (p, q) = (tap / s.kernel.1 * s.dilation.0, tap % s.kernel.1 * s.dilation.1);
            for i in 0..oh {
                let pixel = (i * s.stride.0 + p) * self.view.row + q;
                for block in inner_blocks(0..co, co) {
                    let strip = Strip {
                        kernels: self.kernels,
                        rows: ow,
                        cols: self.channels,
                        k: block.len(),
                        a: Rows::Strided(Matrix::new(self.dy, (1, oh * ow)).from(i * ow, block.start)),
                        b: Columns::Packed(panels[block.start * width..].as_ptr()),
                        c: Target { row: s.stride.1 * self.width, ..dxt.from(pixel, 0) },
                        spill: null(),
                        accumulate: true,
                        bias: null(),
                    };
                    // SAFETY: the pixels lie within the padded image, the channels within its width, and `dxt`
                    // is this task's.
                    unsafe { strip.run() };
                }
            }
        }
    }
}

/// `dx` of some channels from `dx^T` (with the distance of its pixels), whose rows are `row` pixels long, without the padding.
pub(super) fn crop<T: Real>(
    kernels: &Kernels<T>,
    s: &Conv2dShape,
    row: usize,
    (dxt, width): (&[T], usize),
    channels: usize,
    dx: &mut [T],
) {
    let pixels = Matrix::new(dxt, (1, width));
    let plane = s.size.0 * s.size.1;
    // SAFETY: `dx` holds `channels` planes, and `dxt` the padded image.
    unsafe {
        if s.padding == (0, 0) {
            return copy(kernels, pixels, channels, plane, dx.as_mut_ptr(), plane);
        }
        for i in 0..s.size.0 {
            let row = pixels.from(0, (i + s.padding.0) * row + s.padding.1);
            copy(kernels, row, channels, s.size.1, dx[i * s.size.1..].as_mut_ptr(), plane);
        }
    }
}
