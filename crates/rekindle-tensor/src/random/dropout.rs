//! Dropout noise: which elements are kept, and by how much the kept ones grow.
//!
//! y = x·noise, noise = 0 with probability p, else 1/(1 − p); the backward pass is dx = dy·noise. Feature
//! dropout (`Dropout1d`, `Dropout2d`) draws one noise value per \[sample, channel\] and broadcasts it.

use super::discrete::check_probability;
use super::{CudaLayout, Float, Generator, Number};
use std::cell::Cell;
use std::sync::atomic::{AtomicU8, Ordering};

/// Which of PyTorch's dropout streams to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DropoutStream {
    /// One uniform f64 per element from the generator: PyTorch 2.15, and every version on ARM.
    #[default]
    Current,
    /// One word from the generator seeds a multiplicative congruential stream: PyTorch about 1.0 to 2.5 on
    /// Intel processors with MKL. Old notebooks and books print these masks.
    IntelMkl,
    /// The CUDA generator's numbers ([`Generator::cuda_draw`]): what PyTorch draws for a tensor on a GPU. Nothing is drawn from
    /// the CPU's generator. An element is kept if its number is below 1 − p, rounded to f32.
    ///
    /// What a lecture printed of a GPU was reproduced with dropout of f32 in fours. The other layouts, the masks of channels and
    /// of alpha dropout follow PyTorch's source, but there was no print to hold them against; views with gaps (which
    /// PyTorch draws one by one) and the layouts of f64 are not modelled. The gradient grows by 1/(1 − p) with 1 − p
    /// rounded to f32, as the output does; on a GPU PyTorch rounds the quotient only there, which is another number for some p (0.15).
    Cuda,
}

static STREAM: AtomicU8 = AtomicU8::new(DropoutStream::Current as u8);

thread_local! {
    static LOCAL: Cell<Option<DropoutStream>> = const { Cell::new(None) };
}

/// Chooses the stream that dropout layers draw from, for the whole program.
pub fn set_dropout_stream(stream: DropoutStream) {
    STREAM.store(stream as u8, Ordering::Relaxed);
}

/// Runs `f` with `stream` as the one that dropout layers draw from on this thread. Other threads are unaffected.
///
/// ```
/// use rekindle_tensor::random::dropout::{DropoutStream, dropout_stream, with_dropout_stream};
/// assert_eq!(with_dropout_stream(DropoutStream::Cuda, dropout_stream), DropoutStream::Cuda);
/// assert_eq!(dropout_stream(), DropoutStream::Current);
/// ```
pub fn with_dropout_stream<R>(stream: DropoutStream, f: impl FnOnce() -> R) -> R {
    /// Puts the choice of before back, also when `f` panics.
    struct Restore(Option<DropoutStream>);
    impl Drop for Restore {
        fn drop(&mut self) {
            LOCAL.set(self.0);
        }
    }
    let _restore = Restore(LOCAL.replace(Some(stream)));
    f()
}

/// The stream that dropout layers draw from.
///
/// ```
/// # use rekindle_tensor::random::dropout::{dropout_stream, DropoutStream};
/// assert_eq!(dropout_stream(), DropoutStream::default());
/// ```
pub fn dropout_stream() -> DropoutStream {
    LOCAL.get().unwrap_or_else(|| match STREAM.load(Ordering::Relaxed) {
        stream if stream == DropoutStream::IntelMkl as u8 => DropoutStream::IntelMkl,
        stream if stream == DropoutStream::Cuda as u8 => DropoutStream::Cuda,
        _ => DropoutStream::Current,
    })
}

/// The multiplier and modulus of Intel's MCG31m1 generator (P. L'Ecuyer, Math. Comp. 68, 1999).
const MCG_FACTOR: u64 = 1_132_489_760;
const MCG_MODULUS: u64 = (1 << 31) - 1;

/// What a kept element is multiplied by in alpha dropout, how far a dropped one is lowered, and what both are raised by.
pub(crate) fn alpha_factors(p: f64) -> [f64; 3] {
    const ALPHA: f64 = 1.7580993408473766; // SELU's scale times its alpha
    if p == 1.0 {
        return [0.0; 3];
    }
    let a = 1.0 / ((ALPHA * ALPHA * p + 1.0) * (1.0 - p)).sqrt();
    [a, ALPHA * a, ALPHA * a * p]
}

