//! Built-in data sets as the data of a recipe.

use super::{Loading, Only, Reads, Source, Targets, as_targets, is_default, suits};
use crate::call::nearest;
use crate::error::Error;
use crate::objective::Objective;
use crate::part::{Data, Part, select};
use crate::sets::{Drawn, Kind, Order, Origin, Set, SetName};
use crate::signature::Input;
use rekindle_data::split::{random_split, stratified_train_test_split, train_test_split};
use rekindle_data::synthetic::Classification;
use rekindle_data::{ImageSet, LabelledImages, Root};
use rekindle_tensor::Tensor;
use rekindle_tensor::random::Generator;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The most numbers that are made for a recipe: a quarter of a gigabyte in f64.
const MOST_NUMBERS: usize = 1 << 25;

/// The most classes of made data.
const MOST_CLASSES: usize = 1000;

/// A built-in set and its keys. What a recipe leaves out has the value that it has in the set's own recipe.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetSource {
    /// The set.
    pub source: SetName,
    /// Number of points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Standard deviation of the noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<f64>,
    /// Number of features.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<usize>,
    /// Number of blobs, a class each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub centers: Option<usize>,
    /// Standard deviation within a blob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_std: Option<f64>,
    /// Number of spiral arms, a class each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arms: Option<usize>,
    /// Number of classes of a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_classes: Option<usize>,
    /// Columns of a table that tell the classes apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub informative: Option<usize>,
    /// Columns of a table that are combinations of the informative ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redundant: Option<usize>,
    /// The fraction of a table's labels that are drawn anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flip_y: Option<f64>,
    /// The seed of the points and of the split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random_state: Option<u32>,
    /// The fraction of points that is kept for testing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_size: Option<f64>,
    /// Whether each class is split by itself.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stratify: bool,
    /// Only these classes of the images, one after the other and numbered in this order; all in the files' order without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<usize>>,
    /// Whether each image is given as one row of pixels.
    #[serde(default, skip_serializing_if = "is_default")]
    pub flatten: bool,
    /// How the labels are given to the loss.
    #[serde(default, skip_serializing_if = "is_default")]
    pub targets: Targets,
    /// The number of samples to validate with: points that are made in addition, images that are taken from the training
    /// images at random, by the seed of the recipe.
    #[serde(default, skip_serializing_if = "is_default")]
    pub validation: usize,
    /// What the classes or labels are called in reports and pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_names: Option<Vec<String>>,
    /// The folder of `mnist/` and `fashion-mnist/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
}

/// Refuses keys that the set does not have, and fills in what is left out.
fn filled(given: SetSource) -> Result<SetSource, String> {
    let set = Set::of(given.source);
    let table = |source: &SetSource| toml::Table::try_from(source).map_err(|e| e.to_string());
    let mut keys = table(&given)?;
    let own: Only<SetSource> = toml::from_str(set.recipe).map_err(|e| e.to_string())?;
    let own = table(&own.data)?;
    let others: &[&str] = match set.origin {
        Origin::Images(_) => &["validation", "targets", "classes", "flatten", "class_names", "folder"],
        Origin::Made { .. } => match set.kind {
            Kind::Classes => &["validation", "targets", "stratify", "class_names"],
            Kind::Labels => &["validation", "class_names"],
            Kind::Numbers => &["validation"],
        },
    };
    let mut valid: Vec<&str> = own.keys().map(String::as_str).chain(others.iter().copied()).collect();
    valid.sort_unstable();
    valid.dedup();
    if let Some(key) = keys.keys().find(|key| !valid.contains(&key.as_str())) {
        return Err(format!("data: {} has no `{key}`{}", set.name, nearest(key, &valid)));
    }
    for (key, value) in own.into_iter().filter(|(key, _)| !others.contains(&key.as_str())) {
        keys.entry(key).or_insert(value);
    }
    keys.try_into().map_err(|e: toml::de::Error| e.message().to_string())
}

