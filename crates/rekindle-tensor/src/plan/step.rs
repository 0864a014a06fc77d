//! A plan for a training step.

use super::block::{Block, Ending, Kept, Params, Placed, Shared, Turns, with_params};
use super::chain::{Chain, Parameter, common_cut, is_like, is_plain, through_whole};
use super::tape::Tape;
use super::{Gradient, LossStage, Rows, Targets};
use crate::dtype::DType;
use crate::op::Meta;
use crate::random::with_default;
use crate::tensor::{Data, Tensor};
use rekindle_kernels::{parallel, reduce};

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
    /// The gradients that are made when all blocks are done, of each stage, of each parameter.
    late: Vec<Vec<Vec<f32>>>,
    turns: Turns,
    kept: Kept,
    masks: Vec<Vec<bool>>,
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
        let (ends, others) = match &last.inputs[..] {
            [a, b, others @ ..] => (last.output.is_same(loss) && a.is_same(&at) && b.is_same(y), others),
            _ => (false, &[][..]),
        };
        let made = |t: &Tensor| entries.iter().any(|e| e.output.is_same(t)) || t.is_same(x) || t.is_same(y);
        let ends = ends && !others.iter().any(|t| made(t) || !t.is_leaf() || t.requires_grad());
        let Some(loss) = last.op.loss_stage(&last.metas, others).filter(|_| ends) else {
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
        let partials: usize = gradients(&chain, false).iter().flatten().map(Vec::len).sum();
        if bounds.len() * partials > MOST_PARTIALS {
            bounds = std::iter::once(0..n).collect();
            chain.stages.iter_mut().for_each(|stage| stage.waits = false);
        }
        let kept = Kept::new(bounds.clone(), &chain.slots, kept(&chain), loss.terms());
        let block = |rows| Block { rows, fine: true, gradients: gradients(&chain, false) };
        let late = gradients(&chain, true);
        let blocks: Vec<Block> = bounds.into_iter().map(block).collect();
        let masks = chain.stages.iter().map(|s| vec![false; n * s.stage.draws()]).collect();
        let turns = Turns::new(&blocks, loss.saved());
        StepPlan { shapes, chain, loss, name, blocks, late, turns, kept, masks, out }
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
        let StepPlan { chain, loss, blocks, turns, kept, masks, .. } = self;
        let (batch, numbers, classes) = (x.data::<f32>(), numbers(y), classes(y));
        let targets = match (&numbers, &classes) {
            (_, Some(classes)) => Targets::Classes(classes),
            (numbers, None) => Targets::Numbers(numbers.as_deref().unwrap_or_default()),
        };
        let loss = &**loss;
        let divisor = loss.divisor(targets, self.out.shape.numel());
        let ending = Ending { loss, targets, divisor };
        let params = chain.read();
        blocks.iter_mut().for_each(|block| block.fine = true);
        let (legs, mut fine) = (chain.legs(), true);
        for i in 0..legs {
            let leg = chain.leg(i);
            for (placed, mask) in chain.stages[leg.clone()].iter().zip(&mut masks[leg.clone()]) {
                placed.stage.draw(mask);
            }
            let shared = Shared { stages: &chain.stages, x: &batch, params: &params, masks };
            let last = i + 1 == legs;
            turns.run(chain, blocks, kept, |block, work| {
                block.forward(work, &shared, leg.clone());
                if last {
                    block.end(work, &ending);
                    if block.fine {
                        block.backward(work, &shared, leg.clone());
                    }
                }
            });
            if let Some(whole) = chain.wholes.get_mut(i) {
                fine &= through_whole(whole, &batch, kept, true);
            }
        }
        let value = loss.total(kept.terms(), targets, divisor);
        if !fine || !value.is_finite() || blocks.iter().any(|block| !block.fine) {
            return None;
        }
        for i in (0..legs - 1).rev() {
            let whole = &mut chain.wholes[i];
            if !whole.learns() {
                break;
            }
            let dx = whole.backward(kept.slope(whole.slot).to_vec());
            if let (Some(dx), Some(slot)) = (dx, whole.slot.checked_sub(1)) {
                kept.slope_mut(slot).copy_from_slice(&dx.data::<f32>());
                let shared = Shared { stages: &chain.stages, x: &batch, params: &params, masks };
                let leg = chain.leg(i);
                turns.run(chain, blocks, kept, |block, work| block.backward(work, &shared, leg.clone()));
            }
        }
        drop(params);
        self.finish(&batch);
        Some(value)
    }

    /// The outputs for the batch of the last run.
    pub fn outputs(&self) -> Tensor {
        Tensor::from_vec(self.kept.value(self.chain.slots.len() - 1).to_vec(), &self.out.shape)
    }

    /// Adds up what the blocks found, and gives it to the parameters.
    fn finish(&mut self, batch: &[f32]) {
        let StepPlan { chain: Chain { stages, params, .. }, blocks, late, kept, .. } = self;
        for (s, placed) in stages.iter().enumerate() {
            let own = &mut params[placed.params.clone()];
            if own.iter().all(|p| !p.learns) {
                continue;
            }
            let kinds = placed.stage.gradients();
            if placed.waits {
                let x = placed.slot.checked_sub(1).map_or(batch, |slot| kept.value(slot));
                of_all_rows(placed, x, kept.slope(placed.slot), own, &mut late[s]);
            }
            for (p, parameter) in own.iter_mut().enumerate().filter(|(_, p)| p.learns) {
                match kinds[p] {
                    Gradient::OfBlocks => parameter.write(|sum| match &mut blocks[..] {
                        _ if placed.waits => std::mem::swap(sum, &mut late[s][p]),
                        [one] => std::mem::swap(sum, &mut one.gradients[s][p]),
                        many => add_in_order(many, |block| &block.gradients[s][p], sum),
                    }),
                    Gradient::SumOfRows => {
                        let (dy, width) = (kept.slope(placed.slot), placed.width.1);
                        parameter.write(|sum| reduce::sum_dim(dy, 1, dy.len() / width, width, sum));
                    }
                }
                parameter.give();
            }
        }
    }
}

