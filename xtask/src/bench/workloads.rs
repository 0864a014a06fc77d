//! The workloads: what a step is, and how many make a round.

use rekindle::data::{self, DataLoader, TensorDataset};
use rekindle::nn::loss::{BCEWithLogitsLoss, CrossEntropyLoss, Loss};
use rekindle::nn::optim::{Adam, Optimizer, SGD};
use rekindle::nn::{
    Captured, Conv2d, Dropout, Flatten, Linear, MaxPool2d, Module, Parameters, ReLU, Sequential, sequential,
};
use rekindle::{Device, Tensor, check, manual_seed, no_grad};
use std::path::Path;

/// One call is one step.
pub type Step = Box<dyn FnMut()>;

/// A workload of the benchmark.
pub struct Workload {
    pub name: &'static str,
    /// Steps in a round.
    pub steps: usize,
    /// Multiplications and additions in the matrix products and convolutions of a step.
    pub flops: fn() -> f64,
    /// Bytes of inputs, weights and an optimiser's state that a step must read or write at least once.
    pub bytes: f64,
    pub make: fn(&Path, Way) -> Result<Step, String>,
}

impl Workload {
    /// Its step. A device without room for the data is an error.
    pub fn step(&self, data: &Path, way: Way) -> Result<Step, String> {
        check(|| (self.make)(data, way))?
    }
}

/// How and where steps are executed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Way {
    pub mode: Mode,
    pub device: Device,
}

impl Way {
    /// Inputs and targets where the steps are.
    fn on(self, (x, y): (Tensor, Tensor)) -> (Tensor, Tensor) {
        (x.to(self.device), y.to(self.device))
    }
}

/// Of a training step through linear layers of these sizes; the gradient of the inputs is not computed.
fn linear(rows: usize, sizes: &[usize]) -> f64 {
    let macs: usize = sizes.windows(2).map(|w| 3 * w[0] * w[1]).sum();
    2.0 * (rows * (macs - sizes[0] * sizes[1])) as f64
}

/// Of the lecture's convolutional net for an image: forward, and a whole training step.
fn cnn_flops(training: bool) -> f64 {
    let (first, second, last) = (576 * 25 * 64, 64 * 1600 * 64, 1024 * 10);
    2.0 * if training { 2 * first + 3 * (second + last) } else { first + second + last } as f64
}

/// How steps are executed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Recorded and replayed.
    Captured,
    /// Operation by operation.
    Eager,
}

/// Weights that Adam changes: it reads gradient, weight and two averages, and writes three of them.
const ADAM: f64 = 7.0 * 4.0;

