//! The workloads of `xtask/src/bench/torch_bench.py` in Burn, on its Flex backend.

mod nets;

use burn::nn::loss::{BinaryCrossEntropyLossConfig, CrossEntropyLossConfig};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Int, Shape, Tensor, TensorData};
use common::{Options, Result, Samples, Step, batches, circles, images, serve, unknown, zeros_and_ones};
use nets::{Cnn, Mlp, Net, Tiny};
use std::ops::Range;
use std::process::ExitCode;

fn main() -> ExitCode {
    // On one of rayon's threads, Flex need not wait for another to wake at each large product.
    common::main(|options| rayon::scope(|_| serve(options, make)))
}

fn make(options: &'static Options, name: &str) -> Result<Step> {
    // Only tensors of the first device record what a backward pass needs.
    let (training, plain) = (&Device::flex().autodiff(), &Device::flex());
    let fashion = || images(&options.data, "fashion-mnist");
    match name {
        "W1" => full_batch(options, training, 0.0),
        "W1d5" => full_batch(options, training, 0.5),
        "W3" => Ok(binary(options, training, Tiny::new(training), 0.1, circles())),
        "W4" => Ok(classes(options, training, Mlp::new(256, 0.0, 10, training), fashion()?)),
        "W4w" => Ok(classes(options, training, Mlp::new(4096, 0.5, 10, training), fashion()?)),
        "W5" => Ok(classes(options, training, Cnn::new(training), fashion()?)),
        "W6" => Ok(inference(Cnn::new(plain), fashion()?.first(1000), plain)),
        "W6row" => Ok(inference(Mlp::new(256, 0.0, 10, plain), fashion()?.first(1), plain)),
        "W6tiny" => Ok(inference(Tiny::new(plain), circles().first(1), plain)),
        _ => unknown(name),
    }
}

/// All of MNIST's zeros and ones in one batch.
fn full_batch(options: &'static Options, device: &Device, p: f64) -> Result<Step> {
    Ok(binary(options, device, Mlp::new(32, p, 1, device), 1e-3, zeros_and_ones(&options.data)?))
}

/// One batch with two classes.
fn binary(
    options: &'static Options,
    device: &Device,
    net: impl Net<2> + 'static,
    lr: f64,
    samples: Samples,
) -> Step {
    let rows = samples.len();
    let y = labels::<2>(&samples, [rows, 1], device);
    let loss = BinaryCrossEntropyLossConfig::new().with_logits(true).init(device);
    let training = Training {
        optimizer: SgdConfig::new().init(),
        lr,
        x: inputs(samples, device, &net),
        batch: rows,
        loss: move |out, rows| loss.forward(out, y.clone().slice([rows])),
    };
    training.step(options, net)
}

/// Ten classes in batches of 256.
fn classes<const D: usize>(
    options: &'static Options,
    device: &Device,
    net: impl Net<D> + 'static,
    samples: Samples,
) -> Step {
    let y = labels::<1>(&samples, [samples.len()], device);
    let loss = CrossEntropyLossConfig::new().init(device);
    let training = Training {
        optimizer: AdamConfig::new().with_epsilon(1e-8).init(),
        lr: 1e-3,
        x: inputs(samples, device, &net),
        batch: 256,
        loss: move |out, rows| loss.forward(out, y.clone().slice([rows])),
    };
    training.step(options, net)
}

fn labels<const D: usize>(samples: &Samples, shape: [usize; D], device: &Device) -> Tensor<D, Int> {
    let y = samples.y.iter().map(|&class| i32::from(class)).collect();
    Tensor::from_data(TensorData::new(y, shape), device)
}

fn inputs<const D: usize>(samples: Samples, device: &Device, net: &impl Net<D>) -> Tensor<D> {
    let shape = [&[samples.len()], net.input()].concat();
    Tensor::from_data(TensorData::new(samples.x, Shape::from(shape)), device)
}

/// What a training step needs besides its net.
struct Training<L, const D: usize> {
    optimizer: ModuleOptimizer,
    lr: f64,
    x: Tensor<D>,
    batch: usize,
    /// The loss of outputs for the targets of some rows.
    loss: L,
}

impl<L: Fn(Tensor<2>, Range<usize>) -> Tensor<1> + 'static, const D: usize> Training<L, D> {
    fn step(mut self, options: &'static Options, net: impl Net<D> + 'static) -> Step {
        let mut next = batches(self.x.dims()[0], self.batch);
        // The optimiser takes the net and gives it back, so that it can change weights in place.
        let mut net = Some(net);
        Box::new(move || {
            let trained = net.take().ok_or("the step before failed")?;
            let rows = next();
            let out = trained.forward(self.x.clone().slice([rows.clone()]));
            let loss = (self.loss)(out, rows);
            let gradients = GradientsParams::from_grads(loss.backward(), &trained);
            net = Some(self.optimizer.step(self.lr, trained, gradients));
            options.report(|| Ok(loss.into_scalar()))
        })
    }
}

fn inference<const D: usize>(net: impl Net<D> + 'static, samples: Samples, device: &Device) -> Step {
    let x = inputs(samples, device, &net);
    Box::new(move || {
        net.forward(x.clone());
        Ok(())
    })
}
