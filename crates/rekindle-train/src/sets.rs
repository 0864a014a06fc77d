//! The data sets that are built in: one entry of a table each.
//!
//! A set is known by its name, in `rekindle train NAME` and as `source` in a recipe. It brings a recipe of its own, whose
//! `[data]` gives the keys of the set and their defaults.

use crate::error::Error;
use crate::part::select;
use crate::recipe::Recipe;
use crate::source::{SetSource, Source};
use rekindle_data::ImageSet;
use rekindle_data::synthetic::{
    Blobs, Classification, Points, make_circles, make_discs, make_gaussians, make_line, make_moons,
    make_spirals, make_xor,
};
use rekindle_tensor::Tensor;
use rekindle_tensor::random::numpy::RandomState;
use serde::{Deserialize, Serialize};

/// The name of a built-in data set, as recipes spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the table of sets says what each is")]
pub enum SetName {
    Circles,
    Moons,
    Blobs,
    Spirals,
    Xor,
    Gaussians,
    Classification,
    Discs,
    Line,
    Mnist,
    FashionMnist,
}

/// A built-in data set.
///
/// ```
/// use rekindle_train::{Recipe, Set};
/// let moons = Set::named("moons").unwrap();
/// assert_eq!(moons.task, "2 classes");
/// assert_eq!(Recipe::from_toml(moons.recipe)?.data.set().unwrap().samples, Some(1000));
/// assert_eq!(Set::named("moon").err().unwrap(), "there is no data set `moon`; did you mean `moons`?");
/// # Ok::<(), rekindle_train::Error>(())
/// ```
pub struct Set {
    /// Its name in recipes.
    pub source: SetName,
    /// Its name on the command line, the same word.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// What is to be told apart or predicted.
    pub task: &'static str,
    /// What its targets are.
    pub kind: Kind,
    /// A recipe that learns it, in TOML.
    pub recipe: &'static str,
    /// Where it comes from.
    pub(crate) origin: Origin,
}

/// What targets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One of several classes for each sample.
    Classes,
    /// Yes or no to several labels for each sample.
    Labels,
    /// Numbers: a regression.
    Numbers,
}

/// Inputs and targets: class numbers I64 `[n]`, or F32/F64 `[n, labels]`.
pub(crate) type Drawn = (Tensor, Tensor);

pub(crate) enum Origin {
    /// Made from the keys of the source: the set itself, and so many points more to validate with.
    Made {
        draw: fn(&SetSource, usize) -> (Drawn, Option<Drawn>),
        split: Order,
        labels: fn(&SetSource) -> Vec<String>,
    },
    /// Read from files.
    Images(ImageSet),
}

/// Which points are kept for testing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Those that scikit-learn's `train_test_split` chooses.
    Random,
    /// The last ones.
    AsMade,
}

macro_rules! recipe {
    ($name:literal) => {
        include_str!(concat!("../../../recipes/", $name, ".toml"))
    };
}

