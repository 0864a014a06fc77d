//! Data sets: file formats, downloads, and what turns them into batches.

mod dataset;
#[cfg(feature = "download")]
mod download;
mod edit_distance;
mod error;
mod file;
mod idx;
#[cfg(feature = "images")]
pub mod images;
mod loader;
mod md5;
mod mnist;
mod npy;
mod npz;
#[cfg(feature = "download")]
mod progress;
#[cfg(any(feature = "images", feature = "parquet"))]
mod quiet;
pub mod sampler;
mod spill;
pub mod split;
pub mod synthetic;
pub mod table;

pub use dataset::{Dataset, Subset, TensorDataset, random_split};
#[cfg(feature = "download")]
pub use download::{Downloader, Event};
pub use edit_distance::edit_distance;
pub use error::{Error, Place, Result};
pub use idx::IdxArray;
pub use loader::{Batches, DataLoader};
pub use md5::{Digest, Md5};
pub use mnist::{ImageSet, ImageSource, LabelledImages, Root, cache_folder, fashion_mnist, mnist};
pub use npy::{NpyArray, npy_len, read_npy};
pub use npz::Npz;
#[cfg(feature = "download")]
pub use progress::TerminalProgress;
pub use spill::{SpillWriter, SpilledRows};
