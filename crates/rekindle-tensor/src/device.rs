//! Where tensors live.

use crate::gpu;
use crate::tensor::Tensor;
use std::fmt;
use std::str::FromStr;

/// The place of a tensor's memory and computations.
///
/// ```
/// use rekindle_tensor::{Device, tensor};
/// let x = tensor([1.0]);
/// assert_eq!(x.device(), Device::Cpu);
/// let device: Device = "gpu:1".parse()?;
/// assert_eq!((device, device.to_string().as_str()), (Device::gpu(1), "gpu:1"));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// The GPU of a number, in the order of [`Device::gpus`].
    Gpu(usize),
}

impl Device {
    /// The GPU of a number. Whether it is there shows when a tensor is moved to it; [`check`](Device::check) asks before.
    ///
    /// ```
    /// # use rekindle_tensor::Device;
    /// assert_eq!(Device::gpu(0).to_string(), "gpu:0");
    /// ```
    pub fn gpu(index: usize) -> Device {
        Device::Gpu(index)
    }

    /// The best device of the machine: the first GPU that is one (not a program that plays it), else the CPU. PyTorch's
    /// `"cuda" if torch.cuda.is_available() else "cpu"`.
    ///
    /// ```
    /// # use rekindle_tensor::{Device, tensor};
    /// let device = Device::auto();
    /// assert_eq!(tensor([1.0]).to(device).device(), device);
    /// ```
    pub fn auto() -> Device {
        let real = Device::gpus().iter().position(|gpu| gpu.kind != gpu::Kind::Software);
        real.map_or(Device::Cpu, Device::Gpu)
    }

    /// The GPUs of the machine, the best first; the position is the number. None without the feature `gpu`.
    pub fn gpus() -> Vec<gpu::Info> {
        gpu::devices()
    }

    /// Whether the device is there and works.
    ///
    /// # Errors
    /// One line that says what is missing.
    ///
    /// ```
    /// # use rekindle_tensor::Device;
    /// assert!(Device::Cpu.check().is_ok() && Device::gpu(1000).check().is_err());
    /// ```
    pub fn check(self) -> Result<(), String> {
        match self {
            Device::Cpu => Ok(()),
            Device::Gpu(index) => gpu::Gpu::open(index).map(|_| ()).map_err(|e| e.to_string()),
        }
    }

    /// Waits until everything that was asked of the device is done; PyTorch's `torch.cuda.synchronize()`. For measuring times:
    /// whoever reads a number waits anyway.
    ///
    /// # Panics
    /// If the device failed.
    #[track_caller]
    pub fn synchronize(self) {
        if let Device::Gpu(index) = self {
            gpu::must(gpu::open(index).synchronize());
        }
    }

    /// The number of a GPU.
    pub(crate) fn index(self) -> Option<usize> {
        match self {
            Device::Cpu => None,
            Device::Gpu(index) => Some(index),
        }
    }
}

/// `cpu`, `gpu:0`, `gpu:1`, ..
impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
            Device::Gpu(index) => write!(f, "gpu:{index}"),
        }
    }
}

/// `cpu`, `gpu` (the first), `gpu:1`, `auto`; PyTorch's `cuda` and `cuda:0` are understood, too.
impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Device, String> {
        let wrong = || format!("device {text:?} is not one; give cpu, gpu, gpu:1 (..) or auto");
        match text {
            "cpu" => return Ok(Device::Cpu),
            "auto" => return Ok(Device::auto()),
            "gpu" | "cuda" => return Ok(Device::Gpu(0)),
            _ => {}
        }
        let number = text.strip_prefix("gpu:").or_else(|| text.strip_prefix("cuda:")).ok_or_else(wrong)?;
        number.parse().map(Device::Gpu).map_err(|_| wrong())
    }
}

impl Tensor {
    /// Where the elements are.
    ///
    /// ```
    /// # use rekindle_tensor::{Device, Tensor};
    /// assert_eq!(Tensor::zeros([2]).device(), Device::Cpu);
    /// ```
    pub fn device(&self) -> Device {
        self.0.storage.device()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_devices() {
        let parse = |text: &str| text.parse::<Device>();
        assert_eq!(parse("cpu"), Ok(Device::Cpu));
        assert_eq!(
            [parse("gpu"), parse("cuda"), parse("gpu:0")],
            [Ok(Device::Gpu(0)), Ok(Device::Gpu(0)), Ok(Device::Gpu(0))]
        );
        assert_eq!(parse("cuda:3"), Ok(Device::Gpu(3)));
        let e = "device \"gpu:x\" is not one; give cpu, gpu, gpu:1 (..) or auto";
        assert_eq!(parse("gpu:x"), Err(e.into()));
        assert!(parse("tpu").is_err());
    }

    #[test]
    fn a_device_that_is_not_there_says_so() {
        let e = Device::gpu(1000).check().unwrap_err();
        assert!(e.starts_with("gpu:1000: "), "{e}");
    }
}
