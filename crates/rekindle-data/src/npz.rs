//! NPZ, NumPy's archive of arrays: a zip file with one NPY file an array, stored or deflated.
//!
//! ```text
//! per file:  PK 03 04, names and lengths once more, the bytes
//! directory: per file PK 01 02, method, CRC-32, sizes, where it begins, its name
//! (zip64):   PK 06 06, the same as the end with 64 bits; PK 06 07, where that is
//! end:       PK 05 06, how many files, length and place of the directory, a comment
//! ```
//!
//! The reader is our own: flate2, which gzip needs anyway, has inflation and the CRC, and what is left is the reading of
//! four records. The zip crate (9.8, with its fewest features for deflate) brings a writer, and crates for paths, maps,
//! random numbers and secrets.
//!
//! Only the directory is believed, and only as far as the file can hold what it says.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::CrcReader;
use flate2::bufread::DeflateDecoder;

use crate::error::{Error, Result};
use crate::file::open_regular;
use crate::npy::{Length, NpyArray, Source, other_format};
use crate::table::nearest::nearest;

const END: &[u8] = b"PK\x05\x06";
const END_BYTES: u64 = 22;
const END_64: &[u8] = b"PK\x06\x06";
const END_64_BYTES: u64 = 56;
const LOCATOR: &[u8] = b"PK\x06\x07";
const LOCATOR_BYTES: u64 = 20;
const ENTRY: &[u8] = b"PK\x01\x02";
const ENTRY_BYTES: usize = 46;
const LOCAL: &[u8] = b"PK\x03\x04";
const LOCAL_BYTES: u64 = 30;
/// Deflate cannot shrink data further than 258 bytes to 2 bits.
const MAX_RATIO: u64 = 1032;
const FETCH_AGAIN: &str = "copy or download the file again";
const SAVE_AGAIN: &str = "save it again with np.savez";

/// An archive that NumPy saved (`np.savez`, `np.savez_compressed`): arrays by name, each read when it is asked for.
///
/// ```
/// use rekindle_data::Npz;
///
/// // np.savez_compressed("digits.npz", images=.., labels=np.array([7, 2, 1], np.uint8))
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/npy");
/// let digits = Npz::open(format!("{folder}/digits.npz"))?;
/// assert_eq!(digits.names(), ["images", "labels"]);
/// assert_eq!(digits.array("labels")?.to_tensor().to_vec::<i64>(), [7, 2, 1]);
///
/// let error = digits.array("label").unwrap_err().to_string();
/// assert!(error.ends_with("digits.npz: no array `label`; did you mean `labels`?"));
/// # Ok::<(), rekindle_data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Npz {
    path: PathBuf,
    members: Vec<Member>,
    /// Where the directory begins: all that is packed lies before it.
    packed_end: u64,
}

/// An entry of the directory.
#[derive(Clone, Debug)]
struct Member {
    /// With `.npy`, in the bytes of the file.
    name: Vec<u8>,
    /// Where the entry is.
    entry: u64,
    flags: u64,
    method: u64,
    crc: u64,
    packed: u64,
    unpacked: u64,
    begin: u64,
}

