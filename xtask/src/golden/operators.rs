//! Python's operators on numbers, sequences, tensors and arrays.

use super::fault::{Result, failed, unsupported};
use super::value::Value;
use rekindle_tensor::{DType, Tensor};

/// `l op r`.
pub fn binary(op: &str, l: &Value, r: &Value) -> Result<Value> {
    if l.as_tensor().is_some() || r.as_tensor().is_some() {
        return tensors(op, l, r);
    }
    match (l, r) {
        (Value::Str(a), Value::Str(b)) if op == "+" => Ok(Value::str(&format!("{a}{b}"))),
        (Value::List(a), Value::List(b)) if op == "+" => {
            Ok(Value::list(a.borrow().iter().chain(b.borrow().iter()).cloned().collect()))
        }
        (Value::Tuple(a), Value::Tuple(b)) if op == "+" => {
            Ok(Value::tuple(a.iter().chain(b.iter()).cloned().collect()))
        }
        (Value::List(a), Value::Int(n)) if op == "*" => {
            let once = a.borrow().clone();
            Ok(Value::list((0..*n).flat_map(|_| once.clone()).collect()))
        }
        _ => numbers(op, l, r),
    }
}

fn numbers(op: &str, l: &Value, r: &Value) -> Result<Value> {
    if let (Some(a), Some(b)) = (l.as_int(), r.as_int())
        && op != "/"
        && !(op == "**" && b < 0)
    {
        return integers(op, a, b);
    }
    let (Some(a), Some(b)) = (l.as_float(), r.as_float()) else {
        return failed(format!("no {op} between {} and {}", l.class(), r.class()));
    };
    if b == 0.0 && matches!(op, "/" | "//" | "%") {
        return failed("division by zero");
    }
    Ok(Value::Float(match op {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" => a / b,
        "//" => (a / b).floor(),
        "%" => a - b * (a / b).floor(),
        "**" => a.powf(b),
        _ => return unsupported(format!("operator {op}")),
    }))
}

/// Python's integers do not overflow; beyond 128 bits is a failure here.
fn integers(op: &str, a: i128, b: i128) -> Result<Value> {
    let result = match op {
        "+" => a.checked_add(b),
        "-" => a.checked_sub(b),
        "*" => a.checked_mul(b),
        "//" => a.checked_div_euclid(b).map(|q| if b < 0 && a.rem_euclid(b) != 0 { q - 1 } else { q }),
        "%" => a.checked_rem_euclid(b).map(|m| if b < 0 && m != 0 { m + b } else { m }),
        "**" => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
        _ => return unsupported(format!("operator {op}")),
    };
    result.map_or_else(|| failed(format!("{a} {op} {b} has no value here")), |i| Ok(Value::Int(i)))
}

/// Operators where at least one side is a tensor or an array.
fn tensors(op: &str, l: &Value, r: &Value) -> Result<Value> {
    let numpy = !matches!((l, r), (Value::Tensor(_), _) | (_, Value::Tensor(_)));
    let wrap = if numpy { Value::Array } else { Value::Tensor };
    let (mut a, mut b) = (side(l, r)?, side(r, l)?);
    if numpy && (op == "/" || a.is_float() || b.is_float()) {
        (a, b) = (a.double(), b.double());
    }
    if matches!(op, "%" | "//") || (op == "**" && !a.is_float() && !b.is_float()) {
        return integer_elements(op, &a.tensor(), &b.tensor()).map(wrap);
    }
    Ok(wrap(match (op, &a, &b) {
        ("@", Side::Tensor(a), Side::Tensor(b)) => a.matmul(b),
        ("**", Side::Tensor(a), Side::Int(n)) => a.pow(*n),
        ("**", Side::Tensor(a), Side::Float(x)) => a.pow(*x),
        ("+" | "-" | "*" | "/", a, b) => arithmetic(op, a, b),
        _ => return unsupported(format!("operator {op} on {} and {}", l.class(), r.class())),
    }))
}

/// One operand: a tensor, or a number that takes on the other side's type.
enum Side {
    Tensor(Tensor),
    Int(i64),
    Float(f64),
}

