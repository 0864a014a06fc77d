//! MNIST and Fashion-MNIST: 70,000 labelled grey images of 28 x 28, from a local folder or the network.
//!
//! Sources: Y. LeCun, C. Cortes, C. Burges, *The MNIST database of handwritten digits*;
//! H. Xiao, K. Rasul, R. Vollgraf, *Fashion-MNIST*, arXiv:1708.07747.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};

#[cfg(feature = "download")]
use {
    crate::download::{Downloader, Event},
    crate::progress::TerminalProgress,
    flate2::bufread::MultiGzDecoder,
    std::fs::File,
    std::io::{self, BufReader, Read},
};

use rekindle_kernels::parallel;
use rekindle_tensor::Tensor;

use crate::error::{Error, Result};
use crate::idx::IdxArray;
use crate::md5::Md5;

/// Where what can be made or fetched again is kept: `$XDG_CACHE_HOME/rekindle`, by default `~/.cache/rekindle`.
pub fn cache_folder() -> PathBuf {
    Root::from_env().cache
}

/// The digits 0 to 9, 60,000 for training and 10,000 for testing.
///
/// ```no_run
/// let train = rekindle_data::mnist("data").train()?;
/// let (x, y) = train.tensors();
/// assert_eq!((x.shape(), y.shape()), (&[60_000, 1, 28, 28][..], &[60_000][..]));
///
/// // Zeros, then ones, as rows for a linear layer.
/// let (x, y) = train.pick(&[0, 1]).tensors();
/// let (x, y) = (x.reshape([-1, 784]), y.float().reshape([-1, 1]));
/// assert_eq!(x.shape(), [12_665, 784]);
/// # Ok::<(), rekindle_data::Error>(())
/// ```
pub fn mnist(root: impl Into<Root>) -> ImageSource {
    ImageSet::Mnist.open(root)
}

/// Ten kinds of clothes, in the format and the numbers of [`mnist`].
///
/// ```no_run
/// let test = rekindle_data::fashion_mnist("data").test()?;
/// assert_eq!(test.classes[test.labels[0] as usize], "Ankle boot");
/// # Ok::<(), rekindle_data::Error>(())
/// ```
pub fn fashion_mnist(root: impl Into<Root>) -> ImageSource {
    ImageSet::FashionMnist.open(root)
}

/// Enough work for a thread to be worth waking.
const PIXELS_PER_TASK: usize = 1 << 18;

/// Which set of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageSet {
    /// See [`mnist`].
    Mnist,
    /// See [`fashion_mnist`].
    FashionMnist,
}

impl ImageSet {
    /// The set in a folder or, for [`Root::from_env`], wherever it can be had.
    pub fn open(self, root: impl Into<Root>) -> ImageSource {
        let set = match self {
            Self::Mnist => &MNIST,
            Self::FashionMnist => &FASHION_MNIST,
        };
        ImageSource { set, root: root.into() }
    }
}

