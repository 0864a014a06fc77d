//! The data of a recipe: what it may be, and how it becomes a part to train on and a part to test with.

use crate::call::nearest;
use crate::error::Error;
use crate::objective::Objective;
use crate::recipe::Recipe;
use rekindle_data::split::{Split, train_test_split};
use rekindle_data::synthetic::{self, Points};
use rekindle_data::{ImageSet, LabelledImages};
use rekindle_tensor::Tensor;
use serde::Deserialize;
use std::path::Path;

/// The most numbers that are made for a recipe: a quarter of a gigabyte in f64.
const MOST_NUMBERS: usize = 1 << 25;

/// Where the data comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Keys")]
pub enum Source {
    /// scikit-learn's two concentric circles.
    Circles(Synthetic),
    /// scikit-learn's two half moons.
    Moons(Synthetic),
    /// scikit-learn's isotropic blobs.
    Blobs(Blobs),
    /// The straight line `y = 0.7 x + 0.3` of lecture 02 on `arange(0, 1, 0.01)`, the first 80 points to train on.
    Line,
    /// Handwritten digits.
    Mnist(Images),
    /// Zalando's articles.
    FashionMnist(Images),
}

/// The parameters of circles and moons.
#[derive(Clone, Debug)]
pub struct Synthetic {
    /// Number of points.
    pub samples: usize,
    /// Standard deviation of the noise.
    pub noise: f64,
    /// The seed of the points and of the split.
    pub random_state: u32,
    /// The fraction of points that is kept for testing.
    pub test_size: f64,
}

/// The parameters of blobs.
#[derive(Clone, Debug)]
pub struct Blobs {
    /// Number of points.
    pub samples: usize,
    /// Number of classes.
    pub centers: usize,
    /// Number of features.
    pub features: usize,
    /// Standard deviation within a class.
    pub cluster_std: f64,
    /// The seed of the points and of the split.
    pub random_state: u32,
    /// The fraction of points that is kept for testing.
    pub test_size: f64,
}

/// The choices for image data sets.
#[derive(Clone, Debug, Default)]
pub struct Images {
    /// Only these classes, one after the other and numbered in this order; all classes in the files' order without it.
    pub classes: Option<Vec<usize>>,
    /// Whether each image is given as one row of pixels.
    pub flatten: bool,
    /// How the labels are given to the loss.
    pub targets: Targets,
}

/// How class labels are given to the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Targets {
    /// As the loss expects them: floats 0 and 1 for binary losses, class indices for the others.
    #[default]
    Auto,
    /// One-hot rows of floats.
    OneHot,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Circles,
    Moons,
    Blobs,
    Line,
    Mnist,
    FashionMnist,
}

/// The keys that `[data]` may have. All sources share one table, because the parser knows line and column of its keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    source: Kind,
    samples: Option<usize>,
    noise: Option<f64>,
    centers: Option<usize>,
    features: Option<usize>,
    cluster_std: Option<f64>,
    random_state: Option<u32>,
    test_size: Option<f64>,
    classes: Option<Vec<usize>>,
    flatten: Option<bool>,
    targets: Option<Targets>,
}

impl Kind {
    /// How the source is called in messages, and its keys.
    fn keys(self) -> (&'static str, &'static [&'static str]) {
        const POINTS: &[&str] = &["samples", "noise", "random_state", "test_size"];
        const BLOBS: &[&str] =
            &["samples", "centers", "features", "cluster_std", "random_state", "test_size"];
        match self {
            Kind::Circles => ("circles", POINTS),
            Kind::Moons => ("moons", POINTS),
            Kind::Blobs => ("blobs", BLOBS),
            Kind::Line => ("points on a line", &[]),
            Kind::Mnist | Kind::FashionMnist => ("images", &["classes", "flatten", "targets"]),
        }
    }
}

impl TryFrom<Keys> for Source {
    type Error = String;

