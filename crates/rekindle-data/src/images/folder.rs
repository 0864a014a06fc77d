//! Which images there are, and of which class each is.

use super::decode::{decode_into, head, wrong};
use super::{ImageSpec, Pixels, cache};
use crate::error::{Error, Result};
use rekindle_kernels::parallel;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The deepest folder below that of a class.
const DEEPEST: usize = 32;
/// The longest image file that is read.
const MOST_BYTES: u64 = 1 << 28;
/// Files that systems leave in folders.
const LEFT_BEHIND: [&str; 2] = ["Thumbs.db", "desktop.ini"];

/// The images of a folder.
///
/// The order is that of the classes, and in a class that of the files' names. Hidden files are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFolder {
    root: PathBuf,
    classes: Vec<String>,
    files: Vec<PathBuf>,
    labels: Vec<usize>,
}

impl ImageFolder {
    /// The images in a folder for each class, as in `photos/cat/1.jpg` and `photos/dog/2.jpg` (torchvision's `ImageFolder`).
    ///
    /// Classes are sorted, by their value if all names are whole numbers.
    ///
    /// # Errors
    /// If there are no two folders with images, a folder has none, a file lies beside them, or links lead in a circle.
    pub fn open(root: &Path) -> Result<ImageFolder> {
        let mut classes = Vec::new();
        for (name, path) in entries(root)? {
            if !path.is_dir() {
                let cure = "put each image into the folder of its class, and take other files away";
                return Err(wrong(&path, "a file beside the folders of the classes", cure));
            }
            classes.push((name, path));
        }
        if classes.len() < 2 {
            let what = format!("{} of the folders that a classifier needs at least two of", classes.len());
            return Err(wrong(root, what, "make a folder for each class and put its images there"));
        }
        let numbers: Option<Vec<u64>> = classes.iter().map(|(name, _)| name.parse().ok()).collect();
        if numbers.is_some() {
            classes.sort_by_key(|(name, _)| name.parse::<u64>().unwrap_or(0));
        }
        let mut all = ImageFolder { root: root.into(), classes: vec![], files: vec![], labels: vec![] };
        for (label, (name, path)) in classes.into_iter().enumerate() {
            let files = walk(&path)?;
            if files.is_empty() {
                return Err(wrong(&path, "a class without images", "put some there, or remove the folder"));
            }
            all.labels.extend(std::iter::repeat_n(label, files.len()));
            all.files.extend(files);
            all.classes.push(name);
        }
        Ok(all)
    }

    /// The images below a folder, or one image, of no class: those that a model is asked about.
    ///
    /// # Errors
    /// If there is none.
    pub fn flat(path: &Path) -> Result<ImageFolder> {
        let files = if path.is_file() { vec![path.to_path_buf()] } else { walk(path)? };
        if files.is_empty() {
            return Err(wrong(path, "a folder without images", "put some there"));
        }
        let labels = vec![0; files.len()];
        Ok(ImageFolder { root: path.into(), classes: Vec::new(), files, labels })
    }

    /// The names of the classes.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The files.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The class of each file.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The same images, at most so many at a time.
    pub fn pieces(&self, most: usize) -> impl Iterator<Item = ImageFolder> {
        let pieces = self.files.chunks(most.max(1)).zip(self.labels.chunks(most.max(1)));
        pieces.map(|(files, labels)| ImageFolder {
            root: self.root.clone(),
            classes: self.classes.clone(),
            files: files.to_vec(),
            labels: labels.to_vec(),
        })
    }