/// A published set: where it is and how to recognise it.
struct PublishedSet {
    name: &'static str,
    /// Folders inside a data folder: ours, then torchvision's.
    folders: [&'static str; 2],
    #[cfg_attr(not(feature = "download"), allow(dead_code))]
    mirror: &'static str,
    classes: [&'static str; 10],
    train: [PublishedFile; 2],
    test: [PublishedFile; 2],
}

/// A file of a set; `md5` and `size` are those of its uncompressed bytes.
struct PublishedFile {
    name: &'static str,
    md5: &'static str,
    #[cfg_attr(not(feature = "download"), allow(dead_code))]
    size: u64,
}

const fn published(name: &'static str, md5: &'static str, size: u64) -> PublishedFile {
    PublishedFile { name, md5, size }
}

#[cfg(feature = "download")]
impl PublishedFile {
    /// Says what is wrong with a gzipped copy, reading no more than the true size.
    fn check(&self, path: &Path) -> Result<(), String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let mut content = MultiGzDecoder::new(BufReader::new(file)).take(self.size + 1);
        let mut md5 = Md5::new();
        io::copy(&mut content, &mut md5).map_err(|error| format!("what came is not gzip ({error})"))?;
        match md5.finish().to_string() {
            found if found == self.md5 => Ok(()),
            found => Err(format!("wrong checksum {found}, expected {}", self.md5)),
        }
    }
}

static MNIST: PublishedSet = PublishedSet {
    name: "mnist",
    folders: ["mnist", "MNIST/raw"],
    mirror: "https://ossci-datasets.s3.amazonaws.com/mnist",
    classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    train: [
        published("train-images-idx3-ubyte", "6bbc9ace898e44ae57da46a324031adb", 47_040_016),
        published("train-labels-idx1-ubyte", "a25bea736e30d166cdddb491f175f624", 60_008),
    ],
    test: [
        published("t10k-images-idx3-ubyte", "2646ac647ad5339dbf082846283269ea", 7_840_016),
        published("t10k-labels-idx1-ubyte", "27ae3e4e09519cfbb04c329615203637", 10_008),
    ],
};

static FASHION_MNIST: PublishedSet = PublishedSet {
    name: "fashion-mnist",
    folders: ["fashion-mnist", "FashionMNIST/raw"],
    mirror: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    classes: [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ],
    train: [
        published("train-images-idx3-ubyte", "f4a8712d7a061bf5bd6d2ca38dc4d50a", 47_040_016),
        published("train-labels-idx1-ubyte", "9018921c3c673c538a1fc5bad174d6f9", 60_008),
    ],
    test: [
        published("t10k-images-idx3-ubyte", "8181f5470baa50b63fa0f6fddb340f0a", 7_840_016),
        published("t10k-labels-idx1-ubyte", "15d484375f8d13e6eb1aabb0c3f46965", 10_008),
    ],
};

/// Where data sets are: a folder of the user's, or the cache, which is filled from a mirror.
///
/// ```no_run
/// use rekindle_data::{Root, mnist};
/// let mirror = Root::from_env().with_cache("cache").with_mirror("http://localhost:8000").quietly();
/// let train = mnist(mirror).train()?;
/// # Ok::<(), rekindle_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The user's folder. Nothing is fetched if there is one.
    folder: Option<PathBuf>,
    cache: PathBuf,
    mirror: Option<String>,
    quiet: bool,
}

impl Root {
    /// The folder in `REKINDLE_DATA`; without it the cache, filled from `REKINDLE_MIRROR` or, without that,
    /// from each set's own address.
    ///
    /// The cache is `$XDG_CACHE_HOME/rekindle`, by default `~/.cache/rekindle`.
    pub fn from_env() -> Self {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        let home =
            || set("HOME").or_else(|| set("USERPROFILE")).map(|home| PathBuf::from(home).join(".cache"));
        let cache = set("XDG_CACHE_HOME").map(PathBuf::from).or_else(home).unwrap_or_else(env::temp_dir);
        Self {
            folder: set("REKINDLE_DATA").map(PathBuf::from),
            cache: cache.join("rekindle"),
            mirror: set("REKINDLE_MIRROR").map(|url| url.to_string_lossy().into_owned()),
            quiet: false,
        }
    }

    /// The same root reading `folder` and nothing else.
    pub fn with_folder(self, folder: impl Into<PathBuf>) -> Self {
        Self { folder: Some(folder.into()), ..self }
    }

    /// The user's folder, if it is one and not the cache.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The same root keeping what it fetches in `cache`.
    pub fn with_cache(self, cache: impl Into<PathBuf>) -> Self {
        Self { folder: None, cache: cache.into(), ..self }
    }

    /// The same root fetching from `url`, which serves `mnist/train-images-idx3-ubyte.gz` and so on.
    pub fn with_mirror(self, url: impl Into<String>) -> Self {
        Self { mirror: Some(url.into()), ..self }
    }

    /// The same root fetching without a word; otherwise progress is shown on standard error.
    pub fn quietly(self) -> Self {
        Self { quiet: true, ..self }
    }
}

impl<P: AsRef<Path> + ?Sized> From<&P> for Root {
    fn from(folder: &P) -> Self {
        Self::from_env().with_folder(folder.as_ref())
    }
}

/// `None` stands for [`Root::from_env`].
impl<P: AsRef<Path>> From<Option<P>> for Root {
    fn from(folder: Option<P>) -> Self {
        match folder {
            Some(folder) => Self::from(folder.as_ref()),
            None => Self::from_env(),
        }
    }
}

/// A set of images about to be read, see [`mnist`].
pub struct ImageSource {
    set: &'static PublishedSet,
    root: Root,
}

/// Grey images and their labels.
///
/// ```
/// use rekindle_data::{IdxArray, LabelledImages};
/// let images = IdxArray { shape: vec![2, 1, 1], data: vec![0, 255] };
/// let set = LabelledImages { images, labels: vec![1, 0], classes: &["zero", "one"] };
/// let (x, y) = set.pick(&[0, 1]).tensors();
/// assert_eq!((x.to_vec::<f32>(), y.to_vec::<i64>()), (vec![1.0, 0.0], vec![0, 1]));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledImages {
    /// Shape `[n, height, width]`.
    pub images: IdxArray,
    /// `n` indices of classes.
    pub labels: Vec<u8>,
    /// The names of the classes.
    pub classes: &'static [&'static str],
}

