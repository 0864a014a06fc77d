//! Convolution and pooling.

use super::Entry;
use crate::golden::fault::{Result, failed, unsupported};
use crate::golden::value::{Args, FromValue, Value};
use rekindle_tensor::{ConvOptions, PoolOptions, Tensor};

pub const TABLE: &[Entry] = &[
    ("F.conv1d", |a| {
        let (x, w, b) = operands(a)?;
        Ok(x.conv1d(&w, b.as_ref(), conv_options(a, &w.shape()[2..])?).into())
    }),
    ("F.conv2d", |a| {
        let (x, w, b) = operands(a)?;
        Ok(x.conv2d(&w, b.as_ref(), conv_options(a, &w.shape()[2..])?).into())
    }),
    ("F.conv_transpose1d", |a| {
        let (x, w, b) = operands(a)?;
        let (options, output_padding) = transpose_options(a)?;
        Ok(x.conv_transpose1d(&w, b.as_ref(), options, output_padding).into())
    }),
    ("F.conv_transpose2d", |a| {
        let (x, w, b) = operands(a)?;
        let (options, output_padding) = transpose_options(a)?;
        Ok(x.conv_transpose2d(&w, b.as_ref(), options, output_padding).into())
    }),
    ("F.max_pool1d", |a| {
        let x: Tensor = a.need(0, "input")?;
        Ok(x.max_pool1d(max_pool_options(a, 1)?).into())
    }),
    ("F.max_pool2d", |a| {
        let x: Tensor = a.need(0, "input")?;
        let options = max_pool_options(a, 1)?;
        if !a.or(6, "return_indices", false)? {
            return Ok(x.max_pool2d(options).into());
        }
        let (values, indices) = x.max_pool2d_with_indices(options);
        Ok(Value::tuple(vec![values.into(), indices.into()]))
    }),
    ("F.avg_pool1d", |a| {
        let x: Tensor = a.need(0, "input")?;
        Ok(x.avg_pool1d(avg_pool_options(a, 1)?).into())
    }),
    ("F.avg_pool2d", |a| {
        let x: Tensor = a.need(0, "input")?;
        Ok(x.avg_pool2d(avg_pool_options(a, 1)?).into())
    }),
    ("F.adaptive_avg_pool1d", |a| {
        let (x, [out]) = (a.need::<Tensor>(0, "input")?, sizes(a, 1, "output_size", None)?);
        Ok(x.adaptive_avg_pool1d(out).into())
    }),
    ("F.adaptive_avg_pool2d", |a| {
        let x: Tensor = a.need(0, "input")?;
        Ok(x.adaptive_avg_pool2d(sizes(a, 1, "output_size", None)?).into())
    }),
    ("F.adaptive_max_pool2d", |a| {
        let x: Tensor = a.need(0, "input")?;
        Ok(x.adaptive_max_pool2d(sizes(a, 1, "output_size", None)?).into())
    }),
];

/// One number for each of `D` dimensions, or one for all.
pub fn sizes<const D: usize>(
    a: &mut Args,
    i: usize,
    key: &str,
    default: Option<[usize; D]>,
) -> Result<[usize; D]> {
    let value = match (a.take(i, key), default) {
        (None | Some(Value::None), Some(default)) => return Ok(default),
        (None, None) => return failed(format!("{}: no argument `{key}`", a.name)),
        (Some(value), _) => value,
    };
    match Vec::<usize>::from_value(&value).as_deref() {
        Some([one]) => Ok([*one; D]),
        Some(many) if many.len() == D => Ok(std::array::from_fn(|d| many[d])),
        _ => failed(format!("{}: `{key}` should be {D} sizes", a.name)),
    }
}

fn operands(a: &mut Args) -> Result<(Tensor, Tensor, Option<Tensor>)> {
    Ok((a.need(0, "input")?, a.need(1, "weight")?, a.opt(2, "bias")?))
}

/// Stride, padding, dilation and groups; `padding='same'` keeps the size and needs the kernel's.
pub fn conv_options<const D: usize>(a: &mut Args, kernel: &[usize]) -> Result<ConvOptions<D>> {
    let (stride, dilation) = (sizes(a, 3, "stride", Some([1; D]))?, sizes(a, 5, "dilation", Some([1; D]))?);
    let padding = match a.take(4, "padding") {
        Some(Value::Str(how)) if &*how == "valid" => [0; D],
        Some(Value::Str(how)) if &*how == "same" => {
            let total: [usize; D] = std::array::from_fn(|d| dilation[d] * (kernel[d] - 1));
            if total.iter().any(|t| t % 2 == 1) {
                return unsupported(format!("{}(padding='same') of an even window", a.name));
            }
            total.map(|t| t / 2)
        }
        Some(other) => {
            let mut one = Args::special("padding", vec![other]);
            sizes(&mut one, 0, "padding", None)?
        }
        None => [0; D],
    };
    Ok(ConvOptions { stride, padding, dilation, groups: a.or(6, "groups", 1)? })
}

fn transpose_options<const D: usize>(a: &mut Args) -> Result<(ConvOptions<D>, [usize; D])> {
    let (stride, padding) = (sizes(a, 3, "stride", Some([1; D]))?, sizes(a, 4, "padding", Some([0; D]))?);
    let output_padding = sizes(a, 5, "output_padding", Some([0; D]))?;
    let (groups, dilation) = (a.or(6, "groups", 1)?, sizes(a, 7, "dilation", Some([1; D]))?);
    Ok((ConvOptions { stride, padding, dilation, groups }, output_padding))
}

/// Options of a maximum; the window's size is argument `i`.
pub fn max_pool_options<const D: usize>(a: &mut Args, i: usize) -> Result<PoolOptions<D>> {
    let kernel = sizes(a, i, "kernel_size", None)?;
    Ok(PoolOptions {
        stride: sizes(a, i + 1, "stride", Some(kernel))?,
        padding: sizes(a, i + 2, "padding", Some([0; D]))?,
        dilation: sizes(a, i + 3, "dilation", Some([1; D]))?,
        ceil_mode: a.or(usize::MAX, "ceil_mode", false)?,
        ..PoolOptions::new(kernel)
    })
}

/// Options of an average; the window's size is argument `i`.
pub fn avg_pool_options<const D: usize>(a: &mut Args, i: usize) -> Result<PoolOptions<D>> {
    let kernel = sizes(a, i, "kernel_size", None)?;
    Ok(PoolOptions {
        stride: sizes(a, i + 1, "stride", Some(kernel))?,
        padding: sizes(a, i + 2, "padding", Some([0; D]))?,
        ceil_mode: a.or(i + 3, "ceil_mode", false)?,
        count_include_pad: a.or(i + 4, "count_include_pad", true)?,
        ..PoolOptions::new(kernel)
    })
}
