//! Tensors, autograd and random streams.
pub mod display;
pub mod random;
