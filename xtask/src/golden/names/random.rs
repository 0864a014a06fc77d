//! PyTorch's random streams.

use super::Entry;
use crate::golden::fault::{Fault, Result, failed, unsupported};
use crate::golden::shim::Shim as _;
use crate::golden::value::{Args, FromValue, Object, Value, with_object};
use rekindle_tensor::random::{self, Float, Generator, Number};
use rekindle_tensor::{DType, Tensor};
use std::rc::Rc;

pub const TABLE: &[Entry] = &[
    ("torch.manual_seed", |a| seed(a, 0).map(|s| random::manual_seed(s).into())),
    ("torch.initial_seed", |_| Ok(Value::Int(random::initial_seed().into()))),
    ("torch.get_rng_state", |_| Ok(bytes(&random::with_default(|g| g.get_state())))),
    ("torch.set_rng_state", |a| {
        let state: Vec<i64> = a.need(0, "new_state")?;
        let state: Vec<u8> = state.into_iter().map(|b| b as u8).collect();
        random::with_default(|g| g.set_state(&state)).map_err(|e| Fault::Failed(e.to_string()))?;
        Ok(Value::None)
    }),
    ("torch.Generator", |_| Ok(Value::object("Generator", Generator::new()))),
    ("Generator.manual_seed", |a| {
        let (this, seed) = (a.need::<Rc<Object>>(0, "self")?, seed(a, 1)?);
        with_object(&this, |g: &mut Generator| drop(g.manual_seed(seed)))?;
        Ok(Value::Object(this))
    }),
    ("Generator.initial_seed", |a| {
        let this: Rc<Object> = a.need(0, "self")?;
        with_object(&this, |g: &mut Generator| Value::Int(g.initial_seed().into()))
    }),
    ("Generator.get_state", |a| {
        let this: Rc<Object> = a.need(0, "self")?;
        with_object(&this, |g: &mut Generator| bytes(&g.get_state()))
    }),
    ("torch.rand", |a| fresh(a, DType::F32, Draw::Uniform(0.0, 1.0))),
    ("torch.randn", |a| fresh(a, DType::F32, Draw::Normal(0.0, 1.0))),
    ("torch.randint", randint),
    ("torch.randperm", |a| {
        let n: usize = a.need(0, "n")?;
        Ok(indices(&on_generator(a, |g| g.randperm(n))?))
    }),
    ("torch.bernoulli", |a| {
        let p: Tensor = a.need(0, "input")?;
        let x = Tensor::zeros_like(&p);
        on_generator(a, |g| match p.dtype() {
            DType::F64 => x.with_data_mut::<f64, _>(|x| g.bernoulli_each(x, &p.data::<f64>())),
            _ => x.with_data_mut::<f32, _>(|x| g.bernoulli_each(x, &p.data::<f32>())),
        })?;
        Ok(x.into())
    }),
    ("torch.multinomial", |a| {
        let (w, n, replacement): (Tensor, usize, bool) =
            (a.need(0, "input")?, a.need(1, "num_samples")?, a.or(2, "replacement", false)?);
        Ok(indices(&on_generator(a, |g| match w.dtype() {
            DType::F64 => g.multinomial(&w.data::<f64>(), n, replacement),
            _ => g.multinomial(&w.data::<f32>(), n, replacement),
        })?))
    }),
    ("torch.normal", |a| {
        let (mean, std): (Tensor, Tensor) = (a.need(0, "mean")?, a.need(1, "std")?);
        let x = Tensor::zeros(mean.shape());
        let (mean, std) = (mean.data::<f32>(), std.data::<f32>());
        on_generator(a, |g| x.with_data_mut::<f32, _>(|x| g.normal_each(x, &mean, &std)))?;
        Ok(x.into())
    }),
    ("Tensor.uniform_", |a| in_place(a, &[("from", 0.0), ("to", 1.0)], |p| Draw::Uniform(p[0], p[1]))),
    ("Tensor.normal_", |a| in_place(a, &[("mean", 0.0), ("std", 1.0)], |p| Draw::Normal(p[0], p[1]))),
    ("Tensor.log_normal_", |a| in_place(a, &[("mean", 1.0), ("std", 2.0)], |p| Draw::LogNormal(p[0], p[1]))),
    ("Tensor.exponential_", |a| in_place(a, &[("lambd", 1.0)], |p| Draw::Exponential(p[0]))),
    ("Tensor.cauchy_", |a| in_place(a, &[("median", 0.0), ("sigma", 1.0)], |p| Draw::Cauchy(p[0], p[1]))),
    ("Tensor.geometric_", |a| in_place(a, &[("p", f64::NAN)], |p| Draw::Geometric(p[0]))),
    ("Tensor.bernoulli_", |a| in_place(a, &[("p", 0.5)], |p| Draw::Bernoulli(p[0]))),
    ("Tensor.random_", |a| in_place(a, &[], |_| Draw::Random)),
    // There are no 32-bit integer tensors here, but their stream is: it is drawn from a different word.
    ("int32.random_", |a| {
        let this: Rc<Object> = a.need(0, "self")?;
        let shape = with_object(&this, |shape: &mut Vec<usize>| shape.clone())?;
        let mut x = vec![0i32; shape.iter().product()];
        on_generator(a, |g| g.random(&mut x))?;
        Ok(Tensor::from_vec(x.into_iter().map(i64::from).collect::<Vec<_>>(), shape).into())
    }),
];