#[rustfmt::skip]
pub const WORKLOADS: &[Workload] = &[
    Workload { name: "W1", steps: 20, flops: || linear(12665, &[784, 32, 1]), bytes: 12665.0 * 784.0 * 4.0,
        make: |data, way| full_batch(data, way, 0.0) },
    Workload { name: "W1d5", steps: 20, flops: || linear(12665, &[784, 32, 1]), bytes: 12665.0 * 784.0 * 4.0,
        make: |data, way| full_batch(data, way, 0.5) },
    Workload { name: "W1d9", steps: 20, flops: || linear(12665, &[784, 32, 1]), bytes: 12665.0 * 784.0 * 4.0,
        make: |data, way| full_batch(data, way, 0.9) },
    Workload { name: "W2", steps: 792, flops: || linear(16, &[784, 32, 1]), bytes: 16.0 * 784.0 * 4.0,
        make: small_batches },
    Workload { name: "W2dl", steps: 792, flops: || linear(16, &[784, 32, 1]), bytes: 16.0 * 784.0 * 4.0,
        make: small_loader },
    Workload { name: "W3", steps: 1000, flops: || linear(800, &[2, 10, 10, 1]), bytes: 0.0,
        make: |_, way| Ok(circles(way)) },
    Workload { name: "W4", steps: 235, flops: || linear(256, &[784, 256, 10]), bytes: 256.0 * 784.0 * 4.0 + 203_530.0 * ADAM,
        make: |data, way| fashion(data, way, || mlp(256, None), true) },
    Workload { name: "W4w", steps: 16, flops: || linear(256, &[784, 4096, 10]), bytes: 256.0 * 784.0 * 4.0 + 3_256_330.0 * ADAM,
        make: |data, way| fashion(data, way, || mlp(4096, Some(0.5)), true) },
    Workload { name: "W5", steps: 4, flops: || 256.0 * cnn_flops(true), bytes: 256.0 * 784.0 * 4.0 + 114_378.0 * ADAM,
        make: |data, way| fashion(data, way, cnn, false) },
    Workload { name: "W6", steps: 4, flops: || 1000.0 * cnn_flops(false), bytes: 1000.0 * 784.0 * 4.0,
        make: |data, way| Ok(inference(way, cnn(), first_images(data, 1000)?)) },
    // A row's weights come from the L2 cache.
    Workload { name: "W6row", steps: 2000, flops: || 2.0 * (784.0 * 256.0 + 2560.0), bytes: 0.0,
        make: |data, way| Ok(inference(way, mlp(256, None), first_images(data, 1)?.reshape([1, 784]))) },
    Workload { name: "W6tiny", steps: 2000, flops: || 2.0 * 130.0, bytes: 0.0,
        make: |_, way| Ok(inference(way, tiny(), circle_points().0.narrow(0, 0, 1))) },
];

/// MNIST's zeros, then its ones: inputs `[12665, 784]`, targets `[12665, 1]`.
fn zeros_and_ones(data: &Path) -> Result<(Tensor, Tensor), String> {
    let (x, y) = data::mnist(data).train().map_err(|e| e.to_string())?.pick(&[0, 1]).tensors();
    Ok((x.flatten(1, -1), y.float().unsqueeze(1)))
}

/// Copied, because a view would keep all 60,000 in memory.
fn first_images(data: &Path, n: usize) -> Result<Tensor, String> {
    Ok(fashion_mnist(data)?.0.narrow(0, 0, n).copy())
}

fn fashion_mnist(data: &Path) -> Result<(Tensor, Tensor), String> {
    Ok(data::fashion_mnist(data).train().map_err(|e| e.to_string())?.tensors())
}

fn binary_net(p: f64) -> Sequential {
    manual_seed(1);
    match p {
        0.0 => sequential![Linear::new(784, 32), ReLU, Linear::new(32, 1)],
        p => sequential![Linear::new(784, 32), Dropout::new(p), ReLU, Linear::new(32, 1)],
    }
}

fn full_batch(data: &Path, way: Way, p: f64) -> Result<Step, String> {
    let (x, y) = way.on(zeros_and_ones(data)?);
    let net = binary_net(p);
    let optimizer = SGD::new(net.parameters(), 1e-3);
    Ok(training(way, net, BCEWithLogitsLoss::new(), optimizer, move || (x.clone(), y.clone())))
}

fn small_batches(data: &Path, way: Way) -> Result<Step, String> {
    let (x, y) = way.on(zeros_and_ones(data)?);
    let net = binary_net(0.5);
    let optimizer = SGD::new(net.parameters(), 1e-3);
    Ok(training(way, net, BCEWithLogitsLoss::new(), optimizer, batches(x, y, 16)))
}

/// [`small_batches`] in random order, from the loader, which gathers ahead.
fn small_loader(data: &Path, way: Way) -> Result<Step, String> {
    let (x, y) = way.on(zeros_and_ones(data)?);
    let net = binary_net(0.5);
    let optimizer = SGD::new(net.parameters(), 1e-3);
    let loader = DataLoader::new(TensorDataset::new(x, y)).batch_size(16).shuffle(true).num_workers(1);
    // The iterator lives as long as the process.
    let loader: &'static DataLoader = Box::leak(Box::new(loader));
    let mut batches = loader.iter();
    let next = move || loop {
        match batches.next() {
            Some(batch) => return batch,
            None => batches = loader.iter(),
        }
    };
    Ok(training(way, net, BCEWithLogitsLoss::new(), optimizer, next))
}

