//! Layers, one family per file.

mod activation;
mod batch_norm;
mod conv;
mod dropout;
mod embed_columns;
mod embedding;
mod flatten;
mod layer_norm;
mod linear;
mod pool;
pub(crate) mod samples;

pub use activation::{
    CELU, ELU, GELU, Hardsigmoid, Hardswish, Hardtanh, Identity, LeakyReLU, LogSigmoid, LogSoftmax, Mish,
    PReLU, ReLU, SELU, SiLU, Sigmoid, Softmax, Softplus, Softsign, Tanh,
};
pub use batch_norm::{BatchNorm1d, BatchNorm2d};
pub use conv::{Conv1d, Conv2d};
pub use dropout::{AlphaDropout, Dropout, Dropout1d, Dropout2d};
pub use embed_columns::EmbedColumns;
pub use embedding::Embedding;
pub use flatten::{Flatten, Unflatten};
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use pool::{AdaptiveAvgPool1d, AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d};