impl SetSource {
    /// The built-in set that it is taken from.
    pub fn set(&self) -> &'static Set {
        Set::of(self.source)
    }

    pub(crate) fn samples(&self) -> usize {
        self.samples.unwrap_or(0)
    }

    pub(crate) fn noise(&self) -> f64 {
        self.noise.unwrap_or(0.0)
    }

    pub(crate) fn random_state(&self) -> u32 {
        self.random_state.unwrap_or(0)
    }

    pub(crate) fn classification(&self) -> Classification {
        let d = Classification::default();
        Classification {
            n_samples: self.samples(),
            n_features: self.features.unwrap_or(d.n_features),
            n_informative: self.informative.unwrap_or(d.n_informative),
            n_redundant: self.redundant.unwrap_or(d.n_redundant),
            n_classes: self.n_classes.unwrap_or(d.n_classes),
            flip_y: self.flip_y.unwrap_or(d.flip_y),
            random_state: self.random_state(),
            ..d
        }
    }

    /// The names of the classes or labels of made data: the recipe's own, or the set's.
    pub(crate) fn names(&self, usual: Vec<String>) -> Result<Vec<String>, String> {
        match &self.class_names {
            None => Ok(usual),
            Some(own) if own.len() == usual.len() => Ok(own.clone()),
            Some(own) => Err(format!(
                "data.class_names: {} names for {} classes; name each once",
                own.len(),
                usual.len()
            )),
        }
    }

    /// Inputs and targets as they come, before anything is split, chosen or converted: points of made sets in F64, training
    /// images in the files' order.
    ///
    /// # Errors
    /// As [`load`](crate::load).
    pub fn as_they_come(&self, folder: Option<&Path>) -> Result<(Tensor, Tensor), Error> {
        match &self.set().origin {
            Origin::Made { draw, .. } => Ok(draw(self, 0).0),
            Origin::Images(set) => Ok(set.open(folder.or(self.folder.as_deref())).train()?.tensors()),
        }
    }

    /// The number of chosen classes.
    fn check_images(&self) -> Result<usize, String> {
        let Some(classes) = self.classes.as_deref() else { return Ok(10) };
        if classes.len() < 2 {
            return Err(format!("data.classes = {classes:?}: choose at least two, or leave it out for all"));
        }
        if let Some(c) = classes.iter().enumerate().find(|(at, c)| classes[..*at].contains(c)) {
            return Err(format!("data.classes = {classes:?}: {} stands there twice", c.1));
        }
        Ok(classes.len())
    }

    fn check_made(&self) -> Result<(), String> {
        for (key, value) in [("noise", self.noise), ("cluster_std", self.cluster_std)] {
            if let Some(value) = value.filter(|v| !(*v >= 0.0 && v.is_finite())) {
                return Err(format!("data.{key} = {value}: it must be at least 0, and finite"));
            }
        }
        let samples = self.samples();
        let groups = [("centers", self.centers), ("arms", self.arms), ("n_classes", self.n_classes)];
        for (key, value) in groups {
            let most = samples.min(MOST_CLASSES);
            if let Some(value) = value.filter(|&v| v < 2 || v > most) {
                return Err(format!(
                    "data.{key} = {value}: it must be from 2 to {most} (of {samples} samples, and at most {MOST_CLASSES})"
                ));
            }
        }
        if self.features == Some(0) {
            return Err("data.features = 0: it must be at least 1".into());
        }
        self.check_sizes(self.features.unwrap_or(2))?;
        match self.source {
            SetName::Classification => {
                self.classification().check().map_err(|cause| format!("data: {cause}"))
            }
            _ => Ok(()),
        }
    }

    fn check_sizes(&self, features: usize) -> Result<(), String> {
        let (samples, test_size) = (self.samples(), self.test_size.unwrap_or(0.0));
        for (key, n) in [("samples", samples), ("validation", self.validation)] {
            if n.checked_mul(features).is_none_or(|numbers| numbers > MOST_NUMBERS) {
                let most = MOST_NUMBERS / features.max(1);
                return Err(format!("data.{key} = {n}: at most {most} of {features} features are made"));
            }
        }
        let test = (test_size * samples as f64).ceil();
        if !(0.0 < test_size && test_size < 1.0) || test < 1.0 || test >= samples as f64 {
            return Err(format!(
                "data.test_size = {test_size}: of {samples} samples it leaves nothing to train on or to test; use a fraction between 0 and 1"
            ));
        }
        Ok(())
    }
}

