//! Training on a GPU: steps leave their numbers on the device, and many are read at once. A look at every step would make the device
//! wait for the program and the program for the device.

use super::{Parts, Trainer, device_of};
use crate::history::Batch;
use crate::part::Part;
use rekindle_nn::Module;
use rekindle_nn::optim::clip_grad_norm_on_device_;
use rekindle_tensor::gpu::Ledger;
use rekindle_tensor::{Device, Tensor};
use std::time::{Duration, Instant};

/// Steps that may wait to be read.
const STEPS: usize = 64;
/// Whoever watches is told at least this often.
const PATIENCE: Duration = Duration::from_millis(100);
/// The ledger's columns: the loss, and how many samples were right.
const COLUMNS: usize = 2;

/// What steps left on a device and nobody has read.
pub(super) struct OnDevice {
    ledger: Ledger,
    /// What is looked at, by the number of the look.
    names: Vec<String>,
    /// Samples of each step, and whether the right ones were counted.
    steps: Vec<(usize, bool)>,
    read: Instant,
}

impl OnDevice {
    /// None on the CPU.
    pub(super) fn new(device: Device) -> Option<OnDevice> {
        let Device::Gpu(index) = device else { return None };
        let ledger = Ledger::new(index, STEPS, COLUMNS);
        Some(OnDevice { ledger, names: Vec::new(), steps: Vec::new(), read: Instant::now() })
    }

    /// Has the device look whether some tensors are finite.
    pub(super) fn look(&mut self, tensors: Vec<(String, Tensor)>) {
        let floats = |(_, t): &(String, Tensor)| t.dtype().is_float() && t.numel() > 0;
        let tensors: Vec<(String, Tensor)> = tensors.into_iter().filter(floats).collect();
        if tensors.is_empty() {
            return;
        }
        let same = |names: &[String]| names.iter().zip(&tensors).all(|(name, (other, _))| name == other);
        let known = self.names.windows(tensors.len()).position(same);
        let number = known.unwrap_or_else(|| {
            self.names.extend(tensors.iter().map(|(name, _)| name.clone()));
            self.names.len() - tensors.len()
        });
        self.ledger.look(number, &tensors.iter().map(|(_, t)| t).collect::<Vec<_>>());
    }
}

/// What the optimiser's numbers are called until they are looked at.
const STATE: &str = "the optimizer's state";

impl<N: Module> Trainer<N> {
    /// A step whose numbers stay on the device.
    pub(super) fn leave(
        &mut self,
        on: &mut OnDevice,
        x: &Tensor,
        y: &Tensor,
        update: bool,
        count: bool,
    ) -> Result<Tensor, String> {
        let (x, y) = (&x.to(device_of(&self.net)), &y.to(device_of(&self.net)));
        let (loss, outputs) = self.gradients_on(on, x, y)?;
        on.ledger.put(0, &loss);
        let right = count.then(|| self.objective.right(&outputs, y)).flatten();
        if let Some(right) = &right {
            on.ledger.put(1, &right.float());
        }
        on.steps.push((y.size(0), right.is_some()));
        if update {
            self.update_on(on);
        }
        Ok(outputs)
    }

    /// Forward, loss, backward: replayed if it is known.
    fn gradients_on(
        &mut self,
        on: &mut OnDevice,
        x: &Tensor,
        y: &Tensor,
    ) -> Result<(Tensor, Tensor), String> {
        let Trainer { net, objective, forward, captured, watch, options, .. } = self;
        let mut step = |x: &Tensor, y: &Tensor| {
            let outputs = forward(net, x, &mut |name, t| {
                on.look(vec![(name(), t.clone())]);
                Ok(())
            })?;
            let loss = objective.loss.forward(&outputs, y);
            on.look(vec![("the loss".into(), loss.clone())]);
            match options.accumulate {
                1 => loss.backward(),
                n => (&loss / n as f64).backward(),
            }
            on.look(watch.all_gradients());
            Ok((loss, outputs))
        };
        if options.eager || options.accumulate > 1 {
            return step(x, y);
        }
        captured.on_device(&net.parameters(), x, y, step)
    }

    fn update_on(&mut self, on: &mut OnDevice) {
        if let Some(norm) = self.options.clip_grad_norm {
            // One that is not finite clips every gradient to nothing.
            let before = clip_grad_norm_on_device_(&self.net.parameters(), norm);
            on.look(before.into_iter().map(|norm| ("the norm of the gradients".into(), norm)).collect());
        }
        self.optimizer.step();
        self.optimizer.zero_grad();
        on.look(self.watch.all_weights());
        on.look(self.optimizer.state_tensors().into_iter().map(|t| (STATE.to_string(), t)).collect());
        if let Some(scheduler) = &mut self.scheduler {
            scheduler.after_step(&mut *self.optimizer);
        }
        self.steps += 1;
    }

    /// Ends a step: what is known of batches now, which is nothing as long as nobody needs it. An error is how many batches later than the last
    /// known one something was not finite, and what.
    pub(super) fn read(&mut self, on: &mut OnDevice, now: bool) -> Result<Vec<Batch>, (usize, String)> {
        let full = on.ledger.next();
        if !now && !full && on.read.elapsed() < PATIENCE {
            return Ok(Vec::new());
        }
        let page = on.ledger.read();
        on.read = Instant::now();
        let steps = std::mem::take(&mut on.steps);
        if let Some((row, look)) = page.not_finite {
            let name = on.names.get(look).cloned().unwrap_or_default();
            let named = self.watch.update(&*self.optimizer).err().filter(|_| name == STATE);
            return Err((row, named.unwrap_or(name)));
        }
        let batch = |(row, (samples, counted)): (Vec<f32>, (usize, bool))| Batch {
            loss: row[0].into(),
            correct: counted.then_some(row[1] as usize),
            samples,
        };
        Ok(page.rows.into_iter().zip(steps).map(batch).collect())
    }
}

/// Parts of the data that are on a device.
pub(super) struct Moved([Option<Part>; 3]);

impl Moved {
    /// Those parts that a device has room for move to it; of the others every batch does.
    pub(super) fn new(parts: Parts, device: Device) -> Moved {
        let all = [Some(parts.train), parts.validation, parts.test];
        Moved(all.map(|part| part.map(|part| part.on(device))))
    }

    pub(super) fn parts(&self) -> Parts<'_> {
        let [train, validation, test] = &self.0;
        let train = train.as_ref().expect("there is training data");
        Parts { train, validation: validation.as_ref(), test: test.as_ref() }
    }
}
