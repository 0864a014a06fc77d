//! Who watches a training: one small trait, and those who are usually there.

mod best;
mod early_stopping;
mod log;
mod progress;
mod table;

pub use best::{BestWeights, Monitor};
pub use early_stopping::EarlyStopping;
pub use log::{CsvLog, JsonLog};
pub use progress::Progress;
pub use table::Table;

use crate::error::Error;
use crate::history::EpochRow;
use rekindle_nn::{Parameters, StateDict};

/// Whether training goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flow {
    /// It does.
    Continue,
    /// It ends here: after this batch, or after this epoch.
    Stop,
}

/// A finished batch.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The last epoch, unless somebody stops before it.
    pub epochs: usize,
    /// The batch in its epoch, counted from 1.
    pub batch: usize,
    /// The batches of an epoch.
    pub batches: usize,
    /// The loss of the batch.
    pub loss: f64,
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
    /// Training is about to begin; `like` is like the rows that epochs will have, without their figures.
    ///
    /// # Errors
    /// If the observer cannot do with such rows; then nothing is trained.
    fn begin(&mut self, _: &EpochRow) -> Result<(), Error> {
        Ok(())
    }

    /// A batch was trained on.
    ///
    /// # Errors
    /// What the observer cannot go on with; training ends with it.
    fn step(&mut self, _: &Step) -> Result<Flow, Error> {
        Ok(Flow::Continue)
    }

    /// An epoch was trained and measured; the net is in evaluation mode.
    ///
    /// # Errors
    /// What the observer cannot go on with; training ends with it.
    fn epoch(&mut self, _: &EpochRow, _: &dyn Parameters) -> Result<Flow, Error> {
        Ok(Flow::Continue)
    }

    /// A checkpoint is about to be written, from which training may go on: what was written of the epochs before it must be on the disk.
    ///
    /// # Errors
    /// If it is not; then the checkpoint is not written, and training ends.
    fn checkpoint(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Training has ended, well or not.
    ///
    /// # Errors
    /// What the observer could not bring to its end.
    fn end(&mut self, _: &dyn Parameters) -> Result<(), Error> {
        Ok(())
    }

    /// What the observer has to remember when training is interrupted and goes on later; checkpoints hold it.
    fn state_dict(&self) -> StateDict {
        StateDict::new()
    }

    /// Takes back what [`state_dict`](Self::state_dict) gave, and says whether training may go on from there: whoever found
    /// that it was enough finds so again.
    ///
    /// # Errors
    /// If it is something else.
    fn load_state_dict(&mut self, _: &StateDict) -> Result<Flow, Error> {
        Ok(Flow::Continue)
    }
}
