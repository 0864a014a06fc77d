//! The generator that PyTorch has for a CUDA GPU, beside the CPU's engine in a [`Generator`]: a key, and how far it has drawn.
//!
//! A kernel of PyTorch has S threads of which each draws four numbers at a time: thread t makes its call c with
//! Philox4x32-10 at the counter (offset/4 + c, t) (64 bits each) and the seed as the key, and a word w becomes
//! u = w·2⁻³² + 2⁻³³ of (0, 1], in f32. Which elements get a thread's four numbers is its [`CudaLayout`]. A draw of n elements
//! moves the offset on by 4·((n − 1)/(4S) + 1), on every GPU and for every layout.

use super::philox::{halves, philox4x32_10};
use super::{Generator, StateError};

/// Threads in a block of PyTorch's kernels that draw.
const BLOCK: usize = 256;

/// The most threads S that a draw has: those that the GPU holds at once, rounded down to blocks of 256 for each processor. Here
/// those of an A100, 108 processors with 2048 threads; which GPU the lectures had is not known.
///
/// It is the only thing about a GPU that masks depend on, and only large ones: up to 4S elements in fours, 2S in twos, S apart
/// get the same numbers on all GPUs with so many threads.
pub const CUDA_THREADS: usize = 108 * (2048 / BLOCK) * BLOCK;

/// Bytes of a saved CUDA state: `torch.cuda.get_rng_state()`.
const STATE_BYTES: usize = 16;

/// The seed and the offset of the CUDA generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CudaState {
    pub(super) seed: u64,
    offset: u64,
}

impl CudaState {
    /// The beginning of the stream of a seed, of which all 64 bits count.
    pub(super) fn seeded(seed: u64) -> Self {
        CudaState { seed, offset: 0 }
    }
}

/// Which elements get the four numbers of a thread's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CudaLayout {
    /// `rand`, `uniform_`, `bernoulli_(p)`, and dropout of an odd number of elements: call c of thread t gives the elements
    /// 4S·c + t, + S, + 2S, + 3S; so up to S elements each have a thread of their own.
    Apart,
    /// `F.dropout` of an even number: call c of thread t gives the so many neighbours (2 or 4) from (S·c + t)·width on.
    /// Of four numbers the last two are lost where the width is 2.
    Together(usize),
}

impl CudaLayout {
    /// That of `F.dropout` of `n` elements of f32 that lie densely in memory.
    ///
    /// ```
    /// use rekindle_tensor::random::CudaLayout;
    /// assert_eq!(CudaLayout::of_dropout(512), CudaLayout::Together(4));
    /// assert_eq!(CudaLayout::of_dropout(6), CudaLayout::Together(2));
    /// assert_eq!(CudaLayout::of_dropout(7), CudaLayout::Apart);
    /// ```
    pub fn of_dropout(n: usize) -> Self {
        match n {
            n if n.is_multiple_of(4) => CudaLayout::Together(4),
            n if n.is_multiple_of(2) => CudaLayout::Together(2),
            _ => CudaLayout::Apart,
        }
    }
}

/// Where a draw of the CUDA generator begins: all that a kernel must know beside its [`CudaLayout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CudaDraw {
    /// The key of Philox, its low word first.
    pub seed: u64,
    /// Four times the counter of every thread's first call.
    pub offset: u64,
    /// The number of threads, S.
    pub threads: usize,
}

impl CudaDraw {
    /// The four numbers of (0, 1] that a thread draws in its `call`-th call.
    ///
    /// ```
    /// use rekindle_tensor::random::Generator;
    /// let draw = Generator::seeded(0).cuda_draw(8);
    /// let [u, ..] = draw.uniform4(0, 0);
    /// assert_eq!(format!("{u:.4}"), "0.3990"); // torch.manual_seed(0); torch.rand(8, device="cuda")[0]
    /// ```
    #[inline]
    pub fn uniform4(&self, thread: usize, call: usize) -> [f32; 4] {
        let ((c0, c1), (c2, c3)) = (halves(self.offset / 4 + call as u64), halves(thread as u64));
        let (k0, k1) = halves(self.seed);
        philox4x32_10([c0, c1, c2, c3], [k0, k1]).map(CudaDraw::uniform)
    }

