//! The recipe: what to train, on what, and how, in one TOML file.

use crate::error::Error;
use serde::Deserialize;
use std::path::Path;

/// A training run, complete and repeatable. See `recipes/` for one of each kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// What is trained, in a few words.
    pub name: String,
    /// The seed of the default generator, set before the net is made.
    pub seed: i64,
    /// Passes over the training data.
    pub epochs: usize,
    /// The layers in PyTorch's words, such as `Linear(784, 32)`.
    pub net: Vec<String>,
    /// The loss in PyTorch's words, such as `BCEWithLogitsLoss`.
    pub loss: String,
    /// The optimiser in PyTorch's words, such as `SGD(lr=0.1)`.
    pub optimizer: String,
    /// Samples in a mini-batch; without it every step sees all of the data.
    pub batch_size: Option<usize>,
    /// Whether mini-batches are drawn in a new random order each epoch.
    #[serde(default)]
    pub shuffle: bool,
    /// The data.
    pub data: Source,
    /// Which epochs are reported, and how they are measured.
    #[serde(default)]
    pub report: Report,
}

/// Where the data comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "source", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source {
    /// scikit-learn's two concentric circles.
    Circles(Synthetic),
    /// scikit-learn's two half moons.
    Moons(Synthetic),
    /// scikit-learn's isotropic blobs.
    Blobs(Blobs),
    /// The straight line `y = 0.7 x + 0.3` of lecture 02 on `arange(0, 1, 0.01)`, the first 80 points to train on.
    Line {},
    /// Handwritten digits.
    Mnist(Images),
    /// Zalando's articles.
    FashionMnist(Images),
}

/// The parameters of circles and moons.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synthetic {
    /// Number of points.
    pub samples: usize,
    /// Standard deviation of the noise.
    pub noise: f64,
    /// The seed of the points and of the split.
    pub random_state: u32,
    /// The fraction of points that is kept for testing.
    pub test_size: f64,
}

/// The parameters of blobs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blobs {
    /// Number of points.
    pub samples: usize,
    /// Number of classes.
    pub centers: usize,
    /// Number of features.
    pub features: usize,
    /// Standard deviation within a class.
    pub cluster_std: f64,
    /// The seed of the points and of the split.
    pub random_state: u32,
    /// The fraction of points that is kept for testing.
    pub test_size: f64,
}

/// The choices for image data sets.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Images {
    /// Only these classes, one after the other and numbered in this order; all classes in the files' order without it.
    pub classes: Option<Vec<usize>>,
    /// Whether each image is given as one row of pixels.
    #[serde(default)]
    pub flatten: bool,
    /// How the labels are given to the loss.
    #[serde(default)]
    pub targets: Targets,
}

/// How class labels are given to the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Targets {
    /// As the loss expects them: floats 0 and 1 for binary losses, class indices for the others.
    #[default]
    Auto,
    /// One-hot rows of floats.
    OneHot,
}

/// What is reported of a run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Report {
    /// Every how many epochs.
    pub every: usize,
    /// The first reported epoch, counted from 1; by default the `every`-th.
    pub first: Option<usize>,
    /// What the figures of the training data are measured on.
    pub train: Measured,
}

impl Default for Report {
    fn default() -> Self {
        Report { every: 1, first: None, train: Measured::After }
    }
}

impl Report {
    /// Whether an epoch, counted from 1, is reported.
    pub fn includes(&self, epoch: usize) -> bool {
        let first = self.first.unwrap_or(self.every);
        epoch >= first && (epoch - first).is_multiple_of(self.every)
    }
}

/// What the accuracy on the training data is measured on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
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
    /// With line and column if a key is unknown or missing or a value does not fit.
    pub fn from_toml(text: &str) -> Result<Recipe, Error> {
        let recipe: Recipe =
            toml::from_str(text).map_err(|e| Error::Recipe(e.to_string().trim_end().to_string()))?;
        recipe.check().map_err(Error::Recipe)?;
        Ok(recipe)
    }

    /// Reads a recipe from a file.
    ///
    /// # Errors
    /// If the file cannot be read or is not a recipe; the message names the file.
    pub fn from_file(path: &Path) -> Result<Recipe, Error> {
        let text = std::fs::read_to_string(path).map_err(|cause| Error::Read { path: path.into(), cause })?;
        Recipe::from_toml(&text).map_err(|e| match e {
            Error::Recipe(message) => Error::Recipe(format!("{}: {message}", path.display())),
            other => other,
        })
    }

    /// Values that no run can use.
    fn check(&self) -> Result<(), String> {
        let wrong = |key: &str, value: String, hint: &str| Err(format!("{key} = {value}: {hint}"));
        if self.report.every == 0 {
            return wrong("report.every", "0".into(), "it must be at least 1");
        }
        if self.report.first == Some(0) {
            return wrong("report.first", "0".into(), "epochs count from 1");
        }
        if self.batch_size == Some(0) {
            return wrong("batch_size", "0".into(), "it must be at least 1; leave it out for full batches");
        }
        if self.shuffle && self.batch_size.is_none() {
            return wrong("shuffle", "true".into(), "full batches have no order; set batch_size");
        }
        match &self.data {
            Source::Circles(s) | Source::Moons(s) => check_split(s.samples, s.test_size)?,
            Source::Blobs(b) => check_split(b.samples, b.test_size)?,
            _ => {}
        }
        Ok(())
    }
}

fn check_split(samples: usize, test_size: f64) -> Result<(), String> {
    let test = (test_size * samples as f64).ceil();
    if !(0.0 < test_size && test_size < 1.0) || test < 1.0 || test >= samples as f64 {
        return Err(format!(
            "data.test_size = {test_size}: of {samples} samples it leaves nothing to train on or to test; use a fraction between 0 and 1"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_errors_with_a_place() {
        let text = crate::CIRCLES.replace("epochs", "epoch");
        let e = Recipe::from_toml(&text).unwrap_err().to_string();
        assert!(e.contains("line") && e.contains("unknown field `epoch`"), "{e}");
    }

    #[test]
    fn values_that_no_run_can_use_are_refused() {
        let says = |from: &str, to: &str| {
            Recipe::from_toml(&crate::CIRCLES.replace(from, to)).unwrap_err().to_string()
        };
        assert!(says("test_size = 0.2", "test_size = 2.0").starts_with("data.test_size = 2"));
        assert!(
            says("seed = 42", "seed = 42\nbatch_size = 0")
                .starts_with("batch_size = 0: it must be at least 1")
        );
        assert!(
            says("seed = 42", "seed = 42\nshuffle = true")
                .starts_with("shuffle = true: full batches have no order")
        );
    }

    #[test]
    fn reported_epochs_are_regular() {
        let epochs = |r: Report| (1..=10).filter(|&e| r.includes(e)).collect::<Vec<_>>();
        assert_eq!(epochs(Report { every: 4, ..Report::default() }), [4, 8]);
        assert_eq!(epochs(Report { every: 4, first: Some(1), ..Report::default() }), [1, 5, 9]);
    }
}
