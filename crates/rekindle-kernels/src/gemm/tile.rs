//! The microkernel: one tile of C, a few rows by one or two vectors, held in registers over an inner block.
use super::combine::{Combination, CombineFn, CopyStripFn, MOST_VECTORS, combine, copy_strip};
use super::dot;
use super::pack::Matrix;
use super::simd::{Portable, Simd};
use crate::dispatch::Isa;
use crate::prefetch::LINE;
use crate::real::Real;
use std::any::TypeId;

/// One call of the microkernel: `c = [c +] a b [+ bias]` for tiles of C below each other.
#[derive(Clone, Copy)]
pub(crate) struct Tile<T> {
    /// How many tiles.
    pub tiles: usize,
    /// Length of the inner range.
    pub k: usize,
    /// First element of the rows of A, the distances to the next row and column, and that to the next tile's.
    pub a: *const T,
    pub a_strides: (usize, usize),
    pub a_step: usize,
    /// For the gathering kernels instead: element (i, p) of A is at `a + a_offsets.0[i] + a_offsets.1[p]`, where i counts the
    /// rows of all tiles.
    pub a_offsets: (*const usize, *const usize),
    /// First element of the columns of B, which lie side by side, and the distance to the next row.
    pub b: *const T,
    pub b_stride: usize,
    /// First element of the tile of C, and the distance to the next row.
    pub c: *mut T,
    pub c_stride: usize,
    /// How many columns of the last vector exist: 1..=LANES.
    pub last: usize,
    /// Whole vectors may be written up to here, because what follows a row of C is written later; null if not.
    pub spill: *const T,
    /// Whether to add to what C holds.
    pub accumulate: bool,
    /// The bias of the first column, or null.
    pub bias: *const T,
}

/// # Safety
/// The instruction set must be present and the tile's pointers valid for the kernel's rows and columns.
pub(crate) type TileFn<T> = unsafe fn(&Tile<T>);

/// # Safety
/// The instruction set must be present and the pointers valid for the size.
type TransposeFn<T> = unsafe fn(usize, usize, *const T, usize, *mut T, usize);

/// # Safety
/// As for [`TransposeFn`].
type DotsFn<T> = unsafe fn(usize, usize, *const T, usize, *const T, *mut T);

/// The microkernels of one element type and instruction set.
pub(crate) struct Kernels<T: 'static> {
    /// Elements of a vector.
    pub lanes: usize,
    /// `tiles[rows - 1][vectors - 1]`, for 1 to the greatest number of rows and for 1 or 2 vectors.
    pub tiles: &'static [[TileFn<T>; 2]],
    /// The same for A given by `a_offsets`; the greatest number of rows may differ.
    pub gathering: &'static [[TileFn<T>; 2]],
    /// Copies a `[rows, cols]` matrix whose columns are contiguous to a row-major one: `(rows, cols, x, distance of
    /// its columns, out, distance of its rows)`.
    pub transpose: TransposeFn<T>,
    /// Dot products of the rows of a matrix with a vector, see [`dot::dots`].
    pub dots: DotsFn<T>,
    /// `combine[vectors - 1]`, see [`combine`].
    pub combine: [CombineFn<T>; MOST_VECTORS],
    /// See [`copy_strip`].
    pub copy_strip: CopyStripFn<T>,
}

impl<T: Real> Kernels<T> {
    /// The kernels for `T`, which is f32 or f64.
    pub fn get(isa: Isa) -> &'static Kernels<T> {
        let of = TypeId::of::<T>();
        if of == TypeId::of::<f32>() {
            // SAFETY: T is f32, so the types are the same.
            unsafe { std::mem::transmute::<&'static Kernels<f32>, &'static Kernels<T>>(for_f32(isa)) }
        } else {
            assert!(of == TypeId::of::<f64>(), "gemm: only f32 and f64 have kernels");
            // SAFETY: T is f64, so the types are the same.
            unsafe { std::mem::transmute::<&'static Kernels<f64>, &'static Kernels<T>>(for_f64(isa)) }
        }
    }

    /// The greatest number of rows of a tile.
    pub fn rows(&self) -> usize {
        self.tiles.len()
    }

    /// The greatest number of columns of a tile.
    pub fn cols(&self) -> usize {
        2 * self.lanes
    }
}

