//! Cells without a value, and what is done about their rows.

use super::Table;
use super::cell::MISSING_WORDS;
use super::schema::{Missing, Target};
use crate::error::Result;

/// Which cells are missing, and the policy for them.
#[derive(Clone, Copy)]
pub(super) struct Gaps<'a> {
    pub policy: Missing,
    pub words: &'a [String],
}

/// [`MISSING_WORDS`], as a schema has them unless it says otherwise.
pub(super) fn default_words() -> Vec<String> {
    MISSING_WORDS.map(String::from).to_vec()
}

/// Whether these are the words that a schema has anyway.
pub(super) fn are_default(words: &[String]) -> bool {
    words == MISSING_WORDS
}

impl Gaps<'_> {
    /// Whether a cell has no value.
    pub fn is_missing(&self, cell: &str) -> bool {
        let cell = cell.trim();
        cell.is_empty() || self.words.iter().any(|word| cell.eq_ignore_ascii_case(word))
    }

    /// A cell, if it has a value.
    pub fn present<'c>(&self, cell: &'c str) -> Option<&'c str> {
        (!self.is_missing(cell)).then_some(cell)
    }

    /// The first of some columns that a row lacks.
    pub fn lacking(&self, table: &Table, row: usize, columns: &[usize]) -> Option<usize> {
        columns.iter().copied().find(|&column| self.is_missing(table.cell(row, column)))
    }

    /// The labels in a list: none, if it is missing.
    pub fn labels<'c>(&self, cell: &'c str, separator: char) -> impl Iterator<Item = &'c str> + use<'c> {
        let cell = self.present(cell).unwrap_or_default();
        cell.split(separator).map(str::trim).filter(|label| !label.is_empty())
    }

    /// The rows that are not left out because of missing cells.
    pub fn kept_rows(
        &self,
        table: &Table,
        inputs: &[usize],
        target: Option<&Target>,
        targets: &[usize],
        rows: &[usize],
    ) -> Result<Vec<usize>> {
        // An empty list has no labels, which is an answer.
        let targets = if target.is_some_and(|target| target.separator.is_some()) { &[] } else { targets };
        let mut kept = Vec::with_capacity(rows.len());
        for &row in rows {
            match (self.policy, self.lacking(table, row, inputs), self.lacking(table, row, targets)) {
                (_, None, None) | (Missing::Mean, _, None) => kept.push(row),
                (Missing::Drop, ..) => {}
                (_, Some(column), None) => {
                    let remedy = "fill it in, or choose `mean` or `drop` for missing cells";
                    return Err(table.complain(row, column, "the cell is missing".into(), remedy));
                }
                (_, _, Some(column)) => {
                    let remedy = "fill it in, or choose `drop` for missing cells";
                    return Err(table.complain(row, column, "the label is missing".into(), remedy));
                }
            }
        }
        Ok(kept)
    }
}