impl Reads for SetSource {
    fn complete(self) -> Result<Self, String> {
        filled(self)
    }

    fn check(&self, objective: &Objective) -> Result<(), String> {
        let set = self.set();
        let classes = match &set.origin {
            Origin::Images(_) => self.check_images()?,
            Origin::Made { labels, .. } => {
                self.check_made()?;
                self.names(labels(self))?.len()
            }
        };
        suits(objective, set.kind, classes, self.targets, set.name)
    }

    fn load(&self, how: &Loading) -> Result<Data, Error> {
        match &self.set().origin {
            Origin::Made { draw, split, labels } => {
                let classes = self.names(labels(self)).map_err(Error::Recipe)?;
                let part = |(x, y): Drawn| {
                    Part::new(x.float(), as_targets(&y, how.objective, self.targets, classes.len()))
                };
                let (drawn, more) = draw(self, self.validation);
                let (train, test) = in_two(self, drawn, *split)?;
                let (train, validation, test) = (part(train), more.map(part), part(test));
                let (kind, input) = (self.set().kind, Input::Numbers(train.sample_shape()));
                let (image, source, remarks) = (None, Source::Set(self.clone()), Vec::new());
                Ok(Data { train, validation, test, kind, classes, input, image, source, remarks })
            }
            Origin::Images(set) => image_data(*set, self, how),
        }
    }

    fn locate(&mut self, path: &Path) -> Result<(), String> {
        let set = self.set();
        if !matches!(set.origin, Origin::Images(_)) {
            return Err(format!("the points of {} are made, not read; leave it out", set.name));
        }
        self.folder = Some(path.to_path_buf());
        Ok(())
    }

    fn about(&self) -> String {
        self.set().about.into()
    }
}

