//! NPY, the file format of NumPy's arrays, versions 1 to 3.
//!
//! ```text
//! 93 N U M P Y        magic
//! major minor         version
//! u16 or u32          the length of the header, little endian; u16 in version 1
//! {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }    the header, with spaces up to its length
//! data                the elements
//! ```
//!
//! A file may come from anywhere: nothing it declares is believed before it is compared with the bytes that are
//! there, and Python objects, whose reading can run any code, are refused.

mod header;

use std::fmt;
use std::io::{self, BufReader, Read};
use std::path::Path;

use rekindle_tensor::Tensor;

use crate::error::{Error, Result};
use crate::file::open_regular;
use header::{Dtype, Header, Item};

pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";
/// The header of an array of numbers takes a hundred bytes; this leaves room to name what is refused.
const MAX_HEADER: u64 = 1 << 16;
const FETCH_AGAIN: &str = "copy or download the file again";
const SAVE_AGAIN: &str = "save it again with np.save";
const WRONG_FILE: &str = "is this the right file?";

/// An array that NumPy saved: numbers of one type.
///
/// ```
/// use rekindle_data::NpyArray;
///
/// // np.save("pixels.npy", np.array([[1, 2, 3]], np.uint8))
/// let mut file = b"\x93NUMPY\x01\x00\x39\x00".to_vec();
/// file.extend(b"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 3)}");
/// file.extend([1, 2, 3]);
///
/// let pixels = NpyArray::read(&file[..], "pixels.npy")?;
/// assert_eq!((&pixels.shape[..], pixels.dtype()), (&[1, 3][..], "|u1"));
/// assert_eq!(pixels.as_u8(), Some(&[1, 2, 3][..]));
/// assert_eq!(pixels.to_tensor().to_vec::<i64>(), [1, 2, 3]);
/// # Ok::<(), rekindle_data::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct NpyArray {
    /// The size of each dimension, the slowest first; none for a single number.
    pub shape: Vec<usize>,
    dtype: Dtype,
    /// The elements, row-major and little endian whatever the file has.
    data: Vec<u8>,
}

impl NpyArray {
    /// Reads an array from anything that gives bytes, up to its end. Errors call it `name`.
    ///
    /// # Errors
    /// [`Error::Io`] if the bytes cannot be read; [`Error::Malformed`] if they are not an NPY file of numbers, are
    /// fewer or more than its header declares, or hold an unsigned number above `i64::MAX`.
    ///
    /// ```
    /// use rekindle_data::NpyArray;
    /// let error = NpyArray::read(&b"PK\x03\x04.."[..], "digits.npz").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "digits.npz: byte 0: a zip archive, not an NPY file; if it is NPZ, open it with Npz::open"
    /// );
    /// ```
    pub fn read(reader: impl Read, name: &str) -> Result<Self> {
        Source { reader, path: Path::new(name), offset: 0, length: Length::Unknown }.read_array()
    }

    /// The element type in NumPy's letters, as in the file: byte order, kind, bytes.
    ///
    /// ```
    /// # use rekindle_data::NpyArray;
    /// # let file = b"\x93NUMPY\x01\x00\x37\x00{'descr': '<f4', 'fortran_order': False, 'shape': ()}\n\n\0\0\0\0";
    /// let array = NpyArray::read(&file[..], "zero.npy")?;
    /// assert_eq!(array.dtype(), "<f4");
    /// # Ok::<(), rekindle_data::Error>(())
    /// ```
    pub fn dtype(&self) -> &str {
        &self.dtype.text
    }

    /// The elements, row-major, if they are unsigned bytes, as the pixels of images are.
    ///
    /// ```
    /// # use rekindle_data::NpyArray;
    /// # let file = b"\x93NUMPY\x01\x00\x37\x00{'descr': '|u1', 'fortran_order': False, 'shape': ()}\n\n\x07";
    /// let array = NpyArray::read(&file[..], "seven.npy")?;
    /// assert_eq!(array.as_u8(), Some(&[7][..]));
    /// # Ok::<(), rekindle_data::Error>(())
    /// ```
    pub fn as_u8(&self) -> Option<&[u8]> {
        ((self.dtype.item, self.dtype.size) == (Item::Uint, 1)).then_some(&self.data)
    }

