//! Changes in place: what optimisers, initialisers and running statistics need. They are not recorded, so a tensor
//! that requires gradients can only be changed inside [`no_grad`](crate::no_grad).

use crate::autograd::{grad_enabled, no_grad};
use crate::device::Device;
use crate::dtype::{Element, Scalar, match_dtype};
use crate::gpu;
use crate::layout::Layout;
use crate::op::mistake;
use crate::operand::{Operand, promoted};
use crate::plan;
use crate::storage::Storage;
use crate::tensor::Tensor;
use std::sync::Arc;

impl Tensor {
    #[track_caller]
    pub(crate) fn check_writable(&self, op: &str) {
        if self.requires_grad() && grad_enabled() {
            mistake!(
                "{op}: a tensor that requires gradients is changed in place; do it inside no_grad(|| ..)"
            );
        }
    }

    /// A change in place is not recorded, so what it takes in must not wait for a gradient.
    #[track_caller]
    fn check_source(op: &str, other: &Tensor) {
        if other.requires_grad() && grad_enabled() {
            mistake!(
                "{op}: the right side requires gradients, which a change in place does not record; \
                 compute a new tensor, or do it inside no_grad(|| ..)"
            );
        }
    }

    /// Lends the elements, in row-major order, to `f` for changing them in place. Views of the same memory see the
    /// change.
    ///
    /// # Panics
    /// If `T` is not the element type, the tensor is expanded (places are shared), it requires gradients and recording
    /// is on, or `f` uses this tensor or a view of it.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let x = tensor([1.0, 2.0]);
    /// x.with_data_mut::<f32, _>(|v| v[0] = 5.0);
    /// assert_eq!(x.to_vec::<f32>(), [5.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn with_data_mut<T: Element, R>(&self, f: impl FnOnce(&mut [T]) -> R) -> R {
        self.check_writable("with_data_mut");
        if plan::is_recording() {
            plan::refuse("a tensor is changed in place");
        }
        if self.dtype() != T::DTYPE {
            mistake!("with_data_mut: the tensor holds {}, not {}", self.dtype(), T::DTYPE);
        }
        let layout = &self.0.layout;
        if layout.shape.iter().zip(&layout.strides).any(|(&n, &step)| n > 1 && step == 0) {
            mistake!(
                "with_data_mut: the places of the expanded tensor {} are shared; use .copy() first",
                layout.shape
            );
        }
        self.0.storage.write(|buffer| {
            let all = T::slice_mut(buffer).unwrap_or_default();
            if layout.is_contiguous() {
                return f(&mut all[layout.offset..layout.offset + layout.shape.numel()]);
            }
            let mut packed = layout.pack(all);
            let result = f(&mut packed);
            layout.unpack(&packed, all);
            result
        })
    }

    /// Overwrites every element with those of `src`, broadcast to this shape and converted to this type.
    ///
    /// # Panics
    /// If the shapes do not fit, or the tensor requires gradients and recording is on.
    ///
    /// ```
    /// # use rekindle_tensor::{tensor, Tensor};
    /// let x = Tensor::zeros([2, 2]);
    /// x.copy_(&tensor([1.0, 2.0]));
    /// assert_eq!(x.to_vec::<f32>(), [1.0, 2.0, 1.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn copy_(&self, src: &Tensor) -> &Tensor {
        self.check_writable("copy_");
        Tensor::check_source("copy_", src);
        if let Device::Gpu(index) = self.device() {
            self.copy_on_gpu(&gpu::open(index), src);
            return self;
        }
        let src = src.here().detach().to(self.dtype()).expand(self.shape());
        match_dtype!(self.dtype(), T => {
            let values = src.data::<T>();
            self.with_data_mut::<T, _>(|to| to.copy_from_slice(&values));
        });
        self
    }

    #[track_caller]
    fn copy_on_gpu(&self, gpu: &gpu::Gpu, src: &Tensor) {
        let src = src.detach().to(self.dtype()).to(self.device());
        // A kernel must not read what it writes.
        let src = if src.shares_memory(self) { no_grad(|| src.copy()) } else { src };
        gpu::map_into(gpu, "a", &[&src.expand(self.shape())], &[], self);
    }

    /// Sets every element to one number.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2]).fill_(0.5).to_vec::<f32>(), [0.5, 0.5]);
    /// ```
    #[track_caller]
    pub fn fill_(&self, value: impl Into<Scalar>) -> &Tensor {
        self.check_writable("fill_");
        let value = value.into();
        if let Device::Gpu(index) = self.device() {
            gpu::map_into(&gpu::open(index), "a", &[&Tensor::scalar(value, self.dtype())], &[], self);
            return self;
        }
        match_dtype!(self.dtype(), T => self.with_data_mut::<T, _>(|to| to.fill(T::from_scalar(value))));
        self
    }

    /// Sets every element to zero.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([1, 2]).zero_().to_vec::<i64>(), [0, 0]);
    /// ```
    #[track_caller]
    pub fn zero_(&self) -> &Tensor {
        self.fill_(0.0)
    }

    /// `self += other`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([1.0, 2.0]).add_(0.5).to_vec::<f32>(), [1.5, 2.5]);
    /// ```
    #[track_caller]
    pub fn add_(&self, other: impl Operand) -> &Tensor {
        self.update("add_", other, |a, b| a + b)
    }

    /// `self -= other`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([1.0, 2.0]).sub_(tensor([1.0, 1.0])).to_vec::<f32>(), [0.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn sub_(&self, other: impl Operand) -> &Tensor {
        self.update("sub_", other, |a, b| a - b)
    }

    /// `self *= other`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([1.0, 2.0]).mul_(3).to_vec::<f32>(), [3.0, 6.0]);
    /// ```
    #[track_caller]
    pub fn mul_(&self, other: impl Operand) -> &Tensor {
        self.update("mul_", other, |a, b| a * b)
    }

    /// `self /= other`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([1.0, 2.0]).div_(2).to_vec::<f32>(), [0.5, 1.0]);
    /// ```
    #[track_caller]
    pub fn div_(&self, other: impl Operand) -> &Tensor {
        self.update("div_", other, |a, b| a / b)
    }

    /// Computes out of place, without a record, and writes the result here.
    #[track_caller]
    fn update(&self, op: &str, other: impl Operand, f: impl FnOnce(&Tensor, &Tensor) -> Tensor) -> &Tensor {
        self.check_writable(op);
        Tensor::check_source(op, &other.operand().0);
        let this = self.detach();
        let (this, other) = promoted(&this, &other);
        let result = no_grad(|| f(&this, &other));
        if result.dtype().is_float() && !self.dtype().is_float() {
            mistake!(
                "{op}: the result is {} but the tensor stays {}; convert with .float() first",
                result.dtype(),
                self.dtype()
            );
        }
        if result.shape() != self.shape() {
            mistake!(
                "{op}: {:?} does not broadcast to the shape {:?} of the changed tensor",
                other.shape(),
                self.shape()
            );
        }
        self.copy_(&result)
    }

    /// Moves the elements, and the gradient if there is one, to another device. The tensor stays the same object, so that an optimiser that
    /// was made before still finds it; views of its memory move with it. A parameter's `p.data = p.data.to(device)` in PyTorch, and what
    /// a module's `to` does with each.
    ///
    /// # Panics
    /// As [`to`](Tensor::to).
    ///
    /// ```
    /// # use rekindle_tensor::{tensor, Device};
    /// let w = tensor([1.0]).requires_grad_(true);
    /// w.to_(Device::auto());
    /// assert!(w.is_leaf() && w.device() == Device::auto());
    /// ```
    #[track_caller]
    pub fn to_(&self, device: Device) {
        if self.device() == device {
            return;
        }
        let contents = self.0.storage.snapshot();
        let whole = Tensor::over(
            Storage::from_snapshot(contents.clone()),
            Layout::contiguous(contents.len().into()),
            self.dtype(),
        );
        let moved = whole.to(device);
        self.0.storage.replace(moved.0.storage.snapshot());
        if let Some(grad) = self.grad() {
            self.set_grad(Some(grad.detach().to(device)));
        }
    }

    /// The tensor itself when nothing else can see its memory, else a contiguous detached copy.
    pub(crate) fn to_owned_memory(&self) -> Tensor {
        let alone = Arc::strong_count(&self.0.storage) == 1
            && Arc::strong_count(&self.0) <= 1
            && self.is_contiguous()
            && self.is_leaf();
        if alone {
            return self.detach();
        }
        if let Device::Gpu(index) = self.device() {
            return gpu::packed(&gpu::open(index), self);
        }
        match_dtype!(self.dtype(), T => {
            Tensor::over(
                Storage::new(T::wrap(self.to_vec::<T>())),
                Layout::contiguous(self.shape_owned()),
                self.dtype(),
            )
        })
    }
}
