//! The contract of an operation, and the one place that runs and records operations.

use crate::autograd::{self, Node};
use crate::device::Device;
use crate::dtype::DType;
use crate::plan::{self, LossStage, Stage};
use crate::shape::Shape;
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::cell::Cell;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

/// `panic!` for mistakes of the caller: a shape, type or argument that does not fit. Inside [`check`] it becomes an error.
///
/// # Panics
/// Always, at the line of the caller of a `#[track_caller]` function.
///
/// ```should_panic
/// rekindle_tensor::mistake!("my_op: the input must not be empty, got {:?}", [0, 3]);
/// ```
#[macro_export]
macro_rules! mistake {
    ($($message:tt)*) => {
        $crate::fail(format!($($message)*))
    };
}
pub(crate) use mistake;

/// `assert!` for what the caller must keep to.
macro_rules! require {
    ($holds:expr, $($message:tt)*) => {
        match $holds {
            true => {}
            false => $crate::op::mistake!($($message)*),
        }
    };
}
pub(crate) use require;

/// What is known of a tensor before it is computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Meta {
    /// The sizes of the dimensions.
    pub shape: Shape,
    /// The element type.
    pub dtype: DType,
}

impl Meta {
    /// A shape with an element type.
    pub fn new(shape: impl Into<Shape>, dtype: DType) -> Meta {
        Meta { shape: shape.into(), dtype }
    }

    /// What is known of an existing tensor.
    pub fn of(x: &Tensor) -> Meta {
        Meta { shape: x.shape_owned(), dtype: x.dtype() }
    }
}

/// What an operation's backward pass wants to see again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// Only shapes and types.
    Nothing,
    /// The inputs.
    Inputs,
    /// The output.
    Output,
    /// The inputs and the output.
    Both,
}

/// The result of [`Op::forward`]: the value and whatever else the backward pass needs (indices, statistics, ..).
pub struct Output {
    /// The tensor that the user gets.
    pub value: Tensor,
    /// Further tensors for the backward pass.
    pub saved: Vec<Tensor>,
}

impl From<Tensor> for Output {
    fn from(value: Tensor) -> Self {
        Output { value, saved: Vec::new() }
    }
}

/// What [`Op::backward`] gets.
pub struct Context<'a> {
    /// The gradient of the loss with respect to the output; same shape and type as the output.
    pub grad: &'a Tensor,
    /// Shapes and types of the inputs.
    pub metas: &'a [Meta],
    /// Which inputs want a gradient; for the others return `None` without computing.
    pub needs: &'a [bool],
    pub(crate) inputs: &'a [Tensor],
    pub(crate) output: Option<&'a Tensor>,
    /// What `forward` saved.
    pub saved: &'a [Tensor],
}

impl Context<'_> {
    /// Input `i` as it was in the forward pass.
    ///
    /// # Panics
    /// If the op does not keep its inputs (see [`Op::keeps`]).
    pub fn input(&self, i: usize) -> &Tensor {
        self.inputs.get(i).expect("the op's `keeps` must include its inputs")
    }

    /// The output of the forward pass.
    ///
    /// # Panics
    /// If the op does not keep its output (see [`Op::keeps`]).
    pub fn output(&self) -> &Tensor {
        self.output.expect("the op's `keeps` must include its output")
    }
}

/// Gradients for the inputs, in their order; `None` where there is none or none is needed. [`grads!`](crate::grads)
/// makes it as `vec!` makes a vector.
pub type Grads = SmallVec<[Option<Tensor>; 3]>;

