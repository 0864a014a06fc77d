//! `torch.nn`: modules and initialisers.

use super::Entry;
use crate::golden::fault::{Result, failed, unsupported};
use crate::golden::value::{Args, Object, Value, with_object};
use rekindle_nn::{Identity, Linear, Module, Parameters, ReLU, Sequential, Visitor, parameter};
use rekindle_tensor::Tensor;
use std::rc::Rc;
use std::sync::Arc;

pub const TABLE: &[Entry] = &[
    ("nn.Parameter", |a| Ok(parameter(a.need(0, "data")?).into())),
    ("nn.Linear", |a| {
        let linear = Linear::new(a.need(0, "in_features")?, a.need(1, "out_features")?);
        Ok(module(linear.bias(a.or(2, "bias", true)?)))
    }),
    ("nn.ReLU", |a| in_place_or_not(a, ReLU)),
    ("nn.Identity", |_| Ok(module(Identity))),
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
        let on = a.or(1, "mode", true)?;
        this(a)?.set_training(on);
        a.need(0, "self")
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
