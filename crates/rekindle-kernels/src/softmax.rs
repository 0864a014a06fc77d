//! Softmax and log-softmax over one dimension, forward and backward.
//!
//! `x`, `y`, `dy` and `dx` have the shape [outer, len, inner], row-major; the dimension is `len`. The greatest element
//! is subtracted first, so that nothing overflows:
//! `softmax = exp(x - max) / sum(exp(x - max))`, `log_softmax = x - max - ln(sum(exp(x - max)))`.
//!
//! The kernels work on [len, inner] slabs and are vectorised along `inner`. With `inner` = 1, short rows are
//! transposed into such slabs, 16 at a time; long rows have kernels of their own, vectorised along the row.

use crate::dispatch::multiversion;
use crate::map::for_each_range;
use crate::parallel::Disjoint;
use crate::real::Real;
use crate::reduce::fold_row;

/// `y = exp(x) / sum(exp(x))` over `len`.
///
/// # Panics
/// If a slice has another length than the shape.
///
/// ```
/// let mut y = [0.0; 2];
/// rekindle_kernels::softmax::softmax(&[0.0f32, 0.0], &mut y, 1, 2, 1);
/// assert_eq!(y, [0.5, 0.5]);
/// ```
#[track_caller]
pub fn softmax<T: Real>(x: &[T], y: &mut [T], outer: usize, len: usize, inner: usize) {
    in_parallel([x, x], y, [outer, len, inner], Softmax);
}

/// `y = x - ln(sum(exp(x)))` over `len`.
///
/// # Panics
/// If a slice has another length than the shape.
///
/// ```
/// let mut y = [0.0; 2];
/// rekindle_kernels::softmax::log_softmax(&[7.0f64, 7.0], &mut y, 1, 2, 1);
/// assert_eq!(y, [-std::f64::consts::LN_2; 2]);
/// ```
#[track_caller]
pub fn log_softmax<T: Real>(x: &[T], y: &mut [T], outer: usize, len: usize, inner: usize) {
    in_parallel([x, x], y, [outer, len, inner], LogSoftmax);
}

/// `dx = y * (dy - sum(dy * y))` over `len`, from the softmax `y`.
///
/// # Panics
/// If a slice has another length than the shape.
#[track_caller]
pub fn softmax_backward<T: Real>(y: &[T], dy: &[T], dx: &mut [T], outer: usize, len: usize, inner: usize) {
    in_parallel([y, dy], dx, [outer, len, inner], SoftmaxBackward);
}

/// `dx = dy - exp(y) * sum(dy)` over `len`, from the log-softmax `y`.
///
/// # Panics
/// If a slice has another length than the shape.
#[track_caller]
pub fn log_softmax_backward<T: Real>(
    y: &[T],
    dy: &[T],
    dx: &mut [T],
    outer: usize,
    len: usize,
    inner: usize,
) {
    in_parallel([y, dy], dx, [outer, len, inner], LogSoftmaxBackward);
}

/// One of the four functions, on one slab or row. A trait and not closures, because every layer between the loops and
/// [`multiversion!`] must be inlined for certain.
trait Kernel<T>: Copy + Sync {
    /// Computes a [len, inner] slab of `y` from those of `x`; the last two slices have room for `inner` values.
    fn slab(x: [&[T]; 2], y: &mut [T], scratch: [&mut [T]; 2]);
    /// Computes a row of `y`.
    fn row(x: [&[T]; 2], y: &mut [T]);
}

#[derive(Clone, Copy)]
struct Softmax;
#[derive(Clone, Copy)]
struct LogSoftmax;
#[derive(Clone, Copy)]
struct SoftmaxBackward;
#[derive(Clone, Copy)]
struct LogSoftmaxBackward;

#[track_caller]
fn in_parallel<T: Real>(x: [&[T]; 2], y: &mut [T], [outer, len, inner]: [usize; 3], kernel: impl Kernel<T>) {
    let n = outer * len * inner;
    for have in [x[0].len(), x[1].len(), y.len()] {
        assert!(have == n, "softmax: {have} elements for a shape of [{outer}, {len}, {inner}]");
    }
    if n == 0 {
        return;
    }
    let y = Disjoint::new(y);
    for_each_range(n, len * inner, |r| {
        // SAFETY: ranges of different tasks are disjoint.
        run(x.map(|x| &x[r.clone()]), unsafe { y.slice(r.clone()) }, len, inner, kernel);
    });
}

