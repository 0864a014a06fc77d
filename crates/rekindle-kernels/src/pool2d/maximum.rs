//! The maximum over windows.
use super::{Pool2dShape, for_each_plane};
use crate::dispatch::multiversion;
use crate::parallel::Disjoint;
use crate::real::Real;

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
    let fast = shape.kernel == (2, 2)
        && shape.stride == (2, 2)
        && shape.padding == (0, 0)
        && shape.dilation == (1, 1);
    let whole = shape.out_size().0 * 2 <= shape.size.0 && shape.out_size().1 * 2 <= shape.size.1;
    for_each_plane(shape.planes, y, out, |range, y| {
        // SAFETY: the tasks have disjoint ranges of planes.
        let argmax = unsafe { argmax.slice(range.start * out..range.end * out) };
        for (p, plane) in range.enumerate() {
            let at = p * out..(p + 1) * out;
            let x = &x[plane * shape.in_plane()..][..shape.in_plane()];
            if fast && whole {
                max_2x2(x, shape.size.1, shape.out_size().1, &mut y[at.clone()], &mut argmax[at]);
            } else {
                max_plane(shape, x, &mut y[at.clone()], &mut argmax[at]);
            }
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

multiversion! {
    /// The windows of 2 by 2 side by side, without branches.
    fn max_2x2[T: Real](x: &[T], width: usize, out_width: usize, y: &mut [T], argmax: &mut [i64]) {
        let rows = y.chunks_exact_mut(out_width).zip(argmax.chunks_exact_mut(out_width));
        for (i, ((y, argmax), x)) in rows.zip(x.chunks_exact(2 * width)).enumerate() {
            let (upper, lower) = x.split_at(width);
            let (upper, lower) = (upper.as_chunks::<2>().0, lower.as_chunks::<2>().0);
            let first = (2 * i * width) as i64;
            for (j, (y, argmax)) in y.iter_mut().zip(argmax).enumerate() {
                let ([a, b], [c, d]) = (upper[j], lower[j]);
                let (best, at) = if b > a || b.is_nan() { (b, 1) } else { (a, 0) };
                let (best, at) = if c > best || c.is_nan() { (c, width as i64) } else { (best, at) };
                let (best, at) = if d > best || d.is_nan() { (d, width as i64 + 1) } else { (best, at) };
                *y = best;
                *argmax = first + 2 * j as i64 + at;
            }
        }
    }
}
