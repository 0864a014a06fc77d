//! What is learned from the training rows of a table before a net sees them.

use serde::{Deserialize, Serialize};

use super::cell::{DATE_PARTS, counted, parse_boolean, parse_date, parse_number};
use super::gaps::{Gaps, default_words};
use super::schema::{Kind, Missing, Schema, Target, TargetKind, Unseen, sorted_names};
use super::{MAX_CATEGORIES, MAX_CLASSES, Table};
use crate::error::{Error, Result};

/// What the training rows say about a column.
///
/// Numbers are standardised as by scikit-learn's `StandardScaler`: `(x - mean) / std` with the population's standard deviation
/// `sqrt(sum((x - mean)^2) / n)`. Numbers that are all the same have `std` 0 and are always encoded as 0: nothing can be
/// learned from them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Learned {
    /// Numbers.
    Numeric {
        /// Their mean.
        mean: f64,
        /// Their standard deviation.
        std: f64,
    },
    /// Categories: a feature each.
    Categorical {
        /// The categories, sorted by their characters.
        categories: Vec<String>,
        /// Whether missing is one more, the last.
        missing: bool,
    },
    /// True and false.
    Boolean {
        /// The part that is true, which stands for missing ones.
        mean: f64,
    },
    /// Dates, in [`DATE_PARTS`](super::DATE_PARTS).
    Date {
        /// The means.
        mean: [f64; 4],
        /// The standard deviations.
        std: [f64; 4],
    },
}

/// A column, and what the training rows say about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnEncoder {
    /// The name of the column.
    pub name: String,
    /// What was learned.
    pub learned: Learned,
}

/// Turns tables into tensors, by what the training rows said. It belongs to the net that learned from them.
///
/// ```
/// use rekindle_data::table::{Encoder, Schema, Table};
///
/// let table = Table::new("shop", &["size", "sold"], [["1", "no"], ["2", "no"], ["3", "yes"], ["50", "yes"]])?;
/// let encoder = Encoder::fit(&table, &Schema::guess(&table, &["sold"])?, &[0, 1, 2])?; // the last row is for testing
/// assert_eq!(encoder.class_names(), ["no", "yes"]);
/// let again = Encoder::from_json(&encoder.to_json())?;
/// assert_eq!(again, encoder);
///
/// // Tables to predict for need no labels, and their columns may be in any order.
/// let new = Table::new("new", &["note", "size"], [["big", "2"]])?;
/// assert_eq!(again.encode_inputs(&new)?.to_vec::<f32>(), [0.0]);
/// # Ok::<(), rekindle_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Encoder {
    pub(super) missing: Missing,
    pub(super) missing_words: Vec<String>,
    pub(super) unseen: Unseen,
    pub(super) columns: Vec<ColumnEncoder>,
    pub(super) target: Option<Target>,
}

/// An encoder from anywhere.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    missing: Missing,
    #[serde(default = "default_words")]
    missing_words: Vec<String>,
    unseen: Unseen,
    columns: Vec<ColumnEncoder>,
    target: Option<Target>,
}

impl TryFrom<Unchecked> for Encoder {
    type Error = String;

    fn try_from(from: Unchecked) -> Result<Self, String> {
        let deviation = |mean: f64, std: f64| mean.is_finite() && std.is_finite() && std >= 0.0;
        for ColumnEncoder { name, learned } in &from.columns {
            let sound = match learned {
                Learned::Numeric { mean, std } => deviation(*mean, *std),
                Learned::Boolean { mean } => (0.0..=1.0).contains(mean),
                Learned::Date { mean, std } => mean.iter().zip(std).all(|(mean, std)| deviation(*mean, *std)),
                Learned::Categorical { categories, .. } => {
                    categories.len() <= MAX_CATEGORIES && categories.is_sorted_by(|a, b| a < b)
                }
            };
            if !sound {
                return Err(format!("what is kept about column `{name}` cannot have been learned"));
            }
        }
        if from.target.as_ref().is_some_and(|target| target.columns.is_empty()) {
            return Err("a target without columns".into());
        }
        let Unchecked { missing, missing_words, unseen, columns, target } = from;
        Ok(Self { missing, missing_words, unseen, columns, target })
    }
}

