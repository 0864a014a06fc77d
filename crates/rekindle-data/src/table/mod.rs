//! Tables of users: read, understood, turned into numbers.
//!
//! Three steps, each a value that can be looked at and kept:
//!
//! 1. [`Table::read`] reads text cells, or says on which line it could not.
//! 2. [`Schema::guess`] says what each column is and what is to be learned; anything in it may be changed.
//! 3. [`Encoder::fit`] learns means, categories and class names from the training rows alone, and
//!    [`Encoder::encode`] turns any table with these columns into tensors. It travels inside of the model.
//!
//! A file that is larger than memory goes the same way by pieces, with the same results: [`Schema::guess_stream`],
//! [`Schema::samples_stream`], [`Encoder::fit_stream`] and [`Encoder::spill`], whose tensors are on disk.
//!
//! ```
//! use rekindle_data::table::{CsvOptions, Encoder, Schema, Table};
//!
//! let text = "age,colour,bought\n20,red,no\n30,blue,yes\n40,red,yes\n";
//! let table = Table::from_reader(text.as_bytes(), "shop.csv", &CsvOptions::default())?;
//! let schema = Schema::guess(&table, &["bought"])?;
//! assert_eq!(schema.columns[0].why, "numbers from 20 to 40");
//!
//! let encoder = Encoder::fit(&table, &schema, &[0, 1, 2])?;
//! assert_eq!(encoder.feature_names(), ["age", "colour=blue", "colour=red"]);
//! let data = encoder.encode(&table)?;
//! assert_eq!(data.x.shape(), [3, 3]);
//! assert_eq!(data.y.to_vec::<i64>(), [0, 1, 1]);
//! # Ok::<(), rekindle_data::Error>(())
//! ```

mod cell;
mod delimiter;
mod encode;
mod facts;
mod fit;
mod gaps;
mod guess;
mod learn;
pub(crate) mod nearest;
#[cfg(feature = "parquet")]
mod parquet;
mod read;
mod reader;
mod records;
mod samples;
mod schema;
mod stream;
mod write;

use std::collections::HashMap;

use crate::error::{Error, Place, Result};
use cell::{counted, shown};

pub use cell::{DATE_PARTS, MISSING_WORDS};
pub use encode::Encoded;
pub use fit::{ColumnEncoder, Encoder, Learned};
#[cfg(feature = "parquet")]
pub use parquet::{ParquetColumn, ParquetWriter};
pub use read::{CsvOptions, CsvReader, Header};
pub use reader::{Format, TableReader};
pub use samples::Samples;
pub use schema::{Column, Kind, Missing, Schema, Target, TargetKind, Unseen};
pub use stream::Spilled;

/// More categories than this in a column are an error: each is a feature.
const MAX_CATEGORIES: usize = 1000;
/// More categories than this in an embedded column are an error: each is a row of weights. f32 has all their indices.
const MAX_EMBEDDED: usize = 100_000;
/// More classes or labels than this are an error.
const MAX_CLASSES: usize = 10_000;
/// The memory that a cell takes beside its text: where it ends, its number, and its number in the part that it falls to.
const CELL_BYTES: usize = 16;
/// So many rows are read column by column: cells of a column lie apart, and those of so many rows stay in the cache.
const ROWS_AT_ONCE: usize = 256;

/// A table of text: named columns and rows of cells, as the file has them.
///
/// All cells share one buffer. A row remembers its line in the file, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The file, or what stands for it.
    name: String,
    columns: Vec<String>,
    /// The cells, row by row.
    text: String,
    /// Where in the text each cell ends.
    ends: Vec<usize>,
    /// The line of each row, or its number where the file has no lines.
    lines: Vec<u64>,
    has_lines: bool,
}