/// A by strides.
///
/// # Safety
/// As for [`TileFn`].
#[inline(always)]
unsafe fn strided<V: Simd, const ROWS: usize, const VECTORS: usize>(tile: &Tile<V::T>) {
    let (row, col) = tile.a_strides;
    for t in 0..tile.tiles {
        let a = tile.a.wrapping_add(t * tile.a_step);
        let element = |i: usize, p: usize| a.wrapping_add(i * row + p * col);
        // The lines that the next tile's rows have at these columns, unless they would meet in few sets of the L1 cache.
        let ahead = |p: usize| {
            // SAFETY: a prefetch of any address is allowed.
            (0..ROWS).for_each(|i| unsafe { V::prefetch(element(i, p).wrapping_add(tile.a_step)) });
        };
        let apart = !(row * size_of::<V::T>()).is_multiple_of(512);
        let ahead = (col == 1 && tile.tiles > 1 && apart).then_some(ahead);
        // SAFETY: the contract is the caller's.
        unsafe { run::<V, ROWS, VECTORS>(tile, t, element, ahead) }
    }
}

/// A by offsets.
///
/// # Safety
/// As for [`TileFn`].
#[inline(always)]
unsafe fn gathering<V: Simd, const ROWS: usize, const VECTORS: usize>(tile: &Tile<V::T>) {
    let (rows, cols) = tile.a_offsets;
    for t in 0..tile.tiles {
        // SAFETY: the contract is the caller's, which vouches for ROWS offsets a tile and `k` offsets.
        unsafe {
            let mut a = [tile.a; ROWS];
            (0..ROWS).for_each(|i| a[i] = tile.a.wrapping_add(*rows.add(t * ROWS + i)));
            run::<V, ROWS, VECTORS>(tile, t, |i, p| a[i].wrapping_add(*cols.add(p)), None::<fn(usize)>);
        }
    }
}

/// Tile `t`; `ahead` prefetches what the next one reads at some columns of A. One function, although it is long: with the last loop in
/// another, 384 x 784 x 32 ran at 79 GFLOP/s instead of 83.
#[inline(always)]
unsafe fn run<V: Simd, const ROWS: usize, const VECTORS: usize>(
    tile: &Tile<V::T>,
    t: usize,
    element: impl Fn(usize, usize) -> *const V::T,
    ahead: Option<impl Fn(usize)>,
) {
    let &Tile { k, mut b, b_stride, c_stride, last, spill, accumulate, bias, .. } = tile;
    let c = tile.c.wrapping_add(t * ROWS * c_stride);
    // SAFETY: the caller vouches for ROWS rows of A and C, k columns of A, k rows of B, and the columns up to `last`
    // of the last vector in B, C and the bias.
    unsafe {
        let load = |p: *const V::T, v: usize| match v + 1 == VECTORS {
            true => V::load_first(p.add(v * V::LANES), last),
            false => V::load(p.add(v * V::LANES)),
        };
        let mut acc = [[V::splat(V::T::ZERO); VECTORS]; ROWS];
        let line = LINE / size_of::<V::T>();
        for start in (0..k).step_by(line) {
            if let Some(ahead) = &ahead {
                ahead(start);
            }
            for p in start..k.min(start + line) {
                let b_row: [V; VECTORS] = std::array::from_fn(|v| load(b, v));
                for (i, acc) in acc.iter_mut().enumerate() {
                    let x = V::splat(*element(i, p));
                    for (acc, b) in acc.iter_mut().zip(b_row) {
                        *acc = x.mul_add(b, *acc);
                    }
                }
                // Where the rows of A lie side by side, this is the cache line that the next tile needs.
                V::prefetch(element(ROWS - 1, p).wrapping_byte_add(LINE));
                b = b.wrapping_add(b_stride);
            }
        }
        // Short loops one after the other: the compiler unrolls them, and the sums stay in registers.
        if accumulate {
            for (i, acc) in acc.iter_mut().enumerate() {
                (0..VECTORS).for_each(|v| acc[v] = load(c.add(i * c_stride), v).add(acc[v]));
            }
        } else {
            // No -0 from an underflow: a sum that skips zeros would keep it, and this one might not. See `sparse`.
            for acc in acc.iter_mut() {
                (0..VECTORS).for_each(|v| acc[v] = acc[v].add(V::splat(V::T::ZERO)));
            }
        }
        if !bias.is_null() {
            for v in 0..VECTORS {
                let bias = load(bias, v);
                acc.iter_mut().for_each(|acc| acc[v] = acc[v].add(bias));
            }
        }
        let whole = last == V::LANES
            || c.wrapping_add((ROWS - 1) * c_stride + VECTORS * V::LANES).cast_const() <= spill;
        for (i, acc) in acc.iter().enumerate() {
            let c = c.add(i * c_stride);
            (0..VECTORS - 1).for_each(|v| acc[v].store(c.add(v * V::LANES)));
            let c = c.add((VECTORS - 1) * V::LANES);
            match whole {
                true => acc[VECTORS - 1].store(c),
                false => acc[VECTORS - 1].store_first(c, last),
            }
        }
    }
}

