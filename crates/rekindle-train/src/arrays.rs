//! Arrays of numbers as inputs, and what is learned about them before a net is.

use crate::error::Error;
use crate::part::select;
use rekindle_data::{IdxArray, Npz, read_npy};
use rekindle_tensor::{DType, Tensor};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// An array of a file.
pub(crate) struct Numbers {
    /// F32, F64 or I64.
    pub values: Tensor,
    /// Whether they are bytes, which in images are brightness from 0 to 255.
    pub bytes: bool,
}

impl Numbers {
    /// The array of a file: NPY, IDX (gzipped or not), or of an NPZ file the one of this name, else the first of the usual names.
    pub fn read(path: &Path, name: Option<&str>, usual: &[&str]) -> Result<Numbers, Error> {
        match &first_bytes(path) {
            begin if begin.starts_with(b"PK") => {
                let file = Npz::open(path)?;
                let found = usual.iter().copied().find(|name| file.names().contains(name));
                let Some(name) = name.or(found) else {
                    let names = file.names().join(", ");
                    let what = format!("no array is called {}; there are {names}; name one", usual[0]);
                    return Err(Error::Recipe(format!("{}: {what} with data.{}", path.display(), usual[0])));
                };
                let array = file.array(name)?;
                Ok(Numbers { bytes: array.as_u8().is_some(), values: array.to_tensor() })
            }
            begin if begin.starts_with(b"\x93NUMPY") => {
                let array = read_npy(path)?;
                Ok(Numbers { bytes: array.as_u8().is_some(), values: array.to_tensor() })
            }
            _ => {
                let array = IdxArray::read(path)?;
                let values = array.data.iter().map(|&byte| i64::from(byte)).collect();
                Ok(Numbers { bytes: true, values: Tensor::from_vec(values, array.shape) })
            }
        }
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
