//! `torch.nn.init`.

use super::Entry;
use crate::golden::fault::{Result, unsupported};
use crate::golden::value::Args;
use rekindle_nn::init::{self, FanMode, Nonlinearity};
use rekindle_tensor::Tensor;
use std::rc::Rc;

pub const TABLE: &[Entry] = &[
    ("nn.init.uniform_", |a| {
        let w: Tensor = a.need(0, "tensor")?;
        Ok(init::uniform_(&w, a.or(1, "a", 0.0)?, a.or(2, "b", 1.0)?).clone().into())
    }),
    ("nn.init.normal_", |a| {
        let w: Tensor = a.need(0, "tensor")?;
        Ok(init::normal_(&w, a.or(1, "mean", 0.0)?, a.or(2, "std", 1.0)?).clone().into())
    }),
    ("nn.init.trunc_normal_", |a| {
        let (w, mean, std) = (a.need::<Tensor>(0, "tensor")?, a.or(1, "mean", 0.0)?, a.or(2, "std", 1.0)?);
        Ok(init::trunc_normal_(&w, mean, std, a.or(3, "a", -2.0)?, a.or(4, "b", 2.0)?).clone().into())
    }),
    ("nn.init.constant_", |a| {
        let w: Tensor = a.need(0, "tensor")?;
        Ok(init::constant_(&w, a.need(1, "val")?).clone().into())
    }),
    ("nn.init.zeros_", |a| Ok(init::zeros_(&a.need(0, "tensor")?).clone().into())),
    ("nn.init.ones_", |a| Ok(init::ones_(&a.need(0, "tensor")?).clone().into())),
    ("nn.init.kaiming_uniform_", |a| {
        let (w, (mode, nonlinearity)) = (a.need::<Tensor>(0, "tensor")?, kaiming(a)?);
        Ok(init::kaiming_uniform_(&w, mode, nonlinearity).clone().into())
    }),
    ("nn.init.kaiming_normal_", |a| {
        let (w, (mode, nonlinearity)) = (a.need::<Tensor>(0, "tensor")?, kaiming(a)?);
        Ok(init::kaiming_normal_(&w, mode, nonlinearity).clone().into())
    }),
    ("nn.init.xavier_uniform_", |a| {
        let w: Tensor = a.need(0, "tensor")?;
        Ok(init::xavier_uniform_(&w, a.or(1, "gain", 1.0)?).clone().into())
    }),
    ("nn.init.xavier_normal_", |a| {
        let w: Tensor = a.need(0, "tensor")?;
        Ok(init::xavier_normal_(&w, a.or(1, "gain", 1.0)?).clone().into())
    }),
];

fn kaiming(a: &mut Args) -> Result<(FanMode, Nonlinearity)> {
    let slope = a.or(1, "a", 0.0)?;
    let mode = match a.opt::<Rc<str>>(2, "mode")?.as_deref() {
        None | Some("fan_in") => FanMode::FanIn,
        Some("fan_out") => FanMode::FanOut,
        Some(other) => return unsupported(format!("{}(mode='{other}')", a.name)),
    };
    let nonlinearity = match a.opt::<Rc<str>>(3, "nonlinearity")?.as_deref() {
        None | Some("leaky_relu") => Nonlinearity::LeakyRelu(slope),
        Some("relu") => Nonlinearity::Relu,
        Some("linear" | "conv1d" | "conv2d" | "sigmoid") => Nonlinearity::Linear,
        Some("tanh") => Nonlinearity::Tanh,
        Some("selu") => Nonlinearity::Selu,
        Some(other) => return unsupported(format!("{}(nonlinearity='{other}')", a.name)),
    };
    Ok((mode, nonlinearity))
}
