//! `--weights`: which weights of a run a command asks.

use crate::Failure;
use rekindle::train::{Model, RunDir, Weights};
use std::path::PathBuf;
use std::str::FromStr;

/// The flag, for the commands that ask the model of a run.
#[derive(clap::Args)]
pub struct Which {
    /// final, best (of the best epoch), or a safetensors file
    #[arg(long, default_value = "final", value_name = "WHICH")]
    weights: Source,
}

impl Which {
    /// The model of a run with these weights.
    pub fn model(&self, run: &RunDir) -> Result<Model, Failure> {
        Ok(match &self.weights {
            Source::OfRun(weights) => run.model(*weights)?,
            Source::File(path) => run.model_with(path)?,
        })
    }
}

#[derive(Clone)]
enum Source {
    OfRun(Weights),
    File(PathBuf),
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "final" => Ok(Source::OfRun(Weights::Final)),
            "best" => Ok(Source::OfRun(Weights::Best)),
            // A misspelled word is no file.
            _ if text.contains(['.', '/', '\\']) => Ok(Source::File(text.into())),
            _ => Err("neither `final` nor `best` nor a file such as net.safetensors".into()),
        }
    }
}
