//! The Mersenne Twister MT19937, the stream behind PyTorch's CPU generator and NumPy's `RandomState`.
//!
//! A block of 624 words is twisted at once and tempered when words are taken, both in loops that vectorise; the
//! bulk functions read whole blocks and take exactly the words that single draws would take.
//!
//! Source: M. Matsumoto and T. Nishimura, "Mersenne Twister", ACM TOMACS 8 (1998); seeding of their 2002 program.

use crate::dispatch::multiversion;

/// Words in the state.
pub const N: usize = 624;
const M: usize = 397;

/// State of the generator: 624 words, on a border of cache lines for the sake of vectors, and the position in the block.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Mt19937 {
    state: [u32; N],
    next: usize,
    left: usize,
}

impl Mt19937 {
    /// The generator seeded with one word.
    ///
    /// ```
    /// // The first word of the reference program's default seed.
    /// assert_eq!(rekindle_kernels::mt19937::Mt19937::new(5489).next_u32(), 3499211612);
    /// ```
    pub fn new(seed: u32) -> Self {
        let mut state = [seed; N];
        for j in 1..N {
            let last = state[j - 1];
            state[j] = (last ^ (last >> 30)).wrapping_mul(1_812_433_253).wrapping_add(j as u32);
        }
        Mt19937 { state, next: 0, left: 1 }
    }

    /// The generator seeded with several words (`init_by_array`), as NumPy does for a list.
    ///
    /// # Panics
    /// If `key` is empty.
    #[track_caller]
    pub fn from_key(key: &[u32]) -> Self {
        assert!(!key.is_empty(), "mt19937: the key has no words");
        let mut rng = Self::new(19_650_218);
        let mut i = 1;
        for (j, &word) in key.iter().enumerate().cycle().take(N.max(key.len())) {
            let added = word.wrapping_add(j as u32);
            i = rng.stir(i, 1_664_525, added);
        }
        for _ in 1..N {
            let subtracted = (i as u32).wrapping_neg();
            i = rng.stir(i, 1_566_083_941, subtracted);
        }
        rng.state[0] = 0x8000_0000;
        rng
    }

    /// One step of `init_by_array` at word `i`; returns the next `i`.
    fn stir(&mut self, i: usize, factor: u32, added: u32) -> usize {
        let s = &mut self.state;
        s[i] = (s[i] ^ (s[i - 1] ^ (s[i - 1] >> 30)).wrapping_mul(factor)).wrapping_add(added);
        if i + 1 < N {
            return i + 1;
        }
        s[0] = s[N - 1];
        1
    }

    /// A generator in the middle of its stream: the words, the index of the next one, and one more than the number
    /// of words left in the block, as PyTorch stores them. `None` for a position that no generator can have.
    pub fn from_parts(state: [u32; N], next: usize, left: usize) -> Option<Self> {
        let fresh = (next, left) == (0, 1);
        (fresh || ((1..=N).contains(&next) && left == N + 1 - next)).then_some(Mt19937 { state, next, left })
    }

    /// The words of the current block, before tempering.
    pub fn state(&self) -> &[u32; N] {
        &self.state
    }

    /// Index of the next word in the block: 0 right after seeding, else the number of words taken from the block.
    pub fn next(&self) -> usize {
        self.next
    }

    /// One more than the number of words left in the block; at 1 the next draw twists.
    pub fn left(&self) -> usize {
        self.left
    }

    /// The next 32 bits.
    #[inline]
    pub fn next_u32(&mut self) -> u32 {
        temper(self.take(1)[0])
    }

