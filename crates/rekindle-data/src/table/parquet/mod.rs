//! Tables from Parquet files, some rows at a time, and to them.

mod cells;
mod described;
mod guard;
mod thrift;
mod write;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::column::reader::get_column_reader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::serialized_reader::SerializedPageReader;

use super::cell::shown;
use super::records::{MAX_COLUMNS, MAX_RECORD};
use super::{CELL_BYTES, Table};
use crate::error::{Error, Place, Result};
use cells::{Cells, Meaning};
use described::{FILE, check};
use guard::{Budget, Checked, Pages, guarded, most_growth, smallest};
use thrift::{BINARY, I32, LIST, STRUCT, Thrift};

pub use write::{ParquetColumn, ParquetWriter};

/// So many rows are decoded at once, but of wide tables no more cells than these.
const BATCH: usize = 1024;
const BATCH_CELLS: usize = 1 << 20;
/// The longest description of a file.
const MAX_FOOTER: u64 = 1 << 25;
/// A row group of so many cells may have a byte.
const MAX_CELLS_PER_BYTE: u64 = 1 << 14;
const REMEDY: &str = "write the file again";

/// Reads the rows of a Parquet file in their order. What is held is the current page of each column, and its dictionary.
pub(super) struct ParquetReader {
    file: Arc<File>,
    metadata: ParquetMetaData,
    /// The columns, without rows.
    empty: Table,
    meanings: Vec<Meaning>,
    budget: Budget,
    /// The next row group.
    group: usize,
    /// The columns of the current one.
    cells: Vec<Box<dyn Cells>>,
    /// The rows of the current row group that are not decoded.
    left: usize,
    /// The rows that are decoded and not given out.
    decoded: usize,
    /// The last row that was given out, from 1.
    row: u64,
}

impl ParquetReader {
    /// Reads the description of a file.
    pub fn new(mut file: File, name: &str) -> Result<Self> {
        let fail = |error| complain(name, None, None, error);
        let (start, footer) = read_footer(&mut file).map_err(fail)?;
        let described = || Thrift::new(footer.as_slice(), start, footer.len() as u64);
        let names = flat_columns(described(), name)?;
        check(&mut described(), FILE, 0).map_err(|e| fail(e.into()))?;
        let metadata = guarded(|| ParquetMetaDataReader::decode_metadata(&footer)).map_err(fail)?;
        check_sizes(&metadata, parquet::file::reader::Length::len(&file)).map_err(fail)?;
        let columns = metadata.file_metadata().schema_descr().columns();
        if columns.len() != names.len() {
            return Err(fail(ParquetError::General("its columns contradict each other".into())));
        }
        let mut meanings = Vec::with_capacity(names.len());
        for (column, name_of_column) in columns.iter().zip(&names) {
            meanings.push(Meaning::of(column).map_err(|what| {
                let (name, column) = (name.to_string(), Some(name_of_column.clone()));
                let (problem, remedy) = (format!("no cell can hold {what}"), LEAVE_OUT.to_string());
                Error::Table { name, place: None, column, problem, remedy }
            })?);
        }
        let (file, empty) = (Arc::new(file), Table::empty(name, names, None)?);
        let (budget, cells) = (Budget::default(), Vec::new());
        Ok(Self { file, metadata, empty, meanings, budget, group: 0, cells, left: 0, decoded: 0, row: 0 })
    }

    /// The columns, without rows.
    pub fn empty(&self) -> &Table {
        &self.empty
    }

    /// The memory that all rows are expected to take. (It is more if a text stands in many rows and once in the file.)
    pub fn expected(&self) -> u64 {
        let groups = self.metadata.row_groups().iter().map(|group| {
            let cells = (group.num_rows() as u64).saturating_mul(self.meanings.len() as u64);
            let pages = group.columns().iter().map(|chunk| chunk.uncompressed_size().max(0) as u64);
            pages.fold(cells.saturating_mul(CELL_BYTES as u64), u64::saturating_add)
        });
        groups.fold(0, u64::saturating_add)
    }

