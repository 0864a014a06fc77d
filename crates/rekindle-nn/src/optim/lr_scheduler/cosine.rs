//! Schedulers along a cosine. Source: I. Loshchilov and F. Hutter, SGDR, ICLR 2017.

use super::{Clock, Schedule, attach, clock, set};
use crate::optim::Optimizer;
use rekindle_tensor::mistake;
use std::f64::consts::PI;

/// Lets the learning rate fall along half a cosine to `eta_min` in `t_max` steps (and rise again after).
///
/// ```
/// # use rekindle_nn::{optim::{lr_scheduler::*, *}, Linear, Parameters};
/// # let mut optimizer = SGD::new(Linear::new(2, 1).parameters(), 0.1);
/// let mut scheduler = CosineAnnealingLR::new(&mut optimizer, 2, 0.0);
/// scheduler.step(&mut optimizer);
/// assert!((optimizer.lr() - 0.05).abs() < 1e-12);
/// ```
#[derive(Clone, Debug)]
pub struct CosineAnnealingLR {
    clock: Clock,
    t_max: f64,
    eta_min: f64,
}

impl CosineAnnealingLR {
    /// PyTorch's default `eta_min` is 0.
    ///
    /// # Panics
    /// If `t_max` is 0.
    #[track_caller]
    pub fn new(optimizer: &mut dyn Optimizer, t_max: u64, eta_min: f64) -> CosineAnnealingLR {
        if t_max == 0 {
            mistake!("cosine_annealing_lr: t_max must be at least 1, got 0");
        }
        attach(CosineAnnealingLR { clock: Clock::default(), t_max: t_max as f64, eta_min }, optimizer)
    }
}

impl Schedule for CosineAnnealingLR {
    clock!();
    fn lr(&self, t: u64, lr: f64, base_lr: f64) -> f64 {
        let (t, t_max, eta_min) = (t as f64, self.t_max, self.eta_min);
        if t == 0.0 {
            return lr;
        }
        // At the lowest point the recursion below would divide by zero.
        if (t - 1.0 - t_max) % (2.0 * t_max) == 0.0 {
            return lr + (base_lr - eta_min) * (1.0 - (PI / t_max).cos()) / 2.0;
        }
        (1.0 + (PI * t / t_max).cos()) / (1.0 + (PI * (t - 1.0) / t_max).cos()) * (lr - eta_min) + eta_min
    }
}

/// As [`CosineAnnealingLR`], starting anew after `t_0` steps, then after `t_0·t_mult`, `t_0·t_mult²`, ...
///
/// ```
/// # use rekindle_nn::{optim::{lr_scheduler::*, *}, Linear, Parameters};
/// # let mut optimizer = SGD::new(Linear::new(2, 1).parameters(), 0.1);
/// let mut scheduler = CosineAnnealingWarmRestarts::new(&mut optimizer, 2, 2, 0.0);
/// scheduler.step(&mut optimizer);
/// scheduler.step(&mut optimizer);
/// assert_eq!(optimizer.lr(), 0.1);
/// ```
#[derive(Clone, Debug)]
pub struct CosineAnnealingWarmRestarts {
    clock: Clock,
    t_0: f64,
    t_mult: f64,
    eta_min: f64,
    /// Steps since the last restart.
    t_cur: f64,
    /// Steps between the last restart and the next.
    t_i: f64,
}

impl CosineAnnealingWarmRestarts {
    /// PyTorch's defaults: `t_mult` 1, `eta_min` 0.
    ///
    /// # Panics
    /// If `t_0` or `t_mult` is 0.
    #[track_caller]
    pub fn new(
        optimizer: &mut dyn Optimizer,
        t_0: u64,
        t_mult: u64,
        eta_min: f64,
    ) -> CosineAnnealingWarmRestarts {
        let (t_0, t_mult) = (t_0 as f64, t_mult as f64);
        if t_0 == 0.0 || t_mult == 0.0 {
            mistake!(
                "cosine_annealing_warm_restarts: t_0 and t_mult must be at least 1, got {t_0} and {t_mult}"
            );
        }
        let clock = Clock::default();
        attach(CosineAnnealingWarmRestarts { clock, t_0, t_mult, eta_min, t_cur: 0.0, t_i: t_0 }, optimizer)
    }

    /// Goes to any point, also between epochs: `epoch + batch / batches`.
    ///
    /// # Panics
    /// If `epoch` is negative.
    #[track_caller]
    pub fn step_to(&mut self, optimizer: &mut dyn Optimizer, epoch: f64) {
        if epoch.is_nan() || epoch < 0.0 {
            mistake!("cosine_annealing_warm_restarts: epoch must not be negative, got {epoch}");
        }
        let (t_0, t_mult) = (self.t_0, self.t_mult);
        (self.t_cur, self.t_i) = match () {
            _ if epoch < t_0 => (epoch, t_0),
            _ if t_mult == 1.0 => (epoch % t_0, t_0),
            _ => {
                let n = ((epoch / t_0 * (t_mult - 1.0) + 1.0).ln() / t_mult.ln()).trunc();
                let begin = t_0 * (t_mult.powf(n) - 1.0) / (t_mult - 1.0);
                (epoch - begin, t_0 * t_mult.powf(n))
            }
        };
        self.clock.last_epoch = epoch as u64;
        set(self, optimizer);
    }
}

impl Schedule for CosineAnnealingWarmRestarts {
    clock!();
    fn lr(&self, _: u64, _: f64, base_lr: f64) -> f64 {
        self.eta_min + (base_lr - self.eta_min) * (1.0 + (PI * self.t_cur / self.t_i).cos()) / 2.0
    }
    fn advance(&mut self) {
        self.t_cur += 1.0;
        if self.t_cur >= self.t_i {
            self.t_cur %= self.t_i;
            self.t_i *= self.t_mult;
        }
    }
    fn counters(&mut self) -> Vec<(&'static str, &mut f64)> {
        vec![("T_cur", &mut self.t_cur), ("T_i", &mut self.t_i)]
    }
}
