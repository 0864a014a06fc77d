//! The data of a recipe: what it may be.

use crate::call::nearest;
use crate::objective::Objective;
use crate::sets::{Kind, Origin, Set, SetName};
use rekindle_data::synthetic::Classification;
use rekindle_nn::loss::Decision;
use serde::{Deserialize, Deserializer, Serialize};
use std::path::PathBuf;

/// The most numbers that are made for a recipe: a quarter of a gigabyte in f64.
const MOST_NUMBERS: usize = 1 << 25;

/// The most classes of made data.
const MOST_CLASSES: usize = 1000;

/// Where the data comes from: a built-in set and its keys. What a recipe leaves out has the value that it has in the
/// set's own recipe.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
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

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// How class labels are given to the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Targets {
    /// As the loss expects them: floats 0 and 1 for binary losses, class indices for the others.
    #[default]
    Auto,
    /// One-hot rows of floats.
    OneHot,
}

/// Reads a source: refuses keys that its set does not have, with their place, and fills in what is left out.
pub(crate) fn complete<'de, D: Deserializer<'de>>(toml: D) -> Result<Source, D::Error> {
    let given = Source::deserialize(toml)?;
    filled(given).map_err(serde::de::Error::custom)
}

fn filled(given: Source) -> Result<Source, String> {
    let set = Set::of(given.source);
    let table = |source: &Source| toml::Table::try_from(source).map_err(|e| e.to_string());
    let mut keys = table(&given)?;
    let own: Own = toml::from_str(set.recipe).map_err(|e| e.to_string())?;
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

/// The part of a set's recipe that gives the defaults.
#[derive(Deserialize)]
struct Own {
    data: Source,
}

impl Source {
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

    /// Values that no data can be made with, or that the loss cannot learn.
    pub(crate) fn check(&self, objective: &Objective) -> Result<(), String> {
        let set = self.set();
        let classes = match &set.origin {
            Origin::Images(_) => self.check_images()?,
            Origin::Made { labels, .. } => {
                self.check_made()?;
                self.names(labels(self))?.len()
            }
        };
        let name = set.name;
        let one_hot = self.targets == Targets::OneHot;
        match (set.kind, objective.decision) {
            (Kind::Numbers, Decision::None) | (Kind::Labels, Decision::None) => Ok(()),
            (Kind::Numbers, _) => Err(format!(
                "loss: the targets of {name} are numbers, which it cannot learn; take MSELoss or L1Loss"
            )),
            (Kind::Labels, Decision::Largest) => Err(format!(
                "loss: a sample of {name} may have several labels, and this loss gives it one class; take BCEWithLogitsLoss"
            )),
            (Kind::Classes, Decision::None) if !one_hot => Err(format!(
                "loss: it learns numbers, and the targets of {name} are classes; take BCEWithLogitsLoss (two classes) or CrossEntropyLoss, or set data.targets = \"one_hot\""
            )),
            (Kind::Classes, Decision::Logit | Decision::Probability) if classes != 2 && !one_hot => {
                Err(format!(
                    "data: a yes-or-no loss such as BCEWithLogitsLoss separates two classes, not {classes}; choose two, or take CrossEntropyLoss with one output for each"
                ))
            }
            _ => Ok(()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CIRCLES, Recipe, load};
    use rekindle_tensor::Tensor;

    fn says(from: &str, to: &str) -> String {
        assert!(CIRCLES.contains(from), "the recipe has {from:?}");
        Recipe::from_toml(&CIRCLES.replace(from, to)).unwrap_err().to_string()
    }

    #[test]
    fn what_is_left_out_is_as_in_the_recipe_of_the_set_and_what_it_does_not_have_is_refused() {
        let short = "source = \"spirals\"\nnoise = 0.1\n[report]";
        let recipe = CIRCLES.split("source").next().unwrap().replace("BCEWithLogitsLoss", "CrossEntropyLoss");
        let data = Recipe::from_toml(&(recipe + short)).unwrap().data;
        assert_eq!(
            (data.samples, data.arms, data.noise, data.validation),
            (Some(300), Some(3), Some(0.1), 0)
        );
        let e = says("noise = 0.03", "nois = 0.03");
        assert_eq!(e, "line 13, column 1: unknown field `nois`; did you mean `noise`?");
        let e = says("noise = 0.03", "centers = 3");
        assert!(e.starts_with("line 1") && e.contains("data: circles has no `centers`"), "{e}");
    }

    #[test]
    fn validation_points_are_new_and_leave_the_others_as_they_are() {
        let with = |validation: usize| {
            let mut recipe = Recipe::from_toml(CIRCLES).unwrap();
            recipe.data.validation = validation;
            load(&recipe, None).unwrap()
        };
        let (none, some) = (with(0), with(50));
        assert!(none.validation.is_none());
        assert_eq!(none.train.x.to_vec::<f32>(), some.train.x.to_vec::<f32>());
        let new = some.validation.unwrap();
        assert_eq!((new.x.shape(), new.y.shape()), (&[50, 2][..], &[50, 1][..]));
        let rows = |x: &Tensor| x.to_vec::<f32>().chunks(2).map(|p| (p[0], p[1])).collect::<Vec<_>>();
        let old = [rows(&some.train.x), rows(&some.test.x)].concat();
        assert!(rows(&new.x).iter().all(|row| !old.contains(row)));
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
        recipe.data.stratify = true;
        let data = load(&recipe, None).unwrap();
        assert_eq!(data.test.y.mean().item::<f32>(), 0.5);
        recipe.data.samples = Some(3);
        recipe.data.test_size = Some(0.34);
        let e = load(&recipe, None).unwrap_err().to_string();
        assert!(e.starts_with("data.stratify: "), "{e}");
    }
}
