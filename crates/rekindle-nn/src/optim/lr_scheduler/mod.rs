//! Learning-rate schedulers: `torch.optim.lr_scheduler`, with its arithmetic.
//!
//! A scheduler is made from the optimiser whose learning rates it governs (some set the first rate at once) and steps
//! after it, usually once per epoch. As in PyTorch most compute the new rate from the present one, so several can
//! be used together; all numbers are `f64`.

mod cosine;
mod factors;
mod one_cycle;
mod plateau;

pub use cosine::{CosineAnnealingLR, CosineAnnealingWarmRestarts};
pub use factors::{ConstantLR, ExponentialLR, LambdaLR, LinearLR, MultiStepLR, PolynomialLR, StepLR};
pub use one_cycle::{Anneal, OneCycle, OneCycleLR};
pub use plateau::ReduceLROnPlateau;

use super::state::Reader;
use super::{Optimizer, ParamGroup};
use crate::state_dict::{StateDict, StateDictError};
use rekindle_tensor::{DType, Tensor, mistake};

/// Changes the learning rates of an optimiser as training goes on.
///
/// ```
/// use rekindle_nn::optim::lr_scheduler::{LRScheduler, StepLR};
/// use rekindle_nn::optim::{Optimizer, SGD};
/// use rekindle_nn::{Linear, Parameters};
///
/// let mut optimizer = SGD::new(Linear::new(2, 1).parameters(), 0.1);
/// let mut scheduler = StepLR::new(&mut optimizer, 2, 0.5);
/// let mut rates = Vec::new();
/// for _epoch in 0..4 {
///     rates.push(optimizer.lr());
///     optimizer.step();
///     scheduler.step(&mut optimizer);
/// }
/// assert_eq!(rates, [0.1, 0.1, 0.05, 0.05]);
/// ```
pub trait LRScheduler {
    /// Goes on to the next epoch (or step) and sets the learning rates.
    fn step(&mut self, optimizer: &mut dyn Optimizer);

    /// Everything that the next steps depend on, beside the options and the optimiser's state.
    fn state_dict(&self) -> StateDict;

    /// Takes back what [`state_dict`](LRScheduler::state_dict) returned. Make the scheduler first, then load the
    /// optimiser's state: making a scheduler may set learning rates.
    ///
    /// # Errors
    /// If the state is that of another scheduler; nothing is changed then.
    fn load_state_dict(&mut self, state: &StateDict) -> Result<(), StateDictError>;
}

/// How one kind of scheduler sets the learning rate: what distinguishes them.
///
/// Every `Schedule` is an [`LRScheduler`]; implement it to write your own, and end its constructor with [`attach`].
///
/// ```
/// use rekindle_nn::optim::lr_scheduler::{Clock, LRScheduler, Schedule, attach};
/// use rekindle_nn::optim::{Optimizer, SGD};
/// use rekindle_nn::{Linear, Parameters};
///
/// /// Divides the first rate by the root of the number of steps.
/// #[derive(Clone)]
/// struct InverseSqrtLR {
///     clock: Clock,
/// }
///
/// impl InverseSqrtLR {
///     fn new(optimizer: &mut dyn Optimizer) -> InverseSqrtLR {
///         attach(InverseSqrtLR { clock: Clock::default() }, optimizer)
///     }
/// }
///
/// impl Schedule for InverseSqrtLR {
///     fn clock(&self) -> &Clock {
///         &self.clock
///     }
///     fn clock_mut(&mut self) -> &mut Clock {
///         &mut self.clock
///     }
///     fn lr(&self, t: u64, _lr: f64, base_lr: f64) -> f64 {
///         base_lr / (t as f64 + 1.0).sqrt()
///     }
/// }
///
/// let mut optimizer = SGD::new(Linear::new(2, 1).parameters(), 0.1);
/// let mut scheduler = InverseSqrtLR::new(&mut optimizer);
/// (0..3).for_each(|_| scheduler.step(&mut optimizer));
/// assert_eq!(optimizer.lr(), 0.05);
/// assert_eq!(scheduler.clock().last_epoch(), 3);
/// ```
pub trait Schedule {
    /// The count of steps and the first rates.
    fn clock(&self) -> &Clock;

