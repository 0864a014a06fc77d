//! The workloads: what a step is, and how many make a round.

use rekindle::data;
use rekindle::nn::loss::{BCEWithLogitsLoss, CrossEntropyLoss, Loss};
use rekindle::nn::optim::{Adam, Optimizer, SGD};
use rekindle::nn::{
    Captured, Conv2d, Dropout, Flatten, Linear, MaxPool2d, Module, Parameters, ReLU, Sequential, sequential,
};
use rekindle::{Tensor, manual_seed, no_grad};
use std::path::Path;

/// One call is one step.
type Step = Box<dyn FnMut()>;

/// A workload of the benchmark.
pub struct Workload {
    pub name: &'static str,
    /// Steps in a round.
    pub steps: usize,
    pub make: fn(&Path, Mode) -> Result<Step, String>,
}

/// How training steps are executed. Inference has one way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Recorded and replayed.
    Captured,
    /// Operation by operation.
    Eager,
}

pub const WORKLOADS: &[Workload] = &[
    Workload { name: "W1", steps: 20, make: |data, mode| full_batch(data, mode, 0.0) },
    Workload { name: "W1d5", steps: 20, make: |data, mode| full_batch(data, mode, 0.5) },
    Workload { name: "W1d9", steps: 20, make: |data, mode| full_batch(data, mode, 0.9) },
    Workload { name: "W2", steps: 792, make: small_batches },
    Workload { name: "W3", steps: 1000, make: |_, mode| Ok(circles(mode)) },
    Workload { name: "W4", steps: 235, make: |data, mode| fashion(data, mode, || mlp(256, None), true) },
    Workload {
        name: "W4w",
        steps: 16,
        make: |data, mode| fashion(data, mode, || mlp(4096, Some(0.5)), true),
    },
    Workload { name: "W5", steps: 4, make: |data, mode| fashion(data, mode, cnn, false) },
    Workload { name: "W6", steps: 4, make: |data, _| Ok(inference(cnn(), first_images(data, 1000)?)) },
    Workload {
        name: "W6row",
        steps: 2000,
        make: |data, _| Ok(inference(mlp(256, None), first_images(data, 1)?.reshape([1, 784]))),
    },
    Workload {
        name: "W6tiny",
        steps: 2000,
        make: |_, _| Ok(inference(tiny(), circle_points().0.narrow(0, 0, 1))),
    },
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

fn full_batch(data: &Path, mode: Mode, p: f64) -> Result<Step, String> {
    let (x, y) = zeros_and_ones(data)?;
    let net = binary_net(p);
    let optimizer = SGD::new(net.parameters(), 1e-3);
    Ok(training(mode, net, BCEWithLogitsLoss::new(), optimizer, move || (x.clone(), y.clone())))
}

fn small_batches(data: &Path, mode: Mode) -> Result<Step, String> {
    let (x, y) = zeros_and_ones(data)?;
    let net = binary_net(0.5);
    let optimizer = SGD::new(net.parameters(), 1e-3);
    Ok(training(mode, net, BCEWithLogitsLoss::new(), optimizer, batches(x, y, 16)))
}

fn circles(mode: Mode) -> Step {
    let (x, y) = circle_points();
    let net = tiny();
    let optimizer = SGD::new(net.parameters(), 0.1);
    training(mode, net, BCEWithLogitsLoss::new(), optimizer, move || (x.clone(), y.clone()))
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

fn fashion(data: &Path, mode: Mode, net: impl Fn() -> Sequential, flat: bool) -> Result<Step, String> {
    let (x, y) = fashion_mnist(data)?;
    let x = if flat { x.flatten(1, -1) } else { x };
    let net = net();
    let optimizer = Adam::new(net.parameters(), 1e-3);
    Ok(training(mode, net, CrossEntropyLoss::new(), optimizer, batches(x, y, 256)))
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
    mode: Mode,
    net: Sequential,
    loss: impl Loss + 'static,
    mut optimizer: impl Optimizer + 'static,
    mut next: impl FnMut() -> (Tensor, Tensor) + 'static,
) -> Step {
    net.train();
    let mut captured = Captured::new();
    Box::new(move || {
        let (x, y) = next();
        if mode == Mode::Eager {
            loss.forward(&net.forward(&x), &y).backward();
        } else {
            captured.backward(&net, &loss, &x, &y);
        }
        optimizer.step();
        optimizer.zero_grad();
    })
}

fn inference(net: Sequential, x: Tensor) -> Step {
    net.eval();
    Box::new(move || drop(no_grad(|| net.forward(&x))))
}
