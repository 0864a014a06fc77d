//! Sums of floats that do not depend on their order.
//!
//! The sum is kept exactly, as a list of floats that do not overlap, and is rounded once when it is read. So any order of
//! adding and merging gives the same bits. Source: Shewchuk, "Adaptive Precision Floating-Point Arithmetic and Fast Robust
//! Geometric Predicates" (1997), and the rounding of Python's `math.fsum`.

/// An exact sum.
#[derive(Clone, Debug, Default)]
pub(super) struct ExactSum {
    /// Increasing in magnitude; the bits of no two overlap.
    parts: Vec<f64>,
    /// What is no longer finite: the sum is beyond the range of f64.
    overflow: f64,
}

impl ExactSum {
    /// Adds a number.
    pub fn add(&mut self, x: f64) {
        let mut high = x;
        let mut kept = 0;
        for i in 0..self.parts.len() {
            let (sum, rest) = two_sum(high, self.parts[i]);
            if rest != 0.0 {
                self.parts[kept] = rest;
                kept += 1;
            }
            high = sum;
        }
        self.parts.truncate(kept);
        if high.is_finite() {
            self.parts.push(high);
        } else {
            self.parts.clear();
            self.overflow += high;
        }
    }

    /// Adds a product with all of its bits.
    pub fn add_product(&mut self, a: f64, b: f64) {
        let product = a * b;
        self.add(product);
        if product.is_finite() {
            self.add(a.mul_add(b, -product));
        }
    }

    /// Adds another sum, exactly.
    pub fn merge(&mut self, other: &ExactSum) {
        other.parts.iter().for_each(|&x| self.add(x));
        self.overflow += other.overflow;
    }

    /// The sum of `factor` times this sum, minus the square of another: exact, then rounded once.
    pub fn times_minus_square(&self, factor: f64, other: &ExactSum) -> f64 {
        let mut sum = ExactSum { parts: Vec::new(), overflow: self.overflow + other.overflow };
        self.parts.iter().for_each(|&x| sum.add_product(factor, x));
        for &a in &other.parts {
            other.parts.iter().for_each(|&b| sum.add_product(-a, b));
        }
        sum.value()
    }

    /// The sum, rounded to the nearest float.
    pub fn value(&self) -> f64 {
        if self.overflow != 0.0 {
            return self.overflow;
        }
        let mut high = 0.0;
        for (i, &part) in self.parts.iter().enumerate().rev() {
            let (sum, rest) = two_sum(high, part);
            high = sum;
            if rest == 0.0 {
                continue;
            }
            // The rest may be half a unit in the last place; then the parts below decide to which side it is rounded.
            let below = if i > 0 { self.parts[i - 1] } else { 0.0 };
            if (rest < 0.0) == (below < 0.0) && below != 0.0 && two_sum(high, 2.0 * rest).1 == 0.0 {
                high += 2.0 * rest;
            }
            break;
        }
        high
    }
}

/// A sum and its rounding error (Knuth).
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

#[cfg(test)]
mod tests {
    use super::ExactSum;

    fn sum(numbers: impl IntoIterator<Item = f64>) -> f64 {
        let mut sum = ExactSum::default();
        numbers.into_iter().for_each(|x| sum.add(x));
        sum.value()
    }

    #[test]
    fn no_bit_is_lost() {
        assert_eq!(sum([1e100, 1.0, -1e100, 1e-100]), 1.0);
        assert_eq!(sum([1.0; 10].map(|x| x * 0.1)), 1.0);
        // Half a unit above 1 rounds to even, and a little more rounds up.
        let half = f64::EPSILON / 2.0;
        assert_eq!(sum([1.0, half]), 1.0);
        assert_eq!(sum([1.0, half, 1e-300]), 1.0 + f64::EPSILON);
        assert_eq!(sum([1.0 + f64::EPSILON, half, -1e-300]), 1.0 + f64::EPSILON);
        assert_eq!(sum([f64::MAX, f64::MAX]), f64::INFINITY);
    }

    #[test]
    fn order_and_merging_do_not_change_a_bit() {
        let mut state = 7u64;
        let mut draw = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 11) as f64 / (1u64 << 52) as f64 - 1.0) * 10f64.powi((state % 40) as i32 - 20)
        };
        let numbers: Vec<f64> = (0..500).map(|_| draw()).collect();
        let forward = sum(numbers.iter().copied());
        assert_eq!(sum(numbers.iter().rev().copied()).to_bits(), forward.to_bits());
        let mut parts = [ExactSum::default(), ExactSum::default()];
        numbers.iter().enumerate().for_each(|(i, &x)| parts[i % 2].add(x));
        let [mut a, b] = parts;
        a.merge(&b);
        assert_eq!(a.value().to_bits(), forward.to_bits());
    }
}
