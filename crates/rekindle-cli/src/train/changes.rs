//! The flags that change a recipe.

use crate::Failure;
use rekindle::train::Recipe;
use std::path::PathBuf;

/// What is different from the recipe.
#[derive(clap::Args)]
pub struct Changes {
    /// Another file or folder of the data [default: for image sets $REKINDLE_DATA]
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Use another seed than the recipe's
    #[arg(long, allow_negative_numbers = true)]
    seed: Option<i64>,
    /// Train for another number of epochs
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub epochs: Option<u32>,
    /// Samples in a mini-batch; they are shuffled if the recipe had full batches
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: Option<u32>,
    /// Another learning rate
    #[arg(long, value_name = "RATE")]
    lr: Option<f64>,
    /// End with the epoch in which so many seconds have passed
    #[arg(long, value_name = "SECONDS")]
    max_time: Option<f64>,
    /// Another value for any key of the recipe, such as data.noise=0.1; repeatable
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Changes {
    /// The recipe with these changes.
    pub fn apply(&self, mut recipe: Recipe) -> Result<Recipe, Failure> {
        for assignment in &self.set {
            recipe = recipe.assign(assignment).map_err(|e| Failure::failed(format!("--set {e}")))?;
        }
        recipe.seed = self.seed.unwrap_or(recipe.seed);
        recipe.epochs = self.epochs.map_or(recipe.epochs, |n| n as usize);
        recipe.max_time = self.max_time.or(recipe.max_time);
        if let Some(n) = self.batch_size {
            recipe.shuffle |= recipe.batch_size.is_none();
            recipe.batch_size = Some(n as usize);
        }
        if let Some(lr) = self.lr {
            recipe = recipe.with_lr(lr).map_err(|e| Failure::failed(format!("--lr: {e}")))?;
        }
        if let Some(path) = &self.data {
            recipe.data.locate(path).map_err(|e| Failure::failed(format!("--data: {e}")))?;
        }
        Ok(recipe)
    }
}
