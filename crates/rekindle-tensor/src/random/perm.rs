//! Random permutations.

use super::Generator;

/// Below this length each step draws one 32-bit word (PyTorch: a twentieth of the 32-bit range).
const WIDE: usize = 214_748_364;

impl Generator {
    /// A random permutation of 0..n: `torch.randperm(n)`.
    ///
    /// ```
    /// use rekindle_tensor::random::Generator;
    ///
    /// assert_eq!(Generator::seeded(0).randperm(10), [4, 1, 7, 5, 3, 9, 0, 8, 6, 2]); // torch.randperm(10)
    /// ```
    pub fn randperm(&mut self, n: usize) -> Vec<usize> {
        if n < WIDE { self.fisher_yates(n) } else { self.inside_out(n) }
    }

    /// Fisher and Yates, forwards: position i swaps with one of i..n.
    fn fisher_yates(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in 0..n.saturating_sub(1) {
            let other = i + (self.next_u32() % (n - i) as u32) as usize;
            order.swap(i, other);
        }
        order
    }

    /// The inside-out form, with 64-bit words.
    fn inside_out(&mut self, n: usize) -> Vec<usize> {
        let mut order = vec![0; n];
        for i in 0..n {
            let other = (self.next_u64() % (i as u64 + 1)) as usize;
            order[i] = order[other];
            order[other] = i;
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_methods_give_permutations() {
        for n in [0, 1, 2, 3, 100, 1001] {
            for mut order in [Generator::seeded(n).fisher_yates(n), Generator::seeded(n).inside_out(n)] {
                order.sort();
                assert!(order.into_iter().eq(0..n));
            }
        }
    }

    #[test]
    fn randperm_draws_one_word_less_than_its_length() {
        let (mut g, mut words) = (Generator::seeded(4), Generator::seeded(4));
        g.randperm(100);
        (0..99).for_each(|_| _ = words.next_u32());
        assert!(g == words);
    }
}
