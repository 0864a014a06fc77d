//! `torch.nn.functional` beside what tensors have as methods.

use super::Entry;
use crate::golden::fault::Result;
use crate::golden::value::{Args, Value};
use rekindle_tensor::Tensor;

pub const TABLE: &[Entry] = &[
    ("F.linear", |a| {
        let (x, w, b): (Tensor, Tensor, Option<Tensor>) =
            (a.need(0, "input")?, a.need(1, "weight")?, a.opt(2, "bias")?);
        Ok(x.linear(&w, b.as_ref()).into())
    }),
    ("F.dropout", |a| dropped(a, true, |x, p| x.dropout(p))),
    ("F.dropout1d", |a| dropped(a, true, |x, p| x.feature_dropout(p))),
    ("F.dropout2d", |a| dropped(a, true, |x, p| x.feature_dropout(p))),
    ("F.alpha_dropout", |a| dropped(a, false, |x, p| x.alpha_dropout(p))),
];

fn dropped(a: &mut Args, training: bool, f: fn(&Tensor, f64) -> Tensor) -> Result<Value> {
    let (x, p): (Tensor, f64) = (a.need(0, "input")?, a.or(1, "p", 0.5)?);
    let training = a.or(2, "training", training)?;
    a.take(3, "inplace");
    Ok(if training { f(&x, p) } else { x }.into())
}
