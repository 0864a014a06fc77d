//! Losses: `F.name(input, target, ..)` and `nn.Name(..)` with the same options.

use super::Entry;
use crate::golden::fault::{Result, unsupported};
use crate::golden::value::{Args, Object, Value, with_object};
use rekindle_nn::loss::{
    BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, HingeEmbeddingLoss, HuberLoss, KLDivLoss, L1Loss, Loss,
    MSELoss, MultiMarginLoss, NLLLoss, Reduction, SmoothL1Loss,
};
use rekindle_tensor::Tensor;
use std::rc::Rc;

pub const TABLE: &[Entry] = &[
    ("F.binary_cross_entropy", |a| forward(a, bce)),
    ("F.binary_cross_entropy_with_logits", |a| forward(a, bce_with_logits)),
    ("F.cross_entropy", |a| forward(a, cross_entropy)),
    ("F.nll_loss", |a| forward(a, nll)),
    ("F.l1_loss", |a| forward(a, l1)),
    ("F.mse_loss", |a| forward(a, mse)),
    ("F.smooth_l1_loss", |a| forward(a, smooth_l1)),
    ("F.huber_loss", |a| forward(a, huber)),
    ("F.kl_div", |a| forward(a, kl_div)),
    ("F.hinge_embedding_loss", |a| forward(a, hinge_embedding)),
    ("F.multi_margin_loss", |a| forward(a, multi_margin)),
    ("nn.HingeEmbeddingLoss", |a| object(a, hinge_embedding)),
    ("nn.MultiMarginLoss", |a| object(a, multi_margin)),
    ("nn.BCELoss", |a| object(a, bce)),
    ("nn.BCEWithLogitsLoss", |a| object(a, bce_with_logits)),
    ("nn.CrossEntropyLoss", |a| object(a, cross_entropy)),
    ("nn.NLLLoss", |a| object(a, nll)),
    ("nn.L1Loss", |a| object(a, l1)),
    ("nn.MSELoss", |a| object(a, mse)),
    ("nn.SmoothL1Loss", |a| object(a, smooth_l1)),
    ("nn.HuberLoss", |a| object(a, huber)),
    ("nn.KLDivLoss", |a| object(a, kl_div)),
    ("Loss.__call__", |a| {
        let (this, x, t): (Rc<Object>, Tensor, Tensor) =
            (a.need(0, "self")?, a.need(1, "input")?, a.need(2, "target")?);
        with_object(&this, |loss: &mut Box<dyn Loss>| loss.forward(&x, &t).into())
    }),
];

/// Makes a loss from its options; the first positional one is at `from`.
type Build = fn(&mut Args, usize) -> Result<Box<dyn Loss>>;

fn forward(a: &mut Args, build: Build) -> Result<Value> {
    let (x, t): (Tensor, Tensor) = (a.need(0, "input")?, a.need(1, "target")?);
    Ok(build(a, 2)?.forward(&x, &t).into())
}

fn object(a: &mut Args, build: Build) -> Result<Value> {
    Ok(Value::object("Loss", build(a, 0)?))
}

fn reduction(a: &mut Args) -> Result<Reduction> {
    match a.opt::<Rc<str>>(usize::MAX, "reduction")?.as_deref() {
        None | Some("mean") => Ok(Reduction::Mean),
        Some("sum") => Ok(Reduction::Sum),
        Some("none") => Ok(Reduction::None),
        Some(other) => unsupported(format!("{}(reduction='{other}')", a.name)),
    }
}

fn weight(a: &mut Args, from: usize) -> Result<Option<Tensor>> {
    a.opt(from, "weight")
}

fn bce(a: &mut Args, from: usize) -> Result<Box<dyn Loss>> {
    let loss = BCELoss::new().reduction(reduction(a)?);
    Ok(match weight(a, from)? {
        Some(w) => Box::new(loss.weight(w)),
        None => Box::new(loss),
    })
}

fn bce_with_logits(a: &mut Args, from: usize) -> Result<Box<dyn Loss>> {
    let mut loss = BCEWithLogitsLoss::new().reduction(reduction(a)?);
    if let Some(w) = weight(a, from)? {
        loss = loss.weight(w);
    }
    if let Some(p) = a.opt(usize::MAX, "pos_weight")? {
        loss = loss.pos_weight(p);
    }
    Ok(Box::new(loss))
}

fn cross_entropy(a: &mut Args, from: usize) -> Result<Box<dyn Loss>> {
    let mut loss = CrossEntropyLoss::new().reduction(reduction(a)?);
    if let Some(w) = weight(a, from)? {
        loss = loss.weight(w);
    }
    if let Some(i) = a.opt(usize::MAX, "ignore_index")? {
        loss = loss.ignore_index(i);
    }
    Ok(Box::new(loss.label_smoothing(a.or(usize::MAX, "label_smoothing", 0.0)?)))
}

fn nll(a: &mut Args, from: usize) -> Result<Box<dyn Loss>> {
    let mut loss = NLLLoss::new().reduction(reduction(a)?);
    if let Some(w) = weight(a, from)? {
        loss = loss.weight(w);
    }
    if let Some(i) = a.opt(usize::MAX, "ignore_index")? {
        loss = loss.ignore_index(i);
    }
    Ok(Box::new(loss))
}

fn l1(a: &mut Args, _: usize) -> Result<Box<dyn Loss>> {
    Ok(Box::new(L1Loss::new().reduction(reduction(a)?)))
}

fn mse(a: &mut Args, _: usize) -> Result<Box<dyn Loss>> {
    Ok(Box::new(MSELoss::new().reduction(reduction(a)?)))
}

fn smooth_l1(a: &mut Args, _: usize) -> Result<Box<dyn Loss>> {
    let loss = SmoothL1Loss::new().reduction(reduction(a)?);
    Ok(Box::new(loss.beta(a.or(usize::MAX, "beta", 1.0)?)))
}

fn huber(a: &mut Args, _: usize) -> Result<Box<dyn Loss>> {
    let loss = HuberLoss::new().reduction(reduction(a)?);
    Ok(Box::new(loss.delta(a.or(usize::MAX, "delta", 1.0)?)))
}

/// `batchmean` divides the sum by the number of rows.
fn kl_div(a: &mut Args, _: usize) -> Result<Box<dyn Loss>> {
    if let Some(Value::Str(name)) = a.take(usize::MAX, "reduction") {
        return match &*name {
            "batchmean" => Ok(Box::new(KLDivLoss::new().batch_mean())),
            "sum" => Ok(Box::new(KLDivLoss::new().reduction(Reduction::Sum))),
            "none" => Ok(Box::new(KLDivLoss::new().reduction(Reduction::None))),
            "mean" => Ok(Box::new(KLDivLoss::new())),
            other => unsupported(format!("{}(reduction='{other}')", a.name)),
        };
    }
    Ok(Box::new(KLDivLoss::new()))
}

fn hinge_embedding(a: &mut Args, from: usize) -> Result<Box<dyn Loss>> {
    let loss = HingeEmbeddingLoss::new().reduction(reduction(a)?);
    Ok(Box::new(loss.margin(a.or(from, "margin", 1.0)?)))
}

fn multi_margin(a: &mut Args, from: usize) -> Result<Box<dyn Loss>> {
    let loss = MultiMarginLoss::new().reduction(reduction(a)?);
    let loss = loss.p(a.or::<i64>(from, "p", 1)? as u32).margin(a.or(from + 1, "margin", 1.0)?);
    Ok(match weight(a, from + 2)? {
        Some(w) => Box::new(loss.weight(w)),
        None => Box::new(loss),
    })
}