    /// The count of steps and the first rates.
    fn clock_mut(&mut self) -> &mut Clock;

    /// The learning rate at step `t` (0 when the scheduler is made), given the present one and the first one.
    fn lr(&self, t: u64, lr: f64, base_lr: f64) -> f64;

    /// Moves further counters on, before the rates are set.
    fn advance(&mut self) {}

    /// Changes more of a group than its learning rate.
    fn adjust(&self, _t: u64, _group: &mut ParamGroup) {}

    /// Further counters, to be saved.
    fn counters(&mut self) -> Vec<(&'static str, &mut f64)> {
        Vec::new()
    }
}

/// The number of steps that a scheduler has made, and the learning rates before the first.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    last_epoch: u64,
    base_lrs: Vec<f64>,
}

impl Clock {
    /// The number of steps so far.
    pub fn last_epoch(&self) -> u64 {
        self.last_epoch
    }

    /// The first learning rate of every group.
    pub fn base_lrs(&self) -> &[f64] {
        &self.base_lrs
    }
}

/// Gives a new scheduler the optimiser's first rates and sets those of step 0; see [`Schedule`].
#[track_caller]
pub fn attach<S: Schedule>(mut scheduler: S, optimizer: &mut dyn Optimizer) -> S {
    let groups = optimizer.param_groups_mut();
    let base_lrs = groups.iter_mut().map(|group| *group.initial_lr.get_or_insert(group.lr)).collect();
    *scheduler.clock_mut() = Clock { last_epoch: 0, base_lrs };
    set(&scheduler, optimizer);
    scheduler
}

/// Sets the rates of the scheduler's present step.
#[track_caller]
fn set(scheduler: &impl Schedule, optimizer: &mut dyn Optimizer) {
    let (clock, groups) = (scheduler.clock(), optimizer.param_groups_mut());
    if clock.base_lrs.len() != groups.len() {
        mistake!(
            "lr_scheduler: made for {} parameter groups, given an optimizer with {}; pass the same one",
            clock.base_lrs.len(),
            groups.len()
        );
    }
    for (group, &base_lr) in groups.iter_mut().zip(&clock.base_lrs) {
        group.lr = scheduler.lr(clock.last_epoch, group.lr, base_lr);
        scheduler.adjust(clock.last_epoch, group);
    }
}

impl<S: Schedule + Clone> LRScheduler for S {
    #[track_caller]
    fn step(&mut self, optimizer: &mut dyn Optimizer) {
        self.clock_mut().last_epoch += 1;
        self.advance();
        set(self, optimizer);
    }

    fn state_dict(&self) -> StateDict {
        let clock = self.clock();
        let mut dict = StateDict::new();
        dict.insert("last_epoch", Tensor::full([], clock.last_epoch as i64));
        dict.insert("base_lrs", Tensor::from_vec(clock.base_lrs.clone(), clock.base_lrs.len()));
        for (name, value) in self.clone().counters() {
            dict.insert(name, Tensor::full_of([], *value, DType::F64));
        }
        dict
    }

    fn load_state_dict(&mut self, state: &StateDict) -> Result<(), StateDictError> {
        let mut loaded = self.clone();
        let mut reader = Reader::new(state);
        let clock = loaded.clock_mut();
        if let Some(t) = reader.take("last_epoch", &[], true) {
            clock.last_epoch = t.item::<i64>() as u64;
        }
        if let Some(t) = reader.take("base_lrs", &[clock.base_lrs.len()], true) {
            clock.base_lrs = t.to_f64_vec();
        }
        for (name, value) in loaded.counters() {
            if let Some(t) = reader.take(name, &[], true) {
                *value = t.item();
            }
        }
        reader.finish()?;
        *self = loaded;
        Ok(())
    }
}

/// The accessors of [`Schedule`].
macro_rules! clock {
    () => {
        fn clock(&self) -> &Clock {
            &self.clock
        }
        fn clock_mut(&mut self) -> &mut Clock {
            &mut self.clock
        }
    };
}
use clock;
