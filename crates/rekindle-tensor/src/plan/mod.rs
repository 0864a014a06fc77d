//! Captured runs: what a training step or a forward pass recorded, replayed on memory that is kept.
//!
//! A run is recorded on a [`Tape`] while it executes eagerly, and becomes a plan if it is a chain of operations, each on the output of
//! the one before: a [`StepPlan`] (forward, loss, backward) or a [`ForwardPlan`]. Operations whose rows (samples) do not mix have a
//! [`Stage`], losses a [`LossStage`]. A plan cuts the batch into blocks of rows and sends each through the whole chain on one thread, so
//! that activations stay in its cache. An operation without a stage, such as batch normalisation, is a border between such
//! pipelines: it sees the whole batch, as in an eager run.
//!
//! The bits are those of the eager run, for any number of threads. A plan cuts the batch where sums over it are cut
//! anyway (`gemm::inner_blocks` for matrix products, `Conv2dShape::image_parts` for convolutions), and adds the blocks' gradients in their
//! order; a stage that adds up other parts makes its gradients from all rows, after the blocks.
//!
//! The idea of vectors that go through a pipeline is that of P. Boncz et al., "MonetDB/X100" (CIDR 2005).

mod block;
mod chain;
mod device;
mod forward;
mod plain;
mod step;
mod tape;

pub use device::{DevicePlan, DeviceTape, DeviceTrace, record_on_device};
pub use forward::ForwardPlan;
pub(crate) use plain::plain;
pub use step::StepPlan;
pub use tape::{Tape, Trace, aside, record};
pub(crate) use tape::{is_recording, read, recorded, refuse};

use std::fmt::Debug;
use std::ops::Range;

/// Some rows of a batch, as a stage sees them.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// How many.
    pub n: usize,
    /// The stage's input, row-major.
    pub x: &'a [f32],
    /// The stage's output; empty before it is computed.
    pub y: &'a [f32],
    /// The stage's parameters, row-major.
    pub params: &'a [&'a [f32]],
    /// What was drawn for these rows.
    pub mask: &'a [bool],
}

/// How the gradient of a parameter comes from those of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gradient {
    /// Each block of rows gives its own, written by [`Stage::backward`]; they are added in the order of the blocks.
    OfBlocks,
    /// The sum of the output's gradients over all rows.
    SumOfRows,
}

/// How a plan runs one operation on some rows. Its arithmetic is that of the operation's `forward` and `backward`, to the bit.
pub trait Stage: Debug + Send + Sync {
    /// The output of the rows, which overwrites `y`.
    fn forward(&self, rows: Rows<'_>, y: &mut [f32]);

    /// The gradients for that of the output: of the input, if anybody needs it, and of those parameters whose gradient is
    /// [`Gradient::OfBlocks`]. All are overwritten; a parameter's is empty if nobody wants it.
    fn backward(&self, rows: Rows<'_>, dy: &[f32], dx: Option<&mut [f32]>, params: &mut [Vec<f32>]);

    /// Whether it can write its output over its input, and the gradient of the input over that of the output. A stage without
    /// parameters may; then the other two functions are called where its input is nobody else's.
    fn in_place(&self) -> bool {
        false
    }

    /// [`forward`](Self::forward), where `y` holds the input.
    fn forward_in_place(&self, _mask: &[bool], _y: &mut [f32]) {
        unreachable!("{self:?} does not work in place");
    }

    /// [`backward`](Self::backward), where `dy` becomes the gradient of the input. `rows` has no input.
    fn backward_in_place(&self, _rows: Rows<'_>, _dy: &mut [f32]) {
        unreachable!("{self:?} does not work in place");
    }

    /// Whether finite inputs always give finite outputs: then nobody looks.
    fn keeps_finite(&self) -> bool {
        false
    }

    /// Whether the backward pass reads the output, so that nobody may write over it.
    fn reads_output(&self) -> bool {
        false
    }

    /// Of each parameter. By default there are none.
    fn gradients(&self) -> &'static [Gradient] {
        &[]
    }

    /// How a batch of `n` rows is cut for the gradients that are [`OfBlocks`](Gradient::OfBlocks): those of the parts are added in their
    /// order. None if there are no such gradients.
    fn cut(&self, _n: usize) -> Option<Vec<Range<usize>>> {
        None
    }

    /// How many truth values are drawn for each row.
    fn draws(&self) -> usize {
        0
    }

    /// Draws for all rows.
    fn draw(&self, _mask: &mut [bool]) {}
}

/// Targets of some rows.
#[derive(Clone, Copy)]
pub enum Targets<'a> {
    /// Numbers, as many as outputs.
    Numbers(&'a [f32]),
    /// One class for each row.
    Classes(&'a [i64]),
}

/// How a plan runs a loss on some rows: the gradient that arrives is 1.
pub trait LossStage: Debug + Send + Sync {
    /// What the sum of the terms and all gradients are divided by, from all targets.
    fn divisor(&self, targets: Targets<'_>, outputs: usize) -> f32;

    /// The loss's terms in a row.
    fn terms(&self) -> usize;

    /// Numbers in a row that the backward pass sees again.
    fn saved(&self) -> usize {
        0
    }

    /// The terms of some rows. False if the loss does not take such outputs or targets; the eager step says which then.
    fn forward(&self, x: &[f32], targets: Targets<'_>, saved: &mut [f32], terms: &mut [f32]) -> bool;

    /// The loss from the terms of all rows.
    fn total(&self, terms: &[f32], targets: Targets<'_>, divisor: f32) -> f32;

    /// The gradient of the input of some rows.
    fn backward(&self, x: &[f32], targets: Targets<'_>, saved: &[f32], divisor: f32, dx: &mut [f32]);
}
