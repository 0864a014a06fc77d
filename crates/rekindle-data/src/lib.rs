//! Data sets: file formats, downloads, and what turns them into batches.

mod error;
mod idx;
mod md5;
pub mod sampler;
pub mod split;
pub mod synthetic;

pub use error::{Error, Result};
pub use idx::IdxArray;
pub use md5::{Digest, Md5};
