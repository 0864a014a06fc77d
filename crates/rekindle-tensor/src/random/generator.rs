//! The generator object: seeding, state, and the two loops every distribution is written with.

use super::cuda::CudaState;
use rekindle_kernels::mt19937::{Mt19937, N};
use std::hash::{BuildHasher, RandomState};

/// The seed of a generator that nobody seeded (PyTorch's `torch.Generator()`).
const DEFAULT_SEED: u64 = 67_280_421_310_721;

/// Bytes of a saved state: PyTorch's `get_rng_state()` layout.
const STATE_BYTES: usize = 5056;

/// Integers that can seed a generator. Negative seeds count from 2⁶⁴ downwards, as in PyTorch.
pub trait Seed: Copy {
    /// The seed as PyTorch stores it.
    fn to_u64(self) -> u64;
}

macro_rules! seeds {
    ($($int:ty),*) => {$(
        impl Seed for $int {
            fn to_u64(self) -> u64 {
                self as u64
            }
        }
    )*};
}
seeds!(i32, i64, u32, u64, usize);

/// A source of random numbers that gives PyTorch's CPU numbers bit for bit.
///
/// The engine is MT19937; the distributions are methods that fill slices in memory order. Two generators with
/// the same seed give the same numbers on every machine and for every number of threads. Beside it, and seeded with it, is the
/// place of PyTorch's CUDA generator, which [`cuda_draw`](Self::cuda_draw) moves on.
///
/// ```
/// use rekindle_tensor::random::Generator;
///
/// let mut g = Generator::seeded(0);
/// let mut x = [0f32; 3];
/// g.uniform(&mut x, 0.0, 1.0);
/// assert_eq!(x, [0.4962566, 0.7682218, 0.08847743]); // torch.manual_seed(0); torch.rand(3)
/// ```
#[derive(Clone, PartialEq)]
pub struct Generator {
    seed: u64,
    pub(super) engine: Mt19937,
    /// The second value of the last serial normal pair, standardised.
    pub(super) cached_normal: Option<f64>,
    pub(super) cuda: CudaState,
}

impl Default for Generator {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Generator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generator").field("seed", &self.seed).finish_non_exhaustive()
    }
}

impl Generator {
    /// A generator with PyTorch's default seed, 67280421310721.
    ///
    /// ```
    /// # use rekindle_tensor::random::Generator;
    /// assert_eq!(Generator::new().initial_seed(), 67280421310721);
    /// ```
    pub fn new() -> Self {
        Self::seeded(DEFAULT_SEED)
    }

    /// A generator seeded with `seed`: `torch.Generator().manual_seed(seed)`.
    ///
    /// ```
    /// # use rekindle_tensor::random::Generator;
    /// assert_eq!(Generator::seeded(0).next_u32(), 2357136044);
    /// ```
    pub fn seeded(seed: impl Seed) -> Self {
        let seed = seed.to_u64();
        // Only the low word seeds the engine; PyTorch merely remembers the high one.
        let cuda = CudaState::seeded(seed);
        Self { seed, engine: Mt19937::new(seed as u32), cached_normal: None, cuda }
    }

    /// Starts the stream of `seed` from its beginning.
    ///
    /// ```
    /// # use rekindle_tensor::random::Generator;
    /// let mut g = Generator::seeded(0);
    /// g.next_u32();
    /// g.manual_seed(0);
    /// assert!(g == Generator::seeded(0));
    /// ```
    pub fn manual_seed(&mut self, seed: impl Seed) -> &mut Self {
        *self = Self::seeded(seed);
        self
    }

    /// The seed that the stream started from.
    ///
    /// ```
    /// # use rekindle_tensor::random::Generator;
    /// assert_eq!(Generator::seeded(5).initial_seed(), 5);
    /// ```
    pub fn initial_seed(&self) -> u64 {
        self.seed
    }

