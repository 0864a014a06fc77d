//! A block of rows on its way through the stages.

use super::{LossStage, Rows, Stage, Targets};
use crate::tensor::{Data, Tensor};
use rekindle_kernels::parallel;
use rekindle_kernels::reduce::all_finite;
use std::mem::swap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// A stage with the length of its rows.
pub(super) struct Placed {
    /// That of its operation.
    pub name: &'static str,
    pub stage: Box<dyn Stage>,
    /// Numbers in a row of its input and of its output.
    pub width: (usize, usize),
    /// The memory of its output; the one before it is that of its input.
    pub slot: usize,
    /// Whether it writes over its input.
    pub in_place: bool,
    /// Whether a parameter before it learns, so that its input needs a gradient.
    pub needs_dx: bool,
    /// Whether its parameters' gradients are made from all rows, after the blocks, because it adds up other parts of the batch than these.
    pub waits: bool,
}

/// What all blocks read.
pub(super) struct Shared<'a> {
    pub stages: &'a [Placed],
    pub x: &'a [f32],
    /// Of each stage.
    pub params: &'a [Vec<Data<f32>>],
    /// Of each stage; of all rows.
    pub masks: &'a [Vec<bool>],
    pub kept: &'a Kept,
}

/// The end of a training step.
pub(super) struct Ending<'a> {
    pub loss: &'a dyn LossStage,
    pub targets: Targets<'a>,
    pub divisor: f32,
}

/// Which memory outlives the block's turn, by slots; always the last output.
pub(super) struct Kept {
    pub values: Vec<bool>,
    pub slopes: Vec<bool>,
}

/// Outputs of stages and their gradients, by slots.
#[derive(Default)]
pub(super) struct Memory {
    pub values: Vec<Vec<f32>>,
    pub slopes: Vec<Vec<f32>>,
    /// What the loss saves.
    saved: Vec<f32>,
}

impl Memory {
    /// For `n` rows of the slots that `has` says.
    pub fn new(n: usize, slots: &[usize], has: &Kept, saved: usize) -> Memory {
        let some = |has: &[bool]| {
            has.iter().zip(slots).map(|(&has, width)| vec![0.0; if has { n * width } else { 0 }]).collect()
        };
        Memory { values: some(&has.values), slopes: some(&has.slopes), saved: vec![0.0; n * saved] }
    }

    /// Exchanges what is kept with `other`: before and after a block's turn.
    fn swap(&mut self, other: &mut Memory, kept: &Kept) {
        let own = self.values.iter_mut().chain(&mut self.slopes);
        let others = other.values.iter_mut().chain(&mut other.slopes);
        let kept = kept.values.iter().chain(&kept.slopes);
        own.zip(others).zip(kept).filter(|(_, kept)| **kept).for_each(|((own, other), _)| swap(own, other));
    }
}

/// Some rows and what is kept of them.
pub(super) struct Block {
    pub rows: Range<usize>,
    pub kept: Memory,
    pub terms: Vec<f32>,
    /// Whether all outputs of stages are finite, and such as the loss takes.
    pub fine: bool,
    /// Of each stage, of each parameter; empty if nobody wants it.
    pub gradients: Vec<Vec<Vec<f32>>>,
}

impl Block {
    /// The outputs of the stages of a leg.
    pub fn forward(&mut self, memory: &mut Memory, shared: &Shared<'_>, leg: Range<usize>) {
        self.kept.swap(memory, shared.kept);
        let n = self.rows.len();
        for i in leg {
            let placed = &shared.stages[i];
            let mask = &shared.masks[i][self.part(placed.stage.draws())];
            let (before, y) = memory.values.split_at_mut(placed.slot);
            let y = &mut y[0][..n * placed.width.1];
            if placed.in_place {
                placed.stage.forward_in_place(mask, y);
            } else {
                let x = self.input(before.last(), placed, shared);
                with_params(&shared.params[i], |params| {
                    placed.stage.forward(Rows { n, x, y: &[], params, mask }, y);
                });
            }
            self.fine &= all_finite(y);
        }
        self.kept.swap(memory, shared.kept);
    }

    /// The terms of the loss and the gradient of the last output.
    pub fn end(&mut self, memory: &mut Memory, shared: &Shared<'_>, ending: &Ending<'_>) {
        self.kept.swap(memory, shared.kept);
        let n = self.rows.len();
        if let (Some(last), Some(slope)) = (memory.values.last(), memory.slopes.last_mut()) {
            let targets = match ending.targets {
                Targets::Numbers(t) => Targets::Numbers(&t[self.part(last.len() / n)]),
                Targets::Classes(t) => Targets::Classes(&t[self.part(1)]),
            };
            let saved = &mut memory.saved[..n * ending.loss.saved()];
            self.fine &= ending.loss.forward(last, targets, saved, &mut self.terms);
            if self.fine {
                ending.loss.backward(last, targets, saved, ending.divisor, &mut slope[..last.len()]);
            }
        }
        self.kept.swap(memory, shared.kept);
    }

