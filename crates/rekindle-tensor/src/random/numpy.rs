//! NumPy's legacy stream: `np.random.seed(k)` and `np.random.RandomState(k)`.
//!
//! scikit-learn's data sets and splits, and many older notebooks, draw from it. The engine is the same MT19937
//! as PyTorch's; the distributions differ.

use crate::op::require;
use rekindle_kernels::mt19937::Mt19937;

/// NumPy's `RandomState`, bit for bit.
///
/// ```
/// use rekindle_tensor::random::numpy::RandomState;
///
/// let mut r = RandomState::new(0);
/// assert_eq!(r.random_sample(), 0.5488135039273248); // np.random.seed(0); np.random.rand()
/// ```
#[derive(Clone)]
pub struct RandomState {
    engine: Mt19937,
    cached_gauss: Option<f64>,
}

impl RandomState {
    /// `RandomState(seed)`.
    pub fn new(seed: u32) -> Self {
        Self { engine: Mt19937::new(seed), cached_gauss: None }
    }

    /// `RandomState([..])`: seeded by an array of words.
    ///
    /// # Panics
    /// If `key` is empty.
    #[track_caller]
    pub fn from_key(key: &[u32]) -> Self {
        Self { engine: Mt19937::from_key(key), cached_gauss: None }
    }

    /// A uniform value in [0, 1) with 53 bits.
    pub fn random_sample(&mut self) -> f64 {
        let (high, low) = (self.engine.next_u32() >> 5, self.engine.next_u32() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// A uniform value in [low, high).
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.random_sample()
    }

    /// A standard normal value (`randn`, `standard_normal`), by Marsaglia's polar method: values come in
    /// pairs, the second one is kept for the next call.
    ///
    /// ```
    /// use rekindle_tensor::random::numpy::RandomState;
    ///
    /// assert_eq!(RandomState::new(0).gauss(), 1.764052345967664); // np.random.seed(0); np.random.randn()
    /// ```
    pub fn gauss(&mut self) -> f64 {
        if let Some(z) = self.cached_gauss.take() {
            return z;
        }
        loop {
            let x1 = 2.0 * self.random_sample() - 1.0;
            let x2 = 2.0 * self.random_sample() - 1.0;
            let r2 = x1 * x1 + x2 * x2;
            if r2 < 1.0 && r2 != 0.0 {
                let f = (-2.0 * r2.ln() / r2).sqrt();
                self.cached_gauss = Some(f * x1);
                return f * x2;
            }
        }
    }

    /// A normal value.
    pub fn normal(&mut self, loc: f64, scale: f64) -> f64 {
        loc + scale * self.gauss()
    }

    /// An integer of 0..=max, by rejection under the smallest mask that covers it. `max` 0 draws nothing.
    pub fn interval(&mut self, max: u64) -> u64 {
        if max == 0 {
            return 0;
        }
        let mask = u64::MAX >> max.leading_zeros();
        loop {
            let word = if u32::try_from(max).is_ok() {
                self.engine.next_u32().into()
            } else {
                self.engine.next_u64()
            };
            if word & mask <= max {
                return word & mask;
            }
        }
    }

    /// An integer of [low, high).
    ///
    /// # Panics
    /// If `low >= high`.
    #[track_caller]
    pub fn randint(&mut self, low: i64, high: i64) -> i64 {
        require!(low < high, "randint: no integer lies in [{low}, {high})");
        let largest = (high.wrapping_sub(low) as u64) - 1;
        low.wrapping_add(self.interval(largest) as i64)
    }

    /// Shuffles in place, from the back: `shuffle`.
    pub fn shuffle<T>(&mut self, x: &mut [T]) {
        for i in (1..x.len()).rev() {
            let other = self.interval(i as u64) as usize;
            x.swap(i, other);
        }
    }

    /// A permutation of 0..n.
    ///
    /// ```
    /// use rekindle_tensor::random::numpy::RandomState;
    ///
    /// assert_eq!(RandomState::new(0).permutation(5), [2, 0, 1, 3, 4]);
    /// ```
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }

