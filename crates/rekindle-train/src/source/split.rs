//! How the rows of a user's file are split.

use super::is_default;
use crate::error::Error;
use rekindle_data::split::{stratified_train_test_split, train_test_split};
use rekindle_tensor::check;
use serde::{Deserialize, Serialize};

/// Which part of a user's samples validates and tests; the others are trained on.
///
/// The samples are drawn as scikit-learn's `train_test_split` draws them: first those to test with, then those to validate with
/// from the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SplitSizes {
    /// The fraction of all samples to validate with.
    pub validation: f64,
    /// The fraction of all samples to test with.
    pub test: f64,
    /// The seed of the draw.
    pub random_state: u32,
    /// Whether each class has these fractions, if classes are learned.
    pub stratify: bool,
}

impl Default for SplitSizes {
    fn default() -> Self {
        SplitSizes { validation: 0.2, test: 0.2, random_state: 42, stratify: true }
    }
}

/// The numbers of the samples of each part.
pub(super) struct Parts {
    pub train: Vec<usize>,
    pub validation: Vec<usize>,
    pub test: Vec<usize>,
}

impl SplitSizes {
    /// Fractions that leave nothing to train on or to test with.
    pub(super) fn check(&self, tests_itself: bool) -> Result<(), String> {
        for (key, value) in [("validation", self.validation), ("test", self.test)] {
            if !(0.0..1.0).contains(&value) {
                return Err(format!("data.split.{key} = {value}: it must be a fraction from 0 to below 1"));
            }
        }
        if is_default(&self.test) && tests_itself {
            return Err("data.split.test = 0: nothing is left to test with; give it a fraction such as 0.2, or name a file to test with".into());
        }
        if self.validation + self.test >= 1.0 {
            let all = self.validation + self.test;
            return Err(format!(
                "data.split: validation and test take {all} of 1; leave something to train on"
            ));
        }
        Ok(())
    }

    /// All samples test.
    pub(super) fn all_test(&self) -> SplitSizes {
        SplitSizes { validation: 0.0, test: 1.0, ..self.clone() }
    }

    /// The same where another file tests.
    pub(super) fn without_test(&self, other: bool) -> SplitSizes {
        SplitSizes { test: if other { 0.0 } else { self.test }, ..self.clone() }
    }

    /// `[data.split]` in TOML, with comments.
    pub(super) fn page(&self, tests_itself: bool) -> String {
        let SplitSizes { validation, test, random_state, stratify } = self;
        let test = if tests_itself { format!("test = {test}\n") } else { String::new() };
        format!(
            "[data.split] # fractions of all samples, drawn by a seed; stratify: the same share of each class in all parts\n\
             validation = {validation}\n{test}random_state = {random_state}\nstratify = {stratify}\n"
        )
    }

    /// Splits `n` samples, whose classes are these, if classes are learned.
    pub(super) fn split(&self, n: usize, classes: Option<&[i64]>) -> Result<Parts, Error> {
        if self.test == 1.0 {
            return Ok(Parts { train: Vec::new(), validation: Vec::new(), test: (0..n).collect() });
        }
        let classes = classes.filter(|_| self.stratify);
        let (rest, test) = self.in_two(n, self.test, classes, |sample| sample)?;
        let of_rest: Option<Vec<i64>> = classes.map(|classes| rest.iter().map(|&s| classes[s]).collect());
        let share = self.validation / (1.0 - self.test);
        let (train, validation) = self.in_two(rest.len(), share, of_rest.as_deref(), |i| rest[i])?;
        let of = |rows: Vec<usize>| rows.into_iter().map(|row| rest[row]).collect();
        Ok(Parts { train: of(train), validation: of(validation), test })
    }

    /// `sample` says which of all samples the `i`th of these is, for messages.
    fn in_two(
        &self,
        n: usize,
        fraction: f64,
        classes: Option<&[i64]>,
        sample: impl Fn(usize) -> usize,
    ) -> Result<(Vec<usize>, Vec<usize>), Error> {
        if fraction == 0.0 {
            return Ok(((0..n).collect(), Vec::new()));
        }
        alone(classes, sample)?;
        if (fraction * n as f64).ceil() as usize >= n {
            let what = format!(
                "data.split: too few samples ({n}) to be split so; add some, or change the fractions"
            );
            return Err(Error::Recipe(what));
        }
        let split = check(|| match classes {
            Some(labels) => stratified_train_test_split(labels, fraction, self.random_state),
            None => train_test_split(n, fraction, self.random_state),
        });
        let split = split.map_err(|e| {
            Error::Recipe(format!(
                "data.split: {e} (set data.split.stratify = false to split without regard to classes)"
            ))
        })?;
        Ok((split.train, split.test))
    }
}

/// Refuses a class of one sample, which cannot be in two parts.
fn alone(classes: Option<&[i64]>, sample: impl Fn(usize) -> usize) -> Result<(), Error> {
    let mut seen = std::collections::BTreeMap::new();
    for (i, class) in classes.into_iter().flatten().enumerate() {
        seen.entry(class).and_modify(|first| *first = None).or_insert(Some(i));
    }
    // The first in the file.
    let Some(first) = seen.into_values().flatten().min() else { return Ok(()) };
    Err(Error::Recipe(format!(
        "data.split: sample {} is the only one of its class that is left to be split; add some, take it out, or set data.split.stratify = \
         false to split without regard to classes",
        sample(first) + 1
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_is_split_by_itself_and_every_sample_is_in_one_part() {
        let classes: Vec<i64> = (0..100).map(|i| i64::from(i % 10 == 0)).collect();
        let parts = SplitSizes::default().split(100, Some(&classes)).unwrap();
        let rare = |rows: &[usize]| rows.iter().filter(|&&row| classes[row] == 1).count();
        assert_eq!([parts.train.len(), parts.validation.len(), parts.test.len()], [60, 20, 20]);
        assert_eq!([rare(&parts.train), rare(&parts.validation), rare(&parts.test)], [6, 2, 2]);
        let mut all = [parts.train, parts.validation, parts.test].concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_class_with_one_sample_is_named_with_the_cure() {
        let classes = [&[0; 20][..], &[1]].concat();
        let e = SplitSizes::default().split(21, Some(&classes)).err().unwrap().to_string();
        assert!(e.starts_with("data.split: ") && e.contains("stratify = false"), "{e}");
        // Where nothing is split, it is no harm.
        let whole = SplitSizes { test: 0.0, validation: 0.0, ..SplitSizes::default() };
        assert_eq!(whole.split(21, Some(&classes)).unwrap().train.len(), 21);
        let plain = SplitSizes { stratify: false, ..SplitSizes::default() };
        assert_eq!(plain.split(21, Some(&classes)).unwrap().test.len(), 5);
    }
}