/// Rows transposed at a time.
const LANES: usize = 16;
/// Rows up to this length are transposed.
const SHORT: usize = 64;

multiversion! {
    fn run[T: Real, K: Kernel<T>](x: [&[T]; 2], y: &mut [T], len: usize, inner: usize, kernel: K) {
        if inner == 1 && len <= SHORT {
            return run_transposed(x, y, len, kernel);
        }
        let n = len * inner;
        let (mut a, mut b) = (vec![T::ZERO; inner], vec![T::ZERO; inner]);
        for ((x0, x1), y) in x[0].chunks_exact(n).zip(x[1].chunks_exact(n)).zip(y.chunks_exact_mut(n)) {
            if inner == 1 {
                K::row([x0, x1], y);
            } else {
                K::slab([x0, x1], y, [&mut a, &mut b]);
            }
        }
    }
}

/// Runs the kernel for slabs on [`LANES`] rows at a time; lanes without a row are computed and thrown away.
#[inline(always)]
fn run_transposed<T: Real, K: Kernel<T>>(x: [&[T]; 2], y: &mut [T], len: usize, _: K) {
    let n = LANES * len;
    let [mut c0, mut c1, mut out] = [[T::ZERO; LANES * SHORT]; 3];
    let (mut a, mut b) = ([T::ZERO; LANES], [T::ZERO; LANES]);
    for ((x0, x1), y) in x[0].chunks(n).zip(x[1].chunks(n)).zip(y.chunks_mut(n)) {
        transpose(x0, len, &mut c0);
        transpose(x1, len, &mut c1);
        K::slab([&c0[..n], &c1[..n]], &mut out[..n], [&mut a, &mut b]);
        for (lane, row) in y.chunks_exact_mut(len).enumerate() {
            for (y, column) in row.iter_mut().zip(out.chunks_exact(LANES)) {
                *y = column[lane];
            }
        }
    }
}

#[inline(always)]
fn transpose<T: Real>(x: &[T], len: usize, columns: &mut [T]) {
    for (lane, row) in x.chunks_exact(len).enumerate() {
        for (&x, column) in row.iter().zip(columns.chunks_exact_mut(LANES)) {
            column[lane] = x;
        }
    }
}

/// `acc[i] = f(acc[i], a[l][i], b[l][i])` for each row `l` of two slabs.
#[inline(always)]
fn accumulate<T: Real>(acc: &mut [T], [a, b]: [&[T]; 2], f: impl Fn(T, T, T) -> T) {
    for (a, b) in a.chunks_exact(acc.len()).zip(b.chunks_exact(acc.len())) {
        for ((acc, &a), &b) in acc.iter_mut().zip(a).zip(b) {
            *acc = f(*acc, a, b);
        }
    }
}

/// `y[l][i] = f(a[l][i], b[l][i], c[i])` for slabs `a`, `b` and `y`.
#[inline(always)]
fn apply<T: Real>(y: &mut [T], [a, b]: [&[T]; 2], c: &[T], f: impl Fn(T, T, T) -> T) {
    let rows = a.chunks_exact(c.len()).zip(b.chunks_exact(c.len()));
    for ((a, b), y) in rows.zip(y.chunks_exact_mut(c.len())) {
        for (((y, &a), &b), &c) in y.iter_mut().zip(a).zip(b).zip(c) {
            *y = f(a, b, c);
        }
    }
}

#[inline(always)]
fn column_max<T: Real>(x: &[T], max: &mut [T]) {
    max.fill(T::NEG_INFINITY);
    accumulate(
        max,
        [x, x],
        #[inline(always)]
        |max, x, _| max.maximum(x),
    );
}

/// `y[l][i] = f(y[l][i], c[i])` for a slab.
#[inline(always)]
fn apply_in_place<T: Real>(y: &mut [T], c: &[T], f: impl Fn(T, T) -> T) {
    for y in y.chunks_exact_mut(c.len()) {
        for (y, &c) in y.iter_mut().zip(c) {
            *y = f(*y, c);
        }
    }
}

