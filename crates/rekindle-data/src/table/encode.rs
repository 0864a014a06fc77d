//! Tables to tensors.

use std::collections::HashMap;

use rekindle_tensor::Tensor;

use super::Table;
use super::cell::{counted, parse_boolean, parse_number, shown};
use super::fit::{ColumnEncoder, Encoder, Learned, read_cell};
use super::gaps::Gaps;
use super::nearest::nearest;
use super::schema::{Kind, Missing, Target, TargetKind, Unseen};
use crate::error::{Error, Result};

/// A table as tensors.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The features, `[n, features]` of f32.
    pub x: Tensor,
    /// The targets: classes `[n]` of i64, labels `[n, labels]` or standardised numbers `[n, columns]` of f32.
    pub y: Tensor,
    /// The row of the table that each sample is: all of them, unless rows with missing cells are left out.
    pub rows: Vec<usize>,
}

impl Learned {
    /// How many features a column has.
    pub(super) fn width(&self) -> usize {
        match self {
            Self::Numeric { .. } | Self::Boolean { .. } | Self::Embedding { .. } => 1,
            Self::Date { .. } => 4,
            Self::Categorical { categories, missing } => categories.len() + usize::from(*missing),
        }
    }

    /// Appends the features of a cell, which is `None` if missing, or says what is wrong with it and what to do.
    fn encode(
        &self,
        cell: Option<&str>,
        unseen: Unseen,
        features: &mut Vec<f32>,
    ) -> Result<(), (String, String)> {
        let own = |(what, remedy): (String, &str)| (what, remedy.to_string());
        match (self, cell) {
            (Self::Categorical { categories, missing }, _) => {
                let hot = hot(cell, categories, *missing, unseen)?;
                features.extend((0..self.width()).map(|i| f32::from(u8::from(Some(i) == hot))));
            }
            (Self::Embedding { categories, missing }, _) => {
                let index = match hot(cell, categories, *missing, unseen)? {
                    Some(i) if i < categories.len() => i + 1,
                    _ => 0,
                };
                features.push(index as f32);
            }
            (Self::Boolean { mean }, None) => features.push(*mean as f32),
            // The mean, standardised.
            (_, None) => features.extend(std::iter::repeat_n(0.0, self.width())),
            (Self::Boolean { .. }, Some(cell)) => {
                features.push(read_cell(cell, Kind::Boolean).map_err(own)?.0[0] as f32);
            }
            (Self::Numeric { mean, std }, Some(cell)) => {
                let number = read_cell(cell, Kind::Numeric).map_err(own)?.0[0];
                features.push(standardised(number, *mean, *std).ok_or_else(|| too_far(cell))?);
            }
            (Self::Date { mean, std }, Some(cell)) => {
                let parts = read_cell(cell, Kind::Date).map_err(own)?.0;
                for ((part, mean), std) in parts.iter().zip(mean).zip(std) {
                    features.push(standardised(*part, *mean, *std).ok_or_else(|| too_far(cell))?);
                }
            }
        }
        Ok(())
    }
}

/// Which category a cell is.
fn hot(
    cell: Option<&str>,
    categories: &[String],
    missing: bool,
    unseen: Unseen,
) -> Result<Option<usize>, (String, String)> {
    let found = match cell {
        None => missing.then_some(categories.len()),
        Some(cell) => categories.binary_search_by(|category| category.as_str().cmp(cell)).ok(),
    };
    match (found, cell) {
        (None, None) if unseen == Unseen::Error => {
            let remedy = "fill it in, or choose `ignore` for unseen categories".to_string();
            Err(("the cell is missing, and in training none was".into(), remedy))
        }
        (None, Some(cell)) if unseen == Unseen::Error => {
            Err((format!("training had no category {}", shown(cell)), nearest(cell, categories)))
        }
        _ => Ok(found),
    }
}

/// `None` if the result is beyond f32.
fn standardised(number: f64, mean: f64, std: f64) -> Option<f32> {
    let z = if std == 0.0 { 0.0 } else { (number - mean) / std };
    let z = z as f32;
    z.is_finite().then_some(z)
}

