//! Normalisation and embedding.

use super::Entry;
use crate::golden::fault::Result;
use crate::golden::value::Args;
use rekindle_tensor::{BatchNormOptions, Tensor};

pub const TABLE: &[Entry] = &[
    ("F.batch_norm", |a| {
        let x: Tensor = a.need(0, "input")?;
        let (mean, var): (Option<Tensor>, Option<Tensor>) =
            (a.opt(1, "running_mean")?, a.opt(2, "running_var")?);
        let (weight, bias) = affine(a, 3)?;
        let options = BatchNormOptions {
            running: mean.as_ref().zip(var.as_ref()),
            weight: weight.as_ref(),
            bias: bias.as_ref(),
            training: a.or(5, "training", false)?,
            momentum: Some(a.or(6, "momentum", 0.1)?),
            eps: a.or(7, "eps", 1e-5)?,
            ..Default::default()
        };
        Ok(x.batch_norm(options).into())
    }),
    ("F.layer_norm", |a| {
        let (x, shape): (Tensor, Vec<usize>) = (a.need(0, "input")?, a.need(1, "normalized_shape")?);
        let (weight, bias) = affine(a, 2)?;
        Ok(x.layer_norm(shape, weight.as_ref(), bias.as_ref(), a.or(4, "eps", 1e-5)?).into())
    }),
    ("F.group_norm", |a| {
        let (x, groups): (Tensor, usize) = (a.need(0, "input")?, a.need(1, "num_groups")?);
        let (weight, bias) = affine(a, 2)?;
        Ok(x.group_norm(groups, weight.as_ref(), bias.as_ref(), a.or(4, "eps", 1e-5)?).into())
    }),
    ("F.instance_norm", |a| {
        let x: Tensor = a.need(0, "input")?;
        let (weight, bias) = affine(a, 3)?;
        Ok(x.instance_norm(weight.as_ref(), bias.as_ref(), a.or(usize::MAX, "eps", 1e-5)?).into())
    }),
    ("F.rms_norm", |a| {
        let (x, shape): (Tensor, Vec<usize>) = (a.need(0, "input")?, a.need(1, "normalized_shape")?);
        let weight: Option<Tensor> = a.opt(2, "weight")?;
        Ok(x.rms_norm(shape, weight.as_ref(), a.opt(3, "eps")?).into())
    }),
    ("F.embedding", |a| {
        let (indices, weight): (Tensor, Tensor) = (a.need(0, "input")?, a.need(1, "weight")?);
        Ok(weight.embedding(&indices, a.opt(2, "padding_idx")?).into())
    }),
];

fn affine(a: &mut Args, i: usize) -> Result<(Option<Tensor>, Option<Tensor>)> {
    Ok((a.opt(i, "weight")?, a.opt(i + 1, "bias")?))
}
