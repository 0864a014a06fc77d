//! Two-dimensional pooling of image planes: maximum, average, adaptive average; forward and backward.
//!
//! A plane is one channel of one image, so a batch `[b, c, h, w]` has `b * c` planes.
mod average;
mod maximum;

use crate::parallel;
use std::ops::Range;

pub use average::{adaptive_avg_backward, adaptive_avg_forward, avg_backward, avg_forward};
pub use maximum::{max_backward, max_forward};

/// The geometry of a pooling. Pairs are (vertical, horizontal).
///
/// ```
/// use rekindle_kernels::pool2d::Pool2dShape;
/// let shape = Pool2dShape { planes: 64, size: (5, 5), kernel: (2, 2), stride: (2, 2), ..Default::default() };
/// assert_eq!(shape.out_size(), (2, 2));
/// assert_eq!(Pool2dShape { ceil_mode: true, ..shape }.out_size(), (3, 3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool2dShape {
    /// Number of planes (images times channels).
    pub planes: usize,
    /// Height and width of a plane of the input.
    pub size: (usize, usize),
    /// Height and width of the window.
    pub kernel: (usize, usize),
    /// Step between windows.
    pub stride: (usize, usize),
    /// Rows and columns added on each side: minus infinity for the maximum, 0 for the average.
    pub padding: (usize, usize),
    /// Distance between the elements of a window (maximum only).
    pub dilation: (usize, usize),
    /// Whether a last window that reaches beyond the padded plane counts.
    pub ceil_mode: bool,
}

impl Default for Pool2dShape {
    fn default() -> Self {
        Pool2dShape {
            planes: 1,
            size: (1, 1),
            kernel: (1, 1),
            stride: (1, 1),
            padding: (0, 0),
            dilation: (1, 1),
            ceil_mode: false,
        }
    }
}

impl Pool2dShape {
    /// Height and width of a plane of the output; 0 where the window exceeds the padded plane.
    pub fn out_size(&self) -> (usize, usize) {
        let (v, h) = self.axes();
        (v.out(), h.out())
    }

    fn axes(&self) -> (Axis, Axis) {
        let s = self;
        let axis = |size, kernel, stride, padding, dilation| Axis {
            size,
            kernel,
            stride,
            padding,
            dilation,
            ceil_mode: s.ceil_mode,
        };
        (
            axis(s.size.0, s.kernel.0, s.stride.0, s.padding.0, s.dilation.0),
            axis(s.size.1, s.kernel.1, s.stride.1, s.padding.1, s.dilation.1),
        )
    }

    fn in_plane(&self) -> usize {
        self.size.0 * self.size.1
    }

    fn out_plane(&self) -> usize {
        let (oh, ow) = self.out_size();
        oh * ow
    }

    #[track_caller]
    fn check(&self, x: usize, y: usize) {
        assert!(self.kernel.0 > 0 && self.kernel.1 > 0, "pool2d: the window must not be empty");
        assert!(self.stride.0 > 0 && self.stride.1 > 0, "pool2d: the stride must be positive");
        assert!(self.dilation.0 > 0 && self.dilation.1 > 0, "pool2d: the dilation must be positive");
        assert!(
            self.padding.0 <= self.kernel.0 / 2 && self.padding.1 <= self.kernel.1 / 2,
            "pool2d: the padding {:?} exceeds half of the window {:?}",
            self.padding,
            self.kernel
        );
        let (ex, ey) = (self.planes * self.in_plane(), self.planes * self.out_plane());
        assert!(x == ex, "pool2d: the input has {x} elements, expected {ex} for {self:?}");
        assert!(y == ey, "pool2d: the output has {y} elements, expected {ey} for {self:?}");
    }
}

/// One axis of the geometry.
#[derive(Clone, Copy)]
struct Axis {
    size: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    dilation: usize,
    ceil_mode: bool,
}

impl Axis {
    fn out(&self) -> usize {
        let reach = self.dilation * (self.kernel - 1) + 1;
        let Some(room) = (self.size + 2 * self.padding).checked_sub(reach) else { return 0 };
        let up = if self.ceil_mode { self.stride - 1 } else { 0 };
        let out = (room + up) / self.stride + 1;
        // The last window must start inside the plane or its left padding.
        if self.ceil_mode && (out - 1) * self.stride >= self.size + self.padding { out - 1 } else { out }
    }

    /// The part of window `o` inside the plane.
    fn window(&self, o: usize) -> impl Iterator<Item = usize> + Clone {
        let start = o * self.stride;
        let skipped = self.padding.saturating_sub(start).div_ceil(self.dilation);
        let first = start + skipped * self.dilation - self.padding;
        let end = (start + self.dilation * (self.kernel - 1) + 1).saturating_sub(self.padding).min(self.size);
        (first..end).step_by(self.dilation)
    }

    /// The part of window `o` inside the plane, without dilation, and the length with padding.
    fn span(&self, o: usize) -> (Range<usize>, usize) {
        let start = o * self.stride;
        let end = (start + self.kernel).min(self.size + 2 * self.padding);
        let clip = |i: usize| i.saturating_sub(self.padding).min(self.size);
        (clip(start)..clip(end), end - start)
    }
}

/// Splits `data`, which has `len` elements per plane, into tasks of whole planes and calls `f(planes, their data)`.
fn for_each_plane<T: Send>(
    planes: usize,
    data: &mut [T],
    len: usize,
    f: impl Fn(Range<usize>, &mut [T]) + Sync,
) {
    if planes == 0 || len == 0 {
        return;
    }
    /// Elements per task: below this the pool costs more than it gains.
    const TASK: usize = 16 * 1024;
    let step = (TASK / len).clamp(1, planes);
    parallel::chunks_mut(data, step * len, |i, piece| f(i * step..i * step + piece.len() / len, piece));
}

#[cfg(test)]
mod tests;