fn too_far(cell: &str) -> (String, String) {
    let what = format!("{} is too far from the numbers in training", shown(cell));
    (what, "correct it, or leave it empty".into())
}

impl Encoder {
    /// Inputs and targets of a table that has both: training, validation or test data.
    ///
    /// # Errors
    /// With line and column if a cell does not have its column's kind, is a category or class that training did not have (the nearest
    /// is named), or is missing where it must not be; if a column is missing (the nearest is named); if nothing was to be
    /// learned.
    ///
    /// ```
    /// use rekindle_data::table::{Encoder, Schema, Table};
    ///
    /// let table = Table::new("shop", &["colour", "price"], [["red", "1.5"], ["blue", "2.5"], ["red", "3.25"]])?;
    /// let encoder = Encoder::fit(&table, &Schema::guess(&table, &["price"])?, &[0, 1])?;
    /// let data = encoder.encode(&table)?;
    /// assert_eq!(data.x.to_vec::<f32>(), [0.0, 1.0, 1.0, 0.0, 0.0, 1.0]);
    /// assert_eq!(data.y.to_vec::<f32>(), [-1.0, 1.0, 2.5]); // mean 2, standard deviation 0.5
    ///
    /// let other = Table::new("other", &["colour", "price"], [["rde", "1.5"]])?;
    /// let error = encoder.encode(&other).unwrap_err().to_string();
    /// assert_eq!(error, "other: line 2, column `colour`: training had no category `rde`; did you mean `red`?");
    /// # Ok::<(), rekindle_data::Error>(())
    /// ```
    pub fn encode(&self, table: &Table) -> Result<Encoded> {
        let Some(target) = &self.target else {
            let (problem, remedy) = ("nothing is to be learned from this table", "name a label column");
            let (problem, remedy) = (problem.into(), remedy.into());
            return Err(Error::Table {
                name: table.name.clone(),
                place: None,
                column: None,
                problem,
                remedy,
            });
        };
        let inputs = self.places(table)?;
        let targets = target.columns.iter().map(|name| table.column(name)).collect::<Result<Vec<_>>>()?;
        let all: Vec<usize> = (0..table.len()).collect();
        let rows = self.gaps().kept_rows(table, &inputs, Some(target), &targets, &all)?;
        let x = self.features(table, &inputs, &rows)?;
        let y = self.targets(table, target, &targets, &rows)?;
        Ok(Encoded { x, y, rows })
    }

    /// Inputs alone, a row each, for predictions; the table may lack the label columns.
    ///
    /// # Errors
    /// As [`encode`](Self::encode), and if a cell is missing while rows with missing cells were left out in training: a row to
    /// predict for cannot be.
    pub fn encode_inputs(&self, table: &Table) -> Result<Tensor> {
        let inputs = self.places(table)?;
        let rows: Vec<usize> = (0..table.len()).collect();
        if self.missing != Missing::Mean {
            let lacking = |&row: &usize| Some((row, self.gaps().lacking(table, row, &inputs)?));
            if let Some((row, column)) = rows.iter().find_map(lacking) {
                let what = match self.missing {
                    Missing::Drop => "the cell is missing, and training left out such rows",
                    _ => "the cell is missing, which training did not allow",
                };
                return Err(table.complain(row, column, what.into(), "fill it in"));
            }
        }
        self.features(table, &inputs, &rows)
    }