    /// The number of (0, 1] that a word is.
    #[inline]
    pub(crate) fn uniform(word: u32) -> f32 {
        const UNIT: f32 = 1.0 / (1u64 << 32) as f32;
        word as f32 * UNIT + UNIT / 2.0
    }

    /// Fills `x`, the elements of the draw in the order of memory, with what `f` makes of their numbers.
    ///
    /// ```
    /// use rekindle_tensor::random::{CudaLayout, Generator};
    /// let mut x = [0f32; 8];
    /// Generator::seeded(0).cuda_draw(8).fill(&mut x, CudaLayout::Apart, |u| (u * 1e4).round() / 1e4);
    /// // torch.manual_seed(0); torch.rand(8, device="cuda")
    /// assert_eq!(x, [0.3990, 0.5167, 0.0249, 0.9401, 0.9459, 0.7967, 0.4150, 0.8203]);
    /// ```
    pub fn fill<T>(&self, x: &mut [T], layout: CudaLayout, f: impl Fn(f32) -> T) {
        // A thread's i-th number in a call belongs to the element thread·step + i·apart of those that all threads get in it.
        let (numbers, step, apart) = match layout {
            CudaLayout::Apart => (4, 1, self.threads),
            CudaLayout::Together(width) => (width, width, 1),
        };
        for (call, x) in x.chunks_mut(numbers * self.threads).enumerate() {
            for thread in 0..self.threads.min(x.len().div_ceil(step)) {
                let u = self.uniform4(thread, call);
                for (i, &u) in u[..numbers].iter().enumerate() {
                    if let Some(x) = x.get_mut(thread * step + i * apart) {
                        *x = f(u);
                    }
                }
            }
        }
    }
}

impl Generator {
    /// Takes the numbers of `n` elements from the CUDA generator: gives where they begin, and moves on. The CPU's engine draws
    /// nothing. Without elements there is no draw.
    ///
    /// The threads are S = 256·min(⌈n/256⌉, [`CUDA_THREADS`]/256), and offset += 4·((n − 1)/(4S) + 1).
    ///
    /// ```
    /// use rekindle_tensor::random::Generator;
    /// let mut g = Generator::seeded(7);
    /// let (first, second) = (g.cuda_draw(1000), g.cuda_draw(10_000_000));
    /// assert_eq!((first.seed, first.offset, first.threads), (7, 0, 1024));
    /// assert_eq!((second.offset, second.threads), (4, 221_184));
    /// assert_eq!(g.cuda_draw(1).offset, 52);
    /// ```
    pub fn cuda_draw(&mut self, n: usize) -> CudaDraw {
        let CudaState { seed, offset } = self.cuda;
        let threads = n.div_ceil(BLOCK).max(1).saturating_mul(BLOCK).min(CUDA_THREADS);
        if n > 0 {
            self.cuda.offset += 4 * ((n - 1) / (4 * threads) + 1) as u64;
        }
        CudaDraw { seed, offset, threads }
    }

