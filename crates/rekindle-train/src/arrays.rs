//! Arrays of numbers as inputs, and what is learned about them before a net is.

use crate::error::Error;
use crate::part::select;
use crate::source::Memory;
use rekindle_data::{IdxArray, NpyArray, Npz, npy_len, read_npy};
use rekindle_tensor::{DType, Tensor};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The memory of a number: in the file, as it is read, as an input, and in the part that it falls to.
const NUMBER_BYTES: u64 = 16;

/// An array of a file.
pub(crate) struct Numbers {
    /// F32 (bytes, too), F64 or I64.
    pub values: Tensor,
    /// Whether they are bytes, which in images are brightness from 0 to 255.
    pub bytes: bool,
}

impl Numbers {
    /// The array of a file: NPY, IDX (gzipped or not), or of an NPZ file the one of this name, else the first of the usual names. One that
    /// would take more than this memory is refused before any of it is read.
    pub fn read(path: &Path, name: Option<&str>, usual: &[&str], memory: Memory) -> Result<Numbers, Error> {
        let fits = |numbers: u64| match numbers.saturating_mul(NUMBER_BYTES) {
            bytes if bytes <= memory.0 => Ok(()),
            bytes => Err(Error::Recipe(format!(
                "{}: {numbers} numbers need about {} MB of memory, and data.memory allows {memory}; raise it, or save fewer of them",
                path.display(),
                bytes.div_ceil(1_000_000)
            ))),
        };
        match &first_bytes(path) {
            begin if begin.starts_with(b"PK") => {
                let file = Npz::open(path)?;
                let found = usual.iter().copied().find(|name| file.names().contains(name));
                let Some(name) = name.or(found) else {
                    let names: Vec<String> =
                        file.names().iter().map(|name| name.escape_debug().to_string()).collect();
                    let names = if names.is_empty() { "none".into() } else { names.join(", ") };
                    let what = format!("no array is called {}; there are {names}; name one", usual[0]);
                    return Err(Error::Recipe(format!("{}: {what} with data.{}", path.display(), usual[0])));
                };
                fits(file.array_len(name)?)?;
                Ok(Numbers::of(&file.array(name)?))
            }
            begin if begin.starts_with(b"\x93NUMPY") => {
                fits(npy_len(path)?)?;
                Ok(Numbers::of(&read_npy(path)?))
            }
            _ => {
                fits(IdxArray::len_in(path)?)?;
                let array = IdxArray::read(path)?;
                Ok(Numbers::of_bytes(&array.data, &array.shape))
            }
        }
    }

    fn of(array: &NpyArray) -> Numbers {
        match array.as_u8() {
            Some(bytes) => Numbers::of_bytes(bytes, &array.shape),
            None => Numbers { values: array.to_tensor(), bytes: false },
        }
    }

    /// F32 has all bytes, and takes half the memory of I64.
    fn of_bytes(bytes: &[u8], shape: &[usize]) -> Numbers {
        let values = bytes.iter().map(|&byte| f32::from(byte)).collect();
        Numbers { values: Tensor::from_vec(values, shape), bytes: true }
    }

    /// The same as targets, of which bytes are whole numbers.
    pub fn targets(self) -> Tensor {
        if self.bytes { self.values.to(DType::I64) } else { self.values }
    }
}

/// Whether a file holds several arrays.
pub(crate) fn is_npz(path: &Path) -> bool {
    first_bytes(path).starts_with(b"PK")
}

/// Whether a file is one of arrays and not a table.
pub(crate) fn is_arrays(path: &Path) -> bool {
    let begin = first_bytes(path);
    [&b"PK\x03\x04"[..], b"\x93NUMPY", b"\0\0\x08", b"\x1f\x8b"].iter().any(|magic| begin.starts_with(magic))
}

/// What a file begins with; what cannot be read is said when it is read whole.
fn first_bytes(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let regular = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    if let Some(file) = regular.then(|| File::open(path).ok()).flatten() {
        _ = file.take(8).read_to_end(&mut bytes);
    }
    bytes
}

/// What arrays are turned into, with what was learned from the training samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArrayInput {
    /// The shape of a sample in the file.
    pub shape: Vec<usize>,
    /// Whether samples are images of bytes, which become numbers from 0 to 1: `[rows, columns]` or `[rows, columns, 3]`.
    pub pixels: bool,
    /// Whether each sample is given as one row.
    pub flatten: bool,
    /// The mean of each column, if columns are standardised.
    pub mean: Vec<f64>,
    /// The standard deviation of each column.
    pub std: Vec<f64>,
    /// The number of each class in the file.
    pub values: Vec<i64>,
    /// Mean and standard deviation of each number to be learned.
    pub units: Option<Vec<(f64, f64)>>,
}

impl ArrayInput {
    /// Looks at inputs, and learns from those of the training samples.
    pub(crate) fn learn(x: &Numbers, flatten: bool, standardize: bool, training: &[usize]) -> ArrayInput {
        let shape = x.values.shape().get(1..).unwrap_or_default().to_vec();
        let pixels = x.bytes && matches!(shape.as_slice(), [_, _] | [_, _, 1 | 3]);
        let (mean, std) = match (standardize, shape.as_slice()) {
            (true, [_]) => moments(&select(&x.values, training)),
            _ => (Vec::new(), Vec::new()),
        };
        ArrayInput { shape, pixels, flatten, mean, std, values: Vec::new(), units: None }
    }