impl Generator {
    /// Fills `noise` with 0 (probability `p`) or 1/(1 − p): the factor of `F.dropout(x, p)`.
    ///
    /// Nothing is drawn when `p` is 0 (all ones) or 1 (all zeros).
    ///
    /// ```
    /// use rekindle_tensor::random::{Generator, dropout::DropoutStream};
    ///
    /// let mut noise = [0f32; 6];
    /// Generator::seeded(123).dropout(&mut noise, 0.5, DropoutStream::Current);
    /// assert_eq!(noise, [2.0, 2.0, 0.0, 2.0, 2.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If `p` is not in [0, 1].
    #[track_caller]
    pub fn dropout<T: Float>(&mut self, noise: &mut [T], p: f64, stream: DropoutStream) {
        check_probability("dropout", p);
        let one = T::from_i64(1);
        match p {
            0.0 => noise.fill(one),
            1.0 => noise.fill(T::from_i64(0)),
            _ => self.keep(
                noise,
                1.0 - p,
                one / T::from_f64(1.0 - p),
                stream,
                CudaLayout::of_dropout(noise.len()),
            ),
        }
    }

    /// Fills `mask` with which elements [`dropout`](Generator::dropout) keeps; the draws are the same.
    ///
    /// # Panics
    /// If `p` is not in [0, 1].
    #[track_caller]
    pub fn dropout_mask(&mut self, mask: &mut [bool], p: f64, stream: DropoutStream) {
        check_probability("dropout", p);
        match p {
            0.0 => mask.fill(true),
            1.0 => mask.fill(false),
            _ => self.keep(mask, 1.0 - p, true, stream, CudaLayout::of_dropout(mask.len())),
        }
    }

    /// Fills `mask` with which channels feature dropout keeps. On a CPU these are the draws of
    /// [`dropout_mask`](Generator::dropout_mask); on a GPU PyTorch fuses dropout of elements only, and draws this one by `bernoulli_`.
    ///
    /// ```
    /// use rekindle_tensor::random::{Generator, dropout::DropoutStream};
    /// let mut mask = [false; 5];
    /// Generator::seeded(0).feature_dropout_mask(&mut mask, 0.5, DropoutStream::Cuda);
    /// // torch.manual_seed(0); torch.rand(5, device="cuda") < 0.5
    /// assert_eq!(mask, [true, false, true, false, false]);
    /// ```
    ///
    /// # Panics
    /// If `p` is not in [0, 1].
    #[track_caller]
    pub fn feature_dropout_mask(&mut self, mask: &mut [bool], p: f64, stream: DropoutStream) {
        check_probability("feature_dropout", p);
        match p {
            0.0 => mask.fill(true),
            1.0 => mask.fill(false),
            _ => self.keep(mask, 1.0 - p, true, stream, CudaLayout::Apart),
        }
    }

    /// The two factors of `F.alpha_dropout(x, p)`: y = x·scale\[i\] + shift\[i\], dx = dy·scale\[i\].
    ///
    /// Dropped values become SELU's negative limit, and both are rescaled so that mean and variance stay.
    /// Source: G. Klambauer et al., "Self-Normalizing Neural Networks", NIPS 2017.
    ///
    /// # Panics
    /// If `p` is not in [0, 1], or the lengths differ.
    #[track_caller]
    pub fn alpha_dropout<T: Float>(
        &mut self,
        scale: &mut [T],
        shift: &mut [T],
        p: f64,
        stream: DropoutStream,
    ) {
        check_probability("alpha_dropout", p);
        assert!(scale.len() == shift.len(), "alpha_dropout: {} and {} factors", scale.len(), shift.len());
        let (zero, one) = (T::from_i64(0), T::from_i64(1));
        match p {
            0.0 => scale.fill(one),
            1.0 => scale.fill(zero),
            _ => self.keep(scale, 1.0 - p, one, stream, CudaLayout::Apart),
        }
        if p == 0.0 || p == 1.0 {
            return shift.fill(zero);
        }
        let [gain, dropped, offset] = alpha_factors(p).map(T::from_f64);
        let minus_one = T::from_i64(-1);
        for (scale, shift) in scale.iter_mut().zip(shift) {
            *shift = (*scale + minus_one) * dropped + offset;
            *scale = *scale * gain;
        }
    }

