//! The prelude of the training programs: MNIST and Fashion-MNIST, and the stand-ins for other roundings.

use super::Entry;
use super::random::indices;
use crate::golden::fault::{Fault, Result, failed, unsupported};
use crate::golden::operators;
use crate::golden::value::{Args, Value};
use rekindle_data::LabelledImages;
use rekindle_tensor::Tensor;
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

pub const TABLE: &[Entry] = &[
    ("data", data),
    ("pick", pick),
    ("CAST", |a| a.need(0, "v")),
    ("MM", |a| operators::binary("@", &a.need(0, "a")?, &a.need(1, "b")?)),
];

thread_local! {
    /// Sets that were read before, by folder and name.
    static READ: RefCell<HashMap<String, Value>> = RefCell::new(HashMap::new());
}

/// `data('mnist')`: training images, their labels, test images, their labels.
fn data(a: &mut Args) -> Result<Value> {
    let name: std::rc::Rc<str> = a.need(0, "name")?;
    let Some(folder) = a.context.data.clone() else {
        return unsupported(format!("data set {name}: give its folder with --data or REKINDLE_DATA"));
    };
    let key = format!("{}/{name}", folder.display());
    if let Some(value) = READ.with_borrow(|read| read.get(&key).cloned()) {
        return Ok(value);
    }
    let value = read(&folder, &name)?;
    READ.with_borrow_mut(|read| read.insert(key, value.clone()));
    Ok(value)
}

fn read(folder: &Path, name: &str) -> Result<Value> {
    let source = match name {
        "mnist" => rekindle_data::mnist(folder),
        "fashion-mnist" => rekindle_data::fashion_mnist(folder),
        other => return unsupported(format!("data set {other}")),
    };
    let world = |e: rekindle_data::Error| Fault::Unsupported(format!("data set: {e}"));
    let (train, test) = (source.train().map_err(world)?, source.test().map_err(world)?);
    let parts = [&train, &test].into_iter().flat_map(|set| [images(set), labels(set)]);
    Ok(Value::tuple(parts.map(Value::Tensor).collect()))
}

/// [n, 1, rows, columns], grey values / 255.
fn images(set: &LabelledImages) -> Tensor {
    let shape = [&set.images.shape[..1], &[1], &set.images.shape[1..]].concat();
    Tensor::from_vec(set.images.data.iter().map(|v| f32::from(*v) / 255.0).collect::<Vec<_>>(), shape)
}

fn labels(set: &LabelledImages) -> Tensor {
    Tensor::from_vec(set.labels.iter().map(|v| i64::from(*v)).collect::<Vec<_>>(), [set.labels.len()])
}

/// `pick(x, y, classes)`: the samples of each class in turn, images as rows.
fn pick(a: &mut Args) -> Result<Value> {
    let (x, y, classes): (Tensor, Tensor, Vec<i64>) = (a.need(0, "x")?, a.need(1, "y")?, a.need(2, "k")?);
    let all = y.to_vec::<i64>();
    let of_class = |class: &i64| {
        let class = *class;
        all.iter().enumerate().filter(move |(_, label)| **label == class).map(|(i, _)| i)
    };
    let order: Vec<usize> = classes.iter().flat_map(of_class).collect();
    match indices(&order).as_tensor() {
        Some(order) => {
            let images = x.index_select(0, order).reshape([-1, 784]);
            Ok(Value::tuple(vec![images.into(), y.index_select(0, order).into()]))
        }
        None => failed("pick: no indices"),
    }
}
