//! As much of Thrift's compact protocol as is needed to look at a Parquet file's descriptions before the parquet crate takes memory
//! for what they claim.
//!
//! A struct is a list of fields that ends with a zero byte. A field is a byte, whose low half is its type and whose high half is what
//! its number has more than the one before (0: the number follows), and its value. Integers are varints, zigzagged.
//! (Source: the specification `thrift-compact-protocol.md` of Apache Thrift.)

use std::io::{self, Read};

/// Structs and lists inside of each other. Parquet's own are less deep.
const MAX_DEPTH: usize = 32;
/// The bytes of the smallest struct that Parquet keeps in lists: a union of empty structs.
const SMALLEST: u64 = 3;

const EARLY: &str = "its description ends early";
const LARGE: &str = "too large a number";
const UNKNOWN: &str = "a field of an unknown type";

/// A type of a field.
pub(super) type Kind = u8;
pub(super) const I8: Kind = 3;
pub(super) const I16: Kind = 4;
pub(super) const I32: Kind = 5;
pub(super) const I64: Kind = 6;
pub(super) const DOUBLE: Kind = 7;
pub(super) const BINARY: Kind = 8;
pub(super) const LIST: Kind = 9;
pub(super) const STRUCT: Kind = 12;

/// Reads values one after another.
pub(super) struct Thrift<R> {
    reader: R,
    /// How many bytes may still come.
    left: u64,
    /// Where in the file they end.
    end: u64,
}

impl<R: Read> Thrift<R> {
    /// At most `limit` bytes, of which the first is at `start` in the file.
    pub fn new(reader: R, start: u64, limit: u64) -> Self {
        Self { reader, left: limit, end: start.saturating_add(limit) }
    }

    /// What is wrong, and where in the file.
    pub fn wrong(&self, what: &str) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, format!("{what} at byte {}", self.end - self.left))
    }

    /// Shows each field of a struct, number and type, to `take`, which reads it and says `true`, or leaves it to be passed over.
    pub fn fields(
        &mut self,
        depth: usize,
        mut take: impl FnMut(&mut Self, i64, Kind) -> io::Result<bool>,
    ) -> io::Result<()> {
        let mut number = 0i64;
        loop {
            let header = self.byte()?;
            if header & 15 == 0 {
                return Ok(());
            }
            number = if header < 16 { self.integer()? } else { number + i64::from(header >> 4) };
            // Numbers have 16 bits; others could be taken for one of these.
            if i16::try_from(number).is_err() {
                return Err(self.wrong(LARGE));
            }
            if !take(self, number, header & 15)? {
                self.skip(header & 15, false, depth)?;
            }
        }
    }

    /// An integer of 32 bits. The crate cuts what has more, and so would see another one.
    pub fn integer(&mut self) -> io::Result<i64> {
        let zigzag = u32::try_from(self.varint()?).map_err(|_| self.wrong(LARGE))?;
        Ok(i64::from(zigzag >> 1) ^ -i64::from(zigzag & 1))
    }

    /// Some bytes.
    pub fn binary(&mut self) -> io::Result<Vec<u8>> {
        let length = self.varint()?;
        self.spend(length)?;
        let mut bytes = Vec::new();
        let read = self.reader.by_ref().take(length).read_to_end(&mut bytes)?;
        if read as u64 == length { Ok(bytes) } else { Err(self.wrong(EARLY)) }
    }

    /// The type of a list's elements, and how many they are: no more than the bytes that are left.
    pub fn list(&mut self) -> io::Result<(Kind, u64)> {
        let header = self.byte()?;
        let count = if header < 0xf0 { u64::from(header >> 4) } else { self.varint()? };
        let smallest = if header & 15 == STRUCT { SMALLEST } else { 1 };
        if count > self.left / smallest {
            return Err(self.wrong(EARLY));
        }
        Ok((header & 15, count))
    }

    /// Passes over a value.
    pub fn skip(&mut self, kind: Kind, in_list: bool, depth: usize) -> io::Result<()> {
        if depth > MAX_DEPTH {
            return Err(self.wrong("nested too deeply"));
        }
        match kind {
            // A boolean field's type is its value.
            1 | 2 if !in_list => Ok(()),
            // There are no lists of booleans in what is looked at here. The crate takes no bytes for one, so that a few bytes can claim any number of them.
            1 | 2 => Err(self.wrong(UNKNOWN)),
            I8 => self.byte().map(drop),
            I16 | I32 => self.integer().map(drop),
            I64 => self.varint().map(drop),
            DOUBLE => self.pass(8),
            BINARY => {
                let length = self.varint()?;
                self.pass(length)
            }
            LIST | 10 => {
                let (kind, count) = self.list()?;
                (0..count).try_for_each(|_| self.skip(kind, true, depth + 1))
            }
            STRUCT => self.fields(depth + 1, |_, _, _| Ok(false)),
            // Parquet has no maps.
            _ => Err(self.wrong(UNKNOWN)),
        }
    }

    fn pass(&mut self, count: u64) -> io::Result<()> {
        self.spend(count)?;
        let passed = io::copy(&mut self.reader.by_ref().take(count), &mut io::sink())?;
        if passed == count { Ok(()) } else { Err(self.wrong(EARLY)) }
    }

    fn byte(&mut self) -> io::Result<u8> {
        self.spend(1)?;
        let mut byte = [0];
        self.reader.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    fn varint(&mut self) -> io::Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Ok(number);
            }
        }
        Err(self.wrong(LARGE))
    }

    fn spend(&mut self, count: u64) -> io::Result<()> {
        self.left = self.left.checked_sub(count).ok_or_else(|| self.wrong(EARLY))?;
        Ok(())
    }
}
