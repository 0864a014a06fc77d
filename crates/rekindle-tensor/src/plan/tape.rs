//! The record of what a step does, made while it runs eagerly.

use crate::op::{Meta, Op};
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// One operation that ran.
pub(crate) struct Entry {
    pub op: Arc<dyn Op>,
    pub inputs: SmallVec<[Tensor; 3]>,
    pub metas: SmallVec<[Meta; 3]>,
    pub output: Tensor,
}

/// The operations that ran, in their order, and why they say less than what was done.
#[derive(Default)]
pub struct Tape {
    pub(crate) entries: Vec<Entry>,
    pub(crate) refusal: Option<String>,
    /// A loss may look whether they are in range.
    targets: Option<Tensor>,
}

/// What a run did, to be compared with what another did: the operations with their options and shapes, and which tensors it took from
/// outside.
pub struct Trace {
    text: String,
    outside: Vec<Tensor>,
}

impl Trace {
    /// Whether both runs did the same with the same parameters.
    pub fn is_same(&self, other: &Trace) -> bool {
        let same = |(a, b): (&Tensor, &Tensor)| a.is_same(b);
        self.text == other.text
            && self.outside.len() == other.outside.len()
            && self.outside.iter().zip(&other.outside).all(same)
    }
}

impl Tape {
    /// What was recorded of a run on a batch `x`.
    pub fn trace(&self, x: &Tensor) -> Trace {
        let line = |e: &Entry| format!("{:?} {:?} -> {:?}\n", e.op, e.metas, e.output.shape());
        let text = self.entries.iter().map(line).collect();
        let made = |t: &Tensor| t.is_same(x) || self.entries.iter().any(|e| e.output.is_same(t));
        let given = |t: &Tensor| self.targets.as_ref().is_some_and(|y| y.is_same(t));
        let inputs = self.entries.iter().flat_map(|e| &e.inputs);
        Trace { text, outside: inputs.filter(|t| !made(t) && !given(t)).cloned().collect() }
    }
}

thread_local! {
    /// Whether operations are recorded now: not inside of one.
    static RECORDING: Cell<bool> = const { Cell::new(false) };
    static TAPE: RefCell<Tape> = RefCell::default();
}

/// Runs `f`, a forward pass or a step of training towards some targets, and records the operations that it runs on this thread.
pub fn record<R>(targets: Option<&Tensor>, f: impl FnOnce() -> R) -> (R, Tape) {
    /// Ends the record also when `f` panics.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            RECORDING.set(false);
        }
    }
    TAPE.set(Tape { targets: targets.cloned(), ..Tape::default() });
    RECORDING.set(true);
    let end = End;
    let result = f();
    drop(end);
    (result, TAPE.take())
}

pub(crate) fn is_recording() -> bool {
    RECORDING.get()
}

/// Runs `f` without recording what it does: an operation's own code, or a look at numbers that can end the step but not change it.
pub fn aside<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            RECORDING.set(self.0);
        }
    }
    let _restore = Restore(RECORDING.replace(false));
    f()
}

/// Adds an operation that ran.
pub(crate) fn recorded(op: Arc<dyn Op>, inputs: &[&Tensor], metas: SmallVec<[Meta; 3]>, output: &Tensor) {
    let inputs = inputs.iter().map(|&x| x.clone()).collect();
    TAPE.with_borrow_mut(|tape| tape.entries.push(Entry { op, inputs, metas, output: output.clone() }));
}

/// Somebody reads elements outside of an operation, and may do other things for other elements.
pub(crate) fn read(x: &Tensor) {
    let is_target = TAPE.with_borrow(|tape| tape.targets.as_ref().is_some_and(|y| y.is_same(x)));
    if !is_target {
        refuse("the elements of a tensor are read between operations");
    }
}

/// Says that something was done which the record does not hold.
pub(crate) fn refuse(why: &str) {
    TAPE.with_borrow_mut(|tape| _ = tape.refusal.get_or_insert_with(|| why.into()));
}
