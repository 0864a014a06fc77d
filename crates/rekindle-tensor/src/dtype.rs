//! Element types: the runtime [`DType`], the compile-time [`Element`], and PyTorch's promotion rules.

use crate::storage::Buffer;
use std::fmt;
use std::ops::{Add, Mul, Neg, Sub};

/// The type of a tensor's elements, known at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// 32-bit IEEE float: the default of every floating constructor.
    F32,
    /// 64-bit IEEE float.
    F64,
    /// 64-bit signed integer: class labels and indices.
    I64,
    /// Truth values: masks and the results of comparisons.
    Bool,
}

impl DType {
    /// Whether gradients can flow through tensors of this type.
    ///
    /// ```
    /// # use rekindle_tensor::DType;
    /// assert!(DType::F64.is_float() && !DType::Bool.is_float());
    /// ```
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64)
    }

    /// Bytes that one element takes.
    ///
    /// ```
    /// # use rekindle_tensor::DType;
    /// assert_eq!((DType::F32.size(), DType::Bool.size()), (4, 1));
    /// ```
    pub fn size(self) -> usize {
        match self {
            DType::F32 => 4,
            DType::F64 | DType::I64 => 8,
            DType::Bool => 1,
        }
    }

    /// The position in the order bool < integer < float, which decides promotions.
    fn category(self) -> u8 {
        match self {
            DType::Bool => 0,
            DType::I64 => 1,
            DType::F32 | DType::F64 => 2,
        }
    }

    /// The common type of two tensors, by PyTorch's rule: the higher category wins (bool < i64 < float),
    /// within floats the wider type. A 0-dim tensor or a number only counts when its category is higher.
    pub(crate) fn promote(a: (DType, bool), b: (DType, bool)) -> DType {
        let ((ta, zero_dim_a), (tb, zero_dim_b)) = (a, b);
        if ta == tb {
            return ta;
        }
        match ta.category().cmp(&tb.category()) {
            std::cmp::Ordering::Greater => ta,
            std::cmp::Ordering::Less => tb,
            std::cmp::Ordering::Equal if zero_dim_a != zero_dim_b => {
                if zero_dim_a {
                    tb
                } else {
                    ta
                }
            }
            std::cmp::Ordering::Equal => DType::F64,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::I64 => "i64",
            DType::Bool => "bool",
        })
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for i64 {}
    impl Sealed for bool {}
}

/// A Rust type that can be a tensor's element: `f32`, `f64`, `i64` or `bool`.
pub trait Element: sealed::Sealed + Copy + Default + PartialEq + fmt::Debug + Send + Sync + 'static {
    /// The run-time name of this type.
    const DTYPE: DType;
    /// Borrows the elements of a buffer of this type; `None` for another type.
    #[doc(hidden)]
    fn slice(buffer: &Buffer) -> Option<&[Self]>;
    #[doc(hidden)]
    fn slice_mut(buffer: &mut Buffer) -> Option<&mut [Self]>;
    #[doc(hidden)]
    fn wrap(data: Vec<Self>) -> Buffer;
    /// Converts a number as PyTorch's casts do (floats to integers truncate).
    fn from_scalar(value: Scalar) -> Self;
    /// The value as a [`Scalar`].
    fn to_scalar(self) -> Scalar;
}

macro_rules! element {
    ($t:ty, $variant:ident, $from:expr, $to:expr) => {
        impl Element for $t {
            const DTYPE: DType = DType::$variant;
            fn slice(buffer: &Buffer) -> Option<&[Self]> {
                match buffer {
                    Buffer::$variant(v) => Some(v),
                    _ => None,
                }
            }
            fn slice_mut(buffer: &mut Buffer) -> Option<&mut [Self]> {
                match buffer {
                    Buffer::$variant(v) => Some(v),
                    _ => None,
                }
            }
            fn wrap(data: Vec<Self>) -> Buffer {
                Buffer::$variant(data)
            }
            fn from_scalar(value: Scalar) -> Self {
                $from(value)
            }
            fn to_scalar(self) -> Scalar {
                $to(self)
            }
        }
    };
}
element!(f32, F32, |s: Scalar| s.as_f64() as f32, |v| Scalar::Float(v as f64));
element!(f64, F64, Scalar::as_f64, Scalar::Float);
element!(i64, I64, Scalar::as_i64, Scalar::Int);
element!(bool, Bool, Scalar::as_bool, Scalar::Bool);

/// A number without a shape, as in `x * 2` or `x.gt(0.5)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// A floating-point number.
    Float(f64),
    /// An integer.
    Int(i64),
    /// A truth value.
    Bool(bool),
}