    /// A tensor of the same numbers: F32 from floats of 16 and 32 bits, F64 from floats of 64 bits, I64 from integers
    /// and truth values. Nothing is rounded.
    ///
    /// # Panics
    /// If `shape` was changed to one that the elements do not fill.
    ///
    /// ```
    /// # use rekindle_data::NpyArray;
    /// use rekindle_tensor::DType;
    /// # let file = b"\x93NUMPY\x01\x00\x37\x00{'descr': '>i2', 'fortran_order': False, 'shape': ()}\n\n\x01\x02";
    /// let array = NpyArray::read(&file[..], "number.npy")?;
    /// let x = array.to_tensor();
    /// assert_eq!((x.dtype(), x.item::<i64>()), (DType::I64, 258));
    /// # Ok::<(), rekindle_data::Error>(())
    /// ```
    #[track_caller]
    pub fn to_tensor(&self) -> Tensor {
        let shape = &self.shape;
        let integers = match (self.dtype.item, self.dtype.size) {
            (Item::Float, 2) => {
                return Tensor::from_vec(self.decode(|b| f32_of_half(u16::from_le_bytes(b))), shape);
            }
            (Item::Float, 4) => return Tensor::from_vec(self.decode(f32::from_le_bytes), shape),
            (Item::Float, _) => return Tensor::from_vec(self.decode(f64::from_le_bytes), shape),
            // NumPy, too, takes any bits but zeros for true.
            (Item::Bool, _) => self.decode(|[b]| i64::from(b != 0)),
            (Item::Int, 1) => self.decode(|b| i8::from_le_bytes(b).into()),
            (Item::Int, 2) => self.decode(|b| i16::from_le_bytes(b).into()),
            (Item::Int, 4) => self.decode(|b| i32::from_le_bytes(b).into()),
            (Item::Uint, 1) => self.decode(|b| u8::from_le_bytes(b).into()),
            (Item::Uint, 2) => self.decode(|b| u16::from_le_bytes(b).into()),
            (Item::Uint, 4) => self.decode(|b| u32::from_le_bytes(b).into()),
            // What was read has no unsigned number above `i64::MAX`.
            (Item::Int | Item::Uint, _) => self.decode(i64::from_le_bytes),
        };
        Tensor::from_vec(integers, shape)
    }

    fn decode<const N: usize, T>(&self, number: impl Fn([u8; N]) -> T) -> Vec<T> {
        self.data.as_chunks::<N>().0.iter().map(|&bytes| number(bytes)).collect()
    }
}

/// Without the elements, which may be millions.
impl fmt::Debug for NpyArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NpyArray")
            .field("shape", &self.shape)
            .field("dtype", &self.dtype())
            .finish_non_exhaustive()
    }
}

/// Reads the array in an NPY file.
///
/// # Errors
/// As [`NpyArray::read`].
///
/// ```
/// use rekindle_data::read_npy;
///
/// // np.save("half.npy", np.float64(0.5))
/// let mut file = b"\x93NUMPY\x01\x00\x35\x00{'descr': '<f8', 'fortran_order': False, 'shape': ()}".to_vec();
/// file.extend(0.5f64.to_le_bytes());
/// let path = std::env::temp_dir().join("rekindle-doc-half.npy");
/// std::fs::write(&path, file)?;
/// assert_eq!(read_npy(&path)?.to_tensor().item::<f64>(), 0.5);
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_npy(path: impl AsRef<Path>) -> Result<NpyArray> {
    let path = path.as_ref();
    let (file, length) = open_regular(path)?;
    Source { reader: BufReader::new(file), path, offset: 0, length: Length::There(length) }.read_array()
}

/// How many numbers the array in an NPY file has. Only its header is read, and held against the length of the file.
///
/// # Errors
/// As [`NpyArray::read`], as far as the header shows it.
pub fn npy_len(path: impl AsRef<Path>) -> Result<u64> {
    let path = path.as_ref();
    let (file, length) = open_regular(path)?;
    Source { reader: BufReader::new(file), path, offset: 0, length: Length::There(length) }.read_len()
}

/// How many bytes a reader can give.
#[derive(Clone, Copy)]
pub(crate) enum Length {
    Unknown,
    /// So many lie there.
    There(u64),
    /// So many are said to come out of a compressed stream, which may be damaged.
    Unpacked(u64),
}

/// The bytes of an NPY file, and where in them we are.
pub(crate) struct Source<'a, R> {
    pub reader: R,
    pub path: &'a Path,
    pub offset: u64,
    pub length: Length,
}

