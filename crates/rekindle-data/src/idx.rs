//! IDX, the file format of MNIST, plain or gzipped.
//!
//! ```text
//! 00 00 08 n       magic: two zeros, the element type (08: unsigned byte), the number of dimensions
//! n x u32          the sizes, big endian
//! data             one byte per element, the last dimension fastest
//! ```
//!
//! A file may come from anywhere, so nothing it declares is believed before it is compared with the number
//! of bytes that the file can hold: memory stays within that bound whatever the header says.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::error::{Error, Result};
use crate::file::open_regular;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Deflate cannot shrink data further than 258 bytes to 2 bits.
const MAX_GZIP_RATIO: u64 = 1032;
const FETCH_AGAIN: &str = "copy or download the file again";
const WRONG_FILE: &str = "is this the right file?";

/// The array of unsigned bytes in an IDX file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdxArray {
    /// The size of each dimension, the slowest first.
    pub shape: Vec<usize>,
    /// The elements, row-major: as many as the product of the sizes.
    pub data: Vec<u8>,
}

impl IdxArray {
    /// Reads an IDX file. Gzip is recognised by its first bytes, not by the name.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Malformed`] if it is not an IDX file of unsigned
    /// bytes, or is shorter or longer than its header declares.
    ///
    /// ```
    /// use rekindle_data::IdxArray;
    ///
    /// let path = std::env::temp_dir().join("rekindle-doc-labels-idx1-ubyte");
    /// std::fs::write(&path, [0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1])?;
    /// let labels = IdxArray::read(&path)?;
    /// assert_eq!((labels.shape, labels.data), (vec![3], vec![7, 2, 1]));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Source::open(path.as_ref())?.read_array()
    }

    /// How many numbers the array in an IDX file has. Only its header is read, and held against the length of the file.
    ///
    /// # Errors
    /// As [`read`](Self::read), as far as the header shows it.
    pub fn len_in(path: impl AsRef<Path>) -> Result<u64> {
        let mut source = Source::open(path.as_ref())?;
        let shape = source.read_header()?;
        source.declared_bytes(&shape)
    }
}

/// The uncompressed bytes of a file, and where in them we are.
struct Source<'a, R> {
    reader: R,
    path: &'a Path,
    offset: u64,
    /// No more bytes than this can come.
    most: u64,
    gzipped: bool,
}

impl<'a> Source<'a, Box<dyn Read>> {
    fn open(path: &'a Path) -> Result<Self> {
        let (file, length) = open_regular(path)?;
        let mut file = BufReader::with_capacity(1 << 16, file);
        let gzipped = file.fill_buf().map_err(Error::io(path))?.starts_with(&GZIP_MAGIC);
        let (reader, most): (Box<dyn Read>, _) = match gzipped {
            true => (Box::new(MultiGzDecoder::new(file)), length.saturating_mul(MAX_GZIP_RATIO)),
            false => (Box::new(file), length),
        };
        Ok(Source { reader, path, offset: 0, most, gzipped })
    }
}

impl<R: Read> Source<'_, R> {
    fn read_array(mut self) -> Result<IdxArray> {
        let shape = self.read_header()?;
        let header = self.offset;
        let declared = self.declared_bytes(&shape)?;
        let mut data = Vec::new();
        data.try_reserve_exact(declared as usize)
            .map_err(|_| self.malformed(4, too_large(&shape), "free some memory, or cut the file"))?;
        self.read_up_to(declared, &mut data)?;
        let found = data.len() as u64;
        if found < declared {
            let problem =
                format!("the data ends after {found} of the {declared} bytes that {shape:?} declares");
            return Err(self.malformed(header + found, problem, FETCH_AGAIN));
        }
        // Also takes the decoder to the checksum at the end of a gzipped file.
        if self.read_up_to(1, &mut Vec::new())? > 0 {
            let problem = format!("more data follows the {declared} bytes that {shape:?} declares");
            return Err(self.malformed(header + declared, problem, WRONG_FILE));
        }
        Ok(IdxArray { shape, data })
    }

    fn read_header(&mut self) -> Result<Vec<usize>> {
        let magic = self.read_header_bytes(4, "the magic number")?;
        if magic.starts_with(&GZIP_MAGIC) {
            return Err(self.malformed(0, "gzipped twice".into(), "gunzip it once"));
        }
        let [0, 0, element, rank] = magic[..] else {
            let found: Vec<String> = magic.iter().map(|byte| format!("{byte:02x}")).collect();
            let problem = format!("wrong magic number {}, expected 00 00 08 and a rank", found.join(" "));
            return Err(self.malformed(0, problem, WRONG_FILE));
        };
        if element != 0x08 {
            let problem = format!("element type {element:02x}, expected 08 (unsigned bytes)");
            return Err(self.malformed(2, problem, WRONG_FILE));
        }
        if rank == 0 {
            return Err(self.malformed(3, "no dimensions".into(), WRONG_FILE));
        }
        let sizes = self.read_header_bytes(4 * u64::from(rank), "the sizes")?;
        Ok(sizes
            .chunks_exact(4)
            .map(|size| u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize)
            .collect())
    }

    fn read_header_bytes(&mut self, count: u64, what: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if self.read_up_to(count, &mut bytes)? < count {
            let problem =
                if self.offset == 0 { "empty file".into() } else { format!("the file ends within {what}") };
            return Err(self.malformed(self.offset, problem, FETCH_AGAIN));
        }
        Ok(bytes)
    }

    /// The product of the sizes, if the file can hold so much.
    fn declared_bytes(&self, shape: &[usize]) -> Result<u64> {
        let product = shape.iter().try_fold(1u64, |product, &size| product.checked_mul(size as u64));
        let room = self.most.saturating_sub(self.offset);
        match product {
            Some(declared) if declared <= room => Ok(declared),
            Some(declared) => {
                let held = if self.gzipped { format!("at most {room}") } else { format!("{room}") };
                let problem = format!("{shape:?} declares {declared} bytes, but the file holds {held}");
                Err(self.malformed(4, problem, FETCH_AGAIN))
            }
            None => Err(self.malformed(4, too_large(shape), WRONG_FILE)),
        }
    }

    /// Appends the next bytes, `count` of them or all there are.
    fn read_up_to(&mut self, count: u64, bytes: &mut Vec<u8>) -> Result<u64> {
        let before = bytes.len();
        let result = self.reader.by_ref().take(count).read_to_end(bytes);
        let read = (bytes.len() - before) as u64;
        self.offset += read;
        match result {
            Ok(_) => Ok(read),
            Err(error) if self.gzipped => Err(self.damaged_gzip(&error)),
            Err(error) => Err(Error::io(self.path)(error)),
        }
    }

    fn damaged_gzip(&self, error: &io::Error) -> Error {
        let problem = match error.kind() {
            io::ErrorKind::UnexpectedEof => "the gzip data is cut off".into(),
            _ => format!("the gzip data is damaged ({error})"),
        };
        self.malformed(self.offset, problem, FETCH_AGAIN)
    }

    fn malformed(&self, offset: u64, problem: String, remedy: &'static str) -> Error {
        Error::Malformed { path: self.path.to_path_buf(), offset, problem, remedy }
    }
}

fn too_large(shape: &[usize]) -> String {
    format!("{shape:?} declares more bytes than fit into memory")
}

#[cfg(test)]
mod tests;
