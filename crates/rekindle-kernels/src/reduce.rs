//! Reductions: sums in PyTorch's order of rounding, and folds and arg-folds over one dimension.
//!
//! A tensor reduced over one dimension is seen as [outer, len, inner], row-major, reduced over `len`; the result has
//! the shape [outer, inner]. Every order is fixed by the shape, so results do not depend on the number of threads.
//!
//! Sums add in cascades of four levels, which keeps the rounding error of n numbers near that of pairwise summation
//! and is what PyTorch's CPU kernels do (`aten/src/ATen/native/cpu/SumKernel.cpp` describes the scheme).

use crate::dispatch::multiversion;
use crate::map::PARALLEL_FROM;
use crate::parallel::{Disjoint, for_each_task};
use crate::real::Real;
use std::ops::Range;

/// Sum of all elements, in the order of PyTorch's sum of a contiguous tensor on one thread.
///
/// ```
/// assert_eq!(rekindle_kernels::reduce::sum(&[1.0f32, 2.0, 3.5]), 6.5);
/// ```
pub fn sum<T: Real>(x: &[T]) -> T {
    sum_serial(x)
}

/// `y[j] = sum over i of x[i][j]` for `x` of shape [rows, cols], as the gradient of a bias needs; the order is that of
/// PyTorch's `sum(0)` on one thread.
///
/// # Panics
/// If `x` or `y` has another length.
///
/// ```
/// let mut y = [0.0; 2];
/// rekindle_kernels::reduce::sum_rows(&[1.0f32, 2.0, 3.0, 4.0], 2, 2, &mut y);
/// assert_eq!(y, [4.0, 6.0]);
/// ```
#[track_caller]
pub fn sum_rows<T: Real>(x: &[T], rows: usize, cols: usize, y: &mut [T]) {
    sum_dim(x, 1, rows, cols, y);
}

/// Whether all are finite numbers. It reads the memory once, without a branch for each element, and stops soon after one that is not.
///
/// ```
/// use rekindle_kernels::reduce::all_finite;
/// assert!(all_finite(&[0.0f32, -3e38]) && !all_finite(&[1.0, f64::NAN]));
/// ```
pub fn all_finite<T: Real>(x: &[T]) -> bool {
    const BLOCK: usize = 4096;
    x.chunks(BLOCK).all(|block| times_zero(block))
}

multiversion! {
    /// Whether all numbers times 0 add up to 0: infinities and NaN become NaN.
    fn times_zero[T: Real](x: &[T]) -> bool {
        let mut sums = [T::ZERO; 64];
        let (whole, rest) = x.as_chunks::<64>();
        for x in whole {
            sums.iter_mut().zip(x).for_each(|(sum, x)| *sum += *x * T::ZERO);
        }
        sums.iter_mut().zip(rest).for_each(|(sum, x)| *sum += *x * T::ZERO);
        sums.iter().fold(true, |fine, sum| fine & (*sum == T::ZERO))
    }
}

/// `y[o][i] = sum over l of x[o][l][i]`: each row in the order of [`sum`] if `inner` is 1, else each slab in the order
/// of [`sum_rows`].
///
/// # Panics
/// If `x` or `y` has another length.
#[track_caller]
pub fn sum_dim<T: Real>(x: &[T], outer: usize, len: usize, inner: usize, y: &mut [T]) {
    check(x.len(), y.len(), outer, len, inner);
    let y = Disjoint::new(y);
    if inner == 1 {
        return for_each_row(outer, len, |rows| {
            // SAFETY: tasks have disjoint rows.
            sum_each_row(&x[rows.start * len..rows.end * len], len, unsafe { y.slice(rows) });
        });
    }
    for_each_block(outer, len, inner, |o, columns| {
        // SAFETY: tasks have disjoint blocks of columns.
        let y = unsafe { y.slice(o * inner + columns.start..o * inner + columns.end) };
        sum_columns(&x[o * len * inner..(o + 1) * len * inner], len, inner, columns.start, y);
    });
}