    /// The same with what is known about the targets: the numbers of classes, or numbers to be learned.
    pub(crate) fn with_targets(
        self,
        values: Vec<i64>,
        numbers: Option<&Tensor>,
        training: &[usize],
    ) -> Result<ArrayInput, Error> {
        let units = numbers.map(|y| {
            let (mean, std) = moments(&select(y, training));
            mean.into_iter().zip(std).collect::<Vec<_>>()
        });
        if units.iter().flatten().any(|(_, std)| *std == 0.0) {
            return Err(Error::Recipe(
                "data: the targets are all the same; there is nothing to learn".into(),
            ));
        }
        Ok(ArrayInput { values, units, ..self })
    }

    /// Whether there is a mean and a deviation for each column, or none at all.
    pub(crate) fn is_consistent(&self) -> bool {
        let columns = if self.mean.is_empty() { &[] } else { self.shape.as_slice() };
        let of_columns = self.mean.len() == self.std.len() && columns.iter().all(|&n| n == self.mean.len());
        of_columns && columns.len() <= 1 && self.units.as_ref().is_none_or(|units| !units.is_empty())
    }

    /// Arrays as inputs.
    pub(crate) fn inputs(&self, x: &Numbers) -> Result<Tensor, Error> {
        let shape = x.values.shape().get(1..).unwrap_or_default();
        if x.values.dim() < 2 || shape != self.shape {
            let (want, got) = (&self.shape, x.values.shape());
            return Err(Error::Recipe(format!(
                "inputs of the shape {got:?}; those of the training were [n, ..] with samples of the shape {want:?}"
            )));
        }
        let mut y = x.values.to(DType::F32);
        if self.pixels {
            y = y / 255.0;
            // Channels come first in nets.
            y = if self.shape.len() == 3 { y.permute([0, 3, 1, 2]).contiguous() } else { y.unsqueeze(1) };
        }
        if !self.mean.is_empty() {
            let row = |values: &[f64]| Tensor::from_vec(values.to_vec(), values.len());
            let std: Vec<f64> = self.std.iter().map(|&s| if s == 0.0 { 1.0 } else { s }).collect();
            y = ((x.values.to(DType::F64) - row(&self.mean)) / row(&std)).to(DType::F32);
        }
        Ok(if self.flatten && y.dim() > 2 { y.flatten(1, -1) } else { y })
    }

    /// Numbers to be learned, standardised; classes and labels as they are.
    pub(crate) fn standardised_targets(&self, y: &Tensor) -> Tensor {
        let Some(units) = &self.units else { return y.clone() };
        let row = |values: Vec<f64>| Tensor::from_vec(values, units.len());
        let (mean, std) = units.iter().copied().unzip();
        ((y.to(DType::F64) - row(mean)) / row(std)).to(DType::F32)
    }

    /// Channels, rows and columns of images.
    pub(crate) fn image(&self) -> Option<[usize; 3]> {
        match self.shape.as_slice() {
            [rows, columns] if self.pixels => Some([1, *rows, *columns]),
            [rows, columns, channels] if self.pixels => Some([*channels, *rows, *columns]),
            _ => None,
        }
    }
}

/// Mean and population standard deviation of each column, in F64.
fn moments(x: &Tensor) -> (Vec<f64>, Vec<f64>) {
    let x = x.to(DType::F64);
    let mean = x.mean_dim(0, false);
    let centred = &x - &mean;
    let std = (&centred * &centred).mean_dim(0, false).sqrt();
    (mean.to_vec::<f64>(), std.to_vec::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn an_array_that_memory_does_not_hold_is_refused_before_it_is_read() {
        let path = std::env::temp_dir().join(format!("rekindle-huge-{}.npy", std::process::id()));
        let read =
            |memory| Numbers::read(&path, None, &["x"], memory).map(|x| x.values).map_err(|e| e.to_string());
        let put = |header: &[u8], length: u64| {
            let mut file = File::create(&path).unwrap();
            file.write_all(header).unwrap();
            // A hole: nothing is on the disk.
            file.set_len(header.len() as u64 + length).unwrap();
        };
        let text = "{'descr': '|u1', 'fortran_order': False, 'shape': (40000000, 100)}";
        put(
            &[b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes()].concat(),
            4_000_000_000,
        );
        let expected = format!(
            "{}: 4000000000 numbers need about 64000 MB of memory, and data.memory allows 4 GB; raise it, or save fewer of them",
            path.display()
        );
        assert_eq!(read(Memory::default()).unwrap_err(), expected);
        put(&[0, 0, 8, 2, 0, 0, 0, 10, 0, 0, 0, 10], 100);
        let error = read(Memory(1599)).unwrap_err();
        assert!(
            error.contains("100 numbers need about 1 MB of memory, and data.memory allows 1599 B; "),
            "{error}"
        );
        let zeros = read(Memory(1600)).unwrap();
        assert_eq!((zeros.shape(), zeros.dtype()), (&[10, 10][..], DType::F32));
        std::fs::remove_file(&path).unwrap();
    }
}
