//! Part of Rekindle.
pub mod sampler;
pub mod split;
pub mod synthetic;
