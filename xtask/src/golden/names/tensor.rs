//! Methods and attributes of tensors; `torch.NAME(x, ..)` and `F.NAME(x, ..)` find them here too.

use super::Entry;
use crate::golden::fault::{Result, failed, unsupported};
use crate::golden::value::{Args, Value, array_of};
use rekindle_tensor::{DType, Tensor};

/// Methods that take nothing but the tensor.
macro_rules! unary {
    ($($name:ident),*) => {
        &[$((concat!("Tensor.", stringify!($name)), |a| Ok(a.need::<Tensor>(0, "input")?.$name().into()))),*]
    };
}

/// Methods that take one dimension.
macro_rules! along {
    ($($name:ident),*) => {
        &[$((concat!("Tensor.", stringify!($name)), |a| {
            let x: Tensor = a.need(0, "input")?;
            Ok(x.$name(a.need::<isize>(1, "dim")?).into())
        })),*]
    };
}

pub const UNARY: &[Entry] = unary!(
    exp,
    ln,
    log1p,
    sqrt,
    abs,
    neg,
    sign,
    round,
    floor,
    sigmoid,
    tanh,
    relu,
    t,
    detach,
    double,
    float,
    long,
    logical_not,
    logsigmoid,
    silu,
    mish,
    selu,
    softsign,
    tanhshrink,
    hardsigmoid,
    hardswish,
    erf,
    sin,
    cos,
    ceil,
    trunc,
    square,
    reciprocal,
    rsqrt,
    isnan,
    isinf,
    isfinite
);
pub const ALONG: &[Entry] = along!(softmax, log_softmax, cumsum);

