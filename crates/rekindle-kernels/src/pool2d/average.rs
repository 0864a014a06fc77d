//! Averages over windows, fixed and adaptive.
use super::{Pool2dShape, for_each_plane};
use crate::real::Real;
use std::ops::Range;

/// `y[i, j]` = the mean over window (i, j) of each plane, row-major sum over divisor. The divisor is the number of
/// elements of the window, with the padding if `count_include_pad`; a window that leaves the padded plane is clipped.
/// `shape.dilation` is not used.
///
/// # Panics
/// As [`max_forward`](super::max_forward).
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
/// As [`max_forward`](super::max_forward).
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