    /// The next rows, at most so many and until they take so much memory.
    pub fn read_piece(&mut self, rows: usize, bytes: usize) -> Result<Option<Table>> {
        let mut table = self.empty.clone();
        while table.len() < rows && table.memory() < bytes {
            if self.decoded == 0 && !self.decode()? {
                break;
            }
            self.row += 1;
            self.decoded -= 1;
            let start = table.text.len();
            for column in 0..self.cells.len() {
                self.cells[column].write(&mut table.text).map_err(|what| {
                    let (name, column) = (table.name.clone(), Some(self.empty.columns[column].clone()));
                    let (place, remedy) = (Some(Place::Row(self.row)), LEAVE_OUT.into());
                    Error::Table { name, place, column, problem: what, remedy }
                })?;
                table.ends.push(table.text.len());
                if table.text.len() - start > MAX_RECORD {
                    let what = format!("it has a row of more than {} MiB", MAX_RECORD >> 20);
                    return Err(complain(&table.name, Some(self.row), None, ParquetError::NYI(what)));
                }
            }
            table.lines.push(self.row);
        }
        Ok((!table.is_empty()).then_some(table))
    }

    /// Decodes the next rows; `false` after the last.
    fn decode(&mut self) -> Result<bool> {
        while self.left == 0 {
            if self.group == self.metadata.num_row_groups() {
                return Ok(false);
            }
            // The pages of the row group before are given back first.
            self.cells.clear();
            self.cells = guarded(|| self.open_group())
                .map_err(|error| complain(&self.empty.name, Some(self.row + 1), None, error))?;
            self.left = self.metadata.row_group(self.group).num_rows() as usize;
            self.group += 1;
        }
        let rows = self.left.min(BATCH).min(BATCH_CELLS / self.cells.len().max(1)).max(1);
        for (column, cells) in self.cells.iter_mut().enumerate() {
            guarded(|| cells.fill(rows)).map_err(|error| {
                complain(&self.empty.name, Some(self.row + 1), Some(&self.empty.columns[column]), error)
            })?;
        }
        (self.left, self.decoded) = (self.left - rows, rows);
        Ok(true)
    }

    /// The columns of the next row group.
    fn open_group(&self) -> Result<Vec<Box<dyn Cells>>, ParquetError> {
        let group = self.metadata.row_group(self.group);
        let mut cells = Vec::with_capacity(self.meanings.len());
        for (chunk, &meaning) in group.columns().iter().zip(&self.meanings) {
            let column = chunk.column_descr_ptr();
            let source = Arc::new(Pages::new(
                self.file.clone(),
                most_growth(chunk.compression()),
                self.budget.clone(),
            ));
            let pages = SerializedPageReader::new(source.clone(), chunk, group.num_rows() as usize, None)?;
            let smallest = smallest(column.physical_type(), column.type_length());
            let optional = column.max_def_level() > 0;
            let pages = Box::new(Checked { pages, source, smallest });
            cells.push(cells::cells(get_column_reader(column, pages), optional, meaning));
        }
        Ok(cells)
    }
}

const ENCRYPTED: &str = "it is encrypted";
const LEAVE_OUT: &str = "convert the column to text, or leave it out of the file";

/// The description and where it begins: at the end of the file, before its length and the letters with which it began.
fn read_footer(file: &mut File) -> Result<(u64, Vec<u8>), ParquetError> {
    let end = file.seek(SeekFrom::End(0))?;
    let early = || ParquetError::EOF(format!("it ends early, at byte {end}"));
    let mut tail = [0; 8];
    file.seek(SeekFrom::Start(end.checked_sub(12).ok_or_else(early)? + 4))?;
    file.read_exact(&mut tail)?;
    let [l0, l1, l2, l3, magic @ ..] = tail;
    let length = u64::from(u32::from_le_bytes([l0, l1, l2, l3]));
    match &magic {
        b"PAR1" if length > MAX_FOOTER => {
            let most = MAX_FOOTER >> 20;
            let what = format!("a description of {length} bytes, more than the {most} MiB that are read");
            return Err(ParquetError::General(what));
        }
        b"PAR1" if length <= end - 12 => {}
        b"PARE" => return Err(ParquetError::NYI(ENCRYPTED.into())),
        _ => return Err(early()),
    }
    let start = end - 8 - length;
    file.seek(SeekFrom::Start(start))?;
    let mut footer = Vec::new();
    file.take(length).read_to_end(&mut footer)?;
    Ok((start, footer))
}

