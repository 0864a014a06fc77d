//! Columns to Parquet.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use super::Table;

/// So many rows are a row group.
const GROUP: usize = 1 << 20;

/// A column of a Parquet file; all cells have values.
#[derive(Clone, Debug, PartialEq)]
pub enum ParquetColumn {
    /// Text.
    Text(Vec<String>),
    /// Whole numbers.
    Integers(Vec<i64>),
    /// Numbers.
    Numbers(Vec<f64>),
}

impl ParquetColumn {
    fn len(&self) -> usize {
        match self {
            Self::Text(cells) => cells.len(),
            Self::Integers(cells) => cells.len(),
            Self::Numbers(cells) => cells.len(),
        }
    }
}

impl Table {
    /// Writes named columns of one length, such as predictions, as a Parquet file, compressed with snappy.
    ///
    /// # Errors
    /// What the writer says, and if two columns have the same name, there are none, or one is longer than another.
    ///
    /// ```
    /// use rekindle_data::table::{CsvOptions, ParquetColumn, Table};
    ///
    /// let path = std::env::temp_dir().join("rekindle-doc-write.parquet");
    /// let classes = ParquetColumn::Text(vec!["cat".into(), "dog".into()]);
    /// let columns = [("class", classes), ("probability", ParquetColumn::Numbers(vec![0.75, 0.1]))];
    /// Table::write_parquet(std::fs::File::create(&path)?, &columns)?;
    /// let table = Table::read(&path, &CsvOptions::default())?;
    /// assert_eq!((table.columns(), table.cell(1, 1)), (&["class".to_string(), "probability".to_string()][..], "0.1"));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_parquet(writer: impl Write + Send, columns: &[(&str, ParquetColumn)]) -> io::Result<()> {
        let invalid = |what: String| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        let rows = columns.first().map_or(0, |(_, column)| column.len());
        if columns.is_empty() {
            return invalid("a table without columns".into());
        }
        for (i, (name, column)) in columns.iter().enumerate() {
            if columns[..i].iter().any(|(before, _)| before == name) {
                return invalid(format!("two columns are named `{name}`"));
            }
            if column.len() != rows {
                return invalid(format!("column `{name}` has {} rows, not {rows}", column.len()));
            }
        }
        write(writer, columns, rows).map_err(|error| match error {
            ParquetError::External(source) => match source.downcast::<io::Error>() {
                Ok(error) => *error,
                Err(source) => io::Error::other(source),
            },
            other => io::Error::other(other),
        })
    }
}

fn write(
    writer: impl Write + Send,
    columns: &[(&str, ParquetColumn)],
    rows: usize,
) -> Result<(), ParquetError> {
    let fields = columns.iter().map(|(name, column)| {
        let (physical, logical) = match column {
            ParquetColumn::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            ParquetColumn::Integers(_) => (Physical::INT64, None),
            ParquetColumn::Numbers(_) => (Physical::DOUBLE, None),
        };
        let builder = Type::primitive_type_builder(name, physical);
        Ok(Arc::new(builder.with_repetition(Repetition::REQUIRED).with_logical_type(logical).build()?))
    });
    let fields = fields.collect::<Result<Vec<_>, ParquetError>>()?;
    let schema = Arc::new(Type::group_type_builder("schema").with_fields(fields).build()?);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut file = SerializedFileWriter::new(writer, schema, Arc::new(properties))?;
    let mut start = 0;
    while start < rows {
        let end = rows.min(start + GROUP);
        let mut group = file.next_row_group()?;
        for (_, column) in columns {
            write_column(&mut group, column, start..end)?;
        }
        group.close()?;
        start = end;
    }
    file.close()?;
    Ok(())
}

fn write_column<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    column: &ParquetColumn,
    rows: std::ops::Range<usize>,
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("a column too many".into());
    let mut writer = group.next_column()?.ok_or_else(missing)?;
    match column {
        ParquetColumn::Text(cells) => {
            let cells: Vec<ByteArray> =
                cells[rows].iter().map(|cell| ByteArray::from(cell.as_str())).collect();
            writer.typed::<ByteArrayType>().write_batch(&cells, None, None)?;
        }
        ParquetColumn::Integers(cells) => {
            writer.typed::<Int64Type>().write_batch(&cells[rows], None, None)?;
        }
        ParquetColumn::Numbers(cells) => {
            writer.typed::<DoubleType>().write_batch(&cells[rows], None, None)?;
        }
    }
    writer.close()
}
