//! Data sets: samples by number, each an input and a target.

use std::ops::Range;
use std::sync::Arc;

use rekindle_kernels::prefetch;
use rekindle_tensor::random::with_default;
use rekindle_tensor::{DType, Device, Tensor};

use crate::split::{self, PartSize};

/// Samples that a [`DataLoader`](crate::DataLoader) can gather into batches.
///
/// [`len`](Self::len) and [`get`](Self::get) are enough; the others are there to be made faster.
///
/// ```
/// use rekindle_data::{Dataset, DataLoader};
/// use rekindle_tensor::{Tensor, tensor};
///
/// /// The numbers and their squares.
/// struct Squares;
///
/// impl Dataset for Squares {
///     fn len(&self) -> usize {
///         5
///     }
///     fn get(&self, i: usize) -> (Tensor, Tensor) {
///         (tensor([i as f32]), tensor([(i * i) as f32]))
///     }
/// }
///
/// let (x, y) = DataLoader::new(Squares).batch_size(4).iter().next().unwrap();
/// assert_eq!(x.shape(), [4, 1]);
/// assert_eq!(y.to_vec::<f32>(), [0.0, 1.0, 4.0, 9.0]);
/// ```
pub trait Dataset: Send + Sync {
    /// The number of samples.
    fn len(&self) -> usize;

    /// The input and the target of sample `index`.
    fn get(&self, index: usize) -> (Tensor, Tensor);

    /// Whether there are no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The inputs and the targets of several samples, each stacked along a new first dimension.
    fn batch(&self, indices: &[usize]) -> (Tensor, Tensor) {
        let (inputs, targets): (Vec<_>, Vec<_>) = indices.iter().map(|&index| self.get(index)).unzip();
        let stack = |samples: &[Tensor]| Tensor::stack(&samples.iter().collect::<Vec<_>>(), 0);
        (stack(&inputs), stack(&targets))
    }

    /// Says that these samples are probably wanted next, so that they may be on their way. By default nobody listens.
    fn expect(&self, _indices: &[usize]) {}

    /// [`batch`](Self::batch) of consecutive samples, which may be views of a larger tensor.
    fn range(&self, range: Range<usize>) -> (Tensor, Tensor) {
        self.batch(&range.collect::<Vec<_>>())
    }
}

/// A pointer to samples is samples.
macro_rules! pointers {
    ($($Pointer:ident),*) => {$(
        impl<D: Dataset + ?Sized> Dataset for $Pointer<D> {
            fn len(&self) -> usize {
                (**self).len()
            }
            fn get(&self, index: usize) -> (Tensor, Tensor) {
                (**self).get(index)
            }
            fn batch(&self, indices: &[usize]) -> (Tensor, Tensor) {
                (**self).batch(indices)
            }
            fn expect(&self, indices: &[usize]) {
                (**self).expect(indices);
            }
            fn range(&self, range: Range<usize>) -> (Tensor, Tensor) {
                (**self).range(range)
            }
        }
    )*};
}
pointers!(Arc, Box);

/// Numbers of a batch that may come to the cache before they are used, beside what is used now.
const CACHED: usize = 32 * 1024;

/// Samples in two tensors: row `i` of one is the input, row `i` of the other the target.
///
/// ```
/// use rekindle_data::{Dataset, TensorDataset};
/// use rekindle_tensor::tensor;
///
/// let ds = TensorDataset::new(tensor([[1.0, 2.0], [3.0, 4.0]]), tensor([0, 1]));
/// let (x, y) = ds.get(1);
/// assert_eq!((x.to_vec::<f32>(), y.item::<i64>()), (vec![3.0, 4.0], 1));
/// ```
#[derive(Clone)]
pub struct TensorDataset {
    x: Tensor,
    y: Tensor,
}

impl TensorDataset {
    /// The samples `(x[i], y[i])`.
    ///
    /// # Panics
    /// If `x` and `y` do not have the same number of rows.
    #[track_caller]
    pub fn new(x: Tensor, y: Tensor) -> Self {
        match (x.shape().first(), y.shape().first()) {
            (Some(n), Some(m)) if n == m => Self { x: x.contiguous(), y: y.contiguous() },
            _ => rekindle_tensor::mistake!(
                "tensor_dataset: x and y must have as many rows as each other: {:?} and {:?}",
                x.shape(),
                y.shape()
            ),
        }
    }
}

