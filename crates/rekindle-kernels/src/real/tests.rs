//! Error bounds against f64, and the values at the edges.

use super::*;
use crate::dispatch::{Isa, set_isa};
use crate::map;

type Case = (&'static str, fn(&[f32], &mut [f32]), fn(f64) -> f64, f64);

macro_rules! case {
    ($name:ident, $bound:literal) => {
        (stringify!($name), |x, y| map::unary(x, y, <f32 as Real>::$name), <f64 as Real>::$name, $bound)
    };
}

/// Each function as a map, its f64 form, and the greatest error found in all of f32, in units in the last place.
const CASES: [Case; 8] = [
    case!(exp, 1.0),
    case!(exp_m1, 1.0),
    case!(ln, 1.0),
    case!(ln_1p, 1.0),
    case!(tanh, 1.0),
    case!(sigmoid, 2.0),
    case!(erf, 1.0),
    case!(sin, 0.501),
];

/// Error of `got` in units of the last place of f32 at `want`.
fn ulps(got: f32, want: f64) -> f64 {
    let rounded = want as f32;
    if got.to_bits() == rounded.to_bits() || (got.is_nan() && want.is_nan()) {
        return 0.0;
    }
    if !rounded.is_finite() || !got.is_finite() {
        return if rounded == got { 0.0 } else { f64::INFINITY };
    }
    let exponent = (want.abs().max(f64::from(f32::MIN_POSITIVE)).to_bits() >> 52) as i32 - 1023;
    let sign_wrong = got.is_sign_negative() != rounded.is_sign_negative();
    if sign_wrong { f64::INFINITY } else { (f64::from(got) - want).abs() / 2f64.powi(exponent - 23) }
}

/// Greatest error of a case over some arguments, given by their bits.
fn worst((_, f, exact, _): &Case, mut bits: impl Iterator<Item = u32>) -> (f64, f32) {
    let mut worst = (0.0, 0.0);
    let mut y = vec![0.0; 1 << 14];
    loop {
        let x: Vec<f32> = bits.by_ref().take(y.len()).map(f32::from_bits).collect();
        if x.is_empty() {
            return worst;
        }
        f(&x, &mut y[..x.len()]);
        for (&x, &y) in x.iter().zip(&y) {
            let error = ulps(y, exact(f64::from(x)));
            if error > worst.0 {
                worst = (error, x);
            }
        }
    }
}

fn check_bounds<I: Iterator<Item = u32>>(bits: impl Fn() -> I) {
    for case in &CASES {
        let (error, at) = worst(case, bits());
        println!("{}: {error:.3} ulp at {at:e}", case.0);
        assert!(error <= case.3, "{}({at:e}): {error} ulp", case.0);
    }
}

#[test]
fn errors_stay_within_bounds() {
    check_bounds(|| (0..=u32::MAX).step_by(if cfg!(miri) { 9_601_000 } else { 9601 }));
}

#[test]
fn errors_stay_within_bounds_where_the_reductions_change() {
    // ln(3/4), ln(3/2), and the arguments at which tanh and erf change their form.
    for border in [-0.287_682_1, 0.405_465_1, 0.75, 1.0, 1.17, 1.5f32] {
        let near = if cfg!(miri) { 10 } else { 5000 };
        check_bounds(|| border.to_bits() - near..border.to_bits() + near);
    }
}

#[test]
#[ignore = "all 2^32 arguments of every function take half an hour"]
fn errors_stay_within_bounds_for_every_argument() {
    check_bounds(|| 0..=u32::MAX);
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    let n = if cfg!(miri) { 37 } else { 300_007u32 };
    let x: Vec<f32> = (0..n).map(|i| f32::from_bits(i.wrapping_mul(2_654_435_761))).collect();
    for (name, f, ..) in CASES {
        let runs = [Isa::Portable, Isa::Avx2, Isa::Avx512].map(|isa| {
            set_isa(isa);
            let mut y = vec![0.0; x.len()];
            f(&x, &mut y);
            y
        });
        for y in &runs[1..] {
            let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
            assert!(y.iter().zip(&runs[0]).all(same), "{name}");
        }
    }
}

#[test]
fn zeros_keep_their_sign_and_edges_their_limits() {
    for f in [single::exp_m1, single::ln_1p, single::tanh, single::erf] {
        assert_eq!(f(-0.0).to_bits(), (-0.0f32).to_bits());
        assert_eq!(f(0.0).to_bits(), 0);
        assert_eq!(f(1e-45), 1e-45);
    }
    assert_eq!([single::exp(f32::INFINITY), single::exp(f32::NEG_INFINITY)], [f32::INFINITY, 0.0]);
    assert_eq!([single::exp(-0.0), single::exp(0.0)], [1.0; 2]);
    assert_eq!([single::ln(0.0), single::ln(-0.0), single::ln_1p(-1.0)], [f32::NEG_INFINITY; 3]);
    assert_eq!([single::ln(f32::INFINITY), single::ln_1p(f32::INFINITY)], [f32::INFINITY; 2]);
    assert!(
        [single::ln(-1e-45), single::ln(f32::NEG_INFINITY), single::ln_1p(-1.5)].iter().all(|y| y.is_nan())
    );
    assert_eq!([single::ln(1.0), single::sigmoid(0.0)], [0.0, 0.5]);
    assert_eq!([single::tanh(f32::INFINITY), single::erf(f32::NEG_INFINITY)], [1.0, -1.0]);
    assert_eq!([single::sigmoid(f32::INFINITY), single::sigmoid(f32::NEG_INFINITY)], [1.0, 0.0]);
}

#[test]
fn maximum_and_minimum_propagate_nan() {
    assert!(Real::maximum(f32::NAN, 1.0).is_nan() && Real::maximum(1.0, f32::NAN).is_nan());
    assert!(Real::minimum(f32::NAN, 1.0).is_nan() && Real::minimum(1.0, f32::NAN).is_nan());
    assert_eq!((Real::maximum(1.0, 2.0), Real::minimum(1.0, 2.0)), (2.0, 1.0));
}

#[test]
fn f64_erf_has_the_published_values() {
    // Abramowitz and Stegun, table 7.1.
    for (x, want) in [(0.5, 0.520_499_877_8), (1.0, 0.842_700_792_9), (2.0, 0.995_322_265_0)] {
        assert!((<f64 as Real>::erf(x) - want).abs() < 1e-10);
        assert_eq!(<f64 as Real>::erf(-x), -<f64 as Real>::erf(x));
    }
    assert!(<f64 as Real>::erf(f64::NAN).is_nan());
    assert_eq!([<f64 as Real>::erf(f64::INFINITY), <f64 as Real>::erf(0.0)], [1.0, 0.0]);
}