    fn try_from(k: Keys) -> Result<Source, String> {
        let (name, valid) = k.source.keys();
        let given = [
            ("samples", k.samples.is_some()),
            ("noise", k.noise.is_some()),
            ("centers", k.centers.is_some()),
            ("features", k.features.is_some()),
            ("cluster_std", k.cluster_std.is_some()),
            ("random_state", k.random_state.is_some()),
            ("test_size", k.test_size.is_some()),
            ("classes", k.classes.is_some()),
            ("flatten", k.flatten.is_some()),
            ("targets", k.targets.is_some()),
        ];
        if let Some((key, _)) = given.iter().find(|(key, given)| *given && !valid.contains(key)) {
            return Err(format!("data: {name} have no `{key}`{}", nearest(key, valid)));
        }
        let need = |key: &str| format!("data: {name} need `{key}`");
        let points = || {
            Ok::<_, String>(Synthetic {
                samples: k.samples.ok_or_else(|| need("samples"))?,
                noise: k.noise.ok_or_else(|| need("noise"))?,
                random_state: k.random_state.ok_or_else(|| need("random_state"))?,
                test_size: k.test_size.ok_or_else(|| need("test_size"))?,
            })
        };
        let images = || Images {
            classes: k.classes.clone(),
            flatten: k.flatten.unwrap_or_default(),
            targets: k.targets.unwrap_or_default(),
        };
        Ok(match k.source {
            Kind::Circles => Source::Circles(points()?),
            Kind::Moons => Source::Moons(points()?),
            Kind::Blobs => Source::Blobs(Blobs {
                samples: k.samples.ok_or_else(|| need("samples"))?,
                centers: k.centers.ok_or_else(|| need("centers"))?,
                features: k.features.ok_or_else(|| need("features"))?,
                cluster_std: k.cluster_std.ok_or_else(|| need("cluster_std"))?,
                random_state: k.random_state.ok_or_else(|| need("random_state"))?,
                test_size: k.test_size.ok_or_else(|| need("test_size"))?,
            }),
            Kind::Line => Source::Line,
            Kind::Mnist => Source::Mnist(images()),
            Kind::FashionMnist => Source::FashionMnist(images()),
        })
    }
}

impl Source {
    /// Values that no data can be made with, or that the loss cannot learn.
    pub(crate) fn check(&self, objective: &Objective) -> Result<(), String> {
        let binary = |classes: usize| match objective.is_binary() {
            true if classes != 2 => Err(format!(
                "data: a yes-or-no loss such as BCEWithLogitsLoss separates two classes, not {classes}; choose two, or take CrossEntropyLoss with one output for each"
            )),
            _ => Ok(()),
        };
        match self {
            Source::Circles(s) | Source::Moons(s) => {
                spread("noise", s.noise)?;
                parts(s.samples, 2, s.test_size)
            }
            Source::Blobs(b) => {
                spread("cluster_std", b.cluster_std)?;
                if b.centers < 2 || b.centers > b.samples {
                    let (centers, samples) = (b.centers, b.samples);
                    return Err(format!(
                        "data.centers = {centers}: it must be from 2 to the {samples} samples"
                    ));
                }
                if b.features == 0 {
                    return Err("data.features = 0: it must be at least 1".into());
                }
                binary(b.centers)?;
                parts(b.samples, b.features, b.test_size)
            }
            Source::Line => Ok(()),
            Source::Mnist(i) | Source::FashionMnist(i) => {
                let chosen = i.classes.as_deref();
                if let Some(classes) = chosen {
                    if classes.len() < 2 {
                        return Err(format!(
                            "data.classes = {classes:?}: choose at least two, or leave it out for all"
                        ));
                    }
                    if let Some(c) = classes.iter().enumerate().find(|(at, c)| classes[..*at].contains(c)) {
                        return Err(format!("data.classes = {classes:?}: {} stands there twice", c.1));
                    }
                }
                if i.targets == Targets::OneHot { Ok(()) } else { binary(chosen.map_or(10, <[usize]>::len)) }
            }
        }
    }
}

fn spread(key: &str, value: f64) -> Result<(), String> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(format!("data.{key} = {value}: it must be at least 0, and finite"))
}

fn parts(samples: usize, features: usize, test_size: f64) -> Result<(), String> {
    if samples.checked_mul(features).is_none_or(|numbers| numbers > MOST_NUMBERS) {
        let most = MOST_NUMBERS / features.max(1);
        return Err(format!("data.samples = {samples}: at most {most} of {features} features are made"));
    }
    let test = (test_size * samples as f64).ceil();
    if !(0.0 < test_size && test_size < 1.0) || test < 1.0 || test >= samples as f64 {
        return Err(format!(
            "data.test_size = {test_size}: of {samples} samples it leaves nothing to train on or to test; use a fraction between 0 and 1"
        ));
    }
    Ok(())
}

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
pub struct Data {
    /// The samples to train on.
    pub train: Part,
    /// The samples to test with.
    pub test: Part,
}

