//! The one table from Python names to this library: what it lists is what is covered.
//!
//! A function is listed by its dotted name, a method, attribute or attribute assignment by its class:
//! `Tensor.exp`, `Tensor.grad`, `Tensor.grad=`.

mod conv;
pub mod data;
mod functional;
mod images;
mod init;
mod losses;
pub mod nn;
mod norm;
pub mod numpy;
mod optim;
mod python;
mod random;
mod schedulers;
mod sklearn;
mod tensor;
mod torch;

use super::fault::Result;
use super::value::{Args, Value};
use rekindle_tensor::DType;

/// A function of the table.
pub type Native = fn(&mut Args) -> Result<Value>;
/// A name with its function.
pub type Entry = (&'static str, Native);

const TABLES: &[&[Entry]] = &[
    torch::TABLE,
    random::TABLE,
    tensor::TABLE,
    tensor::UNARY,
    tensor::ALONG,
    tensor::ATTRIBUTES,
    functional::TABLE,
    norm::TABLE,
    conv::TABLE,
    losses::TABLE,
    nn::TABLE,
    init::TABLE,
    optim::TABLE,
    schedulers::TABLE,
    data::TABLE,
    images::TABLE,
    numpy::TABLE,
    sklearn::TABLE,
    python::TABLE,
];

/// The function of this name. `torch.exp(x)` and `F.relu(x)` mean `x.exp()` and `x.relu()` where the table has
/// only the method.
pub fn function(name: &str, args: &[Value]) -> Option<Native> {
    let name = name.strip_prefix("torch.nn.functional.").or(name.strip_prefix("nn.functional.")).map_or_else(
        || name.strip_prefix("torch.nn.").map_or_else(|| name.to_string(), |n| format!("nn.{n}")),
        |n| format!("F.{n}"),
    );
    let name = name
        .strip_prefix("np.random.")
        .filter(|n| *n != "RandomState" && *n != "seed")
        .map_or(name.clone(), |n| format!("RandomState.{n}"));
    let find = |name: &str| TABLES.iter().flat_map(|t| t.iter()).find(|(n, _)| *n == name).map(|(_, f)| *f);
    find(&name).or_else(|| {
        let method = name.strip_prefix("torch.").or(name.strip_prefix("F."))?;
        let on_tensor = args.first().is_none_or(|v| matches!(v, Value::Tensor(_)));
        if on_tensor { find(&format!("Tensor.{method}")) } else { None }
    })
}

/// A dotted name that is a value.
pub fn constant(name: &str) -> Option<Value> {
    Some(match name {
        "torch.float32" | "torch.float" | "np.float32" => Value::DType(DType::F32),
        "torch.float64" | "torch.double" | "np.float64" => Value::DType(DType::F64),
        "torch.int64" | "torch.long" | "np.int64" => Value::DType(DType::I64),
        "torch.bool" | "np.bool_" => Value::DType(DType::Bool),
        "np.uint64" | "np.uint8" => Value::DType(DType::I64),
        "torch.int32" | "torch.int" => Value::object("int32", Vec::<usize>::new()),
        "torch.channels_last" => Value::str("channels_last"),
        "torch.contiguous_format" => Value::str("contiguous_format"),
        "math.pi" | "np.pi" => Value::Float(std::f64::consts::PI),
        "math.inf" | "np.inf" | "torch.inf" => Value::Float(f64::INFINITY),
        "math.nan" | "np.nan" | "torch.nan" => Value::Float(f64::NAN),
        "np.newaxis" => Value::None,
        _ => return None,
    })
}
