//! What was recorded, as a chain: stages that work on some rows at a time, and operations that need the whole batch.

use super::block::{Kept, Params, Placed};
use super::tape::Entry;
use crate::autograd;
use crate::dtype::DType;
use crate::layout::Layout;
use crate::op::{Context, Meta, Op};
use crate::storage::{Buffer, Storage};
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;

/// A run of operations, each on the output of the one before.
#[derive(Default)]
pub(super) struct Chain {
    pub stages: Vec<Placed>,
    /// Of all stages, one after the other.
    pub params: Vec<Parameter>,
    pub wholes: Vec<Whole>,
    /// The numbers in a row of each slot: the outputs of stages and wholes, where those in place have none of their own.
    pub slots: Vec<usize>,
}

impl Chain {
    /// The chain that starts with a batch `x`, and its output. With `targets` it is that of a training step.
    pub fn new(entries: &[Entry], x: &Tensor, targets: Option<&Tensor>) -> Result<(Chain, Tensor), String> {
        let (mut chain, mut at) = (Chain::default(), x.clone());
        for (i, entry) in entries.iter().enumerate() {
            let name = entry.op.name();
            // What is made anew in each run is no parameter, however it looks.
            let made = entries[..i].iter().map(|e| &e.output).chain([x]).chain(targets);
            let own = entry.inputs.get(1..).unwrap_or_default();
            let strange = made.into_iter().any(|t| own.iter().any(|p| p.is_same(t)));
            if strange || !entry.inputs.first().is_some_and(|input| input.is_same(&at)) {
                return Err(format!(
                    "{name} takes other things than the output of the operation before it and parameters"
                ));
            }
            chain.push(entry, &at, x.shape()[0])?;
            let learns = chain.all_params().any(|p| p.learns);
            if targets.is_some() && entry.output.requires_grad() != learns {
                return Err(format!("{name} is cut off from the gradients of what comes before it"));
            }
            at = entry.output.clone();
        }
        let all: Vec<&Tensor> = chain.all_params().map(|p| &p.tensor).collect();
        if all.iter().enumerate().any(|(i, p)| all[..i].iter().any(|other| other.is_same(p))) {
            return Err("a parameter is used twice".into());
        }
        Ok((chain, at))
    }

    /// Adds an operation on the output `at` of the one before, a row for each of `n` samples.
    fn push(&mut self, entry: &Entry, at: &Tensor, n: usize) -> Result<(), String> {
        let (name, own) = (entry.op.name(), entry.inputs.get(1..).unwrap_or_default());
        if own.iter().any(|p| !p.is_leaf() || !p.is_contiguous()) {
            return Err(format!("{name} takes a tensor that is no parameter"));
        }
        if !entry.output.is_contiguous() {
            // Random numbers are drawn in the order of memory.
            return Err(format!("{name} gives a view in another order than that of memory"));
        }
        let meta = Meta::of(&entry.output);
        if meta.shape.first() != Some(&n) || meta.dtype != DType::F32 {
            return Err(format!("{name} gives {meta:?}, no f32 row for each of {n} samples"));
        }
        if entry.op.keeps_rows() {
            return Ok(());
        }
        let needs_dx = self.all_params().any(|p| p.learns);
        let first = self.slots.is_empty();
        let params: Vec<Parameter> = own.iter().map(Parameter::new).collect();
        let width = (at.numel() / n, entry.output.numel() / n);
        let stage = entry.op.stage(&entry.metas, &meta).filter(|s| s.gradients().len() == own.len());
        let Some(stage) = stage else {
            self.slots.push(width.1);
            let (op, metas) = (entry.op.clone(), entry.metas.clone());
            let (before, slot) = (self.stages.len(), self.slots.len() - 1);
            self.wholes.push(Whole { before, op, metas, out: meta, params, slot, needs_dx, kept: None });
            return Ok(());
        };
        if params.iter().any(|p| p.tensor.dtype() != DType::F32) {
            return Err(format!("{name} has parameters that are not f32"));
        }
        // The batch is the user's, and a whole's output is read again, so that what follows them has a slot of its own.
        let before = self.stages.last().filter(|s| s.slot + 1 == self.slots.len());
        let in_place = stage.in_place() && before.is_some_and(|s| !s.stage.reads_output());
        if !in_place {
            self.slots.push(width.1);
        }
        let slot = self.slots.len() - 1;
        let own = self.params.len()..self.params.len() + params.len();
        self.params.extend(params);
        // Nobody has looked at the batch itself.
        let keeps_finite = stage.keeps_finite() && !first;
        self.stages.push(Placed {
            name,
            stage,
            width,
            slot,
            params: own,
            keeps_finite,
            in_place,
            needs_dx,
            waits: false,
        });
        Ok(())
    }

