//! Walking through a network: every parameter, buffer, child and training flag, by name.

use crate::module::Parameters;
use rekindle_tensor::{DType, Tensor};
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a walk through a network comes upon; see [`Visitor`].
pub enum Entry<'a> {
    /// A trained tensor.
    Parameter(&'a Tensor),
    /// A tensor that is saved but not trained.
    Buffer(&'a Tensor),
    /// A child; its contents follow.
    Module(&'a dyn Parameters),
    /// A training flag.
    Mode(&'a Mode),
}

/// Takes the fields of a network from [`Parameters::visit`] and keeps track of their full names.
///
/// `#[derive(Parameters)]` writes `visit`; by hand it is:
///
/// ```
/// use rekindle_nn::{Linear, Parameters, Visitor};
/// struct Pair(Linear, Linear);
/// impl Parameters for Pair {
///     fn visit(&self, visitor: &mut Visitor<'_>) {
///         visitor.field("left", &self.0);
///         visitor.field("right", &self.1);
///     }
/// }
/// let pair = Pair(Linear::new(2, 1), Linear::new(2, 1));
/// assert_eq!(pair.named_parameters()[2].0, "right.weight");
/// ```
pub struct Visitor<'a> {
    path: String,
    /// Whether to go into children.
    deep: bool,
    on: &'a mut dyn FnMut(&str, Entry<'_>),
}

impl<'a> Visitor<'a> {
    /// Visits everything below, with names such as `"0.weight"`.
    pub(crate) fn deep(on: &'a mut dyn FnMut(&str, Entry<'_>)) -> Visitor<'a> {
        Visitor { path: String::new(), deep: true, on }
    }

    /// Visits the fields of one module only.
    pub(crate) fn shallow(on: &'a mut dyn FnMut(&str, Entry<'_>)) -> Visitor<'a> {
        Visitor { path: String::new(), deep: false, on }
    }

    /// Visits one field.
    pub fn field(&mut self, name: &str, field: &impl Field) {
        field.visit_as(name, self);
    }

    /// Visits a trained tensor.
    pub fn parameter(&mut self, name: &str, parameter: &Tensor) {
        self.at(name, |v| (v.on)(&v.path, Entry::Parameter(parameter)));
    }

    /// Visits a tensor that is saved but not trained.
    pub fn buffer(&mut self, name: &str, buffer: &Tensor) {
        self.at(name, |v| (v.on)(&v.path, Entry::Buffer(buffer)));
    }

    /// Visits a child and what is in it.
    pub fn module(&mut self, name: &str, module: &dyn Parameters) {
        self.at(name, |v| {
            (v.on)(&v.path, Entry::Module(module));
            if v.deep {
                module.visit(v);
            }
        });
    }

    /// Visits a training flag.
    pub fn mode(&mut self, mode: &Mode) {
        (self.on)(&self.path, Entry::Mode(mode));
    }

    /// Calls `f` with the path extended by `name`.
    fn at(&mut self, name: &str, f: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        f(self);
        self.path.truncate(length);
    }
}

/// What a field of a network can be: a module, a collection of modules, a tensor, or plain data.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a layer nor plain data",
    label = "not known to derive(Parameters)",
    note = "derive `Parameters` for it too, or leave the field out with `#[parameters(skip)]`"
)]
pub trait Field {
    /// Shows the field to the visitor under its name.
    fn visit_as(&self, name: &str, visitor: &mut Visitor<'_>);
}

impl<P: Parameters> Field for P {
    fn visit_as(&self, name: &str, visitor: &mut Visitor<'_>) {
        visitor.module(name, self);
    }
}

/// A tensor field is a parameter.
impl Field for Tensor {
    fn visit_as(&self, name: &str, visitor: &mut Visitor<'_>) {
        visitor.parameter(name, self);
    }
}

impl<F: Field> Field for Option<F> {
    fn visit_as(&self, name: &str, visitor: &mut Visitor<'_>) {
        if let Some(field) = self {
            field.visit_as(name, visitor);
        }
    }
}

/// A collection of fields, named by position: PyTorch's `ModuleList`.
pub(crate) struct List<'a, F>(&'a [F]);

/// What lists of modules print as.
pub(crate) const LIST: &str = "ModuleList";

impl<F: Field> Parameters for List<'_, F> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.0.iter().enumerate().for_each(|(i, field)| field.visit_as(&i.to_string(), visitor));
    }
    fn type_name(&self) -> String {
        LIST.to_string()
    }
}

