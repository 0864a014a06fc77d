//! Arrays as golden files store them (SPEC section 16), and the same arrays decoded.

use super::fault::{Fault, Result, failed};
use serde_json::{Map, Value as Json};

/// Numbers of one kind. Every integer type, and bool, is `Int`.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    F32(Vec<f32>),
    F64(Vec<f64>),
    Int(Vec<i128>),
}

/// A result in a plain form that does not depend on the tensor library.
#[derive(Clone, Debug, PartialEq)]
pub struct Plain {
    pub shape: Vec<usize>,
    pub data: Numbers,
}

/// An array of a golden file.
#[derive(Clone, Debug)]
pub struct Stored {
    pub dtype: String,
    pub shape: Vec<usize>,
    pub body: Body,
}

/// The values, or a digest of many values.
#[derive(Clone, Debug)]
pub enum Body {
    Whole(Numbers),
    Digest(Box<Digest>),
}

/// What is stored of a big array.
#[derive(Clone, Debug)]
pub struct Digest {
    pub head: Numbers,
    pub tail: Numbers,
    pub idx: Vec<usize>,
    pub at: Numbers,
    /// Exact sum of the values and of their magnitudes, rounded once.
    pub fsum: Option<(f64, f64)>,
    pub sum: Option<i128>,
    pub hash: Option<u64>,
}

impl Numbers {
    pub fn len(&self) -> usize {
        match self {
            Numbers::F32(v) => v.len(),
            Numbers::F64(v) => v.len(),
            Numbers::Int(v) => v.len(),
        }
    }

