//! The data of the workloads, as numbers that a framework makes its tensors of.

use crate::Result;
use flate2::read::GzDecoder;
use std::f32::consts::TAU;
use std::io::Read;
use std::path::Path;

/// Inputs row by row, and the class of each row.
pub struct Samples {
    pub x: Vec<f32>,
    pub y: Vec<u8>,
}

impl Samples {
    pub fn len(&self) -> usize {
        self.y.len()
    }

    pub fn is_empty(&self) -> bool {
        self.y.is_empty()
    }

    /// The first `n` rows; the memory of the others is given back.
    pub fn first(mut self, n: usize) -> Samples {
        let width = self.x.len() / self.len();
        self.x.truncate(n * width);
        self.x.shrink_to_fit();
        self.y.truncate(n);
        self
    }
}

/// The 60,000 images of 28 by 28 pixels in `data/name`, in 0..=1.
pub fn images(data: &Path, name: &str) -> Result<Samples> {
    let folder = data.join(name);
    let pixels = idx(&folder.join("train-images-idx3-ubyte.gz"))?;
    let x = pixels.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    Ok(Samples { x, y: idx(&folder.join("train-labels-idx1-ubyte.gz"))? })
}

/// MNIST's zeros, then its ones.
pub fn zeros_and_ones(data: &Path) -> Result<Samples> {
    let all = images(data, "mnist")?;
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for class in [0, 1] {
        for (row, _) in all.x.chunks(784).zip(&all.y).filter(|(_, label)| **label == class) {
            x.extend_from_slice(row);
            y.push(class);
        }
    }
    Ok(Samples { x, y })
}

/// Points of the right shape; their values do not change the time.
pub fn circles() -> Samples {
    let angle = |i: usize| TAU * i as f32 / 799.0;
    let x = (0..800).flat_map(|i| [angle(i).cos(), angle(i).sin()]).collect();
    Samples { x, y: (0..800).map(|i| i % 2).map(|class| class as u8).collect() }
}

/// The bytes of an IDX file after its header: the rank in byte 3, and four bytes for each dimension.
fn idx(path: &Path) -> Result<Vec<u8>> {
    let file = std::fs::File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut bytes = Vec::new();
    GzDecoder::new(file).read_to_end(&mut bytes)?;
    let header = 4 + 4 * usize::from(*bytes.get(3).ok_or("an IDX file has a header")?);
    Ok(bytes.split_off(header.min(bytes.len())))
}
