//! A plan for a training step.

use super::block::{Block, Placed, Shared};
use super::tape::Tape;
use super::{Gradient, LossStage, Targets};
use crate::autograd;
use crate::dtype::DType;
use crate::layout::Layout;
use crate::op::Meta;
use crate::random::with_default;
use crate::shape::Shape;
use crate::storage::{Buffer, Storage};
use crate::tensor::{Data, Tensor};
use rekindle_kernels::{gemm, parallel, reduce};
use std::sync::Arc;

/// The gradients of all blocks may take this many numbers together; beyond, blocks follow one another.
const MOST_PARTIALS: usize = 16 << 20;
/// Numbers of a gradient that one task adds up.
const PIECE: usize = 16 * 1024;

/// A training step as a plan: the loss of a batch and the gradients of the parameters, to the bit those of the eager step, without
/// its graph and allocations. Made from a recorded step; see the module's page.
pub struct StepPlan {
    shapes: (Meta, Meta),
    stages: Vec<Placed>,
    loss: Box<dyn LossStage>,
    params: Vec<Vec<Parameter>>,
    blocks: Vec<Block>,
    masks: Vec<Vec<bool>>,
    /// Whether blocks run beside each other.
    beside: bool,
    gathered: Vec<f32>,
    /// The shape of the outputs.
    out: Shape,
    /// The name of the loss.
    name: &'static str,
}

/// A parameter and the gradient that is written into it.
struct Parameter {
    tensor: Tensor,
    gradient: Tensor,
}

impl StepPlan {
    /// A plan for the recorded step that computed `loss` from a batch `x` with targets `y`.
    ///
    /// # Errors
    /// Why the step cannot be planned, in a line.
    pub fn new(tape: Tape, x: &Tensor, y: &Tensor, loss: &Tensor) -> Result<StepPlan, String> {
        if let Some(refusal) = tape.refusal {
            return Err(refusal);
        }
        let plain = |t: &Tensor| t.is_contiguous() && t.dim() > 0 && !t.requires_grad();
        if !plain(x) || x.dtype() != DType::F32 || !plain(y) || x.numel() == 0 {
            return Err("the batch is not a contiguous tensor of f32 with targets".into());
        }
        let n = x.shape()[0];
        let (mut stages, mut params, mut at) = (Vec::new(), Vec::new(), x.clone());
        let Some((last, chain)) = tape.entries.split_last() else {
            return Err("the step runs no operation".into());
        };
        for entry in chain {
            let name = entry.op.name();
            let follows = entry.inputs.first().is_some_and(|input| input.is_same(&at));
            if !follows || entry.inputs[1..].iter().any(|p| !is_parameter(p)) {
                return Err(format!(
                    "{name} takes other things than the output of the operation before it and parameters"
                ));
            }
            let meta = Meta::of(&entry.output);
            if meta.shape.first() != Some(&n) || meta.dtype != DType::F32 {
                return Err(format!("{name} gives {meta:?}, no f32 row for each of {n} samples"));
            }
            if entry.op.keeps_rows() {
                at = entry.output.clone();
                continue;
            }
            let Some(stage) = entry.op.stage(&entry.metas, &meta) else {
                return Err(format!("{name} has no stage"));
            };
            let own: Vec<Parameter> = entry.inputs[1..].iter().map(Parameter::new).collect();
            if own.len() != stage.gradients().len() {
                return Err(format!("{name} takes {} parameters", own.len()));
            }
            let width = (at.numel() / n, entry.output.numel() / n);
            let needs_dx = params.iter().any(|own: &Vec<Parameter>| !own.is_empty());
            // The batch is the user's, so the first stage has a slot of its own.
            let before = stages.last().map(|s: &Placed| (s.slot, s.stage.reads_output()));
            let in_place = stage.in_place() && before.is_some_and(|(_, read)| !read);
            let slot = before.map_or(0, |(slot, _)| slot + usize::from(!in_place));
            stages.push(Placed { name, stage, width, slot, in_place, needs_dx });
            params.push(own);
            at = entry.output.clone();
        }
        let all: Vec<&Tensor> = params.iter().flatten().map(|p: &Parameter| &p.tensor).collect();
        if all.iter().enumerate().any(|(i, p)| all[..i].iter().any(|other| other.is_same(p))) {
            return Err("a parameter is used twice".into());
        }
        let ends =
            last.output.is_same(loss) && matches!(&last.inputs[..], [a, b] if a.is_same(&at) && b.is_same(y));
        let stage = last.op.loss_stage(&last.metas).filter(|_| ends && !stages.is_empty());
        let name = last.op.name();
        let Some(loss) = stage else { return Err(format!("{} has no stage as a loss", last.op.name())) };
        Ok(StepPlan::of(stages, params, (name, loss), (Meta::of(x), Meta::of(y)), at.shape_owned()))
    }

