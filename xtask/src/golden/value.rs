//! What a variable of a program can hold, and how arguments become Rust values.

use super::array::{Numbers, Plain};
use super::fault::{Fault, Result, failed};
use rekindle_tensor::{DType, Tensor};
use std::any::Any;
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

/// A Python value. Clones share what Python would share.
#[derive(Clone)]
pub enum Value {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Rc<str>),
    Tensor(Tensor),
    /// A NumPy array: the same storage under NumPy's rules of promotion.
    Array(Tensor),
    List(Rc<RefCell<Vec<Value>>>),
    Tuple(Rc<[Value]>),
    Dict(Rc<Vec<(String, Value)>>),
    DType(DType),
    /// A function or class of the table, by its name.
    Function(Rc<str>),
    Object(Rc<Object>),
}

/// A value of a library type, such as a generator or a module.
pub struct Object {
    /// The class under which the table lists its methods.
    pub class: &'static str,
    pub inner: RefCell<Box<dyn Any>>,
}

impl Value {
    pub fn str(text: &str) -> Value {
        Value::Str(text.into())
    }

    pub fn list(items: Vec<Value>) -> Value {
        Value::List(Rc::new(RefCell::new(items)))
    }

    pub fn tuple(items: Vec<Value>) -> Value {
        Value::Tuple(items.into())
    }

    pub fn object(class: &'static str, inner: impl Any) -> Value {
        Value::Object(Rc::new(Object { class, inner: RefCell::new(Box::new(inner)) }))
    }

    /// The class under which the table lists this value's methods.
    pub fn class(&self) -> &'static str {
        match self {
            Value::None => "NoneType",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Str(_) => "str",
            Value::Tensor(_) => "Tensor",
            Value::Array(_) => "ndarray",
            Value::List(_) => "list",
            Value::Tuple(_) => "tuple",
            Value::Dict(_) => "dict",
            Value::DType(_) => "dtype",
            Value::Function(_) => "function",
            Value::Object(o) => o.class,
        }
    }

    /// The tensor in a tensor or an array.
    pub fn as_tensor(&self) -> Option<&Tensor> {
        match self {
            Value::Tensor(t) | Value::Array(t) => Some(t),
            _ => None,
        }
    }

    /// The integer that Python would use as an index.
    pub fn as_int(&self) -> Option<i128> {
        match self {
            Value::Int(i) => Some(*i),
            Value::Bool(b) => Some(i128::from(*b)),
            Value::Tensor(t) | Value::Array(t) if t.dim() == 0 && !t.dtype().is_float() => {
                Some(t.item::<i64>().into())
            }
            _ => None,
        }
    }

    pub fn as_float(&self) -> Option<f64> {
        match self {
            Value::Float(x) => Some(*x),
            Value::Tensor(t) | Value::Array(t) if t.numel() == 1 => Some(t.item::<f64>()),
            other => other.as_int().map(|i| i as f64),
        }
    }

    /// The items of a list or tuple.
    pub fn as_items(&self) -> Option<Vec<Value>> {
        match self {
            Value::List(items) => Some(items.borrow().clone()),
            Value::Tuple(items) => Some(items.to_vec()),
            _ => None,
        }
    }

    /// What Python's `if` would decide.
    pub fn truth(&self) -> Result<bool> {
        match self {
            Value::None => Ok(false),
            Value::Str(s) => Ok(!s.is_empty()),
            Value::Dict(d) => Ok(!d.is_empty()),
            Value::Float(x) => Ok(*x != 0.0),
            other => match (other.as_int(), other.as_items()) {
                (Some(i), _) => Ok(i != 0),
                (_, Some(items)) => Ok(!items.is_empty()),
                _ => failed(format!("no truth value of {}", other.class())),
            },
        }
    }

    /// The result as NumPy's `asarray` would see it.
    pub fn plain(&self) -> Result<Plain> {
        let tensor = array_of(self)?;
        let data = match tensor.dtype() {
            DType::F32 => Numbers::F32(tensor.to_vec::<f32>()),
            DType::F64 => Numbers::F64(tensor.to_vec::<f64>()),
            DType::I64 => Numbers::Int(tensor.to_vec::<i64>().into_iter().map(i128::from).collect()),
            DType::Bool => Numbers::Int(tensor.to_vec::<bool>().into_iter().map(i128::from).collect()),
        };
        Ok(Plain { shape: tensor.shape().to_vec(), data })
    }
}

