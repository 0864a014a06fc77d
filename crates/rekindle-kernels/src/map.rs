//! Element-wise kernels: `y[i] = f(x[i], ..)` on slices of equal length, in parallel from [`PARALLEL_FROM`] elements on.
//!
//! The function is inlined into loops compiled for each instruction set (see [`crate::dispatch`]). LLVM inlines short
//! closures by itself; write `#[inline(always)] |x| ..` for a long one, or it is called once per element, in the portable
//! version.
//!
//! Legend: `x`, `a`, `b`, `c` are read; `y`, `p`, `m`, `v`, `w` are written.

use crate::dispatch::multiversion;
use crate::parallel::{Disjoint, for_each_task};
use std::ops::Range;

/// Slices shorter than this are mapped by the calling thread alone.
pub const PARALLEL_FROM: usize = crate::for_miri(32 * 1024);
/// Elements per task.
const CHUNK: usize = crate::for_miri(8 * 1024);

/// Calls `f` with ranges that together cover `0..len`, cut at multiples of `unit`, in parallel if `len` is large.
pub(crate) fn for_each_range(len: usize, unit: usize, f: impl Fn(Range<usize>) + Sync) {
    if len < PARALLEL_FROM {
        return f(0..len);
    }
    let chunk = (CHUNK / unit.max(1)).max(1) * unit.max(1);
    for_each_task(len.div_ceil(chunk), |i| f(i * chunk..len.min((i + 1) * chunk)));
}

#[track_caller]
fn same_len(y: usize, x: usize) {
    assert!(x == y, "map: slice lengths differ: {x} and {y}");
}

/// `y[i] = f(x[i])`.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// let mut y = [0.0; 3];
/// rekindle_kernels::map::unary(&[-1.0f32, 0.0, 2.0], &mut y, |x| x.max(0.0));
/// assert_eq!(y, [0.0, 0.0, 2.0]);
/// ```
#[track_caller]
pub fn unary<A: Copy + Sync, B: Send>(x: &[A], y: &mut [B], f: impl Fn(A) -> B + Sync + Copy) {
    same_len(y.len(), x.len());
    let y = Disjoint::new(y);
    // SAFETY: ranges of different tasks are disjoint.
    for_each_range(x.len(), 1, |r| unary_serial(&x[r.clone()], unsafe { y.slice(r) }, f));
}

multiversion! {
    fn unary_serial[A: Copy, B, F: Fn(A) -> B](x: &[A], y: &mut [B], f: F) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = f(x);
        }
    }
}

/// `y[i] = f(a[i], b[i])`.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// let mut y = [0.0; 2];
/// rekindle_kernels::map::binary(&[1.0f32, 2.0], &[3.0, 4.0], &mut y, |a, b| a * b);
/// assert_eq!(y, [3.0, 8.0]);
/// ```
#[track_caller]
pub fn binary<A, B, C>(a: &[A], b: &[B], y: &mut [C], f: impl Fn(A, B) -> C + Sync + Copy)
where
    A: Copy + Sync,
    B: Copy + Sync,
    C: Send,
{
    same_len(y.len(), a.len());
    same_len(y.len(), b.len());
    let y = Disjoint::new(y);
    for_each_range(a.len(), 1, |r| {
        // SAFETY: ranges of different tasks are disjoint.
        binary_serial(&a[r.clone()], &b[r.clone()], unsafe { y.slice(r) }, f)
    });
}

multiversion! {
    fn binary_serial[A: Copy, B: Copy, C, F: Fn(A, B) -> C](a: &[A], b: &[B], y: &mut [C], f: F) {
        for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
            *y = f(a, b);
        }
    }
}

