//! PyTorch's random streams.

use super::Entry;
use crate::golden::fault::{Fault, Result, failed, unsupported};
use crate::golden::value::{Args, FromValue, Object, Value, with_object};
use rekindle_tensor::random::{self, Generator, with_default};
use rekindle_tensor::{DType, Tensor};
use std::rc::Rc;

pub const TABLE: &[Entry] = &[
    ("torch.manual_seed", |a| {
        random::manual_seed(seed(a, 0)?);
        Ok(().into())
    }),
    ("torch.initial_seed", |_| Ok(Value::Int(random::initial_seed().into()))),
    ("torch.get_rng_state", |_| Ok(bytes(&with_default(|g| g.get_state())))),
    ("torch.set_rng_state", |a| {
        let state: Vec<i64> = a.need(0, "new_state")?;
        let state: Vec<u8> = state.into_iter().map(|b| b as u8).collect();
        with_default(|g| g.set_state(&state)).map_err(|e| Fault::Failed(e.to_string()))?;
        Ok(Value::None)
    }),
    ("torch.Generator", |_| Ok(Value::object("Generator", Generator::new()))),
    ("Generator.manual_seed", |a| {
        let (this, seed) = (a.need::<Rc<Object>>(0, "self")?, seed(a, 1)?);
        with_object(&this, |g: &mut Generator| {
            g.manual_seed(seed);
        })?;
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
    ("torch.rand", |a| {
        let (dtype, g) = (dtype(a)?, generator(a));
        let shape = a.shape(0)?;
        drawing(g, || Tensor::rand_of(shape, dtype).into())
    }),
    ("torch.randn", |a| {
        let (dtype, g) = (dtype(a)?, generator(a));
        let shape = a.shape(0)?;
        drawing(g, || Tensor::randn_of(shape, dtype).into())
    }),
    ("torch.rand_like", |a| Ok(Tensor::rand_like(&a.need(0, "input")?).into())),
    ("torch.randn_like", |a| Ok(Tensor::randn_like(&a.need(0, "input")?).into())),
    ("torch.randint", randint),
    ("torch.randperm", |a| {
        let (n, g) = (a.need(0, "n")?, generator(a));
        drawing(g, || Tensor::randperm(n).into())
    }),
    ("torch.bernoulli", |a| {
        let (p, g) = (a.need::<Tensor>(0, "input")?, generator(a));
        drawing(g, || p.bernoulli().into())
    }),
    ("torch.multinomial", |a| {
        let (w, n, replacement): (Tensor, usize, bool) =
            (a.need(0, "input")?, a.need(1, "num_samples")?, a.or(2, "replacement", false)?);
        let g = generator(a);
        drawing(g, || w.multinomial(n, replacement).into())
    }),
    ("torch.normal", |a| {
        let (mean, std, g): (Tensor, Tensor, _) = (a.need(0, "mean")?, a.need(1, "std")?, generator(a));
        drawing(g, || Tensor::normal(&mean, &std).into())
    }),
    ("Tensor.uniform_", |a| {
        in_place(a, &[("from", 0.0), ("to", 1.0)], |x, p| {
            x.uniform_(p[0], p[1]);
        })
    }),
    ("Tensor.normal_", |a| {
        in_place(a, &[("mean", 0.0), ("std", 1.0)], |x, p| {
            x.normal_(p[0], p[1]);
        })
    }),
    ("Tensor.log_normal_", |a| {
        in_place(a, &[("mean", 1.0), ("std", 2.0)], |x, p| {
            x.log_normal_(p[0], p[1]);
        })
    }),
    ("Tensor.exponential_", |a| {
        in_place(a, &[("lambd", 1.0)], |x, p| {
            x.exponential_(p[0]);
        })
    }),
    ("Tensor.cauchy_", |a| {
        in_place(a, &[("median", 0.0), ("sigma", 1.0)], |x, p| {
            x.cauchy_(p[0], p[1]);
        })
    }),
    ("Tensor.geometric_", |a| {
        in_place(a, &[("p", f64::NAN)], |x, p| {
            x.geometric_(p[0]);
        })
    }),
    ("Tensor.bernoulli_", |a| {
        in_place(a, &[("p", 0.5)], |x, p| {
            x.bernoulli_(p[0]);
        })
    }),
    ("Tensor.random_", |a| {
        in_place(a, &[], |x, _| {
            x.random_();
        })
    }),
    // There are no 32-bit integer tensors here, but their stream is: it is drawn from a different word.
    ("int32.random_", |a| {
        let this: Rc<Object> = a.need(0, "self")?;
        let shape = with_object(&this, |shape: &mut Vec<usize>| shape.clone())?;
        let mut x = vec![0i32; shape.iter().product()];
        let g = generator(a);
        drawing(g, || with_default(|g| g.random(&mut x)))?;
        Ok(Tensor::from_vec(x.into_iter().map(i64::from).collect::<Vec<_>>(), shape).into())
    }),
];

/// The `dtype` keyword, f32 by default.
fn dtype(a: &mut Args) -> Result<DType> {
    a.or(usize::MAX, "dtype", DType::F32)
}

fn generator(a: &mut Args) -> Option<Value> {
    a.take(usize::MAX, "generator")
}

/// Draws with the generator given in place of the default one.
pub fn drawing<R>(generator: Option<Value>, draw: impl FnOnce() -> R) -> Result<R> {
    match generator {
        None | Some(Value::None) => Ok(draw()),
        Some(Value::Object(own)) => with_object(&own, |g: &mut Generator| random::with_generator(g, draw)),
        Some(other) => unsupported(format!("generator of class {}", other.class())),
    }
}

fn in_place(a: &mut Args, parameters: &[(&str, f64)], draw: fn(&Tensor, &[f64])) -> Result<Value> {
    let (x, g): (Tensor, _) = (a.need(0, "self")?, generator(a));
    let values = parameters.iter().enumerate().map(|(i, (name, default))| a.or(i + 1, name, *default));
    let values = values.collect::<Result<Vec<f64>>>()?;
    drawing(g, || draw(&x, &values))?;
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
    let g = generator(a);
    drawing(g, || Tensor::randint(low, high, shape).into())
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