impl Table {
    /// A table from its rows. `name` stands for the file in messages; the first row is on line 2, as below a header.
    ///
    /// # Errors
    /// If there are no columns, two have the same name, or a row has not as many cells as there are columns.
    ///
    /// ```
    /// use rekindle_data::table::Table;
    ///
    /// let table = Table::new("people", &["name", "age"], [["Ada", "36"], ["Alan", "41"]])?;
    /// assert_eq!((table.len(), table.width(), table.cell(1, 0)), (2, 2, "Alan"));
    /// # Ok::<(), rekindle_data::Error>(())
    /// ```
    pub fn new<R, C>(name: &str, columns: &[&str], rows: R) -> Result<Self>
    where
        R: IntoIterator,
        R::Item: IntoIterator<Item = C>,
        C: AsRef<str>,
    {
        let columns = columns.iter().map(|&column| column.into()).collect();
        let mut table = Self::empty(name, columns, Some(Place::Line(1)))?;
        for (line, row) in (2..).zip(rows) {
            let before = table.ends.len();
            for cell in row {
                table.text.push_str(cell.as_ref());
                table.ends.push(table.text.len());
            }
            table.lines.push(line);
            let cells = table.ends.len() - before;
            if cells != table.width() {
                return Err(ragged(name, line, cells, table.width()));
            }
        }
        Ok(table)
    }

    /// The same of rows that are not lines of a file: messages name them by their numbers, from 1.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// ```
    /// use rekindle_data::table::Table;
    ///
    /// let table = Table::of_rows("request", &["age"], [["36"], ["old"]])?;
    /// let error = table.number(1, 0).unwrap_err().to_string();
    /// assert!(error.starts_with("request: row 2, column `age`: `old` is not a number"), "{error}");
    /// # Ok::<(), rekindle_data::Error>(())
    /// ```
    pub fn of_rows<R, C>(name: &str, columns: &[&str], rows: R) -> Result<Self>
    where
        R: IntoIterator,
        R::Item: IntoIterator<Item = C>,
        C: AsRef<str>,
    {
        let mut table = Self::new(name, columns, rows)?;
        table.has_lines = false;
        table.lines.iter_mut().for_each(|line| *line -= 1);
        Ok(table)
    }

    /// A table without rows, whose names are at `place`. Without one, the file has no lines.
    fn empty(name: &str, columns: Vec<String>, place: Option<Place>) -> Result<Self> {
        let complain = |problem, remedy: &str| {
            let (name, remedy) = (name.to_string(), remedy.to_string());
            Err(Error::Table { name, place, column: None, problem, remedy })
        };
        let mut places = HashMap::new();
        for (i, column) in (1..).zip(&columns) {
            if let Some(first) = places.insert(column.as_str(), i) {
                let what = format!("columns {first} and {i} are both named {}", shown(column));
                let remedy =
                    if place.is_some() { "rename one, or read without a header" } else { "rename one" };
                return complain(what, remedy);
            }
        }
        if columns.is_empty() {
            return complain("a table without columns".into(), "name at least one");
        }
        let name = name.to_string();
        let (text, ends, lines) = (String::new(), Vec::new(), Vec::new());
        Ok(Self { name, columns, text, ends, lines, has_lines: place.is_some() })
    }

    /// The file, or what stands for it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The number of columns.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// The memory that the rows take, also as numbers.
    fn memory(&self) -> usize {
        self.text.len() + self.ends.len() * CELL_BYTES
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The text of a cell.
    ///
    /// # Panics
    /// If there is no such row or column.
    #[track_caller]
    pub fn cell(&self, row: usize, column: usize) -> &str {
        if row >= self.len() || column >= self.width() {
            rekindle_tensor::mistake!(
                "table: no cell in row {row}, column {column}: there are {} rows and {} columns",
                self.len(),
                self.width()
            );
        }
        let cell = row * self.width() + column;
        let start = if cell == 0 { 0 } else { self.ends[cell - 1] };
        &self.text[start..self.ends[cell]]
    }

    /// The number in a cell.
    ///
    /// # Errors
    /// With the line and the column, if it is not a finite number.
    ///
    /// # Panics
    /// If there is no such row or column.
    ///
    /// ```
    /// use rekindle_data::table::Table;
    ///
    /// let table = Table::new("people", &["name", "age"], [["Ada", "36"]])?;
    /// assert_eq!(table.number(0, 1)?, 36.0);
    /// let error = table.number(0, 0).unwrap_err().to_string();
    /// assert!(error.starts_with("people: line 2, column `name`: `Ada` is not a number"), "{error}");
    /// # Ok::<(), rekindle_data::Error>(())
    /// ```
    #[track_caller]
    pub fn number(&self, row: usize, column: usize) -> Result<f64> {
        let cell = self.cell(row, column);
        cell::parse_number(cell).map_err(|why| {
            let (what, remedy) = why.explain(cell);
            self.complain(row, column, what, remedy)
        })
    }

    /// The line of the file on which a row begins, from 1; the number of the row where the file has no lines.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn line(&self, row: usize) -> u64 {
        self.lines[row]
    }

