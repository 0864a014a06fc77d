//! The records of a text with separated cells (RFC 4180), one at a time.
//!
//! | byte | before a cell | in a plain cell | in a quoted cell | after its closing quote |
//! |---|---|---|---|---|
//! | `"` | opens | is text | closes | with the one before: is a quote of the text |
//! | delimiter | ends the cell | ends the cell | is text | ends the cell |
//! | end of line | ends the record | ends the record | is text | ends the record |
//! | space | is left out | is text, left out at the end | is text | is left out |
//! | other | begins a plain cell | is text | is text | is an error |
//!
//! What the format leaves open is decided here: lines end in LF, CRLF or CR, blank lines are no records, a byte order mark
//! is left out, text is UTF-8. Nothing is repaired in silence.

use std::io::Read;
use std::path::PathBuf;

use super::problem;
use crate::error::{Error, Result};

/// How much is read at once.
const BLOCK: usize = 1 << 16;
/// The longest record: a quote that is never closed must not swallow a file of any size.
pub(super) const MAX_RECORD: usize = 1 << 24;
/// The most columns.
pub(super) const MAX_COLUMNS: usize = 100_000;
const BOM: &[u8] = b"\xef\xbb\xbf";
/// What other kinds of files begin with, and what to do with them.
const FOREIGN: [(&[u8], &str, &str); 9] = [
    (b"\x1f\x8b", "a gzip file", "unpack it with gunzip"),
    (b"PK\x03\x04", "a zip or Excel file", "export the table as CSV"),
    (b"\xd0\xcf\x11\xe0", "an Excel file", "export the table as CSV"),
    (b"PAR1", "a Parquet file", "export the table as CSV"),
    (b"\x89PNG", "a PNG image", "give the folder of the images"),
    (b"\xff\xd8\xff", "a JPEG image", "give the folder of the images"),
    (b"\x93NUMPY", "an array of NumPy", "give it as arrays, not as a table"),
    (b"\xff\xfe", "text in UTF-16", "save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16", "save it as UTF-8"),
];

/// The cells of one record.
#[derive(Default)]
pub(super) struct Record {
    /// The text of all cells.
    pub text: String,
    /// Where in the text each cell ends.
    pub ends: Vec<usize>,
    /// The line on which the record begins.
    pub line: u64,
    /// Whether the first cell is quoted.
    quoted: bool,
}

impl Record {
    /// The cells.
    pub fn cells(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.text[start..end])
    }

    /// A line with nothing on it.
    fn is_blank(&self) -> bool {
        self.ends.len() == 1 && self.text.is_empty() && !self.quoted
    }
}

/// Where in a record the next byte is.
#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Before a cell.
    Before,
    /// In a plain cell.
    Plain,
    /// In a quoted cell.
    Quoted,
    /// Right after a quote in a quoted cell, which closes it unless another follows.
    Quote,
    /// Behind a closed cell.
    After,
}

/// Reads records.
pub(super) struct Records<R> {
    input: Input<R>,
    pub delimiter: u8,
    quotes: bool,
    line: u64,
    /// The last byte was a CR: an LF that follows belongs to it.
    after_cr: bool,
}

impl<R: Read> Records<R> {
    /// Begins to read; the delimiter can still be set.
    pub fn new(reader: R, name: &str, quotes: bool) -> Result<Self> {
        let mut input = Input::new(reader, name);
        input.begin()?;
        Ok(Self { input, delimiter: b',', quotes, line: 1, after_cr: false })
    }

    /// What has been read ahead.
    pub fn sample(&self) -> &str {
        &self.input.block[self.input.at..]
    }

    /// Whether the sample is all there is.
    pub fn sample_is_all(&self) -> bool {
        self.input.ended
    }

    /// The next record that is not blank; `false` at the end.
    pub fn read(&mut self, record: &mut Record) -> Result<bool> {
        loop {
            record.text.clear();
            record.ends.clear();
            record.quoted = false;
            record.line = self.line;
            if !self.read_any(record)? {
                return Ok(false);
            }
            if !record.is_blank() {
                return Ok(true);
            }
        }
    }