impl ImageSource {
    /// The training images.
    ///
    /// # Errors
    /// If the files are nowhere and cannot be fetched, or are damaged, or do not belong together.
    pub fn train(&self) -> Result<LabelledImages> {
        self.read(&self.set.train)
    }

    /// The test images.
    ///
    /// # Errors
    /// As [`train`](Self::train).
    pub fn test(&self) -> Result<LabelledImages> {
        self.read(&self.set.test)
    }

    /// Reads a pair of files. What is damaged in the cache is moved aside and fetched once more, because nobody else
    /// looks after the cache.
    fn read(&self, files: &'static [PublishedFile; 2]) -> Result<LabelledImages> {
        let [images, labels] = [self.locate(&files[0])?, self.locate(&files[1])?];
        match self.read_pair(&images, &labels) {
            Err(Error::Malformed { .. }) if self.root.folder.is_none() && cfg!(feature = "download") => {
                set_aside(&images)?;
                set_aside(&labels)?;
                self.read_pair(&self.locate(&files[0])?, &self.locate(&files[1])?)
            }
            result => result,
        }
    }

    fn read_pair(&self, images_path: &Path, labels_path: &Path) -> Result<LabelledImages> {
        let images = read_rank(images_path, 3, "images, rows and columns")?;
        let labels = read_rank(labels_path, 1, "labels")?;
        self.check_labels(labels_path, &labels)?;
        let (n, m) = (images.shape[0], labels.shape[0]);
        if n != m {
            let problem = format!("{m} labels for the {n} images in {}", images_path.display());
            return Err(malformed(labels_path, 4, problem, "take both files from the same place"));
        }
        Ok(LabelledImages { images, labels: labels.data, classes: &self.set.classes })
    }

    fn check_labels(&self, path: &Path, labels: &IdxArray) -> Result<()> {
        let classes = self.set.classes.len();
        if let Some(i) = labels.data.iter().position(|&label| usize::from(label) >= classes) {
            let problem = format!(
                "label {} of {} is {}, expected 0 to {}",
                i,
                labels.data.len(),
                labels.data[i],
                classes - 1
            );
            return Err(malformed(path, 8 + i as u64, problem, "copy or download the file again"));
        }
        // The files of both sets have the same names, so that a folder is easily mistaken for the other.
        for other in [&MNIST, &FASHION_MNIST].into_iter().filter(|other| other.name != self.set.name) {
            if [&other.train, &other.test].iter().any(|files| files[1].md5 == labels.md5()) {
                let problem = format!("these are the labels of {}, not of {}", other.name, self.set.name);
                return Err(malformed(path, 8, problem, "give the folder of the other set"));
            }
        }
        Ok(())
    }

    /// The path of a file, which is fetched first if need be.
    fn locate(&self, file: &'static PublishedFile) -> Result<PathBuf> {
        match &self.root.folder {
            Some(folder) => self.find_in(folder, file).ok_or_else(|| self.missing(folder, file)),
            None => match self.find_in(&self.root.cache, file) {
                Some(path) => Ok(path),
                None => self.fetch(file),
            },
        }
    }

    fn find_in(&self, folder: &Path, file: &PublishedFile) -> Option<PathBuf> {
        let [ours, torchvision] = self.set.folders;
        let folders = [folder.join(ours), folder.join(torchvision), folder.to_path_buf()];
        let names = [file.name.to_string(), format!("{}.gz", file.name)];
        folders
            .iter()
            .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
            .find(|path| path.exists())
    }

    fn missing(&self, folder: &Path, file: &PublishedFile) -> Error {
        let [ours, torchvision] = self.set.folders;
        let (name, file, folder) = (self.set.name, file.name, folder.display());
        Error::Missing {
            message: format!(
                "{name}: neither {file} nor {file}.gz is in {folder}, {folder}/{ours} or {folder}/{torchvision}; \
                 give the folder that holds {ours}/, or none to download it"
            ),
        }
    }

