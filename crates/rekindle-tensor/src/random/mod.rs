//! Random numbers: PyTorch's streams and NumPy's legacy stream, bit for bit.
//!
//! [`Generator`] is the source; its methods fill slices in memory order ([`uniform`](Generator::uniform),
//! [`normal`](Generator::normal), [`randint`](Generator::randint), [`randperm`](Generator::randperm), ..).
//! One default generator serves the whole program, seeded by [`manual_seed`]. [`init`] holds the weight
//! initialisers, [`dropout`] the masks, [`numpy`] the stream of `np.random.seed`.
//!
//! Nothing here runs on more than one thread, so no number depends on how many there are.

mod continuous;
mod cuda;
mod default;
mod discrete;
pub mod dropout;
mod element;
mod generator;
pub mod init;
pub mod numpy;
mod perm;
mod philox;

pub use cuda::{CUDA_THREADS, CudaDraw, CudaLayout};
pub use default::{initial_seed, manual_seed, with_default, with_generator};
pub use element::{Float, Number};
pub use generator::{Generator, Seed, StateError};
pub use philox::philox4x32_10;