impl Encoder {
    /// Learns from some rows of a table: those that a net is to be trained on.
    ///
    /// # Errors
    /// If a column of the schema is not in the table (the nearest is named), a cell does not have its column's kind, a cell is
    /// missing that must not be, there is no feature or no row to learn from, a column has more than 1000 categories, there is
    /// only one class, or a class of the schema has no training row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn fit(table: &Table, schema: &Schema, rows: &[usize]) -> Result<Self> {
        let used: Vec<_> = schema.used().collect();
        let (inputs, targets) = schema.places(table)?;
        let gaps = schema.gaps();
        let rows = gaps.kept_rows(table, &inputs, schema.target.as_ref(), &targets, rows)?;
        if rows.is_empty() || inputs.is_empty() {
            let what = if rows.is_empty() { "no rows to learn from" } else { "no columns to learn from" };
            let remedy = match (rows.is_empty(), schema.missing) {
                (true, Missing::Drop) => "keep rows with missing cells, or fill them in",
                (true, _) => "give it more rows",
                _ => "declare a kind for at least one column that is ignored",
            };
            let (problem, remedy) = (what.into(), remedy.into());
            return Err(Error::Table {
                name: table.name.clone(),
                place: None,
                column: None,
                problem,
                remedy,
            });
        }
        let mut columns = Vec::with_capacity(used.len());
        for (column, &place) in used.iter().zip(&inputs) {
            let learned = learn(table, place, column.kind, &rows, gaps)?;
            columns.push(ColumnEncoder { name: column.name.clone(), learned });
        }
        let target = schema.target.as_ref().map(|target| learn_target(table, target, &targets, &rows, gaps));
        Ok(Self {
            missing: schema.missing,
            missing_words: schema.missing_words.clone(),
            unseen: schema.unseen,
            columns,
            target: target.transpose()?,
        })
    }

    /// The features, in the order of the columns of `x`: `age`, `colour=red`, `colour=(missing)`, `day.weekday`.
    pub fn feature_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for ColumnEncoder { name, learned } in &self.columns {
            match learned {
                Learned::Numeric { .. } | Learned::Boolean { .. } => names.push(name.clone()),
                Learned::Date { .. } => names.extend(DATE_PARTS.map(|part| format!("{name}.{part}"))),
                Learned::Categorical { categories, missing } => {
                    names.extend(categories.iter().map(|category| format!("{name}={category}")));
                    names.extend(missing.then(|| format!("{name}=(missing)")));
                }
            }
        }
        names
    }

    /// The classes or labels, in the order of their numbers; none if numbers are learned.
    pub fn class_names(&self) -> &[String] {
        self.target.as_ref().map_or(&[], |target| &target.names)
    }

    /// What is learned, with its classes or labels.
    pub fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }

    /// The columns that are used, and what the training rows say about them.
    pub fn columns(&self) -> &[ColumnEncoder] {
        &self.columns
    }

    /// Everything that was learned, as JSON. Numbers come back to the last bit.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("names and finite numbers")
    }

    /// What [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    /// If the text is something else, or has numbers that cannot have been learned.
    pub fn from_json(json: &str) -> Result<Self> {
        serde_json::from_str(json).map_err(|error| Error::Table {
            name: "encoder".into(),
            place: None,
            column: None,
            problem: error.to_string(),
            remedy: "train the model again".into(),
        })
    }
}

fn learn(table: &Table, column: usize, kind: Kind, rows: &[usize], gaps: Gaps<'_>) -> Result<Learned> {
    let present = || rows.iter().copied().filter(|&row| !gaps.is_missing(table.cell(row, column)));
    if let Kind::Categorical | Kind::Ignored = kind {
        let categories = sorted_texts(present().map(|row| table.cell(row, column)));
        if categories.len() > MAX_CATEGORIES {
            let what = format!("{} categories, more than {MAX_CATEGORIES}", categories.len());
            return Err(table.complain_of(
                &table.columns()[column],
                what,
                "join rare ones, or ignore the column",
            ));
        }
        return Ok(Learned::Categorical { categories, missing: present().count() < rows.len() });
    }
    let mut parts: [Vec<f64>; 4] = Default::default();
    for row in present() {
        let read = read_cell(table.cell(row, column), kind);
        let (numbers, count) = read.map_err(|(what, remedy)| table.complain(row, column, what, remedy))?;
        parts.iter_mut().zip(&numbers[..count]).for_each(|(part, &number)| part.push(number));
    }
    let complain = |what: &str, remedy| Err(table.complain_of(&table.columns()[column], what.into(), remedy));
    if parts[0].is_empty() {
        return complain("every cell of the training rows is missing", "ignore the column");
    }
    let (mean, std) = moments(&parts[0]);
    if !mean.is_finite() || !std.is_finite() {
        return complain("numbers too large for a mean and a standard deviation", "use a larger unit");
    }
    Ok(match kind {
        Kind::Numeric => Learned::Numeric { mean, std },
        Kind::Boolean => Learned::Boolean { mean },
        _ => {
            let moments = parts.map(|part| moments(&part));
            Learned::Date { mean: moments.map(|(mean, _)| mean), std: moments.map(|(_, std)| std) }
        }
    })
}