    /// `size` indices of 0..n: `choice(n, size, replace, p)`.
    ///
    /// # Panics
    /// If `n` is zero, more indices are wanted without replacement than there are, or `p` is not `n`
    /// probabilities that sum to one.
    #[track_caller]
    pub fn choice(&mut self, n: usize, size: usize, replace: bool, p: Option<&[f64]>) -> Vec<usize> {
        require!(n > 0 || size == 0, "choice: nothing to choose from");
        require!(replace || size <= n, "choice: cannot take {size} of {n} without replacement");
        match p {
            None if replace => (0..size).map(|_| self.interval(n as u64 - 1) as usize).collect(),
            None => {
                let mut order = self.permutation(n);
                order.truncate(size);
                order
            }
            Some(p) => {
                check_probabilities(n, p);
                if replace { self.by_inversion(p, size) } else { self.by_inversion_once(p, size) }
            }
        }
    }

    /// Each draw inverts the cumulative distribution.
    fn by_inversion(&mut self, p: &[f64], size: usize) -> Vec<usize> {
        let mut cdf: Vec<f64> = p
            .iter()
            .scan(0.0, |sum, p| {
                *sum += p;
                Some(*sum)
            })
            .collect();
        let total = cdf[cdf.len() - 1];
        cdf.iter_mut().for_each(|c| *c /= total);
        (0..size)
            .map(|_| {
                let u = self.random_sample();
                cdf.partition_point(|&c| c <= u)
            })
            .collect()
    }

    /// Rounds of draws; each round keeps the first appearance of every new index and removes its probability.
    #[track_caller]
    fn by_inversion_once(&mut self, p: &[f64], size: usize) -> Vec<usize> {
        let positive = p.iter().filter(|&&p| p > 0.0).count();
        require!(size <= positive, "choice: cannot take {size} of {positive} positive probabilities");
        let (mut p, mut found) = (p.to_vec(), Vec::with_capacity(size));
        while found.len() < size {
            for i in self.by_inversion(&p, size - found.len()) {
                if !found.contains(&i) {
                    found.push(i);
                }
            }
            found.iter().for_each(|&i| p[i] = 0.0);
        }
        found
    }
}

#[track_caller]
fn check_probabilities(n: usize, p: &[f64]) {
    require!(p.len() == n, "choice: {} probabilities for {n} indices", p.len());
    require!(p.iter().all(|&p| p >= 0.0), "choice: a probability is negative or NaN: {p:?}");
    let sum: f64 = p.iter().sum();
    require!((sum - 1.0).abs() < 1e-8, "choice: the probabilities sum to {sum}, not to 1");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn array_seed_has_numpys_bits() {
        let mut r = RandomState::from_key(&[1, 2, 3]);
        let bits = [r.random_sample(), r.random_sample()].map(f64::to_bits);
        assert_eq!(bits, [0x3fe383fbc97230c2, 0x3fec5fd27a5da181]);
    }

    #[test]
    fn uniforms_do_not_disturb_the_cached_gauss() {
        let (mut a, mut b) = (RandomState::new(3), RandomState::new(3));
        let first = [a.gauss(), a.gauss()];
        let second = [b.gauss(), {
            b.random_sample();
            b.gauss()
        }];
        assert_eq!(first, second);
    }

    #[test]
    fn integers_have_numpys_values() {
        let mut r = RandomState::new(u32::MAX);
        assert_eq!([(); 5].map(|()| r.randint(-5, 1000)), [414, 285, 7, 66, 943]);
        let mut r = RandomState::new(u32::MAX);
        assert_eq!([(); 2].map(|()| r.randint(0, 1 << 40)), [700559016226, 53956357191]);
        assert_eq!(r.randint(7, 8), 7);
    }

    #[test]
    fn choice_has_numpys_values() {
        let mut r = RandomState::new(u32::MAX);
        assert_eq!(r.choice(50, 20, true, None)[..5], [35, 34, 12, 7, 0]);
        assert_eq!(r.choice(50, 20, false, None)[..5], [43, 21, 31, 35, 5]);
        let p = [0.1, 0.2, 0.3, 0.4];
        let mut once = r.choice(4, 4, false, Some(&p));
        once.sort();
        assert_eq!(once, [0, 1, 2, 3]);
    }

    #[test]
    fn shuffle_permutes_rows_of_any_type() {
        let mut rows: Vec<[i32; 2]> = (0..20).map(|i| [2 * i, 2 * i + 1]).collect();
        RandomState::new(0).shuffle(&mut rows);
        assert!(rows.iter().all(|r| r[1] == r[0] + 1));
        rows.sort();
        assert!(rows.into_iter().map(|r| r[0] / 2).eq(0..20));
    }
}
