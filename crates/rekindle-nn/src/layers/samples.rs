//! Every layer with inputs for it, for tests that hold all of them against something else.

use super::*;
use crate::{Module, Sequential, sequential};
use rekindle_tensor::Tensor;

/// A layer and what it takes.
pub struct Sample {
    /// The layer.
    pub layer: Box<dyn Module>,
    /// The shape of a sample.
    pub shape: Vec<usize>,
    inputs: Inputs,
}

/// What inputs are drawn from.
#[derive(Clone, Copy)]
enum Inputs {
    /// Numbers around 0, with deviation 3: both sides of every bend.
    Normal,
    /// Indices below so many.
    Indices(i64),
    /// The same as floats.
    Whole(i64),
}

impl Sample {
    /// A batch of `n` samples, drawn from the default generator.
    pub fn batch(&self, n: usize) -> Tensor {
        let shape = [&[n], self.shape.as_slice()].concat();
        match self.inputs {
            Inputs::Normal => Tensor::randn(shape) * 3.0,
            Inputs::Indices(below) => Tensor::randint(0, below, shape),
            Inputs::Whole(below) => Tensor::randint(0, below, shape).float(),
        }
    }
}

fn on(layer: impl Module + 'static, shape: &[usize]) -> Sample {
    Sample { layer: Box::new(layer), shape: shape.to_vec(), inputs: Inputs::Normal }
}

fn of(layer: impl Module + 'static, shape: &[usize], inputs: Inputs) -> Sample {
    Sample { inputs, ..on(layer, shape) }
}

/// Every layer at least once; a test fails if one is missing.
#[rustfmt::skip] // One line for each.
pub fn samples() -> Vec<Sample> {
    vec![
        on(Linear::new(5, 3), &[5]),
        on(Linear::new(5, 3).bias(false), &[4, 5]),
        on(Linear::new(5, 3), &[2, 4, 5]),
        on(Conv1d::new(4, 6, 3).stride(2).padding(1).groups(2), &[4, 9]),
        on(Conv2d::new(3, 4, 3), &[3, 7, 6]),
        on(Conv2d::new(4, 8, (3, 2)).stride((2, 1)).padding((1, 2)).dilation(2).groups(2).bias(false), &[4, 9, 8]),
        on(MaxPool1d::new(3).stride(2).padding(1), &[2, 9]),
        on(MaxPool2d::new(2), &[2, 6, 7]),
        on(MaxPool2d::new((3, 2)).stride(2).padding(1).dilation(2).ceil_mode(true), &[2, 10, 9]),
        on(MaxPool2d::new(2).stride(3).ceil_mode(true), &[2, 8, 7]),
        on(AvgPool1d::new(3).stride(2).padding(1), &[2, 9]),
        on(AvgPool2d::new(2), &[2, 6, 7]),
        on(AvgPool2d::new(3).stride(2).padding(1).ceil_mode(true), &[2, 6, 8]),
        on(AvgPool2d::new((3, 2)).stride(2).padding(1).ceil_mode(true).count_include_pad(false), &[2, 6, 8]),
        on(AdaptiveAvgPool1d::new(4), &[2, 7]),
        on(AdaptiveAvgPool2d::new(1), &[2, 5, 4]),
        on(AdaptiveAvgPool2d::new((2, 3)), &[2, 5, 7]),
        on(Flatten::new(), &[2, 3, 4]),
        on(Flatten::dims(-2, -1), &[2, 3, 4]),
        on(Flatten::dims(0, 1), &[2, 3]),
        on(Unflatten::new(1, [2, 3]), &[6, 2]),
        on(Dropout::new(0.5), &[5]),
        on(Dropout1d::new(0.5), &[3, 4]),
        on(Dropout2d::new(0.5), &[3, 4, 4]),
        on(AlphaDropout::new(0.5), &[5]),
        on(BatchNorm1d::new(4), &[4]),
        on(BatchNorm1d::new(4).affine(false), &[4, 5]),
        on(BatchNorm2d::new(3).eps(0.1), &[3, 4, 5]),
        on(BatchNorm2d::new(3).track_running_stats(false), &[3, 4, 5]),
        on(LayerNorm::new(6), &[6]),
        on(LayerNorm::new([3, 4]).elementwise_affine(false).eps(0.1), &[2, 3, 4]),
        of(Embedding::new(9, 3), &[4], Inputs::Indices(9)),
        of(EmbedColumns::new(&[2, 0], &[5, 4], &[3, 2]), &[4], Inputs::Whole(4)),
        of(EmbedColumns::new(&[0], &[4], &[2]), &[1], Inputs::Whole(4)),
        on(ReLU, &[5]),
        on(Sigmoid, &[5]),
        on(Tanh, &[5]),
        on(SiLU, &[5]),
        on(SELU, &[5]),
        on(LogSigmoid, &[5]),
        on(Mish, &[5]),
        on(Softsign, &[5]),
        on(Hardswish, &[5]),
        on(Hardsigmoid, &[5]),
        on(Identity, &[5]),
        on(LeakyReLU::new(0.2), &[5]),
        on(ELU::new(0.7), &[5]),
        on(CELU::new(1.3), &[5]),
        on(Softplus::new(2.0, 3.0), &[5]),
        on(Hardtanh::new(-0.5, 2.0), &[5]),
        on(GELU::new(), &[5]),
        on(GELU::tanh(), &[5]),
        on(Softmax::new(1), &[3, 4]),
        on(LogSoftmax::new(-1), &[3, 4]),
        on(PReLU::new(1), &[5]),
        on(PReLU::new(3), &[3, 2, 2]),
        on(convolutional(), &[1, 12, 12]),
    ]
}

/// A net with most kinds of layers one after another, nets in nets among them.
fn convolutional() -> Sequential {
    let block = sequential![
        Conv2d::new(1, 4, 3).padding(1).bias(false),
        BatchNorm2d::new(4),
        SiLU,
        MaxPool2d::new(2)
    ];
    sequential![
        block,
        Dropout2d::new(0.2),
        AdaptiveAvgPool2d::new(4),
        Flatten::new(),
        Linear::new(64, 8),
        LayerNorm::new(8),
        GELU::new()
    ]
}