    /// The next record; the end of the input ends one too, if it has begun.
    fn read_any(&mut self, record: &mut Record) -> Result<bool> {
        let (mut state, mut opened) = (State::Before, 0);
        loop {
            if self.input.rest().is_empty() && !self.input.fill()? {
                if state == State::Quoted {
                    return Err(self.unclosed(opened));
                }
                if state == State::Before && record.ends.is_empty() {
                    return Ok(false);
                }
                self.end_cell(record, state);
                return Ok(true);
            }
            if record.text.len() > MAX_RECORD || record.ends.len() > MAX_COLUMNS {
                return Err(self.too_long(if state == State::Quoted { opened } else { record.line }));
            }
            if self.take_plain(state, record) {
                state = if state == State::Before { State::Plain } else { state };
                continue;
            }
            let byte = self.take_byte();
            if matches!(byte, b'\n' | b'\r') && state != State::Quoted {
                self.end_cell(record, state);
                // The LF of a CRLF is then a blank line, which counts as none.
                return Ok(true);
            }
            if state == State::Before && byte == b'"' {
                opened = self.line;
            }
            state = self.step(state, byte, record)?;
        }
    }

    /// The next byte; counts lines.
    fn take_byte(&mut self) -> u8 {
        let byte = self.input.rest()[0];
        if byte == b'\r' || (byte == b'\n' && !self.after_cr) {
            self.line += 1;
        }
        self.after_cr = byte == b'\r';
        self.input.at += 1;
        byte
    }

    /// What a byte that is not plain does; a line has not ended.
    fn step(&self, state: State, byte: u8, record: &mut Record) -> Result<State> {
        let space = matches!(byte, b' ' | b'\t');
        Ok(match (state, byte) {
            (State::Before, b'"') => {
                record.quoted |= record.ends.is_empty();
                State::Quoted
            }
            (State::Quoted, b'"') => State::Quote,
            (State::Quoted, _) => {
                record.text.push(char::from(byte));
                State::Quoted
            }
            (State::Quote, b'"') => {
                record.text.push('"');
                State::Quoted
            }
            _ if byte == self.delimiter => {
                self.end_cell(record, state);
                State::Before
            }
            (State::Before, _) if space => State::Before,
            (State::Quote | State::After, _) if space => State::After,
            _ => return Err(self.after_quote()),
        })
    }

    /// Takes bytes that need no decision; `false` if the next one does.
    fn take_plain(&mut self, state: State, record: &mut Record) -> bool {
        let count = self.plain_bytes(state);
        record.text.push_str(&self.input.block[self.input.at..self.input.at + count]);
        self.input.at += count;
        self.after_cr &= count == 0;
        count > 0
    }

    /// How many of the next bytes are text that changes nothing.
    fn plain_bytes(&self, state: State) -> usize {
        let rest = self.input.rest();
        let stops = |&byte: &u8| match state {
            State::Quote | State::After => true,
            State::Quoted => matches!(byte, b'"' | b'\n' | b'\r'),
            State::Plain => byte == self.delimiter || matches!(byte, b'\n' | b'\r'),
            State::Before => {
                byte == self.delimiter
                    || matches!(byte, b'\n' | b'\r' | b' ' | b'\t')
                    || (byte == b'"' && self.quotes)
            }
        };
        match state {
            // After its first byte a cell is plain, and spaces and quotes are text.
            State::Before => usize::from(!stops(&rest[0])) * self.char_len(),
            _ => rest.iter().position(stops).unwrap_or(rest.len()),
        }
    }

    /// The bytes of the next character.
    fn char_len(&self) -> usize {
        self.input.block[self.input.at..].chars().next().map_or(0, char::len_utf8)
    }

    fn end_cell(&self, record: &mut Record, state: State) {
        if state == State::Plain {
            // Its beginning has no space, so only this cell is shortened.
            let kept = record.text.trim_end_matches([' ', '\t']).len();
            record.text.truncate(kept);
        }
        record.ends.push(record.text.len());
    }

