//! [`Captured`]: training steps and forward passes that are recorded once and replayed.

use crate::loss::Loss;
use crate::module::Module;
use rekindle_tensor::plan::{DevicePlan, DeviceTrace, ForwardPlan, StepPlan, Trace, record};
use rekindle_tensor::{Device, Tensor, no_grad};
use std::mem::take;

mod device;
pub use device::FromTensors;

/// Shapes of batches that have plans at once; each of training, validation and test data has two.
const MOST_PLANS: usize = 8;

/// The steps of a training loop (forward, loss, backward), or forward passes. The first two with a batch of some shape run eagerly and are
/// recorded; if both did the same, and it is something that a [plan](rekindle_tensor::plan) can run, further ones of this shape
/// replay it: the same numbers, to the bit, without the graph's cost. What cannot be planned goes on running eagerly, and
/// [`refusal`](Self::refusal) says why.
///
/// One `Captured` is for one net in one mode and one loss: after `train()` or `eval()`, call [`reset`](Self::reset) or take another
/// one. A net whose forward pass decides by other things than the shape of its input (a counter, a random number of its own) must run
/// eagerly. Runs 1, 2, 4, 8, .. of each plan are recorded again, so that most such nets are found out: then nothing is
/// replayed any more.
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
    steps: Plans<StepPlan>,
    passes: Plans<ForwardPlan>,
    /// Steps on a GPU.
    on_device: Plans<DevicePlan>,
    /// Whether a step on a GPU has moved there what it needs.
    prepared: bool,
}

/// What a plan is made from, and can be compared by.
trait Plan {
    type Trace;
    fn is_same(a: &Self::Trace, b: &Self::Trace) -> bool;
}

macro_rules! plan {
    ($($Plan:ident by $Trace:ident),+) => {$(
        impl Plan for $Plan {
            type Trace = $Trace;
            fn is_same(a: &$Trace, b: &$Trace) -> bool {
                a.is_same(b)
            }
        }
    )+};
}
plan!(StepPlan by Trace, ForwardPlan by Trace, DevicePlan by DeviceTrace);

/// Plans of one kind, and what is known on the way to them.
struct Plans<P: Plan> {
    known: Vec<Known<P>>,
    /// The plan that ran last.
    last: usize,
    /// The shapes of batches that have no plan yet, with what a run did.
    seen: Vec<(Vec<usize>, P::Trace)>,
    refusal: Option<String>,
}

/// A plan, and what it was made from.
struct Known<P: Plan> {
    plan: P,
    trace: P::Trace,
    /// How often it was asked for.
    asked: u64,
}

impl<P: Plan> Default for Plans<P> {
    fn default() -> Self {
        Plans { known: Vec::new(), last: 0, seen: Vec::new(), refusal: None }
    }
}

impl<P: Plan> Plans<P> {
    /// The plan that fits, unless there is none or it is to be recorded again.
    fn find(&mut self, fits: impl Fn(&P) -> bool) -> Option<&mut P> {
        self.last = self.known.iter().position(|known| fits(&known.plan))?;
        let known = &mut self.known[self.last];
        known.asked += 1;
        (!known.asked.is_power_of_two()).then_some(&mut known.plan)
    }

    /// Whether a run is to be recorded: not after a refusal, unless a plan is looked at again.
    fn wants(&self, fits: impl Fn(&P) -> bool) -> bool {
        self.refusal.is_none() || self.known.iter().any(|known| fits(&known.plan))
    }

    /// Remembers what a run on batches of `shape` did, or makes a plan of it if the one before did the same.
    fn learn(
        &mut self,
        shape: &[usize],
        trace: P::Trace,
        fits: impl Fn(&P) -> bool,
        make: impl FnOnce() -> Result<P, String>,
    ) {
        if let Err(why) = self.try_learn(shape, trace, fits, make) {
            self.refusal = Some(why);
        }
    }

