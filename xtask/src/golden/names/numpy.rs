//! `np.*` and NumPy's legacy random stream. Methods of `RandomState` also serve `np.random.*`, which draw from
//! the global stream.

use super::Entry;
use super::random::indices;
use crate::golden::fault::{Result, failed, unsupported};
use crate::golden::value::{Args, FromValue, Object, Value, array_of, with_object};
use rekindle_tensor::random::numpy::RandomState;
use rekindle_tensor::{DType, Tensor};
use std::rc::Rc;

pub const TABLE: &[Entry] = &[
    ("np.random.RandomState", |a| {
        let seed: Vec<i128> = a.need(0, "seed")?;
        let scalar = seed.len() == 1;
        let seed: Vec<u32> = seed.into_iter().map(|s| s as u32).collect();
        let state = if scalar { RandomState::new(seed[0]) } else { RandomState::from_key(&seed) };
        Ok(Value::object("RandomState", state))
    }),
    ("np.random.seed", |a| {
        let seed: i128 = a.need(0, "seed")?;
        let Value::Object(global) = a.context.numpy.clone() else { return failed("no global stream") };
        with_object(&global, |r: &mut RandomState| *r = RandomState::new(seed as u32))?;
        Ok(Value::None)
    }),
    ("RandomState.random_sample", |a| sample(a, |a, i| a.opt(i, "size"), |r| r.random_sample())),
    ("RandomState.rand", |a| sample(a, sizes, |r| r.random_sample())),
    ("RandomState.randn", |a| sample(a, sizes, |r| r.gauss())),
    ("RandomState.standard_normal", |a| sample(a, |a, i| a.opt(i, "size"), |r| r.gauss())),
    ("RandomState.normal", |a| broadcast(a, ["loc", "scale"], |r, loc, scale| r.normal(loc, scale))),
    ("RandomState.uniform", |a| broadcast(a, ["low", "high"], |r, low, high| r.uniform(low, high))),
    ("RandomState.randint", randint),
    ("RandomState.permutation", permutation),
    ("RandomState.shuffle", shuffle),
    ("RandomState.choice", choice),
    ("np.array", |a| Ok(Value::Array(typed(a, 1)?))),
    ("np.asarray", |a| Ok(Value::Array(typed(a, 1)?))),
    ("np.zeros", |a| filled(a, 0.0)),
    ("np.ones", |a| filled(a, 1.0)),
    ("np.arange", arange),
    ("np.linspace", linspace),
    ("np.concatenate", |a| {
        Ok(Value::Array(Tensor::cat(&a.need::<Vec<Tensor>>(0, "arrays")?, a.or(1, "axis", 0)?)))
    }),
    ("np.sin", |a| map(a, f64::sin)),
    ("np.cos", |a| map(a, f64::cos)),
    ("np.exp", |a| map(a, f64::exp)),
    ("np.log", |a| map(a, f64::ln)),
    ("np.sqrt", |a| map(a, f64::sqrt)),
    ("np.abs", |a| map(a, f64::abs)),
    ("np.c_", |_| unsupported("np.c_ as a function")),
    ("np.argmax", |a| {
        let (x, axis): (Tensor, isize) = (a.need(0, "a")?, a.need(1, "axis")?);
        Ok(Value::Array(x.argmax_dim(axis, false)))
    }),
    ("np.maximum", |a| {
        let (x, y): (Value, Value) = (a.need(0, "x1")?, a.need(1, "x2")?);
        Ok(Value::Array(double(&x)?.maximum(&double(&y)?)))
    }),
    ("ndarray.sum", |a| {
        let (x, axis): (Tensor, Option<isize>) = (a.need(0, "self")?, a.opt(1, "axis")?);
        let keep = a.or(usize::MAX, "keepdims", false)?;
        Ok(match axis {
            Some(axis) => Value::Array(x.sum_dim(axis, keep)),
            None => number(&x.sum()),
        })
    }),
    ("ndarray.mean", |a| Ok(number(&a.need::<Tensor>(0, "self")?.to(DType::F64).mean()))),
    ("ndarray.reshape", |a| Ok(Value::Array(a.need::<Tensor>(0, "self")?.reshape(a.dims(1)?)))),
    ("ndarray.astype", |a| {
        let x: Tensor = a.need(0, "self")?;
        let dtype = dtype(a, 1)?.unwrap_or(DType::F64);
        Ok(Value::Array(x.to(dtype)))
    }),
    ("ndarray.copy", |a| Ok(Value::Array(a.need::<Tensor>(0, "self")?.copy()))),
    ("ndarray.T", |a| Ok(Value::Array(a.need::<Tensor>(0, "self")?.t()))),
    ("ndarray.shape", |a| {
        Ok(Value::tuple(a.need::<Tensor>(0, "self")?.shape().iter().map(|n| (*n).into()).collect()))
    }),
];

