//! `torch.optim`.

use super::Entry;
use crate::golden::fault::{Result, failed, unsupported};
use crate::golden::value::{Args, FromValue, Object, Value, with_object};
use rekindle_nn::optim::{
    Adadelta, Adagrad, Adam, AdamW, Adamax, Groups, Optimizer, ParamGroup, RMSprop, SGD,
};
use rekindle_tensor::Tensor;
use std::rc::Rc;

pub const TABLE: &[Entry] = &[
    ("torch.optim.SGD", |a| {
        let (params, lr) = first(a, 1e-3)?;
        let sgd = SGD::new(params, lr)
            .momentum(a.or(2, "momentum", 0.0)?)
            .dampening(a.or(3, "dampening", 0.0)?)
            .weight_decay(a.or(4, "weight_decay", 0.0)?)
            .nesterov(a.or(5, "nesterov", false)?)
            .maximize(a.or(usize::MAX, "maximize", false)?);
        optimizer(a, sgd)
    }),
    ("torch.optim.Adam", |a| {
        let (params, lr) = first(a, 1e-3)?;
        let adam = Adam::new(params, lr)
            .betas(betas(a)?)
            .eps(a.or(3, "eps", 1e-8)?)
            .weight_decay(a.or(4, "weight_decay", 0.0)?)
            .amsgrad(a.or(5, "amsgrad", false)?)
            .maximize(a.or(usize::MAX, "maximize", false)?);
        optimizer(a, adam)
    }),
    ("torch.optim.AdamW", |a| {
        let (params, lr) = first(a, 1e-3)?;
        let adamw = AdamW::new(params, lr)
            .betas(betas(a)?)
            .eps(a.or(3, "eps", 1e-8)?)
            .weight_decay(a.or(4, "weight_decay", 1e-2)?)
            .amsgrad(a.or(5, "amsgrad", false)?)
            .maximize(a.or(usize::MAX, "maximize", false)?);
        optimizer(a, adamw)
    }),
    ("torch.optim.RMSprop", |a| {
        let (params, lr) = first(a, 1e-2)?;
        let rmsprop = RMSprop::new(params, lr)
            .alpha(a.or(2, "alpha", 0.99)?)
            .eps(a.or(3, "eps", 1e-8)?)
            .weight_decay(a.or(4, "weight_decay", 0.0)?)
            .momentum(a.or(5, "momentum", 0.0)?)
            .centered(a.or(6, "centered", false)?)
            .maximize(a.or(usize::MAX, "maximize", false)?);
        optimizer(a, rmsprop)
    }),
    ("torch.optim.Adagrad", |a| {
        let (params, lr) = first(a, 1e-2)?;
        let adagrad = Adagrad::new(params, lr)
            .lr_decay(a.or(2, "lr_decay", 0.0)?)
            .weight_decay(a.or(3, "weight_decay", 0.0)?)
            .initial_accumulator_value(a.or(4, "initial_accumulator_value", 0.0)?)
            .eps(a.or(5, "eps", 1e-10)?)
            .maximize(a.or(usize::MAX, "maximize", false)?);
        optimizer(a, adagrad)
    }),
    ("torch.optim.Adamax", |a| {
        let (params, lr) = first(a, 2e-3)?;
        let adamax = Adamax::new(params, lr)
            .betas(betas(a)?)
            .eps(a.or(3, "eps", 1e-8)?)
            .weight_decay(a.or(4, "weight_decay", 0.0)?)
            .maximize(a.or(usize::MAX, "maximize", false)?);
        optimizer(a, adamax)
    }),
    ("torch.optim.Adadelta", |a| {
        let (params, lr) = first(a, 1.0)?;
        let adadelta = Adadelta::new(params, lr)
            .rho(a.or(2, "rho", 0.9)?)
            .eps(a.or(3, "eps", 1e-6)?)
            .weight_decay(a.or(4, "weight_decay", 0.0)?)
            .maximize(a.or(usize::MAX, "maximize", false)?);
        optimizer(a, adadelta)
    }),
    ("Optimizer.step", |a| {
        with_object(&*a.need::<Rc<Object>>(0, "self")?, |o: &mut Box<dyn Optimizer>| o.step())?;
        Ok(Value::None)
    }),
    ("Optimizer.zero_grad", |a| {
        // Gradients are always forgotten, never set to zeros.
        a.take(1, "set_to_none");
        with_object(&*a.need::<Rc<Object>>(0, "self")?, |o: &mut Box<dyn Optimizer>| o.zero_grad())?;
        Ok(Value::None)
    }),
    ("Optimizer.param_groups", |a| {
        with_object(&*a.need::<Rc<Object>>(0, "self")?, |o: &mut Box<dyn Optimizer>| {
            Value::list(o.param_groups().iter().map(group).collect())
        })
    }),
];