/// Copies a matrix across, in squares of N by N, where N is the number of lanes.
#[inline(always)]
unsafe fn transpose<V: Simd, const N: usize>(
    rows: usize,
    cols: usize,
    x: *const V::T,
    x_col: usize,
    out: *mut V::T,
    out_row: usize,
) {
    for i in (0..rows).step_by(N) {
        for j in (0..cols).step_by(N) {
            let (rows, cols) = (N.min(rows - i), N.min(cols - j));
            let (x, out) = (x.wrapping_add(j * x_col + i), out.wrapping_add(i * out_row + j));
            // SAFETY: the caller vouches for the size; only the rows and columns that exist are accessed.
            unsafe {
                let mut square = [V::splat(V::T::ZERO); N];
                if rows == N && cols == N {
                    (0..N).for_each(|c| square[c] = V::load(x.add(c * x_col)));
                    let square = turn(square);
                    (0..N).for_each(|r| square[r].store(out.add(r * out_row)));
                } else {
                    (0..cols).for_each(|c| square[c] = V::load_first(x.add(c * x_col), rows));
                    let square = turn(square);
                    (0..rows).for_each(|r| square[r].store_first(out.add(r * out_row), cols));
                }
            }
        }
    }
}

/// A square of N by N across. Interleaving the first half of the vectors with the second moves the index of the vector
/// into the index of the lane, one bit each time.
#[inline(always)]
unsafe fn turn<V: Simd, const N: usize>(mut square: [V; N]) -> [V; N] {
    for _ in 0..N.ilog2() {
        let before = square;
        for c in 0..N / 2 {
            // SAFETY: the caller has the instruction set.
            (square[2 * c], square[2 * c + 1]) = unsafe { before[c].interleave(before[c + N / 2]) };
        }
    }
    square
}