fn in_two(source: &SetSource, (x, y): Drawn, order: Order) -> Result<(Drawn, Drawn), Error> {
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

fn image_data(set: ImageSet, choice: &SetSource, how: &Loading) -> Result<Data, Error> {
    let root = Root::from(choice.folder.as_deref());
    let folder = root.folder().map(Path::to_path_buf);
    let source = set.open(root);
    let part =
        |name: &str, images: LabelledImages| image_part(name, images, choice, how).map_err(Error::Recipe);
    let images = source.train()?;
    let name = |c: usize| images.classes.get(c).map_or_else(|| c.to_string(), |name| name.to_string());
    let classes = match &choice.classes {
        None => (0..images.classes.len()).map(name).collect(),
        Some(chosen) => chosen.iter().map(|&c| name(c)).collect(),
    };
    let classes = choice.names(classes).map_err(Error::Recipe)?;
    let (rows, columns) = (images.images.shape[1], images.images.shape[2]);
    let (train, validation) = hold_out(part("training", images)?, choice.validation, how.seed)?;
    let test = part("test", source.test()?)?;
    let (kind, image, remarks) = (Kind::Classes, Some([1, rows, columns]), Vec::new());
    let input = Input::Numbers(train.sample_shape());
    // An absolute path: the run can be judged later and from elsewhere.
    let folder = folder.map(|f| std::path::absolute(&f).unwrap_or(f));
    let source = Source::Set(SetSource { folder, ..choice.clone() });
    Ok(Data { train, validation, test, kind, classes, input, image, source, remarks })
}

/// Takes the images to validate with out of the training images, as `torch.utils.data.random_split` does with a
/// generator of the recipe's seed.
fn hold_out(train: Part, held: usize, seed: i64) -> Result<(Part, Option<Part>), Error> {
    let n = train.len();
    if held == 0 {
        return Ok((train, None));
    }
    if held >= n {
        return Err(Error::Recipe(format!(
            "data.validation = {held}: of {n} training images it leaves none to train on"
        )));
    }
    let rows = random_split(&[n - held, held], &mut Generator::seeded(seed as u64));
    Ok((train.pick(&rows[0]), Some(train.pick(&rows[1]))))
}

fn image_part(name: &str, images: LabelledImages, choice: &SetSource, how: &Loading) -> Result<Part, String> {
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
    Ok(Part::new(x, as_targets(&y, how.objective, choice.targets, chosen.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CIRCLES, Recipe, load};

    fn says(from: &str, to: &str) -> String {
        assert!(CIRCLES.contains(from), "the recipe has {from:?}");
        Recipe::from_toml(&CIRCLES.replace(from, to)).unwrap_err().to_string()
    }

    #[test]
    fn what_is_left_out_is_as_in_the_recipe_of_the_set_and_what_it_does_not_have_is_refused() {
        let short = "source = \"spirals\"\nnoise = 0.1\n[report]";
        let recipe = CIRCLES.split("source").next().unwrap().replace("BCEWithLogitsLoss", "CrossEntropyLoss");
        let data = Recipe::from_toml(&(recipe + short)).unwrap().data.set().unwrap().clone();
        assert_eq!(
            (data.samples, data.arms, data.noise, data.validation),
            (Some(300), Some(3), Some(0.1), 0)
        );
        let e = says("noise = 0.03", "nois = 0.03");
        assert_eq!(e, "line 13, column 1: unknown field `nois`; did you mean `noise`?");
        let e = says("noise = 0.03", "centers = 3");
        assert!(e.starts_with("data: circles has no `centers`"), "{e}");
    }

    #[test]
    fn validation_points_are_new_and_leave_the_others_as_they_are() {
        let with = |validation: usize| {
            let mut recipe = Recipe::from_toml(CIRCLES).unwrap();
            recipe.data.set().unwrap().validation = validation;
            load(&recipe, None).unwrap()
        };
        let (none, some) = (with(0), with(50));
        assert!(none.validation.is_none());
        assert_eq!(none.train.x().to_vec::<f32>(), some.train.x().to_vec::<f32>());
        let new = some.validation.unwrap();
        assert_eq!((new.x().shape(), new.y.shape()), (&[50, 2][..], &[50, 1][..]));
        let rows = |x: &Tensor| x.to_vec::<f32>().chunks(2).map(|p| (p[0], p[1])).collect::<Vec<_>>();
        let old = [rows(&some.train.x()), rows(&some.test.x())].concat();
        assert!(rows(&new.x()).iter().all(|row| !old.contains(row)));
    }

    #[test]
    fn every_made_set_has_the_classes_it_names() {
        for set in crate::SETS.iter().filter(|set| matches!(set.origin, Origin::Made { .. })) {
            let data = load(&Recipe::from_toml(set.recipe).unwrap(), None).unwrap();
            for (name, part) in data.parts() {
                let kinds = match (part.y.dim(), data.classes.len()) {
                    (_, 0) => continue,
                    (1, _) => part.y.max().item::<i64>() as usize + 1,
                    (_, 2) => part.y.max().item::<f32>() as usize + 1,
                    _ => part.y.size(1),
                };
                assert_eq!(kinds, data.classes.len(), "{} {name}", set.name);
            }
        }
    }

    #[test]
    fn a_stratified_split_keeps_the_shares_and_refuses_what_it_cannot_split() {
        let mut recipe = Recipe::from_toml(CIRCLES).unwrap();
        recipe.data.set().unwrap().stratify = true;
        let data = load(&recipe, None).unwrap();
        assert_eq!(data.test.y.mean().item::<f32>(), 0.5);
        recipe.data.set().unwrap().samples = Some(3);
        recipe.data.set().unwrap().test_size = Some(0.34);
        let e = load(&recipe, None).unwrap_err().to_string();
        assert!(e.starts_with("data.stratify: "), "{e}");
    }
}
