//! Softmax and log-softmax over one dimension, forward and backward.
//!
//! `x`, `y`, `dy` and `dx` have the shape [outer, len, inner], row-major; the dimension is `len`. The greatest element
//! is subtracted first, so that nothing overflows:
//! `softmax = exp(x - max) / sum(exp(x - max))`, `log_softmax = x - max - ln(sum(exp(x - max)))`.

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
    for_each_slab([x, x], y, outer, len, inner, |[x, _], y| {
        if inner == 1 { softmax_rows(x, y, len) } else { softmax_columns(x, y, len, inner) }
    });
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
    for_each_slab([x, x], y, outer, len, inner, |[x, _], y| {
        if inner == 1 { log_softmax_rows(x, y, len) } else { log_softmax_columns(x, y, len, inner) }
    });
}

/// `dx = y * (dy - sum(dy * y))` over `len`, from the softmax `y`.
///
/// # Panics
/// If a slice has another length than the shape.
#[track_caller]
pub fn softmax_backward<T: Real>(y: &[T], dy: &[T], dx: &mut [T], outer: usize, len: usize, inner: usize) {
    for_each_slab([y, dy], dx, outer, len, inner, |[y, dy], dx| {
        if inner == 1 {
            softmax_backward_rows(y, dy, dx, len)
        } else {
            softmax_backward_columns(y, dy, dx, len, inner)
        }
    });
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
    for_each_slab([y, dy], dx, outer, len, inner, |[y, dy], dx| {
        if inner == 1 {
            log_softmax_backward_rows(y, dy, dx, len)
        } else {
            log_softmax_backward_columns(y, dy, dx, len, inner)
        }
    });
}

/// Calls `f` with runs of whole [len, inner] slabs of two inputs and the output.
#[track_caller]
fn for_each_slab<T: Real>(
    x: [&[T]; 2],
    y: &mut [T],
    outer: usize,
    len: usize,
    inner: usize,
    f: impl Fn([&[T]; 2], &mut [T]) + Sync,
) {
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
        f(x.map(|x| &x[r.clone()]), unsafe { y.slice(r.clone()) });
    });
}

/// Writes `x - max` of each row to `y`. The exponentials are then taken in one long loop, which vectorises however short
/// the rows are.
#[inline(always)]
fn subtract_max<T: Real>(x: &[T], y: &mut [T], len: usize) {
    for (x, y) in x.chunks_exact(len).zip(y.chunks_exact_mut(len)) {
        let max = fold_row(x, T::NEG_INFINITY, T::maximum);
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x - max;
        }
    }
}

multiversion! {
    fn softmax_rows[T: Real](x: &[T], y: &mut [T], len: usize) {
        subtract_max(x, y, len);
        for y in y.iter_mut() {
            *y = y.exp();
        }
        for y in y.chunks_exact_mut(len) {
            let sum = fold_row(y, T::ZERO, |a, b| a + b);
            for y in y {
                *y /= sum;
            }
        }
    }
}

/// Elements whose exponentials are kept while a row is summed.
const BUFFER: usize = 1024;

multiversion! {
    fn log_softmax_rows[T: Real](x: &[T], y: &mut [T], len: usize) {
        subtract_max(x, y, len);
        let rows = (BUFFER / len).max(1);
        let mut exps = vec![T::ZERO; rows * len];
        for y in y.chunks_mut(rows * len) {
            for (e, y) in exps.iter_mut().zip(&*y) {
                *e = y.exp();
            }
            for (y, e) in y.chunks_exact_mut(len).zip(exps.chunks_exact(len)) {
                let ln_sum = fold_row(e, T::ZERO, |a, b| a + b).ln();
                for y in y {
                    *y -= ln_sum;
                }
            }
        }
    }
}

/// Greatest element of each column of a [len, inner] slab, and the sum of the exponentials of the rest.
#[inline(always)]
fn max_and_sum<T: Real>(x: &[T], inner: usize, max: &mut [T], sum: &mut [T]) {
    max.fill(T::NEG_INFINITY);
    sum.fill(T::ZERO);
    for row in x.chunks_exact(inner) {
        for (max, &x) in max.iter_mut().zip(row) {
            *max = max.maximum(x);
        }
    }
    for row in x.chunks_exact(inner) {
        for ((sum, &max), &x) in sum.iter_mut().zip(&*max).zip(row) {
            *sum += (x - max).exp();
        }
    }
}

multiversion! {
    fn softmax_columns[T: Real](x: &[T], y: &mut [T], len: usize, inner: usize) {
        let (mut max, mut sum) = (vec![T::ZERO; inner], vec![T::ZERO; inner]);
        for (x, y) in x.chunks_exact(len * inner).zip(y.chunks_exact_mut(len * inner)) {
            max_and_sum(x, inner, &mut max, &mut sum);
            for (x, y) in x.chunks_exact(inner).zip(y.chunks_exact_mut(inner)) {
                for (((y, &x), &max), &sum) in y.iter_mut().zip(x).zip(&max).zip(&sum) {
                    *y = (x - max).exp() / sum;
                }
            }
        }
    }
}

