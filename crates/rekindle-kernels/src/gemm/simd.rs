//! The few vector operations that matrix products need, one implementation per instruction set.
//!
//! Kernels are written once over [`Simd`] and compiled inside functions that enable the instruction set, so the
//! methods here are always inlined there.
use crate::real::Real;

/// A vector of `LANES` numbers.
///
/// # Safety
/// Every method needs the instruction set of the implementation; pointers must be valid for the elements named.
pub(crate) trait Simd: Copy {
    type T: Real;
    const LANES: usize;

    unsafe fn splat(x: Self::T) -> Self;
    unsafe fn load(p: *const Self::T) -> Self;
    /// Reads `n` in 1..=LANES elements; the others are 0.
    unsafe fn load_first(p: *const Self::T, n: usize) -> Self;
    unsafe fn store(self, p: *mut Self::T);
    /// Writes the first `n` in 1..=LANES elements.
    unsafe fn store_first(self, p: *mut Self::T, n: usize);
    unsafe fn add(self, other: Self) -> Self;
    /// `self * a + b`, rounded once.
    unsafe fn mul_add(self, a: Self, b: Self) -> Self;
    /// The elements of both in turn: `[a0 b0 a1 b1 ..]`, cut into two vectors.
    unsafe fn interleave(self, other: Self) -> (Self, Self);
    /// Asks for the cache line of `p`, which may be any address.
    #[inline(always)]
    unsafe fn prefetch(_p: *const Self::T) {}
}

/// Vectors as arrays: correct everywhere, and fast where the target itself promises fused multiply-add.
#[derive(Clone, Copy)]
pub(crate) struct Portable<T>([T; 8]);

impl<T: Real> Simd for Portable<T> {
    type T = T;
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn splat(x: T) -> Self {
        Portable([x; 8])
    }
    #[inline(always)]
    unsafe fn load(p: *const T) -> Self {
        // SAFETY: the caller vouches for 8 elements.
        Portable(unsafe { p.cast::<[T; 8]>().read() })
    }
    #[inline(always)]
    unsafe fn load_first(p: *const T, n: usize) -> Self {
        // SAFETY: the caller vouches for n elements.
        Portable(std::array::from_fn(|i| if i < n { unsafe { p.add(i).read() } } else { T::ZERO }))
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut T) {
        // SAFETY: the caller vouches for 8 elements.
        unsafe { p.cast::<[T; 8]>().write(self.0) }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut T, n: usize) {
        for i in 0..n {
            // SAFETY: the caller vouches for n elements.
            unsafe { p.add(i).write(self.0[i]) }
        }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Portable(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }
    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        Portable(std::array::from_fn(|i| self.0[i].mul_add(a.0[i], b.0[i])))
    }
    #[inline(always)]
    unsafe fn interleave(self, other: Self) -> (Self, Self) {
        let element = |i: usize| [self.0, other.0][i % 2][i / 2];
        (Portable(std::array::from_fn(element)), Portable(std::array::from_fn(|i| element(i + 8))))
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) mod x86 {
    use super::Simd;
    use std::arch::x86_64::*;

    /// Eight ones, then eight zeros: the mask of `n` lanes starts `n` before the middle.
    static MASKS_32: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
    static MASKS_64: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];

    /// Writes the first `n` in 1..=8 elements, in halves: masked stores of AVX2 take some processors twenty times as long as plain ones.
    #[inline(always)]
    unsafe fn store_first_ps(p: *mut f32, n: usize, v: __m256) {
        // SAFETY: the caller has AVX2 and vouches for n elements.
        unsafe {
            if n == 8 {
                return _mm256_storeu_ps(p, v);
            }
            let (mut p, mut v, mut part) = (p, v, _mm256_castps256_ps128(v));
            if n & 4 != 0 {
                _mm_storeu_ps(p, part);
                (p, v) = (p.add(4), _mm256_permute2f128_ps::<0x11>(v, v));
                part = _mm256_castps256_ps128(v);
            }
            if n & 2 != 0 {
                _mm_storel_epi64(p.cast(), _mm_castps_si128(part));
                (p, part) = (p.add(2), _mm_movehl_ps(part, part));
            }
            if n & 1 != 0 {
                _mm_store_ss(p, part);
            }
        }
    }

