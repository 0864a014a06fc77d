//! Python's own functions.

use super::Entry;
use crate::golden::eval::iterate;
use crate::golden::fault::{Result, failed};
use crate::golden::operators;
use crate::golden::value::{Args, Value};
use std::rc::Rc;

pub const TABLE: &[Entry] = &[
    ("len", |a| len(&a.need(0, "obj")?)),
    ("range", range),
    ("list", |a| Ok(Value::list(a.take(0, "x").map_or(Ok(Vec::new()), |v| iterate(&v))?))),
    ("tuple", |a| Ok(Value::tuple(a.take(0, "x").map_or(Ok(Vec::new()), |v| iterate(&v))?))),
    ("dict", |a| dict(&a.need(0, "pairs")?)),
    ("sum", sum),
    ("abs", |a| absolute(&a.need(0, "x")?)),
    ("int", |a| Ok(Value::Int(a.need::<f64>(0, "x")? as i128))),
    ("float", float),
    ("bool", |a| Ok(a.need::<Value>(0, "x")?.truth()?.into())),
    ("zip", zip),
    ("enumerate", |a| {
        let items = iterate(&a.need(0, "x")?)?;
        Ok(Value::list(items.into_iter().enumerate().map(|(i, v)| Value::tuple(vec![i.into(), v])).collect()))
    }),
    ("isinstance", |a| {
        let (value, class) = (a.need::<Value>(0, "x")?, a.need::<Value>(1, "class")?);
        match class {
            Value::Function(name) => Ok((*name == *value.class()).into()),
            other => failed(format!("isinstance of a {}", other.class())),
        }
    }),
    ("list.append", |a| with_list(a, |items, v| items.push(v))),
    ("list.__len__", |a| len(&a.need(0, "self")?)),
    ("dict.keys", |a| Ok(Value::list(iterate(&a.need(0, "self")?)?))),
    ("dict.values", |a| match a.need(0, "self")? {
        Value::Dict(d) => Ok(Value::list(d.iter().map(|(_, v)| v.clone()).collect())),
        other => failed(format!("values of a {}", other.class())),
    }),
    ("dict.items", |a| match a.need(0, "self")? {
        Value::Dict(d) => {
            Ok(Value::list(d.iter().map(|(k, v)| Value::tuple(vec![Value::str(k), v.clone()])).collect()))
        }
        other => failed(format!("items of a {}", other.class())),
    }),
    ("math.sqrt", |a| Ok(a.need::<f64>(0, "x")?.sqrt().into())),
    ("math.exp", |a| Ok(a.need::<f64>(0, "x")?.exp().into())),
    ("math.log", |a| Ok(a.need::<f64>(0, "x")?.ln().into())),
    ("math.cos", |a| Ok(a.need::<f64>(0, "x")?.cos().into())),
    ("math.sin", |a| Ok(a.need::<f64>(0, "x")?.sin().into())),
];

fn len(value: &Value) -> Result<Value> {
    match value {
        Value::Str(s) => Ok(s.chars().count().into()),
        Value::Tensor(t) | Value::Array(t) if t.dim() > 0 => Ok(t.size(0).into()),
        Value::Object(o) => {
            let name = format!("{}.__len__", o.class);
            match super::function(&name, &[]) {
                Some(f) => f(&mut Args::special(&name, vec![value.clone()])),
                None => Ok(iterate(value)?.len().into()),
            }
        }
        other => Ok(iterate(other)?.len().into()),
    }
}

fn range(a: &mut Args) -> Result<Value> {
    let ints: Vec<i128> = a.rest(0).iter().filter_map(Value::as_int).collect();
    let (start, end, step) = match ints[..] {
        [end] => (0, end, 1),
        [start, end] => (start, end, 1),
        [start, end, step] if step != 0 => (start, end, step),
        _ => return failed("range: needs one to three integers"),
    };
    let count = if step > 0 { (end - start + step - 1) / step } else { (start - end - step - 1) / -step };
    Ok(Value::list((0..count.max(0)).map(|i| Value::Int(start + i * step)).collect()))
}

fn dict(pairs: &Value) -> Result<Value> {
    if let Value::Dict(_) = pairs {
        return Ok(pairs.clone());
    }
    let pair = |item: Value| match item.as_items().as_deref() {
        Some([Value::Str(key), value]) => Ok((key.to_string(), value.clone())),
        _ => failed("dict: needs pairs of a text and a value"),
    };
    let pairs: Vec<(String, Value)> = iterate(pairs)?.into_iter().map(pair).collect::<Result<_>>()?;
    Ok(Value::Dict(Rc::new(pairs)))
}

fn sum(a: &mut Args) -> Result<Value> {
    let items = iterate(&a.need(0, "x")?)?;
    let start = a.or(1, "start", Value::Int(0))?;
    items.iter().try_fold(start, |total, item| operators::binary("+", &total, item))
}

fn absolute(value: &Value) -> Result<Value> {
    match value {
        Value::Int(i) => Ok(Value::Int(i.abs())),
        Value::Float(x) => Ok(x.abs().into()),
        Value::Tensor(t) => Ok(t.abs().into()),
        Value::Array(t) => Ok(Value::Array(t.abs())),
        other => failed(format!("abs of a {}", other.class())),
    }
}

fn float(a: &mut Args) -> Result<Value> {
    let value: Value = a.need(0, "x")?;
    let parsed = match &value {
        // Rust reads `inf`, `-inf` and `nan` as Python does.
        Value::Str(text) => text.trim().parse().ok(),
        other => other.as_float(),
    };
    parsed.map_or_else(|| failed(format!("float of a {}", value.class())), |x: f64| Ok(x.into()))
}

fn zip(a: &mut Args) -> Result<Value> {
    let columns: Vec<Vec<Value>> = a.rest(0).iter().map(iterate).collect::<Result<_>>()?;
    let rows = columns.iter().map(Vec::len).min().unwrap_or(0);
    Ok(Value::list((0..rows).map(|i| Value::tuple(columns.iter().map(|c| c[i].clone()).collect())).collect()))
}

fn with_list(a: &mut Args, f: impl FnOnce(&mut Vec<Value>, Value)) -> Result<Value> {
    let (list, value) = (a.need(0, "self")?, a.need(1, "x")?);
    match list {
        Value::List(items) => {
            f(&mut items.borrow_mut(), value);
            Ok(Value::None)
        }
        other => failed(format!("not a list: {}", other.class())),
    }
}
