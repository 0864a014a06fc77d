//! scikit-learn's generators and splits.

use super::Entry;
use super::random::indices;
use crate::golden::fault::{Result, failed, unsupported};
use crate::golden::value::{Args, FromValue, Object, Value, array_of, with_object};
use rekindle_data::split::{
    KFold, PartSize, Split, StratifiedKFold, stratified_train_test_split, train_test_split,
};
use rekindle_data::synthetic::{Blobs, Circles, Moons, Points};
use rekindle_tensor::Tensor;
use std::rc::Rc;

pub const TABLE: &[Entry] = &[
    ("make_circles", |a| {
        let n_samples = a.or(0, "n_samples", 100)?;
        let (shuffle, noise) = (a.or(1, "shuffle", true)?, a.opt(2, "noise")?.unwrap_or(0.0));
        let random_state = random_state(a, 3, shuffle || noise != 0.0)?;
        let factor = a.or(4, "factor", 0.8)?;
        Ok(points(Circles { n_samples, shuffle, noise, random_state, factor }.generate()))
    }),
    ("make_moons", |a| {
        let n_samples = a.or(0, "n_samples", 100)?;
        let (shuffle, noise) = (a.or(1, "shuffle", true)?, a.opt(2, "noise")?.unwrap_or(0.0));
        let random_state = random_state(a, 3, shuffle || noise != 0.0)?;
        Ok(points(Moons { n_samples, shuffle, noise, random_state }.generate()))
    }),
    ("make_blobs", |a| {
        let (n_samples, n_features) = (a.or(0, "n_samples", 100)?, a.or(1, "n_features", 2)?);
        let (centers, cluster_std) = (a.or(2, "centers", 3)?, a.or(3, "cluster_std", 1.0)?);
        let center_box = match a.or::<Vec<f64>>(4, "center_box", vec![-10.0, 10.0])?[..] {
            [low, high] => (low, high),
            _ => return failed("make_blobs: center_box has two ends"),
        };
        let shuffle = a.or(5, "shuffle", true)?;
        let random_state = random_state(a, 6, true)?;
        let blobs = Blobs { n_samples, n_features, centers, cluster_std, center_box, shuffle, random_state };
        Ok(points(blobs.generate()))
    }),
    ("train_test_split", split),
    ("KFold", |a| {
        Ok(Value::object("KFold", KFold { n_splits: a.or(0, "n_splits", 5)?, shuffle: folds_shuffle(a)? }))
    }),
    ("StratifiedKFold", |a| {
        let n_splits = a.or(0, "n_splits", 5)?;
        Ok(Value::object("StratifiedKFold", StratifiedKFold { n_splits, shuffle: folds_shuffle(a)? }))
    }),
    ("KFold.split", |a| {
        let (this, x): (Rc<Object>, Value) = (a.need(0, "self")?, a.need(1, "X")?);
        let n = array_of(&x)?.size(0);
        with_object(&this, |k: &mut KFold| folds(k.split(n)))
    }),
    ("StratifiedKFold.split", |a| {
        let this: Rc<Object> = a.need(0, "self")?;
        a.take(1, "X");
        let labels: Vec<i64> = a.need(2, "y")?;
        with_object(&this, |k: &mut StratifiedKFold| folds(k.split(&labels)))
    }),
];

/// `X, y` as arrays.
fn points(p: Points) -> Value {
    let (n, features) = (p.len(), p.n_features);
    let x = Tensor::from_vec(p.features, [n, features]);
    Value::tuple(vec![Value::Array(x), Value::Array(Tensor::from_vec(p.labels, [n]))])
}

/// A seed; without one the result would differ from run to run, unless nothing is drawn.
fn random_state(a: &mut Args, i: usize, draws: bool) -> Result<u32> {
    match a.opt::<i128>(i, "random_state")? {
        Some(seed) => u32::try_from(seed).map_or_else(|_| failed("random_state is out of range"), Ok),
        None if !draws => Ok(0),
        None => unsupported(format!("{} without random_state", a.name)),
    }
}

fn folds_shuffle(a: &mut Args) -> Result<Option<u32>> {
    let shuffle = a.or(1, "shuffle", false)?;
    let seed = random_state(a, 2, shuffle)?;
    Ok(shuffle.then_some(seed))
}

fn folds(splits: Vec<Split>) -> Value {
    let array = |part: &[usize]| indices(part).as_tensor().cloned().map_or(Value::None, Value::Array);
    let pair = |s: Split| Value::tuple(vec![array(&s.train), array(&s.test)]);
    Value::list(splits.into_iter().map(pair).collect())
}

/// Each array in turn gives its training and its test rows.
fn split(a: &mut Args) -> Result<Value> {
    let arrays = a.rest(0);
    let Some(n) = arrays.first().and_then(|v| v.as_tensor().map(|t| t.size(0))) else {
        return unsupported("train_test_split of other than arrays");
    };
    if a.take(usize::MAX, "train_size").is_some() || !a.or(usize::MAX, "shuffle", true)? {
        return unsupported("train_test_split(train_size=.., shuffle=False)");
    }
    let size = match a.or(usize::MAX, "test_size", Value::Float(0.25))? {
        Value::Float(fraction) => PartSize::Fraction(fraction),
        other => PartSize::Count(usize::from_value(&other).unwrap_or_default()),
    };
    let stratify: Option<Vec<i64>> = a.opt(usize::MAX, "stratify")?;
    let seed = random_state(a, usize::MAX, true)?;
    let split = match stratify {
        Some(labels) => stratified_train_test_split(&labels, size, seed),
        None => train_test_split(n, size, seed),
    };
    let mut out = Vec::new();
    for array in &arrays {
        for part in [&split.train, &split.test] {
            out.push(crate::golden::index::get(array, &indices(part))?);
        }
    }
    Ok(Value::list(out))
}
