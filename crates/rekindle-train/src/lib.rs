//! Training runs described by recipes: data, net, loss, optimiser, seed and epochs in one TOML file.
//!
//! ```no_run
//! use rekindle_train::{Recipe, Trained};
//! let recipe = Recipe::from_toml(rekindle_train::CIRCLES)?;
//! let Trained { rows, .. } = rekindle_train::run(&recipe, None, &mut |row| println!("{row:?}"))?;
//! assert!(rows.last().unwrap().test_acc.unwrap() > 0.99);
//! # Ok::<(), rekindle_train::Error>(())
//! ```

mod call;
mod error;
mod finite;
mod fit;
mod layers;
pub mod metrics;
mod objective;
mod optimizers;
mod recipe;
mod run;
mod source;
mod toml_error;
mod word;

pub use call::Call;
pub use error::Error;
pub use layers::build_net;
pub use objective::{Decision, Objective};
pub use optimizers::build_optimizer;
pub use recipe::{Measured, Recipe, Report};
pub use run::{EpochRow, Trained, evaluate, run};
pub use source::{Blobs, Data, Images, Part, Source, Synthetic, Targets, load};

/// The recipe that `rekindle train` runs when it is given none: the circles of lecture 02, embedded in the program.
pub const CIRCLES: &str = include_str!("../../../recipes/circles.toml");
