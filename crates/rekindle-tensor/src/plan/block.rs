//! A block of rows on its way through the stages.

use super::{LossStage, Rows, Stage, Targets};
use crate::tensor::Data;
use rekindle_kernels::reduce::all_finite;
use std::ops::Range;

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
    /// Whether a stage before it has parameters, so that its input needs a gradient.
    pub needs_dx: bool,
}

/// What all blocks read.
pub(super) struct Shared<'a> {
    pub stages: &'a [Placed],
    pub loss: &'a dyn LossStage,
    pub x: &'a [f32],
    pub targets: Targets<'a>,
    pub divisor: f32,
    /// Of each stage.
    pub params: &'a [Vec<Data<f32>>],
    /// Of each stage; of all rows.
    pub masks: &'a [Vec<bool>],
}

/// Some rows and all that is computed of them; the memory is kept from step to step.
pub(super) struct Block {
    pub rows: Range<usize>,
    /// The outputs of stages, and their gradients, by slots.
    pub values: Vec<Vec<f32>>,
    pub slopes: Vec<Vec<f32>>,
    saved: Vec<f32>,
    pub terms: Vec<f32>,
    /// Whether all outputs of stages are finite, and such as the loss takes.
    pub fine: bool,
    /// Of each stage, of each parameter.
    pub gradients: Vec<Vec<Vec<f32>>>,
}

impl Block {
    pub fn new(rows: Range<usize>, stages: &[Placed], params: &[Vec<usize>], loss: &dyn LossStage) -> Block {
        use super::Gradient::OfBlocks;
        let n = rows.len();
        let own = |s: &&Placed| !s.in_place;
        let outputs = || stages.iter().filter(own).map(|s| vec![0.0; n * s.width.1]).collect();
        let of_stage = |(s, params): (&Placed, &Vec<usize>)| {
            let of_param =
                |(kind, &len): (&super::Gradient, &usize)| vec![0.0; if *kind == OfBlocks { len } else { 0 }];
            s.stage.gradients().iter().zip(params).map(of_param).collect()
        };
        Block {
            values: outputs(),
            slopes: outputs(),
            saved: vec![0.0; n * loss.saved()],
            fine: true,
            terms: vec![0.0; n * loss.terms()],
            gradients: stages.iter().zip(params).map(of_stage).collect(),
            rows,
        }
    }

    /// Forward, loss, backward.
    pub fn run(&mut self, shared: &Shared<'_>) {
        let n = self.rows.len();
        self.fine = true;
        let part = |width: usize| self.rows.start * width..self.rows.end * width;
        for (i, placed) in shared.stages.iter().enumerate() {
            let mask = &shared.masks[i][part(placed.stage.draws())];
            let (before, y) = self.values.split_at_mut(placed.slot);
            if placed.in_place {
                placed.stage.forward_in_place(mask, &mut y[0]);
                self.fine &= all_finite(&y[0]);
                continue;
            }
            let x = match before.last() {
                Some(x) => x.as_slice(),
                None => &shared.x[part(placed.width.0)],
            };
            with_params(&shared.params[i], |params| {
                placed.stage.forward(Rows { n, x, y: &[], params, mask }, &mut y[0]);
            });
            self.fine &= all_finite(&y[0]);
        }
        let (Some(last), Some(slope)) = (self.values.last(), self.slopes.last_mut()) else { return };
        let targets = match shared.targets {
            Targets::Numbers(t) => Targets::Numbers(&t[part(last.len() / n)]),
            Targets::Classes(t) => Targets::Classes(&t[part(1)]),
        };
        self.fine &= shared.loss.forward(last, targets, &mut self.saved, &mut self.terms);
        if !self.fine {
            return;
        }
        shared.loss.backward(last, targets, &self.saved, shared.divisor, slope);
        for (i, placed) in shared.stages.iter().enumerate().rev() {
            let mask = &shared.masks[i][part(placed.stage.draws())];
            let (before, dy) = self.slopes.split_at_mut(placed.slot);
            let y = &self.values[placed.slot];
            if placed.in_place {
                placed.stage.backward_in_place(Rows { n, x: &[], y, params: &[], mask }, &mut dy[0]);
                continue;
            }
            let x = match placed.slot {
                0 => &shared.x[part(placed.width.0)],
                slot => self.values[slot - 1].as_slice(),
            };
            let dx = before.last_mut().filter(|_| placed.needs_dx).map(Vec::as_mut_slice);
            with_params(&shared.params[i], |params| {
                placed.stage.backward(Rows { n, x, y, params, mask }, &dy[0], dx, &mut self.gradients[i]);
            });
            if !placed.needs_dx {
                break; // Nothing before this has parameters.
            }
        }
    }
}

/// Parameters as slices, without an allocation for each call.
fn with_params<R>(params: &[Data<f32>], f: impl FnOnce(&[&[f32]]) -> R) -> R {
    match params {
        [] => f(&[]),
        [a] => f(&[a]),
        [a, b] => f(&[a, b]),
        many => f(&many.iter().map(|p| &**p).collect::<Vec<_>>()),
    }
}