    fn of(
        stages: Vec<Placed>,
        params: Vec<Vec<Parameter>>,
        (name, loss): (&'static str, Box<dyn LossStage>),
        shapes: (Meta, Meta),
        out: Shape,
    ) -> Self {
        let n = shapes.0.shape[0];
        let sizes: Vec<Vec<usize>> =
            params.iter().map(|own| own.iter().map(|p| p.tensor.numel()).collect()).collect();
        let bounds: Vec<_> = match stages.iter().all(|s| s.stage.splits()) {
            true => gemm::inner_blocks(n).collect(),
            false => std::iter::once(0..n).collect(),
        };
        let partials = bounds.len() * sizes.iter().flatten().sum::<usize>();
        let beside = bounds.len() > 1 && partials <= MOST_PARTIALS;
        let blocks = bounds.into_iter().map(|rows| Block::new(rows, &stages, &sizes, &*loss)).collect();
        let masks = stages.iter().map(|s| vec![false; n * s.stage.draws()]).collect();
        StepPlan { shapes, stages, loss, params, blocks, masks, beside, gathered: Vec::new(), out, name }
    }

    /// Whether the plan is for batches like these, and its parameters still want gradients.
    pub fn fits(&self, x: &Tensor, y: &Tensor) -> bool {
        let like = |t: &Tensor, meta: &Meta| {
            t.shape() == &meta.shape[..] && t.dtype() == meta.dtype && t.is_contiguous()
        };
        let learns = |p: &Parameter| p.tensor.requires_grad();
        let batch = like(x, &self.shapes.0) && like(y, &self.shapes.1) && !x.requires_grad();
        batch && self.params.iter().flatten().all(learns)
    }

    /// The operations that run, and how the batch is cut.
    pub fn describe(&self) -> String {
        let stages: Vec<&str> = self.stages.iter().map(|s| s.name).collect();
        let (blocks, n) = (self.blocks.len(), self.shapes.0.shape[0]);
        let how = if self.beside { "beside each other" } else { "one after another" };
        let how = if blocks == 1 { "one block".into() } else { format!("{blocks} blocks, {how}") };
        format!("{} -> {}; {n} rows in {how}", stages.join(" -> "), self.name)
    }

    /// The loss of a batch; the parameters' gradients are added to those that they have. None if a number in it is not finite, or
    /// is none that the loss takes: then nothing was done, and the eager step says what is wrong.
    ///
    /// # Panics
    /// If the batch is none that the plan [`fits`](Self::fits).
    pub fn run(&mut self, x: &Tensor, y: &Tensor) -> Option<f32> {
        assert!(self.fits(x, y), "plan: the batch has another shape than the plan");
        let draws = self.masks.iter().any(|mask| !mask.is_empty());
        let generator = draws.then(|| with_default(|g| g.clone()));
        for (placed, mask) in self.stages.iter().zip(&mut self.masks) {
            placed.stage.draw(mask);
        }
        let (x, numbers, classes) = (x.data::<f32>(), numbers(y), classes(y));
        let targets = match (&numbers, &classes) {
            (_, Some(classes)) => Targets::Classes(classes),
            (numbers, None) => Targets::Numbers(numbers.as_deref().unwrap_or_default()),
        };
        let outputs = self.blocks.iter().filter_map(|b| b.values.last()).map(Vec::len).sum();
        let divisor = self.loss.divisor(targets, outputs);
        let params: Vec<Vec<Data<f32>>> =
            self.params.iter().map(|own| own.iter().map(|p| p.tensor.data::<f32>()).collect()).collect();
        let (stages, loss, masks) = (&self.stages[..], &*self.loss, &self.masks[..]);
        let shared = Shared { stages, loss, x: &x, targets, divisor, params: &params, masks };
        if self.beside {
            parallel::chunks_mut(&mut self.blocks, 1, |_, block| block[0].run(&shared));
        } else {
            self.blocks.iter_mut().for_each(|block| block.run(&shared));
        }
        gather(&self.blocks, |block| &block.terms, &mut self.gathered);
        let loss = self.loss.total(&self.gathered, targets, divisor);
        drop(params);
        if !loss.is_finite() || self.blocks.iter().any(|block| !block.fine) {
            if let Some(generator) = generator {
                with_default(|g| *g = generator);
            }
            return None;
        }
        self.finish();
        Some(loss)
    }

    /// The outputs for the batch of the last run.
    pub fn outputs(&self) -> Tensor {
        let all = self.blocks.iter().filter_map(|b| b.values.last()).flatten().copied().collect();
        Tensor::from_vec::<f32>(all, &self.out)
    }

    /// Adds up what the blocks found, and gives it to the parameters.
    fn finish(&mut self) {
        for (s, own) in self.params.iter_mut().enumerate() {
            for (p, parameter) in own.iter_mut().enumerate() {
                let (blocks, gathered) = (&mut self.blocks, &mut self.gathered);
                match self.stages[s].stage.gradients()[p] {
                    Gradient::OfBlocks => parameter.write(|sum| match &mut blocks[..] {
                        [one] => std::mem::swap(sum, &mut one.gradients[s][p]),
                        many => add_in_order(many, |block| &block.gradients[s][p], sum),
                    }),
                    Gradient::SumOfRows => {
                        let slot = self.stages[s].slot;
                        let dy = match &blocks[..] {
                            [one] => &one.slopes[slot],
                            many => {
                                gather(many, |block| &block.slopes[slot], gathered);
                                &*gathered
                            }
                        };
                        let width = self.stages[s].width.1;
                        parameter.write(|sum| reduce::sum_dim(dy, 1, dy.len() / width, width, sum));
                    }
                }
                parameter.give();
            }
        }
    }
}

fn numbers(y: &Tensor) -> Option<Data<f32>> {
    (y.dtype() == DType::F32).then(|| y.data())
}

fn classes(y: &Tensor) -> Option<Data<i64>> {
    (y.dtype() == DType::I64).then(|| y.data())
}

fn gather<'a>(blocks: &'a [Block], of: impl Fn(&'a Block) -> &'a Vec<f32>, all: &mut Vec<f32>) {
    all.clear();
    blocks.iter().for_each(|block| all.extend_from_slice(of(block)));
}

fn add_in_order<'a>(blocks: &'a [Block], of: impl Fn(&'a Block) -> &'a Vec<f32> + Sync, sum: &mut [f32]) {
    parallel::chunks_mut(sum, PIECE, |i, sum| {
        let part = i * PIECE..i * PIECE + sum.len();
        sum.copy_from_slice(&of(&blocks[0])[part.clone()]);
        for block in &blocks[1..] {
            sum.iter_mut().zip(&of(block)[part.clone()]).for_each(|(sum, v)| *sum += v);
        }
    });
}

/// A parameter that a plan can give gradients to.
fn is_parameter(p: &Tensor) -> bool {
    p.is_leaf() && p.requires_grad() && p.is_contiguous() && p.dtype() == DType::F32
}

impl Parameter {
    fn new(tensor: &Tensor) -> Parameter {
        Parameter { tensor: tensor.clone(), gradient: Parameter::memory(tensor) }
    }

    fn memory(tensor: &Tensor) -> Tensor {
        let zeros = Storage::new(Buffer::F32(vec![0.0; tensor.numel()]));
        Tensor::over(zeros, Layout::contiguous(tensor.shape_owned()), DType::F32)
    }

    /// Lends the memory of the gradient. What somebody else still holds is left to them.
    fn write(&mut self, f: impl FnOnce(&mut Vec<f32>)) {
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
    fn give(&self) {
        match self.tensor.grad() {
            Some(before) => autograd::no_grad(|| self.tensor.set_grad(Some(&before + &self.gradient))),
            None => self.tensor.set_grad(Some(self.gradient.clone())),
        }
    }
}
