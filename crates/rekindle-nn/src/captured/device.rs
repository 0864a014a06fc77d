//! Steps on a GPU: recorded as what they have the device do.

use super::Captured;
use rekindle_tensor::Tensor;
use rekindle_tensor::plan::{DevicePlan, record_on_device};

impl Captured {
    /// A step of training on a GPU: replayed if it is known, else run by `step`, which gives the parameters their gradients, and recorded if
    /// that is worth it. `tensors` names those of its result that a replay gives again; none if the step failed.
    ///
    /// Nothing is read from the device, so that a loop of such steps does not wait for it. What it gives, gradients too, may have
    /// the numbers of the next step when that was taken: copy what is to last.
    ///
    /// # Panics
    /// As `step`.
    #[track_caller]
    pub fn on_device<R: FromTensors>(
        &mut self,
        parameters: &[Tensor],
        x: &Tensor,
        y: &Tensor,
        step: impl FnOnce(&Tensor, &Tensor) -> R,
    ) -> R {
        // What adds to gradients, or wants one for the batch, is another step.
        let other = x.requires_grad() || y.requires_grad() || parameters.iter().any(|p| p.grad().is_some());
        if other {
            return step(x, y);
        }
        if let Some(plan) = self.on_device.find(|plan| plan.fits(x, y)) {
            return R::of(plan.run(x, y));
        }
        if !self.on_device.wants(|plan| plan.fits(x, y)) {
            return step(x, y);
        }
        let (result, tape) = record_on_device(x, y, step);
        // The first step with a loss moves the loss's weights to the device.
        if !std::mem::replace(&mut self.prepared, true) && tape.is_refused() {
            return result;
        }
        if let Some(results) = result.tensors() {
            let trace = tape.trace();
            let make = || DevicePlan::new(tape, parameters, &results);
            self.on_device.learn(x.shape(), trace, |plan| plan.fits(x, y), make);
        }
        result
    }
}

/// What a step gives, as tensors and back.
pub trait FromTensors {
    /// The tensors that a replay gives again; none if the step failed.
    fn tensors(&self) -> Option<Vec<&Tensor>>;
    /// The result with those of a replay.
    fn of(tensors: &[Tensor]) -> Self;
}

/// A loss.
impl FromTensors for Tensor {
    fn tensors(&self) -> Option<Vec<&Tensor>> {
        Some(vec![self])
    }
    fn of(tensors: &[Tensor]) -> Tensor {
        tensors[0].clone()
    }
}

/// A loss and outputs, or why there are none.
impl<E> FromTensors for Result<(Tensor, Tensor), E> {
    fn tensors(&self) -> Option<Vec<&Tensor>> {
        self.as_ref().ok().map(|(loss, outputs)| vec![loss, outputs])
    }
    fn of(tensors: &[Tensor]) -> Result<(Tensor, Tensor), E> {
        Ok((tensors[0].clone(), tensors[1].clone()))
    }
}
