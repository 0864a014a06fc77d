//! The workloads of `xtask/src/bench/torch_bench.py` in candle, on a CPU.

use candle_core::{DType, Device, Tensor};
use candle_nn::loss::{binary_cross_entropy_with_logit, cross_entropy};
use candle_nn::ops::dropout;
use candle_nn::{
    Activation, AdamW, Module, Optimizer, ParamsAdamW, SGD, Sequential, VarBuilder, VarMap, conv2d, linear,
    seq,
};
use common::{Options, Result, Samples, Step, batches, circles, images, serve, unknown, zeros_and_ones};
use std::process::ExitCode;

const CPU: &Device = &Device::Cpu;

type Net = candle_core::Result<Sequential>;
type Loss = fn(&Tensor, &Tensor) -> candle_core::Result<Tensor>;

fn main() -> ExitCode {
    // On one of its pool's threads, candle need not wait for another to wake at each large product.
    common::main(|options| CPU.with_context(|| serve(options, make)))
}

fn make(options: &'static Options, name: &str) -> Result<Step> {
    let fashion = || images(&options.data, "fashion-mnist");
    match name {
        "W1" => binary(options, 0.0),
        "W1d5" => binary(options, 0.5),
        "W3" => {
            let (x, y) = binary_tensors(circles(), 2)?;
            let vars = VarMap::new();
            let net = tiny(variables(&vars))?;
            let optimizer = SGD::new(vars.all_vars(), 0.1)?;
            Ok(training(options, net, binary_cross_entropy_with_logit, optimizer, (x, y), 800))
        }
        "W4" => classes(options, |vars| mlp(256, 0.0, 10, vars), &[784]),
        "W4w" => classes(options, |vars| mlp(4096, 0.5, 10, vars), &[784]),
        "W5" => classes(options, cnn, &[1, 28, 28]),
        "W6" => inference(cnn, inputs(fashion()?.first(1000), &[1, 28, 28])?),
        "W6row" => inference(|vars| mlp(256, 0.0, 10, vars), inputs(fashion()?.first(1), &[784])?),
        "W6tiny" => inference(tiny, inputs(circles().first(1), &[2])?),
        _ => unknown(name),
    }
}

/// All of MNIST's zeros and ones in one batch.
fn binary(options: &'static Options, p: f32) -> Result<Step> {
    let (x, y) = binary_tensors(zeros_and_ones(&options.data)?, 784)?;
    let vars = VarMap::new();
    let net = mlp(32, p, 1, variables(&vars))?;
    let optimizer = SGD::new(vars.all_vars(), 1e-3)?;
    let rows = x.dim(0)?;
    Ok(training(options, net, binary_cross_entropy_with_logit, optimizer, (x, y), rows))
}

/// Fashion-MNIST in batches of 256.
fn classes(options: &'static Options, net: impl Fn(VarBuilder) -> Net, shape: &[usize]) -> Result<Step> {
    let samples = images(&options.data, "fashion-mnist")?;
    let y = Tensor::from_iter(samples.y.iter().map(|&class| u32::from(class)), CPU)?;
    let x = inputs(samples, shape)?;
    let vars = VarMap::new();
    let net = net(variables(&vars))?;
    // Without the decay of weights, AdamW is Adam, which candle does not have by itself.
    let adam = ParamsAdamW { weight_decay: 0.0, ..ParamsAdamW::default() };
    let optimizer = AdamW::new(vars.all_vars(), adam)?;
    Ok(training(options, net, cross_entropy, optimizer, (x, y), 256))
}

fn binary_tensors(samples: Samples, width: usize) -> Result<(Tensor, Tensor)> {
    let y = Tensor::from_iter(samples.y.iter().map(|&class| f32::from(class)), CPU)?;
    Ok((inputs(samples, &[width])?, y.unsqueeze(1)?))
}

/// Inputs of some shape for each sample.
fn inputs(samples: Samples, shape: &[usize]) -> Result<Tensor> {
    let shape = [&[samples.len()], shape].concat();
    Ok(Tensor::from_vec(samples.x, shape, CPU)?)
}

fn variables(vars: &VarMap) -> VarBuilder<'static> {
    VarBuilder::from_varmap(vars, DType::F32, CPU)
}

fn tiny(vars: VarBuilder) -> Net {
    Ok(seq()
        .add(linear(2, 10, vars.pp("1"))?)
        .add(Activation::Relu)
        .add(linear(10, 10, vars.pp("2"))?)
        .add(Activation::Relu)
        .add(linear(10, 1, vars.pp("3"))?))
}

fn mlp(width: usize, p: f32, outputs: usize, vars: VarBuilder) -> Net {
    let first = seq().add(linear(784, width, vars.pp("1"))?);
    let middle = if p > 0.0 { first.add_fn(move |x| dropout(x, p)) } else { first };
    Ok(middle.add(Activation::Relu).add(linear(width, outputs, vars.pp("2"))?))
}

fn cnn(vars: VarBuilder) -> Net {
    let convolution = |inputs, name| conv2d(inputs, 64, 5, Default::default(), vars.pp(name));
    Ok(seq()
        .add(convolution(1, "1")?)
        .add(Activation::Relu)
        .add_fn(|x| x.max_pool2d(2))
        .add(convolution(64, "2")?)
        .add(Activation::Relu)
        .add_fn(|x| x.max_pool2d(2))
        .add_fn(|x| x.flatten_from(1))
        .add(linear(1024, 10, vars.pp("3"))?))
}

fn training(
    options: &'static Options,
    net: Sequential,
    loss: Loss,
    mut optimizer: impl Optimizer + 'static,
    (x, y): (Tensor, Tensor),
    size: usize,
) -> Step {
    let mut next = batches(y.dims()[0], size);
    Box::new(move || {
        let rows = next();
        let out = net.forward(&x.narrow(0, rows.start, rows.len())?)?;
        let loss = loss(&out, &y.narrow(0, rows.start, rows.len())?)?;
        optimizer.backward_step(&loss)?;
        options.report(|| Ok(loss.to_scalar()?))
    })
}

fn inference(net: impl Fn(VarBuilder) -> Net, x: Tensor) -> Result<Step> {
    let net = net(constants(&net)?)?;
    Ok(Box::new(move || {
        net.forward(&x)?;
        Ok(())
    }))
}

/// The weights of a new net, as tensors that are no variables: candle then records nothing for a backward pass.
fn constants(net: impl Fn(VarBuilder) -> Net) -> Result<VarBuilder<'static>> {
    let vars = VarMap::new();
    net(variables(&vars))?;
    let named = vars.data().lock().map_err(|e| e.to_string())?;
    let tensors = named.iter().map(|(name, var)| (name.clone(), var.as_detached_tensor())).collect();
    Ok(VarBuilder::from_tensors(tensors, DType::F32, CPU))
}