impl Scalar {
    /// The value as a float.
    pub fn as_f64(self) -> f64 {
        match self {
            Scalar::Float(v) => v,
            Scalar::Int(v) => v as f64,
            Scalar::Bool(v) => v as u8 as f64,
        }
    }

    /// The value as an integer, floats truncated towards zero.
    pub fn as_i64(self) -> i64 {
        match self {
            Scalar::Float(v) => v as i64,
            Scalar::Int(v) => v,
            Scalar::Bool(v) => v as i64,
        }
    }

    /// Whether the value differs from zero.
    pub fn as_bool(self) -> bool {
        match self {
            Scalar::Float(v) => v != 0.0,
            Scalar::Int(v) => v != 0,
            Scalar::Bool(v) => v,
        }
    }

    /// The type that a tensor made of this number alone has.
    pub fn dtype(self) -> DType {
        match self {
            Scalar::Float(_) => DType::F32,
            Scalar::Int(_) => DType::I64,
            Scalar::Bool(_) => DType::Bool,
        }
    }
}

macro_rules! scalar_from {
    ($($t:ty => $variant:ident as $as:ty),*) => {$(
        impl From<$t> for Scalar {
            fn from(v: $t) -> Self {
                Scalar::$variant(v as $as)
            }
        }
    )*};
}
scalar_from!(f32 => Float as f64, f64 => Float as f64, i32 => Int as i64, i64 => Int as i64, u8 => Int as i64,
             usize => Int as i64, isize => Int as i64, bool => Bool as bool);

/// Arithmetic that every numeric element type has; integers wrap around, as in PyTorch.
pub(crate) trait Number: Element {
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    fn negated(self) -> Self;
    fn magnitude(self) -> Self;
    /// A sum of many numbers is kept in this type.
    type Wide: Number;
    fn widen(self) -> Self::Wide;
    fn narrow(sum: Self::Wide) -> Self;
}

macro_rules! number {
    ($t:ty as $wide:ty, $plus:ident, $minus:ident, $times:ident, $neg:ident, $abs:ident) => {
        impl Number for $t {
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self.$plus(other)
            }
            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self.$minus(other)
            }
            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self.$times(other)
            }
            #[inline(always)]
            fn negated(self) -> Self {
                self.$neg()
            }
            #[inline(always)]
            fn magnitude(self) -> Self {
                self.$abs()
            }
            type Wide = $wide;
            fn widen(self) -> $wide {
                self as $wide
            }
            fn narrow(sum: $wide) -> Self {
                sum as $t
            }
        }
    };
}
number!(f32 as f64, add, sub, mul, neg, abs);
number!(f64 as f64, add, sub, mul, neg, abs);
number!(i64 as i64, wrapping_add, wrapping_sub, wrapping_mul, wrapping_neg, wrapping_abs);

/// Runs `$body` with `$t` standing for the Rust type of `$dtype`, if that is listed.
macro_rules! match_listed {
    ($dtype:expr, $t:ident => $body:expr, [$($Listed:ident: $type:ty),+] $(, $other:ident => $otherwise:expr)?) => {
        match $dtype {
            $($crate::DType::$Listed => {
                type $t = $type;
                $body
            })+
            $($other => $otherwise,)?
        }
    };
}

/// Runs `$body` with `$t` standing for the Rust type of a floating `$dtype`.
macro_rules! match_float {
    ($op:expr, $dtype:expr, $t:ident => $body:expr) => {
        $crate::dtype::match_listed!($dtype, $t => $body, [F32: f32, F64: f64],
            other => $crate::mistake!("{}: needs a floating tensor, got {other}; convert with .to(DType::F32)", $op))
    };
}

/// Runs `$body` with `$t` standing for the Rust type of a numeric `$dtype` (not bool).
macro_rules! match_number {
    ($op:expr, $dtype:expr, $t:ident => $body:expr) => {
        $crate::dtype::match_listed!($dtype, $t => $body, [F32: f32, F64: f64, I64: i64],
            other => $crate::mistake!("{}: needs numbers, got {other}; convert with .to(DType::I64)", $op))
    };
}

/// Runs `$body` with `$t` standing for the Rust type of any `$dtype`.
macro_rules! match_dtype {
    ($dtype:expr, $t:ident => $body:expr) => {
        $crate::dtype::match_listed!($dtype, $t => $body, [F32: f32, F64: f64, I64: i64, Bool: bool])
    };
}
pub(crate) use {match_dtype, match_float, match_listed, match_number};
