//! Discrete distributions: integers, Bernoulli, geometric, multinomial.

use super::Generator;
use super::element::{Float, Number, unit_f64};
use crate::op::require;

/// From this span on, integers are drawn from 64-bit words.
const WIDE_SPAN: u64 = 1 << 28;

impl Generator {
    /// Fills `x` with integers of [low, high): `torch.randint`, `Tensor.random_(low, high)`.
    ///
    /// ```
    /// use rekindle_tensor::random::Generator;
    ///
    /// let mut x = [0i64; 6];
    /// Generator::seeded(0).randint(&mut x, 0, 10);
    /// assert_eq!(x, [4, 9, 3, 0, 3, 9]); // torch.manual_seed(0); torch.randint(0, 10, (6,))
    /// ```
    ///
    /// # Panics
    /// If `low >= high`.
    #[track_caller]
    pub fn randint<T: Number>(&mut self, x: &mut [T], low: i64, high: i64) {
        require!(low < high, "randint: no integer lies in [{low}, {high}); is it [{high}, {low})?");
        let span = high.wrapping_sub(low) as u64;
        if span >= WIDE_SPAN {
            self.map_u64(x, |word| T::from_i64((word % span).wrapping_add(low as u64) as i64));
        } else {
            let span = span as u32;
            self.map_u32(x, |word| T::from_i64(i64::from(word % span) + low));
        }
    }

    /// Fills `x` over the type's whole range of non-negative integers: `Tensor.random_()`.
    pub fn random<T: Number>(&mut self, x: &mut [T]) {
        if T::WIDE {
            self.map_u64(x, |word| T::from_i64((word % T::SPAN) as i64));
        } else {
            self.map_u32(x, |word| T::from_i64((u64::from(word) % T::SPAN) as i64));
        }
    }

    /// Fills `x` with ones of probability `p`, else zeros: `Tensor.bernoulli_(p)`.
    ///
    /// # Panics
    /// If `p` is not in [0, 1].
    #[track_caller]
    pub fn bernoulli<T: Number>(&mut self, x: &mut [T], p: f64) {
        check_probability("bernoulli", p);
        self.engine.fill_bernoulli(p, T::from_i64(1), T::from_i64(0), x);
    }

    /// Fills `x` with ones of probability `p[i]`, else zeros: `torch.bernoulli(p)`.
    ///
    /// # Panics
    /// If the lengths differ, or a probability is not in [0, 1].
    #[track_caller]
    pub fn bernoulli_each<T: Float>(&mut self, x: &mut [T], p: &[T]) {
        require!(x.len() == p.len(), "bernoulli: {} values from {} probabilities", x.len(), p.len());
        p.iter().for_each(|p| check_probability("bernoulli", p.to_f64()));
        let mut p = p.iter();
        T::map_unit(self, x, |u| T::from_i64((Some(&u) < p.next()).into()));
    }

    /// Fills `x` with the number of trials up to the first success: `Tensor.geometric_`.
    ///
    /// # Panics
    /// If `p` is not in (0, 1).
    #[track_caller]
    pub fn geometric<T: Number>(&mut self, x: &mut [T], p: f64) {
        require!(0.0 < p && p < 1.0, "geometric: p must lie in (0, 1), got {p}");
        let failure = (-p).ln_1p();
        self.map_u64(x, |word| T::from_f64((unit_f64(word).ln() / failure).ceil()));
    }

    /// Draws `n` indices with the given weights: `torch.multinomial` of one row.
    ///
    /// ```
    /// use rekindle_tensor::random::Generator;
    ///
    /// let drawn = Generator::seeded(0).multinomial(&[0.0, 0.0, 2.5f32], 4, true);
    /// assert_eq!(drawn, [2, 2, 2, 2]);
    /// ```
    ///
    /// # Panics
    /// If a weight is negative or not finite, the weights sum to zero, or more indices are wanted without
    /// replacement than there are weights above zero.
    #[track_caller]
    pub fn multinomial<T: Float>(&mut self, weights: &[T], n: usize, replacement: bool) -> Vec<usize> {
        check_weights(weights, n, replacement);
        if replacement && n > 1 { self.by_inversion(weights, n) } else { self.by_race(weights, n) }
    }

    /// With replacement: each draw inverts the cumulative distribution.
    fn by_inversion<T: Float>(&mut self, weights: &[T], n: usize) -> Vec<usize> {
        let mut total = T::from_i64(0);
        let mut cumulative: Vec<T> = Vec::with_capacity(weights.len());
        for &weight in weights {
            total = total + weight;
            cumulative.push(total);
        }
        cumulative.iter_mut().for_each(|c| *c = *c / total);
        *cumulative.last_mut().expect("at least one weight") = T::from_i64(1);
        let mut drawn = vec![0; n];
        self.map_u64(&mut drawn, |word| {
            let u = unit_f64(word);
            cumulative.partition_point(|c| c.to_f64() < u)
        });
        drawn
    }