    /// Writes `value` with probability `q`, else zero.
    fn keep<T: Number>(
        &mut self,
        noise: &mut [T],
        q: f64,
        value: T,
        stream: DropoutStream,
        layout: CudaLayout,
    ) {
        let zero = T::from_i64(0);
        match stream {
            _ if noise.is_empty() => {}
            DropoutStream::Current => self.engine.fill_bernoulli(q, value, zero, noise),
            DropoutStream::IntelMkl => {
                let mut x = (u64::from(self.next_u32()) % MCG_MODULUS).max(1);
                for noise in noise {
                    *noise = if (x as f64 / MCG_MODULUS as f64) < q { value } else { zero };
                    x = x * MCG_FACTOR % MCG_MODULUS;
                }
            }
            DropoutStream::Cuda => {
                let q = q as f32;
                let draw = self.cuda_draw(noise.len());
                draw.fill(noise, layout, |u| if u < q { value } else { zero });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(p: f64, stream: DropoutStream) -> String {
        let mut noise = [0f32; 36];
        Generator::seeded(123).dropout(&mut noise, p, stream);
        noise.map(|v| if v == 0.0 { '0' } else { '1' }).iter().collect()
    }

    #[test]
    fn both_streams_give_the_published_masks() {
        assert_eq!(kept(0.5, DropoutStream::Current), "110110000101111101011001010101011110");
        assert_eq!(kept(0.5, DropoutStream::IntelMkl), "111111010000001010110001100001010000");
    }

    #[test]
    fn the_cuda_stream_keeps_what_lies_below_in_the_layout_of_the_kernel() {
        for n in [8, 6, 7] {
            let (mut noise, mut u) = (vec![0f32; n], vec![0f32; n]);
            Generator::seeded(123).dropout(&mut noise, 0.3, DropoutStream::Cuda);
            Generator::seeded(123).cuda_draw(n).fill(&mut u, CudaLayout::of_dropout(n), |u| u);
            let kept: Vec<f32> = u.iter().map(|&u| if u < 0.7 { 1.0f32 / 0.7 } else { 0.0 }).collect();
            assert_eq!(noise, kept, "{n}");
        }
    }

    #[test]
    fn the_cuda_stream_draws_channels_and_alpha_dropout_one_by_one() {
        let mut kept = [false; 8];
        let mut u = [0f32; 8];
        Generator::seeded(5).cuda_draw(8).fill(&mut u, CudaLayout::Apart, |u| u);
        Generator::seeded(5).feature_dropout_mask(&mut kept, 0.5, DropoutStream::Cuda);
        assert_eq!(kept, u.map(|u| u < 0.5));
        let (mut scale, mut shift) = ([0f32; 8], [0f32; 8]);
        Generator::seeded(5).alpha_dropout(&mut scale, &mut shift, 0.5, DropoutStream::Cuda);
        assert_eq!(kept, scale.map(|scale| scale > 0.0));
    }

    #[test]
    fn the_cuda_stream_takes_nothing_from_the_cpus_generator() {
        let mut g = Generator::seeded(3);
        g.dropout_mask(&mut [false; 100], 0.5, DropoutStream::Cuda);
        assert_eq!(g.get_state(), Generator::seeded(3).get_state());
        assert!(g != Generator::seeded(3));
    }

    #[test]
    fn a_scoped_stream_ends_with_its_closure_also_by_a_panic() {
        let inner = with_dropout_stream(DropoutStream::Cuda, || {
            let inner = with_dropout_stream(DropoutStream::IntelMkl, dropout_stream);
            _ = std::panic::catch_unwind(|| {
                with_dropout_stream(DropoutStream::IntelMkl, || panic!("inside"))
            });
            [inner, dropout_stream()]
        });
        assert_eq!(inner, [DropoutStream::IntelMkl, DropoutStream::Cuda]);
        assert_eq!(dropout_stream(), DropoutStream::Current);
    }

    #[test]
    fn kept_values_are_divided_in_the_types_precision() {
        let mut noise = [0f32; 64];
        Generator::seeded(0).dropout(&mut noise, 0.3, DropoutStream::Current);
        assert!(noise.iter().all(|&v| v == 0.0 || v == 1.0f32 / 0.7f32));
        assert!(noise.contains(&0.0));
    }

    #[test]
    fn certain_outcomes_draw_nothing() {
        let mut g = Generator::seeded(0);
        let mut noise = [5f32; 3];
        g.dropout(&mut noise, 0.0, DropoutStream::Current);
        assert_eq!(noise, [1.0; 3]);
        g.dropout(&mut noise, 1.0, DropoutStream::IntelMkl);
        g.dropout(&mut noise, 1.0, DropoutStream::Cuda);
        assert_eq!(noise, [0.0; 3]);
        g.dropout::<f32>(&mut [], 0.5, DropoutStream::Cuda);
        g.dropout::<f32>(&mut [], 0.5, DropoutStream::IntelMkl);
        assert!(g == Generator::seeded(0));
    }

    #[test]
    fn alpha_dropout_keeps_mean_and_variance() {
        let n = 200_000;
        let (mut scale, mut shift, mut x) = (vec![0f64; n], vec![0f64; n], vec![0f64; n]);
        let mut g = Generator::seeded(0);
        g.normal(&mut x, 0.0, 1.0);
        g.alpha_dropout(&mut scale, &mut shift, 0.2, DropoutStream::Current);
        let y: Vec<f64> = (0..n).map(|i| x[i] * scale[i] + shift[i]).collect();
        let mean = y.iter().sum::<f64>() / n as f64;
        let variance = y.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.01, "{mean} {variance}");
    }

    #[test]
    #[should_panic(expected = "dropout: a probability must lie in [0, 1], got 50")]
    fn percentages_are_refused() {
        Generator::new().dropout(&mut [0f32], 50.0, DropoutStream::Current);
    }
}
