//! A plan for a training step.

use super::block::{
    Block, Ending, Kept, Memory, Placed, Shared, Turns, collect, gather, scatter, with_params,
};
use super::chain::{Chain, Parameter, common_cut, is_like, is_plain, through_whole};
use super::tape::Tape;
use super::{Gradient, LossStage, Rows, Targets};
use crate::dtype::DType;
use crate::op::Meta;
use crate::random::with_default;
use crate::tensor::{Data, Tensor};
use rekindle_kernels::{parallel, reduce};
use std::ops::Range;

/// The gradients of all blocks may take this many numbers together; beyond, the batch is one block.
const MOST_PARTIALS: usize = 16 << 20;
/// Numbers of a gradient that one task adds up.
const PIECE: usize = 16 * 1024;

/// A training step as a plan: the loss of a batch and the gradients of the parameters, to the bit those of the eager step, without
/// its graph and allocations. Made from a recorded step; see the module's page.
pub struct StepPlan {
    shapes: (Meta, Meta),
    chain: Chain,
    loss: Box<dyn LossStage>,
    /// The name of the loss.
    name: &'static str,
    blocks: Vec<Block>,
    turns: Turns,
    kept: Kept,
    masks: Vec<Vec<bool>>,
    /// What is gathered from all blocks.
    gathered: [Vec<f32>; 2],
    /// What the outputs are like.
    out: Meta,
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
        if !is_plain(x) || x.dtype() != DType::F32 || !is_plain(y) {
            return Err("the batch is not a contiguous tensor of f32 with targets".into());
        }
        let Some((last, entries)) = tape.entries.split_last() else {
            return Err("the step runs no operation".into());
        };
        let (chain, at) = Chain::new(entries, x, Some(y))?;
        let name = last.op.name();
        let ends =
            last.output.is_same(loss) && matches!(&last.inputs[..], [a, b] if a.is_same(&at) && b.is_same(y));
        let Some(loss) = last.op.loss_stage(&last.metas).filter(|_| ends) else {
            return Err(format!("{name} has no stage as a loss"));
        };
        if !chain.all_params().any(|p| p.learns) {
            return Err("no parameter learns".into());
        }
        Ok(StepPlan::of(chain, (name, loss), (Meta::of(x), Meta::of(y)), Meta::of(&at)))
    }

    fn of(
        mut chain: Chain,
        (name, loss): (&'static str, Box<dyn LossStage>),
        shapes: (Meta, Meta),
        out: Meta,
    ) -> Self {
        let n = shapes.0.shape[0];
        let mut bounds = common_cut(&mut chain.stages, n);
        let partials: usize = gradients_of_blocks(&chain).iter().flatten().map(Vec::len).sum();
        if bounds.len() * partials > MOST_PARTIALS {
            bounds = std::iter::once(0..n).collect();
            chain.stages.iter_mut().for_each(|stage| stage.waits = false);
        }
        let kept = kept(&chain);
        let block = |rows: Range<usize>| Block {
            kept: Memory::new(rows.len(), &chain.slots, &kept, 0),
            terms: vec![0.0; rows.len() * loss.terms()],
            fine: true,
            gradients: gradients_of_blocks(&chain),
            rows,
        };
        let most = bounds.iter().map(Range::len).max().unwrap_or(0);
        let blocks = bounds.into_iter().map(block).collect();
        let masks = chain.stages.iter().map(|s| vec![false; n * s.stage.draws()]).collect();
        let turns = Turns::new(most, &chain.slots, &kept, loss.saved());
        StepPlan { shapes, chain, loss, name, blocks, turns, kept, masks, gathered: Default::default(), out }
    }

    /// Whether the plan is for batches like these, and its parameters want gradients as they did.
    pub fn fits(&self, x: &Tensor, y: &Tensor) -> bool {
        let batch = is_like(x, &self.shapes.0) && is_like(y, &self.shapes.1) && !x.requires_grad();
        batch && self.chain.is_current()
    }

    /// The operations that run, and how the batch is cut; those that need the whole batch are in brackets.
    pub fn describe(&self) -> String {
        let (blocks, n) = (self.blocks.len(), self.shapes.0.shape[0]);
        let how =
            if blocks == 1 { "one block".into() } else { format!("{blocks} blocks, beside each other") };
        format!("{} -> {}; {n} rows in {how}", self.chain.names().join(" -> "), self.name)
    }

    /// The loss of a batch; the parameters' gradients are added to those that they have. None if a number in it is not finite, or
    /// is none that the loss takes: then nothing was done, and the eager step says what is wrong.
    ///
    /// # Panics
    /// If the batch is none that the plan [`fits`](Self::fits).
    pub fn run(&mut self, x: &Tensor, y: &Tensor) -> Option<f32> {
        assert!(self.fits(x, y), "plan: the batch has another shape than the plan");
        let draws = self.masks.iter().any(|mask| !mask.is_empty()) || !self.chain.wholes.is_empty();
        let generator = draws.then(|| with_default(|g| g.clone()));
        let changed: Vec<(Tensor, Tensor)> =
            self.chain.wholes.iter().flat_map(|w| w.changes()).map(|t| (t.copy(), t)).collect();
        let loss = self.try_run(x, y);
        if loss.is_none() {
            if let Some(generator) = generator {
                with_default(|g| *g = generator);
            }
            changed.iter().for_each(|(before, t)| _ = t.copy_(before));
        }
        loss
    }

    /// [`run`](Self::run), which leaves the generator where it came to and what wholes changed as it is.
    fn try_run(&mut self, x: &Tensor, y: &Tensor) -> Option<f32> {
        let StepPlan { chain, loss, blocks, turns, kept, masks, gathered, .. } = self;
        let (batch, numbers, classes) = (x.data::<f32>(), numbers(y), classes(y));
        let targets = match (&numbers, &classes) {
            (_, Some(classes)) => Targets::Classes(classes),
            (numbers, None) => Targets::Numbers(numbers.as_deref().unwrap_or_default()),
        };
        let loss = &**loss;
        let divisor = loss.divisor(targets, self.out.shape.numel());
        let ending = Ending { loss, targets, divisor };
        let params: Vec<Vec<Data<f32>>> =
            chain.params.iter().map(|own| own.iter().map(|p| p.tensor.data::<f32>()).collect()).collect();
        blocks.iter_mut().for_each(|block| block.fine = true);
        let (legs, mut fine) = (chain.legs(), true);
        for (i, leg) in legs.iter().enumerate() {
            for (placed, mask) in chain.stages[leg.clone()].iter().zip(&mut masks[leg.clone()]) {
                placed.stage.draw(mask);
            }
            let shared = Shared { stages: &chain.stages, x: &batch, params: &params, masks, kept };
            let whole = chain.wholes.get_mut(i);
            turns.run(blocks, |block, memory| {
                block.forward(memory, &shared, leg.clone());
                if whole.is_none() {
                    block.end(memory, &shared, &ending);
                    if block.fine {
                        block.backward(memory, &shared, leg.clone());
                    }
                }
            });
            if let Some(whole) = whole {
                fine &= through_whole(whole, &batch, blocks, true);
            }
        }
        gather(blocks, |block| &block.terms, &mut gathered[0]);
        let value = loss.total(&gathered[0], targets, divisor);
        if !fine || !value.is_finite() || blocks.iter().any(|block| !block.fine) {
            return None;
        }
        for (i, leg) in legs.iter().enumerate().rev().skip(1) {
            let whole = &mut chain.wholes[i];
            if !whole.learns() {
                break;
            }
            let dx = whole.backward(collect(blocks, |block| &block.kept.slopes[whole.slot]));
            if let (Some(dx), Some(slot)) = (dx, whole.slot.checked_sub(1)) {
                scatter(&dx, blocks, |block| &mut block.kept.slopes[slot]);
                let shared = Shared { stages: &chain.stages, x: &batch, params: &params, masks, kept };
                turns.run(blocks, |block, memory| block.backward(memory, &shared, leg.clone()));
            }
        }
        drop(params);
        self.finish(&batch);
        Some(value)
    }

    /// The outputs for the batch of the last run.
    pub fn outputs(&self) -> Tensor {
        let all = self.blocks.iter().filter_map(|b| b.kept.values.last()).flatten().copied().collect();
        Tensor::from_vec::<f32>(all, &self.out.shape)
    }

    /// Adds up what the blocks found, and gives it to the parameters.
    fn finish(&mut self, batch: &[f32]) {
        let StepPlan { chain, blocks, gathered: [all_x, all_dy], .. } = self;
        for (s, (placed, own)) in chain.stages.iter().zip(&mut chain.params).enumerate() {
            if own.iter().all(|p| !p.learns) {
                continue;
            }
            let kinds = placed.stage.gradients();
            if placed.waits || kinds.contains(&Gradient::SumOfRows) {
                gather(blocks, |block| &block.kept.slopes[placed.slot], all_dy);
            }
            let mut late = Vec::new();
            if placed.waits {
                let x = match placed.slot {
                    0 => batch,
                    slot => {
                        gather(blocks, |block| &block.kept.values[slot - 1], all_x);
                        &**all_x
                    }
                };
                late = of_all_rows(placed, x, all_dy, own);
            }
            for (p, parameter) in own.iter_mut().enumerate().filter(|(_, p)| p.learns) {
                match kinds[p] {
                    Gradient::OfBlocks => parameter.write(|sum| match &mut blocks[..] {
                        _ if placed.waits => std::mem::swap(sum, &mut late[p]),
                        [one] => std::mem::swap(sum, &mut one.gradients[s][p]),
                        many => add_in_order(many, |block| &block.gradients[s][p], sum),
                    }),
                    Gradient::SumOfRows => {
                        let width = placed.width.1;
                        parameter.write(|sum| reduce::sum_dim(all_dy, 1, all_dy.len() / width, width, sum));
                    }
                }
                parameter.give();
            }
        }
    }
}

