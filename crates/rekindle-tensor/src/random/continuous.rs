//! Continuous distributions: uniform, normal, log-normal, exponential, Cauchy.

use super::element::{Float, unit_f64};
use super::{Generator, Number};
use crate::op::require;
use std::slice;

/// From this length on, contiguous normals are made in blocks of 16.
const BLOCK: usize = 16;

impl Generator {
    /// Fills `x` with uniform values in [a, b): `torch.rand`, `Tensor.uniform_`.
    ///
    /// u·(b − a) + a with one rounding (a fused multiply-add), as PyTorch computes it on AVX2 machines.
    ///
    /// # Panics
    /// If `a > b`.
    #[track_caller]
    pub fn uniform<T: Float>(&mut self, x: &mut [T], a: f64, b: f64) {
        require!(a <= b, "uniform: the interval is empty: [{a}, {b}); is it [{b}, {a})?");
        T::uniform(self, x, a, b);
    }

    /// Fills `x`, all elements of a contiguous tensor, with normal values: `torch.randn`, `Tensor.normal_`.
    ///
    /// Below 16 values this is [`normal_serial`](Self::normal_serial); from 16 on, PyTorch's block method.
    ///
    /// ```
    /// use rekindle_tensor::random::Generator;
    ///
    /// let mut x = [0f32; 3];
    /// Generator::seeded(0).normal(&mut x, 0.0, 1.0);
    /// assert_eq!(x, [1.5409961, -0.2934289, -2.1787894]); // torch.manual_seed(0); torch.randn(3)
    /// ```
    ///
    /// # Panics
    /// If `std` is negative.
    #[track_caller]
    pub fn normal<T: Float>(&mut self, x: &mut [T], mean: f64, std: f64) {
        if x.len() < BLOCK {
            return self.normal_serial(x, mean, std);
        }
        check_std(std);
        self.uniform(x, 0.0, 1.0);
        let (blocks, tail) = x.as_chunks_mut::<BLOCK>();
        T::box_muller(blocks, mean, std);
        if !tail.is_empty() {
            // A short tail becomes a whole block: the last 16 values are drawn anew.
            let last = x.last_chunk_mut::<BLOCK>().expect("at least one block");
            self.uniform(last, 0.0, 1.0);
            T::box_muller(slice::from_mut(last), mean, std);
        }
    }

    /// Fills `x` with normal values one pair at a time in double precision; the second of a pair is kept for
    /// the next call. PyTorch does this for fewer than 16 values and for tensors that are not contiguous.
    ///
    /// # Panics
    /// If `std` is negative.
    #[track_caller]
    pub fn normal_serial<T: Float>(&mut self, x: &mut [T], mean: f64, std: f64) {
        check_std(std);
        for x in x {
            *x = T::from_f64(self.next_normal().mul_add(std, mean));
        }
    }

    /// Fills `x` with z·std\[i\] + mean\[i\]: `torch.normal(mean, std)` of tensors.
    ///
    /// # Panics
    /// If the lengths differ.
    #[track_caller]
    pub fn normal_each<T: Float>(&mut self, x: &mut [T], mean: &[T], std: &[T]) {
        let n = x.len();
        require!(
            mean.len() == n && std.len() == n,
            "normal: {n} values from {} means and {} deviations",
            mean.len(),
            std.len()
        );
        self.normal(x, 0.0, 1.0);
        for ((x, &mean), &std) in x.iter_mut().zip(mean).zip(std) {
            *x = *x * std + mean;
        }
    }

    /// Fills `x` with exp of normal values: `Tensor.log_normal_`.
    ///
    /// # Panics
    /// If `std` is negative.
    #[track_caller]
    pub fn log_normal<T: Float>(&mut self, x: &mut [T], mean: f64, std: f64) {
        check_std(std);
        for x in x {
            *x = T::from_f64(self.next_normal().mul_add(std, mean).exp());
        }
    }

    /// Fills `x` with exponential values of rate `lambda`: `Tensor.exponential_`.
    ///
    /// # Panics
    /// If `lambda` is not positive.
    #[track_caller]
    pub fn exponential<T: Number>(&mut self, x: &mut [T], lambda: f64) {
        require!(lambda > 0.0, "exponential: lambda must be positive, got {lambda}");
        let scale = -1.0 / lambda;
        self.map_u64(x, |word| T::from_f64(scale * (-unit_f64(word)).ln_1p()));
    }

