//! The recipe: what to train, on what, and how, in one TOML file.

use crate::class_weights::ClassWeights;
use crate::error::Error;
use crate::figures::check_figure;
use crate::layers::build_net;
use crate::objective::Objective;
use crate::schedulers::{Length, build_scheduler};
use crate::sets::Set;
use crate::source::{Source, Wrong};
use rekindle_tensor::random::dropout::{DropoutStream, with_dropout_stream};
use rekindle_tensor::random::{Generator, with_generator};
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The longest recipe file that is read.
const MOST_BYTES: u64 = 1 << 20;
/// More passes over data than anybody waits for, and few enough to count updates of.
const MOST_EPOCHS: usize = 1_000_000_000;

/// A training run, complete and repeatable. See `recipes/` for one of each kind.
///
/// ```
/// use rekindle_train::{CIRCLES, Recipe};
/// let recipe = Recipe::from_toml(CIRCLES)?;
/// assert_eq!((recipe.epochs, recipe.loss.as_str()), (2000, "BCEWithLogitsLoss"));
///
/// let e = Recipe::from_toml(&CIRCLES.replace("epochs", "epochz")).unwrap_err().to_string();
/// assert_eq!(e, "line 5, column 1: unknown field `epochz`; did you mean `epochs`?");
/// # Ok::<(), rekindle_train::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// What is trained, in a few words.
    pub name: String,
    /// The seed of the default generator, set before the net is made.
    pub seed: i64,
    /// Whose numbers dropout draws.
    #[serde(default, skip_serializing_if = "Stream::is_cpu")]
    pub stream: Stream,
    /// Passes over the training data.
    pub epochs: usize,
    /// The layers in PyTorch's words, such as `Linear(784, 32)`.
    pub net: Vec<String>,
    /// The loss in PyTorch's words, such as `BCEWithLogitsLoss`.
    pub loss: String,
    /// The optimiser in PyTorch's words, such as `SGD(lr=0.1)`.
    pub optimizer: String,
    /// Samples in a mini-batch; without it every step sees all of the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// Whether mini-batches are drawn in a new random order each epoch.
    #[serde(default)]
    pub shuffle: bool,
    /// How the learning rate changes, in PyTorch's words, such as `StepLR(10, gamma=0.5)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<String>,
    /// The largest norm of a step's gradients; larger ones are scaled down to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_grad_norm: Option<f64>,
    /// Over how many batches gradients are added up before an update.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub accumulate: usize,
    /// What each class counts in the loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// Seconds after which training ends with its epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_time: Option<f64>,
    /// The first so many batches only are trained on, over and over and in order, and judged: to see whether the net can learn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overfit_batches: Option<usize>,
    /// Seconds between two checkpoints.
    #[serde(default = "thirty")]
    pub checkpoint_seconds: f64,
    /// The figure that says which epoch is the best, such as `val_acc`; by default the validation loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitor: Option<String>,
    /// Figures that are measured after each epoch beside loss and accuracy, such as `f1_macro`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<String>,
    /// When training ends because it has become no better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<Stopping>,
    /// The data.
    #[serde(deserialize_with = "crate::source::later")]
    pub data: Source,
    /// Which epochs are reported, and how they are measured.
    #[serde(default)]
    pub report: Report,
    /// The file that the recipe was read from, for messages.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

fn one() -> usize {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(n: &usize) -> bool {
    *n == 1
}

fn thirty() -> f64 {
    30.0
}

/// Whose numbers dropout draws: PyTorch's differ between machines, while it draws weights and orders alike on all.
///
/// It is a matter of digits only: on which machine a run is made does not follow from it. See [`DropoutStream`] for what of them is verified.
///
/// ```
/// use rekindle_train::{CIRCLES, Recipe, Stream};
/// let recipe = Recipe::from_toml(CIRCLES)?;
/// assert_eq!((recipe.stream, recipe.assign("stream=cuda")?.stream), (Stream::Cpu, Stream::Cuda));
/// # Ok::<(), rekindle_train::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Those of PyTorch on a CPU.
    #[default]
    Cpu,
    /// Those of PyTorch about 1.0 to 2.5 on Intel processors.
    IntelMkl,
    /// Those of PyTorch on a CUDA GPU. Masks of more than 880,000 elements are those of an A100.
    Cuda,
}

impl Stream {
    fn is_cpu(&self) -> bool {
        *self == Stream::Cpu
    }

