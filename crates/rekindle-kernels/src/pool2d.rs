//! Two-dimensional pooling of image planes: maximum, average, adaptive average; forward and backward.
//!
//! A plane is one channel of one image, so a batch `[b, c, h, w]` has `b * c` planes.
use crate::parallel::{self, Disjoint};
use crate::real::Real;
use std::ops::Range;

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

/// `y[i, j]` = the maximum over window (i, j) of each plane; `argmax` receives its flat index in the plane. The first
/// maximum in row-major order wins, and NaN wins over everything.
///
/// # Panics
/// If a slice does not have the length that `shape` gives, or the padding exceeds half of the window.
///
/// ```
/// use rekindle_kernels::pool2d::{Pool2dShape, max_forward};
/// let shape = Pool2dShape { size: (2, 4), kernel: (2, 2), stride: (2, 2), ..Default::default() };
/// let (mut y, mut argmax) = ([0.0; 2], [0; 2]);
/// max_forward(&shape, &[1.0_f32, 2.0, 3.0, 9.0, 8.0, 0.0, 9.0, 1.0], &mut y, &mut argmax);
/// assert_eq!((y, argmax), ([8.0, 9.0], [4, 3]));
/// ```
#[track_caller]
pub fn max_forward<T: Real>(shape: &Pool2dShape, x: &[T], y: &mut [T], argmax: &mut [i64]) {
    shape.check(x.len(), y.len());
    assert!(argmax.len() == y.len(), "pool2d: argmax has {} elements, expected {}", argmax.len(), y.len());
    let argmax = Disjoint::new(argmax);
    let out = shape.out_plane();
    for_each_plane(shape.planes, y, out, |range, y| {
        // SAFETY: the tasks have disjoint ranges of planes.
        let argmax = unsafe { argmax.slice(range.start * out..range.end * out) };
        for (p, plane) in range.enumerate() {
            let at = p * out..(p + 1) * out;
            let x = &x[plane * shape.in_plane()..][..shape.in_plane()];
            max_plane(shape, x, &mut y[at.clone()], &mut argmax[at]);
        }
    });
}

fn max_plane<T: Real>(shape: &Pool2dShape, x: &[T], y: &mut [T], argmax: &mut [i64]) {
    let (vertical, horizontal) = shape.axes();
    let out_width = horizontal.out();
    for (o, (y, argmax)) in y.iter_mut().zip(argmax).enumerate() {
        let mut best = T::from_f64(f64::NEG_INFINITY);
        let mut at = None;
        for r in vertical.window(o / out_width) {
            for s in horizontal.window(o % out_width) {
                let i = r * shape.size.1 + s;
                if at.is_none() || x[i] > best || x[i].is_nan() {
                    (best, at) = (x[i], Some(i));
                }
            }
        }
        *y = best;
        *argmax = at.unwrap_or(0) as i64;
    }
}

/// Sends each gradient to the element that [`max_forward`] chose; overwrites `dx`.
///
/// # Panics
/// As [`max_forward`], and if an element of `argmax` lies outside the plane.
#[track_caller]
pub fn max_backward<T: Real>(shape: &Pool2dShape, dy: &[T], argmax: &[i64], dx: &mut [T]) {
    shape.check(dx.len(), dy.len());
    assert!(argmax.len() == dy.len(), "pool2d: argmax has {} elements, expected {}", argmax.len(), dy.len());
    let (inside, out) = (shape.in_plane(), shape.out_plane());
    for_each_plane(shape.planes, dx, inside, |range, dx| {
        dx.fill(T::ZERO);
        for (p, plane) in range.enumerate() {
            let dx = &mut dx[p * inside..][..inside];
            let at = plane * out..(plane + 1) * out;
            for (&dy, &i) in dy[at.clone()].iter().zip(&argmax[at]) {
                dx[i as usize] += dy;
            }
        }
    });
}

/// `y[i, j]` = the mean over window (i, j) of each plane, row-major sum over divisor. The divisor is the number of
/// elements of the window, with the padding if `count_include_pad`; a window that leaves the padded plane is clipped.
/// `shape.dilation` is not used.
///
/// # Panics
/// As [`max_forward`].
#[track_caller]
pub fn avg_forward<T: Real>(shape: &Pool2dShape, count_include_pad: bool, x: &[T], y: &mut [T]) {
    let shape = Pool2dShape { dilation: (1, 1), ..*shape };
    shape.check(x.len(), y.len());
    let windows = avg_windows(&shape, count_include_pad);
    mean_windows(shape.planes, shape.size, &windows, x, y);
}

