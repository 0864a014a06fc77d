//! Networks of Rekindle: modules, layers, losses, optimisers and schedulers, in PyTorch's words and numbers.
//!
//! ```
//! use rekindle_nn::optim::{Optimizer, SGD};
//! use rekindle_nn::{sequential, Linear, Module, Parameters, ReLU};
//! use rekindle_tensor::Tensor;
//!
//! let net = sequential![Linear::new(2, 10), ReLU, Linear::new(10, 1)];
//! let mut optimizer = SGD::new(net.parameters(), 0.1);
//! let (x, y) = (Tensor::ones([8, 2]), Tensor::zeros([8, 1]));
//! for _ in 0..3 {
//!     let error = net.forward(&x) - &y;
//!     let loss = (&error * &error).sum();
//!     optimizer.zero_grad();
//!     loss.backward();
//!     optimizer.step();
//! }
//! ```

// The derive names this crate from outside.
extern crate self as rekindle_nn;

mod captured;
mod draws;
mod file;
pub mod functional;
pub mod init;
mod layers;
pub mod loss;
mod module;
mod observe;
pub mod onnx;
pub mod optim;
mod sequential;
mod size;
mod state_dict;
mod summary;
mod text;
mod visit;

pub use captured::{Captured, FromTensors};
pub use file::{FileError, Replacement, replace_file, sync_directory};
#[doc(hidden)]
pub use layers::samples::{Sample, samples};
pub use layers::*;
pub use loss::*;
pub use module::{IncompatibleKeys, Module, Parameters};
pub use observe::observe;
pub use rekindle_derive::Parameters;
pub use sequential::Sequential;
pub use size::Size;
pub use state_dict::{StateDict, StateDictError};
pub use summary::{Row, Summary, summary, summary_of};
pub use text::module_text;
pub use visit::{Buffer, Entry, Field, Mode, Visitor, parameter};