    /// Runs `f`, whose dropout draws these.
    pub(crate) fn within<R>(self, f: impl FnOnce() -> R) -> R {
        let stream = match self {
            Stream::Cpu => DropoutStream::Current,
            Stream::IntelMkl => DropoutStream::IntelMkl,
            Stream::Cuda => DropoutStream::Cuda,
        };
        with_dropout_stream(stream, f)
    }
}

/// When training ends early; see [`EarlyStopping`](crate::EarlyStopping).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stopping {
    /// After how many measured epochs in a row without improvement training ends.
    pub patience: usize,
    /// Smaller changes are no improvement.
    pub min_delta: f64,
    /// Whether the weights of the best epoch are put back.
    pub restore_best: bool,
}

impl Default for Stopping {
    fn default() -> Self {
        Stopping { patience: 5, min_delta: 0.0, restore_best: true }
    }
}

/// What is reported of a run.
///
/// ```
/// use rekindle_train::Report;
/// let report = Report { every: 4, first: Some(1), ..Report::default() };
/// assert_eq!((1..=10).filter(|&epoch| report.includes(epoch)).collect::<Vec<_>>(), [1, 5, 9]);
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Report {
    /// Every how many epochs.
    pub every: usize,
    /// The first reported epoch, counted from 1; by default the `every`-th.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<usize>,
    /// Every how many epochs figures are kept for the curves, beside the reported ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<usize>,
    /// What the figures of the training data are measured on.
    pub train: Measured,
    /// Whether the test data is measured in each of these epochs, too; by default only if there is no validation data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<bool>,
}

impl Default for Report {
    fn default() -> Self {
        Report { every: 1, first: None, record: None, train: Measured::After, test: None }
    }
}

impl Report {
    /// Whether an epoch, counted from 1, is reported.
    pub fn includes(&self, epoch: usize) -> bool {
        let first = self.first.unwrap_or(self.every);
        epoch >= first && (epoch - first).is_multiple_of(self.every)
    }

    /// Whether figures of an epoch are kept, because it is reported or recorded.
    pub fn keeps(&self, epoch: usize) -> bool {
        self.includes(epoch) || self.record.is_some_and(|every| (epoch - 1).is_multiple_of(every))
    }
}

/// What the accuracy on the training data is measured on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measured {
    /// The outputs of the training step itself, before its update.
    Step,
    /// A pass in evaluation mode after the epoch's last update. With mini-batches it walks the training loader.
    #[default]
    After,
}

impl Recipe {
    /// Reads a recipe from TOML text.
    ///
    /// # Errors
    /// With line and column if a key is unknown or missing or a value has the wrong type; with the key if no run can
    /// use a value.
    pub fn from_toml(text: &str) -> Result<Recipe, Error> {
        let place = |e: toml::de::Error| Error::Recipe(crate::toml_error::line(text, &e));
        let mut recipe: Recipe = toml::from_str(text).map_err(place)?;
        recipe.data = Source::read(text).map_err(|wrong| match wrong {
            Wrong::Toml(e) => place(e),
            Wrong::Keys(message) => Error::Recipe(message),
        })?;
        recipe.check().map_err(Error::Recipe)?;
        Ok(recipe)
    }

