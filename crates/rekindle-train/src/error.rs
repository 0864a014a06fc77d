//! What can go wrong with a recipe or its data.

use rekindle_tensor::check;
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
    /// A model was asked about inputs for which an output of its net is not finite.
    #[error("an output of the net is not finite; are the inputs like those of the training data?")]
    Output,
    /// The data cannot be loaded.
    #[error(transparent)]
    Data(#[from] rekindle_data::Error),
    /// The directory of a run cannot be made, read or written.
    #[error("{path}: {reason}")]
    Run {
        /// The directory or the file in it.
        path: PathBuf,
        /// What is the matter with it.
        reason: String,
    },
    /// The numbers stopped being finite.
    #[error(
        "epoch {epoch}, step {step}: {tensor} is not finite; lower the learning rate ({lr}) or check the data"
    )]
    NotFinite {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The step within the epoch, counted from 1.
        step: usize,
        /// The first tensor that is not finite, such as `the gradient of 0.weight`.
        tensor: String,
        /// The learning rate.
        lr: f64,
    },
}

impl From<rekindle_nn::FileError> for Error {
    fn from(e: rekindle_nn::FileError) -> Error {
        Error::Run { path: e.path, reason: e.reason }
    }
}

impl Error {
    /// The same error with the place of the mistake in front of it.
    pub(crate) fn at(self, place: impl std::fmt::Display) -> Error {
        match self {
            Error::Recipe(message) => Error::Recipe(format!("{place}: {message}")),
            other => other,
        }
    }
}

/// Runs `f`; what is a mistake in Rust code, such as a shape that does not fit, is an error of the recipe here.
pub(crate) fn guarded<T>(f: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    check(f).unwrap_or_else(|message| Err(Error::Recipe(message)))
}
