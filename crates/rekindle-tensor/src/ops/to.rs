//! Conversion of the element type, and copies.

use super::elementwise::{same, unary};
use crate::dtype::{DType, Element, match_dtype};
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
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
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        smallvec![Some(ctx.grad.clone())]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

impl Tensor {
    /// The tensor with another element type; itself when it has that type. Floats become integers by truncation,
    /// truth values 0 and 1.
    ///
    /// ```
    /// # use rekindle_tensor::{tensor, DType};
    /// assert_eq!(tensor([1.9, -1.9]).to(DType::I64).to_vec::<i64>(), [1, -1]);
    /// ```
    #[track_caller]
    pub fn to(&self, dtype: DType) -> Tensor {
        if self.dtype() == dtype { self.clone() } else { apply(To(dtype), &[self]) }
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
        Sample::unary("to", |x| x.to(DType::F32).to(DType::F64)).loose(),
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
