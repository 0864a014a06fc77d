//! The nets of the workloads.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

/// A net with inputs of rank `D`.
pub trait Net<const D: usize>: Module {
    /// The shape of one input.
    fn input(&self) -> &'static [usize];

    fn forward(&self, x: Tensor<D>) -> Tensor<2>;
}

/// 2-10-10-1.
#[derive(Module, Debug)]
pub struct Tiny {
    first: Linear,
    second: Linear,
    last: Linear,
}

impl Tiny {
    pub fn new(device: &Device) -> Tiny {
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        Tiny { first: linear(2, 10), second: linear(10, 10), last: linear(10, 1) }
    }
}

impl Net<2> for Tiny {
    fn input(&self) -> &'static [usize] {
        &[2]
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = relu(self.first.forward(x));
        let x = relu(self.second.forward(x));
        self.last.forward(x)
    }
}

/// A hidden layer for images, with dropout before its ReLU.
#[derive(Module, Debug)]
pub struct Mlp {
    first: Linear,
    dropout: Dropout,
    last: Linear,
}

impl Mlp {
    pub fn new(width: usize, p: f64, outputs: usize, device: &Device) -> Mlp {
        Mlp {
            first: LinearConfig::new(784, width).init(device),
            dropout: DropoutConfig::new(p).init(),
            last: LinearConfig::new(width, outputs).init(device),
        }
    }
}

impl Net<2> for Mlp {
    fn input(&self) -> &'static [usize] {
        &[784]
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        // Without a probability, dropout gives back its input.
        let x = self.dropout.forward(self.first.forward(x));
        self.last.forward(relu(x))
    }
}

/// The convolutional net.
#[derive(Module, Debug)]
pub struct Cnn {
    first: Conv2d,
    second: Conv2d,
    pool: MaxPool2d,
    last: Linear,
}

impl Cnn {
    pub fn new(device: &Device) -> Cnn {
        let convolution = |inputs| Conv2dConfig::new([inputs, 64], [5, 5]).init(device);
        Cnn {
            first: convolution(1),
            second: convolution(64),
            pool: MaxPool2dConfig::new([2, 2]).init(),
            last: LinearConfig::new(1024, 10).init(device),
        }
    }
}

impl Net<4> for Cnn {
    fn input(&self) -> &'static [usize] {
        &[1, 28, 28]
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.pool.forward(relu(self.first.forward(x)));
        let x = self.pool.forward(relu(self.second.forward(x)));
        self.last.forward(x.flatten(1, 3))
    }
}