    fn try_learn(
        &mut self,
        shape: &[usize],
        trace: P::Trace,
        fits: impl Fn(&P) -> bool,
        make: impl FnOnce() -> Result<P, String>,
    ) -> Result<(), String> {
        const OTHERWISE: &str = "two runs did different things, or took tensors that are made anew";
        if let Some(known) = self.known.iter().find(|known| fits(&known.plan)) {
            if P::is_same(&known.trace, &trace) {
                return Ok(());
            }
            self.known.clear();
            return Err(OTHERWISE.into());
        }
        let Some(i) = self.seen.iter().position(|(seen, _)| seen == shape) else {
            self.seen.push((shape.to_vec(), trace));
            return match self.seen.len() + self.known.len() {
                0..=MOST_PLANS => Ok(()),
                _ => Err(format!("batches have more than {MOST_PLANS} shapes")),
            };
        };
        let (_, before) = self.seen.swap_remove(i);
        if !P::is_same(&before, &trace) {
            return Err(OTHERWISE.into());
        }
        self.known.push(Known { plan: make()?, trace, asked: 0 });
        Ok(())
    }
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
        if x.device() != Device::Cpu {
            let step = |x: &Tensor, y: &Tensor| {
                let value = loss.forward(&net.forward(x), y);
                value.backward();
                value
            };
            return self.on_device(&net.parameters(), x, y, step).item();
        }
        if let Some(value) = self.replay(x, y) {
            return value;
        }
        let value = self.record(x, y, || loss.forward(&net.forward(x), y), |value| Some(value.clone()));
        value.backward();
        value.item()
    }

    /// The output for a batch, without recording a graph.
    ///
    /// # Panics
    /// As the net, if the batch does not fit it.
    ///
    /// ```
    /// use rekindle_nn::{Captured, Linear, Parameters, ReLU, Module, sequential};
    /// use rekindle_tensor::Tensor;
    ///
    /// let net = sequential![Linear::new(2, 10), ReLU, Linear::new(10, 1)];
    /// net.eval();
    /// let (x, mut passes) = (Tensor::ones([8, 2]), Captured::new());
    /// for _ in 0..5 {
    ///     assert_eq!(passes.forward(&net, &x).to_vec::<f32>(), net.forward(&x).to_vec::<f32>());
    /// }
    /// ```
    #[track_caller]
    pub fn forward(&mut self, net: &dyn Module, x: &Tensor) -> Tensor {
        match self.replay_forward(x) {
            Some(y) => y,
            // Its launches do not wait for one another; there is little to win.
            None if x.device() != Device::Cpu => no_grad(|| net.forward(x)),
            None => no_grad(|| self.record_forward(x, || net.forward(x), |y| Some(y.clone()))),
        }
    }

    /// The loss of a batch that there is a plan for; its outputs are [`outputs`](Self::outputs) then. None if there is no plan, it is to be
    /// recorded again, or a number is not finite or none that the loss takes: then nothing was done.
    pub fn replay(&mut self, x: &Tensor, y: &Tensor) -> Option<f64> {
        self.steps.find(|plan| plan.fits(x, y))?.run(x, y).map(f64::from)
    }

    /// The output for a batch that there is a plan for. None if there is no plan, it is to be recorded again, or a number is not finite.
    pub fn replay_forward(&mut self, x: &Tensor) -> Option<Tensor> {
        self.passes.find(|plan| plan.fits(x))?.run(x)
    }

    /// The outputs of the step that was replayed last.
    ///
    /// # Panics
    /// If none was.
    pub fn outputs(&self) -> Tensor {
        self.steps.known[self.steps.last].plan.outputs()
    }

    /// Runs a step up to its loss, which `loss` finds in what the step gives (none if it came to no loss), and remembers what it did.
    pub fn record<R>(
        &mut self,
        x: &Tensor,
        y: &Tensor,
        step: impl FnOnce() -> R,
        loss: impl FnOnce(&R) -> Option<Tensor>,
    ) -> R {
        if !self.steps.wants(|plan| plan.fits(x, y)) {
            return step();
        }
        let (result, tape) = record(Some(y), step);
        if let Some(value) = loss(&result) {
            let trace = tape.trace(x);
            self.steps.learn(x.shape(), trace, |plan| plan.fits(x, y), || StepPlan::new(tape, x, y, &value));
        }
        result
    }

    /// Runs a forward pass, whose output `out` finds in what it gives, and remembers what it did. To be called inside of [`no_grad`].
    pub fn record_forward<R>(
        &mut self,
        x: &Tensor,
        pass: impl FnOnce() -> R,
        out: impl FnOnce(&R) -> Option<Tensor>,
    ) -> R {
        if !self.passes.wants(|plan| plan.fits(x)) {
            return pass();
        }
        let (result, tape) = record(None, pass);
        if let Some(y) = out(&result) {
            let trace = tape.trace(x);
            self.passes.learn(x.shape(), trace, |plan| plan.fits(x), || ForwardPlan::new(tape, x, &y));
        }
        result
    }

    /// Whether runs of some shape are replayed.
    pub fn is_planned(&self) -> bool {
        !self.steps.known.is_empty() || !self.passes.known.is_empty() || !self.on_device.known.is_empty()
    }

    /// Why steps or passes run eagerly, if that is known: all, or those of shapes that have no plan.
    pub fn refusal(&self) -> Option<&str> {
        let [a, b, c] = [&self.steps.refusal, &self.passes.refusal, &self.on_device.refusal];
        a.as_deref().or(b.as_deref()).or(c.as_deref())
    }

    /// What is replayed, a line for each shape of batches.
    pub fn describe(&self) -> Vec<String> {
        let steps = self.steps.known.iter().map(|known| known.plan.describe());
        let passes = self.passes.known.iter().map(|known| known.plan.describe());
        let on_device = self.on_device.known.iter().map(|known| known.plan.describe());
        steps.chain(passes).chain(on_device).collect()
    }

    /// Forgets what was recorded.
    pub fn reset(&mut self) {
        _ = take(self);
    }
}