/// Compiles the microkernels for one vector type, for each number of rows and vectors.
macro_rules! kernels {
    ($name:ident, $t:ty, $vector:ty, $(#[$feature:meta])? [$($rows:literal)*], gathering [$($gathered:literal)*]) => {
        static $name: Kernels<$t> = {
            $(#[$feature])?
            unsafe fn tile<const ROWS: usize, const VECTORS: usize>(tile: &Tile<$t>) {
                // SAFETY: the contract is the caller's.
                unsafe { strided::<$vector, ROWS, VECTORS>(tile) }
            }
            $(#[$feature])?
            unsafe fn gather<const ROWS: usize, const VECTORS: usize>(tile: &Tile<$t>) {
                // SAFETY: the contract is the caller's.
                unsafe { gathering::<$vector, ROWS, VECTORS>(tile) }
            }
            $(#[$feature])?
            unsafe fn transposing(rows: usize, cols: usize, x: *const $t, x_col: usize, out: *mut $t, out_row: usize) {
                // SAFETY: the contract is the caller's.
                unsafe { transpose::<$vector, { <$vector>::LANES }>(rows, cols, x, x_col, out, out_row) }
            }
            $(#[$feature])?
            unsafe fn dotting(rows: usize, k: usize, a: *const $t, a_row: usize, x: *const $t, out: *mut $t) {
                // SAFETY: the contract is the caller's.
                unsafe { dot::dots::<$vector, { <$vector>::LANES }, { 16 / <$vector>::LANES }>(rows, k, a, a_row, x, out) }
            }
            $(#[$feature])?
            unsafe fn combining<const VECTORS: usize>(row: &Combination<'_, $t>) {
                // SAFETY: the contract is the caller's.
                unsafe { combine::<$vector, VECTORS>(row) }
            }
            $(#[$feature])?
            unsafe fn copying(b: Matrix<$t>, rows: usize, cols: usize, out: *mut $t) {
                // SAFETY: the contract is the caller's.
                unsafe { copy_strip::<$vector>(b, rows, cols, out) }
            }
            Kernels {
                copy_strip: copying,
                transpose: transposing,
                dots: dotting,
                lanes: <$vector>::LANES,
                tiles: &[$([tile::<$rows, 1>, tile::<$rows, 2>]),*],
                gathering: &[$([gather::<$gathered, 1>, gather::<$gathered, 2>]),*],
                combine: [
                    combining::<1>, combining::<2>, combining::<3>, combining::<4>, combining::<5>, combining::<6>,
                    combining::<7>, combining::<8>, combining::<9>, combining::<10>, combining::<11>, combining::<12>,
                ],
            }
        };
    };
}

kernels!(PORTABLE_F32, f32, Portable<f32>, [1 2 3 4 5 6], gathering [1 2 3 4 5 6]);
kernels!(PORTABLE_F64, f64, Portable<f64>, [1 2 3 4 5 6], gathering [1 2 3 4 5 6]);

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::*;
    use std::arch::x86_64::{__m256, __m256d, __m512, __m512d};

    kernels!(AVX512_F32, f32, __m512, #[target_feature(enable = "avx512f")] [1 2 3 4 5 6 7 8 9 10 11 12 13 14], gathering [1 2 3 4 5 6 7 8]);
    kernels!(AVX512_F64, f64, __m512d, #[target_feature(enable = "avx512f")] [1 2 3 4 5 6 7 8 9 10 11 12 13 14], gathering [1 2 3 4 5 6 7 8]);
    kernels!(AVX2_F32, f32, __m256, #[target_feature(enable = "avx2,fma")] [1 2 3 4 5 6], gathering [1 2 3 4 5 6]);
    kernels!(AVX2_F64, f64, __m256d, #[target_feature(enable = "avx2,fma")] [1 2 3 4 5 6], gathering [1 2 3 4 5 6]);

    pub(super) fn for_f32(isa: Isa) -> &'static Kernels<f32> {
        match isa {
            Isa::Avx512 => &AVX512_F32,
            Isa::Avx2 => &AVX2_F32,
            Isa::Portable => &PORTABLE_F32,
        }
    }

    pub(super) fn for_f64(isa: Isa) -> &'static Kernels<f64> {
        match isa {
            Isa::Avx512 => &AVX512_F64,
            Isa::Avx2 => &AVX2_F64,
            Isa::Portable => &PORTABLE_F64,
        }
    }
}
#[cfg(target_arch = "x86_64")]
use x86::{for_f32, for_f64};

#[cfg(not(target_arch = "x86_64"))]
fn for_f32(_: Isa) -> &'static Kernels<f32> {
    &PORTABLE_F32
}

#[cfg(not(target_arch = "x86_64"))]
fn for_f64(_: Isa) -> &'static Kernels<f64> {
    &PORTABLE_F64
}