    #[cfg(feature = "download")]
    fn fetch(&self, file: &'static PublishedFile) -> Result<PathBuf> {
        let folder = self.set.folders[0];
        let base = match &self.root.mirror {
            Some(mirror) => format!("{}/{folder}", mirror.trim_end_matches('/')),
            None => self.set.mirror.to_string(),
        };
        let url = format!("{base}/{}.gz", file.name);
        let target = self.root.cache.join(folder).join(format!("{}.gz", file.name));
        let mut progress = TerminalProgress::new();
        let mut report = |event: Event<'_>| {
            if !self.root.quiet {
                progress.report(event);
            }
        };
        // Gzip adds next to nothing to what it cannot compress.
        let limit = file.size + (1 << 16);
        Downloader::new().fetch(&url, &target, limit, &|path| file.check(path), &mut report)?;
        Ok(target)
    }

    #[cfg(not(feature = "download"))]
    fn fetch(&self, file: &'static PublishedFile) -> Result<PathBuf> {
        let (name, file, folder) = (self.set.name, file.name, self.root.cache.join(self.set.folders[0]));
        let message = format!(
            "{name}: {file} is not in {}; put it there or give its folder in REKINDLE_DATA \
             (this build cannot download: feature `download` is off)",
            folder.display()
        );
        Err(Error::Missing { message })
    }
}

impl LabelledImages {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The images as f32 `[n, 1, height, width]` from 0 to 1, the bytes divided by 255 as torchvision's
    /// `ToTensor` does, and the labels as i64 `[n]`.
    pub fn tensors(&self) -> (Tensor, Tensor) {
        let brightness: [f32; 256] = std::array::from_fn(|byte| byte as f32 / 255.0);
        let mut values = vec![0.0; self.images.data.len()];
        parallel::chunks_mut(&mut values, PIXELS_PER_TASK, |task, values| {
            let bytes = &self.images.data[task * PIXELS_PER_TASK..];
            for (value, &byte) in values.iter_mut().zip(bytes) {
                *value = brightness[usize::from(byte)];
            }
        });
        let [n, height, width] = self.images.shape[..] else { unreachable!("images have three dimensions") };
        let labels = self.labels.iter().map(|&label| i64::from(label)).collect();
        (Tensor::from_vec(values, [n, 1, height, width]), Tensor::from_vec(labels, [n]))
    }

    /// The images of some classes: all of the first class, then all of the second, each in file order.
    ///
    /// # Panics
    /// If a class is not one of [`classes`](Self::classes).
    #[track_caller]
    pub fn pick(&self, classes: &[usize]) -> Self {
        let known = self.classes.len();
        if let Some(class) = classes.iter().find(|&&class| class >= known) {
            rekindle_tensor::mistake!(
                "pick: class {class} is out of range; the classes are 0 to {}",
                known - 1
            );
        }
        let pixels: usize = self.images.shape[1..].iter().product();
        let of_class =
            |&class: &usize| (0..self.len()).filter(move |&i| usize::from(self.labels[i]) == class);
        let chosen: Vec<usize> = classes.iter().flat_map(of_class).collect();
        let mut shape = self.images.shape.clone();
        shape[0] = chosen.len();
        let image = |&i: &usize| &self.images.data[i * pixels..(i + 1) * pixels];
        Self {
            images: IdxArray { shape, data: chosen.iter().flat_map(image).copied().collect() },
            labels: chosen.iter().map(|&i| self.labels[i]).collect(),
            classes: self.classes,
        }
    }
}

fn read_rank(path: &Path, rank: usize, dimensions: &str) -> Result<IdxArray> {
    let array = IdxArray::read(path)?;
    if array.shape.len() == rank {
        return Ok(array);
    }
    let problem = format!("rank {}, expected {rank} ({dimensions})", array.shape.len());
    Err(malformed(path, 3, problem, "is this the right file?"))
}

/// Gives a file the name `NAME.damaged`, under which nothing looks for it.
fn set_aside(path: &Path) -> Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".damaged");
    std::fs::rename(path, &aside).map_err(Error::io(path))
}

fn malformed(path: &Path, offset: u64, problem: String, remedy: &'static str) -> Error {
    Error::Malformed { path: path.to_path_buf(), offset, problem, remedy }
}

impl IdxArray {
    /// The MD5 digest of the array as an uncompressed file, in hexadecimal.
    pub(crate) fn md5(&self) -> String {
        let mut md5 = Md5::new();
        let sizes = self.shape.iter().flat_map(|&size| (size as u32).to_be_bytes());
        let header: Vec<u8> = [0, 0, 8, self.shape.len() as u8].into_iter().chain(sizes).collect();
        for part in [&header, &self.data] {
            md5.write_all(part).expect("hashing does not fail");
        }
        md5.finish().to_string()
    }
}

#[cfg(test)]
mod tests;