pub const TABLE: &[Entry] = &[
    ("Tensor.log", |a| Ok(a.need::<Tensor>(0, "input")?.ln().into())),
    ("Tensor.bool", |a| Ok(a.need::<Tensor>(0, "input")?.to(DType::Bool).into())),
    ("Tensor.clone", |a| Ok(a.need::<Tensor>(0, "input")?.copy().into())),
    ("Tensor.numel", |a| Ok(a.need::<Tensor>(0, "input")?.numel().into())),
    ("Tensor.dim", |a| Ok(a.need::<Tensor>(0, "input")?.dim().into())),
    ("Tensor.numpy", |a| Ok(Value::Array(a.need(0, "input")?))),
    ("Tensor.item", |a| {
        let x: Tensor = a.need(0, "input")?;
        Ok(if x.dtype().is_float() { Value::Float(x.item()) } else { Value::Int(x.item::<i64>().into()) })
    }),
    ("Tensor.to", |a| {
        let x: Tensor = a.need(0, "input")?;
        Ok(x.to(a.need::<DType>(1, "dtype")?).into())
    }),
    ("Tensor.requires_grad_", |a| {
        let x: Tensor = a.need(0, "input")?;
        Ok(x.requires_grad_(a.or(1, "requires_grad", true)?).into())
    }),
    ("Tensor.backward", backward),
    ("Tensor.reshape", |a| Ok(a.need::<Tensor>(0, "input")?.reshape(a.dims(1)?).into())),
    ("Tensor.view", |a| Ok(a.need::<Tensor>(0, "input")?.reshape(a.dims(1)?).into())),
    ("Tensor.flatten", |a| {
        let x: Tensor = a.need(0, "input")?;
        Ok(x.flatten(a.or(1, "start_dim", 0)?, a.or(2, "end_dim", -1)?).into())
    }),
    ("Tensor.unsqueeze", |a| {
        let x: Tensor = a.need(0, "input")?;
        Ok(x.unsqueeze(a.need(1, "dim")?).into())
    }),
    ("Tensor.squeeze", |a| {
        let x: Tensor = a.need(0, "input")?;
        Ok(a.opt(1, "dim")?.map_or_else(|| x.squeeze(), |d| x.squeeze_dim(d)).into())
    }),
    ("Tensor.transpose", |a| {
        let x: Tensor = a.need(0, "input")?;
        Ok(x.transpose(a.need(1, "dim0")?, a.need(2, "dim1")?).into())
    }),
    ("Tensor.permute", |a| Ok(a.need::<Tensor>(0, "input")?.permute(a.dims(1)?).into())),
    ("Tensor.contiguous", contiguous),
    ("Tensor.new_tensor", |a| {
        let x: Tensor = a.need(0, "input")?;
        Ok(array_of(&a.need(1, "data")?)?.to(x.dtype()).into())
    }),
    ("Tensor.clamp", |a| {
        let x: Tensor = a.need(0, "input")?;
        clamp(&x, a.opt(1, "min")?, a.opt(2, "max")?)
    }),
    ("Tensor.maximum", |a| {
        let x: Tensor = a.need(0, "input")?;
        Ok(x.maximum(&a.need::<Tensor>(1, "other")?).into())
    }),
    ("Tensor.minimum", |a| {
        let x: Tensor = a.need(0, "input")?;
        Ok(x.minimum(&a.need::<Tensor>(1, "other")?).into())
    }),
    ("Tensor.masked_fill", |a| {
        let x: Tensor = a.need(0, "input")?;
        let mask: Tensor = a.need(1, "mask")?;
        Ok(x.masked_fill(&mask, a.need::<f64>(2, "value")?).into())
    }),
    ("Tensor.sum", |a| reduced(a, |x| x.sum(), |x, d, keep| x.sum_dim(d, keep))),
    ("Tensor.mean", |a| reduced(a, |x| x.mean(), |x, d, keep| x.mean_dim(d, keep))),
    ("Tensor.argmax", |a| picked(a, |x| x.argmax(), |x, d, keep| x.argmax_dim(d, keep))),
    ("Tensor.argmin", |a| picked(a, |x| x.argmin(), |x, d, keep| x.argmin_dim(d, keep))),
    ("Tensor.max", |a| extreme(a, |x| x.max(), |x, d, keep| x.max_dim(d, keep))),
    ("Tensor.min", |a| extreme(a, |x| x.min(), |x, d, keep| x.min_dim(d, keep))),
    ("Tensor.softmin", |a| {
        let x: Tensor = a.need(0, "input")?;
        Ok((-x).softmax(a.need(1, "dim")?).into())
    }),
    ("Tensor.expm1", |a| Ok(a.need::<Tensor>(0, "input")?.exp_m1().into())),
    ("Tensor.leaky_relu", |a| with_numbers(a, [("negative_slope", 0.01)], |x, [s]| x.leaky_relu(s))),
    ("Tensor.elu", |a| with_numbers(a, [("alpha", 1.0)], |x, [alpha]| x.elu(alpha))),
    ("Tensor.celu", |a| with_numbers(a, [("alpha", 1.0)], |x, [alpha]| x.celu(alpha))),
    ("Tensor.hardshrink", |a| with_numbers(a, [("lambd", 0.5)], |x, [l]| x.hardshrink(l))),
    ("Tensor.softshrink", |a| with_numbers(a, [("lambd", 0.5)], |x, [l]| x.softshrink(l))),
    ("Tensor.hardtanh", |a| {
        with_numbers(a, [("min_val", -1.0), ("max_val", 1.0)], |x, [l, h]| x.hardtanh(l, h))
    }),
    ("Tensor.relu6", |a| with_numbers(a, [], |x, []| x.hardtanh(0.0, 6.0))),
    ("Tensor.softplus", |a| {
        with_numbers(a, [("beta", 1.0), ("threshold", 20.0)], |x, [b, t]| x.softplus(b, t))
    }),
    ("Tensor.threshold", |a| {
        with_numbers(a, [("threshold", 0.0), ("value", 0.0)], |x, [t, v]| x.threshold(t, v))
    }),
    ("Tensor.gelu", |a| {
        let x: Tensor = a.need(0, "input")?;
        match a.opt::<std::rc::Rc<str>>(usize::MAX, "approximate")?.as_deref() {
            None | Some("none") => Ok(x.gelu().into()),
            Some("tanh") => Ok(x.gelu_tanh().into()),
            Some(other) => unsupported(format!("F.gelu(approximate='{other}')")),
        }
    }),
    ("Tensor.amax", |a| reduced(a, |x| x.max(), |x, d, keep| x.amax(d, keep))),
    ("Tensor.amin", |a| reduced(a, |x| x.min(), |x, d, keep| x.amin(d, keep))),
    ("Tensor.median", |a| extreme(a, |x| x.median(), |x, d, keep| x.median_dim(d, keep))),
    ("Tensor.prod", |a| picked(a, |x| x.prod(), |x, d, keep| x.prod_dim(d, keep))),
    ("Tensor.logsumexp", |a| {
        let (x, dims, keep) =
            (a.need::<Tensor>(0, "input")?, a.need::<Vec<isize>>(1, "dim")?, a.or(2, "keepdim", false)?);
        Ok(x.logsumexp(dims, keep).into())
    }),
    ("Tensor.var", |a| spread(a, |x| x.var(), |x, d, c, keep| x.var_dim(d, c, keep))),
    ("Tensor.std", |a| spread(a, |x| x.std(), |x, d, c, keep| x.std_dim(d, c, keep))),
    ("Tensor.norm", |a| {
        let (x, p) = (a.need::<Tensor>(0, "input")?, a.or(1, "p", 2.0)?);
        let (dims, keep): (Option<Vec<isize>>, bool) = (a.opt(2, "dim")?, a.or(3, "keepdim", false)?);
        if p != 2.0 {
            return unsupported("Tensor.norm(p=..)");
        }
        Ok(dims.map_or_else(|| x.norm(), |d| x.norm_dim(d, keep)).into())
    }),
    ("Tensor.flip", |a| Ok(a.need::<Tensor>(0, "input")?.flip(a.dims(1)?).into())),
    ("Tensor.sort", |a| {
        let (x, dim, descending) =
            (a.need::<Tensor>(0, "input")?, a.or(1, "dim", -1)?, a.or(2, "descending", false)?);
        let (values, indices) = x.sort(dim, descending);
        Ok(Value::tuple(vec![values.into(), indices.into()]))
    }),
    ("Tensor.argsort", |a| {
        let (x, dim, descending) =
            (a.need::<Tensor>(0, "input")?, a.or(1, "dim", -1)?, a.or(2, "descending", false)?);
        Ok(x.argsort(dim, descending).into())
    }),
    ("Tensor.topk", |a| {
        let (x, k, dim) = (a.need::<Tensor>(0, "input")?, a.need(1, "k")?, a.or(2, "dim", -1)?);
        let (values, indices) = x.topk(k, dim, a.or(3, "largest", true)?);
        Ok(Value::tuple(vec![values.into(), indices.into()]))
    }),
    ("Tensor.one_hot", |a| {
        let (x, classes): (Tensor, i64) = (a.need(0, "input")?, a.or(1, "num_classes", -1)?);
        let classes = if classes < 0 { x.max().item::<i64>() as usize + 1 } else { classes as usize };
        Ok(x.one_hot(classes).into())
    }),
    ("Tensor.gather", |a| {
        let (x, dim, index) =
            (a.need::<Tensor>(0, "input")?, a.need(1, "dim")?, a.need::<Tensor>(2, "index")?);
        Ok(x.gather(dim, &index).into())
    }),
    ("Tensor.index_select", |a| {
        let (x, dim, index) =
            (a.need::<Tensor>(0, "input")?, a.need(1, "dim")?, a.need::<Tensor>(2, "index")?);
        Ok(x.index_select(dim, &index).into())
    }),
];

