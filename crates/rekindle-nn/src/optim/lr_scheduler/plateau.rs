//! Reduction of the learning rate when a metric stops improving.

use crate::optim::Optimizer;
use crate::optim::state::Reader;
use crate::state_dict::{StateDict, StateDictError};
use rekindle_tensor::{DType, Tensor, mistake};

/// Multiplies the learning rate by `factor` when a metric has not improved for more than `patience` epochs.
///
/// ```
/// use rekindle_nn::optim::lr_scheduler::ReduceLROnPlateau;
/// use rekindle_nn::optim::{Optimizer, SGD};
/// use rekindle_nn::{Linear, Parameters};
///
/// let mut optimizer = SGD::new(Linear::new(2, 1).parameters(), 0.1);
/// let mut scheduler = ReduceLROnPlateau::new().factor(0.5).patience(1);
/// for validation_loss in [1.0, 0.9, 0.9, 0.9] {
///     scheduler.step(&mut optimizer, validation_loss);
/// }
/// assert_eq!(optimizer.lr(), 0.05);
/// ```
#[derive(Clone, Debug)]
pub struct ReduceLROnPlateau {
    greater_is_better: bool,
    factor: f64,
    patience: u64,
    threshold: f64,
    absolute: bool,
    cooldown: u64,
    min_lr: f64,
    eps: f64,
    best: Option<f64>,
    bad_epochs: u64,
    cooling: u64,
}

impl Default for ReduceLROnPlateau {
    fn default() -> Self {
        ReduceLROnPlateau {
            greater_is_better: false,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            absolute: false,
            cooldown: 0,
            min_lr: 0.0,
            eps: 1e-8,
            best: None,
            bad_epochs: 0,
            cooling: 0,
        }
    }
}

impl ReduceLROnPlateau {
    /// With PyTorch's defaults: smaller is better, factor 0.1, patience 10, threshold 1e-4 of the best value.
    pub fn new() -> ReduceLROnPlateau {
        ReduceLROnPlateau::default()
    }

    /// The metric grows as it improves: PyTorch's mode `max`.
    pub fn greater_is_better(mut self) -> Self {
        self.greater_is_better = true;
        self
    }

    /// Sets what the learning rate is multiplied by.
    ///
    /// # Panics
    /// If `factor` is not below 1.
    #[track_caller]
    pub fn factor(mut self, factor: f64) -> Self {
        if factor.is_nan() || factor >= 1.0 {
            mistake!("reduce_lr_on_plateau: factor must be below 1, got {factor}");
        }
        self.factor = factor;
        self
    }

    /// Sets how many epochs without improvement pass before the rate is reduced in the next.
    pub fn patience(mut self, epochs: u64) -> Self {
        self.patience = epochs;
        self
    }

    /// Sets the improvement that counts, as a part of the best value.
    pub fn threshold(mut self, threshold: f64) -> Self {
        (self.threshold, self.absolute) = (threshold, false);
        self
    }

    /// Sets the improvement that counts, in the metric's own unit: PyTorch's threshold mode `abs`.
    pub fn absolute_threshold(mut self, threshold: f64) -> Self {
        (self.threshold, self.absolute) = (threshold, true);
        self
    }

    /// Sets how many epochs after a reduction are not counted.
    pub fn cooldown(mut self, epochs: u64) -> Self {
        self.cooldown = epochs;
        self
    }

    /// Sets the learning rate below which none is reduced.
    pub fn min_lr(mut self, lr: f64) -> Self {
        self.min_lr = lr;
        self
    }

    /// Sets the change of learning rate below which none is made.
    pub fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    fn is_better(&self, metric: f64) -> bool {
        let worst = if self.greater_is_better { f64::NEG_INFINITY } else { f64::INFINITY };
        let best = self.best.unwrap_or(worst);
        match (self.greater_is_better, self.absolute) {
            (false, false) => metric < best * (1.0 - self.threshold),
            (false, true) => metric < best - self.threshold,
            (true, false) => metric > best * (self.threshold + 1.0),
            (true, true) => metric > best + self.threshold,
        }
    }

    /// Takes note of the metric of one more epoch and reduces the learning rates if it is time.
    pub fn step(&mut self, optimizer: &mut dyn Optimizer, metric: f64) {
        if self.is_better(metric) {
            self.best = Some(metric);
            self.bad_epochs = 0;
        } else {
            self.bad_epochs += 1;
        }
        if self.cooling > 0 {
            self.cooling -= 1;
            self.bad_epochs = 0;
        }
        if self.bad_epochs > self.patience {
            for group in optimizer.param_groups_mut() {
                let lr = (group.lr * self.factor).max(self.min_lr);
                if group.lr - lr > self.eps {
                    group.lr = lr;
                }
            }
            self.cooling = self.cooldown;
            self.bad_epochs = 0;
        }
    }

    /// The best metric so far and the counters.
    pub fn state_dict(&self) -> StateDict {
        let mut dict = StateDict::new();
        if let Some(best) = self.best {
            dict.insert("best", Tensor::full_of([], best, DType::F64));
        }
        dict.insert("num_bad_epochs", Tensor::full([], self.bad_epochs as i64));
        dict.insert("cooldown_counter", Tensor::full([], self.cooling as i64));
        dict
    }

    /// Takes back what [`state_dict`](ReduceLROnPlateau::state_dict) returned.
    ///
    /// # Errors
    /// If the state is that of another scheduler; nothing is changed then.
    pub fn load_state_dict(&mut self, state: &StateDict) -> Result<(), StateDictError> {
        let mut reader = Reader::new(state);
        let best = reader.take("best", &[], false).map(Tensor::item);
        let mut count = |name| reader.take(name, &[], true).map_or(0, |t| t.item::<i64>() as u64);
        let (bad_epochs, cooling) = (count("num_bad_epochs"), count("cooldown_counter"));
        reader.finish()?;
        (self.best, self.bad_epochs, self.cooling) = (best, bad_epochs, cooling);
        Ok(())
    }
}
