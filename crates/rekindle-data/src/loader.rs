//! Batches of a data set, in PyTorch's order and with PyTorch's draws.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rekindle_tensor::Tensor;
use rekindle_tensor::random::Generator;

use crate::dataset::Dataset;
use crate::sampler::{self, RandomSampler, Sampler};

/// Gives a data set batch by batch, each `for` loop one pass over it.
///
/// A batch is `(x, y)`: inputs and targets stacked along the first dimension. Without shuffling they are views
/// of the data, otherwise copies.
///
/// ```
/// use rekindle_data::{DataLoader, TensorDataset};
/// use rekindle_tensor::Tensor;
///
/// let ds = TensorDataset::new(Tensor::zeros([100, 784]), Tensor::zeros([100, 1]));
/// let dl = DataLoader::new(ds).batch_size(16).shuffle(true);
/// for (x, y) in &dl {
///     assert_eq!((x.size(1), x.size(0)), (784, y.size(0)));
/// }
/// assert_eq!(dl.len(), 7);
/// ```
pub struct DataLoader {
    dataset: Box<dyn Dataset>,
    batch_size: usize,
    drop_last: bool,
    /// Gives the order; without one the samples come as they are.
    sampler: Option<Box<dyn Sampler>>,
    generator: Option<Mutex<Generator>>,
}

impl DataLoader {
    /// Single samples in their own order, until told otherwise.
    pub fn new(dataset: impl Dataset + 'static) -> Self {
        let dataset = Box::new(dataset);
        Self { dataset, batch_size: 1, drop_last: false, sampler: None, generator: None }
    }

    /// Samples per batch.
    ///
    /// # Panics
    /// If `batch_size` is 0.
    #[track_caller]
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        if batch_size == 0 {
            rekindle_tensor::mistake!("data_loader: batch_size must be at least 1, got 0");
        }
        self.batch_size = batch_size;
        self
    }

    /// Whether every pass has a new random order.
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        let n = self.dataset.len();
        self.sampler = shuffle.then(|| Box::new(RandomSampler { n }) as Box<dyn Sampler>);
        self
    }

    /// The order of each pass, in place of [`shuffle`](Self::shuffle).
    pub fn sampler(mut self, sampler: impl Sampler + 'static) -> Self {
        self.sampler = Some(Box::new(sampler));
        self
    }

    /// Whether a last batch that is not full is left out.
    pub fn drop_last(mut self, drop_last: bool) -> Self {
        self.drop_last = drop_last;
        self
    }

    /// A generator of the loader's own, in place of the default one.
    pub fn generator(mut self, generator: Generator) -> Self {
        self.generator = Some(Mutex::new(generator));
        self
    }

    /// The data set.
    pub fn dataset(&self) -> &dyn Dataset {
        &*self.dataset
    }

    /// Batches in a pass.
    pub fn len(&self) -> usize {
        let samples = self.samples();
        if self.drop_last { samples / self.batch_size } else { samples.div_ceil(self.batch_size) }
    }

    /// Whether a pass has no batches.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Begins a pass. This draws from the generator, shuffled or not, as in PyTorch.
    pub fn iter(&self) -> Batches<'_> {
        sampler::draw_base_seed(self.own_generator().as_deref_mut());
        Batches { loader: self, order: None, next: 0, finished: false }
    }

    /// The state of the loader's own generator, if it has one, to be saved and later restored.
    pub fn generator_state(&self) -> Option<Vec<u8>> {
        self.own_generator().map(|generator| generator.get_state())
    }

    /// Samples in a pass.
    fn samples(&self) -> usize {
        self.sampler.as_ref().map_or(self.dataset.len(), |sampler| sampler.len())
    }

    fn own_generator(&self) -> Option<MutexGuard<'_, Generator>> {
        // A generator stays usable if somebody panicked between two draws.
        self.generator.as_ref().map(|own| own.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<'a> IntoIterator for &'a DataLoader {
    type Item = (Tensor, Tensor);
    type IntoIter = Batches<'a>;

    fn into_iter(self) -> Batches<'a> {
        self.iter()
    }
}

/// One pass of a [`DataLoader`].
pub struct Batches<'a> {
    loader: &'a DataLoader,
    /// Drawn with the first batch, if the loader has a sampler.
    order: Option<Vec<usize>>,
    /// Samples passed so far.
    next: usize,
    finished: bool,
}

impl Batches<'_> {
    /// Passes over the next batches without gathering them. The order is drawn as if the first one had been taken.
    ///
    /// ```
    /// use rekindle_data::{DataLoader, TensorDataset};
    /// use rekindle_tensor::Tensor;
    ///
    /// let loader = DataLoader::new(TensorDataset::new(Tensor::zeros([10]), Tensor::arange(0, 10, 1))).batch_size(4);
    /// let mut batches = loader.iter();
    /// batches.advance(2);
    /// assert_eq!(batches.next().unwrap().1.to_vec::<i64>(), [8, 9]);
    /// ```
    ///
    /// # Panics
    /// If there are not more batches than these.
    #[track_caller]
    pub fn advance(&mut self, batches: usize) {
        if batches >= self.len() {
            rekindle_tensor::mistake!(
                "batches: advance({batches}) of {} that are left; leave one",
                self.len()
            );
        }
        self.draw_order();
        self.next += batches * self.loader.batch_size;
    }

    fn draw_order(&mut self) {
        if let (None, Some(sampler)) = (&self.order, &self.loader.sampler) {
            self.order = Some(sampler.order(self.loader.own_generator().as_deref_mut()));
        }
    }

    /// What the sampler draws once it has given its last index, which is when a batch cannot be filled.
    fn finish(&mut self) {
        if let (false, Some(sampler)) = (self.finished, &self.loader.sampler) {
            sampler.finish(self.loader.own_generator().as_deref_mut());
        }
        self.finished = true;
    }
}

impl Iterator for Batches<'_> {
    type Item = (Tensor, Tensor);

    fn next(&mut self) -> Option<(Tensor, Tensor)> {
        let loader = self.loader;
        self.draw_order();
        let start = self.next;
        let end = loader.samples().min(start + loader.batch_size);
        let short = end - start < loader.batch_size;
        if short {
            self.finish();
        }
        if start == end || (short && loader.drop_last) {
            return None;
        }
        self.next = end;
        Some(match &self.order {
            Some(order) => loader.dataset.batch(&order[start..end]),
            None => loader.dataset.range(start..end),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.loader.len() - self.next.div_ceil(self.loader.batch_size);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Batches<'_> {}

#[cfg(test)]
mod tests;
