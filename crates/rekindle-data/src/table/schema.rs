//! What the columns of a table are, and what is to be learned from them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Table;
use super::cell::parse_number;
use super::gaps::{Gaps, are_default, default_words};
use crate::error::{Error, Result};

/// What separates the labels of a list.
pub(super) const LIST_SEPARATORS: [char; 2] = ['|', ';'];

/// What a column is, and so how it becomes numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Numbers: one feature, standardised.
    Numeric,
    /// One of some texts: a feature for each, 1 for the one it is.
    Categorical,
    /// `true` and `false`, `yes` and `no`, `t` and `f`, `y` and `n`, `1` and `0`: one feature, 1 or 0.
    Boolean,
    /// ISO dates: four features ([`DATE_PARTS`](super::DATE_PARTS)), standardised.
    Date,
    /// One of many texts: one feature, its index, for a layer that has a vector for each. Never guessed.
    Embedding,
    /// No feature.
    Ignored,
}

/// What is done about cells that are empty or one of the words for missing ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// Numbers, booleans and dates get the mean of the training rows; in categories, missing is one of its own.
    #[default]
    Mean,
    /// The row is left out. (A row to predict for cannot be: there it is an error.)
    Drop,
    /// It is an error.
    Error,
}

/// What is done about a category that training did not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unseen {
    /// It is an error.
    #[default]
    Error,
    /// It is none of the categories: all features of the column are 0, and so is the index of an embedded one.
    Ignore,
}

/// A column and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Why it was guessed to be that, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// What kind of thing is to be learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// One class for each row: `y` is `[n]` of i64.
    Classes,
    /// Any number of labels for each row, as columns of 0 and 1 or as a list in one column: `y` is `[n, labels]` of 0 and 1 in f32.
    Labels,
    /// Numbers, one for each column: `y` is `[n, columns]` of f32, standardised.
    Numbers,
}

/// What is to be learned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The columns that hold it.
    pub columns: Vec<String>,
    /// What kind of thing it is.
    pub kind: TargetKind,
    /// The classes or labels in the order of their numbers; if there are none here, those of the training rows, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// What separates the labels, if they are a list in one column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<char>,
    /// Why it was guessed to be that, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// What the columns of a table are, what is to be learned, and what is done about cells that do not say.
///
/// It can be written as TOML or JSON and changed by hand.
///
/// ```
/// use rekindle_data::table::{CsvOptions, Kind, Schema, Table};
///
/// let text = "grade,city,passed\n1.5,Seoul,yes\n2.5,Jeonju,no\n,Seoul,yes\n";
/// let table = Table::from_reader(text.as_bytes(), "exam.csv", &CsvOptions::default())?;
/// let mut schema = Schema::guess(&table, &["passed"])?;
/// assert_eq!(
///     schema.remarks(),
///     [
///         "grade: numbers from 1.5 to 2.5, 1 missing",
///         "city: 2 categories: `Seoul`, `Jeonju`",
///         "passed: to be learned, 2 classes: `no`, `yes`",
///     ]
/// );
/// schema.set_kind("city", Kind::Ignored);
/// assert_eq!(schema.columns[1].kind, Kind::Ignored);
/// # Ok::<(), rekindle_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// What is done about missing cells.
    #[serde(default)]
    pub missing: Missing,
    /// Cells that are missing, besides empty ones: [`MISSING_WORDS`](super::MISSING_WORDS), unless `None`, say, is a class here.
    #[serde(default = "default_words", skip_serializing_if = "are_default")]
    pub missing_words: Vec<String>,
    /// What is done about categories that training did not have.
    #[serde(default)]
    pub unseen: Unseen,
    /// The columns that are learned from, in the order of their features.
    pub columns: Vec<Column>,
    /// What is to be learned, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
}

impl Schema {
    /// What was guessed about each column, a line each, for people.
    pub fn remarks(&self) -> Vec<String> {
        let columns = self.columns.iter().map(|column| match column.kind {
            Kind::Ignored => format!("{}: ignored, {}", column.name, column.why),
            _ => format!("{}: {}", column.name, column.why),
        });
        let target =
            self.target.iter().map(|t| format!("{}: to be learned, {}", t.columns.join(", "), t.why));
        columns.chain(target).collect()
    }

    /// Where in the table the columns to learn from and the label columns are.
    pub(super) fn places(&self, table: &Table) -> Result<(Vec<usize>, Vec<usize>)> {
        let inputs = self.used().map(|column| table.column(&column.name)).collect::<Result<Vec<_>>>()?;
        let labels = self.target.iter().flat_map(|target| &target.columns);
        let targets = labels.map(|name| table.column(name)).collect::<Result<Vec<_>>>()?;
        let places: Vec<usize> = inputs.iter().chain(&targets).copied().collect();
        if let Some(i) = (1..places.len()).find(|&i| places[..i].contains(&places[i])) {
            let what = "the column is used twice".to_string();
            return Err(table.complain_of(&table.columns()[places[i]], what, "name it once"));
        }
        if self.target.is_some() && targets.is_empty() {
            let (problem, remedy) = ("a target without columns".into(), "name a label column".into());
            return Err(Error::Table {
                name: table.name().into(),
                place: None,
                column: None,
                problem,
                remedy,
            });
        }
        Ok((inputs, targets))
    }

    /// Which cells are missing, and the policy for them.
    pub(super) fn gaps(&self) -> Gaps<'_> {
        Gaps { policy: self.missing, words: &self.missing_words }
    }

    /// The columns that are not ignored.
    pub(super) fn used(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.kind != Kind::Ignored)
    }

    /// Says what a column is, against the guess. A column that is not among those to learn from becomes one.
    pub fn set_kind(&mut self, name: &str, kind: Kind) {
        let why = "as declared".to_string();
        match self.columns.iter_mut().find(|column| column.name == name) {
            Some(column) => (column.kind, column.why) = (kind, why),
            None => self.columns.push(Column { name: name.into(), kind, why }),
        }
    }
}

/// Names, each once: numbers by their value, texts by their characters.
pub(super) fn sorted_names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<&str> = names.collect::<BTreeSet<_>>().into_iter().collect();
    let values: Result<Vec<f64>, _> = names.iter().map(|name| parse_number(name)).collect();
    if values.is_ok() {
        // The sort is stable: `1` stays before `1.0`.
        names
            .sort_by(|a, b| f64::total_cmp(&parse_number(a).unwrap_or(0.0), &parse_number(b).unwrap_or(0.0)));
    }
    names.into_iter().map(String::from).collect()
}