    /// Seeds the generator with a number that nobody can foresee, and returns it (53 bits, as PyTorch's).
    pub fn seed(&mut self) -> u64 {
        // The standard library keys its hash maps from the operating system's entropy.
        let seed = RandomState::new().hash_one(std::time::SystemTime::now()) >> 11;
        self.manual_seed(seed);
        seed
    }

    /// The state of the CPU generator as bytes, in PyTorch's layout (`torch.get_rng_state()`).
    ///
    /// ```
    /// use rekindle_tensor::random::Generator;
    ///
    /// let mut g = Generator::seeded(1);
    /// let saved = g.get_state();
    /// let first = g.randperm(10);
    /// g.set_state(&saved).unwrap();
    /// assert_eq!(g.randperm(10), first);
    /// ```
    pub fn get_state(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(STATE_BYTES);
        bytes.extend(self.seed.to_le_bytes());
        bytes.extend((self.engine.left() as i32).to_le_bytes());
        bytes.extend(1i32.to_le_bytes());
        bytes.extend((self.engine.next() as u64).to_le_bytes());
        bytes.extend(self.engine.state().iter().flat_map(|&word| u64::from(word).to_le_bytes()));
        bytes.extend(0f64.to_le_bytes());
        bytes.extend(self.cached_normal.unwrap_or(0.0).to_le_bytes());
        bytes.extend(0f64.to_le_bytes());
        bytes.extend(i32::from(self.cached_normal.is_some()).to_le_bytes());
        bytes.resize(STATE_BYTES, 0);
        bytes
    }

    /// Continues from a state saved by [`get_state`](Self::get_state), here or in PyTorch on the CPU. The CUDA generator stays
    /// where it is.
    ///
    /// ```
    /// # use rekindle_tensor::random::Generator;
    /// let (mut a, mut b) = (Generator::seeded(1), Generator::seeded(2));
    /// b.set_state(&a.get_state()).unwrap();
    /// assert_eq!(a.next_u64(), b.next_u64());
    /// ```
    pub fn set_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        if state.len() != STATE_BYTES {
            return Err(StateError::Length(state.len()));
        }
        let u64_at = |at: usize| u64::from_le_bytes(state[at..at + 8].try_into().expect("eight bytes"));
        let i32_at = |at: usize| i32::from_le_bytes(state[at..at + 4].try_into().expect("four bytes"));
        let (left, next) = (i32_at(8), u64_at(16));
        let words = std::array::from_fn(|i| u64_at(24 + 8 * i) as u32);
        let engine = Mt19937::from_parts(words, next as usize, left as usize);
        let engine = engine.filter(|_| i32_at(12) == 1).ok_or(StateError::Position { left, next })?;
        let after = 24 + 8 * N;
        let cached = f64::from_bits(u64_at(after + 8));
        let cached_normal = (i32_at(after + 24) != 0).then_some(cached);
        *self = Self { seed: u64_at(0), engine, cached_normal, cuda: self.cuda };
        Ok(())
    }

    /// The next raw 32-bit word.
    ///
    /// ```
    /// # use rekindle_tensor::random::Generator;
    /// let mut g = Generator::seeded(0);
    /// assert_eq!((g.next_u32(), g.next_u32()), (2357136044, 2546248239));
    /// ```
    #[inline]
    pub fn next_u32(&mut self) -> u32 {
        self.engine.next_u32()
    }

    /// The next raw 64-bit word: two draws, the first is the high half.
    ///
    /// ```
    /// # use rekindle_tensor::random::Generator;
    /// assert_eq!(Generator::seeded(0).next_u64(), (2357136044 << 32) | 2546248239);
    /// ```
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.engine.next_u64()
    }

    /// Fills `x` in order, one 32-bit word per value.
    pub(super) fn map_u32<T>(&mut self, x: &mut [T], mut f: impl FnMut(u32) -> T) {
        let mut words = [0; N];
        for run in x.chunks_mut(N) {
            let words = &mut words[..run.len()];
            self.engine.fill_u32(words);
            for (x, &word) in run.iter_mut().zip(&*words) {
                *x = f(word);
            }
        }
    }

    /// Fills `x` in order, one 64-bit word per value.
    pub(super) fn map_u64<T>(&mut self, x: &mut [T], mut f: impl FnMut(u64) -> T) {
        let mut words = [0; N];
        for run in x.chunks_mut(N) {
            let words = &mut words[..run.len()];
            self.engine.fill_u64(words);
            for (x, &word) in run.iter_mut().zip(&*words) {
                *x = f(word);
            }
        }
    }
}