/// `y[i] = f(a[i], b[i], c[i])`.
///
/// # Panics
/// If the lengths differ.
#[track_caller]
pub fn ternary<A, B, C, D>(a: &[A], b: &[B], c: &[C], y: &mut [D], f: impl Fn(A, B, C) -> D + Sync + Copy)
where
    A: Copy + Sync,
    B: Copy + Sync,
    C: Copy + Sync,
    D: Send,
{
    same_len(y.len(), a.len());
    same_len(y.len(), b.len());
    same_len(y.len(), c.len());
    let y = Disjoint::new(y);
    for_each_range(a.len(), 1, |r| {
        // SAFETY: ranges of different tasks are disjoint.
        ternary_serial(&a[r.clone()], &b[r.clone()], &c[r.clone()], unsafe { y.slice(r) }, f)
    });
}

multiversion! {
    fn ternary_serial[A: Copy, B: Copy, C: Copy, D, F: Fn(A, B, C) -> D](a: &[A], b: &[B], c: &[C], y: &mut [D], f: F) {
        for (((y, &a), &b), &c) in y.iter_mut().zip(a).zip(b).zip(c) {
            *y = f(a, b, c);
        }
    }
}

/// An operand of [`binary_broadcast`].
#[derive(Clone, Copy, Debug)]
pub enum Source<'a, T> {
    /// One element for each element of the output.
    Whole(&'a [T]),
    /// A row (or a single number) that is repeated over the output.
    Repeat(&'a [T]),
}

/// A repeated row is laid out until it has about this many elements, which stay in the L1 cache.
const TILE: usize = 1024;

/// `y[i] = f(a[i], b[i])`, where either operand may be a repeated row: `a[i % n]` for one of `n` elements.
///
/// One loop per closure serves every kind of broadcasting, because a repeated row is read from a tile that is as long
/// as several rows.
///
/// # Panics
/// If both operands are repeated, a whole one is not as long as `y`, or `y` is not whole rows of a repeated one.
///
/// ```
/// use rekindle_kernels::map::{Source, binary_broadcast};
/// let mut y = [0.0; 4];
/// binary_broadcast(Source::Whole(&[1.0f32, 2.0, 3.0, 4.0]), Source::Repeat(&[10.0, 20.0]), &mut y, |a, b| a + b);
/// assert_eq!(y, [11.0, 22.0, 13.0, 24.0]);
/// ```
#[track_caller]
pub fn binary_broadcast<A, B, C>(
    a: Source<'_, A>,
    b: Source<'_, B>,
    y: &mut [C],
    f: impl Fn(A, B) -> C + Sync + Copy,
) where
    A: Copy + Sync,
    B: Copy + Sync,
    C: Send,
{
    let len = y.len();
    if len == 0 {
        return;
    }
    let (a, b) = (Tiled::new(a, len), Tiled::new(b, len));
    let unit = a.period * b.period;
    assert!(!(a.repeated && b.repeated), "map: one operand at most is repeated");
    let step = a.step.min(b.step);
    let y = Disjoint::new(y);
    for_each_range(len, unit, |r| {
        for start in r.clone().step_by(step) {
            let part = start..r.end.min(start.saturating_add(step));
            // SAFETY: ranges of different tasks are disjoint.
            binary_serial(a.at(&part), b.at(&part), unsafe { y.slice(part.clone()) }, f);
        }
    });
}

/// An operand laid out so that consecutive elements can be read for stretches of `step` elements.
struct Tiled<'a, T: Clone> {
    data: std::borrow::Cow<'a, [T]>,
    repeated: bool,
    /// The length of the row, 1 for a whole operand or a single number.
    period: usize,
    step: usize,
}

impl<'a, T: Copy> Tiled<'a, T> {
    #[track_caller]
    fn new(source: Source<'a, T>, len: usize) -> Self {
        match source {
            Source::Whole(data) => {
                same_len(len, data.len());
                Tiled { data: data.into(), repeated: false, period: 1, step: usize::MAX }
            }
            Source::Repeat(row) => {
                let period = row.len();
                assert!(
                    period > 0 && len.is_multiple_of(period),
                    "map: {len} elements are not whole rows of {period}"
                );
                let times = TILE.div_ceil(period).min(len / period);
                let data = if times == 1 { row.into() } else { row.repeat(times).into() };
                Tiled { data, repeated: true, period, step: times * period }
            }
        }
    }