    /// The next 64 bits: two words, the first one high.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let high = self.next_u32();
        u64::from(high) << 32 | u64::from(self.next_u32())
    }

    /// The next words, as many as `out` has.
    pub fn fill_u32(&mut self, out: &mut [u32]) {
        self.fill_from_words(out, temper_all);
    }

    /// As many words as `out` has 64-bit numbers, twice: each [`Mt19937::next_u64`].
    pub fn fill_u64(&mut self, out: &mut [u64]) {
        self.fill_from_pairs(out, u64_all);
    }

    /// Uniform numbers in [low, high), one word each: 24 bits times 2^-24, scaled with one rounding; `low` where that
    /// gives `high`. PyTorch's `uniform_` for f32.
    pub fn fill_uniform_f32(&mut self, low: f32, high: f32, out: &mut [f32]) {
        self.fill_from_words(out, |words, out| uniform_f32_all(words, low, high, out));
    }

    /// Uniform numbers in [low, high), two words each: 53 bits times 2^-53, scaled with one rounding; `low` where that
    /// gives `high`. PyTorch's `uniform_` for f64.
    pub fn fill_uniform_f64(&mut self, low: f64, high: f64, out: &mut [f64]) {
        self.fill_from_pairs(out, |words, out| uniform_f64_all(words, low, high, out));
    }

    /// `yes` with probability `p`, else `no`, two words each: `yes` where a uniform f64 in [0, 1) is less than `p`.
    /// PyTorch's `bernoulli_`, and with `p` = 1 - rate the noise of its dropout.
    ///
    /// ```
    /// let mut noise = [0.0f32; 1000];
    /// rekindle_kernels::mt19937::Mt19937::new(0).fill_bernoulli(0.75, 1.0, 0.0, &mut noise);
    /// assert!((noise.iter().sum::<f32>() - 750.0).abs() < 60.0);
    /// ```
    pub fn fill_bernoulli<T: Copy>(&mut self, p: f64, yes: T, no: T, out: &mut [T]) {
        // k * 2^-53 < p for an integer k exactly if k < ceil(p * 2^53), and scaling by 2^53 is exact.
        let below = (p * (1u64 << 53) as f64).ceil() as u64;
        self.fill_from_pairs(out, |words, out| bernoulli_all(words, below, yes, no, out));
    }

    /// Fills `out` with one word per element; `f` converts a run of raw words of the block.
    fn fill_from_words<T>(&mut self, mut out: &mut [T], f: impl Fn(&[u32], &mut [T])) {
        while !out.is_empty() {
            let words = self.take(out.len());
            let (now, later) = out.split_at_mut(words.len());
            f(words, now);
            out = later;
        }
    }

    /// Fills `out` with two words per element; `f` converts a run of raw words, an even number of them.
    fn fill_from_pairs<T>(&mut self, mut out: &mut [T], f: impl Fn(&[u32], &mut [T])) {
        while !out.is_empty() {
            // One word left: this pair straddles two blocks.
            if self.left == 2 {
                let pair = [self.take(1)[0], self.take(1)[0]];
                let (now, later) = out.split_at_mut(1);
                f(&pair, now);
                out = later;
                continue;
            }
            let in_block = if self.left == 1 { N / 2 } else { (self.left - 1) / 2 };
            let (now, later) = out.split_at_mut(in_block.min(out.len()));
            f(self.take(2 * now.len()), now);
            out = later;
        }
    }

    /// The next raw words, at least 1 and at most `n` and the rest of the block; twists first if none is left.
    #[inline]
    fn take(&mut self, n: usize) -> &[u32] {
        if self.left == 1 {
            twist(&mut self.state);
            (self.next, self.left) = (0, N + 1);
        }
        let n = n.min(self.left - 1);
        self.next += n;
        self.left -= n;
        &self.state[self.next - n..self.next]
    }
}

#[inline(always)]
fn temper(mut y: u32) -> u32 {
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c_5680;
    y ^= (y << 15) & 0xefc6_0000;
    y ^ (y >> 18)
}

/// The new word from the old one, its neighbour and the word 397 places on.
#[inline(always)]
fn twisted(old: u32, neighbour: u32, far: u32) -> u32 {
    let y = (old & 0x8000_0000) | (neighbour & 0x7fff_ffff);
    far ^ (y >> 1) ^ ((y & 1).wrapping_neg() & 0x9908_b0df)
}

/// Words twisted at a time; it divides [`N`].
const STEP: usize = 16;

/// Twists all but the last of `words`, [`STEP`] at a time.
#[inline(always)]
fn twist_run(words: &mut [u32], far: &[u32]) {
    for (i, far) in far.chunks_exact(STEP).enumerate() {
        let words = &mut words[i * STEP..(i + 1) * STEP + 1];
        for l in 0..STEP {
            words[l] = twisted(words[l], words[l + 1], far[l]);
        }
    }
}

