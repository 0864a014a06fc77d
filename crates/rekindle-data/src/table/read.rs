//! Tables from CSV files and their relatives.

use std::io::Read;
use std::path::Path;

use super::cell::{parse_date, parse_number};
use super::records::{Record, Records};
use super::{Table, delimiter, problem, ragged};
use crate::error::{Error, Place, Result};
use crate::file::open_regular;

/// Whether the first line names the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// It does, unless one of its cells is a number or a date.
    #[default]
    Guess,
    /// It does.
    Yes,
    /// It does not: the columns are `column_1`, `column_2`, ..
    No,
}

/// How a table is written down. What is not said is guessed.
///
/// ```
/// use rekindle_data::table::{CsvOptions, Header, Table};
///
/// let options = CsvOptions { delimiter: Some(' '), header: Header::No, ..CsvOptions::default() };
/// let error = Table::from_reader("1 2\n".as_bytes(), "stdin", &options).unwrap_err();
/// assert_eq!(error.to_string(), "stdin: line 1: ` ` cannot be a delimiter; use a comma, a semicolon, a tab or a bar");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsvOptions {
    /// What separates cells: any ASCII character but a letter, a digit, a space, a quote and the ends of lines. `None`: whichever of
    /// comma, semicolon, tab and bar cuts the first records into equally many cells.
    pub delimiter: Option<char>,
    /// Whether the first line names the columns.
    pub header: Header,
    /// Whether a `"` before a cell opens a quoted one, in which delimiters and ends of lines are text and `""` is a quote.
    pub quotes: bool,
}

impl Default for CsvOptions {
    /// Everything guessed, with quotes.
    fn default() -> Self {
        Self { delimiter: None, header: Header::Guess, quotes: true }
    }
}

impl CsvOptions {
    /// The delimiter as a byte, if one is given.
    pub(super) fn delimiter(&self, name: &str) -> Result<Option<u8>> {
        let Some(delimiter) = self.delimiter else { return Ok(None) };
        if delimiter == '\t' || delimiter.is_ascii_punctuation() && delimiter != '"' {
            return Ok(Some(delimiter as u8));
        }
        let what = format!("`{}` cannot be a delimiter", delimiter);
        Err(problem(name, 1, what, "use a comma, a semicolon, a tab or a bar"))
    }
}

/// Reads a table piece by piece, for tables that are larger than memory.
///
/// ```
/// use rekindle_data::table::{CsvOptions, CsvReader};
///
/// let text = "x;y\n1;2\n3;4\n5;6\n";
/// let mut reader = CsvReader::new(text.as_bytes(), "stdin", &CsvOptions::default())?;
/// assert_eq!((reader.delimiter(), reader.has_header()), (';', true));
/// let sizes = std::iter::from_fn(|| reader.read_rows(2).transpose()).map(|piece| Ok(piece?.len()));
/// assert_eq!(sizes.collect::<Result<Vec<_>, rekindle_data::Error>>()?, [2, 1]);
/// # Ok::<(), rekindle_data::Error>(())
/// ```
pub struct CsvReader<R> {
    records: Records<R>,
    /// The columns, without rows.
    empty: Table,
    has_header: bool,
    /// A record that has been read and not given out: the first, if it is no header.
    pending: Option<Record>,
}

impl<R: Read> CsvReader<R> {
    /// Begins to read; `name` stands for the file in messages.
    ///
    /// # Errors
    /// If there is nothing to read, the input is not text in UTF-8, a quote is not closed, two columns have one name, or the
    /// delimiter is unusable.
    pub fn new(reader: R, name: &str, options: &CsvOptions) -> Result<Self> {
        let given = options.delimiter(name)?;
        let mut records = Records::new(reader, name, options.quotes)?;
        records.delimiter = given
            .unwrap_or_else(|| delimiter::guess(records.sample(), records.sample_is_all(), options.quotes));
        let mut first = Record::default();
        if !records.read(&mut first)? {
            return Err(problem(name, 1, "the file is empty", "write a header and at least one row"));
        }
        let has_header = match options.header {
            Header::Guess => !first.cells().any(is_value),
            given => given == Header::Yes,
        };
        let unnamed = |place: usize| format!("column_{place}");
        let columns = (1..)
            .zip(first.cells())
            .map(|(i, cell)| if has_header && !cell.is_empty() { cell.into() } else { unnamed(i) });
        let empty = Table::empty(name, columns.collect(), Some(Place::Line(first.line)))?;
        let pending = (!has_header).then_some(first);
        Ok(Self { records, empty, has_header, pending })
    }

