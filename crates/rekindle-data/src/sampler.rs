//! The order in which a loader visits its samples: PyTorch's samplers, with PyTorch's draws.
//!
//! A [`Sampler`] gives the indices of one pass. It draws from the generator that it is given, the loader's own,
//! else from the default generator. One pass of a loader draws, in this order: [`draw_base_seed`] when the pass
//! begins, [`Sampler::order`] when its first batch is taken, [`Sampler::finish`] when it was taken to its end.

use rekindle_tensor::random::{self, Generator};

/// The seed that PyTorch's loader draws for its workers at the start of every pass, shuffled or not, with or without
/// workers.
pub fn draw_base_seed(own: Option<&mut Generator>) -> u64 {
    with(own, draw_seed)
}

/// Gives the order of a pass.
pub trait Sampler: Send {
    /// Number of indices in a pass.
    fn len(&self) -> usize;

    /// True if a pass has no indices.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The indices of one pass.
    fn order(&self, own: Option<&mut Generator>) -> Vec<usize>;

    /// The draws that follow when a pass was taken to its end.
    fn finish(&self, _own: Option<&mut Generator>) {}
}

/// 0, 1, 2, ..: no draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequentialSampler {
    /// Number of samples.
    pub n: usize,
}

impl Sampler for SequentialSampler {
    fn len(&self) -> usize {
        self.n
    }

    fn order(&self, _own: Option<&mut Generator>) -> Vec<usize> {
        (0..self.n).collect()
    }
}

/// Every sample once, shuffled: what `shuffle=True` means.
///
/// ```
/// use rekindle_data::sampler::{RandomSampler, Sampler};
/// use rekindle_tensor::random::Generator;
///
/// let order = RandomSampler { n: 10 }.order(Some(&mut Generator::seeded(0)));
/// assert_eq!(order, [4, 1, 7, 5, 3, 9, 0, 8, 6, 2]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RandomSampler {
    /// Number of samples.
    pub n: usize,
}

impl Sampler for RandomSampler {
    fn len(&self) -> usize {
        self.n
    }

    fn order(&self, own: Option<&mut Generator>) -> Vec<usize> {
        match own {
            Some(generator) => generator.randperm(self.n),
            None => fresh().randperm(self.n),
        }
    }

    fn finish(&self, own: Option<&mut Generator>) {
        if let Some(generator) = own {
            // PyTorch draws the permutation of the next, partial round here and takes nothing from it.
            generator.randperm(self.n);
        }
    }
}

/// `num_samples` independent draws, repetitions allowed: `RandomSampler(.., replacement=True)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplacementSampler {
    /// Number of samples to draw from.
    pub n: usize,
    /// Number of draws in a pass.
    pub num_samples: usize,
}

impl Sampler for ReplacementSampler {
    fn len(&self) -> usize {
        self.num_samples
    }

    fn order(&self, own: Option<&mut Generator>) -> Vec<usize> {
        let mut order = vec![0i64; self.num_samples];
        match own {
            Some(generator) => generator.randint(&mut order, 0, self.n as i64),
            None => fresh().randint(&mut order, 0, self.n as i64),
        }
        order.into_iter().map(|i| i as usize).collect()
    }
}

/// The given indices, shuffled.
///
/// ```
/// use rekindle_data::sampler::SubsetRandomSampler;
/// use rekindle_data::{DataLoader, TensorDataset};
/// use rekindle_tensor::Tensor;
///
/// let ds = TensorDataset::new(Tensor::zeros([10, 2]), Tensor::zeros([10]));
/// let dl = DataLoader::new(ds).batch_size(2).sampler(SubsetRandomSampler { indices: vec![1, 4, 7] });
/// assert_eq!(dl.len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubsetRandomSampler {
    /// The samples to visit.
    pub indices: Vec<usize>,
}

impl Sampler for SubsetRandomSampler {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn order(&self, own: Option<&mut Generator>) -> Vec<usize> {
        with(own, |g| g.randperm(self.indices.len())).into_iter().map(|i| self.indices[i]).collect()
    }
}

/// Draws in proportion to weights, for example against unbalanced classes.
///
/// ```
/// use rekindle_data::sampler::{Sampler, WeightedRandomSampler};
/// use rekindle_tensor::random::Generator;
///
/// let sampler = WeightedRandomSampler { weights: vec![0.0, 1.0, 3.0], num_samples: 100, replacement: true };
/// let order = sampler.order(Some(&mut Generator::seeded(0)));
/// assert!(!order.contains(&0) && order.iter().filter(|&&i| i == 2).count() > 60);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct WeightedRandomSampler {
    /// One weight per sample; they need not sum to one.
    pub weights: Vec<f64>,
    /// Number of draws in a pass.
    pub num_samples: usize,
    /// May a sample be drawn twice?
    pub replacement: bool,
}

impl Sampler for WeightedRandomSampler {
    fn len(&self) -> usize {
        self.num_samples
    }

    fn order(&self, own: Option<&mut Generator>) -> Vec<usize> {
        with(own, |g| g.multinomial(&self.weights, self.num_samples, self.replacement))
    }
}

fn with<R>(own: Option<&mut Generator>, f: impl FnOnce(&mut Generator) -> R) -> R {
    match own {
        Some(generator) => f(generator),
        None => random::with_default(f),
    }
}

/// Without a generator of its own, a sampler makes a new one for each pass, seeded from the default one.
fn fresh() -> Generator {
    Generator::seeded(random::with_default(draw_seed))
}

/// A non-negative 64-bit seed.
fn draw_seed(generator: &mut Generator) -> u64 {
    generator.next_u64() & (u64::MAX >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use random::with_generator;

    #[test]
    fn shuffled_pass_costs_the_default_generator_four_words() {
        let mut g = Generator::seeded(0);
        let order = with_generator(&mut g, || {
            draw_base_seed(None);
            let order = RandomSampler { n: 1000 }.order(None);
            RandomSampler { n: 1000 }.finish(None);
            order
        });
        let mut words = Generator::seeded(0);
        let fourth = (0..4).map(|_| words.next_u32()).last().unwrap();
        assert!(g == words);
        assert_eq!(order, Generator::seeded(fourth).randperm(1000));
    }

    #[test]
    fn own_generator_throws_a_permutation_away_at_the_end() {
        let (mut own, mut expected) = (Generator::seeded(0), Generator::seeded(0));
        let sampler = RandomSampler { n: 100 };
        let order = sampler.order(Some(&mut own));
        sampler.finish(Some(&mut own));
        assert_eq!(order, expected.randperm(100));
        expected.randperm(100);
        assert!(own == expected);
    }

    #[test]
    fn every_order_has_the_announced_length() {
        let weights = vec![0.1, 0.9, 0.4, 0.7];
        let samplers: [Box<dyn Sampler>; 6] = [
            Box::new(SequentialSampler { n: 4 }),
            Box::new(RandomSampler { n: 4 }),
            Box::new(ReplacementSampler { n: 4, num_samples: 70 }),
            Box::new(SubsetRandomSampler { indices: vec![3, 1] }),
            Box::new(WeightedRandomSampler { weights: weights.clone(), num_samples: 9, replacement: true }),
            Box::new(WeightedRandomSampler { weights, num_samples: 3, replacement: false }),
        ];
        for sampler in samplers {
            let order = sampler.order(Some(&mut Generator::seeded(0)));
            assert_eq!((order.len(), sampler.is_empty()), (sampler.len(), false));
            assert!(order.iter().all(|&i| i < 4));
        }
    }
}
