//! Products whose left matrix is mostly zeros, as the gradients behind ReLU, dropout and pooling are: what is zero is skipped.
//!
//! `acc = fma(0, b, acc)` changes no bit of `acc` while `b` is finite, but the sign of a sum that has underflowed to -0, and all
//! products of two matrices end with `acc + 0` for that reason: so the chains are those of `gemm` without their empty links. Each row of A becomes a
//! list of its other elements; a row of C is then as many vectors as there are registers, and each element of the list adds its
//! multiple of a row of B, which stays in the L1 cache for all rows of A.
use super::combine::{Combination, MOST_VECTORS, ask_for};
use super::tile::Kernels;
use super::{check, gemm, inner_blocks};
use crate::dispatch::{self, multiversion};
use crate::gemm::pack::Matrix;
use crate::gemm::product::{Target, even_rows};
use crate::parallel;
use crate::prefetch::LINE;
use crate::real::Real;
use crate::scratch::with_scratch;
use std::ops::Range;
use std::ptr::null;

/// Numbers of B that are to stay in the L1 cache, and those of the unfinished sums of C beside it.
const B_NUMBERS: usize = 5 * 1024;
const C_ROWS: usize = 32;
/// Rows of A whose lists are to stay in the L2 cache.
const MOST_ROWS: usize = 512;
/// Products of numbers that are not zero from which on other threads are asked to help.
const TASKS: usize = crate::for_miri(512 * 1024);
/// Skipping pays if at most this share of A is not zero, for many rows; few rows wait for B in a dense product, and here it comes ahead.
const DENSITY: f64 = 0.6;
const DENSITY_OF_FEW: f64 = 0.85;
/// How many rows are few.
const FEW: usize = 64;
/// Products below which a dense one costs less than the lists.
const SMALL: usize = crate::for_miri(64 * 1024);

/// [`gemm`] without a bias, for `a` with many zeros and `b` whose rows are contiguous; where these are too few to be worth it, it is
/// [`gemm`]. `b_is_finite` is asked only where zeros would be skipped, and must say whether all of `b` is: 0 times infinity is not 0.
///
/// # Panics
/// If a slice is too short for its matrix.
///
/// ```
/// use rekindle_kernels::gemm::gemm_skipping_zeros;
/// let mut c = [0.0; 4];
/// gemm_skipping_zeros(2, 2, 2, &[1.0_f32, 0.0, 0.0, 2.0], (2, 1), &[1.0, 2.0, 3.0, 4.0], &mut c, || true);
/// assert_eq!(c, [1.0, 2.0, 6.0, 8.0]);
/// ```
#[track_caller]
#[allow(clippy::too_many_arguments)]
pub fn gemm_skipping_zeros<T: Real>(
    m: usize,
    n: usize,
    k: usize,
    a: &[T],
    a_strides: (usize, usize),
    b: &[T],
    c: &mut [T],
    b_is_finite: impl FnOnce() -> bool,
) {
    check((m, n, k), (a.len(), a_strides), (b.len(), (n, 1)), c.len());
    let kernels = Kernels::<T>::get(dispatch::isa());
    // Products with vectors have their own order, see `dot`.
    let pays = m > 1
        && n >= 2 * kernels.cols()
        && m * n * k >= SMALL
        && a.len() == m * k
        && u32::try_from(k).is_ok();
    let share = if m <= FEW { DENSITY_OF_FEW } else { DENSITY };
    if !pays || count_nonzero(a) as f64 > share * a.len() as f64 || !b_is_finite() {
        return gemm(m, n, k, a, a_strides, b, (n, 1), c, None);
    }
    let product = Skipping { kernels, n, a: Matrix::new(a, a_strides), b: Matrix::new(b, (n, 1)) };
    let c = Target { start: c.as_mut_ptr(), row: n };
    for rows in even_rows(0..m, MOST_ROWS) {
        for block in inner_blocks(k) {
            // SAFETY: the extents have been checked.
            unsafe { product.block(rows.clone(), block, c) };
        }
    }
}