    /// Without replacement: exponential arrival times, the n largest ratios weight / time win.
    fn by_race<T: Float>(&mut self, weights: &[T], n: usize) -> Vec<usize> {
        let mut ratio = weights.to_vec();
        self.exponential(&mut ratio, 1.0);
        for (ratio, &weight) in ratio.iter_mut().zip(weights) {
            *ratio = weight / *ratio;
        }
        let mut order: Vec<usize> = (0..weights.len()).collect();
        order.sort_by(|&i, &j| ratio[j].to_f64().total_cmp(&ratio[i].to_f64()));
        order.truncate(n);
        order
    }
}

#[track_caller]
pub(super) fn check_probability(op: &str, p: f64) {
    require!((0.0..=1.0).contains(&p), "{op}: a probability must lie in [0, 1], got {p}");
}

#[track_caller]
fn check_weights<T: Float>(weights: &[T], n: usize, replacement: bool) {
    for (i, weight) in weights.iter().enumerate() {
        let weight = weight.to_f64();
        require!(
            weight >= 0.0 && weight.is_finite(),
            "multinomial: weight {i} is {weight}; weights must be finite and not negative"
        );
    }
    let positive = weights.iter().filter(|w| w.to_f64() > 0.0).count();
    require!(positive > 0, "multinomial: none of the {} weights is positive", weights.len());
    require!(
        replacement || n <= positive,
        "multinomial: cannot draw {n} different indices from {positive} positive weights; draw with replacement?"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn span_decides_between_one_word_and_two() {
        let (mut narrow, mut wide) = ([0i64; 3], [0i64; 3]);
        Generator::seeded(0).randint(&mut narrow, 0, (1 << 28) - 1);
        Generator::seeded(0).randint(&mut wide, 0, 1 << 28);
        assert_eq!(narrow, [209652404, 130329144, 118924928]);
        assert_eq!(wide, [130329135, 136432832, 195187451]);
    }

    #[test]
    fn randint_reaches_both_ends_of_i64() {
        let mut x = [0i64; 1000];
        Generator::seeded(0).randint(&mut x, i64::MIN, i64::MAX);
        assert!(x.iter().any(|&v| v < 0) && x.iter().any(|&v| v > 0));
    }

    #[test]
    fn random_covers_each_types_own_span() {
        let mut int = [0i64; 2];
        Generator::seeded(0).random(&mut int);
        assert_eq!(int, [900450186894289455, 3969543146641149120]);
        let mut int = [0i32; 3];
        Generator::seeded(0).random(&mut int);
        assert_eq!(int, [209652396, 398764591, 924231285]);
    }

    #[test]
    fn bernoulli_compares_in_double_precision() {
        for p in [0.0, 1e-300, 0.1, 0.3, 0.5, 0.9, 1.0 - f64::EPSILON, 1.0] {
            let (mut fast, mut words) = ([false; 2000], Generator::seeded(9));
            Generator::seeded(9).bernoulli(&mut fast, p);
            assert!(fast.iter().all(|&x| x == (unit_f64(words.next_u64()) < p)), "p = {p}");
        }
    }

    #[test]
    fn bernoulli_of_probabilities_uses_their_precision() {
        let p: Vec<f32> = (0..500).map(|i| i as f32 / 499.0).collect();
        let (mut x, mut u) = (vec![0f32; 500], vec![0f32; 500]);
        Generator::seeded(1).bernoulli_each(&mut x, &p);
        Generator::seeded(1).uniform(&mut u, 0.0, 1.0);
        assert!((0..500).all(|i| (x[i] == 1.0) == (u[i] < p[i])));
    }

    #[test]
    fn race_never_draws_an_index_twice_nor_weight_zero() {
        let weights = [0.1f32, 0.9, 0.4, 0.7, 3.0, 0.6, 0.0, 2.0];
        for seed in 0..50u64 {
            let mut drawn = Generator::seeded(seed).multinomial(&weights, 7, false);
            drawn.sort();
            assert_eq!(drawn, [0, 1, 2, 3, 4, 5, 7]);
        }
    }

    #[test]
    #[should_panic(expected = "multinomial: cannot draw 3 different indices from 2 positive weights")]
    fn too_many_without_replacement_is_refused() {
        Generator::new().multinomial(&[1.0f64, 0.0, 2.0], 3, false);
    }
}