/// A reduction to one number.
fn number(x: &Tensor) -> Value {
    if x.dtype().is_float() { Value::Float(x.item()) } else { Value::Int(x.item::<i64>().into()) }
}

/// NumPy's global stream. Programs seed it before they draw.
pub fn global_stream() -> Value {
    Value::object("RandomState", RandomState::new(0))
}

/// The stream of a call and where its arguments begin: the receiver, or the global stream of `np.random.*`.
fn stream(a: &mut Args) -> Result<(Rc<Object>, usize)> {
    if !a.name.starts_with("np.random.") {
        return Ok((a.need(0, "self")?, 1));
    }
    match &a.context.numpy {
        Value::Object(global) => Ok((global.clone(), 0)),
        _ => failed("no global stream"),
    }
}

/// The sizes of `rand(2, 3)`; none is a single number.
fn sizes(a: &mut Args, from: usize) -> Result<Option<Vec<usize>>> {
    let shape = a.shape(from)?;
    Ok((!shape.is_empty()).then_some(shape))
}

/// A number, or an array of numbers in row-major order.
fn sample(
    a: &mut Args,
    size: fn(&mut Args, usize) -> Result<Option<Vec<usize>>>,
    draw: fn(&mut RandomState) -> f64,
) -> Result<Value> {
    let (r, first) = stream(a)?;
    let size = size(a, first)?;
    with_object(&r, |r: &mut RandomState| match size {
        None => Value::Float(draw(r)),
        Some(shape) => {
            let n = shape.iter().product();
            Value::Array(Tensor::from_vec((0..n).map(|_| draw(r)).collect::<Vec<f64>>(), shape))
        }
    })
}

/// Draws with two parameters that may be arrays: they are broadcast to `size`, row-major.
fn broadcast(a: &mut Args, keys: [&str; 2], draw: fn(&mut RandomState, f64, f64) -> f64) -> Result<Value> {
    let (r, first) = stream(a)?;
    let parameters = [a.or(first, keys[0], Value::Float(0.0))?, a.or(first + 1, keys[1], Value::Float(1.0))?];
    let size: Option<Vec<usize>> = a.opt(first + 2, "size")?;
    let [p, q] = [double(&parameters[0])?, double(&parameters[1])?];
    let shape = size.clone().unwrap_or_else(|| (&p + &q).shape().to_vec());
    let [p, q] = [p, q].map(|t| t.expand(shape.as_slice()).to_vec::<f64>());
    let drawn = with_object(&r, |r: &mut RandomState| {
        p.iter().zip(&q).map(|(p, q)| draw(r, *p, *q)).collect::<Vec<f64>>()
    })?;
    let number = size.is_none() && shape.is_empty();
    Ok(if number { Value::Float(drawn[0]) } else { Value::Array(Tensor::from_vec(drawn, shape)) })
}

fn double(v: &Value) -> Result<Tensor> {
    Ok(array_of(v)?.to(DType::F64))
}

fn randint(a: &mut Args) -> Result<Value> {
    let (r, first) = stream(a)?;
    let (low, high): (i64, Option<i64>) = (a.need(first, "low")?, a.opt(first + 1, "high")?);
    let size: Option<Vec<usize>> = a.opt(first + 2, "size")?;
    // All integer types of 64 bits draw alike; smaller ones have streams of their own.
    if dtype(a, first + 3)?.is_some_and(|d| d != DType::I64) {
        return unsupported("RandomState.randint of a small type");
    }
    let (low, high) = high.map_or((0, low), |high| (low, high));
    with_object(&r, |r: &mut RandomState| match size {
        None => Value::Int(r.randint(low, high).into()),
        Some(shape) => {
            let n = shape.iter().product();
            Value::Array(Tensor::from_vec((0..n).map(|_| r.randint(low, high)).collect::<Vec<i64>>(), shape))
        }
    })
}

fn permutation(a: &mut Args) -> Result<Value> {
    let (r, first) = stream(a)?;
    let x: Value = a.need(first, "x")?;
    let n = match x.as_int() {
        Some(n) => n as usize,
        None => array_of(&x)?.size(0),
    };
    let order = with_object(&r, |r: &mut RandomState| indices(&r.permutation(n)))?;
    let Some(order) = order.as_tensor() else { return failed("no permutation") };
    Ok(Value::Array(match x.as_int() {
        Some(_) => order.clone(),
        None => array_of(&x)?.index_select(0, order),
    }))
}

