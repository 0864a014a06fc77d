//! What the columns of a table are, and what is to be learned from them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Table;
use super::cell::{parse_number, shown};
use super::facts::Facts;
use super::gaps::{Gaps, are_default, default_words};
use crate::error::{Error, Result};

/// Whole numbers that take at most so many values are classes.
const FEW_NUMBERS: usize = 20;
/// What separates the labels of a list.
const LIST_SEPARATORS: [char; 2] = ['|', ';'];

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
    /// It is none of the categories: all features of the column are 0.
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
    /// Numbers, one for each column: `y` is `[n, columns]` of f32.
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

/// The rows of a table that a net may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Samples {
    /// The rows, without those that missing cells leave out.
    pub rows: Vec<usize>,
    /// The class of each, numbered in the order of sorted names, if classes are learned.
    pub classes: Option<Vec<i64>>,
}

impl Schema {
    /// Guesses what the columns are, and what the columns `labels` are to teach; `why` says what each guess rests on.
    ///
    /// | the cells (without the missing ones) | kind |
    /// |---|---|
    /// | none, or all the same | ignored |
    /// | words for true and false | boolean |
    /// | whole numbers, all different, that count the rows (10 or more) or whose column is named `id`, `index` or `.._id` | ignored |
    /// | mostly numbers, also in forms that encoding will refuse (`1,5`, `inf`) | numeric |
    /// | ISO dates | date |
    /// | texts, all different in 10 or more rows; more than 50 that are most rows' own; more than 1000 | ignored |
    /// | other texts | categorical |
    ///
    /// One label column teaches numbers if it has numbers that are not whole or take more than 20 values; lists of labels if
    /// cells contain `|` or `;` between labels that recur; otherwise classes. Several label columns teach labels if all are true or
    /// false, otherwise numbers.
    ///
    /// # Errors
    /// If there is no such label column (the nearest is named), it is named twice, it has no values, or several label columns
    /// are neither true or false nor numbers.
    pub fn guess(table: &Table, labels: &[&str]) -> Result<Self> {
        for (i, label) in labels.iter().enumerate() {
            table.column(label)?;
            if labels[..i].contains(label) {
                return Err(table.complain_of(label, "a label twice".into(), "name it once"));
            }
        }
        let words = default_words();
        let gaps = Gaps { policy: Missing::default(), words: &words };
        let columns = table.columns().iter().enumerate().filter(|(_, name)| !labels.contains(&name.as_str()));
        let columns = columns.map(|(i, name)| {
            let (kind, why) = Facts::of(table, i, gaps).kind(name);
            Column { name: name.clone(), kind, why }
        });
        let columns = columns.collect();
        let target = match labels {
            [] => None,
            [label] => Some(guess_one(table, label, gaps)?),
            labels => Some(guess_several(table, labels, gaps)?),
        };
        Ok(Self {
            missing: gaps.policy,
            missing_words: words.clone(),
            unseen: Unseen::default(),
            columns,
            target,
        })
    }

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