impl Npz {
    /// Reads the directory of an archive; no array yet.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Malformed`] if it is not a zip file or is damaged, or two of
    /// its files have the same name.
    ///
    /// ```
    /// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/npy");
    /// let digits = rekindle_data::Npz::open(format!("{folder}/digits.npz"))?;
    /// # Ok::<(), rekindle_data::Error>(())
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let (file, length) = open_regular(path)?;
        let mut archive = Archive { file, length, path };
        let (begin, size, count) = archive.directory()?;
        let members = archive.members(begin, size, count)?;
        Ok(Self { path: path.to_path_buf(), members, packed_end: begin })
    }

    /// The names of the arrays, without `.npy`, in the order of the file. Other files in the archive have none.
    ///
    /// ```
    /// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/npy");
    /// let digits = rekindle_data::Npz::open(format!("{folder}/digits.npz"))?;
    /// assert_eq!(digits.names(), ["images", "labels"]);
    /// # Ok::<(), rekindle_data::Error>(())
    /// ```
    pub fn names(&self) -> Vec<&str> {
        self.members.iter().filter_map(Member::array_name).collect()
    }

    /// Reads one array.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is none with this name (the nearest one is named); as [`NpyArray::read`]; and
    /// [`Error::Malformed`] if it is encrypted, compressed by another method than deflate, or its checksum differs.
    ///
    /// ```
    /// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/npy");
    /// let digits = rekindle_data::Npz::open(format!("{folder}/digits.npz"))?;
    /// assert_eq!(digits.array("images")?.shape, [3, 2, 2]);
    /// # Ok::<(), rekindle_data::Error>(())
    /// ```
    pub fn array(&self, name: &str) -> Result<NpyArray> {
        let (archive, member, begin) = self.find(name)?;
        archive.unpack(member, begin, name)
    }

    /// How many numbers an array has. Only its header is unpacked, and held against the sizes in the directory.
    ///
    /// # Errors
    /// As [`array`](Self::array), as far as the header shows it.
    ///
    /// ```
    /// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/npy");
    /// let digits = rekindle_data::Npz::open(format!("{folder}/digits.npz"))?;
    /// assert_eq!(digits.array_len("images")?, 12);
    /// # Ok::<(), rekindle_data::Error>(())
    /// ```
    pub fn array_len(&self, name: &str) -> Result<u64> {
        let (archive, member, begin) = self.find(name)?;
        archive.unpack_len(member, begin, name)
    }

    /// The file, the entry of an array, and where its bytes begin.
    fn find(&self, name: &str) -> Result<(Archive<'_>, &Member, u64)> {
        let Some(member) = self.members.iter().find(|member| member.array_name() == Some(name)) else {
            let names: Vec<String> = self.names().into_iter().map(String::from).collect();
            let message = format!("{}: no array `{name}`; {}", self.path.display(), nearest(name, &names));
            return Err(Error::Missing { message });
        };
        let (file, length) = open_regular(&self.path)?;
        let mut archive = Archive { file, length, path: &self.path };
        let begin = archive.begin_of_data(member, self.packed_end)?;
        Ok((archive, member, begin))
    }
}

impl Member {
    fn array_name(&self) -> Option<&str> {
        std::str::from_utf8(&self.name).ok()?.strip_suffix(".npy")
    }
}

/// The file of an archive.
struct Archive<'a> {
    file: File,
    length: u64,
    path: &'a Path,
}