    /// `f32`, `f64` or `int`.
    pub fn kind(&self) -> &'static str {
        match self {
            Numbers::F32(_) => "f32",
            Numbers::F64(_) => "f64",
            Numbers::Int(_) => "int",
        }
    }

    /// The floats, widened. Empty for integers.
    pub fn floats(&self) -> Vec<f64> {
        match self {
            Numbers::F32(v) => v.iter().map(|x| f64::from(*x)).collect(),
            Numbers::F64(v) => v.clone(),
            Numbers::Int(_) => Vec::new(),
        }
    }

    /// Little-endian bytes in the element type `dtype`.
    pub fn bytes(&self, dtype: &str) -> Vec<u8> {
        let width = dtype.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(64) / 8;
        match self {
            Numbers::F32(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Numbers::F64(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Numbers::Int(v) => v.iter().flat_map(|x| x.to_le_bytes().into_iter().take(width)).collect(),
        }
    }
}

impl Stored {
    /// Reads an array object.
    pub fn read(json: &Json) -> Result<Stored> {
        let Some(o) = json.as_object() else { return failed(format!("not an array object: {json}")) };
        let dtype = o.get("dtype").and_then(Json::as_str).unwrap_or_default().to_string();
        if !["f32", "f64", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"].contains(&dtype.as_str()) {
            return failed(format!("unknown dtype `{dtype}`"));
        }
        let shape = usizes(o, "shape")?;
        let count: usize = shape.iter().product();
        let body = if let Some(all) = o.get("hex").or_else(|| o.get("data")) {
            let all = numbers(&dtype, all)?;
            if all.len() != count {
                return failed(format!("{} values stored for shape {shape:?}", all.len()));
            }
            Body::Whole(all)
        } else {
            Body::Digest(Box::new(digest(&dtype, o, count)?))
        };
        Ok(Stored { dtype, shape, body })
    }

    /// The whole array, for inputs.
    pub fn whole(self) -> Result<Plain> {
        match self.body {
            Body::Whole(data) => Ok(Plain { shape: self.shape, data }),
            Body::Digest(_) => failed("an input is not stored whole"),
        }
    }
}

/// One f32 or f64 from its bits in hexadecimal.
pub fn from_hex(dtype: &str, hex: &str) -> Result<Numbers> {
    let wrong = || Fault::Failed(format!("not {dtype} bits: `{hex}`"));
    let digits = if dtype == "f32" { 8 } else { 16 };
    if !hex.is_ascii() || !hex.len().is_multiple_of(digits) {
        return Err(wrong());
    }
    let words = (0..hex.len()).step_by(digits).map(|i| u64::from_str_radix(&hex[i..i + digits], 16));
    let words: Vec<u64> = words.collect::<std::result::Result<_, _>>().map_err(|_| wrong())?;
    Ok(match dtype {
        "f32" => Numbers::F32(words.into_iter().map(|w| f32::from_bits(w as u32)).collect()),
        _ => Numbers::F64(words.into_iter().map(f64::from_bits).collect()),
    })
}

fn numbers(dtype: &str, json: &Json) -> Result<Numbers> {
    match json {
        Json::String(hex) if dtype.starts_with('f') => from_hex(dtype, hex),
        Json::Array(ints) if !dtype.starts_with('f') => {
            let int = |v: &Json| v.as_i64().map(i128::from).or(v.as_u64().map(i128::from));
            match ints.iter().map(int).collect() {
                Some(ints) => Ok(Numbers::Int(ints)),
                None => failed("an integer array holds something else"),
            }
        }
        other => failed(format!("{dtype} values stored as {other}")),
    }
}

fn digest(dtype: &str, o: &Map<String, Json>, count: usize) -> Result<Digest> {
    let part = |key: &str| match o.get(key) {
        Some(v) => numbers(dtype, v),
        None => failed(format!("an array has neither values nor `{key}`")),
    };
    let float = |key: &str| o.get(key).and_then(float_of);
    let (head, tail, at, idx) = (part("head")?, part("tail")?, part("at")?, usizes(o, "idx")?);
    if head.len().max(tail.len()) > count || idx.len() != at.len() || idx.iter().any(|i| *i >= count) {
        return failed("a digest points outside its array");
    }
    let sum = o.get("sum").and_then(|v| v.as_i64().map(i128::from).or(v.as_u64().map(i128::from)));
    let hash = match o.get("fnv1a64_le").and_then(Json::as_str) {
        None => None,
        Some(h) => Some(u64::from_str_radix(h, 16).map_err(|_| Fault::Failed(format!("not a hash: `{h}`")))?),
    };
    Ok(Digest { head, tail, idx, at, fsum: float("fsum").zip(float("fabs")), sum, hash })
}

/// A float, also when written as the text `NaN`, `Infinity` or `-Infinity`.
pub fn float_of(v: &Json) -> Option<f64> {
    v.as_f64().or_else(|| v.as_str()?.parse().ok())
}

/// A list of sizes or positions.
pub fn usizes(o: &Map<String, Json>, key: &str) -> Result<Vec<usize>> {
    let list = o.get(key).and_then(Json::as_array);
    let sizes = list.and_then(|l| l.iter().map(|v| v.as_u64().map(|v| v as usize)).collect());
    sizes.ok_or_else(|| Fault::Failed(format!("`{key}` is not a list of sizes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Stored> {
        Stored::read(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn hex_is_big_endian_row_major() {
        let a = read(r#"{"dtype":"f32","shape":[2],"hex":"3f800000c0000000"}"#).unwrap().whole().unwrap();
        assert_eq!(a, Plain { shape: vec![2], data: Numbers::F32(vec![1.0, -2.0]) });
        let b = read(r#"{"dtype":"f64","shape":[],"hex":"3ff8000000000000"}"#).unwrap().whole().unwrap();
        assert_eq!(b, Plain { shape: vec![], data: Numbers::F64(vec![1.5]) });
    }

    #[test]
    fn malformed_arrays_are_errors() {
        for bad in [
            r#"{"dtype":"f32","shape":[2],"hex":"3f800000"}"#,
            r#"{"dtype":"f32","shape":[1],"hex":"3f80000"}"#,
            r#"{"dtype":"f32","shape":[1],"hex":"zzzzzzzz"}"#,
            r#"{"dtype":"c64","shape":[1],"hex":"00000000"}"#,
            r#"{"dtype":"i64","shape":[1],"data":[1.5]}"#,
            r#"{"dtype":"i64","shape":[-1],"data":[1]}"#,
            r#"{"dtype":"i64","shape":[300]}"#,
            r#"[1]"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn bytes_have_the_width_of_the_dtype() {
        assert_eq!(Numbers::Int(vec![1, -1]).bytes("u8"), [1, 255]);
        assert_eq!(Numbers::Int(vec![258]).bytes("i64"), [2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Numbers::F32(vec![1.0]).bytes("f32"), [0, 0, 0x80, 0x3f]);
    }
}
