//! Indexing and slicing of sequences, tensors and arrays.

use super::eval::iterate;
use super::fault::{Fault, Result, failed, unsupported};
use super::value::{Args, FromValue, Object, Value, array_of};
use rekindle_tensor::{DType, Tensor};

/// `a:b:c` inside an index.
pub struct Slice(pub Vec<Value>);

/// `of[at]`.
pub fn get(of: &Value, at: &Value) -> Result<Value> {
    match of {
        Value::List(_) | Value::Tuple(_) => sequence(of, at),
        Value::Dict(d) => match at {
            Value::Str(key) => match d.iter().find(|(k, _)| **k == **key) {
                Some((_, v)) => Ok(v.clone()),
                None => failed(format!("no key '{key}'")),
            },
            other => failed(format!("a dictionary has no {} keys here", other.class())),
        },
        Value::Tensor(t) => tensor(t, at).map(Value::Tensor),
        Value::Array(t) => tensor(t, at).map(Value::Array),
        Value::Function(name) if &**name == "np.c_" => columns(at),
        Value::Object(o) => {
            let name = format!("{}.__getitem__", o.class);
            let Some(f) = super::names::function(&name, &[]) else { return unsupported(name) };
            f(&mut Args::special(&name, vec![of.clone(), at.clone()]))
        }
        other => unsupported(format!("indexing of {}", other.class())),
    }
}

fn sequence(of: &Value, at: &Value) -> Result<Value> {
    let items = of.as_items().unwrap_or_default();
    if let Some(slice) = as_slice(at) {
        let (start, len) = slice.range(items.len())?;
        let part = items[start..start + len].to_vec();
        return Ok(if matches!(of, Value::Tuple(_)) { Value::tuple(part) } else { Value::list(part) });
    }
    match at.as_int().and_then(|i| position(i, items.len())) {
        Some(i) => Ok(items[i].clone()),
        None => failed(format!("index out of range of {} items", items.len())),
    }
}

/// The place that index `i` means among `n`.
fn position(i: i128, n: usize) -> Option<usize> {
    let i = if i < 0 { i + n as i128 } else { i };
    usize::try_from(i).ok().filter(|i| *i < n)
}

struct Range(Option<i128>, Option<i128>);

fn as_slice(at: &Value) -> Option<Range> {
    let Value::Object(o) = at else { return None };
    slice_parts(o)
}

fn slice_parts(o: &Object) -> Option<Range> {
    let inner = o.inner.borrow();
    let Slice(parts) = inner.downcast_ref::<Slice>()?;
    let step = parts.get(2).and_then(Value::as_int).unwrap_or(1);
    (step == 1).then(|| Range(parts.first().and_then(Value::as_int), parts.get(1).and_then(Value::as_int)))
}

impl Range {
    /// Start and length within `n` items, as Python clips them.
    fn range(&self, n: usize) -> Result<(usize, usize)> {
        let clip = |i: Option<i128>, default: usize| {
            let i = i.unwrap_or(default as i128);
            (if i < 0 { i + n as i128 } else { i }).clamp(0, n as i128) as usize
        };
        let (start, end) = (clip(self.0, 0), clip(self.1, n));
        Ok((start, end.saturating_sub(start)))
    }
}

/// `t[at]` as a view where possible: integers select, slices narrow, `None` adds a dimension; one tensor or list
/// of integers, or a mask, picks rows.
fn tensor(t: &Tensor, at: &Value) -> Result<Tensor> {
    let parts = if let Value::Tuple(parts) = at { parts.to_vec() } else { vec![at.clone()] };
    if let Some(flat) = elements(t, &parts)? {
        return Ok(t.reshape([-1]).index_select(0, &flat));
    }
    let (mut out, mut dim) = (t.clone(), 0);
    for part in &parts {
        if matches!(part, Value::None) {
            out = out.unsqueeze(dim as isize);
            dim += 1;
        } else if let Some(slice) = as_slice(part) {
            let n = size(&out, dim)?;
            let (start, len) = slice.range(n)?;
            out = out.narrow(dim as isize, start, len);
            dim += 1;
        } else if let Some(i) = part.as_int() {
            let n = size(&out, dim)?;
            let Some(i) = position(i, n) else {
                return failed(format!("index {i} out of range of {n} rows"));
            };
            out = out.select(dim as isize, i as isize);
        } else if matches!(part, Value::Object(_)) {
            return unsupported("slice with a step");
        } else {
            out = out.index_select(dim as isize, &row_numbers(part)?);
            dim += 1;
        }
    }
    Ok(out)
}