    /// The gradients of the stages of a leg.
    pub fn backward(&mut self, memory: &mut Memory, shared: &Shared<'_>, leg: Range<usize>) {
        self.kept.swap(memory, shared.kept);
        let n = self.rows.len();
        for i in leg.rev() {
            let placed = &shared.stages[i];
            let mask = &shared.masks[i][self.part(placed.stage.draws())];
            let (before, dy) = memory.slopes.split_at_mut(placed.slot);
            let (dy, y) =
                (&mut dy[0][..n * placed.width.1], &memory.values[placed.slot][..n * placed.width.1]);
            if placed.in_place {
                placed.stage.backward_in_place(Rows { n, x: &[], y, params: &[], mask }, dy);
                continue;
            }
            let x = self.input(memory.values[..placed.slot].last(), placed, shared);
            let dx = before.last_mut().filter(|_| placed.needs_dx).map(|dx| &mut dx[..n * placed.width.0]);
            if dx.is_some() || self.gradients[i].iter().any(|g| !g.is_empty()) {
                let gradients = &mut self.gradients[i];
                with_params(&shared.params[i], |params| {
                    placed.stage.backward(Rows { n, x, y, params, mask }, dy, dx, gradients);
                });
            }
            if !placed.needs_dx {
                break; // Nothing before this learns.
            }
        }
        self.kept.swap(memory, shared.kept);
    }

    /// This block's part of what has `width` elements for each row of the batch.
    pub fn part(&self, width: usize) -> Range<usize> {
        self.rows.start * width..self.rows.end * width
    }

    /// The input of a stage, where `before` is the memory of the slot before its own.
    fn input<'a>(&self, before: Option<&'a Vec<f32>>, placed: &Placed, shared: &Shared<'a>) -> &'a [f32] {
        match before {
            Some(x) => &x[..self.rows.len() * placed.width.0],
            None => &shared.x[self.part(placed.width.0)],
        }
    }
}

/// Memory that blocks take turns to use: there is as much as threads need at once.
pub(super) struct Turns {
    spare: Mutex<Vec<Memory>>,
    /// How much: rows, slots, what blocks keep themselves, what the loss saves of a row.
    rows: usize,
    slots: Vec<usize>,
    has: Kept,
    saved: usize,
}

impl Turns {
    pub fn new(rows: usize, slots: &[usize], kept: &Kept, saved: usize) -> Turns {
        let not = |kept: &[bool]| kept.iter().map(|kept| !kept).collect();
        let has = Kept { values: not(&kept.values), slopes: not(&kept.slopes) };
        Turns { spare: Mutex::default(), rows, slots: slots.to_vec(), has, saved }
    }

    /// Calls `f` for each block, with memory that nobody else has, beside each other.
    pub fn run(&self, blocks: &mut [Block], f: impl Fn(&mut Block, &mut Memory) + Sync) {
        let spare = || self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = |block: &mut Block| {
            let memory = spare().pop();
            let mut memory =
                memory.unwrap_or_else(|| Memory::new(self.rows, &self.slots, &self.has, self.saved));
            f(block, &mut memory);
            spare().push(memory);
        };
        parallel::chunks_mut(blocks, 1, |_, block| turn(&mut block[0]));
    }
}

/// Parameters as slices, without an allocation for each call.
pub(super) fn with_params<R>(params: &[Data<f32>], f: impl FnOnce(&[&[f32]]) -> R) -> R {
    match params {
        [] => f(&[]),
        [a] => f(&[a]),
        [a, b] => f(&[a, b]),
        many => f(&many.iter().map(|p| &**p).collect::<Vec<_>>()),
    }
}

/// What all blocks have, in their order.
pub(super) fn gather<'a>(blocks: &'a [Block], of: impl Fn(&'a Block) -> &'a Vec<f32>, all: &mut Vec<f32>) {
    all.clear();
    blocks.iter().for_each(|block| all.extend_from_slice(of(block)));
}

/// [`gather`] into memory of its own.
pub(super) fn collect<'a>(blocks: &'a [Block], of: impl Fn(&'a Block) -> &'a Vec<f32>) -> Vec<f32> {
    let mut all = Vec::with_capacity(blocks.iter().map(|block| of(block).len()).sum());
    gather(blocks, of, &mut all);
    all
}

/// Gives each block its rows.
pub(super) fn scatter(all: &Tensor, blocks: &mut [Block], of: impl Fn(&mut Block) -> &mut Vec<f32>) {
    let all = all.data::<f32>();
    let mut rest = &all[..];
    for block in blocks {
        let own = of(block);
        let (part, after) = rest.split_at(own.len());
        own.copy_from_slice(part);
        rest = after;
    }
}
