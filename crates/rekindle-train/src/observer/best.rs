//! The best epoch so far: which figure says so, and the weights it had.

use super::{Flow, Observer};
use crate::error::Error;
use crate::figures::grows;
use crate::history::EpochRow;
use crate::signature::Signature;
use rekindle_nn::{Parameters, StateDict};
use rekindle_tensor::{DType, Tensor};
use std::path::PathBuf;

/// A figure that says which epoch is better: the validation loss, or the training loss where there is no validation data,
/// unless another is named.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Monitor {
    figure: Option<String>,
    min_delta: f64,
}

impl Monitor {
    /// A figure of [`EpochRow::fields`], such as `val_acc`. Losses and errors shrink, all others grow.
    pub fn of(figure: &str) -> Monitor {
        Monitor { figure: Some(figure.to_string()), min_delta: 0.0 }
    }

    pub(super) fn watch(&mut self, figure: &str) {
        self.figure = Some(figure.to_string());
    }

    /// Smaller changes are no improvement.
    pub fn min_delta(mut self, delta: f64) -> Self {
        self.min_delta = delta;
        self
    }

    pub(super) fn delta(&self) -> f64 {
        self.min_delta
    }

    /// The figure as something that shrinks.
    pub(crate) fn value(&self, row: &EpochRow) -> Result<f64, Error> {
        let find = |name: &str| row.fields().find(|(n, _)| *n == name).map(|(_, value)| value);
        match &self.figure {
            None => Ok(find("val_loss").unwrap_or(row.train.loss)),
            Some(name) => match find(name) {
                Some(value) if grows(name) => Ok(-value),
                Some(value) => Ok(value),
                None => {
                    let names: Vec<&str> = row.fields().map(|(name, _)| name).collect();
                    Err(Error::Recipe(format!(
                        "there is no `{name}` to monitor; there are {}",
                        names.join(", ")
                    )))
                }
            },
        }
    }
}

/// The best epoch so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Best {
    pub(super) monitor: Monitor,
    /// Its number, its figure (as something that shrinks) and its weights, if they are kept.
    found: Option<(usize, f64, StateDict)>,
}

impl Best {
    /// Whether this epoch is better than all before; then it is the best.
    pub(super) fn update(
        &mut self,
        row: &EpochRow,
        weights: impl FnOnce() -> StateDict,
    ) -> Result<bool, Error> {
        let value = self.monitor.value(row)?;
        let better = self.found.as_ref().is_none_or(|(_, best, _)| value < best - self.monitor.min_delta);
        if better {
            self.found = Some((row.epoch, value, weights()));
        }
        Ok(better)
    }

    pub(super) fn weights(&self) -> Option<&StateDict> {
        self.found.as_ref().map(|(_, _, weights)| weights)
    }

    pub(super) fn state_dict(&self) -> StateDict {
        let mut all = StateDict::new();
        if let Some((epoch, value, weights)) = &self.found {
            all.insert("best", Tensor::from_vec(vec![*epoch as f64, *value], 2));
            all.extend_under("weights", weights);
        }
        all
    }

    pub(super) fn load_state_dict(&mut self, state: &StateDict) {
        let found = state.get("best").filter(|t| t.dtype() == DType::F64 && t.shape() == [2]);
        self.found = found.map(|t| {
            let [epoch, value] = [0, 1].map(|i| t.to_vec::<f64>()[i]);
            (epoch as usize, value, state.under("weights"))
        });
    }
}

/// Weights that do not change when the net learns on.
pub(super) fn copies(net: &dyn Parameters) -> StateDict {
    let mut copies = StateDict::new();
    net.state_dict().iter().for_each(|(name, tensor)| copies.insert(name, tensor.copy()));
    copies
}

/// Writes the weights of the best epoch into a file when training ends.
///
/// ```
/// use rekindle_train::{BestWeights, Monitor};
/// let best = BestWeights::new("best.safetensors").monitor(Monitor::of("val_acc"));
/// ```
#[derive(Clone, Debug)]
pub struct BestWeights {
    path: PathBuf,
    best: Best,
    signature: Option<Signature>,
}

impl BestWeights {
    /// Into this file, in the safetensors format.
    pub fn new(path: impl Into<PathBuf>) -> BestWeights {
        BestWeights { path: path.into(), best: Best::default(), signature: None }
    }

    /// What says which epoch is best.
    pub fn monitor(mut self, monitor: Monitor) -> Self {
        self.best.monitor = monitor;
        self
    }

    /// Keeps what has to be known about the data of the weights in the file, too.
    pub fn signature(mut self, signature: Signature) -> Self {
        self.signature = Some(signature);
        self
    }
}

impl Observer for BestWeights {
    fn begin(&mut self, like: &EpochRow) -> Result<(), Error> {
        self.best.monitor.value(like).map(drop)
    }

    fn epoch(&mut self, row: &EpochRow, net: &dyn Parameters) -> Result<Flow, Error> {
        self.best.update(row, || copies(net)).map(|_| Flow::Continue)
    }

    fn end(&mut self, _: &dyn Parameters) -> Result<(), Error> {
        let Some(weights) = self.best.weights() else { return Ok(()) };
        let mut weights = weights.clone();
        self.signature.iter().for_each(|signature| signature.write_to(&mut weights));
        Ok(weights.save(&self.path)?)
    }

    fn state_dict(&self) -> StateDict {
        self.best.state_dict()
    }

    fn load_state_dict(&mut self, state: &StateDict) -> Result<Flow, Error> {
        self.best.load_state_dict(state);
        Ok(Flow::Continue)
    }
}