    fn unclosed(&self, line: u64) -> Error {
        let remedy = "close it, double it if it is part of the text, or read without quotes";
        problem(&self.input.name, line, "the quote that opens here is never closed", remedy)
    }

    fn too_long(&self, line: u64) -> Error {
        let what = format!("a record of more than {} MiB or {MAX_COLUMNS} cells", MAX_RECORD >> 20);
        problem(&self.input.name, line, what, "look for a quote that is not closed")
    }

    fn after_quote(&self) -> Error {
        let rest = &self.input.block[self.input.at - 1..];
        let found = rest.chars().next().unwrap_or('?');
        let what = format!("`{}` follows a closing quote", found);
        problem(&self.input.name, self.line, what, "double the quotes that are part of the text")
    }
}

/// Text from bytes, in blocks, with the offset of what is not text.
struct Input<R> {
    reader: R,
    name: String,
    block: String,
    at: usize,
    /// The bytes before the block.
    offset: u64,
    /// The beginning of a character whose end has not been read.
    cut: Vec<u8>,
    ended: bool,
}

impl<R: Read> Input<R> {
    fn new(reader: R, name: &str) -> Self {
        Self {
            reader,
            name: name.into(),
            block: String::new(),
            at: 0,
            offset: 0,
            cut: Vec::new(),
            ended: false,
        }
    }

    fn rest(&self) -> &[u8] {
        &self.block.as_bytes()[self.at..]
    }

    /// The first block, without its byte order mark.
    fn begin(&mut self) -> Result<()> {
        let mut bytes = self.read_bytes()?;
        if let Some((_, kind, remedy)) = FOREIGN.iter().find(|(magic, ..)| bytes.starts_with(magic)) {
            return Err(self.not_text(0, format!("this is {kind}, not a table in UTF-8"), remedy));
        }
        if bytes.starts_with(BOM) {
            bytes.drain(..BOM.len());
            self.offset = BOM.len() as u64;
        }
        self.take(bytes)
    }

    /// The next block; `false` at the end.
    fn fill(&mut self) -> Result<bool> {
        while self.at == self.block.len() && !self.ended {
            self.offset += self.block.len() as u64;
            let bytes = self.read_bytes()?;
            self.take(bytes)?;
        }
        Ok(self.at < self.block.len())
    }

    fn read_bytes(&mut self) -> Result<Vec<u8>> {
        let mut bytes = std::mem::take(&mut self.cut);
        let wanted = BLOCK - bytes.len();
        let read = self.reader.by_ref().take(wanted as u64).read_to_end(&mut bytes);
        let read = read.map_err(|source| Error::Io { path: PathBuf::from(&self.name), source })?;
        self.ended = read < wanted;
        Ok(bytes)
    }

    /// Makes bytes the block, as far as they are whole characters.
    fn take(&mut self, mut bytes: Vec<u8>) -> Result<()> {
        let end = match std::str::from_utf8(&bytes) {
            Ok(_) => bytes.len(),
            Err(error) if error.error_len().is_none() && !self.ended => error.valid_up_to(),
            Err(error) => {
                let at = error.valid_up_to();
                let what = format!("{:02x} is not UTF-8 here", bytes[at]);
                return Err(self.not_text(at, what, "save the file as UTF-8"));
            }
        };
        if let Some(at) = bytes[..end].iter().position(|&byte| byte == 0) {
            return Err(self.not_text(at, "a zero byte is no text".into(), "save the file as UTF-8 text"));
        }
        self.cut = bytes.split_off(end);
        self.block = String::from_utf8(bytes).expect("checked");
        self.at = 0;
        Ok(())
    }

    fn not_text(&self, at: usize, problem: String, remedy: &'static str) -> Error {
        let offset = self.offset + at as u64;
        Error::Malformed { path: PathBuf::from(&self.name), offset, problem, remedy }
    }
}
