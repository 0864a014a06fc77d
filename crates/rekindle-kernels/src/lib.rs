//! Numeric kernels of Rekindle: plain functions on slices that know nothing of tensors.
//!
//! This is the one crate in which `unsafe` is allowed (SIMD and the thread pool).
pub mod box_muller;
pub mod conv;
pub mod dispatch;
pub mod gemm;
pub mod limits;
pub mod map;
pub mod mt19937;
pub mod norm;
pub mod parallel;
pub mod pool2d;
pub mod prefetch;
pub mod real;
pub mod reduce;
pub mod scratch;
pub mod slab;
pub mod softmax;

/// A size that Miri, which interprets every step, can afford; elsewhere the size itself. With smaller tasks few numbers are
/// work for several threads there, too.
pub(crate) const fn for_miri(size: usize) -> usize {
    if cfg!(miri) { size.div_ceil(256) } else { size }
}

/// Whether a test of so many steps is not too much for Miri.
#[cfg(test)]
pub(crate) fn affordable(steps: usize) -> bool {
    !cfg!(miri) || steps <= 500
}

/// Numbers between `-bound` and `bound` that can be had again.
#[cfg(test)]
pub(crate) fn noise(len: usize, seed: u32, bound: f32) -> Vec<f32> {
    let mut state = u64::from(seed);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next() * bound).collect()
}
