//! The Box-Muller transform on blocks of 16: eight radii, eight angles, sixteen normals.
//!
//! r = √(−2 ln(1 − u)), t = 2πv; r·cos t and r·sin t. The logarithm, sine and cosine are S. Moshier's Cephes
//! polynomials in the fused form that PyTorch's AVX kernels evaluate: only these give its bits.

use crate::dispatch::multiversion;
use std::f32::consts::{FRAC_1_SQRT_2, TAU};

multiversion! {
    /// Replaces 16 uniforms of [0, 1) by 16 normals, in each block: PyTorch's `normal_` for f32.
    pub fn box_muller[](blocks: &mut [[f32; 16]], mean: f32, std: f32) {
        for v in blocks {
            for j in 0..8 {
                let r = (-2.0 * ln(1.0 - v[j])).sqrt();
                let (sin, cos) = sin_cos(TAU * v[j + 8]);
                v[j] = (r * cos).mul_add(std, mean);
                v[j + 8] = (r * sin).mul_add(std, mean);
            }
        }
    }
}

/// Natural logarithm of x > 0.
#[expect(clippy::excessive_precision, reason = "the constants as published")]
#[inline(always)]
fn ln(x: f32) -> f32 {
    let x = x.max(f32::MIN_POSITIVE);
    let mut e = ((x.to_bits() >> 23) as i32 - 126) as f32;
    let mut m = f32::from_bits((x.to_bits() & 0x007f_ffff) | 0x3f00_0000); // 0.5 <= m < 1
    if m < FRAC_1_SQRT_2 {
        e -= 1.0;
        m = (m - 1.0) + m;
    } else {
        m -= 1.0;
    }
    let z = m * m;
    let mut y = 7.0376836292E-2_f32;
    for k in [
        -1.1514610310E-1,
        1.1676998740E-1,
        -1.2420140846E-1,
        1.4249322787E-1,
        -1.6668057665E-1,
        2.0000714765E-1,
        -2.4999993993E-1,
        3.3333331174E-1,
    ] {
        y = y.mul_add(m, k);
    }
    y *= m;
    y = y.mul_add(z, e * -2.12194440E-4);
    y = (-z).mul_add(0.5, y);
    e.mul_add(0.693359375, m + y)
}

/// Sine and cosine of 0 <= x < 2π: reduction to an eighth of a turn in three steps, then one polynomial each.
#[expect(clippy::excessive_precision, reason = "the constants as published")]
#[inline(always)]
fn sin_cos(x: f32) -> (f32, f32) {
    let octant = ((x * 1.27323954473516) as i32 + 1) & !1;
    let y = octant as f32;
    let x = y.mul_add(-0.78515625, x);
    let x = y.mul_add(-2.4187564849853515625E-4, x);
    let x = y.mul_add(-3.77489497744594108E-8, x);
    let z = x * x;
    let cos = 2.443315711809948E-5_f32.mul_add(z, -1.388731625493765E-3).mul_add(z, 4.166664568298827E-2);
    let cos = (cos * z).mul_add(z, -(z * 0.5)) + 1.0;
    let sin = (-1.9515295891E-4_f32).mul_add(z, 8.3321608736E-3).mul_add(z, -1.6666654611E-1);
    let sin = (sin * z).mul_add(x, x);
    let (sin, cos) = if octant & 2 != 0 { (cos, sin) } else { (sin, cos) };
    (if octant & 4 != 0 { -sin } else { sin }, if (octant - 2) & 4 != 0 { cos } else { -cos })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_agree_with_the_math_library() {
        for i in (0..=100_000).step_by(if cfg!(miri) { 997 } else { 1 }) {
            let u = i as f32 / 100_001.0;
            let x = 1.0 - u;
            let want = f64::from(x).ln();
            assert!((f64::from(ln(x)) - want).abs() <= 1e-7 * (1.0 + want.abs()), "ln {x}");
            let t = TAU * u;
            let ((s, c), (want_s, want_c)) = (sin_cos(t), f64::from(t).sin_cos());
            assert!(
                (f64::from(s) - want_s).abs() < 2e-7 && (f64::from(c) - want_c).abs() < 2e-7,
                "angle {t}"
            );
        }
    }
}