    /// Where in the file a row begins, for messages.
    fn place(&self, row: usize) -> Place {
        if self.has_lines { Place::Line(self.lines[row]) } else { Place::Row(self.lines[row]) }
    }

    /// The number of the column with this name.
    ///
    /// # Errors
    /// If there is none; the nearest name is given.
    ///
    /// ```
    /// use rekindle_data::table::Table;
    ///
    /// let table = Table::new("people.csv", &["name", "age"], [["Ada", "36"]])?;
    /// assert_eq!(table.column("age")?, 1);
    /// let error = table.column("aeg").unwrap_err();
    /// assert_eq!(error.to_string(), "people.csv: there is no column `aeg`; did you mean `age`?");
    /// # Ok::<(), rekindle_data::Error>(())
    /// ```
    pub fn column(&self, name: &str) -> Result<usize> {
        self.columns.iter().position(|column| column == name).ok_or_else(|| Error::Table {
            name: self.name.clone(),
            place: None,
            column: None,
            problem: format!("there is no column {}", shown(name)),
            remedy: nearest::nearest(name, &self.columns),
        })
    }

    /// The given rows, in the given order; they keep their lines.
    ///
    /// # Panics
    /// If there is no such row.
    ///
    /// ```
    /// use rekindle_data::table::Table;
    ///
    /// let table = Table::new("people", &["name"], [["Ada"], ["Alan"], ["Grace"]])?;
    /// let some = table.select(&[2, 0]);
    /// assert_eq!((some.cell(0, 0), some.line(0)), ("Grace", 4));
    /// # Ok::<(), rekindle_data::Error>(())
    /// ```
    #[track_caller]
    pub fn select(&self, rows: &[usize]) -> Self {
        let mut chosen = Self {
            name: self.name.clone(),
            columns: self.columns.clone(),
            text: String::new(),
            ends: Vec::new(),
            lines: rows.iter().map(|&row| self.lines[row]).collect(),
            has_lines: self.has_lines,
        };
        for &row in rows {
            for column in 0..self.width() {
                chosen.text.push_str(self.cell(row, column));
                chosen.ends.push(chosen.text.len());
            }
        }
        chosen
    }

    /// What is wrong with a cell, and what to do.
    fn complain(&self, row: usize, column: usize, problem: String, remedy: impl Into<String>) -> Error {
        Error::Table {
            name: self.name.clone(),
            place: Some(self.place(row)),
            column: Some(self.columns[column].clone()),
            problem,
            remedy: remedy.into(),
        }
    }

    /// What is wrong with a column, and what to do.
    fn complain_of(&self, column: &str, problem: String, remedy: impl Into<String>) -> Error {
        let (name, column) = (self.name.clone(), Some(column.to_string()));
        Error::Table { name, place: None, column, problem, remedy: remedy.into() }
    }
}

/// What is wrong on a line, and what to do.
fn problem(name: &str, line: u64, problem: impl Into<String>, remedy: &str) -> Error {
    let (name, problem, remedy) = (name.to_string(), problem.into(), remedy.to_string());
    Error::Table { name, place: Some(Place::Line(line)), column: None, problem, remedy }
}

/// A row of another width than the table.
fn ragged(name: &str, line: u64, cells: usize, width: usize) -> Error {
    let what = format!("{}, but the table has {}", counted(cells, "cell"), counted(width, "column"));
    let cure = if cells < width { "add what is missing" } else { "quote cells that contain the delimiter" };
    problem(name, line, what, cure)
}

#[cfg(test)]
mod tests;
