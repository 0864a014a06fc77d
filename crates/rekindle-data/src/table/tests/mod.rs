//! Tests of tables; `corpus.rs` has the malformed ones.

mod corpus;
mod encoding;
mod golden;
mod guessing;
#[cfg(feature = "parquet")]
mod parquet;
mod reading;
mod streaming;

use super::*;

/// A table from text, everything guessed.
fn table(text: &str) -> Table {
    read(text.as_bytes()).unwrap()
}

fn read(bytes: &[u8]) -> Result<Table> {
    Table::from_reader(bytes, "t.csv", &CsvOptions::default())
}

/// What is learned from all rows.
fn fit(table: &Table, label: &str) -> Result<Encoder> {
    let rows: Vec<usize> = (0..table.len()).collect();
    Encoder::fit(table, &Schema::guess(table, &[label])?, &rows)
}

/// The cells, row by row.
fn rows(table: &Table) -> Vec<Vec<&str>> {
    (0..table.len()).map(|row| (0..table.width()).map(|column| table.cell(row, column)).collect()).collect()
}
