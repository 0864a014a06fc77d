//! The one-cycle policy. Source: L. Smith and N. Topin, Super-Convergence, 2018.

use super::{Clock, Schedule, attach, clock};
use crate::optim::{Optimizer, ParamGroup};
use rekindle_tensor::mistake;
use std::f64::consts::PI;

/// The shape of the way between two learning rates.
///
/// ```
/// use rekindle_nn::optim::lr_scheduler::{Anneal, OneCycle};
/// let options = OneCycle { anneal: Anneal::Linear, ..OneCycle::default() };
/// assert_ne!(options.anneal, Anneal::Cos);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anneal {
    /// Half a cosine.
    Cos,
    /// A straight line.
    Linear,
}

impl Anneal {
    fn between(self, start: f64, end: f64, part: f64) -> f64 {
        match self {
            Anneal::Cos => end + (start - end) / 2.0 * ((PI * part).cos() + 1.0),
            Anneal::Linear => (end - start) * part + start,
        }
    }
}

/// The options of [`OneCycleLR`], with PyTorch's defaults.
///
/// ```
/// use rekindle_nn::optim::lr_scheduler::OneCycle;
/// let options = OneCycle { three_phase: true, ..OneCycle::default() };
/// assert_eq!((options.pct_start, options.div_factor), (0.3, 25.0));
/// ```
#[derive(Clone, Debug)]
pub struct OneCycle {
    /// The part of the steps that the rise takes: 0.3.
    pub pct_start: f64,
    /// The shape of rise and fall: a cosine.
    pub anneal: Anneal,
    /// Whether momentum (the first beta) falls while the rate rises and rises while it falls: yes.
    pub cycle_momentum: bool,
    /// The lowest momentum: 0.85.
    pub base_momentum: f64,
    /// The highest momentum: 0.95.
    pub max_momentum: f64,
    /// The highest rate divided by the first: 25.
    pub div_factor: f64,
    /// The first rate divided by the last: 10000.
    pub final_div_factor: f64,
    /// Whether the rate first falls as it rose and then to its last value: no.
    pub three_phase: bool,
}

impl Default for OneCycle {
    fn default() -> Self {
        OneCycle {
            pct_start: 0.3,
            anneal: Anneal::Cos,
            cycle_momentum: true,
            base_momentum: 0.85,
            max_momentum: 0.95,
            div_factor: 25.0,
            final_div_factor: 1e4,
            three_phase: false,
        }
    }
}

/// Lets the learning rate rise to `max_lr` and fall far below its first value, once, in `total_steps` steps; step it
/// after every batch.
///
/// ```
/// # use rekindle_nn::{optim::{lr_scheduler::*, *}, Linear, Parameters};
/// # let mut optimizer = SGD::new(Linear::new(2, 1).parameters(), 0.1);
/// let options = OneCycle { pct_start: 0.5, ..OneCycle::default() };
/// let mut scheduler = OneCycleLR::with(&mut optimizer, 0.5, 20, options);
/// assert!((optimizer.lr() - 0.02).abs() < 1e-12);
/// for _ in 0..9 {
///     scheduler.step(&mut optimizer);
/// }
/// assert_eq!(optimizer.lr(), 0.5);
/// ```
#[derive(Clone, Debug)]
pub struct OneCycleLR {
    clock: Clock,
    max_lr: f64,
    total_steps: u64,
    options: OneCycle,
}

/// A stretch of the cycle: its last step, the rates and the momenta at its ends.
struct Phase {
    end: f64,
    lr: (f64, f64),
    momentum: (f64, f64),
}

impl OneCycleLR {
    /// With PyTorch's defaults.
    ///
    /// # Panics
    /// As [`with`](OneCycleLR::with).
    #[track_caller]
    pub fn new(optimizer: &mut dyn Optimizer, max_lr: f64, total_steps: u64) -> OneCycleLR {
        OneCycleLR::with(optimizer, max_lr, total_steps, OneCycle::default())
    }