impl<T: Real> Kernel<T> for Softmax {
    #[inline(always)]
    fn slab([x, _]: [&[T]; 2], y: &mut [T], [max, sum]: [&mut [T]; 2]) {
        column_max(x, max);
        apply(
            y,
            [x, x],
            max,
            #[inline(always)]
            |x, _, max| (x - max).exp(),
        );
        sum.fill(T::ZERO);
        accumulate(
            sum,
            [y, y],
            #[inline(always)]
            |sum, y, _| sum + y,
        );
        apply_in_place(
            y,
            sum,
            #[inline(always)]
            |y, sum| y / sum,
        );
    }

    #[inline(always)]
    fn row([x, _]: [&[T]; 2], y: &mut [T]) {
        let max = fold_row(x, T::NEG_INFINITY, T::maximum);
        for (y, &x) in y.iter_mut().zip(x) {
            *y = (x - max).exp();
        }
        let sum = fold_row(y, T::ZERO, |a, b| a + b);
        for y in y {
            *y /= sum;
        }
    }
}

impl<T: Real> Kernel<T> for LogSoftmax {
    #[inline(always)]
    fn slab([x, _]: [&[T]; 2], y: &mut [T], [max, sum]: [&mut [T]; 2]) {
        column_max(x, max);
        apply(
            y,
            [x, x],
            max,
            #[inline(always)]
            |x, _, max| x - max,
        );
        sum.fill(T::ZERO);
        accumulate(
            sum,
            [y, y],
            #[inline(always)]
            |sum, y, _| sum + y.exp(),
        );
        for sum in sum.iter_mut() {
            *sum = sum.ln();
        }
        apply_in_place(
            y,
            sum,
            #[inline(always)]
            |y, ln_sum| y - ln_sum,
        );
    }

    #[inline(always)]
    fn row([x, _]: [&[T]; 2], y: &mut [T]) {
        let max = fold_row(x, T::NEG_INFINITY, T::maximum);
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x - max;
        }
        let mut lanes = [T::ZERO; LANES];
        let mut chunks = y.chunks_exact(LANES);
        for y in &mut chunks {
            for (lane, y) in lanes.iter_mut().zip(y) {
                *lane += y.exp();
            }
        }
        for (lane, y) in lanes.iter_mut().zip(chunks.remainder()) {
            *lane += y.exp();
        }
        let ln_sum = fold_row(&lanes, T::ZERO, |a, b| a + b).ln();
        for y in y {
            *y -= ln_sum;
        }
    }
}

impl<T: Real> Kernel<T> for SoftmaxBackward {
    #[inline(always)]
    fn slab(x: [&[T]; 2], dx: &mut [T], [dot, _]: [&mut [T]; 2]) {
        dot.fill(T::ZERO);
        accumulate(
            dot,
            x,
            #[inline(always)]
            |dot, y, dy| y.mul_add(dy, dot),
        );
        apply(
            dx,
            x,
            dot,
            #[inline(always)]
            |y, dy, dot| y * (dy - dot),
        );
    }

    #[inline(always)]
    fn row([y, dy]: [&[T]; 2], dx: &mut [T]) {
        for ((dx, &y), &dy) in dx.iter_mut().zip(y).zip(dy) {
            *dx = y * dy;
        }
        let dot = fold_row(dx, T::ZERO, |a, b| a + b);
        for ((dx, &y), &dy) in dx.iter_mut().zip(y).zip(dy) {
            *dx = y * (dy - dot);
        }
    }
}

impl<T: Real> Kernel<T> for LogSoftmaxBackward {
    #[inline(always)]
    fn slab(x: [&[T]; 2], dx: &mut [T], [sum, _]: [&mut [T]; 2]) {
        sum.fill(T::ZERO);
        accumulate(
            sum,
            x,
            #[inline(always)]
            |sum, _, dy| sum + dy,
        );
        apply(
            dx,
            x,
            sum,
            #[inline(always)]
            |y, dy, sum| (-y.exp()).mul_add(sum, dy),
        );
    }

