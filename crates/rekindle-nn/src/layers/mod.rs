//! Layers, one family per file.

mod activation;
mod linear;

pub use activation::*;
pub use linear::Linear;
