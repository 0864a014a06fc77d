//! A plan for a forward pass without gradients: evaluation and prediction.

use super::block::{Block, Kept, Shared, Turns};
use super::chain::{Chain, is_like, is_plain, through_whole};
use super::tape::Tape;
use crate::dtype::DType;
use crate::op::Meta;
use crate::tensor::Tensor;
use rekindle_kernels::parallel;
use std::ops::Range;

/// Numbers that the outputs of a block should take together, so that they stay in the cache.
const CACHED: usize = 256 * 1024;
/// The least rows of a block: stages prepare their parameters for each block anew.
const ROWS: usize = 8;

/// A forward pass as a plan: the output for a batch, to the bit that of the eager pass.
pub struct ForwardPlan {
    shape: Meta,
    out: Meta,
    chain: Chain,
    blocks: Vec<Block>,
    turns: Turns,
    kept: Kept,
    masks: Vec<Vec<bool>>,
}

impl ForwardPlan {
    /// A plan for the recorded pass that computed `out` from `x`.
    ///
    /// # Errors
    /// Why the pass cannot be planned, in a line.
    pub fn new(tape: Tape, x: &Tensor, out: &Tensor) -> Result<ForwardPlan, String> {
        if let Some(refusal) = tape.refusal {
            return Err(refusal);
        }
        if !is_plain(x) || x.dtype() != DType::F32 {
            return Err("the batch is not a contiguous tensor of f32".into());
        }
        let (chain, at) = Chain::new(&tape.entries, x, None)?;
        if !at.is_same(out) {
            return Err("the output is not that of the last operation".into());
        }
        if chain.slots.is_empty() {
            return Err("it computes nothing".into());
        }
        if chain.stages.iter().any(|s| s.stage.draws() > 0) {
            return Err("it draws random numbers".into());
        }
        if chain.wholes.iter().any(|w| !w.changes().is_empty()) {
            return Err("it changes tensors".into());
        }
        let n = x.shape()[0];
        let bounds = bounds(n, &chain.slots);
        let last = chain.slots.len() - 1;
        let at_border = |slot: usize| chain.wholes.iter().any(|w| [slot, slot + 1].contains(&w.slot));
        let values = (0..=last).map(|slot| slot == last || at_border(slot)).collect();
        let kept = Kept::new(bounds.clone(), &chain.slots, (values, Vec::new()), 0);
        let block = |rows: Range<usize>| Block { rows, fine: true, gradients: Vec::new() };
        let blocks: Vec<Block> = bounds.into_iter().map(block).collect();
        let turns = Turns::new(&blocks, 0);
        let masks = vec![Vec::new(); chain.stages.len()];
        Ok(ForwardPlan { shape: Meta::of(x), out: Meta::of(out), chain, blocks, turns, kept, masks })
    }

    /// Whether the plan is for batches like this.
    pub fn fits(&self, x: &Tensor) -> bool {
        is_like(x, &self.shape) && !x.requires_grad()
    }

    /// The operations that run, and how the batch is cut.
    pub fn describe(&self) -> String {
        let names = self.chain.names().join(" -> ");
        let how =
            if self.blocks.len() == 1 { "one block".into() } else { format!("{} blocks", self.blocks.len()) };
        format!("{names}; {} rows in {how}", self.shape.shape[0])
    }

    /// The output for a batch. None if a number in it is not finite: the eager pass says which.
    ///
    /// # Panics
    /// If the batch is none that the plan [`fits`](Self::fits).
    pub fn run(&mut self, x: &Tensor) -> Option<Tensor> {
        assert!(self.fits(x), "plan: the batch has another shape than the plan");
        let ForwardPlan { chain, blocks, turns, kept, masks, .. } = self;
        let batch = x.data::<f32>();
        let params = chain.read();
        blocks.iter_mut().for_each(|block| block.fine = true);
        let mut fine = true;
        for i in 0..chain.legs() {
            let shared = Shared { stages: &chain.stages, x: &batch, params: &params, masks };
            let leg = chain.leg(i);
            turns.run(chain, blocks, kept, |block, work| block.forward(work, &shared, leg.clone()));
            if let Some(whole) = chain.wholes.get_mut(i) {
                fine &= through_whole(whole, &batch, kept, false);
            }
        }
        fine &= blocks.iter().all(|block| block.fine);
        fine.then(|| Tensor::from_vec(kept.value(chain.slots.len() - 1).to_vec(), &self.out.shape))
    }
}

/// Blocks of nearly the same number of rows, none of which is a single row of several: products with one row have an order of
/// their own.
fn bounds(n: usize, slots: &[usize]) -> Vec<Range<usize>> {
    let rows = (CACHED / slots.iter().sum::<usize>().max(1)).max(ROWS);
    let blocks = (n / rows).max(1).next_multiple_of(parallel::num_threads());
    let blocks = blocks.min(n / ROWS).max(1);
    (0..blocks).map(|i| n * i / blocks..n * (i + 1) / blocks).collect()
}
