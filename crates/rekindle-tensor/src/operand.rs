//! Numbers and tensors as operands, and the arithmetic operators on values and references.

use crate::dtype::{DType, Scalar};
use crate::op::mistake;
use crate::tensor::Tensor;
use std::borrow::Cow;
use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Sub};

/// The second operand of a binary operation: a tensor, or a number that takes on the tensor's type.
pub trait Operand {
    /// The operand as a tensor, and whether it came from a bare number.
    #[doc(hidden)]
    fn operand(&self) -> (Cow<'_, Tensor>, bool);
}

impl Operand for Tensor {
    fn operand(&self) -> (Cow<'_, Tensor>, bool) {
        (Cow::Borrowed(self), false)
    }
}
impl Operand for &Tensor {
    fn operand(&self) -> (Cow<'_, Tensor>, bool) {
        (Cow::Borrowed(self), false)
    }
}
impl Operand for &&Tensor {
    fn operand(&self) -> (Cow<'_, Tensor>, bool) {
        (Cow::Borrowed(self), false)
    }
}

impl Operand for Scalar {
    fn operand(&self) -> (Cow<'_, Tensor>, bool) {
        // Kept in double precision; the promotion below rounds it once to the other operand's type.
        let dtype = if self.dtype() == DType::F32 { DType::F64 } else { self.dtype() };
        (Cow::Owned(Tensor::scalar(*self, dtype)), true)
    }
}

macro_rules! scalar_operand {
    ($($t:ty),*) => {$(
        impl Operand for $t {
            fn operand(&self) -> (Cow<'_, Tensor>, bool) {
                (Cow::Owned(Scalar::from(*self).operand().0.into_owned()), true)
            }
        }
    )*};
}
scalar_operand!(f32, f64, i32, i64, usize, bool);

/// Both operands in their common type (see [`DType::promote`]).
pub(crate) fn promoted<'a>(a: &'a impl Operand, b: &'a impl Operand) -> (Cow<'a, Tensor>, Cow<'a, Tensor>) {
    let ((a, a_number), (b, b_number)) = (a.operand(), b.operand());
    if a.dtype() == b.dtype() {
        return (a, b);
    }
    // A bare float next to integers means the default float type, f32.
    let kind = |t: &Tensor, number: bool| if number && t.dtype().is_float() { DType::F32 } else { t.dtype() };
    let dtype = DType::promote((kind(&a, a_number), a.dim() == 0), (kind(&b, b_number), b.dim() == 0));
    let cast = |t: Cow<'a, Tensor>| if t.dtype() == dtype { t } else { Cow::Owned(t.to(dtype)) };
    (cast(a), cast(b))
}

macro_rules! operator {
    ($($Trait:ident $method:ident $op:ident),*) => {$(
        impl<R: Operand> $Trait<R> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, rhs: R) -> Tensor {
                crate::ops::$op::$op(self, &rhs)
            }
        }
        impl<R: Operand> $Trait<R> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, rhs: R) -> Tensor {
                crate::ops::$op::$op(&self, &rhs)
            }
        }
        // One type of float and one of integer, so that a literal on the left needs no suffix.
        operator!(number $Trait $method $op: f64, i64);
    )*};
    (number $Trait:ident $method:ident $op:ident: $($t:ty),*) => {$(
        impl $Trait<&Tensor> for $t {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, rhs: &Tensor) -> Tensor {
                crate::ops::$op::$op(&self, &rhs)
            }
        }
        impl $Trait<Tensor> for $t {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, rhs: Tensor) -> Tensor {
                crate::ops::$op::$op(&self, &rhs)
            }
        }
    )*};
}
operator!(Add add add, Sub sub sub, Mul mul mul, Div div div);

/// Refuses what is no mask: PyTorch's `&` works on the bits of integers, and their truth is another thing.
#[track_caller]
fn require_mask(op: &str, x: &Tensor) {
    if x.dtype() != DType::Bool {
        mistake!(
            "{op}: needs bool masks, got {}; compare first, as in x.gt(0), or use .logical_{op}()",
            x.dtype()
        );
    }
}

/// Masks: `a & b`, `a | b` and `a ^ b` of truth values, and `!a`.
macro_rules! mask_operator {
    ($($Trait:ident $method:ident $logical:ident),*) => {$(
        impl<R: std::borrow::Borrow<Tensor>> $Trait<R> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, rhs: R) -> Tensor {
                let name = stringify!($logical).trim_start_matches("logical_");
                require_mask(name, std::borrow::Borrow::borrow(&self));
                require_mask(name, rhs.borrow());
                self.$logical(rhs.borrow())
            }
        }
        impl<R: std::borrow::Borrow<Tensor>> $Trait<R> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, rhs: R) -> Tensor {
                let name = stringify!($logical).trim_start_matches("logical_");
                require_mask(name, std::borrow::Borrow::borrow(&self));
                require_mask(name, rhs.borrow());
                self.$logical(rhs.borrow())
            }
        }
    )*};
}
mask_operator!(BitAnd bitand logical_and, BitOr bitor logical_or, BitXor bitxor logical_xor);

impl Not for &Tensor {
    type Output = Tensor;
    #[track_caller]
    fn not(self) -> Tensor {
        require_mask("not", std::borrow::Borrow::borrow(&self));
        self.logical_not()
    }
}
impl Not for Tensor {
    type Output = Tensor;
    #[track_caller]
    fn not(self) -> Tensor {
        require_mask("not", std::borrow::Borrow::borrow(&self));
        self.logical_not()
    }
}

impl Neg for &Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        Tensor::neg(self)
    }
}
impl Neg for Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        Tensor::neg(&self)
    }
}
