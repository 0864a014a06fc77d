//! One text per kernel, compiled for three instruction sets and chosen at run time.
//!
//! A kernel is written once, as plain scalar Rust inside `multiversion!`. The macro puts the text, inlined, into
//! one function per instruction set, and LLVM vectorises each. Everything that rounds is written with explicit
//! operations (`mul_add` is always one rounding), so the three versions give the same bits.

use std::sync::atomic::{AtomicU8, Ordering};

/// The instruction sets for which kernels are compiled, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Isa {
    /// What the target promises at compile time; correct everywhere.
    Portable = 1,
    /// AVX2 and FMA (x86-64 since about 2013).
    Avx2 = 2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512 = 3,
}

/// 0 until the processor has been asked.
static CURRENT: AtomicU8 = AtomicU8::new(0);

/// The best instruction set of this processor.
pub fn detect() -> Isa {
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        if avx2 && avx512 {
            return Isa::Avx512;
        }
        if avx2 {
            return Isa::Avx2;
        }
    }
    Isa::Portable
}

/// The instruction set that kernels use now.
#[inline]
pub fn isa() -> Isa {
    match CURRENT.load(Ordering::Relaxed) {
        1 => Isa::Portable,
        2 => Isa::Avx2,
        3 => Isa::Avx512,
        _ => {
            let best = detect();
            CURRENT.store(best as u8, Ordering::Relaxed);
            best
        }
    }
}

/// Makes kernels use `isa`, or the best available one if the processor lacks it. For tests and measurements.
pub fn set_isa(isa: Isa) {
    CURRENT.store(isa.min(detect()) as u8, Ordering::Relaxed);
}

/// Whether a kernel on elements of type `T` is compiled for every instruction set. Each version costs compile time in
/// every crate that uses a kernel; the hot paths are f32, and everything wider is there for checking.
pub(crate) const fn pays<T>() -> bool {
    size_of::<T>() <= size_of::<f32>()
}

/// Compiles a function for every [`Isa`] and calls the one that [`isa`] names.
///
/// Generic parameters stand in square brackets: `multiversion! { fn name[T: Real](x: &[T]) -> T { .. } }`. The first one
/// decides whether the versions [pay](pays).
macro_rules! multiversion {
    ($(#[$attr:meta])* $vis:vis fn $name:ident [$first:ident: $($generics:tt)*] $($rest:tt)*) => {
        $crate::dispatch::multiversion! { @ ($first) $(#[$attr])* $vis fn $name [$first: $($generics)*] $($rest)* }
    };
    ($(#[$attr:meta])* $vis:vis fn $name:ident [] $($rest:tt)*) => {
        $crate::dispatch::multiversion! { @ (u8) $(#[$attr])* $vis fn $name [] $($rest)* }
    };
    (@ ($first:ident) $(#[$attr:meta])* $vis:vis fn $name:ident [$($generics:tt)*]
     ($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$attr])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name<$($generics)*>($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body<$($generics)*>($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn avx512<$($generics)*>($($arg: $ty),*) $(-> $ret)? {
                    body($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2<$($generics)*>($($arg: $ty),*) $(-> $ret)? {
                    body($($arg),*)
                }
                if const { $crate::dispatch::pays::<$first>() } {
                    match $crate::dispatch::isa() {
                        // SAFETY: `isa` names only what `detect` has found on this processor.
                        $crate::dispatch::Isa::Avx512 => return unsafe { avx512($($arg),*) },
                        // SAFETY: as above.
                        $crate::dispatch::Isa::Avx2 => return unsafe { avx2($($arg),*) },
                        $crate::dispatch::Isa::Portable => {}
                    }
                }
            }
            body($($arg),*)
        }
    };
}
pub(crate) use multiversion;
