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