impl<F: Field> Field for Vec<F> {
    fn visit_as(&self, name: &str, visitor: &mut Visitor<'_>) {
        visitor.module(name, &List(self));
    }
}

impl<F: Field, const N: usize> Field for [F; N] {
    fn visit_as(&self, name: &str, visitor: &mut Visitor<'_>) {
        visitor.module(name, &List(self));
    }
}

/// Whether a module is a list without anything in it: a field such as `Vec<f64>`.
pub(crate) fn is_plain_data(module: &dyn Parameters) -> bool {
    let mut empty = true;
    module.visit(&mut Visitor::shallow(&mut |_, _| empty = false));
    empty && module.type_name() == LIST
}

macro_rules! tuples {
    ($($Tuple:ident: $($F:ident $i:tt),+;)+) => {$(
        struct $Tuple<'a, $($F),+>(&'a ($($F,)+));

        impl<$($F: Field),+> Parameters for $Tuple<'_, $($F),+> {
            fn visit(&self, visitor: &mut Visitor<'_>) {
                $(self.0.$i.visit_as(stringify!($i), visitor);)+
            }
            fn type_name(&self) -> String {
                LIST.to_string()
            }
        }

        impl<$($F: Field),+> Field for ($($F,)+) {
            fn visit_as(&self, name: &str, visitor: &mut Visitor<'_>) {
                visitor.module(name, &$Tuple(self));
            }
        }
    )+};
}
tuples! {
    Pair: A 0, B 1;
    Triple: A 0, B 1, C 2;
    Quadruple: A 0, B 1, C 2, D 3;
}

macro_rules! plain_data {
    ($($t:ty),*) => {$(
        impl Field for $t {
            fn visit_as(&self, _: &str, _: &mut Visitor<'_>) {}
        }
    )*};
}
plain_data!(
    bool,
    char,
    u8,
    u16,
    u32,
    u64,
    usize,
    i8,
    i16,
    i32,
    i64,
    isize,
    f32,
    f64,
    (),
    String,
    &'static str
);
plain_data!(PathBuf, DType, std::time::Duration);

/// A tensor field that is saved with the network but not trained: a mask, running statistics.
///
/// ```
/// use rekindle_nn::{Buffer, Parameters};
/// use rekindle_tensor::Tensor;
///
/// #[derive(Parameters)]
/// struct Masked {
///     mask: Buffer,
/// }
/// let m = Masked { mask: Buffer(Tensor::ones([3])) };
/// assert_eq!((m.named_parameters().len(), m.named_buffers().len()), (0, 1));
/// ```
#[derive(Clone, Debug)]
pub struct Buffer(pub Tensor);

impl Deref for Buffer {
    type Target = Tensor;
    fn deref(&self) -> &Tensor {
        &self.0
    }
}

impl Field for Buffer {
    fn visit_as(&self, name: &str, visitor: &mut Visitor<'_>) {
        visitor.buffer(name, self);
    }
}

/// The training flag of a layer that behaves differently in training and evaluation. It starts in training;
/// [`train`](Parameters::train) and [`eval`](Parameters::eval) of the whole network set it.
///
/// ```
/// use rekindle_nn::{Mode, Parameters};
/// #[derive(Parameters)]
/// struct Noisy {
///     mode: Mode,
/// }
/// let layer = Noisy { mode: Mode::default() };
/// assert!(layer.mode.is_training());
/// layer.eval();
/// assert!(!layer.mode.is_training());
/// ```
#[derive(Debug)]
pub struct Mode(AtomicBool);

impl Default for Mode {
    fn default() -> Self {
        Mode(AtomicBool::new(true))
    }
}

impl Mode {
    /// Whether the layer is in training.
    pub fn is_training(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Switches to training or evaluation.
    pub fn set_training(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }
}

impl Field for Mode {
    fn visit_as(&self, _: &str, visitor: &mut Visitor<'_>) {
        visitor.mode(self);
    }
}

/// A trainable tensor, for a field of one's own: PyTorch's `nn.Parameter`.
///
/// # Panics
/// If the tensor does not hold floats.
///
/// ```
/// let scale = rekindle_nn::parameter(rekindle_tensor::Tensor::ones([3]));
/// assert!(scale.requires_grad());
/// ```
#[track_caller]
pub fn parameter(tensor: Tensor) -> Tensor {
    tensor.detach().requires_grad_(true)
}
