//! Training runs described by recipes: data, net, loss, optimiser, seed and epochs in one TOML file.
//!
//! ```no_run
//! use rekindle_train::{Recipe, Trained};
//! let recipe = Recipe::from_toml(rekindle_train::CIRCLES)?;
//! let Trained { rows, .. } = rekindle_train::run(&recipe, None, &mut |row| println!("{row:?}"))?;
//! assert!(rows.last().unwrap().test.unwrap().accuracy.unwrap() > 0.99);
//! # Ok::<(), rekindle_train::Error>(())
//! ```

mod arrays;
mod assign;
mod call;
mod card;
mod checkpoint;
mod class_weights;
mod draft;
mod error;
mod figures;
mod finite;
mod fit;
mod history;
mod judge;
mod layers;
pub mod metrics;
mod model;
mod objective;
mod observer;
mod onnx;
mod optimizers;
mod part;
#[cfg(feature = "plot")]
pub mod pictures;
mod recipe;
mod run;
mod run_dir;
mod schedulers;
mod session;
mod sets;
mod signature;
mod source;
mod toml_error;
mod trainer;
mod word;

pub use arrays::ArrayInput;
pub use call::Call;
pub use card::model_card;
pub use checkpoint::Checkpoint;
pub use class_weights::ClassWeights;
pub use draft::{Draft, draft};
pub use error::Error;
pub use history::{EpochRow, Figures};
pub use judge::{Answers, Judged, Judgement, Mistake, judge};
pub use layers::build_net;
pub use model::{Model, Prediction, Said};
pub use objective::Objective;
pub use observer::{
    BestWeights, CsvLog, EarlyStopping, Flow, JsonLog, Monitor, Observer, Progress, Step, Table,
};
pub use onnx::Exported;
pub use optimizers::build_optimizer;
pub use part::{Data, Part, Place};
pub use recipe::{Measured, Recipe, Report, Stopping, Stream};
pub use rekindle_nn::loss::Decision;
pub use run::{Trained, Training, run};
pub use run_dir::{Resumed, RunDir, Weights};
pub use session::Session;
pub use sets::{Kind, SETS, Set, SetName};
#[cfg(feature = "images")]
pub use signature::ImageInput;
pub use signature::{Input, Signature};
#[cfg(feature = "images")]
pub use source::ImagesSource;
pub use source::{ArraysSource, Memory, SetSource, Source, SplitSizes, TableSource, Targets, load};
pub use trainer::{LrFinder, Trainer, evaluate};

/// The recipe that `rekindle train` runs when it is given none: the circles of lecture 02, embedded in the program.
pub const CIRCLES: &str = include_str!("../../../recipes/circles.toml");