    /// Those of stages and wholes.
    pub fn all_params(&self) -> impl Iterator<Item = &Parameter> {
        self.params.iter().chain(self.wholes.iter().flat_map(|w| &w.params))
    }

    /// How many runs of stages there are between wholes: one more than these.
    pub fn legs(&self) -> usize {
        self.wholes.len() + 1
    }

    /// The stages of leg `i`.
    pub fn leg(&self, i: usize) -> Range<usize> {
        let end = self.wholes.get(i).map_or(self.stages.len(), |w| w.before);
        i.checked_sub(1).map_or(0, |before| self.wholes[before].before)..end
    }

    /// The parameters of all stages as they are now.
    pub fn read(&self) -> Params {
        self.params.iter().map(|p| p.tensor.data()).collect()
    }

    /// Its operations in their order; those that need the whole batch in brackets.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for i in 0..self.legs() {
            names.extend(self.stages[self.leg(i)].iter().map(|s| s.name.to_string()));
            names.extend(self.wholes.get(i).map(|w| format!("[{}]", w.op.name())));
        }
        names
    }

    /// Whether parameters that learned still do, and others still do not.
    pub fn is_current(&self) -> bool {
        self.all_params().all(|p| p.learns == p.tensor.requires_grad())
    }
}

/// An operation that needs the whole batch, because its rows mix or because nobody has written a stage for it: it runs as in an eager
/// step, between the pipelines before and after it.
pub(super) struct Whole {
    /// It runs before this stage.
    pub before: usize,
    op: Arc<dyn Op>,
    metas: SmallVec<[Meta; 3]>,
    out: Meta,
    pub params: Vec<Parameter>,
    /// Of its output.
    pub slot: usize,
    pub needs_dx: bool,
    /// Inputs, output and what the operation saved, between forward and backward.
    kept: Option<(Vec<Tensor>, Tensor, Vec<Tensor>)>,
}

impl Whole {
    /// Whether anybody wants its gradients.
    pub fn learns(&self) -> bool {
        self.needs_dx || self.params.iter().any(|p| p.learns)
    }

    /// What it changes beside its output.
    pub fn changes(&self) -> Vec<Tensor> {
        self.op.changes()
    }

    /// The output for all rows; `training` keeps what the backward pass needs.
    pub fn forward(&mut self, x: Vec<f32>, training: bool) -> Tensor {
        let x = Tensor::from_vec(x, &self.metas[0].shape);
        let inputs: Vec<Tensor> =
            [x].into_iter().chain(self.params.iter().map(|p| p.tensor.clone())).collect();
        let refs: SmallVec<[&Tensor; 3]> = inputs.iter().collect();
        let out = autograd::no_grad(|| self.op.forward(&refs, &self.out));
        drop(refs);
        let value = out.value.packed();
        self.kept = training.then(|| (inputs, value.clone(), out.saved));
        value
    }