/// Loads or makes the data of a recipe. Image files are looked for in `data` as
/// [`rekindle_data::Root`] says.
///
/// ```
/// use rekindle_train::{CIRCLES, Recipe, load};
/// let data = load(&Recipe::from_toml(CIRCLES)?, None)?;
/// assert_eq!((data.train.x.shape(), data.test.y.shape()), (&[800, 2][..], &[200, 1][..]));
/// # Ok::<(), rekindle_train::Error>(())
/// ```
///
/// # Errors
/// If files are missing or damaged, or a class does not exist or has no samples.
pub fn load(recipe: &Recipe, data: Option<&Path>) -> Result<Data, Error> {
    let objective = Objective::build(&recipe.loss).map_err(Error::Recipe)?;
    recipe.data.check(&objective).map_err(Error::Recipe)?;
    let binary = objective.is_binary();
    match &recipe.data {
        Source::Circles(s) => {
            let points = synthetic::make_circles(s.samples, s.noise, s.random_state);
            Ok(points_data(points, &train_test_split(s.samples, s.test_size, s.random_state), binary))
        }
        Source::Moons(s) => {
            let points = synthetic::make_moons(s.samples, s.noise, s.random_state);
            Ok(points_data(points, &train_test_split(s.samples, s.test_size, s.random_state), binary))
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
            Ok(points_data(blobs.generate(), &indices, binary))
        }
        Source::Line => Ok(line()),
        Source::Mnist(images) => image_data(ImageSet::Mnist, images, data, binary),
        Source::FashionMnist(images) => image_data(ImageSet::FashionMnist, images, data, binary),
    }
}

/// The weight 0.7 and the bias 0.3 of lecture 02's straight line.
fn line() -> Data {
    let x = Tensor::arange(0.0, 1.0, 0.01).unsqueeze(1);
    let y = &x * 0.7 + 0.3;
    let part = |start, len| Part { x: x.narrow(0, start, len), y: y.narrow(0, start, len) };
    Data { train: part(0, 80), test: part(80, 20) }
}

fn points_data(points: Points, indices: &Split, binary: bool) -> Data {
    let (x, y) = points.tensors();
    let x = x.float();
    let part = |rows: &[usize]| {
        let rows = Tensor::from_vec(rows.iter().map(|&r| r as i64).collect(), rows.len());
        Part { x: x.index_select(0, &rows), y: targets(&y.index_select(0, &rows), binary, Targets::Auto, 2) }
    };
    Data { train: part(&indices.train), test: part(&indices.test) }
}

fn image_data(set: ImageSet, choice: &Images, data: Option<&Path>, binary: bool) -> Result<Data, Error> {
    let source = set.open(data);
    let part =
        |name: &str, images: LabelledImages| image_part(name, images, choice, binary).map_err(Error::Recipe);
    Ok(Data { train: part("training", source.train()?)?, test: part("test", source.test()?)? })
}

fn image_part(name: &str, images: LabelledImages, choice: &Images, binary: bool) -> Result<Part, String> {
    let known = images.classes.len();
    let all: Vec<usize> = (0..known).collect();
    let chosen = choice.classes.as_ref().unwrap_or(&all);
    if let Some(class) = chosen.iter().find(|&&c| c >= known) {
        return Err(format!("data.classes: there is no class {class}; the classes are 0 to {}", known - 1));
    }
    let absent = chosen.iter().find(|&&c| !images.labels.iter().any(|&label| usize::from(label) == c));
    if let Some(class) = absent.filter(|_| images.is_empty() || choice.classes.is_some()) {
        return Err(format!(
            "data: of the {} {name} images none is of class {class}; take other files or classes",
            images.len()
        ));
    }
    let (x, mut y) = if choice.classes.is_some() { images.pick(chosen) } else { images }.tensors();
    if choice.classes.is_some() {
        // The labels become the positions of the chosen classes; each label is one of them.
        let mut position = vec![0; known];
        chosen.iter().enumerate().for_each(|(at, &class)| position[class] = at as i64);
        y = Tensor::from_vec(
            y.data::<i64>().iter().map(|&label| position[label as usize]).collect(),
            y.shape(),
        );
    }
    let x = if choice.flatten { x.flatten(1, -1) } else { x };
    Ok(Part { x, y: targets(&y, binary, choice.targets, chosen.len()) })
}

/// Class numbers as the loss expects them.
fn targets(y: &Tensor, binary: bool, targets: Targets, classes: usize) -> Tensor {
    match targets {
        Targets::OneHot => y.one_hot(classes).float(),
        Targets::Auto if binary => y.float().unsqueeze(1),
        Targets::Auto => y.clone(),
    }
}