/// Spreads each gradient evenly over the window of [`avg_forward`]; overwrites `dx`.
///
/// # Panics
/// As [`max_forward`].
#[track_caller]
pub fn avg_backward<T: Real>(shape: &Pool2dShape, count_include_pad: bool, dy: &[T], dx: &mut [T]) {
    let shape = Pool2dShape { dilation: (1, 1), ..*shape };
    shape.check(dx.len(), dy.len());
    let windows = avg_windows(&shape, count_include_pad);
    spread_windows(shape.planes, shape.size, &windows, dy, dx);
}

/// Mean over `out` windows that divide each plane evenly: window `i` of an axis of length `n` with `o` windows is
/// `floor(i n / o) .. ceil((i + 1) n / o)`. `x` is `[planes, size]`, `y` is `[planes, out]`.
///
/// # Panics
/// If a slice does not have the length that the sizes give.
///
/// ```
/// let mut y = [0.0_f32; 2];
/// rekindle_kernels::pool2d::adaptive_avg_forward(1, (1, 3), (1, 2), &[1.0, 3.0, 7.0], &mut y);
/// assert_eq!(y, [2.0, 5.0]);
/// ```
#[track_caller]
pub fn adaptive_avg_forward<T: Real>(
    planes: usize,
    size: (usize, usize),
    out: (usize, usize),
    x: &[T],
    y: &mut [T],
) {
    check_adaptive(planes, size, out, x.len(), y.len());
    mean_windows(planes, size, &adaptive_windows(size, out), x, y);
}

/// Spreads each gradient evenly over the window of [`adaptive_avg_forward`]; overwrites `dx`.
///
/// # Panics
/// As [`adaptive_avg_forward`].
#[track_caller]
pub fn adaptive_avg_backward<T: Real>(
    planes: usize,
    size: (usize, usize),
    out: (usize, usize),
    dy: &[T],
    dx: &mut [T],
) {
    check_adaptive(planes, size, out, dx.len(), dy.len());
    spread_windows(planes, size, &adaptive_windows(size, out), dy, dx);
}

#[track_caller]
fn check_adaptive(planes: usize, size: (usize, usize), out: (usize, usize), x: usize, y: usize) {
    let (ex, ey) = (planes * size.0 * size.1, planes * out.0 * out.1);
    assert!(x == ex, "adaptive_avg_pool2d: the input has {x} elements, expected {ex}");
    assert!(y == ey, "adaptive_avg_pool2d: the output has {y} elements, expected {ey}");
}

/// A window of an average: rows, columns, divisor.
type Window = (Range<usize>, Range<usize>, usize);

fn avg_windows(shape: &Pool2dShape, count_include_pad: bool) -> Vec<Window> {
    let (vertical, horizontal) = shape.axes();
    let (oh, ow) = shape.out_size();
    (0..oh * ow)
        .map(|o| {
            let ((rows, full_rows), (cols, full_cols)) = (vertical.span(o / ow), horizontal.span(o % ow));
            let divisor = if count_include_pad { full_rows * full_cols } else { rows.len() * cols.len() };
            (rows, cols, divisor)
        })
        .collect()
}

fn adaptive_windows(size: (usize, usize), out: (usize, usize)) -> Vec<Window> {
    let span = |n: usize, o: usize, i: usize| i * n / o..((i + 1) * n).div_ceil(o);
    (0..out.0 * out.1)
        .map(|o| {
            let (rows, cols) = (span(size.0, out.0, o / out.1), span(size.1, out.1, o % out.1));
            let divisor = rows.len() * cols.len();
            (rows, cols, divisor)
        })
        .collect()
}

fn mean_windows<T: Real>(planes: usize, size: (usize, usize), windows: &[Window], x: &[T], y: &mut [T]) {
    let inside = size.0 * size.1;
    for_each_plane(planes, y, windows.len(), |range, y| {
        for (p, plane) in range.enumerate() {
            let x = &x[plane * inside..][..inside];
            for (y, (rows, cols, divisor)) in y[p * windows.len()..].iter_mut().zip(windows) {
                let mut sum = T::ZERO;
                for r in rows.clone() {
                    for &x in &x[r * size.1..][cols.clone()] {
                        sum += x;
                    }
                }
                *y = sum / T::from_f64(*divisor as f64);
            }
        }
    });
}

fn spread_windows<T: Real>(planes: usize, size: (usize, usize), windows: &[Window], dy: &[T], dx: &mut [T]) {
    let inside = size.0 * size.1;
    for_each_plane(planes, dx, inside, |range, dx| {
        dx.fill(T::ZERO);
        for (p, plane) in range.enumerate() {
            let dx = &mut dx[p * inside..][..inside];
            for (&dy, (rows, cols, divisor)) in dy[plane * windows.len()..].iter().zip(windows) {
                let share = dy / T::from_f64(*divisor as f64);
                for r in rows.clone() {
                    for dx in &mut dx[r * size.1..][cols.clone()] {
                        *dx += share;
                    }
                }
            }
        }
    });
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