multiversion! {
    fn log_softmax_columns[T: Real](x: &[T], y: &mut [T], len: usize, inner: usize) {
        let (mut max, mut sum) = (vec![T::ZERO; inner], vec![T::ZERO; inner]);
        for (x, y) in x.chunks_exact(len * inner).zip(y.chunks_exact_mut(len * inner)) {
            max_and_sum(x, inner, &mut max, &mut sum);
            for sum in &mut sum {
                *sum = sum.ln();
            }
            for (x, y) in x.chunks_exact(inner).zip(y.chunks_exact_mut(inner)) {
                for (((y, &x), &max), &ln_sum) in y.iter_mut().zip(x).zip(&max).zip(&sum) {
                    *y = x - max - ln_sum;
                }
            }
        }
    }
}

multiversion! {
    fn softmax_backward_rows[T: Real](y: &[T], dy: &[T], dx: &mut [T], len: usize) {
        for ((dx, &y), &dy) in dx.iter_mut().zip(y).zip(dy) {
            *dx = y * dy;
        }
        let rows = y.chunks_exact(len).zip(dy.chunks_exact(len));
        for ((y, dy), dx) in rows.zip(dx.chunks_exact_mut(len)) {
            let dot = fold_row(dx, T::ZERO, |a, b| a + b);
            for ((dx, &y), &dy) in dx.iter_mut().zip(y).zip(dy) {
                *dx = y * (dy - dot);
            }
        }
    }
}

multiversion! {
    fn log_softmax_backward_rows[T: Real](y: &[T], dy: &[T], dx: &mut [T], len: usize) {
        for (dx, &y) in dx.iter_mut().zip(y) {
            *dx = -y.exp();
        }
        for (dy, dx) in dy.chunks_exact(len).zip(dx.chunks_exact_mut(len)) {
            let sum = fold_row(dy, T::ZERO, |a, b| a + b);
            for (dx, &dy) in dx.iter_mut().zip(dy) {
                *dx = dx.mul_add(sum, dy);
            }
        }
    }
}

multiversion! {
    fn softmax_backward_columns[T: Real](y: &[T], dy: &[T], dx: &mut [T], len: usize, inner: usize) {
        let mut dot = vec![T::ZERO; inner];
        let slabs = y.chunks_exact(len * inner).zip(dy.chunks_exact(len * inner));
        for ((y, dy), dx) in slabs.zip(dx.chunks_exact_mut(len * inner)) {
            dot.fill(T::ZERO);
            for (y, dy) in y.chunks_exact(inner).zip(dy.chunks_exact(inner)) {
                for ((dot, &y), &dy) in dot.iter_mut().zip(y).zip(dy) {
                    *dot = y.mul_add(dy, *dot);
                }
            }
            let rows = y.chunks_exact(inner).zip(dy.chunks_exact(inner));
            for ((y, dy), dx) in rows.zip(dx.chunks_exact_mut(inner)) {
                for (((dx, &y), &dy), &dot) in dx.iter_mut().zip(y).zip(dy).zip(&dot) {
                    *dx = y * (dy - dot);
                }
            }
        }
    }
}

multiversion! {
    fn log_softmax_backward_columns[T: Real](y: &[T], dy: &[T], dx: &mut [T], len: usize, inner: usize) {
        let mut sum = vec![T::ZERO; inner];
        let slabs = y.chunks_exact(len * inner).zip(dy.chunks_exact(len * inner));
        for ((y, dy), dx) in slabs.zip(dx.chunks_exact_mut(len * inner)) {
            sum.fill(T::ZERO);
            for dy in dy.chunks_exact(inner) {
                for (sum, &dy) in sum.iter_mut().zip(dy) {
                    *sum += dy;
                }
            }
            let rows = y.chunks_exact(inner).zip(dy.chunks_exact(inner));
            for ((y, dy), dx) in rows.zip(dx.chunks_exact_mut(inner)) {
                for (((dx, &y), &dy), &sum) in dx.iter_mut().zip(y).zip(dy).zip(&sum) {
                    *dx = (-y.exp()).mul_add(sum, dy);
                }
            }
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

    fn data(n: usize, seed: u32) -> Vec<f32> {
        let mut x = vec![0.0; n];
        crate::mt19937::Mt19937::new(seed).fill_uniform_f32(-8.0, 8.0, &mut x);
        x
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
        for shape @ [outer, len, inner] in SHAPES {
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
        for shape @ [outer, len, inner] in SHAPES {
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