pub const ATTRIBUTES: &[Entry] = &[
    ("Tensor.grad", |a| Ok(a.need::<Tensor>(0, "self")?.grad().map_or(Value::None, Value::Tensor))),
    ("Tensor.grad=", |a| {
        let x: Tensor = a.need(0, "self")?;
        x.set_grad(a.opt(1, "value")?);
        Ok(Value::None)
    }),
    ("Tensor.data", |a| Ok(a.need::<Tensor>(0, "self")?.detach().into())),
    ("Tensor.data=", |a| {
        let (x, value): (Tensor, Tensor) = (a.need(0, "self")?, a.need(1, "value")?);
        x.detach().copy_(&value);
        Ok(Value::None)
    }),
    ("Tensor.shape", |a| {
        Ok(Value::tuple(a.need::<Tensor>(0, "self")?.shape().iter().map(|n| (*n).into()).collect()))
    }),
    ("Tensor.dtype", |a| Ok(Value::DType(a.need::<Tensor>(0, "self")?.dtype()))),
    ("Tensor.T", |a| Ok(a.need::<Tensor>(0, "self")?.t().into())),
    // The values and indices that a reduction over one dimension gives.
    ("tuple.values", |a| item(a, 0)),
    ("tuple.indices", |a| item(a, 1)),
];

fn item(a: &mut Args, i: usize) -> Result<Value> {
    match a.need::<Value>(0, "self")?.as_items() {
        Some(items) if items.len() == 2 => Ok(items[i].clone()),
        _ => failed("not values and indices"),
    }
}

