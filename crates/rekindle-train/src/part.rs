//! Inputs and targets, and the parts of the data that a run has.

use crate::checkpoint::digest;
use crate::sets::Kind;
use crate::signature::{Input, Signature};
use crate::source::Source;
use rekindle_data::{Dataset, SpilledRows, TensorDataset};
use rekindle_tensor::{DType, Device, Tensor};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Inputs and targets.
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::Part;
///
/// let part = Part::new(tensor([[1.0], [2.0], [3.0]]), tensor([0, 1, 1]));
/// assert_eq!((part.len(), part.sample_shape()), (3, vec![1]));
/// assert_eq!(part.pick(&[2, 0]).x().to_vec::<f32>(), [3.0, 1.0]);
/// assert_eq!(part.class_counts(2), [1, 2]);
/// ```
#[derive(Clone, Debug)]
pub struct Part {
    x: Inputs,
    /// The targets as the loss expects them.
    pub y: Tensor,
    places: Option<Arc<[Place]>>,
}

/// The inputs of all samples.
#[derive(Clone)]
enum Inputs {
    Memory(Tensor),
    /// Rows of a temporary file, in some order.
    Disk(Arc<SpilledRows>, Arc<[usize]>),
}

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Inputs::Memory(x) => write!(f, "{x:?}"),
            Inputs::Disk(rows, which) => write!(f, "{} of {} rows on disk", which.len(), rows.len()),
        }
    }
}

