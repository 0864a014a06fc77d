//! The maximum over windows.
use super::{Axis, Pool2dShape, for_each_plane};
use crate::dispatch::multiversion;
use crate::parallel::Disjoint;
use crate::real::Real;

/// `y[i, j]` = the maximum over window (i, j) of each plane; `argmax`, if wanted, receives its flat index in the plane. The
/// first maximum in row-major order wins, and NaN wins over everything.
///
/// # Panics
/// If a slice does not have the length that `shape` gives, or the padding exceeds half of the window.
///
/// ```
/// use rekindle_kernels::pool2d::{Pool2dShape, max_forward};
/// let shape = Pool2dShape { size: (2, 4), kernel: (2, 2), stride: (2, 2), ..Default::default() };
/// let (mut y, mut argmax) = ([0.0; 2], [0; 2]);
/// max_forward(&shape, &[1.0_f32, 2.0, 3.0, 9.0, 8.0, 0.0, 9.0, 1.0], &mut y, Some(&mut argmax));
/// assert_eq!((y, argmax), ([8.0, 9.0], [4, 3]));
/// ```
#[track_caller]
pub fn max_forward<T: Real>(shape: &Pool2dShape, x: &[T], y: &mut [T], argmax: Option<&mut [i64]>) {
    shape.check(x.len(), y.len());
    if let Some(argmax) = &argmax {
        assert!(
            argmax.len() == y.len(),
            "pool2d: argmax has {} elements, expected {}",
            argmax.len(),
            y.len()
        );
    }
    let argmax = argmax.map(Disjoint::new);
    let out = shape.out_plane();
    for_each_plane(shape.planes, y, out, |range, y| {
        // SAFETY: the tasks have disjoint ranges of planes.
        let mut argmax = argmax.map(|argmax| unsafe { argmax.slice(range.start * out..range.end * out) });
        for (p, plane) in range.enumerate() {
            let at = p * out..(p + 1) * out;
            let x = &x[plane * shape.in_plane()..][..shape.in_plane()];
            let y = &mut y[at.clone()];
            match argmax.as_deref_mut().map(|argmax| &mut argmax[at]) {
                None if shape.is_two_by_two() => max_2x2(x, shape.size.1, shape.out_size().1, y),
                argmax => max_plane(shape, x, y, argmax),
            }
        }
    });
}

fn max_plane<T: Real>(shape: &Pool2dShape, x: &[T], y: &mut [T], mut argmax: Option<&mut [i64]>) {
    let windows = shape.axes();
    for (o, y) in y.iter_mut().enumerate() {
        let (best, at) = greatest(windows, o, x);
        *y = best;
        if let Some(argmax) = &mut argmax {
            argmax[o] = at as i64;
        }
    }
}

/// The maximum of window `o` of a plane, and where it is.
fn greatest<T: Real>((vertical, horizontal): (Axis, Axis), o: usize, x: &[T]) -> (T, usize) {
    let out_width = horizontal.out();
    let mut best = T::from_f64(f64::NEG_INFINITY);
    let mut at = None;
    for r in vertical.window(o / out_width) {
        for s in horizontal.window(o % out_width) {
            let i = r * horizontal.size + s;
            if at.is_none() || x[i] > best || x[i].is_nan() {
                (best, at) = (x[i], Some(i));
            }
        }
    }
    (best, at.unwrap_or(0))
}

/// Sends each gradient to the element of its window that [`max_forward`] chose; overwrites `dx`. The maxima are searched again:
/// that costs less than to keep where they were.
///
/// # Panics
/// As [`max_forward`].
#[track_caller]
pub fn max_backward<T: Real>(shape: &Pool2dShape, x: &[T], dy: &[T], dx: &mut [T]) {
    shape.check(dx.len(), dy.len());
    shape.check(x.len(), dy.len());
    let (inside, out) = (shape.in_plane(), shape.out_plane());
    for_each_plane(shape.planes, dx, inside, |range, dx| {
        for (p, plane) in range.enumerate() {
            let dx = &mut dx[p * inside..][..inside];
            let (x, dy) = (&x[plane * inside..][..inside], &dy[plane * out..][..out]);
            if shape.is_two_by_two() {
                let (width, (out_height, out_width)) = (shape.size.1, shape.out_size());
                back_2x2(x, dy, width, out_width, dx);
                dx[2 * out_height * width..].fill(T::ZERO);
            } else {
                dx.fill(T::ZERO);
                let windows = shape.axes();
                dy.iter().enumerate().for_each(|(o, &dy)| dx[greatest(windows, o, x).1] += dy);
            }
        }
    });
}

