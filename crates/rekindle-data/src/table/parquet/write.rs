//! Columns to Parquet.

use std::collections::HashSet;
use std::io::{self, Write};
use std::mem::{Discriminant, discriminant};
use std::ops::Range;
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
    /// The number of cells.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(cells) => cells.len(),
            Self::Integers(cells) => cells.len(),
            Self::Numbers(cells) => cells.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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
        let rows = columns.first().map_or(0, |(_, column)| column.len());
        let mut file = ParquetWriter::new(writer, columns)?;
        for start in (0..rows).step_by(GROUP) {
            file.write_rows(columns, start..rows.min(start + GROUP)).map_err(told)?;
        }
        file.finish().map(drop)
    }
}

/// Writes a Parquet file group by group of rows, so that it may be larger than memory.
///
/// ```
/// use rekindle_data::table::{ParquetColumn, ParquetWriter};
///
/// let rows = |numbers: Vec<i64>| [("x", ParquetColumn::Integers(numbers))];
/// let mut writer = ParquetWriter::new(Vec::new(), &rows(vec![]))?;
/// writer.write(&rows(vec![1, 2]))?;
/// writer.write(&rows(vec![3]))?;
/// assert!(writer.finish()?.starts_with(b"PAR1"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct ParquetWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    /// The names and kinds of the columns.
    columns: Vec<(String, Discriminant<ParquetColumn>)>,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// Begins a file of such columns; their cells are not written.
    ///
    /// # Errors
    /// As [`Table::write_parquet`].
    pub fn new(writer: W, columns: &[(&str, ParquetColumn)]) -> io::Result<Self> {
        check(columns)?;
        let kinds = columns.iter().map(|(name, column)| (name.to_string(), discriminant(column))).collect();
        let schema = schema(columns).map_err(told)?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let file = SerializedFileWriter::new(writer, schema, Arc::new(properties)).map_err(told)?;
        Ok(Self { file, columns: kinds })
    }

    /// Appends rows, as a group of their own: small ones make a large file.
    ///
    /// # Errors
    /// As [`Table::write_parquet`], and if the columns are not those of the file.
    pub fn write(&mut self, columns: &[(&str, ParquetColumn)]) -> io::Result<()> {
        let rows = check(columns)?;
        let kinds = columns.iter().map(|(name, column)| (*name, discriminant(column)));
        if !kinds.eq(self.columns.iter().map(|(name, kind)| (name.as_str(), *kind))) {
            return invalid("not the columns of the file".into());
        }
        self.write_rows(columns, 0..rows).map_err(told)
    }

    /// Writes what is to stand at the end, and gives the writer back.
    ///
    /// # Errors
    /// What the writer says.
    pub fn finish(self) -> io::Result<W> {
        self.file.into_inner().map_err(told)
    }

    fn write_rows(
        &mut self,
        columns: &[(&str, ParquetColumn)],
        rows: Range<usize>,
    ) -> Result<(), ParquetError> {
        let mut group = self.file.next_row_group()?;
        for (_, column) in columns {
            write_column(&mut group, column, rows.clone())?;
        }
        group.close().map(drop)
    }
}

fn invalid<T>(what: String) -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::InvalidInput, what))
}

/// How many rows the columns of a table have.
fn check(columns: &[(&str, ParquetColumn)]) -> io::Result<usize> {
    let Some((_, first)) = columns.first() else { return invalid("a table without columns".into()) };
    let rows = first.len();
    let mut names = HashSet::new();
    for (name, column) in columns {
        if !names.insert(name) {
            return invalid(format!("two columns are named `{name}`"));
        }
        if column.len() != rows {
            return invalid(format!("column `{name}` has {} rows, not {rows}", column.len()));
        }
    }
    Ok(rows)
}

/// What the parquet crate says, as what the system or the writer said.
fn told(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(source) => io::Error::other(source),
        },
        other => io::Error::other(other),
    }
}

fn schema(columns: &[(&str, ParquetColumn)]) -> Result<Arc<Type>, ParquetError> {
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
    Ok(Arc::new(Type::group_type_builder("schema").with_fields(fields).build()?))
}

fn write_column<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    column: &ParquetColumn,
    rows: Range<usize>,
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
