//! One reader for all formats of tables.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use super::read::only_a_header;
use super::{CsvOptions, CsvReader, Table};
use crate::error::{Error, Result};
use crate::file::open_regular;

#[cfg(feature = "parquet")]
use super::parquet::ParquetReader;

/// What a Parquet file begins and ends with.
const PARQUET: &[u8; 4] = b"PAR1";
/// Whole tables are read in pieces of so many rows.
pub(super) const PIECE_ROWS: usize = 1 << 14;
/// A piece ends when it takes so much memory, however few rows these are.
const PIECE_BYTES: usize = 1 << 26;

/// How a table is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text with separated cells.
    Csv,
    /// Apache Parquet (feature `parquet`).
    Parquet,
}

/// Reads a table of any format piece by piece, so that it may be larger than memory.
///
/// For another pass, open the file again.
///
/// ```
/// use rekindle_data::table::{CsvOptions, Format, TableReader};
///
/// let path = std::env::temp_dir().join("rekindle-doc-reader.csv");
/// std::fs::write(&path, "x,y\n1,2\n3,4\n5,6\n")?;
/// let mut reader = TableReader::open(&path, &CsvOptions::default())?;
/// assert_eq!((reader.format(), reader.columns()), (Format::Csv, &["x".to_string(), "y".to_string()][..]));
/// let mut rows = 0;
/// while let Some(piece) = reader.read_rows(2)? {
///     rows += piece.len();
/// }
/// assert_eq!(rows, 3);
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TableReader {
    name: String,
    source: Source,
    /// The memory that all rows will take, as far as that is known before they are read.
    expected: u64,
}

enum Source {
    Csv(Box<CsvReader<Box<dyn Read>>>),
    #[cfg(feature = "parquet")]
    Parquet(Box<ParquetReader>),
}

impl TableReader {
    /// Begins to read a file, which is Parquet if it begins as such files do, and otherwise text, to which the options apply.
    ///
    /// # Errors
    /// One line with the place, the cause and the cure if the file cannot be read, is not a regular file or is damaged; if it is
    /// Parquet and this program was built without the feature `parquet`, or a column of it is nested or of a kind that
    /// no cell can hold; if it is text and [`CsvReader::new`] complains.
    pub fn open(path: impl AsRef<Path>, options: &CsvOptions) -> Result<Self> {
        let path = path.as_ref();
        let (mut file, length) = open_regular(path)?;
        let name = path.display().to_string();
        let begin = first_bytes(&mut file).map_err(Error::io(path))?;
        file.rewind().map_err(Error::io(path))?;
        if begin == PARQUET {
            let (source, expected) = open_parquet(file, &name)?;
            return Ok(Self { name, source, expected });
        }
        let source = open_text(Box::new(file), &name, options)?;
        Ok(Self { name, source, expected: length })
    }

    /// Begins to read text from anything, such as the standard input; `name` stands for the file in messages.
    ///
    /// # Errors
    /// As [`CsvReader::new`], and if it is a Parquet file: its description is at its end.
    ///
    /// ```
    /// use rekindle_data::table::{CsvOptions, TableReader};
    ///
    /// let mut reader = TableReader::from_reader("x\n1\n".as_bytes(), "stdin", &CsvOptions::default())?;
    /// assert_eq!(reader.read_rows(10)?.unwrap().cell(0, 0), "1");
    /// let error = TableReader::from_reader("PAR1..".as_bytes(), "stdin", &CsvOptions::default()).err().unwrap();
    /// assert_eq!(error.to_string(), "stdin: a Parquet file cannot be read from a stream; save it and name the file");
    /// # Ok::<(), rekindle_data::Error>(())
    /// ```
    pub fn from_reader(mut reader: impl Read + 'static, name: &str, options: &CsvOptions) -> Result<Self> {
        let begin = first_bytes(&mut reader).map_err(Error::io(Path::new(name)))?;
        if begin == PARQUET {
            let what = "a Parquet file cannot be read from a stream";
            return Err(complain(name, what, "save it and name the file"));
        }
        let source = open_text(Box::new(io::Cursor::new(begin).chain(reader)), name, options)?;
        Ok(Self { name: name.into(), source, expected: 0 })
    }

    /// The file, or what stands for it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The format of what is read.
    pub fn format(&self) -> Format {
        match &self.source {
            Source::Csv(_) => Format::Csv,
            #[cfg(feature = "parquet")]
            Source::Parquet(_) => Format::Parquet,
        }
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        self.empty().columns()
    }

    /// The next rows, at most `rows`; `None` after the last. Rows that take more than 64 MiB of memory come in smaller pieces.
    ///
    /// # Errors
    /// As [`CsvReader::read_rows`]; if the file is Parquet, where its pages are damaged. After an error there is nothing more to
    /// read.
    pub fn read_rows(&mut self, rows: usize) -> Result<Option<Table>> {
        self.read_piece(rows, PIECE_BYTES)
    }

