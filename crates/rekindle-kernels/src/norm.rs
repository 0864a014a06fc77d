//! Means and variances of channels, and the maps that normalise with them.
//!
//! Data are [outer, channels, inner]: for batch normalisation of images [batch, channels, pixels]; a row of layer
//! normalisation is a channel of [1, rows, features]. Sums run in double precision and in an order that depends on the
//! sizes alone.
//!
//! Legend: `m` mean, `v` variance, `s` scale, `b` bias, one number per channel.

use crate::dispatch::multiversion;
use crate::map::for_each_range;
use crate::parallel::Disjoint;
use crate::real::Real;
use std::ops::Range;

/// The sizes [outer, channels, inner].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channels {
    /// How often all channels repeat, such as the number of images.
    pub outer: usize,
    /// Number of channels.
    pub channels: usize,
    /// Neighbouring elements of one channel, such as the pixels of an image.
    pub inner: usize,
}

impl Channels {
    /// Number of elements of a channel.
    pub fn count(&self) -> usize {
        self.outer * self.inner
    }

    fn plane(&self, outer: usize, channel: usize) -> Range<usize> {
        let start = (outer * self.channels + channel) * self.inner;
        start..start + self.inner
    }

    #[track_caller]
    fn check(&self, x: usize, per_channel: &[usize]) {
        let Channels { outer, channels, inner } = *self;
        assert!(
            x == outer * channels * inner,
            "norm: {x} elements for a shape of [{outer}, {channels}, {inner}]"
        );
        for &len in per_channel {
            assert!(len == channels, "norm: {len} numbers for {channels} channels");
        }
    }

    /// Calls `f` with ranges that together cover the channels.
    fn for_each_range(&self, f: impl Fn(Range<usize>) + Sync) {
        let unit = self.count().max(1);
        // Columns of a matrix share cache lines, so at least a line of them stays together.
        let unit = if self.inner == 1 { unit * 16 } else { unit };
        let per = unit / self.count().max(1);
        for_each_range(self.channels.div_ceil(per) * unit, unit, |r| {
            f(r.start / unit * per..(r.end / unit * per).min(self.channels));
        });
    }
}

/// The mean and the biased variance of every channel, by two passes; 0 for channels without elements.
///
/// # Panics
/// If a slice does not have the length that `shape` gives.
///
/// ```
/// use rekindle_kernels::norm::{Channels, moments};
/// let (mut m, mut v) = ([0.0; 2], [0.0; 2]);
/// moments(Channels { outer: 2, channels: 2, inner: 1 }, &[1.0f32, 10.0, 3.0, 10.0], &mut m, &mut v);
/// assert_eq!((m, v), ([2.0, 10.0], [1.0, 0.0]));
/// ```
#[track_caller]
pub fn moments<T: Real>(shape: Channels, x: &[T], m: &mut [f64], v: &mut [f64]) {
    shape.check(x.len(), &[m.len(), v.len()]);
    let n = shape.count().max(1) as f64;
    let (m, v) = (Disjoint::new(m), Disjoint::new(v));
    shape.for_each_range(|r| {
        // SAFETY: tasks have disjoint ranges of channels.
        let (m, v) = unsafe { (m.slice(r.clone()), v.slice(r.clone())) };
        sums(shape, r.start, x, m);
        m.iter_mut().for_each(|m| *m /= n);
        square_sums(shape, r.start, x, m, v);
        v.iter_mut().for_each(|v| *v /= n);
    });
}

/// `g[c]` = the sum of `dy`, `gx[c]` = the sum of `dy (x - m[c])` over every channel.
///
/// # Panics
/// If a slice does not have the length that `shape` gives.
#[track_caller]
pub fn gradient_sums<T: Real>(shape: Channels, x: &[T], dy: &[T], m: &[T], g: &mut [f64], gx: &mut [f64]) {
    shape.check(x.len(), &[m.len(), g.len(), gx.len()]);
    shape.check(dy.len(), &[]);
    let (g, gx) = (Disjoint::new(g), Disjoint::new(gx));
    shape.for_each_range(|r| {
        // SAFETY: tasks have disjoint ranges of channels.
        let (g, gx) = unsafe { (g.slice(r.clone()), gx.slice(r.clone())) };
        sums(shape, r.start, dy, g);
        product_sums(shape, r.start, x, dy, &m[r], gx);
    });
}

const LANES: usize = 16;

