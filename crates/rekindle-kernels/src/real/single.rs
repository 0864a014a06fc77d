//! The functions of [`Real`](super::Real) for f32: no branches, no tables, only operations that every instruction
//! set rounds alike, so that a loop over them vectorises and gives the same bits everywhere.
//!
//! Each reduces its argument exactly (or with the rounding error carried along), evaluates a polynomial fitted to
//! minimise the greatest error relative to the result (Lawson's iteration, coefficients rounded to f32 one after
//! another), and scales back. Bounds are proved by the exhaustive tests. The reductions are the classical ones of
//! W. Cody and W. Waite, "Software Manual for the Elementary Functions" (1980).

/// ln 2 = `LN_2_HIGH` + `LN_2_LOW` up to 2^-50; 2^-24 divides the high part.
const LN_2_HIGH: f32 = std::f32::consts::LN_2;
const LN_2_LOW: f32 = -1.904_654_3e-9;

/// Adding this rounds a small number to an integer, which then stands in the low bits of the sum.
const ROUNDER: f32 = 12_582_912.0; // 1.5 * 2^23

/// The polynomial `c[0] + c[1] x + ..`.
#[inline(always)]
fn polynomial<const N: usize>(x: f32, c: [f32; N]) -> f32 {
    let mut y = c[N - 1];
    let mut i = N - 1;
    while i > 0 {
        i -= 1;
        y = y.mul_add(x, c[i]);
    }
    y
}

/// 2^n for -127 < n < 128.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// `n` and `p` with exp(x) = 2^n (1 + p) and -1/4 <= p <= 1/2, for |x| < 2^21; `p` is NaN if `x` is.
///
/// The uneven range makes 1 + p lie where f32 is fine below 1 and coarse above, and keeps exp(x) - 1 from cancelling.
#[inline(always)]
fn split_exp(x: f32) -> (i32, f32) {
    let (n, r, _) = reduce_exp(x);
    (n, (r * r).mul_add(polynomial(r, EXP), r))
}

/// `n`, `r` and what `r` lost to rounding, with x = n ln(2) + r + lost.
#[inline(always)]
fn reduce_exp(x: f32) -> (i32, f32, f32) {
    let shifted = x.mul_add(std::f32::consts::LOG2_E, -0.084_962_5) + ROUNDER;
    let n = shifted - ROUNDER;
    // This step is exact, since n * LN_2_HIGH is within 0.41 of x and both are multiples of 2^-25.
    let high = n.mul_add(-LN_2_HIGH, x);
    let r = n.mul_add(-LN_2_LOW, high);
    let lost = n.mul_add(-LN_2_LOW, high - r);
    (shifted.to_bits().wrapping_sub(ROUNDER.to_bits()) as i32, r, lost)
}

/// (exp(r) - 1 - r) / r^2 for ln(3/4) <= r <= ln(3/2).
const EXP: [f32; 6] = [0.5, 0.166_666_7, 0.041_666_586, 0.008_332_005, 0.001_391_788_4, 0.000_209_723_79];

/// `x` within [low, high]; NaN stays NaN.
#[inline(always)]
fn clamp(x: f32, low: f32, high: f32) -> f32 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// exp(x), nearly always correctly rounded (within 0.63 ulp): 1 + r is carried in two parts, so that only the last
/// addition rounds. Printed tables of exp show four decimals of numbers up to 1e4, where one ulp is visible.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let (n, r, lost) = reduce_exp(clamp(x, -104.0, 89.0));
    let sum = 1.0 + r;
    let rest = (r - (sum - 1.0)) + (r * r).mul_add(polynomial(r, EXP), lost);
    // Two factors, because 2^n may lie outside the range of normal numbers; only the last product rounds.
    let half = n >> 1;
    (sum + rest) * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// exp(x) - 1.
#[inline(always)]
pub fn exp_m1(x: f32) -> f32 {
    let (n, p) = split_exp(clamp(x, -18.0, 89.0));
    // Half of 2^n (1 + p) - 1, because 2^128 is not a number: h p + (h - 1/2) with h = 2^(n-1).
    let h = power_of_two(n.wrapping_sub(1));
    // From n = 25 on h - 1/2 would round, so there the 1/2 goes into p.
    let half_by_h = 0.5 * power_of_two(1i32.wrapping_sub(n));
    let (p, base) = if n > 24 { (p - half_by_h, h) } else { (p, h - 0.5) };
    let y = 2.0 * p.mul_add(h, base);
    if x.abs() < 1e-7 { x } else { y }
}

/// e ln(2) + ln(1 + f) for an integer `e` and -1/4 <= f <= 1/2.
#[inline(always)]
fn join_ln(e: f32, f: f32) -> f32 {
    // ln(1 + f) = f + r with |r| < 0.1.
    let square = f * f;
    let r = square.mul_add(-0.5, square * f * polynomial(f, LN));
    // Seventeen bits of ln 2, so that e * SHORT is exact; the sum with f is carried in two parts.
    const SHORT: f32 = 0.693_145_75;
    const REST: f32 = 1.428_606_8e-6;
    let big = e * SHORT;
    let high = big + f;
    let low = (big - high) + f;
    high + (low + e.mul_add(REST, r))
}

