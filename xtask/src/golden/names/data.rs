//! `torch.utils.data`.

use super::Entry;
use super::random::drawing;
use crate::golden::eval::iterate;
use crate::golden::fault::{Result, failed, unsupported};
use crate::golden::value::{Args, FromValue, Object, Value, with_object};
use rekindle_data::sampler::{
    RandomSampler, ReplacementSampler, Sampler, SubsetRandomSampler, WeightedRandomSampler,
};
use rekindle_data::split::{lengths_of_fractions, random_split};
use rekindle_data::{DataLoader, TensorDataset};
use rekindle_tensor::Tensor;
use rekindle_tensor::random::{Generator, with_default};
use std::rc::Rc;

pub const TABLE: &[Entry] = &[
    ("torch.utils.data.TensorDataset", dataset),
    ("torch.utils.data.DataLoader", loader),
    ("DataLoader.__len__", |a| {
        with_object(&*a.need::<Rc<Object>>(0, "self")?, |l: &mut Loader| l.loader.len().into())
    }),
    ("DataLoader.__iter__", |a| {
        let this: Rc<Object> = a.need(0, "self")?;
        let mut batches = Vec::new();
        let mut keep = |batch| {
            batches.push(batch);
            Ok(true)
        };
        match each_batch(&this, &mut keep) {
            Some(done) => done.map(|()| Value::list(batches)),
            None => failed("not a loader"),
        }
    }),
    ("torch.utils.data.random_split", split),
    ("Subset.indices", |a| {
        let this: Rc<Object> = a.need(0, "self")?;
        with_object(&this, |s: &mut Vec<usize>| Value::list(s.iter().map(|i| (*i).into()).collect()))
    }),
    ("Subset.__len__", |a| {
        let this: Rc<Object> = a.need(0, "self")?;
        with_object(&this, |s: &mut Vec<usize>| s.len().into())
    }),
    ("torch.utils.data.RandomSampler", |a| {
        let n = length(a)?;
        let num_samples = a.opt(2, "num_samples")?.unwrap_or(n);
        let replacement = a.or(1, "replacement", false)?;
        sampler(
            a,
            if replacement {
                Box::new(ReplacementSampler { n, num_samples })
            } else {
                Box::new(RandomSampler { n })
            },
        )
    }),
    ("torch.utils.data.SubsetRandomSampler", |a| {
        let indices = a.need(0, "indices")?;
        sampler(a, Box::new(SubsetRandomSampler { indices }))
    }),
    ("torch.utils.data.WeightedRandomSampler", |a| {
        let (weights, num_samples) = (a.need(0, "weights")?, a.need(1, "num_samples")?);
        let replacement = a.or(2, "replacement", true)?;
        sampler(a, Box::new(WeightedRandomSampler { weights, num_samples, replacement }))
    }),
    ("Sampler.__iter__", |a| {
        let this: Rc<Object> = a.need(0, "self")?;
        let order = with_object(&this, |s: &mut Sampling| s.pass())??;
        Ok(Value::list(order.into_iter().map(Value::from).collect()))
    }),
];

/// A sampler with its own generator, if it has one.
struct Sampling {
    sampler: Box<dyn Sampler>,
    generator: Option<Value>,
}

impl Sampling {
    /// The indices of one pass taken to its end.
    fn pass(&self) -> Result<Vec<usize>> {
        match &self.generator {
            Some(Value::Object(own)) => with_object(own, |g: &mut Generator| {
                let order = self.sampler.order(Some(g));
                self.sampler.finish(Some(g));
                order
            }),
            _ => {
                let order = self.sampler.order(None);
                self.sampler.finish(None);
                Ok(order)
            }
        }
    }
}

fn sampler(a: &mut Args, sampler: Box<dyn Sampler>) -> Result<Value> {
    Ok(Value::object("Sampler", Sampling { sampler, generator: a.take(usize::MAX, "generator") }))
}

/// The length of the data source that comes first.
fn length(a: &mut Args) -> Result<usize> {
    Ok(iterate(&a.need(0, "data_source")?)?.len())
}

fn split(a: &mut Args) -> Result<Value> {
    let n = length(a)?;
    let lengths: Vec<Value> = a.need(1, "lengths")?;
    let lengths = if lengths.iter().any(|v| matches!(v, Value::Float(_))) {
        let fractions: Vec<f64> = lengths.iter().filter_map(Value::as_float).collect();
        lengths_of_fractions(n, &fractions)
    } else {
        lengths.iter().filter_map(Value::as_int).map(|i| i as usize).collect()
    };
    if lengths.iter().sum::<usize>() != n {
        return failed(format!("random_split: {lengths:?} of {n}"));
    }
    let generator = a.take(usize::MAX, "generator");
    let parts = drawing(generator, || with_default(|g| random_split(&lengths, g)))?;
    Ok(Value::list(parts.into_iter().map(|part| Value::object("Subset", part)).collect()))
}

/// A loader with the number of tensors in a sample and the generator it was given.
#[derive(Clone)]
struct Loader {
    loader: Rc<DataLoader>,
    tensors: usize,
    generator: Option<Value>,
}

/// One or two tensors with equally many rows.
fn dataset(a: &mut Args) -> Result<Value> {
    let tensors: Vec<Tensor> = a.rest(0).iter().filter_map(Tensor::from_value).collect();
    match tensors.as_slice() {
        [x] => Ok(Value::object("Dataset", (TensorDataset::new(x.clone(), x.clone()), 1usize))),
        [x, y] => Ok(Value::object("Dataset", (TensorDataset::new(x.clone(), y.clone()), 2usize))),
        _ => unsupported("TensorDataset of other than one or two tensors"),
    }
}

fn loader(a: &mut Args) -> Result<Value> {
    let (set, tensors) =
        with_object(&*a.need::<Rc<Object>>(0, "dataset")?, |d: &mut (TensorDataset, usize)| d.clone())?;
    let mut loader = DataLoader::new(set)
        .batch_size(a.or(1, "batch_size", 1)?)
        .shuffle(a.or(2, "shuffle", false)?)
        .drop_last(a.or(usize::MAX, "drop_last", false)?);
    let generator = a.take(usize::MAX, "generator");
    if let Some(Value::Object(own)) = &generator {
        loader = loader.generator(with_object(own, |g: &mut Generator| g.clone())?);
    }
    Ok(Value::object("DataLoader", Loader { loader: Rc::new(loader), tensors, generator }))
}

/// Goes through a loader batch by batch; `None` for other objects.
pub fn each_batch(object: &Object, f: &mut dyn FnMut(Value) -> Result<bool>) -> Option<Result<()>> {
    let Loader { loader, tensors, generator } = object.inner.borrow().downcast_ref::<Loader>()?.clone();
    for (x, y) in &*loader {
        let batch = [x, y].into_iter().take(tensors).map(Value::Tensor).collect();
        match f(Value::tuple(batch)) {
            Ok(true) => {}
            Ok(false) => break,
            Err(fault) => return Some(Err(fault)),
        }
    }
    // The loader draws from a copy of the generator that the program holds.
    if let (Some(Value::Object(own)), Some(state)) = (&generator, loader.generator_state())
        && let Err(fault) = with_object(own, |g: &mut Generator| g.set_state(&state).is_ok())
    {
        return Some(Err(fault));
    }
    Some(Ok(()))
}
