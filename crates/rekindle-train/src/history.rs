//! The figures of training: of one pass, of one epoch.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// Loss and accuracy on one part of the data. Accuracies are fractions from 0 to 1; regression has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// The loss.
    pub loss: f64,
    /// The fraction of samples that are right.
    pub accuracy: Option<f64>,
}

/// The figures of one epoch.
#[derive(Clone, Debug)]
pub struct EpochRow {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The updates so far.
    pub step: usize,
    /// The mean of the losses of the epoch's training steps, and the accuracy on the training data; see
    /// [`Measured`](crate::Measured).
    pub train: Figures,
    /// The figures of the validation data, if there is any.
    pub validation: Option<Figures>,
    /// The figures that were asked for beside loss and accuracy, under their names, such as `val_f1_macro`.
    pub metrics: Vec<(String, f64)>,
    /// The figures of the test data, if they are watched.
    pub test: Option<Figures>,
    /// The learning rate.
    pub lr: f64,
    /// Seconds since the start of training.
    pub seconds: f64,
    /// Whether the recipe reports the epoch; others are kept for the curves only.
    pub reported: bool,
}

impl EpochRow {
    /// The figures with their names, which are the columns of `metrics.csv`; none where something was not measured.
    pub fn columns(&self) -> Vec<(&str, Option<f64>)> {
        let loss = |figures: Option<Figures>| figures.map(|f| f.loss);
        let acc = |figures: Option<Figures>| figures.and_then(|f| f.accuracy);
        let train = Some(self.train);
        let mut all = vec![
            ("epoch", Some(self.epoch as f64)),
            ("step", Some(self.step as f64)),
            ("train_loss", loss(train)),
            ("train_acc", acc(train)),
            ("val_loss", loss(self.validation)),
            ("val_acc", acc(self.validation)),
        ];
        all.extend(self.metrics.iter().map(|(name, value)| (name.as_str(), Some(*value))));
        all.extend([
            ("test_loss", loss(self.test)),
            ("test_acc", acc(self.test)),
            ("lr", Some(self.lr)),
            ("time", Some(self.seconds)),
        ]);
        all
    }

    /// The figures that were measured, with their names.
    pub fn fields(&self) -> impl Iterator<Item = (&str, f64)> {
        self.columns().into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    /// The figures as one line of JSON, an object.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("names are text")
    }
}

impl Serialize for EpochRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_map(None)?;
        for (name, value) in self.fields() {
            match name {
                "epoch" | "step" => all.serialize_entry(name, &(value as u64))?,
                _ => all.serialize_entry(name, &value)?,
            }
        }
        all.end()
    }
}

/// Sums over the samples of an epoch.
/// What is known of a batch after its step.
pub(crate) struct Batch {
    pub(crate) loss: f64,
    /// How many samples were right, if that was counted.
    pub(crate) correct: Option<usize>,
    pub(crate) samples: usize,
}

#[derive(Default)]
pub(crate) struct Sums {
    pub(crate) loss: f64,
    pub(crate) batches: usize,
    pub(crate) correct: Option<usize>,
    pub(crate) samples: usize,
}

impl Sums {
    pub(crate) fn add(&mut self, batch: Batch) {
        self.loss += batch.loss;
        self.batches += 1;
        self.samples += batch.samples;
        if let Some(n) = batch.correct {
            *self.correct.get_or_insert_default() += n;
        }
    }

    /// The mean of the batches' losses, and the accuracy.
    pub(crate) fn figures(&self) -> Figures {
        let accuracy = self.correct.map(|n| n as f64 / self.samples as f64);
        Figures { loss: self.loss / self.batches as f64, accuracy }
    }
}