    /// Fills `x` with Cauchy values: `Tensor.cauchy_`.
    ///
    /// # Panics
    /// If `sigma` is not positive.
    #[track_caller]
    pub fn cauchy<T: Number>(&mut self, x: &mut [T], median: f64, sigma: f64) {
        require!(sigma > 0.0, "cauchy: sigma must be positive, got {sigma}");
        self.map_u64(x, |word| {
            T::from_f64(median + sigma * (std::f64::consts::PI * (unit_f64(word) - 0.5)).tan())
        });
    }

    /// The next standard normal of the serial stream.
    fn next_normal(&mut self) -> f64 {
        if let Some(z) = self.cached_normal.take() {
            return z;
        }
        let u1 = unit_f64(self.next_u64());
        let u2 = unit_f64(self.next_u64());
        let r = (-2.0 * (-u2).ln_1p()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * u1).sin_cos();
        self.cached_normal = Some(r * sin);
        r * cos
    }
}

#[track_caller]
fn check_std(std: f64) {
    require!(std >= 0.0, "normal: std must not be negative, got {std}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(x: &[f32]) -> Vec<u32> {
        x.iter().map(|v| v.to_bits()).collect()
    }

    #[test]
    fn uniform_has_pytorchs_bits() {
        let mut x = [0f32; 5];
        Generator::seeded(0).uniform(&mut x, -1.0, 1.0);
        assert_eq!(bits(&x), [0xbbf55400, 0x3f09545e, 0xbf52b316, 0xbf3c6680, 0xbec532f4]);
        // This range needs the fused multiply-add.
        Generator::seeded(0).uniform(&mut x, -1.0 / 28.0, 1.0 / 28.0);
        assert_eq!(bits(&x), [0xb98c3000, 0x3c9cf2b5, 0xbcf0ccac, 0xbcd75093, 0xbc615ece]);
        let mut x = [0f64; 2];
        Generator::seeded(0).uniform(&mut x, 0.3, 0.71);
        assert_eq!(x.map(f64::to_bits), [0x3fe653bc85e7ac2d, 0x3fe2e2f7ff039e30]);
    }

    #[test]
    fn normal_blocks_have_pytorchs_bits_and_redraw_the_tail() {
        let mut x = [0f32; 16];
        Generator::seeded(0).normal(&mut x, 0.0, 1.0);
        assert_eq!(bits(&x[..4]), [0xbf901b85, 0xbf93808a, 0xbe804bd6, 0xbede255d]);
        let mut x = [0f32; 17];
        Generator::seeded(0).normal(&mut x, 0.0, 1.0);
        assert_eq!(bits(&x[..3]), [0xbf901b85, 0xbfd91446, 0x3f111004]);
        assert_eq!(x[16].to_bits(), 0x3f6e8c30);
    }

    #[test]
    fn serial_normals_share_a_cache_that_blocks_ignore() {
        let mut g = Generator::seeded(0);
        let (mut three, mut block, mut one) = ([0f32; 3], [0f32; 20], [0f32]);
        g.normal(&mut three, 0.0, 1.0);
        assert_eq!(bits(&three), [0x3fc53f5c, 0xbe963c50, 0xc00b7149]);
        g.normal(&mut block, 0.0, 1.0);
        g.normal(&mut one, 0.3, 0.7);
        // The fourth value of randn(4), scaled: the block in between left the cache alone.
        assert!((one[0] - (0.56843126 * 0.7 + 0.3)).abs() < 1e-7);
        g.manual_seed(0).normal(&mut one, 0.0, 1.0);
        assert_eq!(one[0].to_bits(), 0x3fc53f5c, "seeding clears the cache");
    }

    #[test]
    fn normal_each_scales_and_shifts_with_two_roundings() {
        let (mut z, mut x) = ([0f32; 20], [0f32; 20]);
        let mean: Vec<f32> = (0..20).map(|i| i as f32).collect();
        Generator::seeded(5).normal(&mut z, 0.0, 1.0);
        Generator::seeded(5).normal_each(&mut x, &mean, &[0.3; 20]);
        assert!((0..20).all(|i| x[i] == z[i] * 0.3f32 + mean[i]));
    }

    #[test]
    #[should_panic(expected = "uniform: the interval is empty: [1, 0); is it [0, 1)?")]
    fn reversed_interval_is_named() {
        Generator::new().uniform(&mut [0f32], 1.0, 0.0);
    }
}
