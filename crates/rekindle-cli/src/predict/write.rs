//! Answers as CSV, JSON lines or Parquet.

use crate::Failure;
use crate::output::Stdout;
use rekindle::data::table::{ParquetColumn, Table};
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
    /// Apache Parquet
    Parquet,
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
            Some("parquet") => Ok(Format::Parquet),
            _ => Err(Failure::failed(format!(
                "--output {}: say with --format what it is to be, or name it .csv, .jsonl or .parquet",
                path.display()
            ))),
        }
    }
}

/// Writes answers: as they come to standard output, or in the end into a file. Parquet can only be written in the end.
pub struct Writer {
    format: Format,
    file: Option<PathBuf>,
    bytes: Vec<u8>,
    columns: Vec<(String, ParquetColumn)>,
    begun: bool,
}

impl Writer {
    /// Into a file, or to standard output.
    pub fn new(format: Format, file: Option<&Path>) -> Writer {
        let file = file.map(Path::to_path_buf);
        Writer { format, file, bytes: Vec::new(), columns: Vec::new(), begun: false }
    }

    /// Adds the answers of some samples, behind the rows that they are about, if these are wanted.
    pub fn write(&mut self, rows: Option<&Table>, prediction: &Prediction) -> Result<(), Failure> {
        let answers = Answers::new(rows, prediction);
        let first = !std::mem::replace(&mut self.begun, true);
        match self.format {
            Format::Csv => self.bytes.extend(answers.csv(first)?),
            Format::Json => self.bytes.extend(answers.json()),
            Format::Parquet if first => self.columns = answers.columns(),
            Format::Parquet => self.columns.iter_mut().zip(answers.columns()).for_each(append),
        }
        if self.file.is_none() {
            Stdout.write_all(&std::mem::take(&mut self.bytes)).expect("it takes everything");
        }
        Ok(())
    }

    /// Writes what has to be written in the end.
    pub fn finish(mut self) -> Result<(), Failure> {
        let failed = |e: std::io::Error| {
            let name = self.file.as_ref().map_or("the answers".into(), |path| path.display().to_string());
            Failure::failed(format!("{name}: cannot write: {e}"))
        };
        if self.format == Format::Parquet {
            let named: Vec<(&str, ParquetColumn)> =
                self.columns.iter().map(|(name, column)| (name.as_str(), column.clone())).collect();
            Table::write_parquet(&mut self.bytes, &named).map_err(failed)?;
        }
        match &self.file {
            Some(path) => replace_file(path, &self.bytes).map_err(failed),
            None => Stdout.write_all(&self.bytes).map_err(failed),
        }
    }
}

fn append(((_, all), (_, more)): (&mut (String, ParquetColumn), (String, ParquetColumn))) {
    match (all, more) {
        (ParquetColumn::Text(all), ParquetColumn::Text(more)) => all.extend(more),
        (ParquetColumn::Numbers(all), ParquetColumn::Numbers(more)) => all.extend(more),
        _ => unreachable!("every piece has the same columns"),
    }
}

/// The answers of some samples: texts, then numbers.
struct Answers {
    /// Columns of the input that are kept, and the class or the labels.
    texts: Vec<String>,
    /// Probabilities, or the numbers that are learned.
    numbers: Vec<String>,
    rows: Vec<(Vec<String>, Vec<f32>)>,
}

impl Answers {
    fn new(kept: Option<&Table>, prediction: &Prediction) -> Answers {
        let mut texts = kept.map_or(Vec::new(), |table| table.columns().to_vec());
        let mut numbers = prediction.columns();
        texts.extend(numbers.drain(..usize::from(prediction.decides())));
        let row = |sample: usize| {
            let cells =
                kept.into_iter().flat_map(|t| (0..t.width()).map(move |c| t.cell(sample, c).to_string()));
            // The net computes in f32; more digits would say nothing.
            let values = prediction.values(sample).into_iter().map(|value| value as f32);
            (cells.chain(prediction.decided(sample)).collect(), values.collect())
        };
        Answers { texts, numbers, rows: (0..prediction.len()).map(row).collect() }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().chain(&self.numbers).map(String::as_str)
    }

    fn csv(&self, header: bool) -> Result<Vec<u8>, Failure> {
        let names: Vec<&str> = self.names().collect();
        let cells = |(texts, numbers): &(Vec<String>, Vec<f32>)| -> Vec<String> {
            texts.iter().cloned().chain(numbers.iter().map(f32::to_string)).collect()
        };
        let table = Table::new("the answers", &names, self.rows.iter().map(cells)).map_err(Failure::data)?;
        let mut bytes = Vec::new();
        table.write_csv(&mut bytes, ',').expect("memory takes everything");
        if !header {
            // Names may have ends of lines in them.
            let mut names = Vec::new();
            let empty = table.select(&[]);
            empty.write_csv(&mut names, ',').expect("memory takes everything");
            bytes.drain(..names.len());
        }
        Ok(bytes)
    }

    fn json(&self) -> Vec<u8> {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let mut all = String::new();
        for (texts, numbers) in &self.rows {
            let values = texts.iter().map(|cell| text(cell)).chain(numbers.iter().map(f32::to_string));
            let pairs: Vec<String> =
                self.names().zip(values).map(|(name, value)| format!("{}:{value}", text(name))).collect();
            all += &format!("{{{}}}\n", pairs.join(","));
        }
        all.into_bytes()
    }

    fn columns(&self) -> Vec<(String, ParquetColumn)> {
        let texts = self.texts.iter().enumerate().map(|(i, name)| {
            let cells = self.rows.iter().map(|(texts, _)| texts[i].clone()).collect();
            (name.clone(), ParquetColumn::Text(cells))
        });
        let numbers = self.numbers.iter().enumerate().map(|(i, name)| {
            let cells = self.rows.iter().map(|(_, numbers)| f64::from(numbers[i])).collect();
            (name.clone(), ParquetColumn::Numbers(cells))
        });
        texts.chain(numbers).collect()
    }
}