    /// All rows that are left, if they take no more memory than this: for each cell its text, its place and the numbers that are made of it.
    /// `None` if they take more; then nobody knows how far was read, and the file has to be opened again.
    ///
    /// # Errors
    /// As [`read_rows`](Self::read_rows), and if there are no rows.
    ///
    /// ```
    /// use rekindle_data::table::{CsvOptions, TableReader};
    ///
    /// let read = |bytes| {
    ///     TableReader::from_reader("x,y\n1,2\n3,4\n".as_bytes(), "stdin", &CsvOptions::default())?.read_within(bytes)
    /// };
    /// assert_eq!(read(1000)?.map(|table| table.len()), Some(2));
    /// assert!(read(50)?.is_none());
    /// # Ok::<(), rekindle_data::Error>(())
    /// ```
    pub fn read_within(&mut self, bytes: u64) -> Result<Option<Table>> {
        if self.expected > bytes {
            return Ok(None);
        }
        let table = self.read_piece(usize::MAX, usize::try_from(bytes).unwrap_or(usize::MAX))?;
        let table = table.ok_or_else(|| self.no_rows())?;
        let all = table.memory() as u64 <= bytes && self.read_piece(1, usize::MAX)?.is_none();
        Ok(all.then_some(table))
    }

    /// The columns, without rows.
    pub(super) fn empty(&self) -> &Table {
        match &self.source {
            Source::Csv(reader) => reader.empty(),
            #[cfg(feature = "parquet")]
            Source::Parquet(reader) => reader.empty(),
        }
    }

    /// Shows all rows that are left, in pieces, to `see`, each with the number of its first row; gives how many there are.
    pub(super) fn each_piece(&mut self, mut see: impl FnMut(&Table, usize) -> Result<()>) -> Result<usize> {
        let mut rows = 0;
        while let Some(piece) = self.read_rows(PIECE_ROWS)? {
            see(&piece, rows)?;
            rows += piece.len();
        }
        if rows == 0 { Err(self.no_rows()) } else { Ok(rows) }
    }

    /// What is wrong with a table that has no rows.
    pub fn no_rows(&self) -> Error {
        match self.format() {
            Format::Csv => only_a_header(&self.name),
            Format::Parquet => complain(&self.name, "columns, but no rows", "write at least one row"),
        }
    }

    fn read_piece(&mut self, rows: usize, bytes: usize) -> Result<Option<Table>> {
        match &mut self.source {
            Source::Csv(reader) => reader.read_piece(rows, bytes),
            #[cfg(feature = "parquet")]
            Source::Parquet(reader) => reader.read_piece(rows, bytes),
        }
    }
}

impl Table {
    /// Reads a whole file of any [format](Format).
    ///
    /// # Errors
    /// As [`TableReader::open`] and [`TableReader::read_rows`], and if the file has no rows.
    ///
    /// ```
    /// use rekindle_data::table::{CsvOptions, Table};
    ///
    /// let path = std::env::temp_dir().join("rekindle-doc-read.csv");
    /// std::fs::write(&path, "name,age\nAda,36\n")?;
    /// assert_eq!(Table::read(&path, &CsvOptions::default())?.cell(0, 1), "36");
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(path: impl AsRef<Path>, options: &CsvOptions) -> Result<Self> {
        let mut reader = TableReader::open(path, options)?;
        let table = reader.read_piece(usize::MAX, usize::MAX)?;
        table.ok_or_else(|| reader.no_rows())
    }
}

/// The first four bytes, or all if there are fewer.
fn first_bytes(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(PARQUET.len() as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn open_text(reader: Box<dyn Read>, name: &str, options: &CsvOptions) -> Result<Source> {
    Ok(Source::Csv(Box::new(CsvReader::new(reader, name, options)?)))
}

#[cfg(feature = "parquet")]
fn open_parquet(file: File, name: &str) -> Result<(Source, u64)> {
    let reader = ParquetReader::new(file, name)?;
    let expected = reader.expected();
    Ok((Source::Parquet(Box::new(reader)), expected))
}

#[cfg(not(feature = "parquet"))]
fn open_parquet(_file: File, name: &str) -> Result<(Source, u64)> {
    let what = "a Parquet file, and this program was built without Parquet";
    Err(complain(name, what, "build it with the feature `parquet`, or export the table as CSV"))
}

fn complain(name: &str, problem: &str, remedy: &str) -> Error {
    let (name, problem, remedy) = (name.into(), problem.into(), remedy.into());
    Error::Table { name, place: None, column: None, problem, remedy }
}
