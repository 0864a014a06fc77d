//! `torch.*`: constructors.

use super::Entry;
use crate::golden::fault::{Result, failed};
use crate::golden::value::{Args, Value, array_of};
use rekindle_tensor::{DType, Tensor};

pub const TABLE: &[Entry] = &[
    ("torch.no_grad", |_| Ok(Value::object("no_grad", ()))),
    ("torch.inference_mode", |_| Ok(Value::object("no_grad", ()))),
    ("torch.enable_grad", |_| Ok(Value::object("enable_grad", ()))),
    ("torch.empty", empty),
    ("torch.zeros", |a| filled(a, 0.0)),
    ("torch.ones", |a| filled(a, 1.0)),
    ("torch.full", |a| {
        let (shape, value, dtype) =
            (a.need::<Vec<usize>>(0, "size")?, a.need::<Value>(1, "value")?, dtype(a)?);
        let tensor = match (&value, dtype) {
            (Value::Float(x), None) => Tensor::full(shape, *x),
            (value, dtype) => {
                let x = value.as_float().unwrap_or(f64::NAN);
                Tensor::full_of(shape, x, dtype.unwrap_or(DType::I64))
            }
        };
        Ok(tensor.into())
    }),
    ("torch.eye", |a| Ok(Tensor::eye(a.need(0, "n")?).into())),
    ("torch.zeros_like", |a| Ok(Tensor::zeros_like(&a.need(0, "input")?).into())),
    ("torch.ones_like", |a| Ok(Tensor::ones_like(&a.need(0, "input")?).into())),
    ("torch.tensor", |a| literal(a)),
    ("torch.from_numpy", |a| Ok(a.need::<Tensor>(0, "ndarray")?.into())),
    ("torch.arange", arange),
    ("torch.linspace", |a| {
        let (start, end, n) = (a.need(0, "start")?, a.need(1, "end")?, a.need(2, "steps")?);
        Ok(match dtype(a)? {
            Some(DType::F64) => Tensor::linspace_f64(start, end, n),
            _ => Tensor::linspace(start, end, n),
        }
        .into())
    }),
    ("torch.cat", |a| Ok(Tensor::cat(&a.need::<Vec<Tensor>>(0, "tensors")?, a.or(1, "dim", 0)?).into())),
    ("torch.stack", |a| Ok(Tensor::stack(&a.need::<Vec<Tensor>>(0, "tensors")?, a.or(1, "dim", 0)?).into())),
    ("torch.searchsorted", |a| {
        let (sorted, x): (Vec<i64>, Tensor) = (a.need(0, "sorted_sequence")?, a.need(1, "input")?);
        let place = |v: &i64| sorted.partition_point(|s| s < v) as i64;
        Ok(Tensor::from_vec(x.to_vec::<i64>().iter().map(place).collect::<Vec<_>>(), x.shape()).into())
    }),
    ("torch.where", |a| {
        let (condition, x, y): (Tensor, Tensor, Tensor) =
            (a.need(0, "condition")?, a.need(1, "input")?, a.need(2, "other")?);
        Ok(Tensor::where_(&condition, &x, &y).into())
    }),
];

/// The `dtype` keyword.
fn dtype(a: &mut Args) -> Result<Option<DType>> {
    a.opt(usize::MAX, "dtype")
}

/// Memory to be filled; zeros here. 32-bit integers are known only to their random stream.
fn empty(a: &mut Args) -> Result<Value> {
    match a.take(usize::MAX, "dtype") {
        Some(Value::Object(o)) if o.class == "int32" => Ok(Value::object("int32", a.shape(0)?)),
        Some(Value::DType(d)) => Ok(Tensor::full_of(a.shape(0)?, 0.0, d).into()),
        None | Some(Value::None) => Ok(Tensor::zeros(a.shape(0)?).into()),
        Some(other) => failed(format!("torch.empty: dtype {}", other.class())),
    }
}

fn filled(a: &mut Args, value: f64) -> Result<Value> {
    let dtype = dtype(a)?.unwrap_or(DType::F32);
    Ok(Tensor::full_of(a.shape(0)?, value, dtype).into())
}

/// `torch.tensor(data)`: as NumPy's, but Python's floats are f32.
fn literal(a: &mut Args) -> Result<Value> {
    let value: Value = a.need(0, "data")?;
    let data = array_of(&value)?;
    let numbers = value.as_tensor().is_none() && data.dtype() == DType::F64;
    let default = if numbers { DType::F32 } else { data.dtype() };
    Ok(data.to(dtype(a)?.unwrap_or(default)).into())
}

fn arange(a: &mut Args) -> Result<Value> {
    let dtype = dtype(a)?;
    let bounds = a.rest(0);
    let (start, end, step) = match bounds.as_slice() {
        [end] => (Value::Int(0), end.clone(), Value::Int(1)),
        [start, end] => (start.clone(), end.clone(), Value::Int(1)),
        [start, end, step] => (start.clone(), end.clone(), step.clone()),
        _ => return failed("torch.arange: needs one to three numbers"),
    };
    let whole = [&start, &end, &step].iter().all(|v| v.as_int().is_some());
    let [start, end, step] = [start, end, step].map(|v| v.as_float().unwrap_or(f64::NAN));
    let range = if whole {
        Tensor::arange(start as i64, end as i64, step as i64)
    } else {
        Tensor::arange(start, end, step)
    };
    Ok(dtype.map_or(range.clone(), |d| range.to(d)).into())
}