/// `np.array(value)`: numbers and nested sequences; bool < int < float decides the type, floats are f64.
pub fn array_of(value: &Value) -> Result<Tensor> {
    if let Some(t) = value.as_tensor() {
        return Ok(t.detach());
    }
    let (mut shape, mut flat) = (Vec::new(), Vec::new());
    gather(value, 0, &mut shape, &mut flat)?;
    if shape.iter().product::<usize>() != flat.len() {
        return failed("rows of different lengths do not make an array");
    }
    if flat.iter().any(|v| matches!(v, Value::Float(_))) || flat.is_empty() {
        let data = flat.iter().map(|v| v.as_float().unwrap_or(f64::NAN)).collect();
        return Ok(Tensor::from_vec::<f64>(data, shape));
    }
    if !flat.is_empty() && flat.iter().all(|v| matches!(v, Value::Bool(_))) {
        return Ok(Tensor::from_vec(flat.iter().map(|v| v.as_int() == Some(1)).collect(), shape));
    }
    let ints: Option<Vec<i64>> = flat.iter().map(|v| v.as_int().and_then(|i| i.try_into().ok())).collect();
    match ints {
        Some(ints) => Ok(Tensor::from_vec(ints, shape)),
        None => failed("not an array of numbers"),
    }
}

/// Appends the numbers of nested sequences; the first item at each depth fixes the size there.
fn gather(value: &Value, depth: usize, shape: &mut Vec<usize>, flat: &mut Vec<Value>) -> Result<()> {
    let items = match value {
        Value::Tensor(t) | Value::Array(t) => rows(t),
        other => match other.as_items() {
            Some(items) => Some(items),
            None if matches!(other, Value::Bool(_) | Value::Int(_) | Value::Float(_)) => None,
            None => return failed(format!("a {} does not fit into an array", other.class())),
        },
    };
    let Some(items) = items else {
        flat.push(match value {
            Value::Tensor(t) | Value::Array(t) if t.dtype().is_float() => Value::Float(t.item::<f64>()),
            Value::Tensor(t) | Value::Array(t) if t.dtype() == DType::Bool => Value::Bool(t.item::<bool>()),
            Value::Tensor(t) | Value::Array(t) => Value::Int(t.item::<i64>().into()),
            other => other.clone(),
        });
        return Ok(());
    };
    match shape.get(depth) {
        None => shape.push(items.len()),
        Some(n) if *n != items.len() => return failed("rows of different lengths do not make an array"),
        Some(_) => {}
    }
    items.iter().try_for_each(|item| gather(item, depth + 1, shape, flat))
}

/// Works on the library value inside an object.
pub fn with_object<T: Any, R>(object: &Object, f: impl FnOnce(&mut T) -> R) -> Result<R> {
    match object.inner.borrow_mut().downcast_mut::<T>() {
        Some(inner) => Ok(f(inner)),
        None => failed(format!("a {} where something else is needed", object.class)),
    }
}

/// The rows of a tensor; `None` for a 0-dim one.
pub fn rows(t: &Tensor) -> Option<Vec<Value>> {
    (t.dim() > 0).then(|| (0..t.size(0)).map(|i| Value::Tensor(t.select(0, i as isize))).collect())
}

impl From<Tensor> for Value {
    fn from(t: Tensor) -> Value {
        Value::Tensor(t)
    }
}
impl From<f64> for Value {
    fn from(x: f64) -> Value {
        Value::Float(x)
    }
}
impl From<bool> for Value {
    fn from(b: bool) -> Value {
        Value::Bool(b)
    }
}
impl From<usize> for Value {
    fn from(n: usize) -> Value {
        Value::Int(n as i128)
    }
}
impl From<()> for Value {
    fn from((): ()) -> Value {
        Value::None
    }
}

/// A Rust type that an argument can become.
pub trait FromValue: Sized {
    /// What is expected, for the message.
    const EXPECTED: &'static str;
    fn from_value(value: &Value) -> Option<Self>;
}

macro_rules! from_value {
    ($($t:ty, $expected:literal, $v:ident => $convert:expr;)*) => {$(
        impl FromValue for $t {
            const EXPECTED: &'static str = $expected;
            fn from_value($v: &Value) -> Option<Self> {
                $convert
            }
        }
    )*};
}
from_value! {
    Value, "a value", v => Some(v.clone());
    Tensor, "a tensor", v => v.as_tensor().cloned();
    f64, "a number", v => v.as_float();
    i64, "an integer", v => v.as_int()?.try_into().ok();
    i128, "an integer", v => v.as_int();
    isize, "an integer", v => v.as_int()?.try_into().ok();
    u64, "a count", v => v.as_int()?.try_into().ok();
    usize, "a size", v => v.as_int()?.try_into().ok();
    bool, "a truth value", v => v.truth().ok();
    Rc<str>, "a text", v => match v { Value::Str(s) => Some(s.clone()), _ => None };
    DType, "a dtype", v => match v { Value::DType(d) => Some(*d), _ => None };
    Rc<Object>, "an object", v => match v { Value::Object(o) => Some(o.clone()), _ => None };
}

