//! A block of rows on its way through the stages.

use super::chain::Chain;
use super::{LossStage, Rows, Stage, Targets};
use crate::tensor::Data;
use rekindle_kernels::reduce::all_finite;
use rekindle_kernels::slab::{Part, Slab};
use smallvec::SmallVec;
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
    /// Its parameters among those of all stages.
    pub params: Range<usize>,
    /// See [`Stage::keeps_finite`]; not if its input is the batch.
    pub keeps_finite: bool,
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
    /// Of all stages, one after the other.
    pub params: &'a Params,
    /// Of each stage; of all rows.
    pub masks: &'a [Vec<bool>],
}

/// Parameters as they are now. Those of usual nets need no memory of their own.
pub(super) type Params = SmallVec<[Data<f32>; 24]>;

/// Memory of some rows, by slots.
type Slots<'a> = SmallVec<[&'a mut [f32]; 24]>;

/// The end of a training step.
pub(super) struct Ending<'a> {
    pub loss: &'a dyn LossStage,
    pub targets: Targets<'a>,
    pub divisor: f32,
}

/// What outlives a block's turn: outputs of stages and their gradients, by slots, and the loss's terms, of all rows. Always the last
/// output.
pub(super) struct Kept {
    pub values: Vec<bool>,
    pub slopes: Vec<bool>,
    slab: Slab,
}

impl Kept {
    /// Memory for the slots that the two lists say; a pass without gradients has no slopes.
    pub fn new(
        parts: Vec<Range<usize>>,
        slots: &[usize],
        (values, slopes): (Vec<bool>, Vec<bool>),
        terms: usize,
    ) -> Kept {
        let widths =
            |kept: &[bool]| kept.iter().zip(slots).map(|(&kept, &w)| if kept { w } else { 0 }).collect();
        let [of_values, of_slopes]: [Vec<usize>; 2] = [widths(&values), widths(&slopes)];
        let slab = Slab::new(parts, of_values.into_iter().chain(of_slopes).chain([terms]));
        Kept { values, slopes, slab }
    }

    /// The outputs in a slot, of all rows.
    pub fn value(&self, slot: usize) -> &[f32] {
        self.slab.matrix(slot)
    }

    /// [`value`](Self::value), to write.
    pub fn value_mut(&mut self, slot: usize) -> &mut [f32] {
        self.slab.matrix_mut(slot)
    }

    /// The gradients of the outputs in a slot, of all rows.
    pub fn slope(&self, slot: usize) -> &[f32] {
        self.slab.matrix(self.values.len() + slot)
    }

    /// [`slope`](Self::slope), to write.
    pub fn slope_mut(&mut self, slot: usize) -> &mut [f32] {
        self.slab.matrix_mut(self.values.len() + slot)
    }

    /// The loss's terms of all rows.
    pub fn terms(&self) -> &[f32] {
        self.slab.matrix(self.values.len() + self.slopes.len())
    }
}

/// Memory for a block's turn, of what is not kept.
struct Spare {
    values: Vec<Vec<f32>>,
    slopes: Vec<Vec<f32>>,
    saved: Vec<f32>,
}

/// What a block works on in its turn.
pub(super) struct Work<'a> {
    values: Slots<'a>,
    slopes: Slots<'a>,
    terms: &'a mut [f32],
    /// What the loss saves.
    saved: &'a mut [f32],
}

/// Some rows.
pub(super) struct Block {
    pub rows: Range<usize>,
    /// Whether all outputs of stages are finite, and such as the loss takes.
    pub fine: bool,
    /// Of each stage, of each parameter; empty if nobody wants it.
    pub gradients: Vec<Vec<Vec<f32>>>,
}

impl Block {
    /// The outputs of the stages of a leg.
    pub fn forward(&mut self, work: &mut Work<'_>, shared: &Shared<'_>, leg: Range<usize>) {
        let n = self.rows.len();
        for i in leg {
            let placed = &shared.stages[i];
            let mask = &shared.masks[i][self.part(placed.stage.draws())];
            let (before, y) = work.values.split_at_mut(placed.slot);
            let y = &mut *y[0];
            if placed.in_place {
                placed.stage.forward_in_place(mask, y);
            } else {
                let x = self.input(before.last().map(|x| &**x), placed, shared);
                with_params(&shared.params[placed.params.clone()], |params| {
                    placed.stage.forward(Rows { n, x, y: &[], params, mask }, y);
                });
            }
            self.fine &= placed.keeps_finite || all_finite(y);
        }
    }