/// A differentiable operation: a plain value that knows its shape rule, how to compute, and its derivative.
///
/// The library's own operations are made this way (one file each in `ops/`), and so are users':
///
/// ```
/// use rekindle_tensor::{apply, grads, tensor, Context, Grads, Meta, Op, Output, Tensor};
///
/// /// y = x^3 with its derivative written by hand.
/// #[derive(Debug)]
/// struct Cube;
///
/// impl Op for Cube {
///     fn name(&self) -> &'static str { "cube" }
///     fn infer(&self, x: &[Meta]) -> Result<Meta, String> { Ok(x[0].clone()) }
///     fn forward(&self, x: &[&Tensor], _: &Meta) -> Output { (x[0] * x[0] * x[0]).into() }
///     fn backward(&self, ctx: &Context) -> Grads {
///         grads![Some(ctx.grad * 3.0 * ctx.input(0) * ctx.input(0))]
///     }
/// }
///
/// let x = tensor([2.0]).requires_grad_(true);
/// apply(Cube, &[&x]).sum().backward();
/// assert_eq!(x.grad().unwrap().item::<f32>(), 12.0);
/// ```
pub trait Op: Debug + Send + Sync + 'static {
    /// The op's name in error messages and printed graphs.
    fn name(&self) -> &'static str;

    /// The shape rule: the output's shape and type from the inputs', or one line that says what does not fit.
    fn infer(&self, inputs: &[Meta]) -> Result<Meta, String>;

    /// Computes the output; the inputs passed the shape rule and `out` is what it returned. Nothing that is
    /// called here is recorded.
    fn forward(&self, inputs: &[&Tensor], out: &Meta) -> Output;

    /// The gradients of the inputs. Nothing that is called here is recorded.
    fn backward(&self, ctx: &Context<'_>) -> Grads;

    /// [`forward`](Op::forward) where the inputs are on a GPU. By default the same: right for what changes only layouts or is composed of
    /// other operations. See [`gpu`](crate::gpu).
    fn forward_gpu(&self, inputs: &[&Tensor], out: &Meta) -> Output {
        self.forward(inputs, out)
    }

    /// [`backward`](Op::backward) where the gradient is on a GPU. By default the same: right for what is composed of other operations.
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        self.backward(ctx)
    }

    /// What its inputs are called, for messages.
    fn input_names(&self) -> &'static [&'static str] {
        &["input", "other", "third"]
    }

    /// How a plan runs it on some rows; none if only an eager step can. See [`plan`](crate::plan).
    fn stage(&self, _inputs: &[Meta], _out: &Meta) -> Option<Box<dyn Stage>> {
        None
    }

    /// How a plan runs it as the loss at the end of a step. `others` are what it takes beside outputs and targets: constants.
    fn loss_stage(&self, _inputs: &[Meta], _others: &[Tensor]) -> Option<Box<dyn LossStage>> {
        None
    }

    /// The tensors that its forward pass changes beside making its output, such as running statistics: a plan that gives up puts
    /// them back.
    fn changes(&self) -> Vec<Tensor> {
        Vec::new()
    }

    /// Whether it changes nothing but the shape of each row, so that a plan has nothing to do.
    fn keeps_rows(&self) -> bool {
        false
    }

    /// What the backward pass wants to see again; the less, the less memory a graph holds.
    fn keeps(&self) -> Keeps {
        Keeps::Inputs
    }
}

