//! Where tensors live.

use crate::tensor::Tensor;
use std::fmt;

/// The place of a tensor's memory and computations. There is one so far.
///
/// ```
/// use rekindle_tensor::{Device, tensor};
/// let device = Device::auto(); // "cuda" if torch.cuda.is_available() else "cpu"
/// assert_eq!(device.to_string(), "cpu");
/// assert_eq!(tensor([1.0]).device(), device);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
}

impl Device {
    /// The best device of the machine.
    pub fn auto() -> Device {
        Device::Cpu
    }
}

/// PyTorch's name of it, `cpu`.
impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cpu")
    }
}

impl Tensor {
    /// Where the elements are.
    pub fn device(&self) -> Device {
        Device::Cpu
    }
}