    #[inline(always)]
    fn row([y, dy]: [&[T]; 2], dx: &mut [T]) {
        let sum = fold_row(dy, T::ZERO, |a, b| a + b);
        for ((dx, &y), &dy) in dx.iter_mut().zip(y).zip(dy) {
            *dx = (-y.exp()).mul_add(sum, dy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::{Isa, set_isa};
    use crate::parallel::set_num_threads;

    const SHAPES: [[usize; 3]; 9] = [
        [0, 3, 1],
        [1, 1, 1],
        [5, 2, 1],
        [33, 10, 1],
        [3, 2000, 1],
        [2, 3, 5],
        [3, 10, 33],
        [5000, 10, 1],
        [40, 10, 100],
    ];

    fn shapes() -> impl Iterator<Item = [usize; 3]> {
        SHAPES.into_iter().filter(|shape| crate::affordable(shape.iter().product()))
    }

    fn data(n: usize, seed: u32) -> Vec<f32> {
        crate::noise(n, seed, 8.0)
    }

    /// Calls `f` with the positions of each column of the reduced dimension.
    fn each_column([outer, len, inner]: [usize; 3], mut f: impl FnMut(Vec<usize>)) {
        for o in 0..outer {
            (0..inner).for_each(|i| f((0..len).map(|l| (o * len + l) * inner + i).collect()));
        }
    }

    /// Runs `kernel` for every instruction set and number of threads; all must agree.
    fn run(n: usize, kernel: impl Fn(&mut [f32])) -> Vec<f32> {
        let results = [(Isa::Portable, 1), (Isa::Avx2, 2), (Isa::Avx512, 4)].map(|(isa, threads)| {
            set_isa(isa);
            set_num_threads(threads);
            let mut y = vec![f32::NAN; n];
            kernel(&mut y);
            y
        });
        assert!(results.iter().all(|y| y.iter().zip(&results[0]).all(|(a, b)| a.to_bits() == b.to_bits())));
        results[0].clone()
    }

    #[test]
    fn softmax_and_log_softmax_agree_with_the_formula_in_f64() {
        for shape @ [outer, len, inner] in shapes() {
            let x = data(outer * len * inner, 1);
            let y = run(x.len(), |y| softmax(&x, y, outer, len, inner));
            let log = run(x.len(), |y| log_softmax(&x, y, outer, len, inner));
            each_column(shape, |at| {
                let sum: f64 = at.iter().map(|&i| f64::from(x[i]).exp()).sum();
                for i in at {
                    let want = f64::from(x[i]).exp() / sum;
                    assert!((f64::from(y[i]) - want).abs() <= 1e-6 * want, "{shape:?}");
                    assert!((f64::from(log[i]) - want.ln()).abs() <= 2e-6, "{shape:?}");
                }
            });
        }
    }

    #[test]
    fn gradients_agree_with_the_formula_in_f64() {
        for shape @ [outer, len, inner] in shapes() {
            let (x, dy) = (data(outer * len * inner, 1), data(outer * len * inner, 2));
            let (mut y, mut log) = (x.clone(), x.clone());
            softmax(&x, &mut y, outer, len, inner);
            log_softmax(&x, &mut log, outer, len, inner);
            let dx = run(x.len(), |dx| softmax_backward(&y, &dy, dx, outer, len, inner));
            let dlog = run(x.len(), |dx| log_softmax_backward(&log, &dy, dx, outer, len, inner));
            each_column(shape, |at| {
                let sum: f64 = at.iter().map(|&i| f64::from(dy[i])).sum();
                let dot: f64 = at.iter().map(|&i| f64::from(dy[i]) * f64::from(y[i])).sum();
                for i in at {
                    let (y, dy) = (f64::from(y[i]), f64::from(dy[i]));
                    assert!((f64::from(dx[i]) - y * (dy - dot)).abs() <= 1e-5, "{shape:?}");
                    assert!((f64::from(dlog[i]) - (dy - y * sum)).abs() <= 1e-4, "{shape:?}");
                }
            });
        }
    }

    #[test]
    fn large_values_neither_overflow_nor_vanish() {
        let x = [1e30f32, 1e30, -1e30];
        let mut y = [0.0; 3];
        softmax(&x, &mut y, 1, 3, 1);
        assert_eq!(y, [0.5, 0.5, 0.0]);
        log_softmax(&x, &mut y, 1, 3, 1);
        assert_eq!(y, [-std::f32::consts::LN_2, -std::f32::consts::LN_2, -2e30]);
    }
}
