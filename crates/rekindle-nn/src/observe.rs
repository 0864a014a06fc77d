//! Output shapes of layers during a forward pass, for [`summary`](crate::summary).

use crate::module::Parameters;
use rekindle_tensor::Tensor;
use std::cell::{Cell, RefCell};

/// Which layer: its address and type (a struct and its first field share an address).
pub(crate) type Id = (usize, &'static str);

/// One call of a layer's forward pass.
pub(crate) struct Call {
    pub(crate) id: Id,
    pub(crate) shape: Vec<usize>,
}

thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
    static CALLS: RefCell<Vec<Call>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn id(module: &dyn Parameters) -> Id {
    (std::ptr::from_ref(module).cast::<()>().addr(), module.rust_type())
}

/// Notes the output of a layer if someone is recording, and passes it on.
pub(crate) fn observe(module: &impl Parameters, y: Tensor) -> Tensor {
    if ON.get() {
        CALLS.with_borrow_mut(|calls| calls.push(Call { id: id(module), shape: y.shape().to_vec() }));
    }
    y
}

/// Runs `f` and returns the calls of layers in it.
pub(crate) fn record<R>(f: impl FnOnce() -> R) -> (R, Vec<Call>) {
    /// Stops recording also when `f` panics.
    struct Stop;
    impl Drop for Stop {
        fn drop(&mut self) {
            ON.set(false);
            CALLS.take();
        }
    }
    let _stop = Stop;
    CALLS.take();
    ON.set(true);
    let result = f();
    (result, CALLS.take())
}
