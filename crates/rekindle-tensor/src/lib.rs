//! Tensors, reverse-mode autograd and the random streams of Rekindle.
//!
//! The words are PyTorch's, and so are the numbers: the same seed gives the same digits. Everything is a plain
//! value ([`Tensor`], [`DType`]); shape mistakes panic at the caller's line with both shapes and a hint.
//!
//! ```
//! use rekindle_tensor::tensor;
//! let x = tensor([[1.0, -2.0]]).requires_grad_(true);
//! let loss = x.relu().sum();
//! loss.backward();
//! assert_eq!(x.grad().unwrap().to_vec::<f32>(), [1.0, 0.0]);
//! ```

mod autograd;
mod create;
mod device;
pub mod display;
mod dtype;
pub mod gpu;
mod inplace;
mod layout;
mod op;
mod operand;
pub mod ops;
pub mod plan;
pub mod random;
mod random_tensors;
mod shape;
mod storage;
mod tensor;
pub mod testing;

pub use autograd::{enable_grad, grad_enabled, no_grad};
pub use create::{Literal, tensor};
pub use device::Device;
pub use dtype::{DType, Element, Scalar};
pub use op::{Context, Grads, Keeps, Meta, Op, Output, apply, check, fail};
pub use operand::Operand;
pub use ops::batch_norm::BatchNormOptions;
pub use ops::conv2d::ConvOptions;
pub use ops::max_pool2d::PoolOptions;
pub use ops::to::Target;
pub use rekindle_kernels::parallel::{num_threads, set_num_threads};
pub use shape::{Ints, Shape};
pub use smallvec::smallvec as grads;
pub use storage::Buffer;
pub use tensor::{Data, Tensor};