/// The sum of `f` over pairs of elements, in lanes.
#[inline(always)]
fn lane_sum<T: Real>(a: &[T], b: &[T], f: impl Fn(T, T) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let (mut a, mut b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    for (a, b) in (&mut a).zip(&mut b) {
        for l in 0..LANES {
            lanes[l] += f(a[l], b[l]);
        }
    }
    let rest = a.remainder().iter().zip(b.remainder()).fold(0.0, |sum, (&a, &b)| sum + f(a, b));
    lanes.iter().fold(rest, |sum, lane| sum + lane)
}

/// `y[c]` = the sum over the channel of `f(a, b, c)`, for the channels from `first` on.
#[inline(always)]
fn channel_sums<T: Real>(
    shape: Channels,
    first: usize,
    a: &[T],
    b: &[T],
    y: &mut [f64],
    f: impl Fn(T, T, usize) -> f64,
) {
    y.fill(0.0);
    for o in 0..shape.outer {
        if shape.inner == 1 {
            let row = o * shape.channels + first..o * shape.channels + first + y.len();
            let (a, b) = (&a[row.clone()], &b[row]);
            for c in 0..y.len() {
                y[c] += f(a[c], b[c], c);
            }
        } else {
            for (c, y) in y.iter_mut().enumerate() {
                let plane = shape.plane(o, first + c);
                *y += lane_sum(
                    &a[plane.clone()],
                    &b[plane],
                    #[inline(always)]
                    |a, b| f(a, b, c),
                );
            }
        }
    }
}

multiversion! {
    fn sums[T: Real](shape: Channels, first: usize, x: &[T], y: &mut [f64]) {
        channel_sums(shape, first, x, x, y, #[inline(always)] |x, _, _| x.to_f64());
    }
}

multiversion! {
    fn square_sums[T: Real](shape: Channels, first: usize, x: &[T], m: &[f64], y: &mut [f64]) {
        channel_sums(shape, first, x, x, y, #[inline(always)] |x, _, c| {
            let d = x.to_f64() - m[c];
            d * d
        });
    }
}

multiversion! {
    fn product_sums[T: Real](shape: Channels, first: usize, x: &[T], dy: &[T], m: &[T], y: &mut [f64]) {
        channel_sums(shape, first, x, dy, y, #[inline(always)] |x, dy, c| dy.to_f64() * (x - m[c]).to_f64());
    }
}

/// `y = (x - m[c]) s[c] + b[c]`.
///
/// # Panics
/// If a slice does not have the length that `shape` gives.
///
/// ```
/// use rekindle_kernels::norm::{Channels, scale_and_shift};
/// let mut y = [0.0; 4];
/// let shape = Channels { outer: 1, channels: 2, inner: 2 };
/// scale_and_shift(shape, &[1.0f32, 2.0, 3.0, 4.0], &[1.0, 3.0], &[10.0, 1.0], &[0.0, 0.5], &mut y);
/// assert_eq!(y, [0.0, 10.0, 0.5, 1.5]);
/// ```
#[track_caller]
pub fn scale_and_shift<T: Real>(shape: Channels, x: &[T], m: &[T], s: &[T], b: &[T], y: &mut [T]) {
    shape.check(x.len(), &[m.len(), s.len(), b.len()]);
    shape.check(y.len(), &[]);
    for_each_slab(shape, y, |first, range, y| {
        scale_and_shift_slab(shape, first, &x[range], m, s, b, y);
    });
}

multiversion! {
    fn scale_and_shift_slab[T: Real](shape: Channels, first: usize, x: &[T], m: &[T], s: &[T], b: &[T], y: &mut [T]) {
        if shape.inner == 1 {
            for (x, y) in x.chunks_exact(shape.channels).zip(y.chunks_exact_mut(shape.channels)) {
                for c in 0..y.len() {
                    y[c] = (x[c] - m[c]) * s[c] + b[c];
                }
            }
        } else {
            for (i, (x, y)) in x.chunks_exact(shape.inner).zip(y.chunks_exact_mut(shape.inner)).enumerate() {
                let c = (first + i) % shape.channels;
                let (m, s, b) = (m[c], s[c], b[c]);
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = (x - m) * s + b;
                }
            }
        }
    }
}

/// `dx = (dy - g[c] - (x - m[c]) gx[c]) s[c]`: the gradient through a normalisation whose moments come from `x`.
///
/// # Panics
/// If a slice does not have the length that `shape` gives.
#[track_caller]
#[allow(clippy::too_many_arguments)]
pub fn backward<T: Real>(
    shape: Channels,
    x: &[T],
    dy: &[T],
    m: &[T],
    g: &[T],
    gx: &[T],
    s: &[T],
    dx: &mut [T],
) {
    shape.check(x.len(), &[m.len(), g.len(), gx.len(), s.len()]);
    shape.check(dy.len(), &[]);
    shape.check(dx.len(), &[]);
    for_each_slab(shape, dx, |first, range, dx| {
        backward_slab(shape, first, &x[range.clone()], &dy[range], [m, g, gx, s], dx);
    });
}

multiversion! {
    fn backward_slab[T: Real](shape: Channels, first: usize, x: &[T], dy: &[T], per: [&[T]; 4], dx: &mut [T]) {
        let [m, g, gx, s] = per;
        if shape.inner == 1 {
            let n = shape.channels;
            let (m, g, gx, s) = (&m[..n], &g[..n], &gx[..n], &s[..n]);
            for ((x, dy), dx) in x.chunks_exact(n).zip(dy.chunks_exact(n)).zip(dx.chunks_exact_mut(n)) {
                for c in 0..n {
                    dx[c] = (dy[c] - g[c] - (x[c] - m[c]) * gx[c]) * s[c];
                }
            }
        } else {
            let n = shape.inner;
            for (i, ((x, dy), dx)) in x.chunks_exact(n).zip(dy.chunks_exact(n)).zip(dx.chunks_exact_mut(n)).enumerate() {
                let c = (first + i) % shape.channels;
                let (m, g, gx, s) = (m[c], g[c], gx[c], s[c]);
                for ((dx, &dy), &x) in dx.iter_mut().zip(dy).zip(x) {
                    *dx = (dy - g - (x - m) * gx) * s;
                }
            }
        }
    }
}

/// Calls `f` with the number of the first plane, the range of elements and the part of `y` there, for ranges of whole
/// planes (whole rows if `inner` is 1) that together cover `y`.
fn for_each_slab<T: Real>(shape: Channels, y: &mut [T], f: impl Fn(usize, Range<usize>, &mut [T]) + Sync) {
    let unit = if shape.inner == 1 { shape.channels } else { shape.inner };
    if unit == 0 {
        return;
    }
    let len = y.len();
    let y = Disjoint::new(y);
    // SAFETY: ranges of different tasks are disjoint.
    for_each_range(len, unit, |r| f(r.start / unit, r.clone(), unsafe { y.slice(r) }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::set_num_threads;

    const SHAPES: [(usize, usize, usize); 7] =
        [(5, 3, 1), (300, 40, 1), (4, 3, 7), (2, 1, 65), (1, 50, 33), (3, 9, 2500), (0, 2, 3)];

    fn shapes() -> impl Iterator<Item = (usize, usize, usize)> {
        SHAPES.into_iter().filter(|(outer, channels, inner)| crate::affordable(outer * channels * inner))
    }

    fn values(n: usize, seed: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7919 + seed * 31) % 1000) as f32 / 250.0 - 1.5).collect()
    }

    fn each(shape: Channels, f: impl Fn(usize, usize)) {
        (0..shape.outer * shape.channels * shape.inner).for_each(|i| f(i, i / shape.inner % shape.channels));
    }

    #[test]
    fn moments_and_gradient_sums_agree_with_plain_loops() {
        for (outer, channels, inner) in shapes() {
            let shape = Channels { outer, channels, inner };
            let (x, dy) = (values(outer * channels * inner, 1), values(outer * channels * inner, 2));
            let [mut m, mut v, mut g, mut gx] = [(); 4].map(|_| vec![0.0; channels]);
            moments(shape, &x, &mut m, &mut v);
            let mean: Vec<f32> = m.iter().map(|&m| m as f32).collect();
            gradient_sums(shape, &x, &dy, &mean, &mut g, &mut gx);
            for c in 0..channels {
                let of: Vec<usize> = (0..x.len()).filter(|i| i / inner % channels == c).collect();
                let sum = |f: &dyn Fn(usize) -> f64| of.iter().map(|&i| f(i)).sum::<f64>();
                let n = of.len() as f64;
                let expected = sum(&|i| x[i].into()) / n;
                let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs().max(1.0) || n == 0.0;
                assert!(
                    close(m[c], expected) && close(v[c], sum(&|i| (f64::from(x[i]) - expected).powi(2)) / n)
                );
                assert!(close(g[c], sum(&|i| dy[i].into())));
                assert!(close(gx[c], sum(&|i| f64::from(dy[i]) * f64::from(x[i] - mean[c]))));
            }
        }
    }

    #[test]
    fn maps_agree_with_plain_loops() {
        for (outer, channels, inner) in shapes() {
            let shape = Channels { outer, channels, inner };
            let n = outer * channels * inner;
            let (x, dy) = (values(n, 1), values(n, 2));
            let [m, s, b, g] = [3, 4, 5, 6].map(|seed| values(channels, seed));
            let (mut y, mut dx) = (vec![0.0; n], vec![0.0; n]);
            scale_and_shift(shape, &x, &m, &s, &b, &mut y);
            backward(shape, &x, &dy, &m, &g, &b, &s, &mut dx);
            each(shape, |i, c| {
                assert_eq!(y[i], (x[i] - m[c]) * s[c] + b[c]);
                assert_eq!(dx[i], (dy[i] - g[c] - (x[i] - m[c]) * b[c]) * s[c]);
            });
        }
    }

    #[test]
    fn moments_do_not_depend_on_the_number_of_threads() {
        let shapes = [(3000, 40, 1), (8, 5, 2000), (50, 8, 1), (3, 5, 30)];
        let affordable = |(a, b, c): &(usize, usize, usize)| crate::affordable(a * b * c);
        for (outer, channels, inner) in shapes.into_iter().filter(affordable) {
            let shape = Channels { outer, channels, inner };
            let x = values(outer * channels * inner, 1);
            let run = |threads| {
                set_num_threads(threads);
                let (mut m, mut v) = (vec![0.0; channels], vec![0.0; channels]);
                moments(shape, &x, &mut m, &mut v);
                (m, v)
            };
            assert_eq!(run(1), run(4));
        }
    }
}
