//! What is learned from the training rows of a table before a net sees them.

use serde::{Deserialize, Serialize};

use super::cell::{DATE_PARTS, parse_boolean, parse_date, parse_number};
use super::gaps::default_words;
use super::learn::{Learner, Pass};
use super::schema::{Kind, Missing, Schema, Target, TargetKind, Unseen};
use super::{MAX_CATEGORIES, MAX_EMBEDDED, Table, TableReader};
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
    /// Categories: one feature, the index of the category. 0 is missing or unseen, the first category is 1.
    Embedding {
        /// The categories, sorted by their characters.
        categories: Vec<String>,
        /// Whether training had missing ones.
        missing: bool,
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
    /// The mean and the standard deviation of each column of numbers to be learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) target_scale: Option<Vec<(f64, f64)>>,
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
    #[serde(default)]
    target_scale: Option<Vec<(f64, f64)>>,
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
                Learned::Embedding { categories, .. } => {
                    categories.len() <= MAX_EMBEDDED && categories.is_sorted_by(|a, b| a < b)
                }
            };
            if !sound {
                return Err(format!("what is kept about column `{name}` cannot have been learned"));
            }
        }
        if from.target.as_ref().is_some_and(|target| target.columns.is_empty()) {
            return Err("a target without columns".into());
        }
        if let Some(scale) = &from.target_scale {
            let columns = match &from.target {
                Some(Target { kind: TargetKind::Numbers, columns, .. }) => columns.len(),
                _ => 0,
            };
            if scale.len() != columns || !scale.iter().all(|&(mean, std)| deviation(mean, std) && std > 0.0) {
                return Err("what is kept about the target cannot have been learned".into());
            }
        }
        let Unchecked { missing, missing_words, unseen, columns, target, target_scale } = from;
        Ok(Self { missing, missing_words, unseen, columns, target, target_scale })
    }
}

