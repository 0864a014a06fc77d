//! [`Real`]: the floating-point numbers that kernels are written over, f32 and f64.

mod single;

use std::fmt::{Debug, Display};
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Rem, Sub, SubAssign};

/// A floating-point number.
///
/// The f32 functions are within 1 ulp of the exact value ([`Real::sigmoid`]: 2). But for `sin`, `cos` and `powf` they
/// are free of branches and tables, so that a loop over them vectorises, and give the same bits on every machine.
///
/// Nothing else can implement it: kernels count on the size and the bits of the two types.
pub trait Real:
    Sealed
    + Copy
    + PartialEq
    + PartialOrd
    + Default
    + Debug
    + Display
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Rem<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Positive infinity.
    const INFINITY: Self;
    /// Negative infinity.
    const NEG_INFINITY: Self;
    /// Not a number.
    const NAN: Self;
    /// Distance from 1 to the next greater number.
    const EPSILON: Self;
    /// Smallest positive normal number.
    const MIN_POSITIVE: Self;
    /// Greatest finite number.
    const MAX: Self;

    /// The nearest number to `x`.
    fn from_f64(x: f64) -> Self;
    /// The same number as f64.
    fn to_f64(self) -> f64;
    /// Whether this is NaN.
    fn is_nan(self) -> bool;
    /// Whether this is neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// Square root, correctly rounded.
    fn sqrt(self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// Greatest integer that is not greater.
    fn floor(self) -> Self;
    /// Smallest integer that is not smaller.
    fn ceil(self) -> Self;
    /// The integer part, rounded towards 0.
    fn trunc(self) -> Self;
    /// Rounds to the nearest integer, halves to the even one.
    fn round_even(self) -> Self;
    /// This magnitude with the sign of `sign`.
    fn copysign(self, sign: Self) -> Self;
    /// `self * a + b`, rounded once.
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// e^self.
    fn exp(self) -> Self;
    /// e^self - 1, accurate near 0.
    fn exp_m1(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// ln(1 + self), accurate near 0.
    fn ln_1p(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// Sine of an angle in radians.
    fn sin(self) -> Self;
    /// Cosine of an angle in radians.
    fn cos(self) -> Self;
    /// The error function `2/sqrt(pi) * integral of exp(-t^2) from 0 to self`.
    fn erf(self) -> Self;
    /// self^exponent.
    fn powf(self, exponent: Self) -> Self;

    /// `1 / (1 + exp(-self))`.
    #[inline(always)]
    fn sigmoid(self) -> Self {
        Self::ONE / (Self::ONE + (-self).exp())
    }

    /// The greater of two numbers; NaN if either is NaN.
    #[inline(always)]
    fn maximum(self, other: Self) -> Self {
        if self > other || self.is_nan() { self } else { other }
    }

    /// The smaller of two numbers; NaN if either is NaN.
    #[inline(always)]
    fn minimum(self, other: Self) -> Self {
        if self < other || self.is_nan() { self } else { other }
    }
}

macro_rules! common {
    ($t:ident) => {
        const ZERO: Self = 0.0;
        const ONE: Self = 1.0;
        const INFINITY: Self = $t::INFINITY;
        const NEG_INFINITY: Self = $t::NEG_INFINITY;
        const NAN: Self = $t::NAN;
        const EPSILON: Self = $t::EPSILON;
        const MIN_POSITIVE: Self = $t::MIN_POSITIVE;
        const MAX: Self = $t::MAX;

        #[inline(always)]
        fn from_f64(x: f64) -> Self {
            x as $t
        }
        #[inline(always)]
        fn to_f64(self) -> f64 {
            f64::from(self)
        }
        #[inline(always)]
        fn round_even(self) -> Self {
            self.round_ties_even()
        }
        #[inline(always)]
        fn mul_add(self, a: Self, b: Self) -> Self {
            $t::mul_add(self, a, b)
        }
        #[inline(always)]
        fn copysign(self, sign: Self) -> Self {
            $t::copysign(self, sign)
        }
        #[inline(always)]
        fn is_nan(self) -> bool {
            $t::is_nan(self)
        }
        #[inline(always)]
        fn is_finite(self) -> bool {
            $t::is_finite(self)
        }
        common!($t: sqrt abs floor ceil trunc);
    };
    ($t:ident: $($name:ident)*) => {
        $(
            #[inline(always)]
            fn $name(self) -> Self {
                $t::$name(self)
            }
        )*
    };
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}
use sealed::Sealed;

impl Real for f64 {
    common!(f64);
    common!(f64: exp exp_m1 ln ln_1p tanh sin cos);

    #[inline(always)]
    fn powf(self, exponent: Self) -> Self {
        f64::powf(self, exponent)
    }

    fn erf(self) -> Self {
        let x = self.abs();
        if x > 6.0 {
            return self.signum();
        }
        // The Maclaurin series with positive terms: exp(-x^2) * 2x/sqrt(pi) * sum of (2x^2)^n / (2n+1)!!.
        let (mut term, mut sum, mut n) = (1.0, 1.0, 0.0);
        while term > sum * 1e-17 {
            n += 1.0;
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            sum += term;
        }
        self * std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
    }
}

impl Real for f32 {
    common!(f32);

    #[inline(always)]
    fn exp(self) -> Self {
        single::exp(self)
    }
    #[inline(always)]
    fn exp_m1(self) -> Self {
        single::exp_m1(self)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        single::ln(self)
    }
    #[inline(always)]
    fn ln_1p(self) -> Self {
        single::ln_1p(self)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        single::tanh(self)
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        single::sigmoid(self)
    }
    #[inline(always)]
    fn erf(self) -> Self {
        single::erf(self)
    }

    // These are rare in networks and hard to reduce for large arguments, so they pass through f64.
    #[inline(always)]
    fn sin(self) -> Self {
        f64::from(self).sin() as f32
    }
    #[inline(always)]
    fn cos(self) -> Self {
        f64::from(self).cos() as f32
    }
    #[inline(always)]
    fn powf(self, exponent: Self) -> Self {
        f64::from(self).powf(f64::from(exponent)) as f32
    }
}

#[cfg(test)]
mod tests;