/// Where a sample comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of a table's file, counted from 1.
    Line(u64),
    /// An image.
    File(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(line) => write!(f, "line {line}"),
            Place::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Part {
    /// Samples with their targets.
    pub fn new(x: Tensor, y: Tensor) -> Part {
        Part { x: Inputs::Memory(x), y, places: None }
    }

    /// Samples whose inputs are on disk.
    pub(crate) fn on_disk(rows: SpilledRows, y: Tensor) -> Part {
        let all: Vec<usize> = (0..rows.len()).collect();
        Part { x: Inputs::Disk(Arc::new(rows), all.into()), y, places: None }
    }

    /// Says where each sample comes from, for those who look at mistakes.
    pub(crate) fn with_places(self, places: impl IntoIterator<Item = Place>) -> Part {
        Part { places: Some(places.into_iter().collect()), ..self }
    }

    /// Where a sample comes from, if that is known.
    pub fn place(&self, sample: usize) -> Option<&Place> {
        self.places.as_ref()?.get(sample)
    }

    pub(crate) fn places(&self) -> Option<Arc<[Place]>> {
        self.places.clone()
    }

    /// All inputs, f32; the first dimension counts the samples. Of inputs on disk this takes as much memory as there are.
    #[track_caller]
    pub fn x(&self) -> Tensor {
        match &self.x {
            Inputs::Memory(x) => x.clone(),
            Inputs::Disk(..) => self.inputs(0, self.len()),
        }
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        match &self.x {
            Inputs::Memory(x) => x.size(0),
            Inputs::Disk(_, which) => which.len(),
        }
    }

    /// The part with its numbers on a device, if they are in memory and the device has room for them beside the net: no more than a quarter
    /// of its memory.
    pub(crate) fn on(&self, device: Device) -> Part {
        let Inputs::Memory(x) = &self.x else { return self.clone() };
        let bytes = [x, &self.y].map(|t| t.numel() as u64 * 4);
        let room = match device {
            Device::Gpu(index) => Device::gpus().get(index).is_some_and(|gpu| {
                bytes[0] <= gpu.max_tensor && bytes[0] <= gpu.memory.unwrap_or(1 << 32) / 4
            }),
            _ => true,
        };
        // What a GPU cannot hold, it cannot compute with: that was said before.
        if !room || x.device() == device {
            return self.clone();
        }
        Part { x: Inputs::Memory(x.to(device)), y: self.y.to(device), places: self.places.clone() }
    }

    /// The same samples with their targets elsewhere.
    pub(crate) fn with_targets(&self, y: Tensor) -> Part {
        Part { y, ..self.clone() }
    }

    /// Whether the inputs are read from the disk when they are needed.
    pub(crate) fn is_on_disk(&self) -> bool {
        matches!(self.x, Inputs::Disk(..))
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of the input of one sample.
    pub fn sample_shape(&self) -> Vec<usize> {
        match &self.x {
            Inputs::Memory(x) => x.shape()[1..].to_vec(),
            Inputs::Disk(rows, _) => vec![rows.width()],
        }
    }

    /// The inputs of `n` samples from `start` on.
    ///
    /// # Panics
    /// If there are not so many, or they cannot be read from the disk.
    #[track_caller]
    pub fn inputs(&self, start: usize, n: usize) -> Tensor {
        match &self.x {
            Inputs::Memory(x) => x.narrow(0, start, n),
            Inputs::Disk(rows, which) => read(rows, &which[start..start + n]),
        }
    }

    /// The first samples, or all if there are no more.
    pub fn first(&self, n: usize) -> Part {
        let n = n.min(self.len());
        let x = match &self.x {
            Inputs::Memory(x) => Inputs::Memory(x.narrow(0, 0, n)),
            Inputs::Disk(rows, which) => Inputs::Disk(rows.clone(), which[..n].into()),
        };
        Part { x, y: self.y.narrow(0, 0, n), places: self.places.clone() }
    }

    /// Some samples, in this order.
    ///
    /// # Panics
    /// If there is no such sample.
    #[track_caller]
    pub fn pick(&self, samples: &[usize]) -> Part {
        let places = self.places.as_ref().map(|all| samples.iter().map(|&s| all[s].clone()).collect());
        let x = match &self.x {
            Inputs::Memory(x) => Inputs::Memory(select(x, samples)),
            Inputs::Disk(rows, which) => {
                Inputs::Disk(rows.clone(), samples.iter().map(|&s| which[s]).collect())
            }
        };
        Part { x, y: select(&self.y, samples), places }
    }

    /// The samples for a [`DataLoader`](rekindle_data::DataLoader).
    pub fn dataset(&self) -> Box<dyn Dataset> {
        match &self.x {
            Inputs::Memory(x) => Box::new(TensorDataset::new(x.clone(), self.y.clone())),
            Inputs::Disk(..) => Box::new(OnDisk(self.clone())),
        }
    }

    /// What is judged and drawn: all samples, but of more than 100,000 on disk so many, evenly spaced, because curves and
    /// areas need all scores in memory.
    pub(crate) fn at_hand(&self) -> Cow<'_, Part> {
        const MOST_FROM_DISK: usize = 100_000;
        match self.x {
            Inputs::Disk(..) if self.len() > MOST_FROM_DISK => {
                Cow::Owned(self.pick(&spaced(self.len(), MOST_FROM_DISK)))
            }
            _ => Cow::Borrowed(self),
        }
    }

    /// What tells this data from other data: a digest of all targets and of the inputs of 10,000 samples, evenly spaced.
    pub(crate) fn fingerprint(&self) -> [u8; 16] {
        const MOST: usize = 10_000;
        let some = self.pick(&spaced(self.len(), MOST));
        let mut bytes = Vec::new();
        for t in [self.y.cpu(), some.x().cpu()] {
            bytes.extend(t.shape().iter().flat_map(|n| n.to_le_bytes()));
            match t.dtype() {
                DType::F32 => bytes.extend(t.data::<f32>().iter().flat_map(|v| v.to_le_bytes())),
                _ => bytes.extend(t.to_f64_vec().iter().flat_map(|v| v.to_le_bytes())),
            }
        }
        digest(&bytes)
    }

    /// How many samples each class has.
    pub fn class_counts(&self, classes: usize) -> Vec<usize> {
        let mut counts = vec![0; classes];
        for class in class_numbers(&self.y).to_vec::<i64>() {
            if let Some(count) = usize::try_from(class).ok().and_then(|class| counts.get_mut(class)) {
                *count += 1;
            }
        }
        counts
    }
}

/// Samples whose inputs are on disk, gathered as [`TensorDataset`] gathers those in memory.
struct OnDisk(Part);

impl Dataset for OnDisk {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, index: usize) -> (Tensor, Tensor) {
        (self.0.inputs(index, 1).squeeze_dim(0), self.0.y.select(0, index as isize))
    }

    fn batch(&self, indices: &[usize]) -> (Tensor, Tensor) {
        let part = self.0.pick(indices);
        (part.x(), part.y)
    }

    fn range(&self, range: Range<usize>) -> (Tensor, Tensor) {
        let n = range.len();
        (self.0.inputs(range.start, n), self.0.y.narrow(0, range.start, n))
    }
}

