//! Weights among the options of a loss.

use rekindle_tensor::Tensor;
use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex, PoisonError};

/// A tensor that a loss was given when it was made, wherever the predictions will be. What was moved to a device is kept for the next
/// steps, so a later change in place of the tensor is seen only on its own device.
#[derive(Clone)]
pub(super) struct Weight {
    tensor: Tensor,
    moved: Arc<Mutex<Option<Tensor>>>,
}

impl From<Tensor> for Weight {
    fn from(tensor: Tensor) -> Weight {
        Weight { tensor, moved: Arc::default() }
    }
}

impl Weight {
    /// The weight in the type of `x`, on its device.
    pub fn beside(&self, x: &Tensor) -> Tensor {
        self.on_device_of(x).to(x.dtype())
    }

    /// As [`beside`](Weight::beside), without a gradient of the weight.
    pub fn constant(&self, x: &Tensor) -> Tensor {
        let w = self.beside(x);
        // As it is, if it can be: a plan wants the same tensor in each step.
        if w.requires_grad() { w.detach() } else { w }
    }

    fn on_device_of(&self, x: &Tensor) -> Tensor {
        let device = x.device();
        if self.tensor.device() == device {
            return self.tensor.clone();
        }
        if self.tensor.requires_grad() {
            return self.tensor.to(device);
        }
        let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        match &*moved {
            Some(w) if w.device() == device => w.clone(),
            _ => moved.insert(self.tensor.to(device)).clone(),
        }
    }
}

impl Debug for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tensor.fmt(f)
    }
}