impl<R: Read> Source<'_, R> {
    pub(crate) fn read_array(&mut self) -> Result<NpyArray> {
        let Header { dtype, fortran_order, shape } = self.read_header()?;
        let start = self.offset;
        let declared = self.declared_bytes(&shape, dtype.size)?;
        let mut data = Vec::new();
        if let Length::There(_) = self.length {
            // Of other bytes nobody knows whether they come; for these the memory grows with them.
            data.try_reserve_exact(declared as usize).map_err(|_| {
                self.malformed(start, too_large(&shape), "free some memory, or save a part of it")
            })?;
        }
        let found = self.read_up_to(declared, &mut data)?;
        if found < declared {
            let problem =
                format!("the data ends after {found} of the {declared} bytes that {shape:?} declares");
            return Err(self.malformed(start + found, problem, FETCH_AGAIN));
        }
        // Also takes a decoder to the end of its stream.
        if self.read_up_to(1, &mut Vec::new())? > 0 {
            let problem = format!("more data follows the {declared} bytes that {shape:?} declares");
            return Err(self.malformed(
                start + declared,
                problem,
                "save one array in a file, or use np.savez",
            ));
        }
        if dtype.big_endian {
            data.chunks_exact_mut(dtype.size).for_each(<[u8]>::reverse);
        }
        if (dtype.item, dtype.size) == (Item::Uint, 8) {
            self.no_sign_bits(start, &data)?;
        }
        if fortran_order {
            data = row_major(&data, &shape, dtype.size);
        }
        Ok(NpyArray { shape, dtype, data })
    }

    /// How many elements the header declares, if so many can be there.
    pub(crate) fn read_len(&mut self) -> Result<u64> {
        let Header { dtype, shape, .. } = self.read_header()?;
        Ok(self.declared_bytes(&shape, dtype.size)? / dtype.size as u64)
    }

    fn read_header(&mut self) -> Result<Header> {
        let magic = self.read_some(MAGIC.len())?;
        if magic.is_empty() {
            return Err(self.malformed(0, "empty file".into(), FETCH_AGAIN));
        }
        if !MAGIC.starts_with(&magic) {
            let (problem, remedy) = other_format(&magic, "an NPY file");
            return Err(self.malformed(0, problem, remedy));
        }
        let version = self.read_some(2)?;
        let width = match version[..] {
            [1, 0] => 2,
            [2 | 3, 0] => 4,
            [major, minor] => {
                let problem =
                    format!("version {major}.{minor} of the format, only 1.0, 2.0 and 3.0 are known");
                return Err(self.malformed(6, problem, SAVE_AGAIN));
            }
            _ => return Err(self.ends_within("the version")),
        };
        let length = self.read_some(width)?;
        if length.len() < width {
            return Err(self.ends_within("the length of the header"));
        }
        let length = length.iter().rev().fold(0, |length, &byte| length << 8 | u64::from(byte));
        if length > MAX_HEADER {
            let problem = format!("a header of {length} bytes, more than the {MAX_HEADER} that are read");
            return Err(self.malformed(8, problem, SAVE_AGAIN));
        }
        let start = self.offset;
        let text = self.read_some(length as usize)?;
        if (text.len() as u64) < length {
            return Err(self.ends_within("the header"));
        }
        header::parse(&text)
            .map_err(|wrong| self.malformed(start + wrong.at as u64, wrong.problem, wrong.remedy))
    }

    /// The bytes of all elements, if so many can be there.
    fn declared_bytes(&self, shape: &[usize], size: usize) -> Result<u64> {
        // Sizes beside a zero are bounded too: strides are products of them.
        let product = shape.iter().try_fold(size, |product, &size| product.checked_mul(size.max(1)));
        if product.is_none_or(|product| product > isize::MAX as usize) {
            return Err(self.malformed(self.offset, too_large(shape), WRONG_FILE));
        }
        let declared = shape.iter().product::<usize>() as u64 * size as u64;
        match self.length {
            Length::There(all) | Length::Unpacked(all) if declared > all.saturating_sub(self.offset) => {
                let room = all.saturating_sub(self.offset);
                let problem = format!("{shape:?} declares {declared} bytes, but the file holds {room}");
                Err(self.malformed(self.offset, problem, FETCH_AGAIN))
            }
            _ => Ok(declared),
        }
    }

    /// An I64 tensor cannot hold unsigned numbers that would need its sign bit.
    fn no_sign_bits(&self, start: u64, data: &[u8]) -> Result<()> {
        let numbers = data.as_chunks().0.iter().map(|&bytes| u64::from_le_bytes(bytes));
        match numbers.enumerate().find(|&(_, number)| i64::try_from(number).is_err()) {
            None => Ok(()),
            Some((i, number)) => {
                let problem = format!("{number} is above {}, the largest integer of a tensor", i64::MAX);
                Err(self.malformed(start + 8 * i as u64, problem, "save it with array.astype(np.float64)"))
            }
        }
    }

    /// The next `count` bytes, or all there are.
    fn read_some(&mut self, count: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_up_to(count as u64, &mut bytes)?;
        Ok(bytes)
    }

    /// Appends the next bytes, `count` of them or all there are.
    fn read_up_to(&mut self, count: u64, bytes: &mut Vec<u8>) -> Result<u64> {
        let before = bytes.len();
        let result = self.reader.by_ref().take(count).read_to_end(bytes);
        let read = (bytes.len() - before) as u64;
        self.offset += read;
        match (result, self.length) {
            (Ok(_), _) => Ok(read),
            (Err(error), Length::Unpacked(_)) => Err(self.damaged(&error)),
            (Err(error), _) => Err(Error::io(self.path)(error)),
        }
    }

    fn damaged(&self, error: &io::Error) -> Error {
        let problem = match error.kind() {
            io::ErrorKind::UnexpectedEof => "the compressed data is cut off".into(),
            _ => format!("the compressed data is damaged ({error})"),
        };
        self.malformed(self.offset, problem, FETCH_AGAIN)
    }

    fn ends_within(&self, what: &str) -> Error {
        self.malformed(self.offset, format!("the file ends within {what}"), FETCH_AGAIN)
    }

    fn malformed(&self, offset: u64, problem: String, remedy: &'static str) -> Error {
        Error::Malformed { path: self.path.to_path_buf(), offset, problem, remedy }
    }
}