/// Row-major positions, where the index picks single elements: by a mask of the tensor's shape, or by one list of
/// integers for each dimension.
fn elements(t: &Tensor, parts: &[Value]) -> Result<Option<Tensor>> {
    if let [Value::Tensor(mask) | Value::Array(mask)] = parts
        && mask.dtype() == DType::Bool
        && mask.dim() > 1
    {
        return row_numbers(&Value::Tensor(mask.reshape([-1]))).map(Some);
    }
    let lists =
        || parts.iter().all(|p| p.as_tensor().is_some_and(|p| p.dim() == 1 && p.dtype() == DType::I64));
    if parts.len() < 2 || parts.len() != t.dim() || !lists() {
        return Ok(None);
    }
    let columns: Vec<Vec<i64>> = parts.iter().filter_map(|p| p.as_tensor()).map(|p| p.to_vec()).collect();
    let n = columns[0].len();
    let place = |i: usize| {
        let step = |at: Option<usize>, (column, size): (&Vec<i64>, &usize)| {
            Some(at? * size + position((*column.get(i)?).into(), *size)?)
        };
        columns.iter().zip(t.shape()).fold(Some(0), step).map(|p| p as i64)
    };
    match (0..n).map(place).collect::<Option<Vec<i64>>>() {
        Some(flat) => Ok(Some(Tensor::from_vec(flat, [n]))),
        None => failed("an index is out of range"),
    }
}

fn size(t: &Tensor, dim: usize) -> Result<usize> {
    t.shape().get(dim).copied().ok_or_else(|| Fault::Failed("more indices than dimensions".into()))
}

/// The rows that a mask, or integers, pick.
fn row_numbers(at: &Value) -> Result<Tensor> {
    let picked = match at {
        Value::Tensor(t) | Value::Array(t) => t.clone(),
        other => array_of(&Value::list(iterate(other)?))?,
    };
    match picked.dtype() {
        DType::I64 => Ok(picked),
        DType::Bool if picked.dim() == 1 => {
            let hits = (0i64..).zip(picked.to_vec::<bool>()).filter(|(_, hit)| *hit).map(|(i, _)| i);
            let hits: Vec<i64> = hits.collect();
            let n = hits.len();
            Ok(Tensor::from_vec(hits, [n]))
        }
        other => unsupported(format!("index of type {other}")),
    }
}

/// `of[at] = value`: an item of a list, or rows of a tensor or array.
pub fn set(of: &Value, at: &Value, value: &Value) -> Result<()> {
    match of {
        Value::List(items) => {
            let n = items.borrow().len();
            match at.as_int().and_then(|i| position(i, n)) {
                Some(i) => items.borrow_mut()[i] = value.clone(),
                None => return failed(format!("index out of range of {n} items")),
            }
            Ok(())
        }
        Value::Tensor(t) | Value::Array(t) => set_elements(t, at, value),
        Value::Object(o) => {
            let name = format!("{}.__setitem__", o.class);
            let Some(f) = super::names::function(&name, &[]) else { return unsupported(name) };
            let args = vec![of.clone(), at.clone(), value.clone()];
            f(&mut Args::special(&name, args)).map(drop)
        }
        other => unsupported(format!("item assignment on {}", other.class())),
    }
}

/// Writes `value`, broadcast, at the positions that `at` picks.
fn set_elements(t: &Tensor, at: &Value, value: &Value) -> Result<()> {
    let places = Tensor::arange(0, t.numel() as i64, 1).reshape(sizes(t));
    let picked = tensor(&places, at)?;
    let source = match value {
        Value::Tensor(v) | Value::Array(v) => v.detach(),
        other => array_of(other)?,
    };
    let source = source.to(DType::F64).expand(picked.shape()).to_vec::<f64>();
    let all = t.detach();
    let mut data = all.to(DType::F64).to_vec::<f64>();
    for (place, value) in picked.to_vec::<i64>().into_iter().zip(source) {
        data[place as usize] = value;
    }
    all.copy_(&Tensor::from_vec(data, t.shape()));
    Ok(())
}

fn sizes(t: &Tensor) -> Vec<isize> {
    t.shape().iter().map(|n| *n as isize).collect()
}

/// `np.c_[a, b]`: vectors as the columns of a matrix.
fn columns(at: &Value) -> Result<Value> {
    let Some(vectors) = Vec::<Tensor>::from_value(at) else {
        return unsupported("np.c_ of other than arrays");
    };
    if vectors.iter().any(|v| v.dim() != 1) {
        return unsupported("np.c_ of other than vectors");
    }
    Ok(Value::Array(Tensor::stack(&vectors, 1)))
}