    /// The terms of the loss and the gradient of the last output.
    pub fn end(&mut self, work: &mut Work<'_>, ending: &Ending<'_>) {
        if let (Some(last), Some(slope)) = (work.values.last(), work.slopes.last_mut()) {
            let targets = match ending.targets {
                Targets::Numbers(t) => Targets::Numbers(&t[self.part(last.len() / self.rows.len())]),
                Targets::Classes(t) => Targets::Classes(&t[self.part(1)]),
            };
            self.fine &= ending.loss.forward(last, targets, work.saved, work.terms);
            if self.fine {
                ending.loss.backward(last, targets, work.saved, ending.divisor, slope);
            }
        }
    }

    /// The gradients of the stages of a leg.
    pub fn backward(&mut self, work: &mut Work<'_>, shared: &Shared<'_>, leg: Range<usize>) {
        let n = self.rows.len();
        for i in leg.rev() {
            let placed = &shared.stages[i];
            let mask = &shared.masks[i][self.part(placed.stage.draws())];
            let (before, dy) = work.slopes.split_at_mut(placed.slot);
            let (dy, y) = (&mut *dy[0], &*work.values[placed.slot]);
            if placed.in_place {
                placed.stage.backward_in_place(Rows { n, x: &[], y, params: &[], mask }, dy);
                continue;
            }
            let x = self.input(work.values[..placed.slot].last().map(|x| &**x), placed, shared);
            let dx = before.last_mut().filter(|_| placed.needs_dx).map(|dx| &mut **dx);
            if dx.is_some() || self.gradients[i].iter().any(|g| !g.is_empty()) {
                let gradients = &mut self.gradients[i];
                with_params(&shared.params[placed.params.clone()], |params| {
                    placed.stage.backward(Rows { n, x, y, params, mask }, dy, dx, gradients);
                });
            }
            if !placed.needs_dx {
                break; // Nothing before this learns.
            }
        }
    }

    /// This block's part of what has `width` elements for each row of the batch.
    pub fn part(&self, width: usize) -> Range<usize> {
        self.rows.start * width..self.rows.end * width
    }

    /// The input of a stage, where `before` is the memory of the slot before its own.
    fn input<'a>(&self, before: Option<&'a [f32]>, placed: &Placed, shared: &Shared<'a>) -> &'a [f32] {
        before.unwrap_or_else(|| &shared.x[self.part(placed.width.0)])
    }
}

/// Memory that blocks take turns to use: there is as much as threads need at once.
pub(super) struct Turns {
    spare: Mutex<Vec<Spare>>,
    /// The rows of the greatest block.
    rows: usize,
    /// What the loss saves of a row.
    saved: usize,
}

impl Turns {
    pub fn new(blocks: &[Block], saved: usize) -> Turns {
        let rows = blocks.iter().map(|block| block.rows.len()).max().unwrap_or(0);
        Turns { spare: Mutex::default(), rows, saved }
    }

    /// Calls `f` for each block, with memory that nobody else has, beside each other.
    pub fn run(
        &self,
        chain: &Chain,
        blocks: &mut [Block],
        kept: &mut Kept,
        f: impl Fn(&mut Block, &mut Work<'_>) + Sync,
    ) {
        let Kept { values, slopes, slab } = kept;
        let spare = || self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        slab.for_each(blocks, |block, mut part| {
            let memory = spare().pop();
            let mut memory = memory.unwrap_or_else(|| self.memory(&chain.slots, values, slopes));
            let n = block.rows.len();
            let mut work = Work {
                values: slots(n, &chain.slots, values, &mut part, &mut memory.values),
                slopes: slots(n, &chain.slots, slopes, &mut part, &mut memory.slopes),
                terms: part.next().unwrap_or_default(),
                saved: &mut memory.saved[..n * self.saved],
            };
            f(block, &mut work);
            drop(work);
            spare().push(memory);
        });
    }

    fn memory(&self, slots: &[usize], values: &[bool], slopes: &[bool]) -> Spare {
        let some = |kept: &[bool]| {
            kept.iter()
                .zip(slots)
                .map(|(&kept, width)| vec![0.0; if kept { 0 } else { self.rows * width }])
                .collect()
        };
        Spare { values: some(values), slopes: some(slopes), saved: vec![0.0; self.rows * self.saved] }
    }
}

/// The memory of `n` rows: what is kept is in `part`, the rest in `spare`.
fn slots<'a, 'p: 'a>(
    n: usize,
    widths: &[usize],
    kept: &[bool],
    part: &mut Part<'p>,
    spare: &'a mut [Vec<f32>],
) -> Slots<'a> {
    let mut all = Slots::new();
    for ((spare, width), kept) in spare.iter_mut().zip(widths).zip(kept) {
        let part = part.next().unwrap_or_default();
        all.push(if *kept { part } else { &mut spare[..n * width] });
    }
    all
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