/// A distribution with its parameters.
enum Draw {
    Uniform(f64, f64),
    Normal(f64, f64),
    LogNormal(f64, f64),
    Exponential(f64),
    Cauchy(f64, f64),
    Geometric(f64),
    Bernoulli(f64),
    Random,
    Integers(i64, i64),
}

impl Draw {
    /// Fills floats; normals of a tensor that is not contiguous are drawn one by one.
    fn floats<T: Float>(&self, g: &mut Generator, x: &mut [T], contiguous: bool) {
        match *self {
            Draw::Uniform(a, b) => g.uniform(x, a, b),
            Draw::Normal(mean, std) if contiguous => g.normal(x, mean, std),
            Draw::Normal(mean, std) => g.normal_serial(x, mean, std),
            Draw::LogNormal(mean, std) => g.log_normal(x, mean, std),
            _ => self.numbers(g, x),
        }
    }

    fn numbers<T: Number>(&self, g: &mut Generator, x: &mut [T]) {
        match *self {
            Draw::Exponential(lambda) => g.exponential(x, lambda),
            Draw::Cauchy(median, sigma) => g.cauchy(x, median, sigma),
            Draw::Geometric(p) => g.geometric(x, p),
            Draw::Bernoulli(p) => g.bernoulli(x, p),
            Draw::Random => g.random(x),
            Draw::Integers(low, high) => g.randint(x, low, high),
            _ => panic!("this distribution has no integers"),
        }
    }

    /// Fills a tensor in the order of its memory.
    fn fill(&self, g: &mut Generator, x: &Tensor) {
        let (contiguous, x) = (x.is_contiguous(), in_memory_order(x));
        match x.dtype() {
            DType::F32 => x.with_data_mut::<f32, _>(|x| self.floats(g, x, contiguous)),
            DType::F64 => x.with_data_mut::<f64, _>(|x| self.floats(g, x, contiguous)),
            DType::I64 => x.with_data_mut::<i64, _>(|x| self.numbers(g, x)),
            DType::Bool => x.with_data_mut::<bool, _>(|x| self.numbers(g, x)),
        }
    }
}

/// A view whose row-major order is the order of addresses: dimensions by falling stride.
fn in_memory_order(x: &Tensor) -> Tensor {
    let mut dims: Vec<isize> = (0..x.dim() as isize).collect();
    dims.sort_by_key(|d| std::cmp::Reverse(x.strides()[*d as usize]));
    x.detach().permute(dims)
}

fn fresh(a: &mut Args, default: DType, draw: Draw) -> Result<Value> {
    let dtype = a.or(usize::MAX, "dtype", default)?;
    let generator = a.take(usize::MAX, "generator");
    let x = Tensor::full_of(a.shape(0)?, 0.0, dtype);
    with_generator(generator, |g| draw.fill(g, &x))?;
    Ok(x.into())
}

fn in_place(a: &mut Args, parameters: &[(&str, f64)], draw: fn(&[f64]) -> Draw) -> Result<Value> {
    let x: Tensor = a.need(0, "self")?;
    let values = parameters.iter().enumerate().map(|(i, (name, default))| a.or(i + 1, name, *default));
    let draw = draw(&values.collect::<Result<Vec<f64>>>()?);
    on_generator(a, |g| draw.fill(g, &x))?;
    Ok(x.into())
}

/// `torch.randint(high, size)` or `torch.randint(low, high, size)`.
fn randint(a: &mut Args) -> Result<Value> {
    let (first, second): (i64, Value) = (a.need(0, "low")?, a.need(1, "high")?);
    let (low, high, size) = match second.as_int().and_then(|i| i.try_into().ok()) {
        Some(high) => (first, high, a.need(2, "size")?),
        None => (0, first, second),
    };
    let Some(shape) = Vec::<usize>::from_value(&size) else { return failed("torch.randint: no size") };
    let x = Tensor::full_of(shape, 0, a.or(usize::MAX, "dtype", DType::I64)?);
    on_generator(a, |g| Draw::Integers(low, high).fill(g, &x))?;
    Ok(x.into())
}

/// Draws from the `generator` given, else from the default one.
pub fn on_generator<R>(a: &mut Args, draw: impl FnOnce(&mut Generator) -> R) -> Result<R> {
    with_generator(a.take(usize::MAX, "generator"), draw)
}

fn with_generator<R>(generator: Option<Value>, draw: impl FnOnce(&mut Generator) -> R) -> Result<R> {
    match generator {
        None | Some(Value::None) => Ok(random::with_default(draw)),
        Some(Value::Object(own)) => with_object(&own, draw),
        Some(other) => unsupported(format!("generator of class {}", other.class())),
    }
}

/// A seed in -2^63 .. 2^64.
fn seed(a: &mut Args, i: usize) -> Result<u64> {
    let seed: i128 = a.need(i, "seed")?;
    match u64::try_from(seed).or(i64::try_from(seed).map(|s| s as u64)) {
        Ok(seed) => Ok(seed),
        Err(_) => failed(format!("seed {seed} is out of range")),
    }
}

/// Indices as a tensor.
pub fn indices(values: &[usize]) -> Value {
    Tensor::from_vec(values.iter().map(|i| *i as i64).collect::<Vec<_>>(), [values.len()]).into()
}

fn bytes(values: &[u8]) -> Value {
    Tensor::from_vec(values.iter().map(|b| i64::from(*b)).collect::<Vec<_>>(), [values.len()]).into()
}