multiversion! {
    fn twist[](state: &mut [u32; N]) {
        // The far words lie 397 ahead of a word or, which is the same, 227 behind it. The block is cut so that each run
        // reads them from where it does not write; the runs at the two wraps work on copies.
        const WRAP: usize = (N - M) / STEP * STEP; // 224
        let (words, far) = state.split_at_mut(M);
        twist_run(&mut words[..=WRAP], &far[..WRAP]);

        let mut far = [0; STEP];
        far[..N - M - WRAP].copy_from_slice(&state[WRAP + M..]);
        far[N - M - WRAP..].copy_from_slice(&state[..WRAP + STEP + M - N]);
        twist_run(&mut state[WRAP..=WRAP + STEP], &far);

        for (start, end) in [(WRAP + STEP, 2 * WRAP + STEP), (2 * WRAP + STEP, N - STEP)] {
            let (far, words) = state.split_at_mut(start);
            twist_run(&mut words[..=end - start], &far[start + M - N..end + M - N]);
        }

        let mut last = [state[0]; STEP + 1];
        last[..STEP].copy_from_slice(&state[N - STEP..]);
        twist_run(&mut last, &state[M - STEP..M]);
        state[N - STEP..].copy_from_slice(&last[..STEP]);
    }
}

multiversion! {
    fn temper_all[](words: &[u32], out: &mut [u32]) {
        for (y, &word) in out.iter_mut().zip(words) {
            *y = temper(word);
        }
    }
}

/// 64 bits from two raw words.
#[inline(always)]
fn join(pair: &[u32]) -> u64 {
    u64::from(temper(pair[0])) << 32 | u64::from(temper(pair[1]))
}

const LOW_53_BITS: u64 = (1 << 53) - 1;

multiversion! {
    fn u64_all[](words: &[u32], out: &mut [u64]) {
        for (y, pair) in out.iter_mut().zip(words.chunks_exact(2)) {
            *y = join(pair);
        }
    }
}

multiversion! {
    fn uniform_f32_all[](words: &[u32], low: f32, high: f32, out: &mut [f32]) {
        let width = high - low;
        for (y, &word) in out.iter_mut().zip(words) {
            let bits = (temper(word) & 0xff_ffff) as i32;
            let v = (bits as f32 * (1.0 / 16_777_216.0)).mul_add(width, low);
            *y = if v == high { low } else { v };
        }
    }
}

multiversion! {
    fn uniform_f64_all[](words: &[u32], low: f64, high: f64, out: &mut [f64]) {
        let width = high - low;
        for (y, pair) in out.iter_mut().zip(words.chunks_exact(2)) {
            let bits = (join(pair) & LOW_53_BITS) as i64;
            let v = (bits as f64 * (1.0 / (1u64 << 53) as f64)).mul_add(width, low);
            *y = if v == high { low } else { v };
        }
    }
}