    /// [`store_first_ps`] for 1..=4 elements.
    #[inline(always)]
    unsafe fn store_first_pd(p: *mut f64, n: usize, v: __m256d) {
        // SAFETY: the caller has AVX2 and vouches for n elements.
        unsafe {
            if n == 4 {
                return _mm256_storeu_pd(p, v);
            }
            let (mut p, mut part) = (p, _mm256_castpd256_pd128(v));
            if n & 2 != 0 {
                _mm_storeu_pd(p, part);
                (p, part) = (p.add(2), _mm256_extractf128_pd::<1>(v));
            }
            if n & 1 != 0 {
                _mm_store_sd(p, part);
            }
        }
    }

    macro_rules! simd {
        ($vector:ty, $t:ty, $lanes:literal, $splat:ident, $load:ident, $store:ident, $add:ident, $fmadd:ident,
         first: |$n:ident| $mask:expr, $load_first:expr, $store_first:expr,
         interleave: $interleave:expr) => {
            impl Simd for $vector {
                type T = $t;
                const LANES: usize = $lanes;

                #[inline(always)]
                unsafe fn splat(x: $t) -> Self {
                    // SAFETY: the caller has the instruction set.
                    unsafe { $splat(x) }
                }
                #[inline(always)]
                unsafe fn load(p: *const $t) -> Self {
                    // SAFETY: the caller has the instruction set and vouches for the elements.
                    unsafe { $load(p) }
                }
                #[inline(always)]
                unsafe fn load_first(p: *const $t, $n: usize) -> Self {
                    debug_assert!((1..=$lanes).contains(&$n));
                    // SAFETY: as for `load`; lanes outside the mask are not accessed.
                    unsafe { $load_first(p, $mask) }
                }
                #[inline(always)]
                unsafe fn store(self, p: *mut $t) {
                    // SAFETY: the caller has the instruction set and vouches for the elements.
                    unsafe { $store(p, self) }
                }
                #[inline(always)]
                unsafe fn store_first(self, p: *mut $t, $n: usize) {
                    debug_assert!((1..=$lanes).contains(&$n));
                    // SAFETY: as for `store`; lanes outside the mask are not accessed.
                    unsafe { $store_first(p, $mask, self) }
                }
                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    // SAFETY: the caller has the instruction set.
                    unsafe { $add(self, other) }
                }
                #[inline(always)]
                unsafe fn mul_add(self, a: Self, b: Self) -> Self {
                    // SAFETY: the caller has the instruction set.
                    unsafe { $fmadd(self, a, b) }
                }
                #[inline(always)]
                unsafe fn interleave(self, other: Self) -> (Self, Self) {
                    // SAFETY: the caller has the instruction set.
                    unsafe { $interleave(self, other) }
                }
                #[inline(always)]
                unsafe fn prefetch(p: *const $t) {
                    // SAFETY: a prefetch of any address is allowed.
                    unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
                }
            }
        };
    }

    simd!(__m512, f32, 16, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps, _mm512_fmadd_ps,
    first: |n| (0xffff_u32 >> (16 - n)) as u16, |p, mask| _mm512_maskz_loadu_ps(mask, p), _mm512_mask_storeu_ps,
    interleave: |a, b| {
        let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        let high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        (_mm512_permutex2var_ps(a, low, b), _mm512_permutex2var_ps(a, high, b))
    });
    simd!(__m512d, f64, 8, _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_add_pd, _mm512_fmadd_pd,
    first: |n| (0xff_u32 >> (8 - n)) as u8, |p, mask| _mm512_maskz_loadu_pd(mask, p), _mm512_mask_storeu_pd,
    interleave: |a, b| {
        let low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
        let high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
        (_mm512_permutex2var_pd(a, low, b), _mm512_permutex2var_pd(a, high, b))
    });
    simd!(__m256, f32, 8, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_fmadd_ps,
    first: |n| _mm256_loadu_si256(MASKS_32.as_ptr().add(8 - n).cast()), _mm256_maskload_ps, |p, _, v| store_first_ps(p, n, v),
    interleave: |a, b| {
        let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        (_mm256_permute2f128_ps::<0x20>(low, high), _mm256_permute2f128_ps::<0x31>(low, high))
    });
    simd!(__m256d, f64, 4, _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_add_pd, _mm256_fmadd_pd,
    first: |n| _mm256_loadu_si256(MASKS_64.as_ptr().add(4 - n).cast()), _mm256_maskload_pd, |p, _, v| store_first_pd(p, n, v),
    interleave: |a, b| {
        let (low, high) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
        (_mm256_permute2f128_pd::<0x20>(low, high), _mm256_permute2f128_pd::<0x31>(low, high))
    });
}