    /// The elements for a stretch of the output that starts at a multiple of the period.
    fn at(&self, part: &Range<usize>) -> &[T] {
        if self.repeated { &self.data[..part.len()] } else { &self.data[part.clone()] }
    }
}

/// Number of rows in `len` elements of rows as long as `row`.
#[track_caller]
fn rows(len: usize, row: usize) -> usize {
    if len == 0 {
        return 0;
    }
    assert!(row > 0 && len.is_multiple_of(row), "map: {len} elements are not whole rows of {row}");
    len / row
}

/// `y[i][j] = f(a[i][j], b[j])` for `a` and `y` of shape [m, n], `b` of shape \[n\].
///
/// # Panics
/// If `a` and `y` differ in length or are not whole rows.
#[track_caller]
pub fn binary_row<A, B, C>(a: &[A], b: &[B], y: &mut [C], f: impl Fn(A, B) -> C + Sync + Copy)
where
    A: Copy + Sync,
    B: Copy + Sync,
    C: Send,
{
    same_len(y.len(), a.len());
    rows(a.len(), b.len());
    let y = Disjoint::new(y);
    for_each_range(a.len(), b.len(), |r| {
        // SAFETY: ranges of different tasks are disjoint.
        binary_row_serial(&a[r.clone()], b, unsafe { y.slice(r) }, f)
    });
}

multiversion! {
    fn binary_row_serial[A: Copy, B: Copy, C, F: Fn(A, B) -> C](a: &[A], b: &[B], y: &mut [C], f: F) {
        let n = b.len().max(1);
        for (y, a) in y.chunks_exact_mut(n).zip(a.chunks_exact(n)) {
            for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
                *y = f(a, b);
            }
        }
    }
}

/// `y[i][j] = f(a[i][j], b[i])` for `a` and `y` of shape [m, n], `b` of shape \[m\].
///
/// # Panics
/// If `a` and `y` differ in length or are not `b.len()` equal rows.
#[track_caller]
pub fn binary_column<A, B, C>(a: &[A], b: &[B], y: &mut [C], f: impl Fn(A, B) -> C + Sync + Copy)
where
    A: Copy + Sync,
    B: Copy + Sync,
    C: Send,
{
    same_len(y.len(), a.len());
    let m = rows(a.len(), a.len() / b.len().max(1));
    assert!(m == b.len() || a.is_empty(), "map: {} elements are not {} equal rows", a.len(), b.len());
    let n = a.len() / m.max(1);
    let y = Disjoint::new(y);
    for_each_range(a.len(), n, |r| {
        let b = &b[r.start / n.max(1)..r.end / n.max(1)];
        // SAFETY: ranges of different tasks are disjoint.
        binary_column_serial(&a[r.clone()], b, unsafe { y.slice(r) }, f)
    });
}

multiversion! {
    fn binary_column_serial[A: Copy, B: Copy, C, F: Fn(A, B) -> C](a: &[A], b: &[B], y: &mut [C], f: F) {
        let n = (a.len() / b.len().max(1)).max(1);
        for ((y, a), &b) in y.chunks_exact_mut(n).zip(a.chunks_exact(n)).zip(b) {
            for (y, &a) in y.iter_mut().zip(a) {
                *y = f(a, b);
            }
        }
    }
}

/// Elements that are computed beside `y` and then copied: where a formula chooses between a new value and the old one, compilers make
/// masked stores of a store in place, which some processors take ten times as long for.
const BESIDE: usize = 256;

/// `y[i] = f(y[i])`.
pub fn in_place1<A: Copy + Send>(y: &mut [A], f: impl Fn(A) -> A + Sync + Copy) {
    let len = y.len();
    let y = Disjoint::new(y);
    // SAFETY: ranges of different tasks are disjoint.
    for_each_range(len, 1, |r| in_place1_serial(unsafe { y.slice(r) }, f));
}