/// `y[o][i] = f(.. f(f(identity, x[o][0][i]), x[o][1][i]) ..)`, where `f` must be associative and commutative up to
/// rounding, with `identity` as its neutral element.
///
/// For `inner` = 1 the elements of a row are dealt to 16 lanes, which are then folded in order, then the rest.
///
/// # Panics
/// If `x` or `y` has another length.
///
/// ```
/// use rekindle_kernels::{real::Real, reduce};
/// let mut y = [0.0; 2];
/// reduce::fold(&[1.0f32, 5.0, 2.0, f32::NAN], 2, 2, 1, &mut y, f32::NEG_INFINITY, Real::maximum);
/// assert!(y[0] == 5.0 && y[1].is_nan());
/// ```
#[track_caller]
pub fn fold<T, F>(x: &[T], outer: usize, len: usize, inner: usize, y: &mut [T], identity: T, f: F)
where
    T: Copy + Send + Sync,
    F: Fn(T, T) -> T + Copy + Sync,
{
    check(x.len(), y.len(), outer, len, inner);
    let y = Disjoint::new(y);
    if inner == 1 {
        return for_each_row(outer, len, |rows| {
            // SAFETY: tasks have disjoint rows.
            fold_each_row(&x[rows.start * len..rows.end * len], len, unsafe { y.slice(rows) }, identity, f);
        });
    }
    for_each_block(outer, len, inner, |o, columns| {
        // SAFETY: tasks have disjoint blocks of columns.
        let y = unsafe { y.slice(o * inner + columns.start..o * inner + columns.end) };
        fold_columns(&x[o * len * inner..(o + 1) * len * inner], inner, columns.start, y, identity, f);
    });
}

/// `y[o][i]` = the first `l` at which `x[o][l][i]` is the best: `better(a, b)` says that `a` replaces the earlier `b`.
///
/// # Panics
/// If `x` or `y` has another length, or if there is nothing to choose from (`len` = 0 and `y` not empty).
///
/// ```
/// use rekindle_kernels::reduce;
/// let mut y = [0; 2];
/// reduce::arg(&[1.0f32, 5.0, 5.0, f32::NAN, 7.0, f32::NAN], 2, 3, 1, &mut y, reduce::greater);
/// assert_eq!(y, [1, 0]);
/// ```
#[track_caller]
pub fn arg<T, F>(x: &[T], outer: usize, len: usize, inner: usize, y: &mut [i64], better: F)
where
    T: Copy + Send + Sync,
    F: Fn(T, T) -> bool + Copy + Sync,
{
    check(x.len(), y.len(), outer, len, inner);
    assert!(len > 0 || y.is_empty(), "arg: nothing to choose from in a dimension of size 0");
    if y.is_empty() {
        return;
    }
    let y = Disjoint::new(y);
    if inner == 1 {
        return for_each_row(outer, len, |rows| {
            let x = &x[rows.start * len..rows.end * len];
            // SAFETY: tasks have disjoint rows.
            for (y, row) in unsafe { y.slice(rows) }.iter_mut().zip(x.chunks_exact(len)) {
                *y = arg_row(row, better) as i64;
            }
        });
    }
    for_each_block(outer, len, inner, |o, columns| {
        // SAFETY: tasks have disjoint blocks of columns.
        let y = unsafe { y.slice(o * inner + columns.start..o * inner + columns.end) };
        arg_columns(&x[o * len * inner..(o + 1) * len * inner], inner, columns.start, y, better);
    });
}

/// The order of `argmax` for [`arg`]: greater, or the first NaN.
#[inline(always)]
pub fn greater<T: Real>(a: T, b: T) -> bool {
    a > b || (a.is_nan() && !b.is_nan())
}

/// The order of `argmin` for [`arg`]: less, or the first NaN.
#[inline(always)]
pub fn less<T: Real>(a: T, b: T) -> bool {
    a < b || (a.is_nan() && !b.is_nan())
}

#[track_caller]
fn check(x: usize, y: usize, outer: usize, len: usize, inner: usize) {
    assert!(x == outer * len * inner, "reduce: {x} elements for a shape of [{outer}, {len}, {inner}]");
    assert!(y == outer * inner, "reduce: {y} results for a shape of [{outer}, {inner}]");
}

/// Elements per task.
const CHUNK: usize = 16 * 1024;
/// Columns per task: a multiple of every block width below, so that cutting does not change the order of a sum.
const COLUMNS: usize = 256;

/// Calls `f` with ranges of the `outer` rows of `len` elements.
fn for_each_row(outer: usize, len: usize, f: impl Fn(Range<usize>) + Sync) {
    if outer * len < PARALLEL_FROM {
        return f(0..outer);
    }
    let rows = (CHUNK / len.max(1)).max(1);
    for_each_task(outer.div_ceil(rows), |i| f(i * rows..outer.min((i + 1) * rows)));
}

