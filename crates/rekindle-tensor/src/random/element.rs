//! The value types that random numbers are written as.

use super::Generator;
use std::ops::{Add, Div, Mul};

/// A type that integer and Bernoulli draws can be stored in: f32, f64, i64, i32, bool.
pub trait Number: Copy + 'static {
    /// `random_()` without bounds draws `word mod SPAN`, from a 64-bit word where `WIDE`.
    #[doc(hidden)]
    const SPAN: u64;
    #[doc(hidden)]
    const WIDE: bool;
    /// The value `v`, rounded to the type.
    fn from_i64(v: i64) -> Self;
    /// The value `v`, rounded to the type.
    fn from_f64(v: f64) -> Self;
}

macro_rules! numbers {
    ($($type:ty: $span:expr, $wide:expr;)*) => {$(
        impl Number for $type {
            const SPAN: u64 = $span;
            const WIDE: bool = $wide;
            #[inline]
            fn from_i64(v: i64) -> Self {
                v as $type
            }
            #[inline]
            fn from_f64(v: f64) -> Self {
                v as $type
            }
        }
    )*};
}

// Floats draw every integer that they hold exactly: the mantissa's span, inclusive.
numbers! {
    f32: (1 << 24) + 1, false;
    f64: (1 << 53) + 1, true;
    i32: 1 << 31, false;
    i64: 1 << 63, true;
}

impl Number for bool {
    const SPAN: u64 = 2;
    const WIDE: bool = false;
    #[inline]
    fn from_i64(v: i64) -> Self {
        v != 0
    }
    #[inline]
    fn from_f64(v: f64) -> Self {
        v != 0.0
    }
}

/// f32 or f64: a type with continuous distributions of its own.
pub trait Float: Number + PartialOrd + Add<Output = Self> + Mul<Output = Self> + Div<Output = Self> {
    /// The value in double precision.
    fn to_f64(self) -> f64;
    /// Fills `x` with `f(u)`, `u` uniform in [0, 1) with the type's precision.
    #[doc(hidden)]
    fn map_unit(g: &mut Generator, x: &mut [Self], f: impl FnMut(Self) -> Self);
    /// Uniform values `u * (b - a) + a`, one rounding, `b` excluded.
    #[doc(hidden)]
    fn uniform(g: &mut Generator, x: &mut [Self], a: f64, b: f64);
    /// Box-Muller on blocks of 16 uniforms: the first eight are radii, the last eight angles.
    #[doc(hidden)]
    fn box_muller(blocks: &mut [[Self; 16]], mean: f64, std: f64);
}

/// A uniform f64 in [0, 1) from the low 53 bits of a word.
#[inline]
pub(super) fn unit_f64(word: u64) -> f64 {
    (word & ((1 << 53) - 1)) as f64 * 2f64.powi(-53)
}

/// A uniform f32 in [0, 1) from the low 24 bits of a word.
#[inline]
pub(super) fn unit_f32(word: u32) -> f32 {
    (word & 0xff_ffff) as f32 * 2f32.powi(-24)
}

macro_rules! floats {
    ($($type:ident, $map:ident, $unit:ident, $fill:ident, $box_muller:path;)*) => {$(
        impl Float for $type {
            #[inline]
            fn to_f64(self) -> f64 {
                self.into()
            }
            fn map_unit(g: &mut Generator, x: &mut [Self], mut f: impl FnMut(Self) -> Self) {
                g.$map(x, |word| f($unit(word)));
            }
            fn uniform(g: &mut Generator, x: &mut [Self], a: f64, b: f64) {
                g.engine.$fill(a as $type, b as $type, x);
            }
            fn box_muller(blocks: &mut [[Self; 16]], mean: f64, std: f64) {
                $box_muller(blocks, mean as $type, std as $type);
            }
        }
    )*};
}
floats! {
    f32, map_u32, unit_f32, fill_uniform_f32, rekindle_kernels::box_muller::box_muller;
    f64, map_u64, unit_f64, fill_uniform_f64, box_muller_f64;
}

/// Box-Muller in double precision, with the math library's functions as in PyTorch.
fn box_muller_f64(blocks: &mut [[f64; 16]], mean: f64, std: f64) {
    for v in blocks {
        for j in 0..8 {
            let r = (-2.0 * (1.0 - v[j]).ln()).sqrt();
            let (sin, cos) = (std::f64::consts::TAU * v[j + 8]).sin_cos();
            v[j] = (r * cos).mul_add(std, mean);
            v[j + 8] = (r * sin).mul_add(std, mean);
        }
    }
}