    /// The gradient of the input, if anybody needs it; the parameters get theirs.
    pub fn backward(&mut self, dy: Vec<f32>) -> Option<Tensor> {
        let (inputs, output, saved) = self.kept.take()?;
        let grad = Tensor::from_vec(dy, &self.out.shape);
        let needs: Vec<bool> =
            [self.needs_dx].into_iter().chain(self.params.iter().map(|p| p.learns)).collect();
        let context = Context {
            grad: &grad,
            metas: &self.metas,
            needs: &needs,
            inputs: &inputs,
            output: Some(&output),
            saved: &saved,
        };
        let mut grads = autograd::no_grad(|| self.op.backward(&context)).into_iter();
        let dx = grads.next().flatten();
        for (parameter, grad) in self.params.iter_mut().zip(grads) {
            if let Some(grad) = grad.filter(|_| parameter.learns) {
                parameter.gradient = grad;
                parameter.give();
            }
        }
        dx
    }
}

/// Sends all rows through an operation that needs the whole batch. Whether its output is finite.
pub(super) fn through_whole(whole: &mut Whole, batch: &[f32], kept: &mut Kept, training: bool) -> bool {
    let x = match whole.slot {
        0 => batch.to_vec(),
        slot => kept.value(slot - 1).to_vec(),
    };
    let y = whole.forward(x, training);
    kept.value_mut(whole.slot).copy_from_slice(&y.data::<f32>());
    y.all_finite()
}

/// A parameter and the gradient that is written into it.
pub(super) struct Parameter {
    pub tensor: Tensor,
    /// Whether it wants a gradient.
    pub learns: bool,
    gradient: Tensor,
}

impl Parameter {
    fn new(tensor: &Tensor) -> Parameter {
        let learns = tensor.requires_grad();
        let gradient = if learns { Parameter::memory(tensor) } else { Tensor::zeros([0]) };
        Parameter { tensor: tensor.clone(), learns, gradient }
    }

    fn memory(tensor: &Tensor) -> Tensor {
        let zeros = Storage::new(Buffer::F32(vec![0.0; tensor.numel()]));
        Tensor::over(zeros, Layout::contiguous(tensor.shape_owned()), DType::F32)
    }

    /// Lends the memory of the gradient. What somebody else still holds is left to them.
    pub fn write(&mut self, f: impl FnOnce(&mut Vec<f32>)) {
        if Arc::strong_count(&self.gradient.0) > 1 || Arc::strong_count(&self.gradient.0.storage) > 1 {
            self.gradient = Parameter::memory(&self.tensor);
        }
        self.gradient.0.storage.write(|buffer| {
            if let Buffer::F32(values) = buffer {
                f(values);
            }
        });
    }

    /// The parameter has the gradient, beside what it had.
    pub fn give(&self) {
        match self.tensor.grad() {
            Some(before) => autograd::no_grad(|| self.tensor.set_grad(Some(&before + &self.gradient))),
            None => self.tensor.set_grad(Some(self.gradient.clone())),
        }
    }
}

/// What a plan asks of a batch: the same shape and type, side by side in memory.
pub(super) fn is_like(t: &Tensor, meta: &Meta) -> bool {
    t.shape() == &meta.shape[..] && t.dtype() == meta.dtype && t.is_contiguous()
}

/// A batch that a chain can start with.
pub(super) fn is_plain(x: &Tensor) -> bool {
    x.is_contiguous() && x.dim() > 0 && !x.requires_grad() && x.numel() > 0
}

/// The cut of the batch that the stage with the most parts wants; the others with parameters wait until all rows are done. A single
/// block makes nobody wait: a stage that sees the whole batch cuts it itself.
pub(super) fn common_cut(stages: &mut [Placed], n: usize) -> Vec<Range<usize>> {
    let cuts: Vec<_> = stages.iter().map(|s| s.stage.cut(n)).collect();
    let common = cuts.iter().flatten().max_by_key(|cut| cut.len()).cloned();
    let common = common.unwrap_or_else(|| std::iter::once(0..n).collect());
    for (stage, cut) in stages.iter_mut().zip(cuts) {
        stage.waits = common.len() > 1 && cut.is_some_and(|cut| cut != common);
    }
    common
}
