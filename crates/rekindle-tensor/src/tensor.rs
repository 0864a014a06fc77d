//! The [`Tensor`]: a shaped, typed view of shared memory, and what can be asked of it without computing.

use crate::autograd::Node;
use crate::device::Device;
use crate::display;
use crate::dtype::{DType, Element, Scalar, match_dtype};
use crate::gpu;
use crate::layout::Layout;
use crate::op::mistake;
use crate::plan;
use crate::shape::Shape;
use crate::storage::{Contents, Storage, lock};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A multi-dimensional array with a run-time element type, and a node in the autograd graph if it was computed
/// from tensors that require gradients.
///
/// Cloning is cheap and shares memory, as an assignment in Python does. Views (`reshape`, `transpose`, `narrow`, ..)
/// share memory too. A tensor can be sent to and used from any thread.
///
/// ```
/// use rekindle_tensor::{tensor, Tensor};
/// let x = tensor([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!(x.shape(), [2, 2]);
/// assert_eq!((&x * 2.0 + 1.0).sum().item::<f32>(), 24.0);
/// ```
#[derive(Clone)]
pub struct Tensor(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) storage: Arc<Storage>,
    pub(crate) layout: Layout,
    pub(crate) dtype: DType,
    requires_grad: AtomicBool,
    grad: Mutex<Option<Tensor>>,
    pub(crate) node: Option<Arc<Node>>,
}

/// A borrowed, contiguous, typed copy-on-write reading of a tensor's elements in row-major order.
pub struct Data<T> {
    contents: Arc<Contents>,
    range: Range<usize>,
    element: PhantomData<T>,
}

impl<T: Element> Deref for Data<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // The type was checked when the reading was made.
        match &*self.contents {
            Contents::Cpu(buffer) => &T::slice(buffer).unwrap_or(&[])[self.range.clone()],
            Contents::Gpu(_) => &[],
        }
    }
}

impl Tensor {
    /// A tensor over a storage, without history.
    pub(crate) fn over(storage: Arc<Storage>, layout: Layout, dtype: DType) -> Tensor {
        Tensor::with_node(storage, layout, dtype, None)
    }

    pub(crate) fn with_node(
        storage: Arc<Storage>,
        layout: Layout,
        dtype: DType,
        node: Option<Arc<Node>>,
    ) -> Tensor {
        let requires_grad = AtomicBool::new(node.is_some());
        Tensor(Arc::new(Inner { storage, layout, dtype, requires_grad, grad: Mutex::new(None), node }))
    }

    /// A new contiguous tensor that takes ownership of `data`.
    ///
    /// # Panics
    /// If `data` does not have exactly as many elements as `shape`.
    ///
    /// ```
    /// # use rekindle_tensor::{Tensor, DType};
    /// let x = Tensor::from_vec(vec![1i64, 2, 3, 4, 5, 6], [2, 3]);
    /// assert_eq!((x.dtype(), x.numel()), (DType::I64, 6));
    /// ```
    #[track_caller]
    pub fn from_vec<T: Element>(data: Vec<T>, shape: impl Into<Shape>) -> Tensor {
        let shape = shape.into();
        if data.len() != shape.numel() {
            mistake!(
                "from_vec: {} elements do not fill shape {shape} ({} elements)",
                data.len(),
                shape.numel()
            );
        }
        Tensor::over(Storage::new(T::wrap(data)), Layout::contiguous(shape), T::DTYPE)
    }

    /// A 0-dim tensor.
    pub(crate) fn scalar(value: Scalar, dtype: DType) -> Tensor {
        match_dtype!(dtype, T => Tensor::from_vec(vec![T::from_scalar(value)], []))
    }

    /// The sizes of the dimensions.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 3]).shape(), [2, 3]);
    /// ```
    pub fn shape(&self) -> &[usize] {
        &self.0.layout.shape
    }

    pub(crate) fn shape_owned(&self) -> Shape {
        self.0.layout.shape.clone()
    }

    /// The step in elements between neighbours along each dimension.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 3]).t().strides(), [1, 3]);
    /// ```
    pub fn strides(&self) -> &[usize] {
        &self.0.layout.strides
    }

    /// The number of dimensions; 0 for a scalar. PyTorch's `x.dim()` / `x.ndim`.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 3]).dim(), 2);
    /// ```
    pub fn dim(&self) -> usize {
        self.shape().len()
    }

    /// The size of one dimension; `-1` is the last.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 3]).size(-1), 3);
    /// ```
    #[track_caller]
    pub fn size(&self, dim: isize) -> usize {
        match crate::shape::dim_index("size", dim, self.dim()) {
            Ok(d) => self.shape().get(d).copied().unwrap_or(1),
            Err(e) => mistake!("{e}"),
        }
    }

    /// The number of elements.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 3]).numel(), 6);
    /// ```
    pub fn numel(&self) -> usize {
        self.0.layout.shape.numel()
    }