impl Archive<'_> {
    /// Begin, size and number of entries of the directory.
    fn directory(&mut self) -> Result<(u64, u64, u64)> {
        let first = self.bytes(0, self.length.min(6))?;
        if !(first.starts_with(LOCAL) || first.starts_with(END)) {
            let (problem, remedy) = match first[..] {
                [] => ("empty file".into(), FETCH_AGAIN),
                _ => other_format(&first, "an NPZ archive"),
            };
            return Err(self.malformed(0, problem, remedy));
        }
        // The end comes with a comment of at most 64 KiB, so it has to be searched for.
        let tail_begin = self.length.saturating_sub(END_BYTES + u64::from(u16::MAX));
        let tail = self.bytes(tail_begin, self.length - tail_begin)?;
        let found = (0..(tail.len() + 1).saturating_sub(END_BYTES as usize)).rev().find(|&at| {
            let end = &tail[at..];
            end.starts_with(END) && END_BYTES + number(end, 20, 2) == end.len() as u64
        });
        let Some(found) = found else {
            let problem = "the directory at the end of the archive is missing".into();
            return Err(self.malformed(self.length, problem, FETCH_AGAIN));
        };
        let (mut at, end) = (tail_begin + found as u64, &tail[found..]);
        let mut numbers = [number(end, 16, 4), number(end, 12, 4), number(end, 10, 2)];
        if let Some(wide) = self.end_64(at)? {
            (at, numbers) = wide;
        } else if (number(end, 4, 2), number(end, 6, 2)) != (0, 0) {
            return Err(self.malformed(at + 4, "a part of an archive in several files".into(), SAVE_AGAIN));
        }
        let [begin, size, count] = numbers;
        if begin.checked_add(size) != Some(at) {
            let problem =
                format!("the directory is said to be {size} bytes from byte {begin}, but ends at {at}");
            return Err(self.malformed(at + 12, problem, FETCH_AGAIN));
        }
        Ok((begin, size, count))
    }

    /// The end record of zip64, if there is one before `end`: where it is, and begin, size and number of entries.
    fn end_64(&mut self, end: u64) -> Result<Option<(u64, [u64; 3])>> {
        let Some(at) = end.checked_sub(LOCATOR_BYTES) else { return Ok(None) };
        let locator = self.bytes(at, LOCATOR_BYTES)?;
        if !locator.starts_with(LOCATOR) {
            return Ok(None);
        }
        let place = number(&locator, 8, 8);
        if place.checked_add(END_64_BYTES).is_none_or(|end| end > at) {
            let problem = format!("the zip64 directory's end is said to be at {place}, where it cannot be");
            return Err(self.malformed(at + 8, problem, FETCH_AGAIN));
        }
        let record = self.bytes(place, END_64_BYTES)?;
        if !record.starts_with(END_64) {
            return Err(self.malformed(place, "no end of a zip64 directory here".into(), FETCH_AGAIN));
        }
        Ok(Some((place, [number(&record, 48, 8), number(&record, 40, 8), number(&record, 32, 8)])))
    }

    fn members(&mut self, begin: u64, size: u64, count: u64) -> Result<Vec<Member>> {
        let directory = self.bytes(begin, size)?;
        let mut members: Vec<Member> = Vec::new();
        let mut at = 0;
        while at < directory.len() {
            let (member, bytes) = Member::parse(&directory[at..], begin + at as u64)
                .map_err(|(offset, problem)| self.malformed(offset, problem, FETCH_AGAIN))?;
            members.push(member);
            at += bytes;
        }
        if members.len() as u64 != count {
            let problem = format!("the directory has {} entries, but is said to have {count}", members.len());
            return Err(self.malformed(begin, problem, FETCH_AGAIN));
        }
        // Readers differ in which of two they take.
        let mut sorted: Vec<&Member> = members.iter().collect();
        sorted.sort_by_key(|member| (&member.name, member.entry));
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0].name == pair[1].name) {
            let problem = format!("a second file with the name `{}`", String::from_utf8_lossy(&pair[1].name));
            return Err(self.malformed(pair[1].entry, problem, SAVE_AGAIN));
        }
        Ok(members)
    }

    /// Where the bytes of a member begin, if it is one that we can read.
    fn begin_of_data(&mut self, member: &Member, packed_end: u64) -> Result<u64> {
        if member.flags & 1 != 0 {
            return Err(self.malformed(member.entry + 8, "encrypted".into(), SAVE_AGAIN));
        }
        if ![0, 8].contains(&member.method) {
            let problem =
                format!("compression method {}, only stored (0) and deflated (8) are read", member.method);
            return Err(self.malformed(member.entry + 10, problem, "save it again with np.savez_compressed"));
        }
        let Member { packed, unpacked, begin, .. } = *member;
        let possible = if member.method == 0 { packed } else { packed.saturating_mul(MAX_RATIO) };
        if unpacked > possible || (member.method == 0 && unpacked < packed) {
            let problem = format!("{packed} bytes in the archive cannot be {unpacked} bytes");
            return Err(self.malformed(member.entry + 20, problem, FETCH_AGAIN));
        }
        let outside = |archive: &Self| {
            let problem = format!("{packed} bytes from byte {begin} do not lie before the directory");
            Err(archive.malformed(member.entry + 42, problem, FETCH_AGAIN))
        };
        if begin.checked_add(LOCAL_BYTES).is_none_or(|end| end > packed_end) {
            return outside(self);
        }
        let local = self.bytes(begin, LOCAL_BYTES)?;
        let (name, extra) = (number(&local, 26, 2), number(&local, 28, 2));
        let data = begin + LOCAL_BYTES + name + extra;
        if data.checked_add(packed).is_none_or(|end| end > packed_end) {
            return outside(self);
        }
        if !local.starts_with(LOCAL) || self.bytes(begin + LOCAL_BYTES, name)? != member.name {
            let problem = "not the file that the directory names".into();
            return Err(self.malformed(begin, problem, FETCH_AGAIN));
        }
        Ok(data)
    }

    /// The array of a member whose bytes begin at `begin`.
    fn unpack(self, member: &Member, begin: u64, name: &str) -> Result<NpyArray> {
        let Self { mut file, path, .. } = self;
        file.seek(SeekFrom::Start(begin)).map_err(Error::io(path))?;
        let packed = BufReader::new(file).take(member.packed);
        let inside = inside(path, name);
        let (array, taken, unpacked, crc) = if member.method == 0 {
            let mut reader = CrcReader::new(packed);
            let (array, unpacked) = read_inside(&mut reader, &inside, Length::There(member.unpacked))?;
            (array, member.packed, unpacked, reader.crc().sum())
        } else {
            let mut reader = CrcReader::new(DeflateDecoder::new(packed));
            let (array, unpacked) = read_inside(&mut reader, &inside, Length::Unpacked(member.unpacked))?;
            (array, reader.get_ref().total_in(), unpacked, reader.crc().sum())
        };
        if (taken, unpacked) != (member.packed, member.unpacked) {
            let problem = format!(
                "`{name}` unpacks from {taken} to {unpacked} bytes, not from {} to {}",
                member.packed, member.unpacked
            );
            return Err(complaint(path, member.entry + 20, problem, FETCH_AGAIN));
        }
        if u64::from(crc) != member.crc {
            let problem = format!("`{name}` is damaged: its checksum is {crc:08x}, not {:08x}", member.crc);
            return Err(complaint(path, member.entry + 16, problem, FETCH_AGAIN));
        }
        Ok(array)
    }

    /// The number of elements of a member whose bytes begin at `begin`.
    fn unpack_len(self, member: &Member, begin: u64, name: &str) -> Result<u64> {
        let Self { mut file, path, .. } = self;
        file.seek(SeekFrom::Start(begin)).map_err(Error::io(path))?;
        let packed = BufReader::new(file).take(member.packed);
        let (reader, length): (Box<dyn Read>, _) = match member.method {
            0 => (Box::new(packed), Length::There(member.unpacked)),
            _ => (Box::new(DeflateDecoder::new(packed)), Length::Unpacked(member.unpacked)),
        };
        Source { reader, path: &inside(path, name), offset: 0, length }.read_len()
    }

    /// `count` bytes from `at`, which have to lie in the file.
    fn bytes(&mut self, at: u64, count: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(at)).map_err(Error::io(self.path))?;
        (&mut self.file).take(count).read_to_end(&mut bytes).map_err(Error::io(self.path))?;
        if (bytes.len() as u64) < count {
            // Nobody asks for more than was there when the file was opened.
            return Err(self.malformed(
                at + bytes.len() as u64,
                "the file was shortened".into(),
                FETCH_AGAIN,
            ));
        }
        Ok(bytes)
    }

    fn malformed(&self, offset: u64, problem: String, remedy: &'static str) -> Error {
        complaint(self.path, offset, problem, remedy)
    }
}