impl Pool2dShape {
    /// Whether the windows are squares of 2 by 2 side by side, none of which sticks out.
    fn is_two_by_two(&self) -> bool {
        let (h, w) = self.out_size();
        (self.kernel, self.stride) == ((2, 2), (2, 2))
            && (self.padding, self.dilation) == ((0, 0), (1, 1))
            && (1..=self.size.0 / 2).contains(&h)
            && (1..=self.size.1 / 2).contains(&w)
    }
}

/// The first greatest of four numbers, or the last NaN, and which it is.
#[inline(always)]
fn greatest_of_four<T: Real>([a, b]: [T; 2], [c, d]: [T; 2]) -> (T, u32) {
    let (best, at) = if b > a || b.is_nan() { (b, 1) } else { (a, 0) };
    let (best, at) = if c > best || c.is_nan() { (c, 2) } else { (best, at) };
    if d > best || d.is_nan() { (d, 3) } else { (best, at) }
}

multiversion! {
    /// The windows of 2 by 2 side by side, without branches.
    fn max_2x2[T: Real](x: &[T], width: usize, out_width: usize, y: &mut [T]) {
        for (y, x) in y.chunks_exact_mut(out_width).zip(x.chunks_exact(2 * width)) {
            let (upper, lower) = x.split_at(width);
            let (upper, lower) = (upper.as_chunks::<2>().0, lower.as_chunks::<2>().0);
            for (y, (upper, lower)) in y.iter_mut().zip(upper.iter().zip(lower)) {
                *y = greatest_of_four(*upper, *lower).0;
            }
        }
    }
}

/// Windows whose gradients are found side by side.
const SIDE: usize = 4;

multiversion! {
    /// Their gradients. Rows below the last window are left as they are.
    fn back_2x2[T: Real](x: &[T], dy: &[T], width: usize, out_width: usize, dx: &mut [T]) {
        let planes = x.chunks_exact(2 * width).zip(dx.chunks_exact_mut(2 * width));
        for (dy, (x, dx)) in dy.chunks_exact(out_width).zip(planes) {
            let (upper, lower) = x.split_at(width);
            let (dx_upper, dx_lower) = dx.split_at_mut(width);
            let whole = out_width / SIDE * SIDE;
            let parts = upper.as_chunks::<{ 2 * SIDE }>().0.iter().zip(lower.as_chunks::<{ 2 * SIDE }>().0);
            let outs = dx_upper.as_chunks_mut::<{ 2 * SIDE }>().0.iter_mut();
            let outs = outs.zip(dx_lower.as_chunks_mut::<{ 2 * SIDE }>().0);
            for ((dy, (upper, lower)), (dx_upper, dx_lower)) in dy.as_chunks::<SIDE>().0.iter().zip(parts).zip(outs) {
                for j in 0..SIDE {
                    let [a, b, c, d] = [upper[2 * j], upper[2 * j + 1], lower[2 * j], lower[2 * j + 1]];
                    // As in `greatest_of_four`, without branches, so that windows share vectors.
                    let second = (b > a) | b.is_nan();
                    let upper = if second { b } else { a };
                    let third = (c > upper) | c.is_nan();
                    let best = if third { c } else { upper };
                    let fourth = (d > best) | d.is_nan();
                    let first = !(second | third | fourth);
                    let gradient = |here: bool| if here { dy[j] } else { T::ZERO };
                    dx_upper[2 * j] = gradient(first);
                    dx_upper[2 * j + 1] = gradient(second & !(third | fourth));
                    dx_lower[2 * j] = gradient(third & !fourth);
                    dx_lower[2 * j + 1] = gradient(fourth);
                }
            }
            for (j, &dy) in dy.iter().enumerate().skip(whole) {
                let at = 2 * j;
                let (_, winner) = greatest_of_four([upper[at], upper[at + 1]], [lower[at], lower[at + 1]]);
                let here = |i: u32| if winner == i { dy } else { T::ZERO };
                (dx_upper[at], dx_upper[at + 1]) = (here(0), here(1));
                (dx_lower[at], dx_lower[at + 1]) = (here(2), here(3));
            }
            // A last column that is in no window.
            dx_upper[2 * out_width..].fill(T::ZERO);
            dx_lower[2 * out_width..].fill(T::ZERO);
        }
    }
}