/// (ln(1 + f) - f + f^2 / 2) / f^3 for -1/4 <= f <= 1/2.
const LN: [f32; 9] = [
    0.333_333_37,
    -0.250_001_64,
    0.199_998_32,
    -0.166_556_25,
    0.142_708_29,
    -0.127_145_34,
    0.117_334_366,
    -0.092_494_294,
    0.038_797_56,
];

/// The exponent `e` of `x` for which x 2^-e is within [3/4, 3/2), for normal positive `x`.
#[inline(always)]
fn exponent(x: f32) -> i32 {
    (x.to_bits().wrapping_sub(0.75f32.to_bits()) as i32) >> 23
}

/// ln(x).
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    let subnormal = x < f32::MIN_POSITIVE;
    let (normal, shift) = if subnormal { (x * 8_388_608.0, -23) } else { (x, 0) };
    let e = exponent(normal);
    let m = f32::from_bits(normal.to_bits().wrapping_sub((e as u32) << 23));
    let y = join_ln(e.wrapping_add(shift) as f32, m - 1.0);
    ln_edges(x, y)
}

/// `y` = ln(x), or what it is for 0, negative numbers, infinity and NaN.
#[inline(always)]
fn ln_edges(x: f32, y: f32) -> f32 {
    let y = if x < f32::INFINITY { y } else { x };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x < 0.0 { f32::NAN } else { y }
}

/// ln(1 + x).
#[inline(always)]
pub fn ln_1p(x: f32) -> f32 {
    let u = 1.0 + x;
    // f = (1 + x) 2^-e - 1 = x s + (s - 1) has at most the bits of x, so it is exact. e may be 128, hence 4s.
    let e = exponent(u);
    let s4 = power_of_two(2i32.wrapping_sub(e));
    let f = (0.25 * x).mul_add(s4, 0.25 * s4 - 1.0);
    let y = ln_edges(u, join_ln(e as f32, f));
    if x.abs() < 1e-8 { x } else { y }
}

/// tanh(x).
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let a = x.abs();
    let t = x * x;
    let small = (x * t).mul_add(polynomial(t, TANH), x);
    // tanh(a) = 1 - 2 / (exp(2a) + 1), which is 1 from 9.02 on.
    let (n, p) = split_exp(2.0 * clamp(a, 0.0, 10.0));
    let s = power_of_two(n);
    let large = 1.0 - 2.0 / (p.mul_add(s, s) + 1.0);
    (if a < 1.0 { small } else { large }).copysign(x)
}

/// (tanh(x) / x - 1) / x^2 as a polynomial in x^2 for |x| <= 1.
const TANH: [f32; 8] = [
    -0.333_333_28,
    0.133_331_73,
    -0.053_950_466,
    0.021_772_876,
    -0.008_566_914,
    0.003_042_095_8,
    -0.000_816_858_1,
    0.000_114_974_53,
];

/// 1 / (1 + exp(-x)).
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    // With exp(-x) = a b (1 + p), a and b powers of two: (1/a) / (1/a + b + b p). Splitting 2^n keeps all of it in
    // range, and exp(-x) is never rounded by itself.
    let (n, p) = split_exp(clamp(-x, -104.0, 104.0));
    let half = n >> 1;
    let (inverse_a, b) = (power_of_two(half.wrapping_neg()), power_of_two(n.wrapping_sub(half)));
    // From n = 24 on 1/a + b would round, so there 1/a joins the small b p.
    let sum = if n > 23 { p.mul_add(b, inverse_a) + b } else { p.mul_add(b, inverse_a + b) };
    inverse_a / sum
}

/// The error function.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let a = x.abs();
    let small = x.mul_add(polynomial(x.mul_add(x, -0.75), ERF), x);
    // erf(a) = 1 - exp(-g(a)), which is 1 from 3.92 on.
    let g = polynomial(clamp(a, 0.0, 4.0), MINUS_LN_ERFC);
    let (n, p) = split_exp(-g);
    let s = power_of_two(n);
    let large = 1.0 - p.mul_add(s, s);
    (if a < 1.17 { small } else { large }).copysign(x)
}

/// erf(x) / x - 1 as a polynomial in x^2 - 3/4, which rounds less than one in x^2, for |x| <= 1.18.
const ERF: [f32; 8] = [
    -0.100_108_8,
    -0.244_588_4,
    0.066_918_9,
    -0.015_131_306,
    0.002_847_049_6,
    -0.000_454_762_34,
    6.383_115e-5,
    -8.700_359e-6,
];

/// -ln(1 - erf(a)) for 1 <= a <= 4.
const MINUS_LN_ERFC: [f32; 7] = [
    0.000_353_719_52,
    1.127_04,
    0.638_225_7,
    0.103_037_42,
    -0.021_805_385,
    0.002_939_642_4,
    -0.000_185_580_5,
];
