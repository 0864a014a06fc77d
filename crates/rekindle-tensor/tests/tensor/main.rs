//! What holds for the whole crate, seen from outside.

mod autograd;
mod errors;
mod laws;
mod ops;
mod values;