/// The gradients of a stage that waited for all rows.
fn of_all_rows(placed: &Placed, x: &[f32], dy: &[f32], own: &[Parameter], gradients: &mut [Vec<f32>]) {
    let n = dy.len() / placed.width.1;
    let data: Params = own.iter().map(|p| p.tensor.data()).collect();
    with_params(&data, |params| {
        placed.stage.backward(Rows { n, x, y: &[], params, mask: &[] }, dy, None, gradients);
    });
}

/// For each stage the memory of the gradients that blocks make, or of those that are made when all are done.
fn gradients(chain: &Chain, late: bool) -> Vec<Vec<Vec<f32>>> {
    let of = |placed: &Placed| {
        let has = |(kind, p): (&Gradient, &Parameter)| {
            *kind == Gradient::OfBlocks && p.learns && placed.waits == late
        };
        let own = placed.stage.gradients().iter().zip(&chain.params[placed.params.clone()]);
        own.map(|(kind, p)| vec![0.0; if has((kind, p)) { p.tensor.numel() } else { 0 }]).collect()
    };
    chain.stages.iter().map(of).collect()
}

/// What must be kept, values and slopes: the outputs, what gradients are made of when all blocks are done, and all if the chain goes
/// through operations that need the whole batch.
fn kept(chain: &Chain) -> (Vec<bool>, Vec<bool>) {
    let (all, n) = (!chain.wholes.is_empty(), chain.slots.len());
    let (mut values, mut slopes) = (vec![all; n], vec![all; n]);
    values[n - 1] = true;
    for placed in &chain.stages {
        if placed.waits || placed.stage.gradients().contains(&Gradient::SumOfRows) {
            slopes[placed.slot] = true;
        }
        if placed.waits && placed.slot > 0 {
            values[placed.slot - 1] = true;
        }
    }
    (values, slopes)
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
