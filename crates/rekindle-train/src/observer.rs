//! Who watches a training: one small trait, and those who are usually there.

use crate::error::Error;
use crate::history::EpochRow;
use rekindle_nn::{Parameters, StateDict};

/// Whether training goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It does.
    Continue,
    /// It ends after this epoch.
    Stop,
}

/// A finished batch.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The batch in its epoch, counted from 1.
    pub batch: usize,
    /// The batches of an epoch.
    pub batches: usize,
}

/// Somebody who watches a training: a table, a progress bar, a log, a judge of when it is enough. Every method does nothing
/// until it is written.
///
/// ```
/// use rekindle_nn::Parameters;
/// use rekindle_train::{EpochRow, Error, Flow, Observer};
///
/// struct Table;
///
/// impl Observer for Table {
///     fn epoch(&mut self, row: &EpochRow, _: &dyn Parameters) -> Result<Flow, Error> {
///         println!("{:>5} {:.5}", row.epoch, row.train.loss);
///         Ok(Flow::Continue)
///     }
/// }
/// ```
pub trait Observer {
    /// A batch was trained on.
    fn step(&mut self, _: &Step) {}

    /// An epoch was trained and measured; the net is in evaluation mode.
    ///
    /// # Errors
    /// What the observer cannot go on with; training ends with it.
    fn epoch(&mut self, _: &EpochRow, _: &dyn Parameters) -> Result<Flow, Error> {
        Ok(Flow::Continue)
    }

    /// Training has ended, well or not.
    ///
    /// # Errors
    /// What the observer could not bring to its end.
    fn end(&mut self, _: &dyn Parameters) -> Result<(), Error> {
        Ok(())
    }
}

/// Ends training when a figure has not become better for some epochs, and puts the best weights back
/// (Prechelt, "Early Stopping - But When?", 1998).
///
/// It watches the validation loss, or the training loss where there is no validation data.
///
/// ```
/// use rekindle_train::EarlyStopping;
/// let stopping = EarlyStopping::new().monitor("val_acc").patience(5).min_delta(0.001).restore_best(false);
/// ```
#[derive(Clone, Debug)]
pub struct EarlyStopping {
    monitor: Option<String>,
    patience: usize,
    min_delta: f64,
    restore_best: bool,
    best: Option<(f64, StateDict)>,
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
        EarlyStopping {
            monitor: None,
            patience: 5,
            min_delta: 0.0,
            restore_best: true,
            best: None,
            waited: 0,
        }
    }

    /// Watches another figure of [`EpochRow::fields`], such as `val_acc`. Accuracies grow, all others shrink.
    pub fn monitor(mut self, figure: &str) -> Self {
        self.monitor = Some(figure.to_string());
        self
    }

    /// How many epochs without improvement are borne.
    pub fn patience(mut self, epochs: usize) -> Self {
        self.patience = epochs;
        self
    }

    /// Smaller changes are no improvement.
    pub fn min_delta(mut self, delta: f64) -> Self {
        self.min_delta = delta;
        self
    }

    /// Whether the weights of the best epoch are put back at the end.
    pub fn restore_best(mut self, restore: bool) -> Self {
        self.restore_best = restore;
        self
    }

    /// The figure as something that shrinks.
    fn figure(&self, row: &EpochRow) -> Result<f64, Error> {
        let find = |name: &str| row.fields().find(|(n, _)| *n == name).map(|(_, value)| value);
        match &self.monitor {
            None => Ok(find("val_loss").unwrap_or(row.train.loss)),
            Some(name) => match find(name) {
                Some(value) if name.ends_with("acc") => Ok(-value),
                Some(value) => Ok(value),
                None => {
                    let names: Vec<&str> = row.fields().map(|(name, _)| name).collect();
                    Err(Error::Recipe(format!(
                        "EarlyStopping: there is no `{name}` to monitor; there are {}",
                        names.join(", ")
                    )))
                }
            },
        }
    }
}

impl Observer for EarlyStopping {
    fn epoch(&mut self, row: &EpochRow, net: &dyn Parameters) -> Result<Flow, Error> {
        let figure = self.figure(row)?;
        let better = self.best.as_ref().is_none_or(|(best, _)| figure < best - self.min_delta);
        if better {
            let weights = if self.restore_best { copies(&net.state_dict()) } else { StateDict::new() };
            self.best = Some((figure, weights));
            self.waited = 0;
        } else {
            self.waited += 1;
        }
        Ok(if self.waited > self.patience { Flow::Stop } else { Flow::Continue })
    }

    fn end(&mut self, net: &dyn Parameters) -> Result<(), Error> {
        match self.best.take() {
            Some((_, weights)) if self.restore_best => {
                net.load_state_dict(&weights).map_err(|e| Error::Recipe(format!("EarlyStopping: {e}")))
            }
            _ => Ok(()),
        }
    }
}

/// Weights that do not change when the net learns on.
fn copies(weights: &StateDict) -> StateDict {
    let mut copies = StateDict::new();
    weights.iter().for_each(|(name, tensor)| copies.insert(name, tensor.copy()));
    copies
}