/// Why bytes are not a generator state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateError {
    /// The number of bytes is not 5056.
    Length(usize),
    /// The position inside the block of words is impossible.
    Position {
        /// Words left in the block, plus one.
        left: i32,
        /// Index of the next word.
        next: u64,
    },
    /// The number of bytes of a CUDA state is not 16.
    CudaLength(usize),
    /// No kernel leaves the CUDA generator at this offset.
    CudaOffset(i64),
}

impl std::fmt::Display for StateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Length(n) => write!(f, "set_state: expected {STATE_BYTES} bytes, got {n}"),
            Self::Position { left, next } => {
                write!(f, "set_state: impossible position (left {left}, next {next}); is this a CPU state?")
            }
            Self::CudaLength(n) => write!(f, "set_cuda_state: expected 16 bytes, got {n}"),
            Self::CudaOffset(offset) => {
                write!(f, "set_cuda_state: impossible offset {offset}; is this a CUDA state?")
            }
        }
    }
}

impl std::error::Error for StateError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_bytes_follow_pytorchs_layout() {
        let mut g = Generator::seeded(43052);
        let fresh = g.get_state();
        assert_eq!(fresh.len(), STATE_BYTES);
        assert_eq!(fresh[..24], [44, 168, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        g.normal(&mut [0f32], 0.0, 1.0);
        g.uniform(&mut [0f32; 7], 0.0, 1.0);
        let state = g.get_state();
        // 11 words drawn: left = 614, next = 11.
        assert_eq!(state[8..24], [102, 2, 0, 0, 1, 0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(state[5040], 1, "the cached normal is marked valid");
    }

    #[test]
    fn restored_generator_continues_the_stream() {
        for words in [0, 1, 100, 623, 624, 625] {
            let mut g = Generator::seeded(3);
            g.normal(&mut [0f32], 0.0, 1.0);
            (0..words).for_each(|_| _ = g.next_u32());
            let mut copy = Generator::new();
            copy.set_state(&g.get_state()).unwrap();
            copy.set_cuda_state(&g.cuda_state()).unwrap();
            assert!(copy == g, "after {words} words");
            let (mut a, mut b) = ([0f32; 9], [0f32; 9]);
            g.normal(&mut a, 0.0, 1.0);
            copy.normal(&mut b, 0.0, 1.0);
            assert_eq!(a, b);
        }
    }

    #[test]
    fn impossible_states_are_refused() {
        let mut g = Generator::new();
        assert_eq!(g.set_state(&[0; 7]), Err(StateError::Length(7)));
        assert_eq!(g.set_state(&[0; STATE_BYTES]), Err(StateError::Position { left: 0, next: 0 }));
        assert!(g == Generator::new(), "a refused state changes nothing");
    }

    #[test]
    fn only_the_low_word_of_the_seed_counts() {
        let first = |seed: u64| Generator::seeded(seed).next_u32();
        assert_eq!(first(1 << 32), first(0));
        assert_eq!(Generator::seeded(-1).initial_seed(), u64::MAX);
        assert_eq!(Generator::seeded(-1).next_u32(), first(0xffff_ffff));
    }

    #[test]
    fn unforeseen_seeds_differ() {
        let mut g = Generator::new();
        let seeds = [g.seed(), g.seed()];
        assert_ne!(seeds[0], seeds[1]);
        assert_eq!(g.initial_seed(), seeds[1]);
    }
}