fn too_large(shape: &[usize]) -> String {
    format!("{shape:?} declares more bytes than fit into memory")
}

/// What bytes are that should be `wanted`, and what to do about it.
pub(crate) fn other_format(bytes: &[u8], wanted: &str) -> (String, &'static str) {
    const KNOWN: [(&[u8], &str, &str); 7] = [
        (MAGIC, "an NPY file", "read it with read_npy"),
        (b"PK\x03\x04", "a zip archive", "if it is NPZ, open it with Npz::open"),
        (b"PK\x05\x06", "an empty zip archive", "save it again with np.savez"),
        (b"\x1f\x8b", "gzipped", "gunzip it first"),
        (b"\x89HDF", "an HDF5 file", "read it in Python and save it with np.save"),
        (b"\x80", "a Python pickle", "load it in Python, if you trust it, and save it with np.save"),
        (b"<", "a page or XML", "download the file itself"),
    ];
    match KNOWN.iter().find(|(magic, ..)| bytes.starts_with(magic)) {
        Some((_, what, remedy)) => (format!("{what}, not {wanted}"), remedy),
        None => {
            let found: Vec<String> = bytes.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
            (format!("begins with {}, not as {wanted} does", found.join(" ")), WRONG_FILE)
        }
    }
}

/// Reorders elements whose first dimension is the fastest, as in Fortran, so that the last one is.
fn row_major(data: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let strides: Vec<usize> = shape
        .iter()
        .scan(size, |next, &size| {
            let stride = *next;
            *next *= size;
            Some(stride)
        })
        .collect();
    let mut index = vec![0; shape.len()];
    let mut at = 0;
    let mut ordered = Vec::with_capacity(data.len());
    while ordered.len() < data.len() {
        ordered.extend_from_slice(&data[at..at + size]);
        // Counts up as an odometer does.
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    ordered
}

/// The float of 32 bits that equals one of 16 bits (IEEE 754 binary16: sign, 5 bits of exponent, 10 of fraction).
fn f32_of_half(half: u16) -> f32 {
    let sign = u32::from(half >> 15) << 31;
    let exponent = u32::from(half >> 10 & 31);
    let fraction = u32::from(half & 1023);
    match exponent {
        // Zeros and subnormals are multiples of 2^-24, all of which f32 has.
        0 => f32::from_bits((fraction as f32 / (1 << 24) as f32).to_bits() | sign),
        31 => f32::from_bits(sign | 0xff << 23 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13),
    }
}

#[cfg(test)]
pub(crate) mod tests;
