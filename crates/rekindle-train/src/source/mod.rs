//! The data of a recipe: one file for each kind of source, and a line of the table below.
//!
//! Which kind it is is said by the key that `[data]` has: `source` for a built-in set, `table` for a file of the user's, ..

mod arrays;
#[cfg(feature = "images")]
mod images;
mod rows;
mod set;
mod split;
mod table;

pub use arrays::ArraysSource;
#[cfg(feature = "images")]
pub use images::ImagesSource;
pub use rows::Memory;
pub use set::SetSource;
pub use split::SplitSizes;
pub use table::TableSource;

use crate::arrays::is_arrays;
use crate::error::Error;
use crate::objective::Objective;
use crate::part::Data;
use crate::recipe::Recipe;
use crate::sets::Kind;
use crate::signature::Signature;
use rekindle_nn::loss::Decision;
use rekindle_tensor::Tensor;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use std::path::{Path, PathBuf};

/// What a kind of source can do.
pub(crate) trait Reads {
    /// Refuses keys that do not go together and fills in what is left out.
    fn complete(self) -> Result<Self, String>
    where
        Self: Sized,
    {
        Ok(self)
    }

    /// Values that no data can be made with, or that the loss cannot learn, as far as that is known without reading the data.
    fn check(&self, objective: &Objective) -> Result<(), String>;

    /// Loads or makes the data, and the source with everything that it left to the data.
    fn load(&self, how: &Loading) -> Result<Data, Error>;

    /// Takes the data from another file or folder.
    fn locate(&mut self, path: &Path) -> Result<(), String>;

    /// Takes all samples of another file or folder to test with, and none to train on. Image sets come with test images.
    fn test_on(&mut self, path: &Path) -> Result<(), String> {
        self.locate(path)
    }

    /// What it is, in a line.
    fn about(&self) -> String;
}

/// What loading needs beside the source.
pub(crate) struct Loading<'a> {
    /// The seed of the recipe.
    pub seed: i64,
    pub objective: &'a Objective,
    /// The folder of the recipe's file, where files are looked for, too.
    pub beside: Option<&'a Path>,
    /// What a trained model knows about the data. It is not learned again.
    pub signature: Option<&'a Signature>,
}