    /// The element type.
    ///
    /// ```
    /// # use rekindle_tensor::{tensor, DType};
    /// assert_eq!(tensor([1, 2]).dtype(), DType::I64);
    /// ```
    pub fn dtype(&self) -> DType {
        self.0.dtype
    }

    /// Whether the elements lie in row-major order without gaps.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert!(!Tensor::zeros([2, 3]).t().is_contiguous());
    /// ```
    pub fn is_contiguous(&self) -> bool {
        self.0.layout.is_contiguous()
    }

    /// Whether both tensors are the same object (clones of one another).
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// let x = Tensor::zeros([2]);
    /// assert!(x.is_same(&x.clone()) && !x.is_same(&x.detach()));
    /// ```
    pub fn is_same(&self, other: &Tensor) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether both tensors view the same memory.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// let x = Tensor::zeros([2]);
    /// assert!(x.shares_memory(&x.detach()) && !x.shares_memory(&x.copy()));
    /// ```
    pub fn shares_memory(&self, other: &Tensor) -> bool {
        Arc::ptr_eq(&self.0.storage, &other.0.storage)
    }

    /// Whether operations on this tensor are recorded for [`backward`](Tensor::backward).
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert!(!Tensor::zeros([2]).requires_grad());
    /// ```
    pub fn requires_grad(&self) -> bool {
        self.0.requires_grad.load(Ordering::Relaxed)
    }

    /// Starts (or stops) recording operations on this leaf tensor; returns it, so that it can be chained.
    ///
    /// # Panics
    /// If the tensor does not hold floats, or was computed from others (use [`detach`](Tensor::detach)).
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// let w = Tensor::zeros([2]).requires_grad_(true);
    /// assert!((&w * 2.0).requires_grad());
    /// ```
    #[track_caller]
    pub fn requires_grad_(&self, on: bool) -> Tensor {
        if on && !self.dtype().is_float() {
            mistake!("requires_grad: only floating tensors can require gradients, got {}", self.dtype());
        }
        if !on && self.0.node.is_some() {
            mistake!("requires_grad: only leaf tensors can stop requiring gradients; use .detach()");
        }
        self.0.requires_grad.store(on, Ordering::Relaxed);
        self.clone()
    }

    /// Whether the tensor was made by the user rather than computed in the graph.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// let w = Tensor::zeros([2]).requires_grad_(true);
    /// assert!(w.is_leaf() && !(&w * 2.0).is_leaf());
    /// ```
    pub fn is_leaf(&self) -> bool {
        self.0.node.is_none()
    }

    /// The gradient that [`backward`](Tensor::backward) accumulated here, if any.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let x = tensor([1.0]).requires_grad_(true);
    /// (&x * 3.0).backward();
    /// assert_eq!(x.grad().unwrap().item::<f32>(), 3.0);
    /// ```
    pub fn grad(&self) -> Option<Tensor> {
        lock(&self.0.grad).clone()
    }

    /// Sets or clears the gradient.
    ///
    /// # Panics
    /// If the gradient has another shape or type than the tensor.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let x = tensor([1.0]).requires_grad_(true);
    /// x.set_grad(Some(tensor([0.5])));
    /// assert_eq!(x.grad().unwrap().item::<f32>(), 0.5);
    /// ```
    #[track_caller]
    pub fn set_grad(&self, grad: Option<Tensor>) {
        if let Some(g) = &grad
            && (g.shape() != self.shape() || g.dtype() != self.dtype())
        {
            mistake!(
                "set_grad: the gradient is {} {:?} but the tensor is {} {:?}; they must agree",
                g.dtype(),
                g.shape(),
                self.dtype(),
                self.shape()
            );
        }
        *lock(&self.0.grad) = grad;
    }

    /// Forgets the accumulated gradient (PyTorch's default `set_to_none=True`).
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let x = tensor([1.0]).requires_grad_(true);
    /// (&x * 3.0).backward();
    /// x.zero_grad();
    /// assert!(x.grad().is_none());
    /// ```
    pub fn zero_grad(&self) {
        self.set_grad(None);
    }

    /// A tensor on the same memory that is not part of the graph.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// let w = Tensor::zeros([2]).requires_grad_(true);
    /// assert!(!w.detach().requires_grad());
    /// ```
    pub fn detach(&self) -> Tensor {
        Tensor::over(self.0.storage.clone(), self.0.layout.clone(), self.dtype())
    }

    /// A detached tensor whose contents stay as they are now, whatever is written to `self` later. Memory is
    /// copied only if such a write happens.
    pub(crate) fn snapshot(&self) -> Tensor {
        let storage = Storage::from_snapshot(self.0.storage.snapshot());
        Tensor::over(storage, self.0.layout.clone(), self.dtype())
    }

