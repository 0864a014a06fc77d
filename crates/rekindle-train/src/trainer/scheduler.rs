//! When the learning rate changes: after each update, after each epoch, or when a figure stops improving.

use crate::error::Error;
use crate::history::EpochRow;
use crate::observer::Monitor;
use rekindle_nn::optim::Optimizer;
use rekindle_nn::optim::lr_scheduler::{LRScheduler, ReduceLROnPlateau};
use rekindle_nn::{StateDict, StateDictError};
use rekindle_tensor::Tensor;

/// A schedule of the learning rate, and when it steps.
pub(crate) enum Scheduler {
    /// After each epoch.
    Epoch(Box<dyn LRScheduler>),
    /// After each update.
    Step(Box<dyn LRScheduler>),
    /// After each epoch that is measured, by its figure.
    Plateau(ReduceLROnPlateau, Monitor),
}

impl Scheduler {
    pub(crate) fn after_step(&mut self, optimizer: &mut dyn Optimizer) {
        if let Scheduler::Step(scheduler) = self {
            scheduler.step(optimizer);
        }
    }

    pub(crate) fn after_epoch(
        &mut self,
        row: Option<&EpochRow>,
        optimizer: &mut dyn Optimizer,
    ) -> Result<(), Error> {
        match (self, row) {
            (Scheduler::Epoch(scheduler), _) => scheduler.step(optimizer),
            (Scheduler::Plateau(scheduler, monitor), Some(row)) => {
                let figure = monitor.value(row).map_err(|e| e.at("ReduceLROnPlateau"))?;
                scheduler.step(optimizer, figure);
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes the steps that were taken again, from the rates that it began with, because its length may follow that of the run, and
    /// most rates are computed from the one before.
    pub(super) fn catch_up(
        &mut self,
        first: &[f64],
        optimizer: &mut dyn Optimizer,
    ) -> Result<(), StateDictError> {
        let (Scheduler::Epoch(scheduler) | Scheduler::Step(scheduler)) = self else { return Ok(()) };
        let mut state = scheduler.state_dict();
        let steps = state.get("last_epoch").map_or(0, |t| t.item::<i64>());
        state.insert("last_epoch", Tensor::full([], 0i64));
        scheduler.load_state_dict(&state)?;
        optimizer.param_groups_mut().iter_mut().zip(first).for_each(|(group, &lr)| group.lr = lr);
        (0..steps).for_each(|_| scheduler.step(optimizer));
        Ok(())
    }

    pub(super) fn state_dict(&self) -> StateDict {
        match self {
            Scheduler::Epoch(scheduler) | Scheduler::Step(scheduler) => scheduler.state_dict(),
            Scheduler::Plateau(scheduler, _) => scheduler.state_dict(),
        }
    }

    pub(super) fn load_state_dict(&mut self, state: &StateDict) -> Result<(), StateDictError> {
        match self {
            Scheduler::Epoch(scheduler) | Scheduler::Step(scheduler) => scheduler.load_state_dict(state),
            Scheduler::Plateau(scheduler, _) => scheduler.load_state_dict(state),
        }
    }
}