/// Calls `f` with each outer index and ranges of the `inner` columns.
fn for_each_block(outer: usize, len: usize, inner: usize, f: impl Fn(usize, Range<usize>) + Sync) {
    if inner == 0 {
        return;
    }
    if outer * len * inner < PARALLEL_FROM {
        return (0..outer).for_each(|o| f(o, 0..inner));
    }
    let blocks = inner.div_ceil(COLUMNS);
    for_each_task(outer * blocks, |i| {
        let start = i % blocks * COLUMNS;
        f(i / blocks, start..inner.min(start + COLUMNS));
    });
}

/// Adds the entries `0..k` in a cascade, lane by lane. `add(i, acc)` adds entry `i` to `acc`.
#[inline(always)]
fn cascade<T: Real, const W: usize>(k: usize, mut add: impl FnMut(usize, &mut [T; W])) -> [T; W] {
    let log2 = k.next_power_of_two().trailing_zeros() as usize;
    let power = (log2 / 4).max(4);
    let mut a = [[T::ZERO; W]; 4];
    let mut i = 0;
    while i + (1 << power) <= k {
        let mut a0 = [T::ZERO; W];
        for j in i..i + (1 << power) {
            add(j, &mut a0);
        }
        i += 1 << power;
        add_lanes(&mut a[1], &a0);
        for level in 1..3 {
            if i & ((1 << (power * (level + 1))) - 1) != 0 {
                break;
            }
            let full = std::mem::replace(&mut a[level], [T::ZERO; W]);
            add_lanes(&mut a[level + 1], &full);
        }
    }
    let mut total = [T::ZERO; W];
    for j in i..k {
        add(j, &mut total);
    }
    for level in &a[1..] {
        add_lanes(&mut total, level);
    }
    total
}

#[inline(always)]
fn add_lanes<T: Real, const W: usize>(acc: &mut [T; W], x: &[T; W]) {
    for (a, &x) in acc.iter_mut().zip(x) {
        *a += x;
    }
}

#[inline(always)]
fn add_slice<T: Real, const W: usize>(acc: &mut [T; W], x: &[T]) {
    for (a, &x) in acc.iter_mut().zip(&x[..W]) {
        *a += x;
    }
}

/// Adds `n` entries of `G` lanes, dealt round-robin to four cascades (`W` = 4 `G`).
#[inline(always)]
fn row_sum<'x, T: Real, const G: usize, const W: usize>(
    n: usize,
    entry: impl Fn(usize) -> &'x [T],
) -> [T; G] {
    let sums = cascade::<T, W>(
        n / 4,
        #[inline(always)]
        |i, acc| {
            for (q, acc) in acc.chunks_exact_mut(G).enumerate() {
                for (a, &x) in acc.iter_mut().zip(&entry(4 * i + q)[..G]) {
                    *a += x;
                }
            }
        },
    );
    let mut total = [T::ZERO; G];
    total.copy_from_slice(&sums[..G]);
    for i in n / 4 * 4..n {
        add_slice(&mut total, entry(i));
    }
    for part in sums[G..].chunks_exact(G) {
        add_slice(&mut total, part);
    }
    total
}

/// `G` = lanes of a 256-bit vector, `W` = 4 `G`.
#[inline(always)]
fn contiguous<T: Real, const G: usize, const W: usize>(x: &[T]) -> T {
    if x.len() < G {
        return row_sum::<T, 1, 4>(x.len(), |i| &x[i..i + 1])[0];
    }
    let lanes = row_sum::<T, G, W>(x.len() / G, |i| &x[i * G..(i + 1) * G]);
    let mut s = T::ZERO;
    for &x in &x[x.len() / G * G..] {
        s += x;
    }
    for lane in lanes {
        s += lane;
    }
    s
}

#[inline(always)]
fn contiguous_sum<T: Real>(x: &[T]) -> T {
    if size_of::<T>() == 4 { contiguous::<T, 8, 32>(x) } else { contiguous::<T, 4, 16>(x) }
}

multiversion! {
    fn sum_serial[T: Real](x: &[T]) -> T {
        contiguous_sum(x)
    }
}

