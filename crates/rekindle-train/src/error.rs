//! What can go wrong with a recipe or its data.

use std::path::PathBuf;

/// An error of a training run: a recipe that cannot be read or built, or data that cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The recipe's file cannot be read.
    #[error("cannot read the recipe {path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The recipe is not valid.
    #[error("{0}")]
    Recipe(String),
    /// The data cannot be loaded.
    #[error(transparent)]
    Data(#[from] rekindle_data::Error),
    /// The numbers stopped being finite.
    #[error(
        "epoch {epoch}: the loss is {loss}; no update was applied after that. Lower the learning rate ({lr}) or check the data"
    )]
    NotFinite {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The loss as it was computed.
        loss: f64,
        /// The learning rate.
        lr: f64,
    },
}