/// Runs an operation on tensors and records it if gradients are wanted.
///
/// # Panics
/// With the shape rule's message, at the caller's line, if the inputs do not fit.
#[track_caller]
pub fn apply(op: impl Op, inputs: &[&Tensor]) -> Tensor {
    let metas: SmallVec<[Meta; 3]> = inputs.iter().map(|x| Meta::of(x)).collect();
    let meta = match op.infer(&metas) {
        Ok(meta) => meta,
        Err(message) => mistake!("{message}"),
    };
    let record =
        autograd::grad_enabled() && meta.dtype.is_float() && inputs.iter().any(|x| x.requires_grad());
    let taped = plan::is_recording();
    let device = common_device(&op, inputs);
    // The one place that tells devices apart, with `run_backward` for the way back.
    let run = || match device {
        Device::Cpu => op.forward(inputs, &meta),
        Device::Gpu(_) => op.forward_gpu(inputs, &meta),
    };
    let forward = || if record { autograd::no_grad(run) } else { run() };
    let out = if taped { plan::aside(forward) } else { forward() };
    if out.value.shape() != &meta.shape[..] || out.value.dtype() != meta.dtype {
        let (op, got) = (op.name(), Meta::of(&out.value));
        mistake!(
            "{op}: forward gives {} {} but the shape rule says {} {}",
            got.dtype,
            got.shape,
            meta.dtype,
            meta.shape
        );
    }
    if !record {
        if taped {
            plan::recorded(Arc::new(op), inputs, metas, &out.value);
        }
        return out.value;
    }
    let (op, known) = (Arc::new(op), taped.then(|| metas.clone()));
    let node = Node::record(op.clone(), inputs, metas, &out);
    let t = out.value;
    let value = Tensor::with_node(t.0.storage.clone(), t.0.layout.clone(), t.dtype(), Some(node));
    if let Some(metas) = known {
        plan::recorded(op, inputs, metas, &value);
    }
    value
}

/// Computes gradients on the device of the gradient that arrives.
pub(crate) fn run_backward(op: &dyn Op, ctx: &Context<'_>) -> Grads {
    match ctx.grad.device() {
        Device::Cpu => op.backward(ctx),
        Device::Gpu(_) => op.backward_gpu(ctx),
    }
}

/// Where all inputs are. Numbers without a shape may be on the CPU whatever the others do, as in PyTorch.
#[track_caller]
fn common_device(op: &dyn Op, inputs: &[&Tensor]) -> Device {
    let Some(first) = inputs.iter().find(|x| x.device() != Device::Cpu) else { return Device::Cpu };
    let device = first.device();
    if inputs.iter().all(|x| x.device() == device || (x.dim() == 0 && x.device() == Device::Cpu)) {
        return device;
    }
    let names = op.input_names().iter().copied().chain(std::iter::repeat("another"));
    let places: Vec<String> =
        names.zip(inputs).map(|(name, x)| format!("{name} on {}", x.device())).collect();
    let (op, places) = (op.name(), places.join(", ").replacen(" on ", " is on ", 1));
    mistake!("{op}: {places}; move one with .to(..)")
}

thread_local! {
    static CHECKING: Cell<bool> = const { Cell::new(false) };
}

/// Panics at the caller's line with a message about the caller's mistake, for operations outside this crate; inside
/// [`check`] it becomes an error.
///
/// # Panics
/// Always.
#[track_caller]
pub fn fail(message: String) -> ! {
    if CHECKING.get() {
        // Unlike a panic, this prints nothing on its way to `check`.
        resume_unwind(Box::new(Mistake(message)));
    }
    panic!("{message}")
}

/// A mistake on its way to [`check`].
struct Mistake(String);

/// Runs `f` and turns a shape or type mistake in it into an error: so a whole model can be held against its data
/// before anything is trained, and a mistake in a user's file need not panic.
///
/// # Errors
/// The message that the panic would have had.
///
/// # Panics
/// If `f` panics for another reason than a mistake that an operation reported.
///
/// ```
/// # use rekindle_tensor::{check, Tensor};
/// let e = check(|| Tensor::zeros([2, 3]).matmul(&Tensor::zeros([2, 3]))).unwrap_err();
/// assert!(e.starts_with("matmul: inner dimensions differ"));
/// ```
pub fn check<R>(f: impl FnOnce() -> R) -> Result<R, String> {
    /// Restores the former state also when `f` panics.
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            CHECKING.set(self.0);
        }
    }
    let _restore = Restore(CHECKING.replace(true));
    // A mistake is found before anything is changed, and locks ignore poisoning.
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| match payload.downcast::<Mistake>() {
        Ok(mistake) => mistake.0,
        Err(payload) => resume_unwind(payload),
    })
}