/// An optimiser as a value. How it loops over its parameters is no part of its arithmetic.
fn optimizer(a: &mut Args, o: impl Optimizer + 'static) -> Result<Value> {
    for choice in ["foreach", "fused", "capturable", "differentiable"] {
        a.take(usize::MAX, choice);
    }
    Ok(Value::object("Optimizer", Box::new(o) as Box<dyn Optimizer>))
}

/// The parameters, tensors or groups of them, and the learning rate.
fn first(a: &mut Args, lr: f64) -> Result<(Groups, f64)> {
    let params: Vec<Value> = a.need(0, "params")?;
    let tensors: Option<Vec<Tensor>> = params.iter().map(Tensor::from_value).collect();
    let groups = match tensors {
        Some(tensors) => tensors.into(),
        None => params.iter().map(param_group).collect::<Result<Vec<ParamGroup>>>()?.into(),
    };
    Ok((groups, a.or(1, "lr", lr)?))
}

/// A group with the options that its dictionary names; one that is not known makes the program unsupported.
fn param_group(value: &Value) -> Result<ParamGroup> {
    let Value::Dict(pairs) = value else { return failed("params: neither tensors nor groups") };
    let mut group = ParamGroup::new([]);
    for (key, value) in pairs.iter() {
        group = option(group, key, value)?;
    }
    Ok(group)
}

fn option(mut group: ParamGroup, key: &str, value: &Value) -> Result<ParamGroup> {
    fn read<T: FromValue>(key: &str, value: &Value) -> Result<T> {
        T::from_value(value).map_or_else(|| failed(format!("params: {key} has another type")), Ok)
    }
    Ok(match key {
        "params" => {
            group.params = read(key, value)?;
            group
        }
        "lr" => group.lr(read(key, value)?),
        "momentum" => group.momentum(read(key, value)?),
        "dampening" => group.dampening(read(key, value)?),
        "nesterov" => group.nesterov(read(key, value)?),
        "betas" => group.betas(pair(read(key, value)?)?),
        "eps" => group.eps(read(key, value)?),
        "weight_decay" => group.weight_decay(read(key, value)?),
        "amsgrad" => group.amsgrad(read(key, value)?),
        "alpha" => group.alpha(read(key, value)?),
        "centered" => group.centered(read(key, value)?),
        "lr_decay" => group.lr_decay(read(key, value)?),
        "rho" => group.rho(read(key, value)?),
        "maximize" => group.maximize(read(key, value)?),
        _ => return unsupported(format!("parameter group: {key}")),
    })
}

fn betas(a: &mut Args) -> Result<(f64, f64)> {
    pair(a.or(2, "betas", vec![0.9, 0.999])?)
}

fn pair(betas: Vec<f64>) -> Result<(f64, f64)> {
    match betas[..] {
        [one, two] => Ok((one, two)),
        _ => failed("betas: two numbers"),
    }
}

/// What programs read of a group.
fn group(g: &ParamGroup) -> Value {
    let pairs = [
        ("lr", g.lr.into()),
        ("initial_lr", g.initial_lr.unwrap_or(g.lr).into()),
        ("weight_decay", g.weight_decay.into()),
        ("momentum", g.momentum.into()),
        ("betas", Value::list(vec![g.betas.0.into(), g.betas.1.into()])),
    ];
    Value::Dict(Rc::new(pairs.map(|(k, v): (&str, Value)| (k.to_string(), v)).into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::fault::Fault;

    fn dict(key: &str, value: Value) -> Value {
        Value::Dict(Rc::new(vec![("params".to_string(), Value::list(Vec::new())), (key.to_string(), value)]))
    }

    #[test]
    fn a_group_has_all_options_that_its_dictionary_names() {
        let betas = Value::list(vec![0.5.into(), 0.75.into()]);
        assert_eq!(param_group(&dict("betas", betas)).unwrap().betas, (0.5, 0.75));
        assert_eq!(param_group(&dict("momentum", 0.5.into())).unwrap().momentum, 0.5);
        assert_eq!(param_group(&dict("lr", 0.5.into())).unwrap().lr, 0.5);
    }

    #[test]
    fn a_key_that_is_not_known_is_not_passed_over() {
        let unknown = param_group(&dict("decoupled_weight_decay", 0.5.into())).unwrap_err();
        assert_eq!(unknown, Fault::Unsupported("parameter group: decoupled_weight_decay".into()));
    }
}