/// A number stays a number next to a tensor; a list next to an array becomes an array.
fn side(v: &Value, other: &Value) -> Result<Side> {
    Ok(match v {
        Value::Tensor(t) | Value::Array(t) => Side::Tensor(t.clone()),
        Value::Float(x) => Side::Float(*x),
        Value::List(_) | Value::Tuple(_) if matches!(other, Value::Array(_)) => {
            Side::Tensor(super::value::array_of(v)?)
        }
        v => match v.as_int().and_then(|i| i.try_into().ok()) {
            Some(i) => Side::Int(i),
            None => return failed(format!("no arithmetic between {} and {}", v.class(), other.class())),
        },
    })
}

impl Side {
    fn is_float(&self) -> bool {
        match self {
            Side::Tensor(t) => t.dtype().is_float(),
            Side::Int(_) => false,
            Side::Float(_) => true,
        }
    }

    /// NumPy computes floats in double precision.
    fn double(self) -> Side {
        match self {
            Side::Tensor(t) if t.dtype().is_float() => Side::Tensor(t),
            Side::Tensor(t) => Side::Tensor(t.to(DType::F64)),
            Side::Int(i) => Side::Float(i as f64),
            float => float,
        }
    }

    fn tensor(&self) -> Tensor {
        match self {
            Side::Tensor(t) => t.clone(),
            Side::Int(i) => Tensor::from_vec(vec![*i], []),
            Side::Float(x) => Tensor::from_vec(vec![*x], []),
        }
    }
}

fn arithmetic(op: &str, a: &Side, b: &Side) -> Tensor {
    macro_rules! apply {
        ($a:expr, $b:expr) => {
            match op {
                "+" => $a + $b,
                "-" => $a - $b,
                "*" => $a * $b,
                _ => $a / $b,
            }
        };
    }
    match (a, b) {
        (Side::Tensor(a), Side::Tensor(b)) => apply!(a, b),
        (Side::Tensor(a), Side::Int(b)) => apply!(a, *b),
        (Side::Tensor(a), Side::Float(b)) => apply!(a, *b),
        (Side::Int(a), Side::Tensor(b)) => apply!(*a, b),
        (Side::Float(a), Side::Tensor(b)) => apply!(*a, b),
        _ => apply!(&a.tensor(), &b.tensor()),
    }
}

/// `%`, `//` and `**` on whole numbers, by Python's rules for each element.
fn integer_elements(op: &str, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let shape = (a.to(DType::I64) + b.to(DType::I64)).shape().to_vec();
    let values = |t: &Tensor| t.to(DType::I64).expand(shape.as_slice()).to_vec::<i64>();
    if a.dtype().is_float() || b.dtype().is_float() {
        return unsupported(format!("operator {op} on float tensors"));
    }
    let element = |(a, b): (i64, i64)| match integers(op, a.into(), b.into())? {
        Value::Int(i) => i.try_into().map_or_else(|_| failed(format!("{a} {op} {b} overflows")), Ok),
        _ => failed("not an integer"),
    };
    let data: Vec<i64> = values(a).into_iter().zip(values(b)).map(element).collect::<Result<_>>()?;
    Ok(Tensor::from_vec(data, shape))
}

/// `l op r` for comparisons: element by element where a tensor or array takes part.
pub fn compare(op: &str, l: &Value, r: &Value) -> Result<Value> {
    if let "is" | "is not" = op {
        let same = match (l, r) {
            (Value::None, Value::None) => true,
            (Value::None, _) | (_, Value::None) => false,
            _ => return unsupported("`is` between other than None"),
        };
        return Ok(Value::Bool(same == (op == "is")));
    }
    if let Some(t) = l.as_tensor() {
        let mask = match side(r, l)? {
            Side::Tensor(b) => elementwise(op, t, &b)?,
            Side::Int(b) => elementwise(op, t, &Tensor::from_vec(vec![b], []))?,
            Side::Float(b) => elementwise(op, t, &Tensor::from_vec(vec![b], []))?,
        };
        return Ok(if matches!(l, Value::Array(_)) { Value::Array(mask) } else { Value::Tensor(mask) });
    }
    if r.as_tensor().is_some() {
        let mirrored = match op {
            "<" => ">",
            "<=" => ">=",
            ">" => "<",
            ">=" => "<=",
            same => same,
        };
        return compare(mirrored, r, l);
    }
    if let (Value::Str(a), Value::Str(b)) = (l, r) {
        return decide(op, a.partial_cmp(b)).map(Value::Bool);
    }
    match (l.as_float(), r.as_float()) {
        (Some(a), Some(b)) => decide(op, a.partial_cmp(&b)).map(Value::Bool),
        _ => failed(format!("no {op} between {} and {}", l.class(), r.class())),
    }
}