    /// What the images are like, from the beginnings of their files.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn seen(&self) -> Result<Seen> {
        let mut seen = Seen { grey: true, sizes: BTreeMap::new() };
        for path in &self.files {
            let (size, grey) = head(&bytes_of(path)?, path)?;
            seen.grey &= grey;
            *seen.sizes.entry(size).or_default() += 1;
        }
        Ok(seen)
    }

    /// Decodes all images, in parallel. With a folder to keep them in, that is done once, until a file changes.
    ///
    /// # Errors
    /// If an image cannot be read or decoded; the first in order is named.
    pub fn decode(&self, spec: &ImageSpec, kept_in: Option<&Path>) -> Result<Pixels> {
        let kept = kept_in.and_then(|folder| cache::path(folder, &self.root, spec, &self.files));
        let bytes = self.len().saturating_mul(spec.len());
        if let Some(data) = kept.as_deref().and_then(|path| cache::read(path, bytes)) {
            return Ok(Pixels { spec: *spec, data });
        }
        let mut data = Vec::new();
        if data.try_reserve_exact(bytes).is_err() {
            let [rows, columns] = spec.size;
            let what = format!("{} images of {rows} x {columns} pixels do not fit into memory", self.len());
            return Err(wrong(&self.root, what, "choose a smaller size"));
        }
        data.resize(bytes, 0);
        let failed: Mutex<Option<(usize, Error)>> = Mutex::new(None);
        parallel::chunks_mut(&mut data, spec.len().max(1), |i, out| {
            let path = &self.files[i];
            if let Err(e) = bytes_of(path).and_then(|bytes| decode_into(&bytes, path, spec, out)) {
                let mut failed = failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if failed.as_ref().is_none_or(|(first, _)| i < *first) {
                    *failed = Some((i, e));
                }
            }
        });
        if let Some((_, e)) = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            return Err(e);
        }
        kept.iter().for_each(|path| cache::write(path, &data));
        Ok(Pixels { spec: *spec, data })
    }
}

/// What the images of a folder are like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whether none has colours.
    pub grey: bool,
    /// How many images are of so many rows and columns.
    pub sizes: BTreeMap<[usize; 2], usize>,
}

impl Seen {
    /// What the images are to be turned into: what is declared, and for the rest what all of them are.
    ///
    /// # Errors
    /// If no size is declared and they have several, or a channel or a size is not possible.
    pub fn spec(&self, channels: Option<usize>, size: Option<[usize; 2]>) -> Result<ImageSpec> {
        let refuse =
            |problem: String, remedy| Err(Error::Missing { message: format!("{problem}; {remedy}") });
        let channels = channels.unwrap_or(if self.grey { 1 } else { 3 });
        let mut sizes = self.sizes.keys();
        let size = match (size, sizes.next(), sizes.next()) {
            (Some(size), ..) | (None, Some(&size), None) => size,
            (None, Some([h, w]), Some([h2, w2])) => {
                let what = format!("images of {} sizes, such as {h} x {w} and {h2} x {w2}", self.sizes.len());
                return refuse(what, "declare one, as in size = [64, 64]");
            }
            (None, None, _) => return refuse("no images".into(), "put some there"),
        };
        ImageSpec::new(channels, size)
    }
}

/// What a folder has, by name, without hidden files.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let entry = entry.map_err(Error::io(folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && !LEFT_BEHIND.contains(&name.as_str()) {
            all.push((name, entry.path()));
        }
    }
    all.sort();
    Ok(all)
}

/// All files below a folder, in order.
fn walk(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut files, mut above) = (Vec::new(), HashSet::new());
    descend(folder, &mut above, &mut files)?;
    Ok(files)
}

fn descend(folder: &Path, above: &mut HashSet<PathBuf>, files: &mut Vec<PathBuf>) -> Result<()> {
    let real = folder.canonicalize().map_err(Error::io(folder))?;
    if above.len() > DEEPEST || !above.insert(real.clone()) {
        return Err(wrong(folder, "folders that lead in a circle, or too deep", "remove the link"));
    }
    for (_, path) in entries(folder)? {
        if path.is_dir() {
            descend(&path, above, files)?;
        } else {
            files.push(path);
        }
    }
    above.remove(&real);
    Ok(())
}

fn bytes_of(path: &Path) -> Result<Vec<u8>> {
    let metadata = fs::metadata(path).map_err(Error::io(path))?;
    if !metadata.is_file() {
        return Err(wrong(path, "not a regular file", "take it out of the folder"));
    }
    if metadata.len() > MOST_BYTES {
        return Err(wrong(path, "an image file of more than 256 MiB", "make it smaller"));
    }
    fs::read(path).map_err(Error::io(path))
}
