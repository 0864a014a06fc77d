//! Logs of the figures of epochs, in files.

use super::{Flow, Observer};
use crate::error::Error;
use crate::history::EpochRow;
use rekindle_nn::Parameters;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Adds a line to a CSV file after each epoch, under a line of names if the file is new.
///
/// ```
/// use rekindle_train::CsvLog;
/// let log = CsvLog::new("metrics.csv"); // epoch,step,train_loss,train_acc,val_loss,val_acc,..
/// ```
#[derive(Clone, Debug)]
pub struct CsvLog {
    path: PathBuf,
}

impl CsvLog {
    /// Into this file.
    pub fn new(path: impl Into<PathBuf>) -> CsvLog {
        CsvLog { path: path.into() }
    }
}

impl Observer for CsvLog {
    fn epoch(&mut self, row: &EpochRow, _: &dyn Parameters) -> Result<Flow, Error> {
        let columns = row.columns();
        let values: Vec<String> =
            columns.iter().map(|(_, value)| value.map_or(String::new(), |v| v.to_string())).collect();
        let mut lines = values.join(",") + "\n";
        // What a process left that was killed while it wrote its first line is empty after resuming.
        if fs::metadata(&self.path).map_or(true, |file| file.len() == 0) {
            let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
            lines = names.join(",") + "\n" + &lines;
        }
        append(&self.path, &lines)
    }

    fn checkpoint(&mut self) -> Result<(), Error> {
        sync(&self.path)
    }
}

/// Adds an object to a file of JSON lines after each epoch.
///
/// ```
/// use rekindle_train::JsonLog;
/// let log = JsonLog::new("metrics.jsonl");
/// ```
#[derive(Clone, Debug)]
pub struct JsonLog {
    path: PathBuf,
}

impl JsonLog {
    /// Into this file.
    pub fn new(path: impl Into<PathBuf>) -> JsonLog {
        JsonLog { path: path.into() }
    }
}

impl Observer for JsonLog {
    fn epoch(&mut self, row: &EpochRow, _: &dyn Parameters) -> Result<Flow, Error> {
        append(&self.path, &(row.json() + "\n"))
    }

    fn checkpoint(&mut self) -> Result<(), Error> {
        sync(&self.path)
    }
}

fn append(path: &Path, text: &str) -> Result<Flow, Error> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map(|()| Flow::Continue).map_err(|e| unwritten(path, e))
}

fn sync(path: &Path) -> Result<(), Error> {
    match OpenOptions::new().append(true).open(path) {
        Ok(file) => file.sync_data().map_err(|e| unwritten(path, e)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()), // No epoch was written yet.
        Err(e) => Err(unwritten(path, e)),
    }
}

fn unwritten(path: &Path, e: io::Error) -> Error {
    Error::Run { path: path.into(), reason: format!("cannot write: {e}") }
}
