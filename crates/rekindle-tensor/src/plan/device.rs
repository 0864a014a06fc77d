//! A step of training on a GPU, recorded as the launches that it makes and replayed in one submission.
//!
//! Unlike the plans for the CPU this one needs no chain: whatever a step launches is done again, with the same memory. What must not
//! change meanwhile is looked at before each replay: where parameters and constants lie. Numbers that change (random draws, counts of steps) are made
//! anew by the launches that need them.

use crate::device::Device;
use crate::gpu::{self, Recording, Replay, outside};
use crate::op::Meta;
use crate::storage::Contents;
use crate::tensor::Tensor;
use std::sync::Arc;

/// What a step had a device do.
pub struct DeviceTape {
    recording: Option<Recording>,
    outside: Vec<outside::Place>,
    inputs: [Tensor; 2],
}

/// What a step does, to be compared with what another did.
pub struct DeviceTrace(Option<gpu::Trace>);

impl DeviceTrace {
    /// Whether both steps did the same with the same parameters.
    pub fn is_same(&self, other: &DeviceTrace) -> bool {
        self.0.is_some() && self.0 == other.0
    }
}

/// Runs a step on copies of a batch, `x` and its targets, and records what it has their device do.
///
/// # Panics
/// If the batch is on the CPU, or `step` panics.
#[track_caller]
pub fn record_on_device<R>(
    x: &Tensor,
    y: &Tensor,
    step: impl FnOnce(&Tensor, &Tensor) -> R,
) -> (R, DeviceTape) {
    let gpu = gpu::of(&[x, y]);
    let inputs = [x, y].map(|t| t.detach().copy());
    let ((result, recording), outside) = outside::note(|| gpu.record(|| step(&inputs[0], &inputs[1])));
    (result, DeviceTape { recording, outside, inputs })
}

impl DeviceTape {
    /// Whether the step did something that no record holds: it read numbers from the device or wrote some to it.
    pub fn is_refused(&self) -> bool {
        self.recording.as_ref().is_some_and(|recording| recording.refusal().is_some())
    }

    /// What was recorded.
    pub fn trace(&self) -> DeviceTrace {
        let inputs: Vec<gpu::Memory> = self.inputs.iter().map(gpu::memory).collect();
        DeviceTrace(self.recording.as_ref().map(|recording| recording.trace(&inputs)))
    }
}

/// A step that is replayed.
pub struct DevicePlan {
    replay: Replay,
    /// Memory from outside, and where it must be.
    outside: Vec<outside::Place>,
    inputs: [Input; 2],
    results: Vec<Tensor>,
    /// Parameters and the gradients that the step gives them, and whether they wanted one.
    parameters: Vec<(Tensor, Option<Tensor>, bool)>,
}

/// The plan's own memory for a part of the batch.
struct Input {
    own: Tensor,
    /// The number of its memory, which a snapshot by somebody else would change.
    id: Option<u64>,
    /// What was copied into it last. While it is held nobody changes it, so that it need not be copied again.
    last: Option<(Arc<Contents>, usize)>,
}

impl Input {
    fn fits(&self, t: &Tensor) -> bool {
        t.device() == self.own.device()
            && Meta::of(t) == Meta::of(&self.own)
            && self.own.0.storage.memory_id() == self.id
    }

    fn load(&mut self, t: &Tensor) {
        let (contents, at) = (t.0.storage.snapshot(), t.0.layout.offset);
        let known =
            self.last.as_ref().is_some_and(|(last, from)| Arc::ptr_eq(last, &contents) && *from == at);
        if !known || !t.is_contiguous() {
            self.own.copy_(&t.detach());
            self.last = Some((contents, at));
        }
    }
}

impl DevicePlan {
    /// A plan from what was recorded of a step that gave `results` and the parameters their gradients.
    ///
    /// # Errors
    /// Why the record does not hold everything that was done.
    pub fn new(tape: DeviceTape, parameters: &[Tensor], results: &[&Tensor]) -> Result<DevicePlan, String> {
        let DeviceTape { recording, outside, inputs } = tape;
        let recording = recording.ok_or("another step was recorded at the same time")?;
        if let Some(why) = recording.refusal() {
            return Err(why.into());
        }
        let gpu = gpu::of(&[&inputs[0]]);
        let outside = outside.into_iter().filter(|(_, id)| !recording.owns(*id)).collect();
        let parameters = parameters.iter().map(|p| (p.clone(), p.grad(), p.requires_grad())).collect();
        Ok(DevicePlan {
            replay: recording.prepare(&gpu),
            outside,
            inputs: inputs.map(|own| Input { id: own.0.storage.memory_id(), own, last: None }),
            results: results.iter().map(|t| t.detach()).collect(),
            parameters,
        })
    }

    /// Whether a batch can be replayed now: it has the shape of the recorded one; parameters and constants are where they were and nobody
    /// holds a snapshot of them; the same parameters want gradients.
    pub fn fits(&self, x: &Tensor, y: &Tensor) -> bool {
        let [first, second] = &self.inputs;
        let there = |(storage, id): &outside::Place| storage.memory_id() == Some(*id);
        first.fits(x)
            && second.fits(y)
            && self.outside.iter().all(there)
            && self.parameters.iter().all(|(p, _, learns)| p.requires_grad() == *learns)
    }

    /// Has the device do the step with another batch; the parameters have their gradients then. Gradients and results are the plan's: they
    /// have the next step's numbers when it was run, so copy what is to last. The parameters must have no gradients.
    pub fn run(&mut self, x: &Tensor, y: &Tensor) -> &[Tensor] {
        let [first, second] = &mut self.inputs;
        first.load(x);
        second.load(y);
        self.replay.run();
        for (parameter, gradient, _) in &self.parameters {
            parameter.set_grad(gradient.clone());
        }
        &self.results
    }

    /// One line about it.
    pub fn describe(&self) -> String {
        let device: Device = self.inputs[0].own.device();
        format!("{} launches and copies in one submission to {device}", self.replay.len())
    }
}