impl Member {
    /// The entry at the begin of `bytes`, which is at `at` in the file, and its length; or what is wrong and where.
    fn parse(bytes: &[u8], at: u64) -> Result<(Self, usize), (u64, String)> {
        if bytes.len() < ENTRY_BYTES || !bytes.starts_with(ENTRY) {
            return Err((at, "no entry of the directory here".into()));
        }
        let length = |field| number(bytes, field, 2) as usize;
        let name_end = ENTRY_BYTES + length(28);
        let extra_end = name_end + length(30);
        let end = extra_end + length(32);
        if bytes.len() < end {
            return Err((at + 28, format!("an entry of {end} bytes goes beyond the directory")));
        }
        let mut member = Self {
            name: bytes[ENTRY_BYTES..name_end].to_vec(),
            entry: at,
            flags: number(bytes, 8, 2),
            method: number(bytes, 10, 2),
            crc: number(bytes, 16, 4),
            packed: number(bytes, 20, 4),
            unpacked: number(bytes, 24, 4),
            begin: number(bytes, 42, 4),
        };
        if !member.read_zip64(&bytes[name_end..extra_end]) {
            return Err((at + name_end as u64, "the entry lacks the zip64 sizes that it announces".into()));
        }
        Ok((member, end))
    }

    /// Takes the numbers that did not fit into 32 bits from the extra field of kind 1, where they are in this order.
    fn read_zip64(&mut self, mut extra: &[u8]) -> bool {
        let wide = [&mut self.unpacked, &mut self.packed, &mut self.begin];
        let mut wide = wide.into_iter().filter(|n| **n == u64::from(u32::MAX)).peekable();
        if wide.peek().is_none() {
            return true;
        }
        while extra.len() >= 4 {
            let (kind, length) = (number(extra, 0, 2), number(extra, 2, 2) as usize);
            let Some(field) = extra[4..].get(..length) else { return false };
            if kind == 1 {
                let mut found = field.chunks_exact(8).map(|bytes| number(bytes, 0, 8));
                return wide.all(|n| found.next().map(|value| *n = value).is_some());
            }
            extra = &extra[4 + length..];
        }
        false
    }
}

fn complaint(path: &Path, offset: u64, problem: String, remedy: &'static str) -> Error {
    Error::Malformed { path: path.to_path_buf(), offset, problem, remedy }
}

/// What an array of an archive is called in messages, whose bytes count from its own beginning.
fn inside(path: &Path, name: &str) -> PathBuf {
    path.join(format!("{}.npy", name.trim_start_matches('/')))
}

/// The array, and how many bytes it took.
fn read_inside(reader: &mut impl Read, path: &Path, length: Length) -> Result<(NpyArray, u64)> {
    let mut source = Source { reader, path, offset: 0, length };
    Ok((source.read_array()?, source.offset))
}

/// The little-endian number of `width` bytes at `at`.
fn number(bytes: &[u8], at: usize, width: usize) -> u64 {
    bytes[at..at + width].iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests;