/// Shuffles a list, or the rows of an array, in place.
fn shuffle(a: &mut Args) -> Result<Value> {
    let (r, first) = stream(a)?;
    match a.need::<Value>(first, "x")? {
        Value::List(items) => with_object(&r, |r: &mut RandomState| r.shuffle(&mut items.borrow_mut()))?,
        Value::Array(x) => {
            let mut order: Vec<usize> = (0..x.size(0)).collect();
            with_object(&r, |r: &mut RandomState| r.shuffle(&mut order))?;
            if let Some(order) = indices(&order).as_tensor() {
                x.copy_(&x.index_select(0, order));
            }
        }
        other => return unsupported(format!("RandomState.shuffle of a {}", other.class())),
    }
    Ok(Value::None)
}

fn choice(a: &mut Args) -> Result<Value> {
    let (r, first) = stream(a)?;
    let (n, size): (usize, Option<Vec<usize>>) = (a.need(first, "a")?, a.opt(first + 1, "size")?);
    let (replace, p): (bool, Option<Vec<f64>>) = (a.or(first + 2, "replace", true)?, a.opt(first + 3, "p")?);
    let shape = size.clone().unwrap_or_default();
    let count = shape.iter().product();
    let drawn = with_object(&r, |r: &mut RandomState| r.choice(n, count, replace, p.as_deref()))?;
    let drawn: Vec<i64> = drawn.into_iter().map(|i| i as i64).collect();
    Ok(match size {
        None => Value::Int(drawn[0].into()),
        Some(_) => Value::Array(Tensor::from_vec(drawn, shape)),
    })
}

/// The `dtype` argument: a name of the table or a text such as `'uint8'`.
fn dtype(a: &mut Args, i: usize) -> Result<Option<DType>> {
    match a.take(i, "dtype") {
        None | Some(Value::None) => Ok(None),
        Some(Value::DType(d)) => Ok(Some(d)),
        Some(Value::Str(name)) => match &*name {
            "float32" => Ok(Some(DType::F32)),
            "float64" => Ok(Some(DType::F64)),
            "int64" | "uint8" | "int32" => Ok(Some(DType::I64)),
            "bool" => Ok(Some(DType::Bool)),
            other => unsupported(format!("np dtype {other}")),
        },
        Some(other) => unsupported(format!("np dtype of class {}", other.class())),
    }
}

fn typed(a: &mut Args, i: usize) -> Result<Tensor> {
    let x: Value = a.need(0, "object")?;
    let x = match &x {
        Value::Tensor(t) | Value::Array(t) => t.detach().copy(),
        other => array_of(other)?,
    };
    Ok(dtype(a, i)?.map_or(x.clone(), |d| x.to(d)))
}

fn filled(a: &mut Args, value: f64) -> Result<Value> {
    let shape: Vec<usize> = a.need(0, "shape")?;
    Ok(Value::Array(Tensor::full_of(shape, value, dtype(a, 1)?.unwrap_or(DType::F64))))
}

fn arange(a: &mut Args) -> Result<Value> {
    let bounds = a.rest(0);
    let ints: Option<Vec<i64>> = bounds.iter().map(i64::from_value).collect();
    let Some(ints) = ints else { return unsupported("np.arange of floats") };
    Ok(Value::Array(match ints[..] {
        [end] => Tensor::arange(0, end, 1),
        [start, end] => Tensor::arange(start, end, 1),
        [start, end, step] => Tensor::arange(start, end, step),
        _ => return failed("np.arange: needs one to three numbers"),
    }))
}

/// Multiples of one step from the start; the end itself comes last.
fn linspace(a: &mut Args) -> Result<Value> {
    let (start, end, n): (f64, f64, usize) = (a.need(0, "start")?, a.need(1, "stop")?, a.or(2, "num", 50)?);
    let endpoint = a.or(3, "endpoint", true)?;
    let step = (end - start) / if endpoint { n.saturating_sub(1) } else { n } as f64;
    let value = |i: usize| if endpoint && i + 1 == n && n > 1 { end } else { i as f64 * step + start };
    Ok(Value::Array(Tensor::from_vec((0..n).map(value).collect::<Vec<f64>>(), [n])))
}

fn map(a: &mut Args, f: fn(f64) -> f64) -> Result<Value> {
    match a.need::<Value>(0, "x")? {
        Value::Array(x) => {
            let values = x.to(DType::F64).to_vec::<f64>().into_iter().map(f).collect::<Vec<f64>>();
            Ok(Value::Array(Tensor::from_vec(values, x.shape())))
        }
        other => match other.as_float() {
            Some(x) => Ok(Value::Float(f(x))),
            None => failed(format!("{}: of a {}", a.name, other.class())),
        },
    }
}
