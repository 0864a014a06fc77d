//! Training runs described by recipes: data, net, loss, optimiser, seed and epochs in one TOML file.
//!
//! ```no_run
//! use rekindle_train::{Recipe, Trained};
//! let recipe = Recipe::from_toml(rekindle_train::CIRCLES)?;
//! let Trained { rows, .. } = rekindle_train::run(&recipe, None, &mut |row| println!("{row:?}"))?;
//! assert!(rows.last().unwrap().test.unwrap().accuracy.unwrap() > 0.99);
//! # Ok::<(), rekindle_train::Error>(())
//! ```

mod call;
mod error;
mod finite;
mod fit;
mod judge;
mod layers;
mod load;
pub mod metrics;
mod objective;
mod optimizers;
#[cfg(feature = "plot")]
pub mod pictures;
mod recipe;
mod run;
mod run_dir;
mod sets;
mod source;
mod toml_error;
mod word;

pub use call::Call;
pub use error::Error;
pub use judge::{Answers, Judged, Judgement, Mistake, judge};
pub use layers::build_net;
pub use load::{Data, Part, as_they_come, load};
pub use objective::{Decision, Objective};
pub use optimizers::build_optimizer;
pub use recipe::{Measured, Recipe, Report};
pub use run::{EpochRow, Epochs, Figures, Trained, Training, evaluate, run};
pub use run_dir::RunDir;
pub use sets::{Kind, SETS, Set, SetName};
pub use source::{Source, Targets};

/// The recipe that `rekindle train` runs when it is given none: the circles of lecture 02, embedded in the program.
pub const CIRCLES: &str = include_str!("../../../recipes/circles.toml");
