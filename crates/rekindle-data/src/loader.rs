//! Batches of a data set, in PyTorch's order and with PyTorch's draws.

mod ahead;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rekindle_tensor::Tensor;
use rekindle_tensor::random::Generator;

use crate::dataset::Dataset;
use crate::sampler::{self, RandomSampler, Sampler};
use ahead::{Ahead, Which};

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
    dataset: Arc<dyn Dataset>,
    num_workers: usize,
    batch_size: usize,
    drop_last: bool,
    /// Gives the order; without one the samples come as they are.
    sampler: Option<Box<dyn Sampler>>,
    generator: Option<Mutex<Generator>>,
}

impl DataLoader {
    /// Single samples in their own order, until told otherwise.
    pub fn new(dataset: impl Dataset + 'static) -> Self {
        let dataset = Arc::new(dataset);
        Self { dataset, num_workers: 0, batch_size: 1, drop_last: false, sampler: None, generator: None }
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

    /// How many threads gather batches ahead of use, for data sets that read or decode something: the same batches in the same order. With
    /// 0, as it is until told otherwise, a batch is gathered when it is asked for, which is best for tensors in memory.
    ///
    /// A data set that draws random numbers has another generator on each thread, as in PyTorch's workers.
    ///
    /// ```
    /// use rekindle_data::{DataLoader, TensorDataset};
    /// use rekindle_tensor::Tensor;
    ///
    /// let data = TensorDataset::new(Tensor::zeros([10, 2]), Tensor::arange(0, 10, 1));
    /// let loader = DataLoader::new(data).batch_size(4).num_workers(2);
    /// let y: Vec<_> = loader.iter().map(|(_, y)| y.to_vec::<i64>()).collect();
    /// assert_eq!(y, [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9]]);
    /// ```
    pub fn num_workers(mut self, num_workers: usize) -> Self {
        self.num_workers = num_workers;
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
        let seed = sampler::draw_base_seed(self.own_generator().as_deref_mut());
        Batches { loader: self, seed, order: None, next: 0, finished: false, ahead: None, asked: 0 }
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
    /// The threads' seed.
    seed: u64,
    /// Drawn with the first batch, if the loader has a sampler.
    order: Option<Vec<usize>>,
    /// Samples passed so far.
    next: usize,
    finished: bool,
    /// Those who gather, and the samples that they have been asked for so far.
    ahead: Option<Ahead>,
    asked: usize,
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
        // What was asked for before is not wanted.
        self.ahead = None;
    }

    /// The samples of the batch that starts at one; none if there is no such batch.
    fn which(&self, start: usize) -> Option<Which> {
        let loader = self.loader;
        let end = loader.samples().min(start + loader.batch_size);
        if start >= end || (end - start < loader.batch_size && loader.drop_last) {
            return None;
        }
        Some(match &self.order {
            Some(order) => Which::Some(order[start..end].to_vec()),
            None => Which::Range(start..end),
        })
    }

    /// The batch that starts at a sample, from the threads that gather ahead, which are asked for the next ones.
    #[track_caller]
    fn take_ahead(&mut self, start: usize) -> Option<(Tensor, Tensor)> {
        if self.ahead.is_none() {
            self.ahead = Ahead::new(&self.loader.dataset, self.loader.num_workers, self.seed);
            self.asked = start;
        }
        let mut ahead = self.ahead.take()?;
        while ahead.is_hungry()
            && let Some(which) = self.which(self.asked)
        {
            ahead.ask(which);
            self.asked += self.loader.batch_size;
        }
        let batch = ahead.take();
        self.ahead = Some(ahead);
        Some(batch)
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
        if loader.num_workers > 0
            && let Some(batch) = self.take_ahead(start)
        {
            return Some(batch);
        }
        let batch = self.which(start).map(|which| which.gather(&*loader.dataset));
        if let Some(order) = &self.order {
            loader.dataset.expect(&order[end..order.len().min(end + loader.batch_size)]);
        }
        batch
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.loader.len() - self.next.div_ceil(self.loader.batch_size);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Batches<'_> {}

#[cfg(test)]
mod tests;
