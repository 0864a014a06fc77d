//! What holds for the whole crate, seen from outside.

mod autograd;
mod errors;
mod gpu;
mod laws;
mod ops;
mod values;