fn circles(way: Way) -> Step {
    let (x, y) = way.on(circle_points());
    let net = tiny();
    let optimizer = SGD::new(net.parameters(), 0.1);
    training(way, net, BCEWithLogitsLoss::new(), optimizer, move || (x.clone(), y.clone()))
}

/// Points of the right shape; their values do not change the time.
fn circle_points() -> (Tensor, Tensor) {
    let angle = Tensor::linspace(0.0, std::f64::consts::TAU, 800);
    let y = Tensor::from_vec((0..800).map(|i| (i % 2) as f32).collect(), [800, 1]);
    (Tensor::stack(&[angle.cos(), angle.sin()], 1), y)
}

fn tiny() -> Sequential {
    manual_seed(1);
    sequential![Linear::new(2, 10), ReLU, Linear::new(10, 10), ReLU, Linear::new(10, 1)]
}

fn mlp(width: usize, dropout: Option<f64>) -> Sequential {
    manual_seed(1);
    match dropout {
        None => sequential![Linear::new(784, width), ReLU, Linear::new(width, 10)],
        Some(p) => sequential![Linear::new(784, width), Dropout::new(p), ReLU, Linear::new(width, 10)],
    }
}

/// The lecture's convolutional net.
fn cnn() -> Sequential {
    manual_seed(1);
    sequential![
        Conv2d::new(1, 64, 5),
        ReLU,
        MaxPool2d::new(2),
        Conv2d::new(64, 64, 5),
        ReLU,
        MaxPool2d::new(2),
        Flatten::new(),
        Linear::new(1024, 10),
    ]
}

fn fashion(data: &Path, way: Way, net: impl Fn() -> Sequential, flat: bool) -> Result<Step, String> {
    let (x, y) = way.on(fashion_mnist(data)?);
    let x = if flat { x.flatten(1, -1) } else { x };
    let net = net();
    let optimizer = Adam::new(net.parameters(), 1e-3);
    Ok(training(way, net, CrossEntropyLoss::new(), optimizer, batches(x, y, 256)))
}

/// Slices of `size` samples in order, starting over at the end.
fn batches(x: Tensor, y: Tensor, size: usize) -> impl FnMut() -> (Tensor, Tensor) {
    let (n, mut at) = (x.size(0), 0);
    move || {
        let start = if at >= n { 0 } else { at };
        let len = size.min(n - start);
        at = start + len;
        (x.narrow(0, start, len), y.narrow(0, start, len))
    }
}

fn training(
    way: Way,
    net: Sequential,
    loss: impl Loss + 'static,
    mut optimizer: impl Optimizer + 'static,
    mut next: impl FnMut() -> (Tensor, Tensor) + 'static,
) -> Step {
    net.train();
    net.to(way.device);
    let mut captured = Captured::new();
    Box::new(move || {
        let (x, y) = next();
        let eager = |x: &Tensor, y: &Tensor| {
            let value = loss.forward(&net.forward(x), y);
            value.backward();
            value
        };
        match (way.mode, way.device) {
            (Mode::Eager, _) => drop(eager(&x, &y)),
            (_, Device::Cpu) => _ = captured.backward(&net, &loss, &x, &y),
            // The loss stays on the device.
            _ => drop(captured.on_device(&net.parameters(), &x, &y, eager)),
        }
        optimizer.step();
        optimizer.zero_grad();
    })
}

fn inference(way: Way, net: Sequential, x: Tensor) -> Step {
    net.eval();
    net.to(way.device);
    let x = x.to(way.device);
    let mut captured = Captured::new();
    Box::new(move || match way.mode {
        Mode::Eager => drop(no_grad(|| net.forward(&x))),
        Mode::Captured => drop(captured.forward(&net, &x)),
    })
}