multiversion! {
    fn in_place1_serial[A: Copy, F: Fn(A) -> A](y: &mut [A], f: F) {
        for y in y.chunks_mut(BESIDE) {
            let mut beside = [y[0]; BESIDE];
            for (new, &y) in beside.iter_mut().zip(&*y) {
                *new = f(y);
            }
            y.copy_from_slice(&beside[..y.len()]);
        }
    }
}

/// `y[i] = f(y[i], x[i])`.
///
/// # Panics
/// If the lengths differ.
#[track_caller]
pub fn in_place2<A, B>(y: &mut [A], x: &[B], f: impl Fn(A, B) -> A + Sync + Copy)
where
    A: Copy + Send,
    B: Copy + Sync,
{
    same_len(y.len(), x.len());
    let y = Disjoint::new(y);
    // SAFETY: ranges of different tasks are disjoint.
    for_each_range(x.len(), 1, |r| in_place2_serial(unsafe { y.slice(r.clone()) }, &x[r], f));
}

multiversion! {
    fn in_place2_serial[A: Copy, B: Copy, F: Fn(A, B) -> A](y: &mut [A], x: &[B], f: F) {
        for (y, x) in y.chunks_mut(BESIDE).zip(x.chunks(BESIDE)) {
            let mut beside = [y[0]; BESIDE];
            for ((new, &y), &x) in beside.iter_mut().zip(&*y).zip(x) {
                *new = f(y, x);
            }
            y.copy_from_slice(&beside[..y.len()]);
        }
    }
}

/// `y[i] = f(y[i], a[i], b[i])`.
///
/// # Panics
/// If the lengths differ.
#[track_caller]
pub fn in_place3<A, B, C>(y: &mut [A], a: &[B], b: &[C], f: impl Fn(A, B, C) -> A + Sync + Copy)
where
    A: Copy + Send,
    B: Copy + Sync,
    C: Copy + Sync,
{
    same_len(y.len(), a.len());
    same_len(y.len(), b.len());
    let y = Disjoint::new(y);
    for_each_range(a.len(), 1, |r| {
        // SAFETY: ranges of different tasks are disjoint.
        in_place3_serial(unsafe { y.slice(r.clone()) }, &a[r.clone()], &b[r], f)
    });
}

multiversion! {
    fn in_place3_serial[A: Copy, B: Copy, C: Copy, F: Fn(A, B, C) -> A](y: &mut [A], a: &[B], b: &[C], f: F) {
        for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
            *y = f(*y, a, b);
        }
    }
}

/// `y[i][j] = f(y[i][j], b[j])` for `y` of shape [m, n], `b` of shape \[n\].
///
/// # Panics
/// If `y` is not whole rows.
#[track_caller]
pub fn in_place_row<A, B>(y: &mut [A], b: &[B], f: impl Fn(A, B) -> A + Sync + Copy)
where
    A: Copy + Send,
    B: Copy + Sync,
{
    let len = y.len();
    rows(len, b.len());
    let y = Disjoint::new(y);
    // SAFETY: ranges of different tasks are disjoint.
    for_each_range(len, b.len(), |r| in_place_row_serial(unsafe { y.slice(r) }, b, f));
}

multiversion! {
    fn in_place_row_serial[A: Copy, B: Copy, F: Fn(A, B) -> A](y: &mut [A], b: &[B], f: F) {
        for y in y.chunks_exact_mut(b.len().max(1)) {
            for (y, &b) in y.iter_mut().zip(b) {
                *y = f(*y, b);
            }
        }
    }
}

/// `(p[i], m[i]) = f(p[i], m[i], g[i])`: a parameter with one state, such as momentum.
///
/// # Panics
/// If the lengths differ.
#[track_caller]
pub fn zip_mut2<T: Copy + Send + Sync>(
    p: &mut [T],
    m: &mut [T],
    g: &[T],
    f: impl Fn(T, T, T) -> (T, T) + Sync + Copy,
) {
    same_len(p.len(), g.len());
    same_len(m.len(), g.len());
    let (p, m) = (Disjoint::new(p), Disjoint::new(m));
    for_each_range(g.len(), 1, |r| {
        // SAFETY: ranges of different tasks are disjoint.
        let (p, m) = unsafe { (p.slice(r.clone()), m.slice(r.clone())) };
        zip_mut2_serial(p, m, &g[r], f)
    });
}

