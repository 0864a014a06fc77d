//! Schedulers that multiply the learning rate by a factor.

use super::{Clock, Schedule, attach, clock};
use crate::optim::Optimizer;
use rekindle_tensor::mistake;
use std::fmt;
use std::sync::Arc;

/// Multiplies the learning rate by `gamma` every `step_size` steps.
///
/// ```
/// # use rekindle_nn::{optim::{lr_scheduler::*, *}, Linear, Parameters};
/// # let mut optimizer = SGD::new(Linear::new(2, 1).parameters(), 0.1);
/// let mut scheduler = StepLR::new(&mut optimizer, 30, 0.1);
/// scheduler.step(&mut optimizer);
/// ```
#[derive(Clone, Debug)]
pub struct StepLR {
    clock: Clock,
    step_size: u64,
    gamma: f64,
}

impl StepLR {
    /// PyTorch's default `gamma` is 0.1.
    ///
    /// # Panics
    /// If `step_size` is 0.
    #[track_caller]
    pub fn new(optimizer: &mut dyn Optimizer, step_size: u64, gamma: f64) -> StepLR {
        if step_size == 0 {
            mistake!("step_lr: step_size must be at least 1, got 0");
        }
        attach(StepLR { clock: Clock::default(), step_size, gamma }, optimizer)
    }
}

impl Schedule for StepLR {
    clock!();
    fn lr(&self, t: u64, lr: f64, _: f64) -> f64 {
        if t == 0 || !t.is_multiple_of(self.step_size) { lr } else { lr * self.gamma }
    }
}

/// Multiplies the learning rate by `gamma` at each milestone.
///
/// ```
/// # use rekindle_nn::{optim::{lr_scheduler::*, *}, Linear, Parameters};
/// # let mut optimizer = SGD::new(Linear::new(2, 1).parameters(), 0.1);
/// let mut scheduler = MultiStepLR::new(&mut optimizer, [30, 80], 0.1);
/// scheduler.step(&mut optimizer);
/// ```
#[derive(Clone, Debug)]
pub struct MultiStepLR {
    clock: Clock,
    milestones: Vec<u64>,
    gamma: f64,
}

impl MultiStepLR {
    /// PyTorch's default `gamma` is 0.1. A milestone that is named twice counts twice.
    pub fn new(
        optimizer: &mut dyn Optimizer,
        milestones: impl IntoIterator<Item = u64>,
        gamma: f64,
    ) -> MultiStepLR {
        let milestones = milestones.into_iter().collect();
        attach(MultiStepLR { clock: Clock::default(), milestones, gamma }, optimizer)
    }
}

impl Schedule for MultiStepLR {
    clock!();
    fn lr(&self, t: u64, lr: f64, _: f64) -> f64 {
        match self.milestones.iter().filter(|&&m| m == t).count() {
            0 => lr,
            n => lr * self.gamma.powf(n as f64),
        }
    }
}

/// Multiplies the learning rate by `gamma` at every step.
///
/// ```
/// # use rekindle_nn::{optim::{lr_scheduler::*, *}, Linear, Parameters};
/// # let mut optimizer = SGD::new(Linear::new(2, 1).parameters(), 0.1);
/// let mut scheduler = ExponentialLR::new(&mut optimizer, 0.9);
/// scheduler.step(&mut optimizer);
/// assert_eq!(optimizer.lr(), 0.1 * 0.9);
/// ```
#[derive(Clone, Debug)]
pub struct ExponentialLR {
    clock: Clock,
    gamma: f64,
}

impl ExponentialLR {
    /// A decay by the factor `gamma` per step.
    pub fn new(optimizer: &mut dyn Optimizer, gamma: f64) -> ExponentialLR {
        attach(ExponentialLR { clock: Clock::default(), gamma }, optimizer)
    }
}

impl Schedule for ExponentialLR {
    clock!();
    fn lr(&self, t: u64, lr: f64, _: f64) -> f64 {
        if t == 0 { lr } else { lr * self.gamma }
    }
}

/// Multiplies the learning rate by `factor` until step `total_iters`.
///
/// ```
/// # use rekindle_nn::{optim::{lr_scheduler::*, *}, Linear, Parameters};
/// # let mut optimizer = SGD::new(Linear::new(2, 1).parameters(), 0.1);
/// let scheduler = ConstantLR::new(&mut optimizer, 0.5, 4);
/// assert_eq!(optimizer.lr(), 0.05);
/// ```
#[derive(Clone, Debug)]
pub struct ConstantLR {
    clock: Clock,
    factor: f64,
    total_iters: u64,
}

impl ConstantLR {
    /// PyTorch's defaults: a third, for 5 steps.
    ///
    /// # Panics
    /// If `factor` is not in \[0, 1\].
    #[track_caller]
    pub fn new(optimizer: &mut dyn Optimizer, factor: f64, total_iters: u64) -> ConstantLR {
        if !(0.0..=1.0).contains(&factor) {
            mistake!("constant_lr: factor must lie in [0, 1], got {factor}");
        }
        attach(ConstantLR { clock: Clock::default(), factor, total_iters }, optimizer)
    }
}