fn backward(a: &mut Args) -> Result<Value> {
    let x: Tensor = a.need(0, "self")?;
    match a.opt::<Tensor>(1, "gradient")? {
        Some(gradient) => x.backward_with(&gradient),
        None => x.backward(),
    }
    Ok(Value::None)
}

/// The layouts that PyTorch names: row-major, or `channels_last`, an NCHW view of memory in NHWC order.
fn contiguous(a: &mut Args) -> Result<Value> {
    let x: Tensor = a.need(0, "self")?;
    let row_major =
        |x: Tensor| x.reshape(x.shape().iter().map(|n| *n as isize).collect::<Vec<isize>>()).detach();
    match a.opt::<std::rc::Rc<str>>(1, "memory_format")?.as_deref() {
        None | Some("contiguous_format") => Ok(x.contiguous().into()),
        Some("channels_last") if x.dim() == 4 => {
            Ok(row_major(x.permute([0, 2, 3, 1]).contiguous()).permute([0, 3, 1, 2]).into())
        }
        Some(other) => unsupported(format!("memory format {other}")),
    }
}

fn clamp(x: &Tensor, min: Option<f64>, max: Option<f64>) -> Result<Value> {
    Ok(match (min, max) {
        (Some(min), Some(max)) => x.clamp(min, max),
        (Some(min), None) => x.clamp_min(min),
        (None, Some(max)) => x.clamp_max(max),
        (None, None) => return failed("clamp: neither min nor max"),
    }
    .into())
}

/// `x.f()`, or `x.f(dims, keepdim)`.
fn reduced(
    a: &mut Args,
    all: fn(&Tensor) -> Tensor,
    over: fn(&Tensor, Vec<isize>, bool) -> Tensor,
) -> Result<Value> {
    let (x, dims, keep) = (a.need::<Tensor>(0, "input")?, a.opt(1, "dim")?, a.or(2, "keepdim", false)?);
    Ok(dims.map_or_else(|| all(&x), |d| over(&x, d, keep)).into())
}

/// The same for reductions over a single dimension.
fn picked(
    a: &mut Args,
    all: fn(&Tensor) -> Tensor,
    over: fn(&Tensor, isize, bool) -> Tensor,
) -> Result<Value> {
    let (x, dim, keep) = (a.need::<Tensor>(0, "input")?, a.opt(1, "dim")?, a.or(2, "keepdim", false)?);
    Ok(dim.map_or_else(|| all(&x), |d| over(&x, d, keep)).into())
}

/// `max` and `min`: over everything a number, over one dimension values and indices.
fn extreme(
    a: &mut Args,
    all: fn(&Tensor) -> Tensor,
    over: fn(&Tensor, isize, bool) -> (Tensor, Tensor),
) -> Result<Value> {
    let (x, dim, keep) = (a.need::<Tensor>(0, "input")?, a.opt(1, "dim")?, a.or(2, "keepdim", false)?);
    let Some(dim) = dim else { return Ok(all(&x).into()) };
    let (values, indices) = over(&x, dim, keep);
    Ok(Value::tuple(vec![values.into(), indices.into()]))
}

/// `f(x, numbers..)`, each with a name and a default.
fn with_numbers<const N: usize>(
    a: &mut Args,
    parameters: [(&str, f64); N],
    f: fn(&Tensor, [f64; N]) -> Tensor,
) -> Result<Value> {
    let x: Tensor = a.need(0, "input")?;
    let mut values = [0.0; N];
    for (i, (name, default)) in parameters.into_iter().enumerate() {
        values[i] = a.or(i + 1, name, default)?;
    }
    a.take(usize::MAX, "inplace");
    Ok(f(&x, values).into())
}

/// `var` and `std`: `unbiased=False` is a correction of 0.
fn spread(
    a: &mut Args,
    all: fn(&Tensor) -> Tensor,
    over: fn(&Tensor, Vec<isize>, usize, bool) -> Tensor,
) -> Result<Value> {
    let (x, dims): (Tensor, Option<Vec<isize>>) = (a.need(0, "input")?, a.opt(1, "dim")?);
    let unbiased = a.or(usize::MAX, "unbiased", true)?;
    let correction = a.or(usize::MAX, "correction", usize::from(unbiased))?;
    let keep = a.or(usize::MAX, "keepdim", false)?;
    match dims {
        Some(dims) => Ok(over(&x, dims, correction, keep).into()),
        None if correction == 1 => Ok(all(&x).into()),
        None => Ok(over(&x, (0..x.dim() as isize).collect(), correction, keep).into()),
    }
}
