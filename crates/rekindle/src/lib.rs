//! Rekindle trains and judges neural-network classifiers. It speaks PyTorch's words and prints PyTorch's numbers:
//! the same seed gives the same initial weights, dropout masks, shuffles and updates as `torch` on a CPU.
//!
//! The four steps of training, by hand:
//!
//! ```
//! use rekindle::prelude::*;
//!
//! let (x, y) = data::synthetic::make_circles(1000, 0.03, 42).tensors();
//! let (x, y) = (x.float(), y.float().unsqueeze(1));
//!
//! manual_seed(42);
//! let net = sequential![Linear::new(2, 10), ReLU, Linear::new(10, 1)];
//! let loss_fn = BCEWithLogitsLoss::new();
//! let mut optimizer = Adam::new(net.parameters(), 0.1);
//!
//! for _epoch in 0..50 {
//!     let loss = loss_fn.forward(&net.forward(&x), &y); // 1, 2: forward and loss
//!     loss.backward(); // 3: gradients
//!     optimizer.step(); // 4: update
//!     optimizer.zero_grad();
//! }
//! let accuracy = no_grad(|| net.forward(&x).gt(0.0).eq(&y).float().mean());
//! assert!(accuracy.item::<f32>() > 0.8);
//! ```
//!
//! # Coming from PyTorch
//!
//! | PyTorch | Rekindle |
//! |---|---|
//! | `torch.zeros(2, 3)`, `torch.cat([a, b])` | `Tensor::zeros([2, 3])`, `Tensor::cat(&[a, b], 0)` |
//! | `torch.arange(n)` | `Tensor::arange(0, n, 1)` |
//! | `x[1:]`, `x[:, 0]`, `x[-1]`, `x[mask]` | `x.slice(0, 1..)`, `x.select(1, 0)`, `x.select(0, -1)`, `x.index_mask(&mask)` |
//! | `x.sum()`, `x.sum(1)`, `x.sum(1, keepdim=True)` | `x.sum()`, `x.sum_dim(1, false)`, `x.sum_dim(1, true)`; so `mean`, `max`, `argmax`, .. |
//! | `(x > 0) & ~mask` | `x.gt(0) & !mask` |
//! | `x.item()`, `x.tolist()` | `x.item::<f32>()`, `x.to_vec::<f32>()` |
//! | `x.clone()` | `x.copy()`; Rust's `x.clone()` is a second handle on the same tensor |
//! | `x += 1` under `no_grad()` | `no_grad(\|\| x.add_(1))` |
//! | `"cuda" if torch.cuda.is_available() else "cpu"` | `Device::auto()`, with the feature `gpu` |
//! | `net.to(device)`, `x.to(device)`, `x.cpu()` | `net.to(device)`, `x.to(device)`, `x.cpu()` |
//! | `DataLoader(ds, 32, shuffle=True)` | `DataLoader::new(ds).batch_size(32).shuffle(true)` |
//! | `torch.save(net.state_dict(), path)` | `net.state_dict().save(path)?`, in safetensors |
//! | `net.load_state_dict(torch.load(path))` | `net.load_state_dict(&StateDict::load(path)?)?` |
//!
//! # Where things are
//! - the crate root: [`Tensor`] and everything that computes with it
//! - [`nn`]: layers, losses, optimisers, schedulers, initialisers
//! - [`data`]: data sets, loaders, splits, file formats
//! - [`metrics`]: accuracy, F1, confusion matrix, ROC curve, .. as functions and for batches
//! - [`random`]: PyTorch's and NumPy's random streams
//! - [`train`]: recipes and their runs
//! - `plot`: pictures, with the feature `plot`
//! - `serve`: an HTTP server for trained models, with the feature `serve`
//! - [`prelude`]: what a training script uses

pub use rekindle_data as data;
#[cfg(feature = "plot")]
pub use rekindle_plot as plot;
#[cfg(feature = "serve")]
pub use rekindle_serve as serve;
pub use rekindle_tensor::random::manual_seed;
pub use rekindle_tensor::*;
pub use rekindle_train as train;
pub use rekindle_train::metrics;

/// Layers, losses, optimisers, schedulers and initialisers.
///
/// A network of one's own is a struct with a forward; `derive(Parameters)` finds its layers:
///
/// ```
/// use rekindle::prelude::*;
///
/// #[derive(Parameters)]
/// struct Residual {
///     inner: Linear,
///     outer: Linear,
/// }
///
/// impl Module for Residual {
///     fn forward(&self, x: &Tensor) -> Tensor {
///         x + self.outer.forward(&self.inner.forward(x).relu())
///     }
/// }
///
/// let net = Residual { inner: Linear::new(3, 8), outer: Linear::new(8, 3) };
/// assert_eq!(net.forward(&Tensor::ones([5, 3])).shape(), [5, 3]);
/// assert_eq!(net.named_parameters()[2].0, "outer.weight");
/// ```
pub mod nn {
    pub use rekindle_derive::ParametersOfRekindle as Parameters;
    #[doc(inline)]
    pub use rekindle_nn::*;
}

/// What a training script uses, in one import.
pub mod prelude {
    pub use crate::data::{self, DataLoader, Dataset, Subset, TensorDataset, random_split};
    pub use crate::metrics;
    pub use crate::nn::Parameters;
    pub use crate::nn::loss::*;
    pub use crate::nn::optim::*;
    pub use crate::nn::*;
    #[cfg(feature = "plot")]
    pub use crate::plot;
    pub use crate::random::{self, Generator};
    pub use crate::train::{EarlyStopping, Observer, Part, Trainer};
    pub use crate::{DType, Device, Tensor, manual_seed, no_grad, tensor};
}

/// The example of `docs/gpu.md`, run as it stands there.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/gpu.md")]
struct GpuPage;
