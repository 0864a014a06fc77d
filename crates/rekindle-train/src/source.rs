//! The data of a recipe, split into a part to train on and a part to test with.

use crate::error::Error;
use crate::recipe::{Images, Recipe, Source, Targets};
use rekindle_data::split::{Split as Indices, train_test_split};
use rekindle_data::synthetic::{self, Points};
use rekindle_data::{ImageSet, LabelledImages};
use rekindle_tensor::Tensor;
use std::path::Path;

/// Inputs and targets.
#[derive(Clone, Debug)]
pub struct Part {
    /// The inputs, f32, the first dimension counts the samples.
    pub x: Tensor,
    /// The targets as the loss expects them.
    pub y: Tensor,
}

impl Part {
    /// The number of samples.
    pub fn len(&self) -> usize {
        self.x.size(0)
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a recipe trains on and tests with.
#[derive(Clone, Debug)]
pub struct Split {
    /// The samples to train on.
    pub train: Part,
    /// The samples to test with.
    pub test: Part,
}

/// Loads or makes the data of a recipe. Image files are looked for in `data` as
/// [`rekindle_data::Root`] says.
///
/// # Errors
/// If files are missing or damaged, or a class does not exist.
pub fn load(recipe: &Recipe, data: Option<&Path>) -> Result<Split, Error> {
    let binary = recipe.loss.starts_with("BCE");
    match &recipe.data {
        Source::Circles(s) => {
            let points = synthetic::make_circles(s.samples, s.noise, s.random_state);
            Ok(points_split(points, &train_test_split(s.samples, s.test_size, s.random_state), binary))
        }
        Source::Moons(s) => {
            let points = synthetic::make_moons(s.samples, s.noise, s.random_state);
            Ok(points_split(points, &train_test_split(s.samples, s.test_size, s.random_state), binary))
        }
        Source::Blobs(b) => {
            let blobs = synthetic::Blobs {
                n_samples: b.samples,
                n_features: b.features,
                centers: b.centers,
                cluster_std: b.cluster_std,
                random_state: b.random_state,
                ..Default::default()
            };
            let indices = train_test_split(b.samples, b.test_size, b.random_state);
            Ok(points_split(blobs.generate(), &indices, binary))
        }
        Source::Line {} => Ok(line()),
        Source::Mnist(images) => image_split(ImageSet::Mnist, images, data, binary),
        Source::FashionMnist(images) => image_split(ImageSet::FashionMnist, images, data, binary),
    }
}

/// The weight 0.7 and the bias 0.3 of lecture 02's straight line.
fn line() -> Split {
    let x = Tensor::arange(0.0, 1.0, 0.01).unsqueeze(1);
    let y = &x * 0.7 + 0.3;
    let part = |start, len| Part { x: x.narrow(0, start, len), y: y.narrow(0, start, len) };
    Split { train: part(0, 80), test: part(80, 20) }
}

fn points_split(points: Points, indices: &Indices, binary: bool) -> Split {
    let (x, y) = points.tensors();
    let x = x.float();
    let part = |rows: &[usize]| {
        let rows = Tensor::from_vec(rows.iter().map(|&r| r as i64).collect(), rows.len());
        Part { x: x.index_select(0, &rows), y: targets(&y.index_select(0, &rows), binary, Targets::Auto, 2) }
    };
    Split { train: part(&indices.train), test: part(&indices.test) }
}

fn image_split(set: ImageSet, choice: &Images, data: Option<&Path>, binary: bool) -> Result<Split, Error> {
    let source = set.open(data);
    let (train, test) = (source.train()?, source.test()?);
    let known = train.classes.len();
    if let Some(class) = choice.classes.iter().flatten().find(|&&c| c >= known) {
        return Err(Error::Recipe(format!(
            "data.classes: there is no class {class}; the classes are 0 to {}",
            known - 1
        )));
    }
    let part = |images: &LabelledImages| match &choice.classes {
        None => image_part(images.tensors(), choice, binary, known),
        Some(classes) => {
            // The labels become the positions of the chosen classes.
            let (x, y) = images.pick(classes).tensors();
            let position = |label: &i64| classes.iter().position(|&c| c as i64 == *label).unwrap_or(0) as i64;
            let y = Tensor::from_vec(y.data::<i64>().iter().map(position).collect(), y.shape());
            image_part((x, y), choice, binary, classes.len())
        }
    };
    Ok(Split { train: part(&train), test: part(&test) })
}

fn image_part((x, y): (Tensor, Tensor), choice: &Images, binary: bool, classes: usize) -> Part {
    let x = if choice.flatten { x.flatten(1, -1) } else { x };
    Part { x, y: targets(&y, binary, choice.targets, classes) }
}

/// Class numbers as the loss expects them.
fn targets(y: &Tensor, binary: bool, targets: Targets, classes: usize) -> Tensor {
    match targets {
        Targets::OneHot => y.one_hot(classes).float(),
        Targets::Auto if binary => y.float().unsqueeze(1),
        Targets::Auto => y.clone(),
    }
}
