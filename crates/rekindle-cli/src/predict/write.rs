//! Answers as CSV, JSON lines or Parquet.

use crate::Failure;
use crate::output::Stdout;
use rekindle::data::Error;
use rekindle::data::table::{ParquetColumn, ParquetWriter, Table};
use rekindle::nn::Replacement;
use rekindle::train::Prediction;
use std::io::{self, Write};
use std::path::Path;

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

/// So many rows are a row group of a Parquet file.
const GROUP: usize = 1 << 16;

/// Where answers go: to standard output, or into a file that has its name when it is whole.
enum Sink {
    Stdout,
    File(Replacement),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::Stdout => Stdout.write(bytes),
            Sink::File(file) => file.write(bytes),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::Stdout => Stdout.flush(),
            Sink::File(file) => file.flush(),
        }
    }
}

/// The file before and after the columns are known.
enum Output {
    Lines(Sink),
    Parquet(Box<ParquetWriter<Sink>>),
}

/// Writes answers as they come.
pub struct Writer {
    format: Format,
    /// What they are called in messages.
    name: String,
    /// None after an error.
    output: Option<Output>,
    /// Rows that are not a row group yet.
    columns: Vec<(String, ParquetColumn)>,
    begun: bool,
}

impl Writer {
    /// Into a file, or to standard output.
    pub fn new(format: Format, file: Option<&Path>) -> Result<Writer, Failure> {
        let name = file.map_or("the answers".into(), |path| path.display().to_string());
        let sink = match file {
            None => Sink::Stdout,
            Some(path) => Sink::File(Replacement::create(path).map_err(|e| failed(&name, e))?),
        };
        Ok(Writer { format, name, output: Some(Output::Lines(sink)), columns: Vec::new(), begun: false })
    }

    /// Adds the answers of some samples, behind the rows that they are about, if these are wanted.
    pub fn write(&mut self, rows: Option<&Table>, prediction: &Prediction) -> Result<(), Failure> {
        let first = !std::mem::replace(&mut self.begun, true);
        if let Some(rows) = rows.filter(|_| first) {
            no_clash(rows, prediction)?;
        }
        let answers = Answers::new(rows, prediction);
        let bytes = match self.format {
            Format::Csv => answers.csv(first)?,
            Format::Json => answers.json(),
            Format::Parquet if self.columns.is_empty() => {
                self.columns = answers.columns();
                return Ok(());
            }
            Format::Parquet => {
                self.columns.iter_mut().zip(answers.columns()).for_each(append);
                let full = self.columns.first().is_some_and(|(_, column)| column.len() >= GROUP);
                return if full { self.write_group() } else { Ok(()) };
            }
        };
        match &mut self.output {
            Some(Output::Lines(sink)) => sink.write_all(&bytes).map_err(|e| failed(&self.name, e)),
            _ => Ok(()),
        }
    }

    /// Writes the rows that are there as a row group.
    fn write_group(&mut self) -> Result<(), Failure> {
        let columns = std::mem::take(&mut self.columns);
        let named: Vec<(&str, ParquetColumn)> =
            columns.iter().map(|(name, column)| (name.as_str(), column.clone())).collect();
        let write = |output| {
            let mut writer = match output {
                Output::Lines(sink) => Box::new(ParquetWriter::new(sink, &named)?),
                Output::Parquet(writer) => writer,
            };
            writer.write(&named).map(|()| Output::Parquet(writer))
        };
        self.output = self.output.take().map(write).transpose().map_err(|e| failed(&self.name, e))?;
        Ok(())
    }

    /// Writes what has to be written in the end; then a file has its name.
    pub fn finish(mut self) -> Result<(), Failure> {
        if !self.columns.is_empty() {
            self.write_group()?;
        }
        let sink = match self.output {
            Some(Output::Lines(sink)) => sink,
            Some(Output::Parquet(writer)) => writer.finish().map_err(|e| failed(&self.name, e))?,
            None => return Ok(()),
        };
        match sink {
            Sink::Stdout => Ok(()),
            Sink::File(file) => file.finish().map_err(|e| failed(&self.name, e)),
        }
    }
}

fn failed(name: &str, e: io::Error) -> Failure {
    Failure::failed(format!("{name}: cannot write: {e}"))
}

/// Columns that are kept are not called as the answers are.
fn no_clash(kept: &Table, prediction: &Prediction) -> Result<(), Failure> {
    match prediction.columns().into_iter().find(|name| kept.columns().contains(name)) {
        None => Ok(()),
        Some(column) => Err(Failure::data(Error::Table {
            name: kept.name().into(),
            place: None,
            column: Some(column),
            problem: "--keep gives it, and the answers have a column of this name".into(),
            remedy: "rename it, or leave out --keep".into(),
        })),
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
            (cells.chain(prediction.decided(sample)).collect(), prediction.written(sample))
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