    /// The state of the CUDA generator as bytes, in PyTorch's layout (`torch.cuda.get_rng_state()`): the seed and the offset.
    ///
    /// ```
    /// # use rekindle_tensor::random::Generator;
    /// let mut g = Generator::seeded(5);
    /// g.cuda_draw(100);
    /// assert_eq!(g.cuda_state(), [5, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0]);
    /// ```
    pub fn cuda_state(&self) -> [u8; STATE_BYTES] {
        let CudaState { seed, offset } = self.cuda;
        let mut bytes = [0; STATE_BYTES];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..].copy_from_slice(&offset.to_le_bytes());
        bytes
    }

    /// Continues the CUDA generator from a state saved by [`cuda_state`](Self::cuda_state), here or in PyTorch. The CPU's engine
    /// stays where it is.
    ///
    /// ```
    /// # use rekindle_tensor::random::Generator;
    /// let (mut a, mut b) = (Generator::seeded(1), Generator::seeded(2));
    /// a.cuda_draw(100);
    /// b.set_cuda_state(&a.cuda_state()).unwrap();
    /// assert_eq!(a.cuda_draw(9), b.cuda_draw(9));
    /// ```
    ///
    /// # Errors
    /// If these are not 16 bytes, or the offset is none that PyTorch's kernels leave: negative or no multiple of four.
    pub fn set_cuda_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        let (&[seed, offset], []) = state.as_chunks::<8>() else {
            return Err(StateError::CudaLength(state.len()));
        };
        let offset = i64::from_le_bytes(offset);
        let valid = u64::try_from(offset).ok().filter(|offset| offset.is_multiple_of(4));
        let offset = valid.ok_or(StateError::CudaOffset(offset))?;
        self.cuda = CudaState { seed: u64::from_le_bytes(seed), offset };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rand(g: &mut Generator, n: usize) -> Vec<f32> {
        let mut x = vec![0.0; n];
        g.cuda_draw(n).fill(&mut x, CudaLayout::Apart, |u| u);
        x
    }

    #[test]
    fn a_second_draw_of_any_size_continues_as_in_pytorch() {
        for n in [4, 5, 1000] {
            let mut g = Generator::seeded(0);
            rand(&mut g, 8);
            let four: Vec<String> = rand(&mut g, n)[..4].iter().map(|u| format!("{u:.4}")).collect();
            assert_eq!(four, ["0.9722", "0.7910", "0.4690", "0.3300"], "{n}");
        }
    }

    /// The formulas as PyTorch's kernels have them, element by element.
    #[test]
    fn every_element_has_the_number_of_its_thread_and_call() {
        let draw = CudaDraw { seed: 3 << 40, offset: 8, threads: 6 };
        for n in [0, 1, 5, 6, 7, 23, 24, 25, 60] {
            for layout in [CudaLayout::Apart, CudaLayout::Together(2), CudaLayout::Together(4)] {
                let mut x = vec![0.0; n];
                draw.fill(&mut x, layout, |u| u);
                for (e, &x) in x.iter().enumerate() {
                    let (thread, call, i) = match layout {
                        CudaLayout::Apart => (e % 6, e / 24, e % 24 / 6),
                        CudaLayout::Together(width) => (e / width % 6, e / width / 6, e % width),
                    };
                    assert_eq!(x, draw.uniform4(thread, call)[i], "{layout:?}, {e} of {n}");
                }
            }
        }
    }

    #[test]
    fn numbers_lie_above_zero_and_reach_one() {
        let x = rand(&mut Generator::seeded(1), 100_000);
        assert!(x.iter().all(|&u| u > 0.0 && u <= 1.0));
        let mean = x.iter().map(|&u| f64::from(u)).sum::<f64>() / 1e5;
        assert!((mean - 0.5).abs() < 0.005, "{mean}");
    }

    #[test]
    fn a_seed_counts_with_all_its_bits_and_starts_both_generators() {
        let mut g = Generator::seeded(1u64 << 32);
        assert_ne!(rand(&mut g, 4), rand(&mut Generator::seeded(0), 4));
        assert!(g != Generator::seeded(1u64 << 32), "what was drawn tells generators apart");
        g.manual_seed(1u64 << 32);
        assert!(g == Generator::seeded(1u64 << 32));
    }

    #[test]
    fn the_two_states_are_saved_and_restored_apart() {
        let mut g = Generator::seeded(1);
        let (cpu, cuda) = (g.get_state(), g.cuda_state());
        g.cuda_draw(3);
        assert_eq!(g.get_state(), cpu);
        let drawn = g.cuda_state();
        g.next_u32();
        g.set_state(&cpu).unwrap();
        assert_eq!(g.cuda_state(), drawn);
        g.set_cuda_state(&cuda).unwrap();
        assert!(g == Generator::seeded(1));
    }

    #[test]
    fn impossible_states_are_refused() {
        let mut g = Generator::new();
        let says = |g: &mut Generator, state: &[u8]| g.set_cuda_state(state).unwrap_err().to_string();
        assert_eq!(says(&mut g, &[0; 8]), "set_cuda_state: expected 16 bytes, got 8");
        let state = [[0u8; 8], (-4i64).to_le_bytes()].concat();
        assert_eq!(says(&mut g, &state), "set_cuda_state: impossible offset -4; is this a CUDA state?");
        assert!(says(&mut g, &[1; 16]).contains("impossible offset"));
        assert!(g == Generator::new(), "a refused state changes nothing");
    }
}