fn elementwise(op: &str, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    Ok(match op {
        "==" => a.eq(b),
        "!=" => a.ne(b),
        "<" => a.lt(b),
        "<=" => a.le(b),
        ">" => a.gt(b),
        ">=" => a.ge(b),
        _ => return unsupported(format!("comparison {op}")),
    })
}

fn decide(op: &str, order: Option<std::cmp::Ordering>) -> Result<bool> {
    Ok(match op {
        "==" => order.is_some_and(|o| o.is_eq()),
        "!=" => order.is_none_or(|o| o.is_ne()),
        "<" => order.is_some_and(|o| o.is_lt()),
        "<=" => order.is_some_and(|o| o.is_le()),
        ">" => order.is_some_and(|o| o.is_gt()),
        ">=" => order.is_some_and(|o| o.is_ge()),
        _ => return unsupported(format!("comparison {op}")),
    })
}

/// `op v`.
pub fn unary(op: &str, v: &Value) -> Result<Value> {
    match (op, v) {
        ("-", Value::Float(x)) => Ok(Value::Float(-x)),
        ("-", Value::Tensor(t)) => Ok(Value::Tensor(-t)),
        ("-", Value::Array(t)) => Ok(Value::Array(-t)),
        ("-", v) => match v.as_int() {
            Some(i) => Ok(Value::Int(-i)),
            None => failed(format!("no minus for {}", v.class())),
        },
        ("+", v) => Ok(v.clone()),
        ("not", v) => v.truth().map(|b| Value::Bool(!b)),
        ("~", Value::Tensor(t)) if t.dtype() == DType::Bool => Ok(Value::Tensor(t.logical_not())),
        _ => unsupported(format!("operator {op} on {}", v.class())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(op: &str, a: i128, b: i128) -> Option<i128> {
        binary(op, &Value::Int(a), &Value::Int(b)).ok()?.as_int()
    }

    #[test]
    fn integers_divide_as_in_python() {
        for (a, b, quotient, rest) in
            [(7, 2, 3, 1), (-7, 2, -4, 1), (7, -2, -4, -1), (-7, -2, 3, -1), (6, -2, -3, 0)]
        {
            assert_eq!((int("//", a, b), int("%", a, b)), (Some(quotient), Some(rest)), "{a} by {b}");
        }
        assert_eq!(int("**", 2, 64), Some(1 << 64));
        assert_eq!(int("//", 1, 0), None);
    }

    #[test]
    fn division_of_integers_is_a_float() {
        let half = binary("/", &Value::Int(5), &Value::Int(2)).ok().and_then(|v| v.as_float());
        assert_eq!(half, Some(2.5));
    }

    #[test]
    fn numpy_integers_and_floats_make_doubles() {
        let a = Value::Array(Tensor::from_vec(vec![1i64, 2], [2]));
        let sum = binary("+", &a, &Value::Float(0.5)).ok().and_then(|v| v.as_tensor().cloned());
        assert_eq!(sum.map(|t| t.to_vec::<f64>()), Some(vec![1.5, 2.5]));
        let squares = binary("**", &a, &Value::Int(2)).ok().and_then(|v| v.as_tensor().cloned());
        assert_eq!(squares.map(|t| t.to_vec::<i64>()), Some(vec![1, 4]));
    }
}
