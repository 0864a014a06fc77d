//! Images of the user's, a folder for each class, as the data of a recipe.

use super::{
    Loading, Reads, Sketch, Source, SplitSizes, Targets, absolute, as_targets, comment, find, suits,
};
use crate::draft::quoted;
use crate::error::Error;
use crate::objective::Objective;
use crate::part::{Data, Part, Place};
use crate::sets::Kind;
use crate::signature::{ImageInput, Input, Signature};
use rekindle_data::cache_folder;
use rekindle_data::images::{ImageFolder, ImageSpec, Seen};
use rekindle_tensor::Tensor;
use serde::{Deserialize, Deserializer, Serialize};
use std::path::{Path, PathBuf};

/// A folder for each class. What is left out is taken from the images, and written down in the run's `config.toml`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagesSource {
    /// The folder of the folders.
    pub images: PathBuf,
    /// Another one to test with; then no images of the first are kept for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_images: Option<PathBuf>,
    /// Rows and columns that every image is resized to.
    #[serde(default, deserialize_with = "two", skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// 1: grey, 3: colour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,
    /// What is taken off each channel, whose pixels go from 0 to 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mean: Vec<f64>,
    /// What each channel is divided by then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub std: Vec<f64>,
    /// Whether each image is given as one row of numbers.
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub flatten: bool,
    /// Which images validate and test.
    #[serde(default)]
    pub split: SplitSizes,
}

/// Two numbers. (As an array of two, the parser would leave out a third one in silence.)
fn two<'de, D: Deserializer<'de>>(toml: D) -> Result<Option<[usize; 2]>, D::Error> {
    let numbers = Vec::<usize>::deserialize(toml)?;
    let wrong = |numbers: Vec<usize>| {
        let what = format!("{numbers:?} is no size of rows and columns; write it as [64, 64]");
        serde::de::Error::custom(what)
    };
    numbers.try_into().map(Some).map_err(wrong)
}

impl ImagesSource {
    /// What is declared, and for the rest what all images are, which are looked at only then.
    fn spec(&self, seen: impl FnOnce() -> Result<Seen, Error>) -> Result<ImageSpec, Error> {
        let spec = match (self.channels, self.size) {
            (Some(channels), Some(size)) => ImageSpec::new(channels, size),
            _ => seen()?.spec(self.channels, self.size),
        };
        spec.map_err(|e| Error::Recipe(format!("{}: {e}", self.images.display())))
    }

    /// What images are turned into: as a model knows it, or as the first folder says.
    fn input(&self, folder: &ImageFolder, signature: Option<&Signature>) -> Result<ImageInput, Error> {
        if let Some(Signature { input: Input::Images(input), .. }) = signature {
            return Ok(input.clone());
        }
        let spec = self.spec(|| Ok(folder.seen()?))?;
        for (key, values) in [("mean", &self.mean), ("std", &self.std)] {
            if !values.is_empty() && values.len() != spec.channels {
                let (given, channels) = (values.len(), spec.channels);
                let what = format!("data.{key}: {given} numbers for {channels} channels; give one for each");
                return Err(Error::Recipe(what));
            }
        }
        Ok(ImageInput { spec, mean: self.mean.clone(), std: self.std.clone(), flatten: self.flatten })
    }
}

impl Reads for ImagesSource {
    fn check(&self, _: &Objective) -> Result<(), String> {
        if self.std.iter().any(|s| !(s.is_finite() && *s > 0.0)) || self.mean.iter().any(|m| !m.is_finite()) {
            return Err("data.mean and data.std: they must be finite, and std above 0".into());
        }
        self.split.check(self.test_images.is_none())
    }