    /// With the given options.
    ///
    /// # Panics
    /// If `total_steps` is 0 or `pct_start` not in \[0, 1\]; if a part of the cycle would have no steps, as the rise
    /// of 10 steps with `pct_start` 0.1; if `cycle_momentum` is on and the optimiser has neither momentum nor betas.
    #[track_caller]
    pub fn with(
        optimizer: &mut dyn Optimizer,
        max_lr: f64,
        total_steps: u64,
        options: OneCycle,
    ) -> OneCycleLR {
        if total_steps == 0 {
            mistake!("one_cycle_lr: total_steps must be at least 1, got 0");
        }
        let part = options.pct_start;
        if !(0.0..=1.0).contains(&part) {
            mistake!("one_cycle_lr: pct_start must lie in [0, 1], got {part}");
        }
        let has_momentum = optimizer.options().iter().any(|&name| name == "momentum" || name == "betas");
        if options.cycle_momentum && !has_momentum {
            mistake!(
                "one_cycle_lr: the optimizer has neither momentum nor betas; set cycle_momentum to false"
            );
        }
        let initial_lr = max_lr / options.div_factor;
        let scheduler = OneCycleLR { clock: Clock::default(), max_lr, total_steps, options };
        scheduler.check_phases();
        optimizer.param_groups_mut().iter_mut().for_each(|group| group.initial_lr = Some(initial_lr));
        attach(scheduler, optimizer)
    }

    /// Where a phase has no steps, the way through it is 0 of 0 steps.
    #[track_caller]
    fn check_phases(&self) {
        let mut start = 0.0;
        for (i, phase) in self.phases().iter().enumerate() {
            if phase.end == start {
                mistake!(
                    "one_cycle_lr: part {} of the cycle has no steps: total_steps is {}, pct_start {}; choose \
                     pct_start so that every part has at least one",
                    i + 1,
                    self.total_steps,
                    self.options.pct_start
                );
            }
            start = phase.end;
        }
    }

    fn phases(&self) -> Vec<Phase> {
        let o = &self.options;
        let (high, low) = (o.max_momentum, o.base_momentum);
        let first = self.max_lr / o.div_factor;
        let last = first / o.final_div_factor;
        let (rise, end) = (o.pct_start * self.total_steps as f64, self.total_steps as f64 - 1.0);
        let mut phases = vec![Phase { end: rise - 1.0, lr: (first, self.max_lr), momentum: (high, low) }];
        if o.three_phase {
            let end = 2.0 * o.pct_start * self.total_steps as f64 - 2.0;
            phases.push(Phase { end, lr: (self.max_lr, first), momentum: (low, high) });
            phases.push(Phase {
                end: self.total_steps as f64 - 1.0,
                lr: (first, last),
                momentum: (high, high),
            });
        } else {
            phases.push(Phase { end, lr: (self.max_lr, last), momentum: (low, high) });
        }
        phases
    }

    /// The phase at step `t` and how much of it is over.
    #[track_caller]
    fn at(&self, t: u64) -> (Phase, f64) {
        if t > self.total_steps {
            mistake!(
                "one_cycle_lr: step {t} of a cycle of {} steps; give total_steps for all",
                self.total_steps
            );
        }
        let (t, mut start) = (t as f64, 0.0);
        let mut phases = self.phases();
        while phases.len() > 1 && t > phases[0].end {
            start = phases.remove(0).end;
        }
        let phase = phases.remove(0);
        let part = (t - start) / (phase.end - start);
        (phase, part)
    }
}

impl Schedule for OneCycleLR {
    clock!();
    fn lr(&self, t: u64, _: f64, _: f64) -> f64 {
        let (phase, part) = self.at(t);
        self.options.anneal.between(phase.lr.0, phase.lr.1, part)
    }
    fn adjust(&self, t: u64, group: &mut ParamGroup) {
        if self.options.cycle_momentum {
            let (phase, part) = self.at(t);
            // The optimiser reads one of them.
            group.momentum = self.options.anneal.between(phase.momentum.0, phase.momentum.1, part);
            group.betas.0 = group.momentum;
        }
    }
}