/// The numbers in a cell that is not missing, and how many they are.
pub(super) fn read_cell(cell: &str, kind: Kind) -> Result<([f64; 4], usize), (String, &'static str)> {
    let wrong = |what: &str| {
        (format!("{} is {what}", super::shown(cell)), "correct it, or give the column another kind")
    };
    match kind {
        Kind::Boolean => match parse_boolean(cell) {
            Some(yes) => Ok(([f64::from(yes), 0.0, 0.0, 0.0], 1)),
            None => Err(wrong("neither true nor false")),
        },
        Kind::Date => match parse_date(cell) {
            Some(parts) => Ok((parts, 4)),
            None => Err(wrong("not a date such as 2026-11-22")),
        },
        _ => match parse_number(cell) {
            Ok(number) => Ok(([number, 0.0, 0.0, 0.0], 1)),
            Err(why) => Err(why.explain(cell)),
        },
    }
}

/// The mean and the population's standard deviation, in two passes: the second takes out what rounding left in the first.
fn moments(values: &[f64]) -> (f64, f64) {
    if values.iter().all(|value| value == &values[0]) {
        return (values[0], 0.0);
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let rest: f64 = values.iter().map(|value| value - mean).sum();
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, ((squares - rest * rest / n) / n).max(0.0).sqrt())
}

/// Texts, each once, by their characters.
fn sorted_texts<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let texts: std::collections::BTreeSet<&str> = texts.collect();
    texts.into_iter().map(String::from).collect()
}

/// The target with the names that the training rows have, if it declares none.
fn learn_target(
    table: &Table,
    target: &Target,
    columns: &[usize],
    rows: &[usize],
    gaps: Gaps<'_>,
) -> Result<Target> {
    let (label, mut names) = (&target.columns[0], target.names.clone());
    let complain = |what: String, remedy: &str| Err(table.complain_of(label, what, remedy));
    let cells = || rows.iter().map(|&row| table.cell(row, columns[0]));
    match (target.kind, target.separator) {
        (TargetKind::Numbers, _) => names.clear(),
        (TargetKind::Classes, _) if columns.len() > 1 => {
            let what = "several columns of classes".to_string();
            return complain(what, "name one, or declare labels");
        }
        (TargetKind::Classes, _) => {
            let learned = sorted_names(cells());
            if let [only] = &learned[..] {
                let what = format!("all {} are {}", counted(rows.len(), "row"), super::shown(only));
                return complain(what, "a classifier needs at least two classes");
            }
            if let Some(absent) = names.iter().find(|name| !learned.contains(name)) {
                let what = format!("class {} has no training row", super::shown(absent));
                return complain(what, "give it more rows, or remove it");
            }
            if names.is_empty() {
                names = learned;
            }
        }
        (TargetKind::Labels, Some(separator)) if names.is_empty() => {
            names = sorted_names(cells().flat_map(|cell| gaps.labels(cell, separator)));
        }
        (TargetKind::Labels, Some(_)) => {}
        (TargetKind::Labels, None) => names.clone_from(&target.columns),
    }
    if names.len() > MAX_CLASSES {
        let what = format!("{} classes, more than {MAX_CLASSES}", names.len());
        return complain(what, "is this the right column?");
    }
    if let Some(i) = (1..names.len()).find(|&i| names[..i].contains(&names[i])) {
        return complain(format!("{} is declared twice", super::shown(&names[i])), "name it once");
    }
    if target.kind == TargetKind::Labels && names.is_empty() {
        return complain("no training row has a label".into(), "is this the right column?");
    }
    Ok(Target { names, why: String::new(), ..target.clone() })
}
