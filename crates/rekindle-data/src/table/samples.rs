//! The rows that a net may see.

use std::collections::{BTreeMap, HashMap};

use super::schema::{Schema, Target, TargetKind, sorted_names};
use super::{MAX_CLASSES, Table, TableReader};
use crate::error::Result;

/// The rows of a table that a net may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Samples {
    /// How many rows the table has.
    pub all: usize,
    /// The rows, without those that missing cells leave out.
    pub rows: Vec<usize>,
    /// The class of each, numbered in the order of sorted names, if classes are learned.
    pub classes: Option<Vec<i64>>,
}

impl Schema {
    /// The rows to divide into parts for training, validation and test, and the class of each for parts in which every class keeps its
    /// share.
    ///
    /// # Errors
    /// If a column of the schema is not in the table, a cell is missing that must not be, or there are more than 10000 classes.
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
        let mut sampler = Sampler::new(self, table)?;
        sampler.see(table, 0)?;
        Ok(sampler.finish())
    }

    /// [`samples`](Self::samples) of a table that is read by pieces: the same. This reads it to its end and holds 16 bytes a row.
    ///
    /// # Errors
    /// As [`samples`](Self::samples) and [`TableReader::read_rows`], and if there are no rows.
    ///
    /// ```
    /// use rekindle_data::table::{CsvOptions, Schema, Table, TableReader};
    ///
    /// let (text, options) = ("x,y\n1,q\n2,p\n3,q\n", CsvOptions::default());
    /// let schema = Schema::guess(&Table::from_reader(text.as_bytes(), "t.csv", &options)?, &["y"])?;
    /// let samples = schema.samples_stream(&mut TableReader::from_reader(text.as_bytes(), "t.csv", &options)?)?;
    /// assert_eq!((samples.rows, samples.classes), (vec![0, 1, 2], Some(vec![1, 0, 1])));
    /// # Ok::<(), rekindle_data::Error>(())
    /// ```
    pub fn samples_stream(&self, reader: &mut TableReader) -> Result<Samples> {
        let mut sampler = Sampler::new(self, reader.empty())?;
        reader.each_piece(|piece, first| sampler.see(piece, first))?;
        Ok(sampler.finish())
    }
}

/// The rows and classes so far.
struct Sampler<'a> {
    schema: &'a Schema,
    inputs: Vec<usize>,
    targets: Vec<usize>,
    all: usize,
    rows: Vec<usize>,
    /// If classes are learned: that of each row, numbered as they come.
    classes: Option<Vec<i64>>,
    numbers: HashMap<String, i64>,
}

impl<'a> Sampler<'a> {
    fn new(schema: &'a Schema, table: &Table) -> Result<Self> {
        let (inputs, targets) = schema.places(table)?;
        let classes = match &schema.target {
            Some(Target { kind: TargetKind::Classes, .. }) => Some(Vec::new()),
            _ => None,
        };
        Ok(Self { schema, inputs, targets, all: 0, rows: Vec::new(), classes, numbers: HashMap::new() })
    }

    /// Takes the next rows in, of which the first has this number.
    fn see(&mut self, table: &Table, first: usize) -> Result<()> {
        let all: Vec<usize> = (0..table.len()).collect();
        let target = self.schema.target.as_ref();
        let rows = self.schema.gaps().kept_rows(table, &self.inputs, target, &self.targets, &all)?;
        if let Some(classes) = &mut self.classes {
            for &row in &rows {
                let (cell, next) = (table.cell(row, self.targets[0]), self.numbers.len() as i64);
                let number = self.numbers.get(cell).copied();
                classes.push(number.unwrap_or(next));
                if number.is_none() {
                    self.numbers.insert(cell.to_string(), next);
                }
            }
            if self.numbers.len() > MAX_CLASSES {
                let column = &table.columns()[self.targets[0]];
                let what = format!("more than {MAX_CLASSES} classes");
                return Err(table.complain_of(column, what, "is this the right column?"));
            }
        }
        self.all = first + table.len();
        self.rows.extend(rows.iter().map(|row| first + row));
        Ok(())
    }

    fn finish(self) -> Samples {
        let names = sorted_names(self.numbers.keys().map(String::as_str));
        let sorted: BTreeMap<i64, i64> = names.iter().map(|name| self.numbers[name]).zip(0..).collect();
        let mut classes = self.classes;
        classes.iter_mut().flatten().for_each(|class| *class = sorted[class]);
        Samples { all: self.all, rows: self.rows, classes }
    }
}