multiversion! {
    fn bernoulli_all[T: Copy](words: &[u32], below: u64, yes: T, no: T, out: &mut [T]) {
        // The first word decides, but for one pair in two million, where its 21 bits are those of the bound.
        let bound = (below >> 32) as u32;
        let mut ties = false;
        for (y, pair) in out.iter_mut().zip(words.chunks_exact(2)) {
            let high = temper(pair[0]) & 0x1f_ffff;
            ties |= high == bound;
            *y = if high < bound { yes } else { no };
        }
        if ties {
            for (y, pair) in out.iter_mut().zip(words.chunks_exact(2)) {
                *y = if join(pair) & LOW_53_BITS < below { yes } else { no };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The textbook generator, word by word.
    struct Naive(Vec<u32>, usize);

    impl Naive {
        fn next(&mut self) -> u32 {
            let s = &mut self.0;
            let i = self.1 % N;
            let y = (s[i] & 0x8000_0000) | (s[(i + 1) % N] & 0x7fff_ffff);
            s[i] = s[(i + M) % N] ^ (y >> 1) ^ if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.1 += 1;
            temper(self.0[i])
        }

        fn new(seed: u32) -> Self {
            Naive(Mt19937::new(seed).state.to_vec(), 0)
        }

        fn unif64(&mut self) -> f64 {
            let (high, low) = (u64::from(self.next()), u64::from(self.next()));
            ((high << 32 | low) & LOW_53_BITS) as f64 * (0.5f64).powi(53)
        }
    }

    #[test]
    fn word_10000_of_the_default_seed_is_the_published_one() {
        let mut words = vec![0; 10_000];
        Mt19937::new(5489).fill_u32(&mut words);
        assert_eq!(words[9999], 4_123_659_995);
    }

    #[test]
    fn a_key_gives_the_published_words() {
        let mut rng = Mt19937::from_key(&[0x123, 0x234, 0x345, 0x456]);
        let words: Vec<u32> = (0..5).map(|_| rng.next_u32()).collect();
        assert_eq!(words, [1_067_595_299, 955_945_823, 477_289_528, 4_107_218_783, 4_228_976_476]);
    }

    #[test]
    fn bulk_draws_take_the_words_of_single_draws() {
        let firsts: &[usize] = if cfg!(miri) { &[1, 624] } else { &[0, 1, 2, 311, 622, 623, 624] };
        for &first in firsts {
            let lengths: &[usize] =
                if cfg!(miri) { &[3, 313] } else { &[0, 1, 2, 3, 311, 312, 313, 625, 2000] };
            for &n in lengths {
                let (mut fast, mut slow) = (Mt19937::new(7), Naive::new(7));
                for _ in 0..first {
                    assert_eq!(fast.next_u32(), slow.next());
                }
                let mut words = vec![0; n];
                fast.fill_u32(&mut words);
                assert!(words.iter().all(|&w| w == slow.next()));
                let mut keep = vec![false; n];
                fast.fill_bernoulli(0.3, true, false, &mut keep);
                assert!(keep.iter().all(|&k| k == (slow.unif64() < 0.3)));
                let mut longs = vec![0; n];
                fast.fill_u64(&mut longs);
                assert!(longs.iter().all(|&w| w == (u64::from(slow.next()) << 32 | u64::from(slow.next()))));
                let mut unif = vec![0.0; n];
                fast.fill_uniform_f64(0.0, 1.0, &mut unif);
                assert!(unif.iter().all(|&u| u == slow.unif64()));
                let mut unif = vec![0.0; n];
                fast.fill_uniform_f32(-0.5, 0.5, &mut unif);
                assert!(unif.iter().all(|&u| u == (slow.next() & 0xff_ffff) as f32 / 16_777_216.0 - 0.5));
                assert_eq!(fast.next_u32(), slow.next());
            }
        }
    }

    #[test]
    fn position_counts_the_words_taken_from_the_block() {
        let mut rng = Mt19937::new(0);
        assert_eq!((rng.next(), rng.left()), (0, 1));
        for k in [1, 2, 623, 624] {
            while rng.next() < k {
                rng.next_u32();
            }
            assert_eq!((rng.next(), rng.left()), (k, 625 - k));
            let mut copy = Mt19937::from_parts(*rng.state(), k, 625 - k).unwrap();
            assert_eq!(copy, rng);
            assert_eq!(copy.next_u32(), rng.clone().next_u32());
        }
        assert!(Mt19937::from_parts(*rng.state(), 0, 625).is_none());
        assert!(Mt19937::from_parts(*rng.state(), 5, 5).is_none());
        assert!(Mt19937::from_parts(*rng.state(), 625, 0).is_none());
    }

    #[test]
    fn the_second_word_decides_when_the_first_is_at_the_bound() {
        let mut unif = [0.0; 100];
        Mt19937::new(3).fill_uniform_f64(0.0, 1.0, &mut unif);
        for at in [0, 50, 99] {
            for (p, kept) in [(unif[at], false), (unif[at].next_up(), true)] {
                let mut keep = [false; 100];
                Mt19937::new(3).fill_bernoulli(p, true, false, &mut keep);
                assert_eq!(keep[at], kept);
                assert!(keep.iter().zip(&unif).all(|(&k, &u)| k == (u < p)));
            }
        }
    }

    #[test]
    fn probabilities_zero_and_one_are_exact() {
        for (p, all) in [(0.0, false), (1.0, true)] {
            let mut keep = [!all; 1000];
            Mt19937::new(1).fill_bernoulli(p, true, false, &mut keep);
            assert!(keep.iter().all(|&k| k == all));
        }
    }
}