    fn gaps(&self) -> Gaps<'_> {
        Gaps { policy: self.missing, words: &self.missing_words }
    }

    /// Where in the table the columns of the encoder are.
    fn places(&self, table: &Table) -> Result<Vec<usize>> {
        self.columns.iter().map(|column| table.column(&column.name)).collect()
    }

    /// The features of some rows.
    fn features(&self, table: &Table, places: &[usize], rows: &[usize]) -> Result<Tensor> {
        let width: usize = self.columns.iter().map(|column| column.learned.width()).sum();
        let mut features = Vec::new();
        let count = rows.len().checked_mul(width);
        if count.is_none_or(|count| features.try_reserve_exact(count).is_err()) {
            let rows = counted(rows.len(), "row");
            let problem = format!("{rows} of {} do not fit into memory", counted(width, "feature"));
            let remedy = "ignore columns with many categories, or read fewer rows".into();
            return Err(Error::Table {
                name: table.name.clone(),
                place: None,
                column: None,
                problem,
                remedy,
            });
        }
        for &row in rows {
            for (ColumnEncoder { learned, .. }, &column) in self.columns.iter().zip(places) {
                learned
                    .encode(self.gaps().present(table.cell(row, column)), self.unseen, &mut features)
                    .map_err(|(what, remedy)| table.complain(row, column, what, remedy))?;
            }
        }
        Ok(Tensor::from_vec(features, [rows.len(), width]))
    }

    /// The targets of some rows.
    fn targets(&self, table: &Table, target: &Target, columns: &[usize], rows: &[usize]) -> Result<Tensor> {
        match (target.kind, target.separator) {
            (TargetKind::Numbers, _) => self.numbers(table, columns, rows),
            (TargetKind::Labels, None) => {
                let label = |row, column| {
                    let cell = table.cell(row, column);
                    let wrong = || (format!("{} is neither true nor false", shown(cell)), "write 1 or 0");
                    let (what, remedy) = match parse_boolean(cell).ok_or_else(wrong) {
                        Ok(yes) => return Ok(f32::from(u8::from(yes))),
                        Err(wrong) => wrong,
                    };
                    Err(table.complain(row, column, what, remedy))
                };
                let pairs = rows.iter().flat_map(|&row| columns.iter().map(move |&column| (row, column)));
                let labels = pairs.map(|(row, column)| label(row, column)).collect::<Result<Vec<_>>>()?;
                Ok(Tensor::from_vec(labels, [rows.len(), columns.len()]))
            }
            _ => self.names(table, target, columns[0], rows),
        }
    }

    /// Classes, or the labels of lists.
    fn names(&self, table: &Table, target: &Target, column: usize, rows: &[usize]) -> Result<Tensor> {
        let places: HashMap<&str, usize> = target.names.iter().map(String::as_str).zip(0..).collect();
        let place = |row: usize, name: &str| {
            places.get(name).copied().ok_or_else(|| {
                let noun = if target.kind == TargetKind::Classes { "class" } else { "label" };
                let what = format!("training had no {noun} {}", shown(name));
                table.complain(row, column, what, nearest(name, &target.names))
            })
        };
        if target.kind == TargetKind::Classes {
            let class = |&row: &usize| Ok(place(row, table.cell(row, column))? as i64);
            return Ok(Tensor::from_vec(rows.iter().map(class).collect::<Result<Vec<_>>>()?, [rows.len()]));
        }
        let width = target.names.len();
        let mut labels = vec![0f32; rows.len() * width];
        for (i, &row) in rows.iter().enumerate() {
            for label in self.gaps().labels(table.cell(row, column), target.separator.unwrap_or_default()) {
                labels[i * width + place(row, label)?] = 1.0;
            }
        }
        Ok(Tensor::from_vec(labels, [rows.len(), width]))
    }

    /// Numbers, standardised as in training.
    fn numbers(&self, table: &Table, columns: &[usize], rows: &[usize]) -> Result<Tensor> {
        let mut numbers = Vec::with_capacity(rows.len() * columns.len());
        for &row in rows {
            for (i, &column) in columns.iter().enumerate() {
                let cell = table.cell(row, column);
                let number = target_number(cell)
                    .map_err(|(what, remedy)| table.complain(row, column, what, remedy))?;
                let scaled = match &self.target_scale {
                    Some(scale) => standardised(number, scale[i].0, scale[i].1),
                    None => Some(number as f32),
                };
                let far = || {
                    let (what, remedy) = too_far(cell);
                    table.complain(row, column, what, remedy)
                };
                numbers.push(scaled.ok_or_else(far)?);
            }
        }
        Ok(Tensor::from_vec(numbers, [rows.len(), columns.len()]))
    }
}

/// A number to be learned: one that f32 has.
pub(super) fn target_number(cell: &str) -> Result<f64, (String, &'static str)> {
    let number = parse_number(cell).map_err(|why| why.explain(cell))?;
    if (number as f32).is_finite() {
        Ok(number)
    } else {
        Err((format!("{} is too large", shown(cell)), "use a larger unit"))
    }
}