impl Schedule for ConstantLR {
    clock!();
    fn lr(&self, t: u64, lr: f64, _: f64) -> f64 {
        match t {
            0 => lr * self.factor,
            _ if t == self.total_iters => lr * (1.0 / self.factor),
            _ => lr,
        }
    }
}

/// Moves the factor of the learning rate from `start_factor` to `end_factor` in `total_iters` equal steps: a warm-up.
///
/// ```
/// # use rekindle_nn::{optim::{lr_scheduler::*, *}, Linear, Parameters};
/// # let mut optimizer = SGD::new(Linear::new(2, 1).parameters(), 0.1);
/// let scheduler = LinearLR::new(&mut optimizer, 0.5, 1.0, 4);
/// assert_eq!(optimizer.lr(), 0.05);
/// ```
#[derive(Clone, Debug)]
pub struct LinearLR {
    clock: Clock,
    start: f64,
    end: f64,
    total_iters: f64,
}

impl LinearLR {
    /// PyTorch's defaults: from a third to 1 in 5 steps.
    ///
    /// # Panics
    /// If `start_factor` is not in (0, 1] or `end_factor` not in \[0, 1\].
    #[track_caller]
    pub fn new(
        optimizer: &mut dyn Optimizer,
        start_factor: f64,
        end_factor: f64,
        total_iters: u64,
    ) -> LinearLR {
        let fits = start_factor > 0.0 && start_factor <= 1.0 && (0.0..=1.0).contains(&end_factor);
        if !fits {
            mistake!(
                "linear_lr: start_factor must lie in (0, 1] and end_factor in [0, 1], got {start_factor} and {end_factor}"
            );
        }
        let total_iters = total_iters as f64;
        attach(
            LinearLR { clock: Clock::default(), start: start_factor, end: end_factor, total_iters },
            optimizer,
        )
    }
}

impl Schedule for LinearLR {
    clock!();
    fn lr(&self, t: u64, lr: f64, _: f64) -> f64 {
        let (t, rise) = (t as f64, self.end - self.start);
        match () {
            _ if t == 0.0 => lr * self.start,
            _ if t > self.total_iters => lr,
            _ => lr * (1.0 + rise / (self.total_iters * self.start + (t - 1.0) * rise)),
        }
    }
}

/// Lets the learning rate fall to zero as `(1 - t/total_iters)^power`.
///
/// ```
/// # use rekindle_nn::{optim::{lr_scheduler::*, *}, Linear, Parameters};
/// # let mut optimizer = SGD::new(Linear::new(2, 1).parameters(), 0.1);
/// let mut scheduler = PolynomialLR::new(&mut optimizer, 2, 1.0);
/// scheduler.step(&mut optimizer);
/// assert_eq!(optimizer.lr(), 0.05);
/// ```
#[derive(Clone, Debug)]
pub struct PolynomialLR {
    clock: Clock,
    total_iters: f64,
    power: f64,
}

impl PolynomialLR {
    /// PyTorch's defaults: 5 steps, power 1.
    pub fn new(optimizer: &mut dyn Optimizer, total_iters: u64, power: f64) -> PolynomialLR {
        attach(PolynomialLR { clock: Clock::default(), total_iters: total_iters as f64, power }, optimizer)
    }
}

impl Schedule for PolynomialLR {
    clock!();
    fn lr(&self, t: u64, lr: f64, _: f64) -> f64 {
        let (t, total) = (t as f64, self.total_iters);
        if t == 0.0 || t > total {
            return lr;
        }
        lr * ((1.0 - t / total) / (1.0 - (t - 1.0) / total)).powf(self.power)
    }
}

/// Multiplies the first learning rate by a function of the step.
///
/// ```
/// # use rekindle_nn::{optim::{lr_scheduler::*, *}, Linear, Parameters};
/// # let mut optimizer = SGD::new(Linear::new(2, 1).parameters(), 0.1);
/// let mut scheduler = LambdaLR::new(&mut optimizer, |t| 0.95f64.powf(t as f64));
/// scheduler.step(&mut optimizer);
/// assert_eq!(optimizer.lr(), 0.1 * 0.95);
/// ```
#[derive(Clone)]
pub struct LambdaLR {
    clock: Clock,
    factor: Arc<dyn Fn(u64) -> f64 + Send + Sync>,
}

impl LambdaLR {
    /// A schedule by any function.
    pub fn new(
        optimizer: &mut dyn Optimizer,
        factor: impl Fn(u64) -> f64 + Send + Sync + 'static,
    ) -> LambdaLR {
        attach(LambdaLR { clock: Clock::default(), factor: Arc::new(factor) }, optimizer)
    }
}

impl Schedule for LambdaLR {
    clock!();
    fn lr(&self, t: u64, _: f64, base_lr: f64) -> f64 {
        base_lr * (self.factor)(t)
    }
}

impl fmt::Debug for LambdaLR {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LambdaLR").field("clock", &self.clock).finish_non_exhaustive()
    }
}