/// What the disk does not give back is a mistake, which whoever runs a recipe turns into an error.
#[track_caller]
fn read(rows: &SpilledRows, which: &[usize]) -> Tensor {
    match rows.rows(which) {
        Ok(x) => x,
        Err(e) => rekindle_tensor::mistake!("data: the temporary file of its rows cannot be read: {e}"),
    }
}

/// Class numbers, from numbers, zeros and ones, or one-hot rows.
pub(crate) fn class_numbers(y: &Tensor) -> Tensor {
    match y.shape() {
        [_, columns] if *columns > 1 => y.argmax_dim(1, false),
        _ => y.flatten(0, -1).to(DType::I64),
    }
}

/// So many of `n` places, evenly spaced; all if there are no more.
pub(crate) fn spaced(n: usize, most: usize) -> Vec<usize> {
    let some = n.min(most);
    (0..some).map(|i| (i as u128 * n as u128 / some as u128) as usize).collect()
}

pub(crate) fn select(x: &Tensor, rows: &[usize]) -> Tensor {
    x.index_select(0, &Tensor::from_vec(rows.iter().map(|&r| r as i64).collect(), rows.len()).to(x.device()))
}

/// What a recipe trains on, validates and tests with.
#[derive(Clone, Debug)]
pub struct Data {
    /// The samples to train on.
    pub train: Part,
    /// The samples that are looked at while training goes on, if the recipe sets some aside.
    pub validation: Option<Part>,
    /// The samples to test with.
    pub test: Part,
    /// What the targets are.
    pub kind: Kind,
    /// The names of the classes or labels; none for regression.
    pub classes: Vec<String>,
    /// What inputs are made from.
    pub input: Input,
    /// Whether a sample is an image of so many channels, rows and columns, also where it is given as one row of pixels.
    pub image: Option<[usize; 3]>,
    /// Where it comes from, with nothing left to be guessed or looked for.
    pub source: Source,
    /// What somebody should know about the data before it is trained on.
    pub remarks: Vec<String>,
}

impl Data {
    /// The parts that have samples, with their names, in the order in which they are reported.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &Part)> {
        let validation = self.validation.as_ref().map(|part| ("validation", part));
        let all = [("train", &self.train)].into_iter().chain(validation).chain([("test", &self.test)]);
        all.filter(|(_, part)| !part.is_empty())
    }

    /// What a model that learned from this data must know to be asked again.
    pub fn signature(&self) -> Signature {
        Signature { kind: self.kind, classes: self.classes.clone(), input: self.input.clone() }
    }

    /// A remark on classes of which one has many times the samples of another.
    pub(crate) fn remark_on_balance(&mut self) {
        const MANY: usize = 4;
        if self.kind != Kind::Classes {
            return;
        }
        let counts = self.train.class_counts(self.classes.len());
        let of = |count: Option<usize>| {
            let count = count?;
            Some((count, self.classes.get(counts.iter().position(|&n| n == count)?)?))
        };
        let (Some((least, rare)), Some((most, common))) =
            (of(counts.iter().min().copied()), of(counts.iter().max().copied()))
        else {
            return;
        };
        if most >= MANY * least.max(1) {
            self.remarks.push(format!(
                "unbalanced classes: {most} training samples of {common}, {least} of {rare}; look at the recall of each class, or set class_weights = \"balanced\""
            ));
        }
    }
}