multiversion! {
    /// How many elements are not 0.
    pub(crate) fn count_nonzero[T: Real](x: &[T]) -> usize {
        const BLOCK: usize = 8192;
        let block = |x: &[T]| x.iter().map(|x| u32::from(*x != T::ZERO)).sum::<u32>() as usize;
        x.chunks(BLOCK).map(block).sum()
    }
}

struct Skipping<T: 'static> {
    kernels: &'static Kernels<T>,
    n: usize,
    a: Matrix<T>,
    b: Matrix<T>,
}

// SAFETY: tasks only read A and B.
unsafe impl<T: Send + Sync> Sync for Skipping<T> {}

/// The elements of some rows that are not zero.
pub(crate) struct Lists<'a, T> {
    /// `room` for each row, of which the first ones count: factors, and where the numbers are that they multiply.
    factors: &'a [T],
    at: &'a [u32],
    room: usize,
    k: usize,
    /// Elements whose rows of B stay in the L1 cache, and for each row of A where the entries end that are in the first of such pieces, in two, ..
    piece: usize,
    ends: &'a [u32],
}

impl<T: Real> Skipping<T> {
    /// Adds the inner block `depth` to some rows of C.
    ///
    /// # Safety
    /// The matrices must be valid for the rows and the block.
    unsafe fn block(&self, rows: Range<usize>, depth: Range<usize>, c: Target<T>) {
        let (m, k, lanes) = (rows.len(), depth.len(), self.kernels.lanes);
        let vectors = self.n.div_ceil(lanes);
        let strips = vectors.div_ceil(MOST_VECTORS).next_multiple_of(parallel::num_threads()).min(vectors);
        let listed = Listed {
            rows: m,
            k,
            piece: (B_NUMBERS / (vectors.div_ceil(strips) * lanes)).max(1),
            // SAFETY: the rows and the block lie within A.
            element: |i, p| unsafe { *self.a.from(rows.start + i, depth.start + p).start },
            at: |p| p,
        };
        let cols = |i: usize| vectors * i / strips * lanes..self.n.min(vectors * (i + 1) / strips * lanes);
        listed.with(|lists| {
            // SAFETY: strips are different columns of C.
            let strip = |i| unsafe { self.strip(lists, depth.clone(), cols(i), c.from(rows.start, 0), m) };
            match lists.count() * self.n {
                0..TASKS => (0..strips).for_each(strip),
                _ => parallel::for_each_task(strips, strip),
            }
        });
    }

    /// Some columns of `m` rows of C.
    ///
    /// # Safety
    /// As for `block`; nobody else may use these columns.
    unsafe fn strip(
        &self,
        lists: &Lists<'_, T>,
        depth: Range<usize>,
        cols: Range<usize>,
        c: Target<T>,
        m: usize,
    ) {
        let &Skipping { kernels, b, .. } = self;
        let vectors = cols.len().div_ceil(kernels.lanes);
        let width = vectors * kernels.lanes;
        let last = cols.len() - (vectors - 1) * kernels.lanes;
        let pieces = lists.pieces();
        let b = b.from(depth.start, cols.start);
        with_scratch(lists.k * width + C_ROWS * width, |scratch: &mut [T]| {
            let (strip, sums) = scratch.split_at_mut(lists.k * width);
            // SAFETY: the caller vouches for the columns of B, and the strip has room for them.
            unsafe { (kernels.copy_strip)(b, lists.k, cols.len(), strip.as_mut_ptr()) };
            for rows in even_rows(0..m, C_ROWS) {
                for j in 0..pieces {
                    let (first, done) = (j == 0, j + 1 == pieces);
                    for (i, sums) in rows.clone().zip(sums.chunks_exact_mut(width)) {
                        if rows.start == 0 {
                            // While this strip is worked on, the next one comes nearer.
                            lists.share(j, i, rows.len()).for_each(|p| ask_for(b.from(p, width), width));
                        }
                        let ((factors, at), sums) = (lists.get(i, j), sums.as_mut_ptr());
                        let row = Combination {
                            factors,
                            at,
                            b: strip.as_ptr(),
                            step: width,
                            start: if first { null() } else { sums },
                            c: if done { c.from(i, cols.start).start } else { sums },
                            last: if done { last } else { kernels.lanes },
                            accumulate: done && depth.start > 0,
                        };
                        // SAFETY: every `at` is below k; the sums and the row of C have the columns.
                        unsafe { (kernels.combine[vectors - 1])(&row) };
                    }
                }
            }
        });
    }
}