macro_rules! sources {
    ($($(#[$cfg:meta])* $key:literal $kind:ident($source:ident)),* $(,)?) => {
        /// Where the data of a recipe comes from.
        #[derive(Clone, Debug, Serialize)]
        #[serde(untagged)]
        #[allow(missing_docs, reason = "each has the documentation of its struct")]
        pub enum Source {
            $($(#[$cfg])* $kind($source),)*
        }

        /// The key that says which kind it is, and how `[data]` is read then.
        const KINDS: &[(&str, fn(&str) -> Result<Source, Wrong>)] =
            &[$($(#[$cfg])* ($key, |text| read_as::<$source>(text).map(Source::$kind))),*];

        impl Source {
            fn reads(&self) -> &dyn Reads {
                match self { $($(#[$cfg])* Source::$kind(source) => source,)* }
            }

            fn reads_mut(&mut self) -> &mut dyn Reads {
                match self { $($(#[$cfg])* Source::$kind(source) => source,)* }
            }
        }
    };
}

sources! {
    "source" Set(SetSource),
    "table" Table(TableSource),
    #[cfg(feature = "images")]
    "images" Images(ImagesSource),
    "arrays" Arrays(ArraysSource),
}

/// What is wrong with `[data]`: with a place, or without.
pub(crate) enum Wrong {
    Toml(toml::de::Error),
    Keys(String),
}

/// `[data]` of a recipe, and nothing else.
#[derive(Deserialize)]
struct Only<S> {
    data: S,
}

fn read_as<S: Reads + DeserializeOwned>(text: &str) -> Result<S, Wrong> {
    let only: Only<S> = toml::from_str(text).map_err(Wrong::Toml)?;
    only.data.complete().map_err(Wrong::Keys)
}

/// What stands for the data until [`Source::read`] is asked, which needs to know the kind first: only then has a mistake its place.
pub(crate) fn later<'de, D: Deserializer<'de>>(toml: D) -> Result<Source, D::Error> {
    IgnoredAny::deserialize(toml)?;
    Ok(Source::Table(TableSource::default()))
}

impl Source {
    /// Reads `[data]` of a recipe.
    pub(crate) fn read(text: &str) -> Result<Source, Wrong> {
        let only: Only<toml::Table> = toml::from_str(text).map_err(Wrong::Toml)?;
        match KINDS.iter().find(|(key, _)| only.data.contains_key(*key)) {
            Some((_, read)) => read(text),
            None => {
                let keys: Vec<&str> = KINDS.iter().map(|(key, _)| *key).collect();
                Err(Wrong::Keys(format!(
                    "data: it must say where it comes from, with one of {}",
                    keys.join(", ")
                )))
            }
        }
    }

    /// Values that no data can be made with, or that the loss cannot learn.
    pub(crate) fn check(&self, objective: &Objective) -> Result<(), String> {
        self.reads().check(objective)
    }

    /// Takes the data from another file or folder.
    ///
    /// # Errors
    /// If the data is made, so that there is nothing to read.
    pub fn locate(&mut self, path: &Path) -> Result<(), String> {
        self.reads_mut().locate(path)
    }

    /// The same, from another file or folder if there is one.
    ///
    /// # Errors
    /// If the data is made, so that there is nothing to read.
    pub(crate) fn elsewhere(&self, path: Option<&Path>) -> Result<Source, Error> {
        let mut source = self.clone();
        match path.map(|path| source.locate(path)) {
            None | Some(Ok(())) => Ok(source),
            Some(Err(e)) => Err(Error::Recipe(format!("--data: {e}"))),
        }
    }

    /// All samples of another file or folder, to test with.
    ///
    /// # Errors
    /// If the data is made, so that there is nothing to read.
    pub(crate) fn tested_on(&self, path: &Path) -> Result<Source, Error> {
        let mut source = self.clone();
        source.reads_mut().test_on(path).map_err(|e| Error::Recipe(format!("--data: {e}")))?;
        Ok(source)
    }

    /// What it is, in a line.
    pub fn about(&self) -> String {
        self.reads().about()
    }

    /// The built-in set and its keys, if it is one.
    pub fn set(&mut self) -> Option<&mut SetSource> {
        match self {
            Source::Set(set) => Some(set),
            _ => None,
        }
    }
}

/// Loads or makes the data of a recipe, from another file or folder than the recipe says if there is one. Built-in images are looked for as [`rekindle_data::Root`] says.
///
/// ```
/// use rekindle_train::{CIRCLES, Recipe, load};
/// let data = load(&Recipe::from_toml(CIRCLES)?, None)?;
/// assert_eq!((data.train.x().shape(), data.test.y.shape()), (&[800, 2][..], &[200, 1][..]));
/// assert_eq!(data.classes, ["0", "1"]);
/// # Ok::<(), rekindle_train::Error>(())
/// ```
///
/// # Errors
/// If files are missing or damaged, data that is made is to be read elsewhere, or a class does not exist or has no samples.
pub fn load(recipe: &Recipe, elsewhere: Option<&Path>) -> Result<Data, Error> {
    load_for(recipe, &recipe.data.elsewhere(elsewhere)?, None)
}

/// [`load`] for a trained model, which has learned already what is learned from training data before a net is.
pub(crate) fn load_for(
    recipe: &Recipe,
    source: &Source,
    signature: Option<&Signature>,
) -> Result<Data, Error> {
    let objective = &Objective::build(&recipe.loss).map_err(Error::Recipe)?;
    recipe.data.check(objective).map_err(Error::Recipe)?;
    let beside = recipe.file.as_deref().and_then(Path::parent);
    let how = Loading { seed: recipe.seed, objective, beside, signature };
    let mut data = source.load(&how)?;
    data.remark_on_balance();
    Ok(data)
}

impl Source {
    pub(crate) fn load(&self, how: &Loading) -> Result<Data, Error> {
        self.reads().load(how)
    }
}

/// What a file of the user's seems to be.
pub(crate) struct Sketch {
    pub source: Source,
    /// `[data]` in TOML, with comments.
    pub about: String,
    pub remarks: Vec<String>,
    pub kind: Kind,
    /// The number of classes, labels or numbers.
    pub outputs: usize,
}

/// What the file or folder seems to be, by its name.
pub(crate) fn sketch(path: &Path, labels: &[String]) -> Result<Sketch, Error> {
    #[cfg(feature = "images")]
    if path.is_dir() {
        return images::sketch(path);
    }
    if is_arrays(path) {
        return arrays::sketch(path);
    }
    table::sketch(path, labels)
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// A text that cannot end its comment.
fn comment(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// A file where it is said to be, or beside the recipe.
fn find(path: &Path, beside: Option<&Path>) -> PathBuf {
    let there = beside.map(|folder| folder.join(path)).filter(|there| !path.exists() && there.exists());
    there.unwrap_or_else(|| path.to_path_buf())
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// How class labels are given to the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Targets {
    /// As the loss expects them: floats 0 and 1 for binary losses, class indices for the others.
    #[default]
    Auto,
    /// One-hot rows of floats.
    OneHot,
}

/// Class numbers as the loss expects them; several labels or numbers for each sample are floats already.
fn as_targets(y: &Tensor, objective: &Objective, targets: Targets, classes: usize) -> Tensor {
    match targets {
        _ if y.dim() > 1 => y.float(),
        Targets::OneHot => y.one_hot(classes).float(),
        Targets::Auto if objective.is_binary() => y.float().unsqueeze(1),
        Targets::Auto => y.clone(),
    }
}

/// Whether a loss can learn such targets; `name` is what they belong to.
fn suits(
    objective: &Objective,
    kind: Kind,
    classes: usize,
    targets: Targets,
    name: &str,
) -> Result<(), String> {
    let one_hot = targets == Targets::OneHot;
    match (kind, objective.decision) {
        (Kind::Numbers, Decision::None) | (Kind::Labels, Decision::None) => Ok(()),
        (Kind::Numbers, _) => Err(format!(
            "loss: the targets of {name} are numbers, which it cannot learn; take MSELoss or L1Loss"
        )),
        (Kind::Labels, Decision::Largest) => Err(format!(
            "loss: a sample of {name} may have several labels, and this loss gives it one class; take BCEWithLogitsLoss"
        )),
        (Kind::Classes, Decision::None) if !one_hot => Err(format!(
            "loss: it learns numbers, and the targets of {name} are classes; take BCEWithLogitsLoss (two classes) or CrossEntropyLoss, or set data.targets = \"one_hot\""
        )),
        (Kind::Classes, Decision::Logit | Decision::Probability) if classes != 2 && !one_hot => Err(format!(
            "data: a yes-or-no loss such as BCEWithLogitsLoss separates two classes, not {classes}; choose two, or take CrossEntropyLoss with one output for each"
        )),
        _ => Ok(()),
    }
}