multiversion! {
    fn zip_mut2_serial[T: Copy, F: Fn(T, T, T) -> (T, T)](p: &mut [T], m: &mut [T], g: &[T], f: F) {
        for ((p, m), &g) in p.iter_mut().zip(m).zip(g) {
            (*p, *m) = f(*p, *m, g);
        }
    }
}

/// `(p[i], m[i], v[i]) = f(p[i], m[i], v[i], g[i])`: a parameter with two states, such as Adam's.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// let (mut p, mut m, mut v) = ([1.0f32], [0.0], [0.0]);
/// rekindle_kernels::map::zip_mut3(&mut p, &mut m, &mut v, &[2.0], |p, m, v, g| (p - g, m + g, v + g * g));
/// assert_eq!((p, m, v), ([-1.0], [2.0], [4.0]));
/// ```
#[track_caller]
pub fn zip_mut3<T: Copy + Send + Sync>(
    p: &mut [T],
    m: &mut [T],
    v: &mut [T],
    g: &[T],
    f: impl Fn(T, T, T, T) -> (T, T, T) + Sync + Copy,
) {
    same_len(p.len(), g.len());
    same_len(m.len(), g.len());
    same_len(v.len(), g.len());
    let (p, m, v) = (Disjoint::new(p), Disjoint::new(m), Disjoint::new(v));
    for_each_range(g.len(), 1, |r| {
        // SAFETY: ranges of different tasks are disjoint.
        let (p, m, v) = unsafe { (p.slice(r.clone()), m.slice(r.clone()), v.slice(r.clone())) };
        zip_mut3_serial(p, m, v, &g[r], f)
    });
}

multiversion! {
    fn zip_mut3_serial[T: Copy, F: Fn(T, T, T, T) -> (T, T, T)](
        p: &mut [T], m: &mut [T], v: &mut [T], g: &[T], f: F
    ) {
        for (((p, m), v), &g) in p.iter_mut().zip(m).zip(v).zip(g) {
            (*p, *m, *v) = f(*p, *m, *v, g);
        }
    }
}

/// As [`zip_mut3`] with a third state `w`, such as the greatest second moment of AMSGrad.
///
/// # Panics
/// If the lengths differ.
#[track_caller]
pub fn zip_mut4<T: Copy + Send + Sync>(
    p: &mut [T],
    m: &mut [T],
    v: &mut [T],
    w: &mut [T],
    g: &[T],
    f: impl Fn([T; 4], T) -> [T; 4] + Sync + Copy,
) {
    same_len(p.len(), g.len());
    same_len(m.len(), g.len());
    same_len(v.len(), g.len());
    same_len(w.len(), g.len());
    let (p, m, v, w) = (Disjoint::new(p), Disjoint::new(m), Disjoint::new(v), Disjoint::new(w));
    for_each_range(g.len(), 1, |r| {
        // SAFETY: ranges of different tasks are disjoint.
        let (p, m) = unsafe { (p.slice(r.clone()), m.slice(r.clone())) };
        // SAFETY: as above.
        let (v, w) = unsafe { (v.slice(r.clone()), w.slice(r.clone())) };
        zip_mut4_serial(p, m, v, w, &g[r], f)
    });
}

multiversion! {
    fn zip_mut4_serial[T: Copy, F: Fn([T; 4], T) -> [T; 4]](
        p: &mut [T], m: &mut [T], v: &mut [T], w: &mut [T], g: &[T], f: F
    ) {
        for ((((p, m), v), w), &g) in p.iter_mut().zip(m).zip(v).zip(w).zip(g) {
            [*p, *m, *v, *w] = f([*p, *m, *v, *w], g);
        }
    }
}

#[cfg(test)]
mod tests;