    fn load(&self, how: &Loading) -> Result<Data, Error> {
        let root = find(&self.images, how.beside);
        let folder = ImageFolder::open(&root)?;
        let input = self.input(&folder, how.signature)?;
        let classes = folder.classes().to_vec();
        let name = root.display().to_string();
        suits(how.objective, Kind::Classes, classes.len(), Targets::Auto, &name).map_err(Error::Recipe)?;
        let part = |folder: &ImageFolder| -> Result<Part, Error> {
            let x = input.tensor(&folder.decode(&input.spec, Some(&cache_folder().join("images")))?);
            let y = Tensor::from_vec(folder.labels().iter().map(|&l| l as i64).collect(), [folder.len()]);
            let y = as_targets(&y, how.objective, Targets::Auto, classes.len());
            Ok(Part::new(x, y).with_places(folder.files().iter().cloned().map(Place::File)))
        };
        let all = part(&folder)?;
        let test = self.test_images.as_ref().map(|path| {
            let test = ImageFolder::open(&find(path, how.beside))?;
            same_classes(&classes, &test, path)?;
            part(&test)
        });
        let test = test.transpose()?;
        let labels: Vec<i64> = folder.labels().iter().map(|&label| label as i64).collect();
        let parts = self.split.without_test(test.is_some()).split(all.len(), Some(&labels))?;
        let test = test.unwrap_or_else(|| all.pick(&parts.test));
        let validation = (!parts.validation.is_empty()).then(|| all.pick(&parts.validation));
        let ImageSpec { channels, size: [rows, columns] } = input.spec;
        let source = ImagesSource {
            images: absolute(&root),
            test_images: self.test_images.as_ref().map(|path| absolute(&find(path, how.beside))),
            size: Some(input.spec.size),
            channels: Some(channels),
            ..self.clone()
        };
        Ok(Data {
            train: all.pick(&parts.train),
            validation,
            test,
            kind: Kind::Classes,
            classes,
            input: Input::Images(input),
            image: Some([channels, rows, columns]),
            source: Source::Images(source),
            remarks: Vec::new(),
        })
    }

    fn locate(&mut self, path: &Path) -> Result<(), String> {
        self.images = path.to_path_buf();
        Ok(())
    }

    fn test_on(&mut self, path: &Path) -> Result<(), String> {
        (self.test_images, self.split) = (None, self.split.all_test());
        self.locate(path)
    }

    fn about(&self) -> String {
        format!("the images in {}", self.images.display())
    }
}

/// Test images of classes that training does not have would be numbered wrongly.
fn same_classes(classes: &[String], test: &ImageFolder, path: &Path) -> Result<(), Error> {
    if test.classes() == classes {
        return Ok(());
    }
    let (want, got) = (classes.join(", "), test.classes().join(", "));
    Err(Error::Recipe(format!(
        "{}: its classes are {got}; those of the training images are {want}; make them the same",
        path.display()
    )))
}

/// Names of folders for training and for testing.
const TRAINING: [&str; 2] = ["training", "train"];
const TESTING: [&str; 2] = ["testing", "test"];
/// The side of images that have several sizes.
const USUAL_SIDE: usize = 64;

/// What a folder of images seems to be.
pub(super) fn sketch(path: &Path) -> Result<Sketch, Error> {
    let inside = |names: [&str; 2]| names.iter().map(|name| path.join(name)).find(|path| path.is_dir());
    let (images, test_images) = match (inside(TRAINING), inside(TESTING)) {
        (Some(training), Some(testing)) => (training, Some(testing)),
        _ => (path.to_path_buf(), None),
    };
    let folder = ImageFolder::open(&images)?;
    let seen = folder.seen()?;
    let mut remarks = Vec::new();
    let size = match seen.sizes.len() {
        1 => None,
        n => {
            remarks
                .push(format!("the images have {n} sizes; all are resized to {USUAL_SIDE} x {USUAL_SIDE}"));
            Some([USUAL_SIDE; 2])
        }
    };
    let source = ImagesSource { images, test_images, size, ..ImagesSource::default() };
    let spec = source.spec(|| Ok(seen))?;
    let source = ImagesSource { size: Some(spec.size), channels: Some(spec.channels), ..source };
    let about = source.page(&folder);
    let outputs = folder.classes().len();
    Ok(Sketch { source: Source::Images(source), about, remarks, kind: Kind::Classes, outputs })
}

impl ImagesSource {
    /// `[data]` with the guesses as comments.
    fn page(&self, folder: &ImageFolder) -> String {
        let path = |path: &Path| quoted(&path.display().to_string());
        let [rows, columns] = self.size.unwrap_or_default();
        let channels = self.channels.unwrap_or(1);
        let colours = if channels == 1 { "grey" } else { "colour" };
        let classes = folder.classes();
        let names = comment(&classes.iter().take(10).cloned().collect::<Vec<_>>().join(", "));
        let more = if classes.len() > 10 { ", .." } else { "" };
        let mut text = format!(
            "[data]\nimages = {} # {} images of {} classes: {names}{more}\n",
            path(&self.images),
            folder.len(),
            classes.len()
        );
        if let Some(test) = &self.test_images {
            text += &format!("test_images = {}\n", path(test));
        }
        text += &format!(
            "size = [{rows}, {columns}] # rows and columns that every image is resized to\n\
             channels = {channels} # {colours}\n\
             # mean = [0.5] # taken off each channel, whose pixels go from 0 to 1\n\
             # std = [0.5] # what each channel is divided by then\n\n"
        );
        text + &self.split.page(self.test_images.is_none())
    }
}
