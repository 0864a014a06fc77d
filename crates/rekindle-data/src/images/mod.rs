//! Images of users: a folder for each class, PNG and JPEG, turned into pixels of one size.
//!
//! ```no_run
//! use rekindle_data::images::ImageFolder;
//!
//! let folder = ImageFolder::open("photos".as_ref())?; // photos/cat/*.jpg, photos/dog/*.jpg
//! let spec = folder.seen()?.spec(Some(3), Some([64, 64]))?;
//! let (x, y) = (folder.decode(&spec, None)?.tensor(), folder.labels());
//! assert_eq!(x.shape(), [y.len(), 3, 64, 64]);
//! # Ok::<(), rekindle_data::Error>(())
//! ```

mod cache;
mod decode;
mod folder;

pub use decode::{decode_image, image_size};
pub use folder::{ImageFolder, Seen};

use crate::error::{Error, Result};
use rekindle_tensor::Tensor;
use serde::{Deserialize, Serialize};

/// What every image of a set is turned into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct ImageSpec {
    /// 1: grey, 3: red, green and blue.
    pub channels: usize,
    /// Rows and columns.
    pub size: [usize; 2],
}

/// A specification as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    channels: usize,
    size: [usize; 2],
}

impl TryFrom<Unchecked> for ImageSpec {
    type Error = Error;

    fn try_from(Unchecked { channels, size }: Unchecked) -> Result<Self> {
        ImageSpec::new(channels, size)
    }
}

impl ImageSpec {
    /// Images of so many channels, rows and columns.
    ///
    /// # Errors
    /// If there are not one or three channels, or not 1 to 4096 rows and columns.
    ///
    /// ```
    /// use rekindle_data::images::ImageSpec;
    /// assert!(ImageSpec::new(2, [28, 28]).is_err() && ImageSpec::new(3, [28, 28]).is_ok());
    /// ```
    pub fn new(channels: usize, size: [usize; 2]) -> Result<Self> {
        const MOST: usize = 1 << 12;
        let refuse = |message: String| Err(Error::Missing { message });
        if channels != 1 && channels != 3 {
            return refuse(format!("{channels} channels; 1 is grey, 3 is colour"));
        }
        if size.iter().any(|side| !(1..=MOST).contains(side)) {
            return refuse(format!(
                "a size of {} x {}; rows and columns go from 1 to {MOST}",
                size[0], size[1]
            ));
        }
        Ok(ImageSpec { channels, size })
    }

    /// The bytes of an image.
    pub fn len(&self) -> usize {
        self.channels * self.size[0] * self.size[1]
    }

    /// Whether it has no pixels.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Decoded images of one size.
///
/// ```
/// use rekindle_data::images::{ImageSpec, Pixels};
/// let spec = ImageSpec { channels: 1, size: [1, 2] };
/// let x = Pixels { spec, data: vec![0, 255, 51, 0] }.tensor();
/// assert_eq!((x.shape(), x.to_vec::<f32>()), (&[2, 1, 1, 2][..], vec![0.0, 1.0, 0.2, 0.0]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixels {
    /// What each image is.
    pub spec: ImageSpec,
    /// Brightness from 0 to 255: image by image, channel by channel, row by row.
    pub data: Vec<u8>,
}

impl Pixels {
    /// The number of images.
    pub fn len(&self) -> usize {
        self.data.len() / self.spec.len().max(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// F32 `[n, channels, rows, columns]` from 0 to 1, as torchvision's `ToTensor` gives it.
    pub fn tensor(&self) -> Tensor {
        self.normalised(&[], &[])
    }

    /// The same, of each channel the mean taken off and then divided by the standard deviation, as by torchvision's `Normalize`.
    /// Without any for a channel, nothing is done to it.
    ///
    /// ```
    /// use rekindle_data::images::{ImageSpec, Pixels};
    /// let spec = ImageSpec { channels: 1, size: [1, 2] };
    /// let x = Pixels { spec, data: vec![0, 255] }.normalised(&[0.5], &[0.25]);
    /// assert_eq!(x.to_vec::<f32>(), [-2.0, 2.0]);
    /// ```
    pub fn normalised(&self, mean: &[f64], std: &[f64]) -> Tensor {
        let ImageSpec { channels, size: [rows, columns] } = self.spec;
        // One value for each brightness and channel: torchvision's roundings, in f32.
        let values: Vec<[f32; 256]> = (0..channels)
            .map(|channel| {
                let (mean, std) =
                    (mean.get(channel).copied().unwrap_or(0.0), std.get(channel).copied().unwrap_or(1.0));
                std::array::from_fn(|byte| (byte as f32 / 255.0 - mean as f32) / std as f32)
            })
            .collect();
        let plane = (rows * columns).max(1);
        let planes = self.data.chunks(plane).enumerate();
        let all = planes.flat_map(|(i, bytes)| bytes.iter().map(move |&byte| (i % channels, byte)));
        let x: Vec<f32> = all.map(|(channel, byte)| values[channel][usize::from(byte)]).collect();
        Tensor::from_vec(x, [self.len(), channels, rows, columns])
    }
}

#[cfg(test)]
mod tests;