multiversion! {
    fn sum_each_row[T: Real](x: &[T], len: usize, y: &mut [T]) {
        for (i, y) in y.iter_mut().enumerate() {
            *y = contiguous_sum(&x[i * len..(i + 1) * len]);
        }
    }
}

/// Sums the columns `first..first + y.len()` of `x`, [rows, cols].
#[inline(always)]
fn columns<T: Real, const G: usize, const W: usize>(
    x: &[T],
    rows: usize,
    cols: usize,
    first: usize,
    y: &mut [T],
) {
    let at = |i: usize, j: usize, n: usize| &x[i * cols + first + j..i * cols + first + j + n];
    let mut j = 0;
    while j + W <= y.len() {
        let sums = cascade::<T, W>(rows, |i, acc| add_slice(acc, at(i, j, W)));
        y[j..j + W].copy_from_slice(&sums);
        j += W;
    }
    while j + G <= y.len() {
        y[j..j + G].copy_from_slice(&row_sum::<T, G, W>(rows, |i| at(i, j, G)));
        j += G;
    }
    while cols < G && j + 4 <= y.len() {
        let sums = cascade::<T, 4>(rows, |i, acc| add_slice(acc, at(i, j, 4)));
        y[j..j + 4].copy_from_slice(&sums);
        j += 4;
    }
    if j < y.len() && y.len() >= G {
        // The last columns once more with some before them: they have the same order.
        let window = row_sum::<T, G, W>(rows, |i| at(i, y.len() - G, G));
        let rest = y.len() - j;
        y[j..].copy_from_slice(&window[G - rest..]);
        return;
    }
    while j < y.len() {
        y[j] = row_sum::<T, 1, 4>(rows, |i| at(i, j, 1))[0];
        j += 1;
    }
}

multiversion! {
    fn sum_columns[T: Real](x: &[T], rows: usize, cols: usize, first: usize, y: &mut [T]) {
        if size_of::<T>() == 4 {
            columns::<T, 8, 32>(x, rows, cols, first, y);
        } else {
            columns::<T, 4, 16>(x, rows, cols, first, y);
        }
    }
}

const LANES: usize = 16;

/// Folds `row` in [`LANES`] lanes, then the lanes in order, then the rest.
#[inline(always)]
pub(crate) fn fold_row<T: Copy>(row: &[T], identity: T, f: impl Fn(T, T) -> T) -> T {
    let mut lanes = [identity; LANES];
    let mut chunks = row.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = f(*lane, x);
        }
    }
    let mut y = identity;
    if row.len() >= LANES {
        y = lanes.into_iter().fold(y, &f);
    }
    chunks.remainder().iter().fold(y, |y, &x| f(y, x))
}

multiversion! {
    fn fold_each_row[T: Copy, F: Fn(T, T) -> T](x: &[T], len: usize, y: &mut [T], identity: T, f: F) {
        for (i, y) in y.iter_mut().enumerate() {
            *y = fold_row(&x[i * len..(i + 1) * len], identity, &f);
        }
    }
}

multiversion! {
    fn fold_columns[T: Copy, F: Fn(T, T) -> T](x: &[T], cols: usize, first: usize, y: &mut [T], identity: T, f: F) {
        y.fill(identity);
        for row in x.chunks_exact(cols) {
            for (y, &x) in y.iter_mut().zip(&row[first..]) {
                *y = f(*y, x);
            }
        }
    }
}

/// Index of the first best element of a row.
fn arg_row<T: Copy>(row: &[T], better: impl Fn(T, T) -> bool) -> usize {
    let mut best = 0;
    for (i, &x) in row.iter().enumerate().skip(1) {
        if better(x, row[best]) {
            best = i;
        }
    }
    best
}

multiversion! {
    fn arg_columns[T: Copy, F: Fn(T, T) -> bool](x: &[T], cols: usize, first: usize, y: &mut [i64], better: F) {
        y.fill(0);
        let mut best = x[first..first + y.len()].to_vec();
        for (l, row) in x.chunks_exact(cols).enumerate().skip(1) {
            for ((y, best), &x) in y.iter_mut().zip(&mut best).zip(&row[first..]) {
                let wins = better(x, *best);
                *best = if wins { x } else { *best };
                *y = if wins { l as i64 } else { *y };
            }
        }
    }
}

#[cfg(test)]
mod tests;
