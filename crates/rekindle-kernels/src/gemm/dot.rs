//! The product of a matrix with a vector: one dot product per row.
//!
//! PyTorch's CPU build rounds these as follows (found by comparison): 16 lanes, of which lane 0 starts with the first
//! product; the following products are fused into the lanes, 16 at a time; the lanes are added up by halving. What is
//! left at the end is fused into fresh lanes, of which lane 0 starts with the sum so far, and halved again; if no
//! whole 16 came before, it goes into the first lanes directly.
use super::simd::Simd;
use super::tile::Kernels;
use crate::parallel;
use crate::real::Real;
use crate::scratch::with_scratch;

/// Elements of the matrix per task.
const TASK: usize = crate::for_miri(64 * 1024);
const LANES: usize = 16;
/// Rows whose chains run side by side, to hide the latency of each.
const ROWS: usize = 4;

/// `y[i] = dot(row i of a, x)` for `a` of shape `[y.len(), k]` with contiguous rows at distance `stride`, `k > 0`, and
/// `x` with distance `step`.
pub(super) fn matrix_vector<T: Real>(
    kernels: &'static Kernels<T>,
    k: usize,
    a: &[T],
    stride: usize,
    x: &[T],
    step: usize,
    y: &mut [T],
) {
    if step != 1 {
        return with_scratch(k, |gathered: &mut [T]| {
            gathered.iter_mut().enumerate().for_each(|(i, gathered)| *gathered = x[i * step]);
            matrix_vector(kernels, k, a, stride, gathered, 1, y);
        });
    }
    let x = &x[..k];
    let rows = (TASK / k).next_multiple_of(LANES).max(LANES);
    parallel::chunks_mut(y, rows, |task, y| {
        let a = &a[task * rows * stride..];
        assert!((y.len() - 1) * stride + k <= a.len(), "gemm: the matrix ends before its last row");
        // SAFETY: the rows lie within `a`, x has k elements, and `kernels` is for a present instruction set.
        unsafe { (kernels.dots)(y.len(), k, a.as_ptr(), stride, x.as_ptr(), y.as_mut_ptr()) };
    });
}

/// `out[i] = dot(a[i], x)` for `rows` rows of length `k > 0` at distance `a_row`. N is the number of elements of a
/// vector, PARTS the number of vectors that make up 16 lanes.
///
/// # Safety
/// The pointers must be valid for the sizes, and the instruction set of V present.
#[inline(always)]
pub(super) unsafe fn dots<V: Simd, const N: usize, const PARTS: usize>(
    rows: usize,
    k: usize,
    a: *const V::T,
    a_row: usize,
    x: *const V::T,
    out: *mut V::T,
) {
    let whole = (k - 1) / LANES * LANES + 1;
    let zero = [V::T::ZERO; N];
    for first in (0..rows).step_by(N) {
        let count = N.min(rows - first);
        // Rows past the end repeat the last one; their sums are not stored.
        let row = |r: usize| a.wrapping_add((first + r.min(count - 1)) * a_row);
        // SAFETY: rows and vectors lie within the sizes for which the caller vouches.
        unsafe {
            let mut halves = [V::load(zero.as_ptr()); N];
            let mut sums = zero;
            for r in (0..N).step_by(ROWS) {
                let a: [*const V::T; ROWS] = std::array::from_fn(|i| row(r + i));
                let mut lanes = [[V::load(zero.as_ptr()); PARTS]; ROWS];
                for (lanes, a) in lanes.iter_mut().zip(a) {
                    lanes[0] = V::load_first(a, 1).mul_add(V::load_first(x, 1), lanes[0]);
                }
                for p in (1..whole).step_by(LANES) {
                    for part in 0..PARTS {
                        let at = p + part * N;
                        let x = V::load(x.add(at));
                        for (lanes, a) in lanes.iter_mut().zip(a) {
                            lanes[part] = V::load(a.add(at)).mul_add(x, lanes[part]);
                        }
                    }
                }
                if whole == 1 {
                    fuse_rest::<V, N, PARTS>(&mut lanes, a, x, 1, k);
                }
                (0..ROWS).for_each(|i| halves[r + i] = fold(lanes[i]));
            }
            halve::<V, N>(halves).store(sums.as_mut_ptr());
            if whole > 1 && whole < k {
                for r in (0..N).step_by(ROWS) {
                    let a: [*const V::T; ROWS] = std::array::from_fn(|i| row(r + i));
                    let mut lanes = [[V::load(zero.as_ptr()); PARTS]; ROWS];
                    (0..ROWS).for_each(|i| lanes[i][0] = V::load_first(&sums[r + i], 1));
                    fuse_rest::<V, N, PARTS>(&mut lanes, a, x, whole, k);
                    (0..ROWS).for_each(|i| halves[r + i] = fold(lanes[i]));
                }
                halve::<V, N>(halves).store(sums.as_mut_ptr());
            }
            std::ptr::copy_nonoverlapping(sums.as_ptr(), out.add(first), count);
        }
    }
}

/// Fuses the products from `start` to `end`, fewer than 16, into the lanes of each row.
#[inline(always)]
unsafe fn fuse_rest<V: Simd, const N: usize, const PARTS: usize>(
    lanes: &mut [[V; PARTS]; ROWS],
    a: [*const V::T; ROWS],
    x: *const V::T,
    start: usize,
    end: usize,
) {
    for part in 0..PARTS {
        let at = start + part * N;
        if at < end {
            let count = N.min(end - at);
            for (lanes, a) in lanes.iter_mut().zip(a) {
                // SAFETY: the elements lie within the rows and x, for which the caller vouches.
                unsafe {
                    let (a, x) = (V::load_first(a.add(at), count), V::load_first(x.add(at), count));
                    lanes[part] = a.mul_add(x, lanes[part]);
                }
            }
        }
    }
}

/// Halves 16 lanes until one vector is left.
#[inline(always)]
unsafe fn fold<V: Simd, const PARTS: usize>(mut lanes: [V; PARTS]) -> V {
    let mut parts = PARTS;
    while parts > 1 {
        parts /= 2;
        for i in 0..parts {
            // SAFETY: the caller has the instruction set.
            lanes[i] = unsafe { lanes[i].add(lanes[i + parts]) };
        }
    }
    lanes[0]
}

/// Halves each of N vectors down to one number; number i belongs to vector i. Interleaving two vectors puts the halves
/// of both where one addition adds them.
#[inline(always)]
unsafe fn halve<V: Simd, const N: usize>(mut vectors: [V; N]) -> V {
    let mut len = N;
    while len > 1 {
        len /= 2;
        for i in 0..len {
            // SAFETY: the caller has the instruction set.
            vectors[i] = unsafe {
                let (low, high) = vectors[i].interleave(vectors[i + len]);
                low.add(high)
            };
        }
    }
    vectors[0]
}
