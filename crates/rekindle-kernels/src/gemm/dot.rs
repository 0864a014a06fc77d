//! The product of a matrix with a vector: one dot product per row.
//!
//! PyTorch's CPU build rounds these as follows (found by comparison): 16 lanes, of which lane 0 starts with the first
//! product; the following products are fused into the lanes, 16 at a time; the lanes are added up by halving. What is
//! left at the end is fused into fresh lanes, of which lane 0 starts with the sum so far, and halved again; if no
//! whole 16 came before, it goes into the first lanes directly.
use crate::dispatch::Isa;
use crate::parallel;
use crate::real::Real;

const LANES: usize = 16;

/// `y[i] = dot(row i of a, x) + bias(i)` for `a` of shape `size = [m, k]` with contiguous rows at distance `stride`,
/// `k > 0`, and `x` with distance `step`.
#[allow(clippy::too_many_arguments)]
pub(super) fn matrix_vector<T: Real>(
    _isa: Isa,
    (m, k): (usize, usize),
    a: &[T],
    stride: usize,
    x: &[T],
    step: usize,
    y: &mut [T],
    bias: impl Fn(usize) -> T + Sync + Copy,
) {
    let gathered: Vec<T>;
    let x = if step == 1 {
        &x[..k]
    } else {
        gathered = (0..k).map(|i| x[i * step]).collect();
        &gathered
    };
    /// Elements of the matrix per task.
    const TASK: usize = 64 * 1024;
    parallel::chunks_mut(&mut y[..m], (TASK / k).max(1), |task, y| {
        let first = task * (TASK / k).max(1);
        rows(a, stride, first, x, y, bias);
    });
}

crate::dispatch::multiversion! {
    fn rows[T: Real, B: Fn(usize) -> T](a: &[T], stride: usize, first: usize, x: &[T], y: &mut [T], bias: B) {
        for (i, y) in y.iter_mut().enumerate() {
            let i = first + i;
            *y = dot(&a[i * stride..][..x.len()], x) + bias(i);
        }
    }
}

#[inline(always)]
fn dot<T: Real>(a: &[T], x: &[T]) -> T {
    let (first, rest) = ((a[0], x[0]), (&a[1..], &x[1..]));
    let mut lanes = [T::ZERO; LANES];
    lanes[0] = first.0 * first.1;
    let (a, a_rest) = rest.0.as_chunks::<LANES>();
    let (x, x_rest) = rest.1.as_chunks::<LANES>();
    for (a, x) in a.iter().zip(x) {
        for i in 0..LANES {
            lanes[i] = a[i].mul_add(x[i], lanes[i]);
        }
    }
    if !a_rest.is_empty() {
        if !a.is_empty() {
            let sum = halve(lanes);
            lanes = [T::ZERO; LANES];
            lanes[0] = sum;
        }
        for (lane, (a, x)) in lanes.iter_mut().zip(a_rest.iter().zip(x_rest)) {
            *lane = a.mul_add(*x, *lane);
        }
    }
    halve(lanes)
}

#[inline(always)]
fn halve<T: Real>(mut lanes: [T; LANES]) -> T {
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
    }
    lanes[0]
}