impl<T> Lists<'_, T> {
    pub fn pieces(&self) -> usize {
        self.k.div_ceil(self.piece)
    }

    /// All entries.
    fn count(&self) -> usize {
        self.ends.chunks_exact(self.pieces()).filter_map(|ends| ends.last()).map(|&end| end as usize).sum()
    }

    /// The entries of row `i` in piece `j`.
    pub fn get(&self, i: usize, j: usize) -> (&[T], &[u32]) {
        let ends = &self.ends[i * self.pieces()..][..=j];
        let first = if j == 0 { 0 } else { ends[j - 1] as usize };
        let range = i * self.room + first..i * self.room + ends[j] as usize;
        (&self.factors[range.clone()], &self.at[range])
    }

    /// The `i`th of `n` shares of the rows of B in piece `j`.
    fn share(&self, j: usize, i: usize, n: usize) -> Range<usize> {
        let (start, len) = (j * self.piece, self.piece.min(self.k - j * self.piece));
        start + len * i / n..start + len * (i + 1) / n
    }
}

/// Where the elements of lists come from: `rows` rows of `k` numbers.
pub(crate) struct Listed<E, A> {
    pub rows: usize,
    pub k: usize,
    /// See [`Lists`].
    pub piece: usize,
    /// Element `p` of row `i`, and where its numbers of B are.
    pub element: E,
    pub at: A,
}

impl<E, A> Listed<E, A> {
    /// Calls `f` with the lists.
    pub fn with<T: Real, R>(&self, f: impl FnOnce(&Lists<'_, T>) -> R) -> R
    where
        E: Fn(usize, usize) -> T,
        A: Fn(usize) -> usize,
    {
        let &Listed { rows, k, piece, .. } = self;
        let pieces = k.div_ceil(piece);
        // An odd number of cache lines, so that lists that grow beside each other do not meet in few sets of the L1 cache.
        let line = LINE / size_of::<u32>();
        let room = (k.div_ceil(line) | 1) * line;
        with_scratch(rows * room, |factors| {
            with_scratch(rows * room, |at| {
                with_scratch(rows * pieces, |ends| {
                    let groups = factors.chunks_mut(C_ROWS * room).zip(at.chunks_mut(C_ROWS * room));
                    let groups = groups.zip(ends.chunks_mut(C_ROWS * pieces)).enumerate();
                    groups.for_each(|(g, ((factors, at), ends))| {
                        self.group(g * C_ROWS, room, factors, at, ends)
                    });
                    f(&Lists { factors, at, room, k, piece, ends })
                })
            })
        })
    }

    /// The lists of some rows, with `room` entries for each.
    fn group<T: Real>(
        &self,
        first: usize,
        room: usize,
        factors: &mut [T],
        places: &mut [u32],
        ends: &mut [u32],
    ) where
        E: Fn(usize, usize) -> T,
        A: Fn(usize) -> usize,
    {
        let Listed { k, piece, element, at, .. } = self;
        let pieces = k.div_ceil(*piece);
        let mut lens = [0; C_ROWS];
        for (j, columns) in (0..*k).step_by(*piece).map(|p| p..*k.min(&(p + piece))).enumerate() {
            let rows = factors.chunks_exact_mut(room).zip(places.chunks_exact_mut(room));
            for (i, ((factors, places), len)) in rows.zip(&mut lens).enumerate() {
                let mut n = *len;
                for p in columns.clone() {
                    let factor = element(first + i, p);
                    debug_assert!(n < factors.len());
                    // SAFETY: there is room for all elements of the row, of which each is written at most once. What is zero is
                    // written over by the next one, without a branch.
                    unsafe {
                        *factors.get_unchecked_mut(n) = factor;
                        *places.get_unchecked_mut(n) = at(p) as u32;
                    }
                    n += usize::from(factor != T::ZERO);
                }
                *len = n;
            }
            ends.chunks_exact_mut(pieces).zip(&lens).for_each(|(ends, len)| ends[j] = *len as u32);
        }
    }
}