    /// Reads a recipe from a file of at most 1 MiB.
    ///
    /// # Errors
    /// If the file cannot be read or is not a recipe; the message names the file.
    pub fn from_file(path: &Path) -> Result<Recipe, Error> {
        let read = |path: &Path| {
            let mut bytes = Vec::new();
            std::fs::File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read(path).map_err(|cause| Error::Read { path: path.into(), cause })?;
        let text = if bytes.len() as u64 > MOST_BYTES {
            Err(Error::Recipe("longer than 1 MiB; is this a recipe?".into()))
        } else {
            String::from_utf8(bytes).map_err(|e| {
                let at = e.utf8_error().valid_up_to();
                Error::Recipe(format!("byte {at}: not UTF-8; save the file as UTF-8 text"))
            })
        };
        let recipe = text.and_then(|text| Recipe::from_toml(&text)).map_err(|e| e.at(path.display()))?;
        Ok(Recipe { file: Some(path.into()), ..recipe })
    }

    /// The recipe of a built-in data set or of a file, whichever `text` names, and what its runs are called.
    ///
    /// ```
    /// use rekindle_train::Recipe;
    /// let (recipe, name) = Recipe::find("moons")?;
    /// assert_eq!((recipe.epochs, name.as_str()), (1000, "moons"));
    /// assert!(Recipe::find("moon").unwrap_err().to_string().contains("did you mean `moons`?"));
    /// # Ok::<(), rekindle_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is neither, or the file is not a recipe.
    pub fn find(text: &str) -> Result<(Recipe, String), Error> {
        let path = Path::new(text);
        match Set::named(text) {
            Ok(set) => Ok((Recipe::from_toml(set.recipe)?, set.name.to_string())),
            // Whoever means a file writes a dot or a slash.
            Err(e) if !path.exists() && !text.contains(['.', '/', '\\']) => {
                Err(Error::Recipe(format!("{e} (there is no such recipe file, either)")))
            }
            Err(_) => {
                let name = path.file_stem().map_or("run".into(), |stem| stem.to_string_lossy().into_owned());
                Ok((Recipe::from_file(path)?, name))
            }
        }
    }

    /// An error with the recipe's file in front of it.
    pub(crate) fn named(&self, e: Error) -> Error {
        match &self.file {
            Some(file) => e.at(file.display()),
            None => e,
        }
    }

    /// Values that no run can use, and words that do not exist.
    fn check(&self) -> Result<(), String> {
        self.check_values()?;
        let objective = Objective::build(&self.loss)?;
        self.metrics.iter().try_for_each(|name| check_figure(name))?;
        self.data.check(&objective)?;
        // The words of the net; what they draw here is not taken from anybody.
        let net = with_generator(&mut Generator::seeded(0), || build_net(&self.net))?;
        let mut optimizer =
            crate::build_optimizer(&self.optimizer, rekindle_nn::Parameters::parameters(&net))?;
        let Some(scheduler) = &self.scheduler else { return Ok(()) };
        let length = Length { epochs: self.epochs, updates: 2 };
        build_scheduler(scheduler, length, &mut *optimizer).map(drop)
    }

    /// Values that no run can use, whatever net, loss and data are.
    pub(crate) fn check_values(&self) -> Result<(), String> {
        let at_least_one = "it must be at least 1";
        let positive = |v: f64| v > 0.0 && v <= 1e9;
        let walks = self.batch_size.is_some() && self.report.train == Measured::After;
        let wrong = [
            (self.epochs == 0, "epochs = 0", at_least_one),
            (self.report.every == 0, "report.every = 0", at_least_one),
            (self.report.first == Some(0), "report.first = 0", "epochs count from 1"),
            (self.report.record == Some(0), "report.record = 0", at_least_one),
            (
                self.report.record.is_some() && walks,
                "report.record",
                "with mini-batches it needs train = \"step\", because measuring afterwards walks the loader, whose shuffles are drawn",
            ),
            (
                self.batch_size == Some(0),
                "batch_size = 0",
                "it must be at least 1; leave it out for full batches",
            ),
            (self.accumulate == 0, "accumulate = 0", "an update needs at least one batch"),
            (self.clip_grad_norm.is_some_and(|v| !positive(v)), "clip_grad_norm", "it must be above 0"),
            (self.max_time.is_some_and(|v| !positive(v)), "max_time", "it must be above 0 seconds"),
            (self.epochs > MOST_EPOCHS, "epochs", "no training has more than 1,000,000,000"),
            (self.overfit_batches == Some(0), "overfit_batches = 0", "it must be at least 1"),
            (
                !(0.0..=1e9).contains(&self.checkpoint_seconds),
                "checkpoint_seconds",
                "it must be from 0 (after every batch) to 1e9",
            ),
            (
                self.early_stopping
                    .as_ref()
                    .is_some_and(|s| !(s.min_delta >= 0.0 && s.min_delta.is_finite())),
                "early_stopping.min_delta",
                "it must be at least 0",
            ),
            (
                self.shuffle && self.batch_size.is_none(),
                "shuffle = true",
                "full batches have no order; set batch_size",
            ),
        ];
        match wrong.iter().find(|(wrong, ..)| *wrong) {
            Some((_, value, cure)) => Err(format!("{value}: {cure}")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(from: &str, to: &str) -> String {
        assert!(crate::CIRCLES.contains(from), "the recipe has {from:?}");
        Recipe::from_toml(&crate::CIRCLES.replace(from, to)).unwrap_err().to_string()
    }

    #[test]
    fn values_that_no_run_can_use_are_refused() {
        assert!(says("test_size = 0.2", "test_size = 2.0").starts_with("data.test_size = 2"));
        assert!(says("test_size = 0.2", "test_size = nan").starts_with("data.test_size = NaN"));
        assert!(
            says("seed = 42", "seed = 42\nbatch_size = 0")
                .starts_with("batch_size = 0: it must be at least 1")
        );
        assert!(
            says("seed = 42", "seed = 42\nshuffle = true")
                .starts_with("shuffle = true: full batches have no order")
        );
        assert!(says("epochs = 2000", "epochs = 0").starts_with("epochs = 0: it must be at least 1"));
        assert!(says("every = 100", "every = 0").starts_with("report.every = 0"));
        assert!(says("first = 1", "first = 0").starts_with("report.first = 0: epochs count from 1"));
        for noise in ["-0.1", "nan", "inf"] {
            assert!(
                says("noise = 0.03", &format!("noise = {noise}")).contains("it must be at least 0"),
                "{noise}"
            );
        }
        let samples = says("samples = 1000", "samples = 1000000000000000");
        assert!(samples.starts_with("data.samples = 1000000000000000: at most"), "{samples}");
    }

    #[test]
    fn words_that_do_not_exist_are_refused_before_any_data_is_loaded() {
        assert!(says("\"ReLU\"", "\"ReLUU\"").contains("net: there is no `ReLUU`"));
        assert!(says("SGD(lr=0.1)", "SGD(lr=fast)").contains("optimizer: `SGD(lr=fast)`"));
        assert!(says("BCEWithLogitsLoss", "BCE").contains("loss: there is no `BCE`"));
    }

    #[test]
    fn the_file_is_named_and_must_be_short_text() {
        let path = std::env::temp_dir().join(format!("rekindle-recipe-{}.toml", std::process::id()));
        let says = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let e = Recipe::from_file(&path).unwrap_err().to_string();
            e.strip_prefix(&format!("{}: ", path.display()))
                .map(str::to_string)
                .unwrap_or_else(|| panic!("no file in {e}"))
        };
        assert_eq!(says(b"name = \"\xff\""), "byte 8: not UTF-8; save the file as UTF-8 text");
        assert_eq!(says(&vec![b'#'; (MOST_BYTES + 1) as usize]), "longer than 1 MiB; is this a recipe?");
        assert!(
            says(crate::CIRCLES.replace("SGD(", "SDG(").as_bytes())
                .starts_with("optimizer: there is no `SDG`")
        );
        std::fs::write(&path, crate::CIRCLES).unwrap();
        assert_eq!(Recipe::from_file(&path).unwrap().file.as_deref(), Some(path.as_path()));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn reported_epochs_are_regular() {
        let epochs = |r: Report| (1..=10).filter(|&e| r.includes(e)).collect::<Vec<_>>();
        assert_eq!(epochs(Report { every: 4, ..Report::default() }), [4, 8]);
        assert_eq!(epochs(Report { every: 4, first: Some(1), ..Report::default() }), [1, 5, 9]);
    }

    /// The parser names all keys and words when it is asked for one that does not exist.
    #[test]
    fn the_page_about_recipes_has_every_key_and_every_word() {
        let page = include_str!("../../../docs/recipes.md");
        let asked = [
            says("epochs =", "xxxxxxxx ="),
            says("[report]", "[report]\nxxxxxxxx = 1"),
            says("seed = 42", "seed = 42\nstream = \"xxxxxxxx\""),
            says("noise =", "xxxxxxxx ="),
            says("\"ReLU\"", "\"Xxxxxxxx\""),
            says("BCEWithLogitsLoss", "Xxxxxxxx"),
            says("SGD(", "Xxxxxxxx("),
            says("seed = 42", "seed = 42\nscheduler = \"Xxxxxxxx\""),
            says("seed = 42", "seed = 42\nmetrics = [\"xxxxxxxx\"]"),
            says("[report]", "[early_stopping]\nxxxxxxxx = 1\n[report]"),
            says("source =", "xxxxxxxx = 1\ntable ="),
            says("source =", "xxxxxxxx = 1\narrays ="),
            says("source = \"circles\"", "table = \"t.csv\"\nlabel = \"y\"\nsplit.xxxxxxxx = 1"),
        ];
        for message in asked {
            let (_, valid) = message.split_once("valid are ").unwrap_or_else(|| panic!("{message}"));
            for word in valid.split(", ").filter(|word| !matches!(*word, "data" | "report" | "source")) {
                let known = [
                    format!("`{word}`"),
                    format!("`{word}("),
                    format!("`\"{word}\"`"),
                    format!("`[{word}]`"),
                    format!("`[data.{word}]`"),
                ]
                .iter()
                .any(|w| page.contains(w));
                assert!(known, "{word} of {message}");
            }
        }
    }

    #[test]
    fn every_recipe_of_the_repository_is_valid() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
        let files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        assert!(files.len() >= 18, "{files:?}");
        for file in files {
            // Reading builds the net, the loss and the optimiser.
            let recipe = Recipe::from_file(&file).unwrap_or_else(|e| panic!("{e}"));
            assert!(!recipe.name.is_empty());
        }
    }
}