impl Encoder {
    /// Learns from some rows of a table: those that a net is to be trained on. Their order makes no difference.
    ///
    /// # Errors
    /// If a column of the schema is not in the table (the nearest is named), a cell does not have its column's kind, a cell is
    /// missing that must not be, there is no feature or no row to learn from, a column has more than 1000 categories (100000 if
    /// they are embedded), there is only one class or all numbers to be learned are the same, or a class of the schema has no
    /// training row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn fit(table: &Table, schema: &Schema, rows: &[usize]) -> Result<Self> {
        let mut learner = Learner::new(schema, table)?;
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        learner.see(Pass::First, table, &rows)?;
        if learner.needs_second_pass() {
            learner.see(Pass::Second, table, &rows)?;
        }
        learner.finish()
    }

    /// [`fit`](Self::fit) to those rows of a file that `is_training` names by their number: the same, byte for byte. The file is read once
    /// or twice, by pieces; `open` opens it.
    ///
    /// # Errors
    /// As [`fit`](Self::fit), what `open` says, as [`TableReader::read_rows`], and if the file changed between two readings.
    ///
    /// ```
    /// use rekindle_data::table::{CsvOptions, Encoder, Schema, Table, TableReader};
    ///
    /// let text = "x,y\n1.5,p\n2,q\n4,p\n9,q\n";
    /// let table = Table::from_reader(text.as_bytes(), "t.csv", &CsvOptions::default())?;
    /// let schema = Schema::guess(&table, &["y"])?;
    /// let mut open = || TableReader::from_reader(text.as_bytes(), "t.csv", &CsvOptions::default());
    /// let encoder = Encoder::fit_stream(&mut open, &schema, &|row| row < 3)?;
    /// assert_eq!(encoder.to_json(), Encoder::fit(&table, &schema, &[0, 1, 2])?.to_json());
    /// # Ok::<(), rekindle_data::Error>(())
    /// ```
    pub fn fit_stream(
        open: &mut dyn FnMut() -> Result<TableReader>,
        schema: &Schema,
        is_training: &dyn Fn(usize) -> bool,
    ) -> Result<Self> {
        let mut reader = open()?;
        let mut learner = Learner::new(schema, reader.empty())?;
        let pass = |learner: &mut Learner<'_>, pass, reader: &mut TableReader| {
            reader.each_piece(|piece, first| {
                let rows: Vec<usize> = (0..piece.len()).filter(|row| is_training(first + row)).collect();
                learner.see(pass, piece, &rows)
            })
        };
        pass(&mut learner, Pass::First, &mut reader)?;
        if learner.needs_second_pass() {
            pass(&mut learner, Pass::Second, &mut open()?)?;
        }
        learner.finish()
    }

    /// The features, in the order of the columns of `x`: `age`, `colour=red`, `colour=(missing)`, `day.weekday`.
    pub fn feature_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for ColumnEncoder { name, learned } in &self.columns {
            match learned {
                Learned::Numeric { .. } | Learned::Boolean { .. } | Learned::Embedding { .. } => {
                    names.push(name.clone());
                }
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

    /// The features that are indices of categories: which feature of `x`, and how many indices there are, from 0 for missing and unseen
    /// ones. A layer with a vector for each makes use of them.
    ///
    /// ```
    /// use rekindle_data::table::{Encoder, Kind, Schema, Table};
    ///
    /// let table = Table::new("shop", &["size", "town", "sold"], [["1", "Seoul", "no"], ["2", "Jeonju", "yes"]])?;
    /// let mut schema = Schema::guess(&table, &["sold"])?;
    /// schema.set_kind("town", Kind::Embedding);
    /// let encoder = Encoder::fit(&table, &schema, &[0, 1])?;
    /// assert_eq!(encoder.embeddings(), [(1, 3)]);
    /// assert_eq!(encoder.encode(&table)?.x.to_vec::<f32>(), [-1.0, 2.0, 1.0, 1.0]);
    /// # Ok::<(), rekindle_data::Error>(())
    /// ```
    pub fn embeddings(&self) -> Vec<(usize, usize)> {
        let mut feature = 0;
        let mut embeddings = Vec::new();
        for ColumnEncoder { learned, .. } in &self.columns {
            if let Learned::Embedding { categories, .. } = learned {
                embeddings.push((feature, categories.len() + 1));
            }
            feature += learned.width();
        }
        embeddings
    }

    /// The mean and the standard deviation of each column of numbers to be learned. [`encode`](Self::encode) gives
    /// `(number - mean) / std`, so a prediction `y` is the number `y * std + mean`. `None` if no numbers are learned, or by an
    /// encoder from before numbers were standardised.
    ///
    /// ```
    /// use rekindle_data::table::{Encoder, Schema, Table};
    ///
    /// let table = Table::new("t", &["x", "y"], [["1", "10.5"], ["2", "20.5"], ["4", "30.5"]])?;
    /// let encoder = Encoder::fit(&table, &Schema::guess(&table, &["y"])?, &[0, 1])?;
    /// assert_eq!(encoder.target_scale(), Some(&[(15.5, 5.0)][..]));
    /// assert_eq!(encoder.encode(&table)?.y.to_vec::<f32>(), [-1.0, 1.0, 3.0]);
    /// # Ok::<(), rekindle_data::Error>(())
    /// ```
    pub fn target_scale(&self) -> Option<&[(f64, f64)]> {
        self.target_scale.as_deref()
    }

    /// What is learned, with its classes or labels.
    pub fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }

    /// The columns that are used, and what the training rows say about them.
    pub fn columns(&self) -> &[ColumnEncoder] {
        &self.columns
    }

    /// What is done about missing cells.
    pub fn missing(&self) -> Missing {
        self.missing
    }

    /// Cells that are missing, besides empty ones; capitals make no difference.
    pub fn missing_words(&self) -> &[String] {
        &self.missing_words
    }

    /// What is done about categories that training did not have.
    pub fn unseen(&self) -> Unseen {
        self.unseen
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
