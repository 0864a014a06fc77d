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

/// Tells [`summary`](crate::summary) the output of a layer of one's own, and passes it on: put it around the result of
/// `forward`. The library's layers do this; a boxed layer, as in [`Sequential`](crate::Sequential), needs no call.
///
/// ```
/// use rekindle_nn::{Linear, Module, Parameters, observe, parameter, summary};
/// use rekindle_tensor::Tensor;
///
/// #[derive(Parameters)]
/// struct Scale {
///     weight: Tensor,
/// }
///
/// impl Module for Scale {
///     fn forward(&self, x: &Tensor) -> Tensor {
///         observe(self, x * &self.weight)
///     }
/// }
///
/// #[derive(Parameters)]
/// struct Net {
///     scale: Scale,
///     out: Linear,
/// }
///
/// impl Module for Net {
///     fn forward(&self, x: &Tensor) -> Tensor {
///         self.out.forward(&self.scale.forward(x))
///     }
/// }
///
/// let net = Net { scale: Scale { weight: parameter(Tensor::ones([4])) }, out: Linear::new(4, 2) };
/// let summary = summary(&net, [4]);
/// assert_eq!(summary.rows[0].output, [None, Some(4)]);
/// ```
pub fn observe(module: &impl Parameters, y: Tensor) -> Tensor {
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