impl Dataset for TensorDataset {
    fn len(&self) -> usize {
        self.x.shape()[0]
    }
    fn get(&self, index: usize) -> (Tensor, Tensor) {
        (self.x.select(0, index as isize), self.y.select(0, index as isize))
    }
    fn batch(&self, indices: &[usize]) -> (Tensor, Tensor) {
        let rows = Tensor::from_vec(indices.iter().map(|&i| i as i64).collect(), [indices.len()]);
        let rows = rows.to(self.x.device());
        (self.x.index_select(0, &rows), self.y.index_select(0, &rows))
    }
    /// Rows in random order come from main memory: these go to the cache while the batch before is worked on.
    fn expect(&self, indices: &[usize]) {
        let width = self.x.numel() / self.len().max(1);
        let here = self.x.device() == Device::Cpu && self.x.dtype() == DType::F32;
        if here && indices.len() * width <= CACHED {
            let x = self.x.data::<f32>();
            let row = |&i: &usize| x.get(i * width..(i + 1) * width);
            indices.iter().filter_map(row).for_each(prefetch::slice);
        }
    }
    fn range(&self, range: Range<usize>) -> (Tensor, Tensor) {
        let rows = |tensor: &Tensor| tensor.narrow(0, range.start, range.len());
        (rows(&self.x), rows(&self.y))
    }
}

/// Some samples of a data set, in an order of their own.
#[derive(Clone)]
pub struct Subset {
    dataset: Arc<dyn Dataset>,
    indices: Arc<[usize]>,
}

impl Subset {
    /// The samples of `dataset` at `indices`.
    ///
    /// # Panics
    /// If an index is out of range.
    #[track_caller]
    pub fn new(dataset: impl Dataset + 'static, indices: impl Into<Arc<[usize]>>) -> Self {
        let (n, indices) = (dataset.len(), indices.into());
        if let Some(index) = indices.iter().find(|&&index| index >= n) {
            rekindle_tensor::mistake!("subset: index {index} is out of range for {n} samples");
        }
        Self { dataset: Arc::new(dataset), indices }
    }

    /// The numbers of the samples in the whole data set.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

impl Dataset for Subset {
    fn len(&self) -> usize {
        self.indices.len()
    }
    fn get(&self, index: usize) -> (Tensor, Tensor) {
        self.dataset.get(self.indices[index])
    }
    fn batch(&self, indices: &[usize]) -> (Tensor, Tensor) {
        self.dataset.batch(&indices.iter().map(|&i| self.indices[i]).collect::<Vec<_>>())
    }
    fn expect(&self, indices: &[usize]) {
        let there = indices.iter().filter_map(|&i| self.indices.get(i).copied());
        self.dataset.expect(&there.collect::<Vec<_>>());
    }
    fn range(&self, range: Range<usize>) -> (Tensor, Tensor) {
        self.dataset.batch(&self.indices[range])
    }
}

/// Shuffles a data set into parts: counts that add up to all samples, or fractions that add up to one (each
/// rounded down; samples left over go to the first parts). Draws one permutation from the default generator,
/// as PyTorch's `random_split` does; inside [`with_generator`](rekindle_tensor::random::with_generator) from another.
///
/// # Panics
/// If the parts do not add up, or counts and fractions are mixed.
///
/// ```
/// use rekindle_data::{Dataset, TensorDataset, random_split};
/// use rekindle_tensor::{Tensor, random};
///
/// random::manual_seed(1);
/// let ds = TensorDataset::new(Tensor::zeros([10, 2]), Tensor::zeros([10]));
/// let parts = random_split(ds, &[0.7, 0.3]);
/// assert_eq!(parts[1].indices(), [3, 7, 4]);
///
/// // random_split(ds, [7, 3], generator=torch.Generator().manual_seed(0))
/// let ds = TensorDataset::new(Tensor::zeros([10, 2]), Tensor::zeros([10]));
/// let parts = random::with_generator(&mut random::Generator::seeded(0), || random_split(ds, &[7, 3]));
/// assert_eq!(parts[1].indices(), [8, 6, 2]);
/// ```
#[track_caller]
pub fn random_split<S: Into<PartSize> + Copy>(dataset: impl Dataset + 'static, parts: &[S]) -> Vec<Subset> {
    let n = dataset.len();
    let (mut counts, mut fractions) = (Vec::new(), Vec::new());
    for &part in parts {
        match part.into() {
            PartSize::Count(count) => counts.push(count),
            PartSize::Fraction(fraction) => fractions.push(fraction),
        }
    }
    if !fractions.is_empty() {
        if !counts.is_empty() {
            rekindle_tensor::mistake!("random_split: give counts or fractions, not both");
        }
        counts = split::lengths_of_fractions(n, &fractions);
    }
    let sum: usize = counts.iter().sum();
    if sum != n {
        rekindle_tensor::mistake!("random_split: {counts:?} add up to {sum}, but there are {n} samples");
    }
    let dataset: Arc<dyn Dataset> = Arc::new(dataset);
    let parts = with_default(|generator| split::random_split(&counts, generator));
    parts.into_iter().map(|part| Subset { dataset: dataset.clone(), indices: part.into() }).collect()
}
