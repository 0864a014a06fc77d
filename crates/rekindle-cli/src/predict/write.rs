//! Answers as CSV or JSON lines.

use crate::Failure;
use crate::output::Stdout;
use rekindle::data::table::Table;
use rekindle::nn::replace_file;
use rekindle::train::Prediction;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A format of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A header and a line for each sample
    Csv,
    /// A JSON object in a line for each sample
    Json,
}

impl Format {
    /// What was asked for, or what the name of the file says.
    pub fn choose(asked: Option<Format>, output: Option<&Path>) -> Result<Format, Failure> {
        if let Some(format) = asked {
            return Ok(format);
        }
        let Some(path) = output else { return Ok(Format::Csv) };
        match path.extension().and_then(|suffix| suffix.to_str()) {
            Some("csv") => Ok(Format::Csv),
            Some("json" | "jsonl") => Ok(Format::Json),
            _ => Err(Failure::failed(format!(
                "--output {}: say with --format what it is to be, or name it .csv or .jsonl",
                path.display()
            ))),
        }
    }
}

/// Writes answers: at once to standard output, or in the end into a file.
pub struct Writer {
    format: Format,
    file: Option<(PathBuf, Vec<u8>)>,
    header: bool,
}

impl Writer {
    /// Into a file, or to standard output.
    pub fn new(format: Format, file: Option<&Path>) -> Writer {
        Writer { format, file: file.map(|path| (path.to_path_buf(), Vec::new())), header: true }
    }

    /// Adds the answers of some samples, behind the rows that they are about, if these are wanted.
    pub fn write(&mut self, rows: Option<&Table>, prediction: &Prediction) -> Result<(), Failure> {
        let (columns, cells) = cells(rows, prediction);
        let bytes = match self.format {
            Format::Csv => csv(&columns, &cells, std::mem::take(&mut self.header))?,
            Format::Json => json(&columns, &cells, rows.map_or(0, Table::width), prediction),
        };
        match &mut self.file {
            Some((_, all)) => all.extend(bytes),
            None => Stdout.write_all(&bytes).expect("it takes everything"),
        }
        Ok(())
    }

    /// Writes the file, whole.
    pub fn finish(self) -> Result<(), Failure> {
        let Some((path, bytes)) = self.file else { return Ok(()) };
        replace_file(&path, &bytes)
            .map_err(|e| Failure::failed(format!("{}: cannot write: {e}", path.display())))
    }
}

/// The names of the columns, and the cells of each row.
fn cells(rows: Option<&Table>, prediction: &Prediction) -> (Vec<String>, Vec<Vec<String>>) {
    let kept = rows.map_or(Vec::new(), |table| table.columns().to_vec());
    let columns = [kept, prediction.columns()].concat();
    let row = |sample: usize| -> Vec<String> {
        let kept = rows.into_iter().flat_map(|t| (0..t.width()).map(move |c| t.cell(sample, c).to_string()));
        // The net computes in f32; more digits would say nothing.
        let values = prediction.values(sample).into_iter().map(|value| (value as f32).to_string());
        kept.chain(prediction.decided(sample)).chain(values).collect()
    };
    (columns, (0..prediction.len()).map(row).collect())
}

fn csv(columns: &[String], rows: &[Vec<String>], header: bool) -> Result<Vec<u8>, Failure> {
    let names: Vec<&str> = columns.iter().map(String::as_str).collect();
    let table = Table::new("answers", &names, rows).map_err(Failure::data)?;
    let mut bytes = Vec::new();
    table.write_csv(&mut bytes, ',').expect("memory takes everything");
    if !header {
        let first = bytes.iter().position(|&b| b == b'\n').map_or(0, |end| end + 1);
        bytes.drain(..first);
    }
    Ok(bytes)
}

/// An object for each row: kept cells are texts, answers texts and numbers.
fn json(columns: &[String], rows: &[Vec<String>], kept: usize, prediction: &Prediction) -> Vec<u8> {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let numbers_from = kept + usize::from(prediction.decides());
    let mut all = String::new();
    for row in rows {
        // Cells of numbers are those that the program wrote itself, and are JSON as they are.
        let cell = |(i, cell): (usize, &String)| if i < numbers_from { text(cell) } else { cell.clone() };
        let pairs = columns.iter().zip(row.iter().enumerate().map(cell));
        let pairs: Vec<String> = pairs.map(|(name, value)| format!("{}:{value}", text(name))).collect();
        all += &format!("{{{}}}\n", pairs.join(","));
    }
    all.into_bytes()
}
