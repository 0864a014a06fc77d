//! The microkernel of products that skip zeros: a row of C from some rows of B, which a list names. See `sparse`.
use super::pack::Matrix;
use super::simd::Simd;
use crate::prefetch::{self, LINE};
use crate::real::Real;

/// Vectors of a row of C that stay in registers.
pub(crate) const MOST_VECTORS: usize = 12;

/// A call of the kernel: `c = [c +] (start + the sum of factors * b[at..])`.
pub(crate) struct Combination<'a, T> {
    /// What is not zero, and where the numbers of B are that it multiplies.
    pub factors: &'a [T],
    pub at: &'a [u32],
    /// Where those numbers would be if `at` were 0, and the distance for each 1 more.
    pub b: *const T,
    pub step: usize,
    /// Sums to go on with, or null.
    pub start: *const T,
    pub c: *mut T,
    /// How many columns of the last vector exist in C: 1..=LANES. B and `start` have whole vectors.
    pub last: usize,
    pub accumulate: bool,
}

/// # Safety
/// The instruction set must be present, and the pointers valid for the kernel's vectors.
pub(crate) type CombineFn<T> = unsafe fn(&Combination<'_, T>);

/// # Safety
/// The instruction set must be present, and the pointers valid for the size.
pub(crate) type CopyStripFn<T> = unsafe fn(Matrix<T>, usize, usize, *mut T);

/// # Safety
/// As for [`CombineFn`].
#[inline(always)]
pub(crate) unsafe fn combine<V: Simd, const VECTORS: usize>(row: &Combination<'_, V::T>) {
    let &Combination { factors, at, b, step, start, c, last, accumulate } = row;
    // SAFETY: the contract is the caller's.
    unsafe {
        let mut acc = [V::splat(V::T::ZERO); VECTORS];
        if !start.is_null() {
            (0..VECTORS).for_each(|v| acc[v] = V::load(start.add(v * V::LANES)));
        }
        for (factor, at) in factors.iter().zip(at) {
            let factor = V::splat(*factor);
            let b = b.add(*at as usize * step);
            (0..VECTORS).for_each(|v| acc[v] = factor.mul_add(V::load(b.add(v * V::LANES)), acc[v]));
        }
        let end = c.add((VECTORS - 1) * V::LANES);
        if accumulate {
            (0..VECTORS - 1).for_each(|v| acc[v] = V::load(c.add(v * V::LANES)).add(acc[v]));
            acc[VECTORS - 1] = V::load_first(end, last).add(acc[VECTORS - 1]);
        } else {
            acc.iter_mut().for_each(|acc| *acc = acc.add(V::splat(V::T::ZERO)));
        }
        (0..VECTORS - 1).for_each(|v| acc[v].store(c.add(v * V::LANES)));
        match last == V::LANES {
            true => acc[VECTORS - 1].store(end),
            false => acc[VECTORS - 1].store_first(end, last),
        }
    }
}

/// Rows that are asked for before they are copied.
const AHEAD: usize = 12;

/// Copies `[rows, cols]` of a matrix with contiguous rows to whole vectors side by side; columns past `cols` are 0.
///
/// # Safety
/// The instruction set must be present, and both must be valid for the size.
#[inline(always)]
pub(crate) unsafe fn copy_strip<V: Simd>(b: Matrix<V::T>, rows: usize, cols: usize, mut out: *mut V::T) {
    let (whole, rest) = (cols / V::LANES, cols % V::LANES);
    for p in 0..rows {
        let row = b.from(p, 0).start;
        ask_for(b.from(p + AHEAD, 0), cols);
        // SAFETY: the contract is the caller's.
        unsafe {
            for v in 0..whole {
                V::load(row.add(v * V::LANES)).store(out);
                out = out.add(V::LANES);
            }
            if rest > 0 {
                V::load_first(row.add(whole * V::LANES), rest).store(out);
                out = out.add(V::LANES);
            }
        }
    }
}

/// Asks for the memory of a row.
pub(crate) fn ask_for<T: Real>(row: Matrix<T>, cols: usize) {
    (0..cols).step_by(LINE / size_of::<T>()).for_each(|j| prefetch::line(row.from(0, j).start));
}