    /// The next rows, at most `rows`; `None` after the last.
    ///
    /// # Errors
    /// If there is no row at all, a row has more or fewer cells than there are columns, a quote is not closed, or what comes is not
    /// text in UTF-8. After an error there is nothing more to read.
    pub fn read_rows(&mut self, rows: usize) -> Result<Option<Table>> {
        self.read_piece(rows, usize::MAX)
    }

    /// [`read_rows`](Self::read_rows) until they take so much memory.
    pub(super) fn read_piece(&mut self, rows: usize, bytes: usize) -> Result<Option<Table>> {
        let mut table = self.empty.clone();
        let mut record = Record::default();
        while table.len() < rows && table.memory() < bytes {
            if let Some(first) = self.pending.take() {
                record = first;
            } else if !self.records.read(&mut record)? {
                break;
            }
            if record.ends.len() != table.width() {
                return Err(ragged(&table.name, record.line, record.ends.len(), table.width()));
            }
            let base = table.text.len();
            table.text.push_str(&record.text);
            table.ends.extend(record.ends.iter().map(|end| base + end));
            table.lines.push(record.line);
        }
        Ok((!table.is_empty()).then_some(table))
    }

    /// What separates the cells.
    pub fn delimiter(&self) -> char {
        char::from(self.records.delimiter)
    }

    /// Whether the first line names the columns.
    pub fn has_header(&self) -> bool {
        self.has_header
    }

    /// The columns, without rows.
    pub(super) fn empty(&self) -> &Table {
        &self.empty
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        self.empty.columns()
    }
}

impl Table {
    /// Reads a file of comma-separated values, or of cells that something else separates.
    ///
    /// Text is UTF-8, with or without a byte order mark; lines end in LF, CRLF or CR; blank lines are left out, and so are spaces
    /// around cells that are not quoted. A column without a name is named by its place, `column_1`.
    ///
    /// # Errors
    /// One line with the place, the cause and the cure if the file cannot be read, is not a regular file, is empty or only a header,
    /// is not UTF-8, has a quote that is never closed or text behind one that is, has rows of different widths, or two columns of
    /// one name.
    ///
    /// ```
    /// use rekindle_data::table::{CsvOptions, Table};
    ///
    /// let path = std::env::temp_dir().join("rekindle-doc-table.csv");
    /// std::fs::write(&path, "name;height\nAda;1.65\n\"Turing; Alan\";1.78\n")?;
    /// let table = Table::read_csv(&path, &CsvOptions::default())?;
    /// assert_eq!(table.columns(), ["name", "height"]);
    /// assert_eq!(table.cell(1, 0), "Turing; Alan");
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_csv(path: impl AsRef<Path>, options: &CsvOptions) -> Result<Self> {
        let path = path.as_ref();
        Self::from_reader(open_regular(path)?.0, &path.display().to_string(), options)
    }

    /// [`read_csv`](Self::read_csv) from anything; `name` stands for the file in messages.
    ///
    /// # Errors
    /// As [`read_csv`](Self::read_csv).
    ///
    /// ```
    /// use rekindle_data::table::{CsvOptions, Table};
    ///
    /// let error = Table::from_reader("a,b\n1,2\n3\n".as_bytes(), "stdin", &CsvOptions::default()).unwrap_err();
    /// assert_eq!(error.to_string(), "stdin: line 3: 1 cell, but the table has 2 columns; add what is missing");
    /// ```
    pub fn from_reader(reader: impl Read, name: &str, options: &CsvOptions) -> Result<Self> {
        let table = CsvReader::new(reader, name, options)?.read_rows(usize::MAX)?;
        table.ok_or_else(|| only_a_header(name))
    }
}

/// A table without rows.
pub(super) fn only_a_header(name: &str) -> Error {
    problem(name, 1, "a header, but no rows", "write at least one row below it")
}

/// Whether a cell of the first line is no name.
fn is_value(cell: &str) -> bool {
    parse_number(cell).is_ok() || parse_date(cell).is_some()
}
