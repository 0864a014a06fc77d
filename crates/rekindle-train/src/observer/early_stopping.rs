//! When it is enough.

use super::best::{Best, copies};
use super::{Flow, Monitor, Observer};
use crate::error::Error;
use crate::history::EpochRow;
use rekindle_nn::{Parameters, StateDict};
use rekindle_tensor::Tensor;

/// Ends training when a figure has not become better for some epochs, and puts the best weights back
/// (Prechelt, "Early Stopping - But When?", 1998).
///
/// It watches the validation loss, or the training loss where there is no validation data. With recorded or reported epochs
/// only, those are the epochs that it counts.
///
/// ```
/// use rekindle_train::EarlyStopping;
/// let stopping = EarlyStopping::new().monitor("val_acc").patience(5).min_delta(0.001).restore_best(false);
/// ```
#[derive(Clone, Debug)]
pub struct EarlyStopping {
    best: Best,
    patience: usize,
    restore_best: bool,
    waited: usize,
}

impl Default for EarlyStopping {
    fn default() -> Self {
        Self::new()
    }
}

impl EarlyStopping {
    /// Waits for five epochs, takes any improvement for one, and puts the best weights back.
    pub fn new() -> EarlyStopping {
        EarlyStopping { best: Best::default(), patience: 5, restore_best: true, waited: 0 }
    }

    /// Watches another figure of [`EpochRow::fields`], such as `val_acc`. Losses and errors shrink, all others grow.
    pub fn monitor(mut self, figure: &str) -> Self {
        self.best.monitor.watch(figure);
        self
    }

    /// Watches what a recipe says.
    pub(crate) fn watching(mut self, monitor: Monitor) -> Self {
        let delta = self.best.monitor.delta();
        self.best.monitor = monitor.min_delta(delta);
        self
    }

    /// After how many epochs in a row without improvement training ends, as in Keras and Lightning.
    pub fn patience(mut self, epochs: usize) -> Self {
        self.patience = epochs;
        self
    }

    /// Smaller changes are no improvement.
    pub fn min_delta(mut self, delta: f64) -> Self {
        self.best.monitor = std::mem::take(&mut self.best.monitor).min_delta(delta);
        self
    }

    /// Whether the weights of the best epoch are put back at the end.
    pub fn restore_best(mut self, restore: bool) -> Self {
        self.restore_best = restore;
        self
    }

    fn flow(&self) -> Flow {
        if self.waited >= self.patience.max(1) { Flow::Stop } else { Flow::Continue }
    }
}

impl Observer for EarlyStopping {
    fn begin(&mut self, like: &EpochRow) -> Result<(), Error> {
        self.best.monitor.value(like).map(drop).map_err(|e| e.at("EarlyStopping"))
    }

    fn epoch(&mut self, row: &EpochRow, net: &dyn Parameters) -> Result<Flow, Error> {
        let weights = || if self.restore_best { copies(net) } else { StateDict::new() };
        let better = self.best.update(row, weights).map_err(|e| e.at("EarlyStopping"))?;
        self.waited = if better { 0 } else { self.waited + 1 };
        Ok(self.flow())
    }

    fn end(&mut self, net: &dyn Parameters) -> Result<(), Error> {
        match self.best.weights() {
            Some(weights) if self.restore_best => {
                net.load_state_dict(weights).map_err(|e| Error::Recipe(format!("EarlyStopping: {e}")))
            }
            _ => Ok(()),
        }
    }

    fn state_dict(&self) -> StateDict {
        let mut state = self.best.state_dict();
        state.insert("waited", Tensor::full([], self.waited as i64));
        state
    }

    fn load_state_dict(&mut self, state: &StateDict) -> Result<Flow, Error> {
        self.best.load_state_dict(state);
        self.waited = state.get("waited").map_or(0, |t| t.item::<i64>().max(0) as usize);
        Ok(self.flow())
    }
}
