//! `torch.nn`: modules and initialisers.

use super::Entry;
use super::conv::{avg_pool_options, conv_options, max_pool_options, sizes};
use crate::golden::fault::{Result, failed, unsupported};
use crate::golden::value::{Args, Object, Value, with_object};
use rekindle_nn::{
    AdaptiveAvgPool2d, AlphaDropout, AvgPool2d, BatchNorm1d, BatchNorm2d, CELU, Conv1d, Conv2d, Dropout,
    Dropout1d, Dropout2d, ELU, Embedding, Flatten, GELU, Hardsigmoid, Hardswish, Hardtanh, Identity,
    LayerNorm, LeakyReLU, Linear, LogSigmoid, LogSoftmax, MaxPool1d, MaxPool2d, Mish, Module, PReLU,
    Parameters, ReLU, SELU, Sequential, SiLU, Sigmoid, Softmax, Softplus, Softsign, Tanh, Visitor, parameter,
};
use rekindle_tensor::Tensor;
use std::rc::Rc;
use std::sync::Arc;

pub const TABLE: &[Entry] = &[
    ("nn.Parameter", |a| Ok(parameter(a.need(0, "data")?).into())),
    ("nn.Linear", |a| {
        let linear = Linear::new(a.need(0, "in_features")?, a.need(1, "out_features")?);
        Ok(module(linear.bias(a.or(2, "bias", true)?)))
    }),
    ("nn.Conv1d", |a| {
        let (i, o, kernel): (usize, usize, [usize; 1]) =
            (a.need(0, "in_channels")?, a.need(1, "out_channels")?, sizes(a, 2, "kernel_size", None)?);
        let c = conv_options(a, &kernel)?;
        let conv = Conv1d::new(i, o, kernel).stride(c.stride).padding(c.padding).dilation(c.dilation);
        Ok(module(conv.groups(c.groups).bias(a.or(7, "bias", true)?)))
    }),
    ("nn.Conv2d", |a| {
        let (i, o, kernel): (usize, usize, [usize; 2]) =
            (a.need(0, "in_channels")?, a.need(1, "out_channels")?, sizes(a, 2, "kernel_size", None)?);
        let c = conv_options(a, &kernel)?;
        let conv = Conv2d::new(i, o, kernel).stride(c.stride).padding(c.padding).dilation(c.dilation);
        Ok(module(conv.groups(c.groups).bias(a.or(7, "bias", true)?)))
    }),
    ("nn.MaxPool1d", |a| {
        let p = max_pool_options(a, 0)?;
        let pool = MaxPool1d::new(p.kernel).stride(p.stride).padding(p.padding).dilation(p.dilation);
        Ok(module(pool.ceil_mode(p.ceil_mode)))
    }),
    ("nn.MaxPool2d", |a| {
        let p = max_pool_options(a, 0)?;
        let pool = MaxPool2d::new(p.kernel).stride(p.stride).padding(p.padding).dilation(p.dilation);
        Ok(module(pool.ceil_mode(p.ceil_mode)))
    }),
    ("nn.AvgPool2d", |a| {
        let p = avg_pool_options(a, 0)?;
        let pool = AvgPool2d::new(p.kernel).stride(p.stride).padding(p.padding).ceil_mode(p.ceil_mode);
        Ok(module(pool.count_include_pad(p.count_include_pad)))
    }),
    ("nn.AdaptiveAvgPool2d", |a| {
        let out: [usize; 2] = sizes(a, 0, "output_size", None)?;
        Ok(module(AdaptiveAvgPool2d::new(out)))
    }),
    ("nn.BatchNorm1d", |a| {
        let norm = BatchNorm1d::new(a.need(0, "num_features")?).eps(a.or(1, "eps", 1e-5)?);
        let norm = norm.momentum(a.or(2, "momentum", Some(0.1))?);
        Ok(module(norm.affine(a.or(3, "affine", true)?).track_running_stats(a.or(
            4,
            "track_running_stats",
            true,
        )?)))
    }),
    ("nn.BatchNorm2d", |a| {
        let norm = BatchNorm2d::new(a.need(0, "num_features")?).eps(a.or(1, "eps", 1e-5)?);
        let norm = norm.momentum(a.or(2, "momentum", Some(0.1))?);
        Ok(module(norm.affine(a.or(3, "affine", true)?).track_running_stats(a.or(
            4,
            "track_running_stats",
            true,
        )?)))
    }),
    ("nn.LayerNorm", |a| match a.need::<Vec<usize>>(0, "normalized_shape")?[..] {
        [n] => Ok(module(LayerNorm::new(n).eps(a.or(1, "eps", 1e-5)?))),
        [m, n] => Ok(module(LayerNorm::new([m, n]).eps(a.or(1, "eps", 1e-5)?))),
        _ => unsupported("nn.LayerNorm of more than two dimensions"),
    }),
    ("nn.Embedding", |a| {
        let embedding = Embedding::new(a.need(0, "num_embeddings")?, a.need(1, "embedding_dim")?);
        Ok(match a.opt(2, "padding_idx")? {
            Some(i) => module(embedding.padding_idx(i)),
            None => module(embedding),
        })
    }),
    ("nn.Dropout", |a| dropout(a, |p| module(Dropout::new(p)))),
    ("nn.Dropout1d", |a| dropout(a, |p| module(Dropout1d::new(p)))),
    ("nn.Dropout2d", |a| dropout(a, |p| module(Dropout2d::new(p)))),
    ("nn.AlphaDropout", |a| dropout(a, |p| module(AlphaDropout::new(p)))),
    ("nn.Flatten", |a| Ok(module(Flatten::dims(a.or(0, "start_dim", 1)?, a.or(1, "end_dim", -1)?)))),
    ("nn.PReLU", |a| Ok(module(PReLU::new(a.or(0, "num_parameters", 1)?)))),
    ("F.prelu", |a| {
        let (x, weight): (Tensor, Tensor) = (a.need(0, "input")?, a.need(1, "weight")?);
        Ok(PReLU { weight }.forward(&x).into())
    }),
    ("nn.ReLU", |a| in_place_or_not(a, ReLU)),
    ("nn.SiLU", |a| in_place_or_not(a, SiLU)),
    ("nn.SELU", |a| in_place_or_not(a, SELU)),
    ("nn.Mish", |a| in_place_or_not(a, Mish)),
    ("nn.Hardswish", |a| in_place_or_not(a, Hardswish)),
    ("nn.Hardsigmoid", |a| in_place_or_not(a, Hardsigmoid)),
    ("nn.Sigmoid", |_| Ok(module(Sigmoid))),
    ("nn.Tanh", |_| Ok(module(Tanh))),
    ("nn.Softsign", |_| Ok(module(Softsign))),
    ("nn.LogSigmoid", |_| Ok(module(LogSigmoid))),
    ("nn.Identity", |_| Ok(module(Identity))),
    ("nn.LeakyReLU", |a| Ok(module(LeakyReLU::new(a.or(0, "negative_slope", 0.01)?)))),
    ("nn.ELU", |a| Ok(module(ELU::new(a.or(0, "alpha", 1.0)?)))),
    ("nn.CELU", |a| Ok(module(CELU::new(a.or(0, "alpha", 1.0)?)))),
    ("nn.Softplus", |a| Ok(module(Softplus::new(a.or(0, "beta", 1.0)?, a.or(1, "threshold", 20.0)?)))),
    ("nn.Hardtanh", |a| Ok(module(Hardtanh::new(a.or(0, "min_val", -1.0)?, a.or(1, "max_val", 1.0)?)))),
    ("nn.GELU", |a| match a.opt::<Rc<str>>(0, "approximate")?.as_deref() {
        None | Some("none") => Ok(module(GELU::new())),
        Some("tanh") => Ok(module(GELU::tanh())),
        Some(other) => unsupported(format!("nn.GELU(approximate='{other}')")),
    }),
    ("nn.Softmax", |a| Ok(module(Softmax::new(a.need(0, "dim")?)))),
    ("nn.LogSoftmax", |a| Ok(module(LogSoftmax::new(a.need(0, "dim")?)))),
    ("nn.Sequential", |a| {
        let mut net = Sequential::new();
        for layer in a.rest(0) {
            net = net.push(Net::of(&layer)?);
        }
        Ok(module(net))
    }),
    ("Module.__call__", |a| {
        let (net, x): (Net, Tensor) = (this(a)?, a.need(1, "input")?);
        Ok(net.forward(&x).into())
    }),
    ("Module.train", |a| {
        let value: Value = a.need(0, "self")?;
        Net::of(&value)?.set_training(a.or(1, "mode", true)?);
        Ok(value)
    }),
    ("Module.eval", |a| {
        let value: Value = a.need(0, "self")?;
        Net::of(&value)?.eval();
        Ok(value)
    }),
    ("Module.parameters", |a| Ok(Value::list(this(a)?.parameters().into_iter().map(Value::from).collect()))),
    ("Module.named_parameters", |a| {
        let pair = |(name, p): (String, Tensor)| Value::tuple(vec![Value::str(&name), p.into()]);
        Ok(Value::list(this(a)?.named_parameters().into_iter().map(pair).collect()))
    }),
];

