//! Between images and matrices: `im2col` and its transpose.
//!
//! Row (c, p, q) of the matrix of columns is channel c of an image as tap (p, q) of the kernel sees it; its columns
//! are the output pixels, row by row.
use super::Conv2dShape;
use crate::dispatch::multiversion;
use crate::real::Real;
use std::ops::Range;

/// A run of output pixels within one output row, and where it begins among the pixels.
struct Run {
    row: usize,
    cols: Range<usize>,
    at: usize,
}

/// Cuts the output pixels `pixels` of a row length `width` into runs.
#[inline(always)]
fn runs(pixels: Range<usize>, width: usize) -> impl Iterator<Item = Run> {
    (pixels.start / width..pixels.end.div_ceil(width)).map(move |row| {
        let start = pixels.start.max(row * width);
        let end = pixels.end.min((row + 1) * width);
        Run { row, cols: start - row * width..end - row * width, at: start - pixels.start }
    })
}

/// One tap of the kernel along one axis: output i looks at input `i * stride + shift - padding`.
#[derive(Clone, Copy)]
struct Tap {
    size: usize,
    stride: usize,
    shift: usize,
    padding: usize,
}

impl Tap {
    #[inline(always)]
    fn input(&self, i: usize) -> Option<usize> {
        (i * self.stride + self.shift).checked_sub(self.padding).filter(|&r| r < self.size)
    }

    /// The outputs in `range` that look inside the image.
    #[inline(always)]
    fn inside(&self, range: &Range<usize>) -> Range<usize> {
        let first = self.padding.saturating_sub(self.shift).div_ceil(self.stride);
        let end = (self.size + self.padding).saturating_sub(self.shift).div_ceil(self.stride);
        let start = first.clamp(range.start, range.end);
        start..end.clamp(start, range.end)
    }
}

#[inline(always)]
fn taps(s: &Conv2dShape, row: usize) -> (usize, Tap, Tap) {
    let (kh, kw) = s.kernel;
    let (c, p, q) = (row / (kh * kw), row / kw % kh, row % kw);
    let tap = |size, stride, shift, padding| Tap { size, stride, shift, padding };
    (
        c,
        tap(s.size.0, s.stride.0, p * s.dilation.0, s.padding.0),
        tap(s.size.1, s.stride.1, q * s.dilation.1, s.padding.1),
    )
}

multiversion! {
    /// Writes rows `rows` of the matrix of columns of `x`, the channels of a group of one image, for the output pixels
    /// `pixels`. The rows of `out` are `stride` apart.
    pub(super) fn im2col[T: Real](s: &Conv2dShape, x: &[T], rows: Range<usize>, pixels: Range<usize>, out: &mut [T], stride: usize) {
        let (_, width) = s.out_size();
        for (row, out) in rows.zip(out.chunks_mut(stride)) {
            let (channel, vertical, horizontal) = taps(s, row);
            let x = &x[channel * s.size.0 * s.size.1..];
            for Run { row, cols, at } in runs(pixels.clone(), width) {
                let out = &mut out[at..at + cols.len()];
                let Some(r) = vertical.input(row) else {
                    out.fill(T::ZERO);
                    continue;
                };
                let x = &x[r * s.size.1..][..s.size.1];
                let inside = horizontal.inside(&cols);
                out[..inside.start - cols.start].fill(T::ZERO);
                out[inside.end - cols.start..].fill(T::ZERO);
                let out = &mut out[inside.start - cols.start..inside.end - cols.start];
                let Some(first) = horizontal.input(inside.start) else { continue };
                if horizontal.stride == 1 {
                    for (out, x) in out.iter_mut().zip(&x[first..]) {
                        *out = *x;
                    }
                } else {
                    for (out, x) in out.iter_mut().zip(x[first..].iter().step_by(horizontal.stride)) {
                        *out = *x;
                    }
                }
            }
        }
    }
}

multiversion! {
    /// Adds rows `rows` of a matrix of columns to the image elements that `im2col` reads.
    pub(super) fn add_col2im[T: Real](s: &Conv2dShape, cols: &[T], stride: usize, rows: Range<usize>, pixels: Range<usize>, dx: &mut [T]) {
        let (_, width) = s.out_size();
        for (row, from) in rows.zip(cols.chunks(stride)) {
            let (channel, vertical, horizontal) = taps(s, row);
            let dx = &mut dx[channel * s.size.0 * s.size.1..];
            for Run { row, cols, at } in runs(pixels.clone(), width) {
                let Some(r) = vertical.input(row) else { continue };
                let dx = &mut dx[r * s.size.1..][..s.size.1];
                let inside = horizontal.inside(&cols);
                let Some(first) = horizontal.input(inside.start) else { continue };
                let from = &from[at + inside.start - cols.start..][..inside.len()];
                if horizontal.stride == 1 {
                    for (dx, from) in dx[first..].iter_mut().zip(from) {
                        *dx += *from;
                    }
                } else {
                    for (dx, from) in dx[first..].iter_mut().step_by(horizontal.stride).zip(from) {
                        *dx += *from;
                    }
                }
            }
        }
    }
}