    /// Reads the elements in row-major order: without a copy when the tensor is contiguous.
    ///
    /// # Panics
    /// If `T` is not the tensor's element type.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([1.0, 2.0]).data::<f32>()[1], 2.0);
    /// ```
    #[track_caller]
    pub fn data<T: Element>(&self) -> Data<T> {
        if plan::is_recording() {
            plan::read(self);
        }
        let contents = self.0.storage.snapshot();
        let Some(all) = T::slice(contents.buffer()) else {
            mistake!("data: the tensor holds {}, not {}; convert with .to(..)", self.dtype(), T::DTYPE);
        };
        let layout = &self.0.layout;
        if layout.is_contiguous() {
            let range = layout.offset..layout.offset + layout.shape.numel();
            return Data { contents, range, element: PhantomData };
        }
        let packed = layout.pack(all);
        let range = 0..packed.len();
        Data { contents: Arc::new(Contents::Cpu(T::wrap(packed))), range, element: PhantomData }
    }

    /// The elements in row-major order without gaps: on the same memory if they lie so already, else in a copy.
    pub(crate) fn packed(&self) -> Tensor {
        if self.is_contiguous() {
            return self.detach();
        }
        if let Some(index) = self.device().index() {
            return gpu::packed(&gpu::open(index), self);
        }
        let contents = match_dtype!(self.dtype(), T => self.data::<T>().contents);
        Tensor::over(Storage::from_snapshot(contents), Layout::contiguous(self.shape_owned()), self.dtype())
    }

    /// Copies the elements, in row-major order, into a vector of the tensor's own element type.
    ///
    /// # Panics
    /// If `T` is not the tensor's element type.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[1, 2], [3, 4]]).t().to_vec::<i64>(), [1, 3, 2, 4]);
    /// ```
    #[track_caller]
    pub fn to_vec<T: Element>(&self) -> Vec<T> {
        self.here().data::<T>().to_vec()
    }

    /// The value of a tensor with one element, converted to `T`.
    ///
    /// # Panics
    /// If the tensor does not have exactly one element.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([2.5]).item::<f64>(), 2.5);
    /// ```
    #[track_caller]
    pub fn item<T: Element>(&self) -> T {
        if self.numel() != 1 {
            mistake!("item: needs a tensor of one element, got shape {:?}; use .to_vec()", self.shape());
        }
        T::from_scalar(self.value())
    }

    /// The value of a tensor with one element.
    pub(crate) fn value(&self) -> Scalar {
        match_dtype!(self.dtype(), U => self.here().data::<U>()[0].to_scalar())
    }

    /// The tensor with its elements on the CPU, for looking at them; nothing is recorded.
    pub(crate) fn here(&self) -> Tensor {
        match self.device() {
            Device::Cpu => self.clone(),
            _ => self.detach().cpu(),
        }
    }

    /// All elements as `f64`, in row-major order.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([1, 2]).to_f64_vec(), [1.0, 2.0]);
    /// ```
    pub fn to_f64_vec(&self) -> Vec<f64> {
        match_dtype!(self.dtype(), T => self.here().data::<T>().iter().map(|v| v.to_scalar().as_f64()).collect())
    }

    /// Whether shape, type and every bit of the contents are equal (NaN equals the same NaN).
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert!(!tensor([0.0]).bitwise_eq(&tensor([-0.0])));
    /// ```
    pub fn bitwise_eq(&self, other: &Tensor) -> bool {
        if self.shape() != other.shape() || self.dtype() != other.dtype() {
            return false;
        }
        let (a, b) = (self.here(), other.here());
        match self.dtype() {
            DType::F32 => {
                a.data::<f32>().iter().map(|v| v.to_bits()).eq(b.data::<f32>().iter().map(|v| v.to_bits()))
            }
            DType::F64 => {
                a.data::<f64>().iter().map(|v| v.to_bits()).eq(b.data::<f64>().iter().map(|v| v.to_bits()))
            }
            DType::I64 => *a.data::<i64>() == *b.data::<i64>(),
            DType::Bool => *a.data::<bool>() == *b.data::<bool>(),
        }
    }
}

/// PyTorch's text, `tensor([[ 0.7542,  0.2315], ...])`, with its alignment, precision and summarising.
impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = match self.op_name() {
            Some(op) => Some(format!("grad_fn=<{}>", display::backward_name(op))),
            None => self.requires_grad().then(|| "requires_grad=True".to_string()),
        };
        let device = self.device().index().map(|_| format!("device='{}'", self.device()));
        let suffix = [device, suffix].into_iter().flatten().reduce(|a, b| format!("{a}, {b}"));
        let here = self.here();
        let text = |dtype, element: &dyn Fn(usize) -> display::Element| {
            display::tensor_text(self.shape(), dtype, element, suffix.as_deref())
        };
        f.write_str(&match self.dtype() {
            DType::F32 => {
                let x = here.data::<f32>();
                text("float32", &|i| display::Element::Float(x[i].into()))
            }
            DType::F64 => {
                let x = here.data::<f64>();
                text("float64", &|i| display::Element::Float(x[i]))
            }
            DType::I64 => {
                let x = here.data::<i64>();
                text("int64", &|i| display::Element::Int(x[i]))
            }
            DType::Bool => {
                let x = here.data::<bool>();
                text("bool", &|i| display::Element::Bool(x[i]))
            }
        })
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