/// The built-in data sets, in the order in which they are listed.
pub const SETS: &[Set] = &[
    Set {
        source: SetName::Circles,
        name: "circles",
        about: "a small circle inside a large one (scikit-learn)",
        task: "2 classes",
        kind: Kind::Classes,
        recipe: recipe!("circles"),
        origin: made(|s, more| twice(s, more, |n, seed| make_circles(n, s.noise(), seed)), two),
    },
    Set {
        source: SetName::Moons,
        name: "moons",
        about: "two interleaving half circles (scikit-learn)",
        task: "2 classes",
        kind: Kind::Classes,
        recipe: recipe!("moons"),
        origin: made(|s, more| twice(s, more, |n, seed| make_moons(n, s.noise(), seed)), two),
    },
    Set {
        source: SetName::Blobs,
        name: "blobs",
        about: "round clouds around random centres (scikit-learn)",
        task: "4 classes",
        kind: Kind::Classes,
        recipe: recipe!("blobs"),
        origin: made(blobs, |s| numbered(s.centers.unwrap_or(0))),
    },
    Set {
        source: SetName::Spirals,
        name: "spirals",
        about: "spiral arms (CS231n)",
        task: "3 classes",
        kind: Kind::Classes,
        recipe: recipe!("spirals"),
        origin: made(spirals, |s| numbered(s.arms.unwrap_or(0))),
    },
    Set {
        source: SetName::Xor,
        name: "xor",
        about: "four quarters of a square, opposite ones alike",
        task: "2 classes",
        kind: Kind::Classes,
        recipe: recipe!("xor"),
        origin: made(|s, more| twice(s, more, |n, seed| make_xor(n, s.noise(), seed)), two),
    },
    Set {
        source: SetName::Gaussians,
        name: "gaussians",
        about: "two overlapping round clouds",
        task: "2 classes",
        kind: Kind::Classes,
        recipe: recipe!("gaussians"),
        origin: made(|s, more| twice(s, more, |n, seed| make_gaussians(n, s.noise(), seed)), two),
    },
    Set {
        source: SetName::Classification,
        name: "classification",
        about: "a table with informative, redundant and useless columns (scikit-learn)",
        task: "3 classes",
        kind: Kind::Classes,
        recipe: recipe!("classification"),
        origin: made(table, |s| numbered(s.n_classes.unwrap_or(0))),
    },
    Set {
        source: SetName::Discs,
        name: "discs",
        about: "three overlapping discs: several labels for each point",
        task: "3 labels",
        kind: Kind::Labels,
        recipe: recipe!("discs"),
        origin: made(discs, |_| ["top", "left", "right"].map(String::from).to_vec()),
    },
    Set {
        source: SetName::Line,
        name: "line",
        about: "the straight line y = 0.7 x + 0.3 of lecture 02",
        task: "regression",
        kind: Kind::Numbers,
        recipe: recipe!("line"),
        origin: Origin::Made { draw: line, split: Order::AsMade, labels: |_| Vec::new() },
    },
    Set {
        source: SetName::Mnist,
        name: "mnist",
        about: "handwritten digits, 28 x 28 grey pixels",
        task: "10 classes",
        kind: Kind::Classes,
        recipe: recipe!("mnist"),
        origin: Origin::Images(ImageSet::Mnist),
    },
    Set {
        source: SetName::FashionMnist,
        name: "fashion-mnist",
        about: "Zalando's articles, 28 x 28 grey pixels",
        task: "10 classes",
        kind: Kind::Classes,
        recipe: recipe!("fashion-mnist"),
        origin: Origin::Images(ImageSet::FashionMnist),
    },
];

impl Set {
    /// The set of a name.
    ///
    /// # Errors
    /// One line with the nearest name if there is none.
    pub fn named(name: &str) -> Result<&'static Set, String> {
        SETS.iter().find(|set| set.name == name).ok_or_else(|| {
            let names: Vec<&str> = SETS.iter().map(|set| set.name).collect();
            format!("there is no data set `{name}`{}", crate::call::nearest(name, &names))
        })
    }

    /// How many samples its own recipe trains on, validates and tests with.
    ///
    /// # Errors
    /// Never, as long as its recipe is valid.
    pub fn sizes(&self) -> Result<[usize; 3], Error> {
        let data = self.source()?;
        let (all, test) = match self.origin {
            Origin::Images(_) => (70_000 - data.validation, 10_000),
            Origin::Made { .. } => {
                // Equal arms.
                let all = data.arms.map_or(data.samples(), |arms| data.samples() / arms * arms);
                (all, (data.test_size.unwrap_or(0.0) * all as f64).ceil() as usize)
            }
        };
        Ok([all - test, data.validation, test])
    }

    /// The data of its own recipe.
    pub(crate) fn source(&self) -> Result<SetSource, Error> {
        match Recipe::from_toml(self.recipe)?.data {
            Source::Set(source) => Ok(source),
            _ => unreachable!("the recipe of a set is about the set"),
        }
    }

    pub(crate) fn of(source: SetName) -> &'static Set {
        SETS.iter().find(|set| set.source == source).expect("every name has an entry")
    }
}

const fn made(
    draw: fn(&SetSource, usize) -> (Drawn, Option<Drawn>),
    labels: fn(&SetSource) -> Vec<String>,
) -> Origin {
    Origin::Made { draw, split: Order::Random, labels }
}

