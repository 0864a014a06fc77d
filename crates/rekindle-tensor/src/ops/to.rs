//! Conversion of the element type, moves between devices, and copies.

use super::elementwise::{same, unary};
use crate::device::Device;
use crate::dtype::{DType, Element, match_dtype};
use crate::gpu;
use crate::layout::Layout;
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply, mistake};
use crate::storage::Storage;
use crate::tensor::Tensor;
use crate::testing::Sample;
use smallvec::smallvec;

#[derive(Debug)]
struct To(DType);

impl Op for To {
    fn name(&self) -> &'static str {
        "to"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        Ok(Meta { shape: x[0].shape.clone(), dtype: self.0 })
    }
    fn forward(&self, x: &[&Tensor], _: &Meta) -> Output {
        match_dtype!(x[0].dtype(), A => match self.0 {
            DType::F32 => unary(x[0], <A as Cast>::f32),
            DType::F64 => unary(x[0], <A as Cast>::f64),
            DType::I64 => unary(x[0], <A as Cast>::i64),
            DType::Bool => unary(x[0], <A as Cast>::bool),
        })
        .into()
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        // Floats beyond the integers' range are saturated by WGSL's conversion, as by Rust's.
        let expression = match (x[0].dtype(), self.0) {
            (_, DType::F32) => "f32(a)",
            (_, DType::I64) => "i32(a)",
            (DType::F32, DType::Bool) => "(a != 0.0 || is_nan(a))",
            (_, DType::Bool) => "(a != 0)",
            (_, DType::F64) => mistake!("to: a GPU has no f64; move the tensor with .cpu() first"),
        };
        gpu::map(&gpu::of(x), expression, x, &[], out).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        smallvec![Some(ctx.grad.to(ctx.metas[0].dtype))]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

/// The conversions of one element, each in a single rounding.
trait Cast: Element {
    fn f32(self) -> f32;
    fn f64(self) -> f64;
    fn i64(self) -> i64;
    fn bool(self) -> bool;
}

macro_rules! cast {
    ($($t:ty: |$v:ident| $number:expr, $zero:expr;)*) => {$(
        impl Cast for $t {
            #[inline(always)]
            fn f32(self) -> f32 {
                let $v = self;
                $number as f32
            }
            #[inline(always)]
            fn f64(self) -> f64 {
                let $v = self;
                $number as f64
            }
            #[inline(always)]
            fn i64(self) -> i64 {
                let $v = self;
                $number as i64
            }
            #[inline(always)]
            fn bool(self) -> bool {
                self != $zero
            }
        }
    )*};
}
cast! {
    f32: |v| v, 0.0;
    f64: |v| v, 0.0;
    i64: |v| v, 0;
    bool: |v| v as u8, false;
}

/// Between devices.
#[derive(Debug)]
struct Move(Device);

impl Op for Move {
    fn name(&self) -> &'static str {
        "to"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        same(x)
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let gpu = gpu::open(self.0.index().expect("the CPU has it already"));
        let memory = match_dtype!(out.dtype, T => gpu::upload::<T>(&gpu, &x[0].data::<T>()));
        gpu::over(memory, out.shape.clone(), out.dtype).into()
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let x = x[0].packed();
        let first = x.0.layout.offset;
        let elements = gpu::download(&gpu::memory(&x), first..first + out.shape.numel(), out.dtype);
        let here = Tensor::over(Storage::new(elements), Layout::contiguous(out.shape.clone()), out.dtype);
        // From one GPU to another the way leads over the CPU.
        here.to(self.0).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        // The gradient goes back to where the leaf is.
        smallvec![Some(ctx.grad.clone())]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

/// What a tensor can be converted [`to`](Tensor::to): an element type or a device.
pub trait Target {
    /// The tensor as this.
    #[doc(hidden)]
    fn of(self, x: &Tensor) -> Tensor;
}

impl Target for DType {
    #[track_caller]
    fn of(self, x: &Tensor) -> Tensor {
        if x.dtype() == self { x.clone() } else { apply(To(self), &[x]) }
    }
}

impl Target for Device {
    #[track_caller]
    fn of(self, x: &Tensor) -> Tensor {
        if x.device() == self { x.clone() } else { apply(Move(self), &[x]) }
    }
}

impl<T: Target + Copy> Target for &T {
    #[track_caller]
    fn of(self, x: &Tensor) -> Tensor {
        (*self).of(x)
    }
}

#[derive(Debug)]
struct CloneOp;

impl Op for CloneOp {
    fn name(&self) -> &'static str {
        "clone"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        same(x)
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        if !x[0].is_contiguous() {
            return x[0].packed().into();
        }
        match_dtype!(out.dtype, T => unary(x[0], |v: T| v).into())
    }
    fn forward_gpu(&self, x: &[&Tensor], _: &Meta) -> Output {
        gpu::packed(&gpu::of(x), x[0]).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        smallvec![Some(ctx.grad.clone())]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

impl Tensor {
    /// The tensor with another element type, or on another device; itself when it is so already. Floats become integers by
    /// truncation, truth values 0 and 1. Gradients flow through both.
    ///
    /// # Panics
    /// If the device is not there or has no memory left, or cannot hold the elements: a GPU has no f64 and integers of 32 bits.
    ///
    /// ```
    /// # use rekindle_tensor::{tensor, Device, DType};
    /// assert_eq!(tensor([1.9, -1.9]).to(DType::I64).to_vec::<i64>(), [1, -1]);
    /// let device = Device::auto();
    /// assert_eq!(tensor([1.0, 2.0]).to(&device).to_vec::<f32>(), [1.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn to(&self, target: impl Target) -> Tensor {
        target.of(self)
    }

    /// The tensor on the CPU; itself when it is there.
    ///
    /// ```
    /// # use rekindle_tensor::{tensor, Device};
    /// assert_eq!(tensor([1.0]).cpu().device(), Device::Cpu);
    /// ```
    #[track_caller]
    pub fn cpu(&self) -> Tensor {
        self.to(Device::Cpu)
    }

    /// The tensor as f32.
    ///
    /// ```
    /// # use rekindle_tensor::{tensor, DType};
    /// assert_eq!(tensor([1, 2]).float().dtype(), DType::F32);
    /// ```
    #[track_caller]
    pub fn float(&self) -> Tensor {
        self.to(DType::F32)
    }

    /// The tensor as f64.
    ///
    /// ```
    /// # use rekindle_tensor::{tensor, DType};
    /// assert_eq!(tensor([1, 2]).double().dtype(), DType::F64);
    /// ```
    #[track_caller]
    pub fn double(&self) -> Tensor {
        self.to(DType::F64)
    }

    /// The tensor as i64.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([1.9, -1.9]).long().to_vec::<i64>(), [1, -1]);
    /// ```
    #[track_caller]
    pub fn long(&self) -> Tensor {
        self.to(DType::I64)
    }

    /// The tensor as truth values: whether each element differs from zero.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([0.0, 0.5]).bool().to_vec::<bool>(), [false, true]);
    /// ```
    #[track_caller]
    pub fn bool(&self) -> Tensor {
        self.to(DType::Bool)
    }

    /// A contiguous copy in memory of its own through which gradients flow (PyTorch's `x.clone()`; in Rust
    /// `x.clone()` is another handle of the same tensor).
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let x = tensor([1.0]);
    /// x.copy().fill_(5.0);
    /// assert_eq!(x.item::<f32>(), 1.0);
    /// ```
    #[track_caller]
    #[doc(alias = "clone")]
    pub fn copy(&self) -> Tensor {
        apply(CloneOp, &[self])
    }

    /// The tensor itself if its elements lie in row-major order without gaps, else a copy that does.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert!(Tensor::zeros([2, 3]).t().contiguous().is_contiguous());
    /// ```
    #[track_caller]
    pub fn contiguous(&self) -> Tensor {
        if self.is_contiguous() { self.clone() } else { self.copy() }
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::unary("to", |x| x.to(DType::F32).to(DType::F64)).loose().cpu_only(),
        Sample::unary("copy", |x| x.copy()),
    ]
}

#[cfg(test)]
mod tests {
    use crate::dtype::{Element, match_dtype};
    use crate::{DType, Tensor, tensor};

    #[test]
    fn every_conversion_is_that_of_single_numbers() {
        let types = [DType::F32, DType::F64, DType::I64, DType::Bool];
        for (from, to) in types.iter().flat_map(|&from| types.map(|to| (from, to))) {
            let x = tensor([-2.75, 0.0, 0.4, 1.0, 3e9, 1e30, f64::NAN]).to(from);
            let expected = match_dtype!(from, A => match_dtype!(to, B => {
                Tensor::from_vec(x.data::<A>().iter().map(|v| B::from_scalar(v.to_scalar())).collect::<Vec<B>>(), 7)
            }));
            assert!(x.to(to).bitwise_eq(&expected), "{from} to {to}: {}", x.to(to));
        }
    }

    #[test]
    fn a_large_integer_is_rounded_once() {
        let x = (1i64 << 54) + (1 << 30) + 1;
        assert_eq!(tensor([x]).float().item::<f32>(), x as f32);
    }
}