/// The gradients of a stage that waited for all rows.
fn of_all_rows(placed: &Placed, x: &[f32], dy: &[f32], own: &[Parameter]) -> Vec<Vec<f32>> {
    let n = dy.len() / placed.width.1;
    let mut gradients: Vec<Vec<f32>> = sizes(placed, own, true);
    let data: Vec<Data<f32>> = own.iter().map(|p| p.tensor.data()).collect();
    with_params(&data, |params| {
        placed.stage.backward(Rows { n, x, y: &[], params, mask: &[] }, dy, None, &mut gradients);
    });
    gradients
}

/// For each stage the memory of the gradients that blocks make.
fn gradients_of_blocks(chain: &Chain) -> Vec<Vec<Vec<f32>>> {
    chain.stages.iter().zip(&chain.params).map(|(placed, own)| sizes(placed, own, placed.waits)).collect()
}

/// Memory for the gradients that are of blocks, if a stage waits as `waits` says; empty for the others.
fn sizes(placed: &Placed, own: &[Parameter], waits: bool) -> Vec<Vec<f32>> {
    let kinds = placed.stage.gradients().iter();
    let has =
        |kind: &Gradient, p: &Parameter| *kind == Gradient::OfBlocks && p.learns && placed.waits == waits;
    kinds.zip(own).map(|(kind, p)| vec![0.0; if has(kind, p) { p.tensor.numel() } else { 0 }]).collect()
}

/// What must be kept of each block: the outputs, what gradients are made of when all blocks are done, and all if the chain goes
/// through operations that need the whole batch.
fn kept(chain: &Chain) -> Kept {
    let all = !chain.wholes.is_empty();
    let last = chain.slots.len() - 1;
    let mut kept = Kept { values: vec![all; last + 1], slopes: vec![all; last + 1] };
    kept.values[last] = true;
    for placed in &chain.stages {
        if placed.waits || placed.stage.gradients().contains(&Gradient::SumOfRows) {
            kept.slopes[placed.slot] = true;
        }
        if placed.waits && placed.slot > 0 {
            kept.values[placed.slot - 1] = true;
        }
    }
    kept
}

fn numbers(y: &Tensor) -> Option<Data<f32>> {
    (y.dtype() == DType::F32).then(|| y.data())
}

fn classes(y: &Tensor) -> Option<Data<i64>> {
    (y.dtype() == DType::I64).then(|| y.data())
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