    /// The rows to divide into parts for training, validation and test, and the class of each for parts in which every class keeps its
    /// share.
    ///
    /// # Errors
    /// If a column of the schema is not in the table, or a cell is missing that must not be.
    ///
    /// ```
    /// use rekindle_data::split::stratified_train_test_split;
    /// use rekindle_data::table::{Encoder, Missing, Schema, Table};
    ///
    /// let rows = [["1", "p"], ["2", "q"], ["", "q"], ["3", "p"], ["4", "q"], ["9", "p"]];
    /// let table = Table::new("t", &["x", "y"], rows)?;
    /// let mut schema = Schema::guess(&table, &["y"])?;
    /// schema.missing = Missing::Drop;
    /// let samples = schema.samples(&table)?;
    /// assert_eq!(samples.rows, [0, 1, 3, 4, 5]);
    /// assert_eq!(samples.classes, Some(vec![0, 1, 0, 1, 0]));
    ///
    /// let split = stratified_train_test_split(samples.classes.as_ref().unwrap(), 0.4, 0);
    /// let rows = |part: &[usize]| part.iter().map(|&i| samples.rows[i]).collect::<Vec<_>>();
    /// let encoder = Encoder::fit(&table, &schema, &rows(&split.train))?;
    /// let test = encoder.encode(&table.select(&rows(&split.test)))?;
    /// assert_eq!(test.x.shape(), [2, 1]);
    /// # Ok::<(), rekindle_data::Error>(())
    /// ```
    pub fn samples(&self, table: &Table) -> Result<Samples> {
        let (inputs, targets) = self.places(table)?;
        let all: Vec<usize> = (0..table.len()).collect();
        let rows = self.gaps().kept_rows(table, &inputs, self.target.as_ref(), &targets, &all)?;
        let classes = match &self.target {
            Some(Target { kind: TargetKind::Classes, .. }) => {
                let cells = || rows.iter().map(|&row| table.cell(row, targets[0]));
                let numbers: BTreeMap<String, i64> = sorted_names(cells()).into_iter().zip(0..).collect();
                Some(cells().map(|cell| numbers[cell]).collect())
            }
            _ => None,
        };
        Ok(Samples { rows, classes })
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

/// What one label column teaches.
fn guess_one(table: &Table, label: &str, gaps: Gaps<'_>) -> Result<Target> {
    let place = table.column(label)?;
    let facts = Facts::of(table, place, gaps);
    if facts.present == 0 {
        return Err(table.complain_of(label, "every label is missing".into(), "fill the column in"));
    }
    let target = |kind, names, separator, why| {
        let columns = vec![label.to_string()];
        let why = if facts.missing > 0 { format!("{why}, {} missing", facts.missing) } else { why };
        Ok(Target { columns, kind, names, separator, why })
    };
    let distinct = facts.texts.len();
    let spread = distinct > FEW_NUMBERS || (!facts.whole && distinct > 2);
    if 2 * facts.numbers > facts.present && spread {
        return target(TargetKind::Numbers, Vec::new(), None, facts.range());
    }
    for separator in LIST_SEPARATORS {
        let parts: Vec<&str> =
            facts.texts.iter().flat_map(|(cell, _)| gaps.labels(cell, separator)).collect();
        let names = sorted_names(parts.iter().copied());
        if parts.len() > distinct && names.len() < parts.len() {
            let why = format!("lists of {} labels: {}", names.len(), listed(&names));
            return target(TargetKind::Labels, names, Some(separator), why);
        }
    }
    let names = sorted_names(facts.texts.iter().map(|(text, _)| *text));
    let noun = if names.len() == 1 { "class" } else { "classes" };
    let why = format!("{} {noun}: {}", names.len(), listed(&names));
    target(TargetKind::Classes, names, None, why)
}

/// What several label columns teach.
fn guess_several(table: &Table, labels: &[&str], gaps: Gaps<'_>) -> Result<Target> {
    let (mut booleans, mut numbers) = (true, true);
    for label in labels {
        let facts = Facts::of(table, table.column(label)?, gaps);
        booleans &= facts.booleans == facts.present;
        numbers &= facts.numbers == facts.present;
        if !booleans && !numbers {
            let what = "several label columns that are neither true or false nor numbers";
            return Err(table.complain_of(
                label,
                what.into(),
                "name one label column, or columns of 0 and 1",
            ));
        }
    }
    let columns: Vec<String> = labels.iter().map(ToString::to_string).collect();
    let (kind, names, why) = if booleans {
        (TargetKind::Labels, columns.clone(), format!("{} labels, a column each", columns.len()))
    } else {
        (TargetKind::Numbers, Vec::new(), format!("{} numbers, a column each", columns.len()))
    };
    Ok(Target { columns, kind, names, separator: None, why })
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

/// Some names, for people.
pub(super) fn listed(names: &[String]) -> String {
    const LISTED: usize = 10;
    let shown: Vec<String> = names.iter().take(LISTED).map(|name| shown(name)).collect();
    shown.join(", ") + if names.len() > LISTED { ", .." } else { "" }
}
