//! Data sets: file formats, downloads, and what turns them into batches.

#[cfg(feature = "download")]
mod download;
mod error;
mod idx;
mod md5;
mod mnist;
#[cfg(feature = "download")]
mod progress;
pub mod sampler;
pub mod split;
pub mod synthetic;

#[cfg(feature = "download")]
pub use download::{Downloader, Event};
pub use error::{Error, Result};
pub use idx::IdxArray;
pub use md5::{Digest, Md5};
pub use mnist::{ImageSource, LabelledImages, Root, fashion_mnist, mnist};
#[cfg(feature = "download")]
pub use progress::TerminalProgress;