/// A module that can be in several places, as every Python object can.
#[derive(Clone)]
struct Net(Arc<dyn Module>);

impl Module for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.0.forward(x)
    }
}

impl Parameters for Net {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.0.visit(visitor);
    }
}

impl Net {
    fn of(value: &Value) -> Result<Net> {
        match value {
            Value::Object(o) => with_object(o, |net: &mut Net| net.clone()),
            other => failed(format!("a {} where a module is needed", other.class())),
        }
    }
}

fn module(m: impl Module + 'static) -> Value {
    Value::object("Module", Net(Arc::new(m)))
}

fn this(a: &mut Args) -> Result<Net> {
    Net::of(&a.need(0, "self")?)
}

/// `inplace=True` changes where the result is stored, not what it is.
fn in_place_or_not(a: &mut Args, m: impl Module + 'static) -> Result<Value> {
    a.take(0, "inplace");
    Ok(module(m))
}

fn dropout(a: &mut Args, make: fn(f64) -> Value) -> Result<Value> {
    let p = a.or(0, "p", 0.5)?;
    a.take(1, "inplace");
    Ok(make(p))
}

/// A parameter or buffer of a module: what `m.weight` is.
pub fn member(object: &Rc<Object>, name: &str) -> Result<Value> {
    let net = Net::of(&Value::Object(object.clone()))?;
    let mut all = net.named_parameters();
    all.extend(net.named_buffers());
    match all.into_iter().find(|(n, _)| n == name) {
        Some((_, tensor)) => Ok(tensor.into()),
        None => unsupported(format!("Module.{name}")),
    }
}

/// `m.running_mean = value`: the module's own tensor takes the values.
pub fn set_member(object: &Rc<Object>, name: &str, value: &Tensor) -> Result<()> {
    if let Value::Tensor(own) = member(object, name)? {
        own.detach().copy_(value);
    }
    Ok(())
}
