//! [`Captured`]: a training step that is recorded once and replayed.

use crate::loss::Loss;
use crate::module::Module;
use rekindle_tensor::Tensor;
use rekindle_tensor::plan::{StepPlan, Tape, record};
use std::mem::take;

/// Shapes of batches that have plans at once; a loader has two.
const MOST_PLANS: usize = 4;

/// A plan, and what it was made from.
struct Known {
    plan: StepPlan,
    text: String,
    /// How often it was asked for.
    asked: u64,
}

/// Forward, loss and backward of a training loop. The first two steps with a batch of some shape run eagerly and are recorded; if both did
/// the same, and it is something that a [plan](rekindle_tensor::plan) can run, further steps of this shape replay it: the same loss
/// and gradients, to the bit, without the graph's cost. What cannot be planned goes on running eagerly, and
/// [`refusal`](Self::refusal) says why.
///
/// One `Captured` is for one net in one mode and one loss: what is recorded is what their step does for batches of this shape. A net whose forward pass decides by other things than
/// the shape of its input (a counter, a random number of its own) must run eagerly. Steps 1, 2, 4, 8, .. of each plan are recorded again, so
/// that most such nets are found out: then nothing is replayed any more.
///
/// ```
/// use rekindle_nn::loss::BCEWithLogitsLoss;
/// use rekindle_nn::optim::{Optimizer, SGD};
/// use rekindle_nn::{Captured, Linear, Parameters, ReLU, sequential};
/// use rekindle_tensor::Tensor;
///
/// let net = sequential![Linear::new(2, 10), ReLU, Linear::new(10, 1)];
/// let (x, y) = (Tensor::ones([8, 2]), Tensor::ones([8, 1]));
/// let mut optimizer = SGD::new(net.parameters(), 0.1);
/// let mut step = Captured::new();
/// for _ in 0..5 {
///     step.backward(&net, &BCEWithLogitsLoss::new(), &x, &y);
///     optimizer.step();
///     optimizer.zero_grad();
/// }
/// assert!(step.is_planned() && step.refusal().is_none());
/// ```
#[derive(Default)]
pub struct Captured {
    plans: Vec<Known>,
    /// The plan that ran last.
    last: usize,
    /// The shapes of batches that have no plan yet, with what a step did.
    seen: Vec<(Vec<usize>, String)>,
    refusal: Option<String>,
}

impl Captured {
    /// Nothing is recorded yet.
    pub fn new() -> Captured {
        Captured::default()
    }

    /// The loss of a batch. The gradients of the parameters are added to those that they have.
    ///
    /// # Panics
    /// As the net and the loss, if the batch does not fit them.
    #[track_caller]
    pub fn backward(&mut self, net: &dyn Module, loss: &dyn Loss, x: &Tensor, y: &Tensor) -> f64 {
        if let Some(value) = self.replay(x, y) {
            return value;
        }
        let value = self.record(x, y, || loss.forward(&net.forward(x), y), |value| Some(value.clone()));
        value.backward();
        value.item()
    }

    /// The loss of a batch that there is a plan for; its outputs are [`outputs`](Self::outputs) then. None if there is no plan, it is to be
    /// recorded again, or a number is not finite or none that the loss takes: then nothing was done.
    pub fn replay(&mut self, x: &Tensor, y: &Tensor) -> Option<f64> {
        self.last = self.plans.iter().position(|known| known.plan.fits(x, y))?;
        let known = &mut self.plans[self.last];
        known.asked += 1;
        if known.asked.is_power_of_two() {
            return None;
        }
        known.plan.run(x, y).map(f64::from)
    }

    /// The outputs of the step that was replayed last.
    ///
    /// # Panics
    /// If none was.
    pub fn outputs(&self) -> Tensor {
        self.plans[self.last].plan.outputs()
    }

    /// Runs a step up to its loss, which `loss` finds in what the step gives (none if it came to no loss), and remembers what it did.
    pub fn record<R>(
        &mut self,
        x: &Tensor,
        y: &Tensor,
        step: impl FnOnce() -> R,
        loss: impl FnOnce(&R) -> Option<Tensor>,
    ) -> R {
        if self.refusal.is_some() {
            return step();
        }
        let (result, tape) = record(y, step);
        if let Some(value) = loss(&result)
            && let Err(why) = self.learn(tape, x, y, &value)
        {
            self.refusal = Some(why);
        }
        result
    }

    /// Remembers what a step did, or makes a plan of it if the one before did the same.
    fn learn(&mut self, tape: Tape, x: &Tensor, y: &Tensor, value: &Tensor) -> Result<(), String> {
        const OTHERWISE: &str = "two steps did different things";
        if let Some(known) = self.plans.iter().find(|known| known.plan.fits(x, y)) {
            if known.text == tape.text() {
                return Ok(());
            }
            self.plans.clear();
            return Err(OTHERWISE.into());
        }
        let Some(i) = self.seen.iter().position(|(shape, _)| shape == x.shape()) else {
            self.seen.push((x.shape().to_vec(), tape.text()));
            return match self.seen.len() + self.plans.len() {
                0..=MOST_PLANS => Ok(()),
                _ => Err(format!("batches have more than {MOST_PLANS} shapes")),
            };
        };
        let (_, before) = self.seen.swap_remove(i);
        let text = tape.text();
        if before != text {
            return Err(OTHERWISE.into());
        }
        self.plans.push(Known { plan: StepPlan::new(tape, x, y, value)?, text, asked: 0 });
        Ok(())
    }

    /// Whether steps of some shape are replayed.
    pub fn is_planned(&self) -> bool {
        !self.plans.is_empty()
    }

    /// Why steps run eagerly, if that is known.
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// What is replayed, a line for each shape of batches.
    pub fn describe(&self) -> Vec<String> {
        self.plans.iter().map(|known| known.plan.describe()).collect()
    }

    /// Forgets what was recorded.
    pub fn reset(&mut self) {
        _ = take(self);
    }
}