/// One item, or a list or tuple of them.
impl<T: FromValue> FromValue for Vec<T> {
    const EXPECTED: &'static str = "a sequence";
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Tensor(t) | Value::Array(t) => rows(t)?.iter().map(T::from_value).collect(),
            other => match other.as_items() {
                Some(items) => items.iter().map(T::from_value).collect(),
                None => T::from_value(other).map(|item| vec![item]),
            },
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::None => Some(None),
            other => T::from_value(other).map(Some),
        }
    }
}

/// The arguments of one call. A function takes those it knows; what is left over is not supported.
pub struct Args {
    pub name: String,
    positional: Vec<Option<Value>>,
    keywords: Vec<(String, Value)>,
    pub context: Rc<Context>,
}

/// What a program's functions share beside its variables.
pub struct Context {
    /// NumPy's global stream, `np.random.*`.
    pub numpy: Value,
    /// The folder of MNIST and Fashion-MNIST.
    pub data: Option<PathBuf>,
}

impl Default for Context {
    fn default() -> Self {
        Context { numpy: Value::None, data: None }
    }
}

impl Args {
    pub fn new(
        name: &str,
        positional: Vec<Value>,
        keywords: Vec<(String, Value)>,
        context: Rc<Context>,
    ) -> Args {
        Args { name: name.into(), positional: positional.into_iter().map(Some).collect(), keywords, context }
    }

    /// The arguments of a special method such as `__len__`.
    pub fn special(name: &str, positional: Vec<Value>) -> Args {
        Args::new(name, positional, Vec::new(), Rc::default())
    }

    /// Takes argument `i`, or the keyword `key`.
    pub fn take(&mut self, i: usize, key: &str) -> Option<Value> {
        if let Some(value) = self.positional.get_mut(i).and_then(Option::take) {
            return Some(value);
        }
        let at = self.keywords.iter().position(|(k, _)| k == key)?;
        Some(self.keywords.remove(at).1)
    }

    /// Takes every positional argument from `i` on.
    pub fn rest(&mut self, i: usize) -> Vec<Value> {
        self.positional.iter_mut().skip(i).filter_map(Option::take).collect()
    }

    /// An argument that must be there.
    pub fn need<T: FromValue>(&mut self, i: usize, key: &str) -> Result<T> {
        match self.take(i, key) {
            Some(value) => self.convert(&value, key),
            None => failed(format!("{}: no argument `{key}`", self.name)),
        }
    }

    /// An argument with a default.
    pub fn or<T: FromValue>(&mut self, i: usize, key: &str, default: T) -> Result<T> {
        match self.take(i, key) {
            Some(value) => self.convert(&value, key),
            None => Ok(default),
        }
    }

    /// An argument that may be absent or `None`.
    pub fn opt<T: FromValue>(&mut self, i: usize, key: &str) -> Result<Option<T>> {
        self.or(i, key, None)
    }

    fn convert<T: FromValue>(&self, value: &Value, key: &str) -> Result<T> {
        T::from_value(value).ok_or_else(|| {
            Fault::Failed(format!(
                "{}: `{key}` should be {}, not a {}",
                self.name,
                T::EXPECTED,
                value.class()
            ))
        })
    }

    /// The remaining positional arguments as a shape: `f(2, 3)`, `f((2, 3))` or `f([2, 3])`.
    pub fn shape(&mut self, from: usize) -> Result<Vec<usize>> {
        let items = match self.take(usize::MAX, "size") {
            Some(size) => vec![size],
            None => self.rest(from),
        };
        let whole = if let [one] = items.as_slice() { one.clone() } else { Value::list(items) };
        self.convert(&whole, "size")
    }

    /// The same for dimensions, which may be negative.
    pub fn dims(&mut self, from: usize) -> Result<Vec<isize>> {
        let items = self.rest(from);
        let whole = if let [one] = items.as_slice() { one.clone() } else { Value::list(items) };
        self.convert(&whole, "dims")
    }

    /// What was not taken: arguments that this build does not have.
    pub fn left_over(&self) -> Option<String> {
        if let Some((key, _)) = self.keywords.first() {
            return Some(format!("{}({key}=..)", self.name));
        }
        let count = self.positional.iter().flatten().count();
        (count > 0).then(|| format!("{} with {count} more arguments", self.name))
    }
}
