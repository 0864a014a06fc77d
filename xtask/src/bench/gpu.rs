//! What a GPU reaches at most, measured with our own kernels where they have the most to do.

use super::{Machine, time_steps};
use rekindle::{Device, Tensor};

/// Side of the matrices, and elements that are added up.
const SIDE: usize = 4096;
const MANY: usize = 1 << 26;
const ROUNDS: usize = 10;

/// A product of large matrices, and a sum of many numbers.
pub fn limits(device: Device) -> Machine {
    // A program that plays a GPU would take minutes.
    let software =
        matches!(device, Device::Gpu(i) if Device::gpus()[i].kind == rekindle::gpu::Kind::Software);
    let (side, many) = if software { (SIDE / 16, MANY / 16) } else { (SIDE, MANY) };
    let (a, x) = (Tensor::ones([side, side]).to(device), Tensor::ones([many]).to(device));
    let seconds = |f: &mut dyn FnMut()| {
        time_steps(f, 1, device);
        time_steps(f, ROUNDS, device)[0] / 1e3
    };
    let product = seconds(&mut || drop(a.matmul(&a)));
    let sum = seconds(&mut || drop(x.sum()));
    Machine { flops: 2.0 * (side as f64).powi(3) / product, bandwidth: 4.0 * many as f64 / sum }
}

/// What the driver calls it.
pub fn name(device: Device) -> String {
    match device {
        Device::Gpu(i) => Device::gpus().get(i).map_or(String::new(), |gpu| gpu.name.clone()),
        _ => "the processor".into(),
    }
}
