//! How the data of a recipe becomes parts to train on, to validate and to test with.

use crate::error::Error;
use crate::objective::Objective;
use crate::recipe::Recipe;
use crate::sets::{Kind, Order, Origin};
use crate::source::{Source, Targets};
use rekindle_data::split::{random_split, stratified_train_test_split, train_test_split};
use rekindle_data::{ImageSet, LabelledImages, Root};
use rekindle_tensor::Tensor;
use rekindle_tensor::random::Generator;
use std::path::{Path, PathBuf};

/// Inputs and targets.
#[derive(Clone, Debug)]
pub struct Part {
    /// The inputs, f32, the first dimension counts the samples.
    pub x: Tensor,
    /// The targets as the loss expects them.
    pub y: Tensor,
}

impl Part {
    /// Samples with their targets.
    pub fn new(x: Tensor, y: Tensor) -> Part {
        Part { x, y }
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.x.size(0)
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
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
    /// Whether a sample is an image of so many channels, rows and columns, also where it is given as one row of pixels.
    pub image: Option<[usize; 3]>,
    /// The folder that it was read from, if it is one of the user's.
    pub folder: Option<PathBuf>,
}

impl Data {
    /// The parts with their names, in the order in which they are reported.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &Part)> {
        let validation = self.validation.as_ref().map(|part| ("validation", part));
        [("train", &self.train)].into_iter().chain(validation).chain([("test", &self.test)])
    }
}

/// Loads or makes the data of a recipe. Image files are looked for in `folder`, else in that of the recipe, as
/// [`rekindle_data::Root`] says.
///
/// ```
/// use rekindle_train::{CIRCLES, Recipe, load};
/// let data = load(&Recipe::from_toml(CIRCLES)?, None)?;
/// assert_eq!((data.train.x.shape(), data.test.y.shape()), (&[800, 2][..], &[200, 1][..]));
/// assert_eq!(data.classes, ["0", "1"]);
/// # Ok::<(), rekindle_train::Error>(())
/// ```
///
/// # Errors
/// If files are missing or damaged, or a class does not exist or has no samples.
pub fn load(recipe: &Recipe, folder: Option<&Path>) -> Result<Data, Error> {
    let objective = Objective::build(&recipe.loss).map_err(Error::Recipe)?;
    recipe.data.check(&objective).map_err(Error::Recipe)?;
    let source = &recipe.data;
    match &source.set().origin {
        Origin::Made { draw, split, labels } => {
            let classes = source.names(labels(source)).map_err(Error::Recipe)?;
            let part = |(x, y): (Tensor, Tensor)| Part {
                x: x.float(),
                y: targets(&y, objective.is_binary(), source.targets, classes.len()),
            };
            let (drawn, more) = draw(source, source.validation);
            let (train, test) = in_two(source, drawn, *split)?;
            let (train, validation, test) = (part(train), more.map(part), part(test));
            let kind = source.set().kind;
            Ok(Data { train, validation, test, kind, classes, image: None, folder: None })
        }
        Origin::Images(set) => {
            image_data(*set, recipe, folder.or(source.folder.as_deref()), objective.is_binary())
        }
    }
}

/// Inputs and targets as they come, before anything is split, chosen or converted: points of made sets in F64, training
/// images in the files' order.
///
/// # Errors
/// As [`load`].
pub fn as_they_come(recipe: &Recipe, folder: Option<&Path>) -> Result<(Tensor, Tensor), Error> {
    let source = &recipe.data;
    match &source.set().origin {
        Origin::Made { draw, .. } => Ok(draw(source, 0).0),
        Origin::Images(set) => Ok(set.open(folder.or(source.folder.as_deref())).train()?.tensors()),
    }
}

type Pair = (Tensor, Tensor);

fn in_two(source: &Source, (x, y): Pair, order: Order) -> Result<(Pair, Pair), Error> {
    let (n, test_size) = (x.size(0), source.test_size.unwrap_or(0.0));
    if order == Order::AsMade {
        let test = (test_size * n as f64).ceil() as usize;
        let rows = |start, len| (x.narrow(0, start, len), y.narrow(0, start, len));
        return Ok((rows(0, n - test), rows(n - test, test)));
    }
    let split = if source.stratify && y.dim() == 1 {
        let labels = y.to_vec::<i64>();
        // A class with one sample cannot be on both sides; the splitter says which.
        rekindle_tensor::check(|| stratified_train_test_split(&labels, test_size, source.random_state()))
            .map_err(|e| Error::Recipe(format!("data.stratify: {e}")))?
    } else {
        train_test_split(n, test_size, source.random_state())
    };
    let rows = |rows: &[usize]| (select(&x, rows), select(&y, rows));
    Ok((rows(&split.train), rows(&split.test)))
}

pub(crate) fn select(x: &Tensor, rows: &[usize]) -> Tensor {
    x.index_select(0, &Tensor::from_vec(rows.iter().map(|&r| r as i64).collect(), rows.len()))
}

fn image_data(set: ImageSet, recipe: &Recipe, folder: Option<&Path>, binary: bool) -> Result<Data, Error> {
    let choice = &recipe.data;
    let root = Root::from(folder);
    let folder = root.folder().map(Path::to_path_buf);
    let source = set.open(root);
    let part =
        |name: &str, images: LabelledImages| image_part(name, images, choice, binary).map_err(Error::Recipe);
    let images = source.train()?;
    let name = |c: usize| images.classes.get(c).map_or_else(|| c.to_string(), |name| name.to_string());
    let classes = match &choice.classes {
        None => (0..images.classes.len()).map(name).collect(),
        Some(chosen) => chosen.iter().map(|&c| name(c)).collect(),
    };
    let classes = choice.names(classes).map_err(Error::Recipe)?;
    let (rows, columns) = (images.images.shape[1], images.images.shape[2]);
    let (train, validation) = hold_out(part("training", images)?, recipe)?;
    let test = part("test", source.test()?)?;
    Ok(Data {
        train,
        validation,
        test,
        kind: Kind::Classes,
        classes,
        image: Some([1, rows, columns]),
        folder,
    })
}

/// Takes the images to validate with out of the training images, as `torch.utils.data.random_split` does with a
/// generator of the recipe's seed.
fn hold_out(train: Part, recipe: &Recipe) -> Result<(Part, Option<Part>), Error> {
    let (n, held) = (train.len(), recipe.data.validation);
    if held == 0 {
        return Ok((train, None));
    }
    if held >= n {
        return Err(Error::Recipe(format!(
            "data.validation = {held}: of {n} training images it leaves none to train on"
        )));
    }
    let rows = random_split(&[n - held, held], &mut Generator::seeded(recipe.seed as u64));
    let part = |rows: &[usize]| Part { x: select(&train.x, rows), y: select(&train.y, rows) };
    Ok((part(&rows[0]), Some(part(&rows[1]))))
}

fn image_part(name: &str, images: LabelledImages, choice: &Source, binary: bool) -> Result<Part, String> {
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

/// Class numbers as the loss expects them; several labels or numbers for each sample are floats already.
fn targets(y: &Tensor, binary: bool, targets: Targets, classes: usize) -> Tensor {
    match targets {
        _ if y.dim() > 1 => y.float(),
        Targets::OneHot => y.one_hot(classes).float(),
        Targets::Auto if binary => y.float().unsqueeze(1),
        Targets::Auto => y.clone(),
    }
}
