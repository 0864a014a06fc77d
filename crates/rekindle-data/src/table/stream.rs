//! Tables to rows on disk.

use std::path::Path;

use rekindle_tensor::Tensor;

use super::{Encoder, TableReader, TargetKind};
use crate::error::{Error, Result};
use crate::spill::{SpillWriter, SpilledRows};

/// A table as tensors, of which the features are on disk.
pub struct Spilled {
    /// The features: rows of f32.
    pub x: SpilledRows,
    /// The targets, as in [`Encoded`](super::Encoded).
    pub y: Tensor,
    /// The row of the table that each sample is: all of them, unless rows with missing cells are left out.
    pub rows: Vec<usize>,
}

/// Targets, as they come.
enum Targets {
    Classes(Vec<i64>),
    Numbers(Vec<f32>, usize),
}

impl Encoder {
    /// [`encode`](Self::encode) of a table that is read by pieces, to a temporary file in a folder. This reads the table to its end; what is
    /// held in memory are a piece, the targets and 8 bytes a row.
    ///
    /// # Errors
    /// As [`encode`](Self::encode) and [`TableReader::read_rows`], if there are no rows, and if the folder cannot be written to.
    ///
    /// ```
    /// use rekindle_data::table::{CsvOptions, Encoder, Schema, Table, TableReader};
    ///
    /// let text = "x,y\n1,p\n3,q\n";
    /// let table = Table::from_reader(text.as_bytes(), "t.csv", &CsvOptions::default())?;
    /// let encoder = Encoder::fit(&table, &Schema::guess(&table, &["y"])?, &[0, 1])?;
    /// let mut reader = TableReader::from_reader(text.as_bytes(), "t.csv", &CsvOptions::default())?;
    /// let spilled = encoder.spill(&mut reader, std::env::temp_dir())?;
    /// assert_eq!(spilled.x.rows(&[1, 0])?.to_vec::<f32>(), [1.0, -1.0]);
    /// assert_eq!(spilled.y.to_vec::<i64>(), [0, 1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spill(&self, reader: &mut TableReader, folder: impl AsRef<Path>) -> Result<Spilled> {
        let folder = folder.as_ref();
        let mut writer =
            SpillWriter::create(folder, self.feature_names().len()).map_err(Error::io(folder))?;
        let mut rows = Vec::new();
        let mut targets = match self.target() {
            Some(target) if target.kind == TargetKind::Classes => Targets::Classes(Vec::new()),
            Some(target) => Targets::Numbers(Vec::new(), target.names.len().max(target.columns.len())),
            // `encode` refuses it.
            None => Targets::Numbers(Vec::new(), 0),
        };
        reader.each_piece(|piece, first| {
            let encoded = self.encode(piece)?;
            writer.push(&encoded.x.to_vec::<f32>()).map_err(Error::io(folder))?;
            rows.extend(encoded.rows.iter().map(|row| first + row));
            match &mut targets {
                Targets::Classes(classes) => classes.extend(encoded.y.to_vec::<i64>()),
                Targets::Numbers(numbers, _) => numbers.extend(encoded.y.to_vec::<f32>()),
            }
            Ok(())
        })?;
        let y = match targets {
            Targets::Classes(classes) => Tensor::from_vec(classes, [rows.len()]),
            Targets::Numbers(numbers, width) => Tensor::from_vec(numbers, [rows.len(), width]),
        };
        Ok(Spilled { x: writer.finish().map_err(Error::io(folder))?, y, rows })
    }
}