/// The names of the columns, from the schema in a description: its second field, a list of elements, each with a repetition (3), a name
/// (4) and, if it is nested, a number of children (5). The parquet crate takes memory for the children, one inside of the other.
fn flat_columns(mut footer: Thrift<&[u8]>, name: &str) -> Result<Vec<String>> {
    let mut elements: Vec<(String, bool)> = Vec::new();
    let mut children_of_root = 0;
    let walk = footer.fields(0, |thrift, number, kind| {
        if (number, kind) != (2, LIST) {
            return Ok(false);
        }
        let (kind, count) = thrift.list()?;
        if kind != STRUCT || count > MAX_COLUMNS as u64 || !elements.is_empty() {
            return Err(io::Error::other("its schema cannot be read"));
        }
        for i in 0..count {
            let (mut name, mut repeated, mut children) = (Vec::new(), false, 0);
            thrift.fields(1, |thrift, number, kind| {
                match (number, kind) {
                    (3, I32) => repeated = thrift.integer()? == 2,
                    (4, BINARY) => name = thrift.binary()?,
                    (5, I32) => children = thrift.integer()?,
                    (3..=5, _) => return Err(io::Error::other("its schema cannot be read")),
                    _ => return Ok(false),
                }
                Ok(true)
            })?;
            let nested = repeated || children != 0;
            match i {
                0 => children_of_root = children,
                _ => elements.push((String::from_utf8_lossy(&name).into_owned(), nested)),
            }
        }
        Ok(true)
    });
    walk.map_err(|error| complain(name, None, None, ParquetError::General(error.to_string())))?;
    if let Some((column, _)) = elements.iter().find(|(_, nested)| *nested) {
        let (name, column) = (name.to_string(), Some(column.clone()));
        let problem = "a nested column, which no cell can hold".into();
        return Err(Error::Table { name, place: None, column, problem, remedy: LEAVE_OUT.into() });
    }
    if children_of_root != elements.len() as i64 {
        let error = ParquetError::General("its schema contradicts itself".into());
        return Err(complain(name, None, None, error));
    }
    Ok(elements.into_iter().map(|(column, _)| column).collect())
}

/// Holds what the description says against the bytes that are there.
fn check_sizes(metadata: &ParquetMetaData, length: u64) -> Result<(), ParquetError> {
    let columns = metadata.file_metadata().schema_descr().num_columns();
    let (mut cells, mut packed) = (0u64, 0u64);
    for group in metadata.row_groups() {
        let rows = u64::try_from(group.num_rows()).unwrap_or(u64::MAX);
        cells = cells.saturating_add(rows.saturating_mul(columns as u64));
        if group.num_columns() != columns {
            return Err(ParquetError::General("a row group lacks columns".into()));
        }
        for chunk in group.columns() {
            let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
            let end = start.checked_add(chunk.compressed_size());
            if start < 0 || chunk.compressed_size() < 0 || end.is_none_or(|end| end as u64 > length) {
                return Err(ParquetError::EOF("a column reaches beyond the end of the file".into()));
            }
            packed = packed.saturating_add(chunk.compressed_size() as u64);
            match chunk.compression() {
                Compression::UNCOMPRESSED
                | Compression::SNAPPY
                | Compression::GZIP(_)
                | Compression::ZSTD(_) => {}
                other => {
                    let other = format!("{other:?}");
                    let name = other.split('(').next().unwrap_or_default();
                    return Err(ParquetError::NYI(format!("its compression {name} is not read")));
                }
            }
        }
    }
    // Bytes that several columns or row groups claim would be unpacked for each.
    if packed > length {
        return Err(ParquetError::General(format!("{packed} bytes of columns in {length} bytes")));
    }
    if cells > length.saturating_mul(MAX_CELLS_PER_BYTE) {
        return Err(ParquetError::General(format!("{cells} cells in {length} bytes")));
    }
    Ok(())
}

/// What the parquet crate says, in one line. `NYI` is what works elsewhere.
fn complain(name: &str, row: Option<u64>, column: Option<&String>, error: ParquetError) -> Error {
    let name = name.to_string();
    let (problem, remedy) = match error {
        ParquetError::NYI(what) if what == ENCRYPTED => (what, "write it without encryption".to_string()),
        ParquetError::NYI(what) => (
            what,
            "write it with plain or dictionary encoding, smaller pages, and snappy, gzip or zstd".to_string(),
        ),
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            // Decompressors have errors of input and output too, but not the system's.
            Ok(source) if source.raw_os_error().is_some() => {
                return Error::Io { path: PathBuf::from(name), source: *source };
            }
            Ok(source) => (damaged(&source.to_string()), REMEDY.to_string()),
            Err(source) => (damaged(&source.to_string()), REMEDY.to_string()),
        },
        ParquetError::General(what) | ParquetError::EOF(what) => (damaged(&what), REMEDY.to_string()),
        other => (damaged(&other.to_string()), REMEDY.to_string()),
    };
    Error::Table { name, place: row.map(Place::Row), column: column.cloned(), problem, remedy }
}

fn damaged(what: &str) -> String {
    format!("damaged Parquet file: {}", shown(what).trim_matches('`'))
}
