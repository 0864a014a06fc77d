//! What holds for the whole crate, seen from outside.

mod autograd;
mod errors;
mod gpu;
mod gpu_layers;
mod gpu_values;
mod laws;
mod ops;
mod values;