fn numbered(classes: usize) -> Vec<String> {
    (0..classes).map(|class| class.to_string()).collect()
}

fn two(_: &SetSource) -> Vec<String> {
    numbered(2)
}

/// Draws a set with its seed, and what it is validated with, with the next seed.
fn twice(s: &SetSource, more: usize, draw: impl Fn(usize, u32) -> Points) -> (Drawn, Option<Drawn>) {
    let seed = s.random_state();
    let again = (more > 0).then(|| draw(more, seed.wrapping_add(1)).tensors());
    (draw(s.samples(), seed).tensors(), again)
}

fn blobs(s: &SetSource, more: usize) -> (Drawn, Option<Drawn>) {
    let set = Blobs {
        n_samples: s.samples(),
        n_features: s.features.unwrap_or(2),
        centers: s.centers.unwrap_or(0),
        cluster_std: s.cluster_std.unwrap_or(1.0),
        random_state: s.random_state(),
        ..Blobs::default()
    };
    let again = (more > 0).then(|| set.draw_again(more, s.random_state().wrapping_add(1)).tensors());
    (set.generate().tensors(), again)
}

/// Equal arms: what remains of the samples is not drawn. The points to validate with are some of a whole set, because
/// arms of few points have other distances.
fn spirals(s: &SetSource, more: usize) -> (Drawn, Option<Drawn>) {
    let arms = s.arms.unwrap_or(1).max(1);
    let draw = |n: usize, seed: u32| {
        let mut r = RandomState::new(seed);
        (make_spirals(n, arms, s.noise(), &mut r).tensors(), r)
    };
    let some = || {
        let all = s.samples().max(more).div_ceil(arms);
        let ((x, y), mut r) = draw(all, s.random_state().wrapping_add(1));
        let rows = &r.permutation(all * arms)[..more];
        (select(&x, rows), select(&y, rows))
    };
    (draw(s.samples() / arms, s.random_state()).0, (more > 0).then(some))
}

/// One table, whose last rows validate: another one would have other columns.
fn table(s: &SetSource, more: usize) -> (Drawn, Option<Drawn>) {
    let set = Classification { n_samples: s.samples() + more, ..s.classification() };
    let (x, y) = set.generate().tensors();
    let rows = |start, n| (x.narrow(0, start, n), y.narrow(0, start, n));
    (rows(0, s.samples()), (more > 0).then(|| rows(s.samples(), more)))
}

fn discs(s: &SetSource, more: usize) -> (Drawn, Option<Drawn>) {
    let draw = |n, seed| make_discs(n, s.noise(), seed);
    let seed = s.random_state();
    (draw(s.samples(), seed), (more > 0).then(|| draw(more, seed.wrapping_add(1))))
}

/// The points of the lecture; the validation points lie between 0 and 1, too, half a step further.
fn line(s: &SetSource, more: usize) -> (Drawn, Option<Drawn>) {
    let between = || {
        let x = make_line(more, 0.0, 0.0).0 + 0.5 / more as f64;
        let y = &x * 0.7 + 0.3;
        (x, y)
    };
    (make_line(s.samples(), 0.7, 0.3), (more > 0).then(between))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_data() {
        for set in SETS.iter().filter(|set| matches!(set.origin, Origin::Made { .. })) {
            let data = crate::load(&Recipe::from_toml(set.recipe).unwrap(), None).unwrap();
            let loaded: Vec<usize> = data.parts().map(|(_, part)| part.len()).collect();
            assert_eq!(loaded, set.sizes().unwrap(), "{}", set.name);
        }
    }

    #[test]
    fn every_set_has_a_name_that_recipes_know_and_a_recipe_that_learns_it() {
        for set in SETS {
            let recipe = Recipe::from_toml(set.recipe).unwrap_or_else(|e| panic!("{}: {e}", set.name));
            let mut recipe = recipe;
            let data = recipe.data.set().unwrap();
            assert_eq!(data.source, set.source, "{}", set.name);
            assert_eq!(toml::Value::try_from(set.source).unwrap().as_str(), Some(set.name));
            assert!(data.validation > 0, "{}", set.name);
        }
    }
}
