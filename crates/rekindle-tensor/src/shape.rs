//! Shapes, strides, broadcasting, and the argument types that let users write `[2, 3]`, `-1` or `[0, 1]`.

use crate::op::mistake;
use smallvec::SmallVec;
use std::fmt;
use std::ops::Deref;

/// Sizes or strides; up to five dimensions live without an allocation.
pub(crate) type Dims = SmallVec<[usize; 5]>;

/// The sizes of a tensor's dimensions. Made from `[2, 3]`, a slice, a `Vec`, or one size; `[]` is a scalar's.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape(pub(crate) Dims);

impl Shape {
    /// The number of elements: the product of the sizes, 1 for a scalar.
    ///
    /// # Panics
    /// If the product does not fit in `usize`.
    ///
    /// ```
    /// # use rekindle_tensor::Shape;
    /// assert_eq!(Shape::from([2, 3]).numel(), 6);
    /// ```
    #[track_caller]
    pub fn numel(&self) -> usize {
        match self.0.iter().try_fold(1usize, |n, &d| n.checked_mul(d)) {
            Some(n) => n,
            None => mistake!("shape: {self:?} has more elements than memory can address"),
        }
    }

    /// Strides of the row-major (C order) layout.
    pub(crate) fn contiguous_strides(&self) -> Dims {
        let mut strides = Dims::from_elem(1, self.len());
        for d in (1..self.len()).rev() {
            strides[d - 1] = strides[d] * self.0[d].max(1);
        }
        strides
    }

    /// The shape with dimension `dim` given another size.
    pub(crate) fn with(&self, dim: usize, size: usize) -> Shape {
        let mut s = self.clone();
        s.0[dim] = size;
        s
    }

    /// The shape without dimension `dim`.
    pub(crate) fn without(&self, dim: usize) -> Shape {
        let mut s = self.clone();
        s.0.remove(dim);
        s
    }

    /// `(outer, len, inner)`: the sizes before, at and after `dim`.
    pub(crate) fn split_at(&self, dim: usize) -> (usize, usize, usize) {
        (self[..dim].iter().product(), self[dim], self[dim + 1..].iter().product())
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0[..])
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(v: [usize; N]) -> Self {
        Shape(Dims::from_slice(&v))
    }
}
impl From<&[usize]> for Shape {
    fn from(v: &[usize]) -> Self {
        Shape(Dims::from_slice(v))
    }
}
impl From<&Vec<usize>> for Shape {
    fn from(v: &Vec<usize>) -> Self {
        Shape(Dims::from_slice(v))
    }
}
impl From<Vec<usize>> for Shape {
    fn from(v: Vec<usize>) -> Self {
        Shape(Dims::from_vec(v))
    }
}
impl From<usize> for Shape {
    fn from(v: usize) -> Self {
        Shape(Dims::from_slice(&[v]))
    }
}
impl From<&Shape> for Shape {
    fn from(v: &Shape) -> Self {
        v.clone()
    }
}

/// A list of possibly negative integers: dimensions (`-1` is the last) or sizes with one `-1` to infer.
#[derive(Clone, Debug, Default)]
pub struct Ints(pub(crate) SmallVec<[isize; 5]>);

macro_rules! ints_from {
    ($($t:ty),*) => {$(
        impl From<$t> for Ints {
            fn from(v: $t) -> Self {
                Ints(SmallVec::from_slice(&[v as isize]))
            }
        }
        impl<const N: usize> From<[$t; N]> for Ints {
            fn from(v: [$t; N]) -> Self {
                Ints(v.iter().map(|&d| d as isize).collect())
            }
        }
        impl From<&[$t]> for Ints {
            fn from(v: &[$t]) -> Self {
                Ints(v.iter().map(|&d| d as isize).collect())
            }
        }
        impl From<Vec<$t>> for Ints {
            fn from(v: Vec<$t>) -> Self {
                Ints(v.iter().map(|&d| d as isize).collect())
            }
        }
    )*};
}
ints_from!(i32, i64, isize, usize);
impl From<&Shape> for Ints {
    fn from(v: &Shape) -> Self {
        Ints::from(&v[..])
    }
}

/// Turns a possibly negative dimension into an index; an error names the op, the dimension and the rank.
pub(crate) fn dim_index(op: &str, dim: isize, rank: usize) -> Result<usize, String> {
    // PyTorch lets a scalar be addressed as if it had one dimension.
    let n = rank.max(1) as isize;
    if (-n..n).contains(&dim) {
        return Ok(if dim < 0 { dim + n } else { dim } as usize);
    }
    Err(format!(
        "{op}: dimension {dim} is out of range for a tensor of {rank} dimensions; use {} to {}",
        -n,
        n - 1
    ))
}

/// Sorted, distinct dimension indices; an empty list means all dimensions, as in PyTorch.
pub(crate) fn dim_indices(op: &str, dims: &Ints, rank: usize) -> Result<Dims, String> {
    if dims.0.is_empty() {
        return Ok((0..rank).collect());
    }
    let mut out = Dims::new();
    for &d in &dims.0 {
        let d = dim_index(op, d, rank)?;
        if out.contains(&d) {
            return Err(format!("{op}: dimension {d} appears twice in {:?}; name each once", dims.0));
        }
        out.push(d);
    }
    out.sort_unstable();
    Ok(out)
}

/// The shape to which two shapes broadcast (aligned at the right; sizes equal or 1).
pub(crate) fn broadcast(op: &str, a: &[usize], b: &[usize]) -> Result<Shape, String> {
    let rank = a.len().max(b.len());
    let mut out = Dims::from_elem(1, rank);
    for i in 0..rank {
        let da = if i < rank - a.len() { 1 } else { a[i - (rank - a.len())] };
        let db = if i < rank - b.len() { 1 } else { b[i - (rank - b.len())] };
        out[i] = match (da, db) {
            (x, y) if x == y => x,
            (1, y) => y,
            (x, 1) => x,
            (x, y) => {
                return Err(format!(
                    "{op}: shapes {a:?} and {b:?} do not broadcast ({x} vs {y} in dimension {i}); {}",
                    broadcast_hint(a, b)
                ));
            }
        };
    }
    Ok(Shape(out))
}

/// The likeliest cure of two shapes that do not fit.
fn broadcast_hint(a: &[usize], b: &[usize]) -> &'static str {
    let (na, nb): (usize, usize) = (a.iter().product(), b.iter().product());
    if na == nb {
        "reshape one to the other's shape?"
    } else if a.first() == b.first() {
        "add a trailing dimension of size 1 with .unsqueeze(-1)?"
    } else {
        "sizes must be equal or 1, aligned at the right"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcast_aligns_at_the_right() {
        assert_eq!(&broadcast("add", &[4, 1, 3], &[2, 1]).unwrap()[..], &[4, 2, 3]);
        assert_eq!(&broadcast("add", &[], &[0, 3]).unwrap()[..], &[0, 3]);
        let e = broadcast("add", &[32, 1], &[16, 1]).unwrap_err();
        assert_eq!(
            e,
            "add: shapes [32, 1] and [16, 1] do not broadcast (32 vs 16 in dimension 0); sizes must be equal or 1, aligned at the right"
        );
    }

    #[test]
    fn negative_dims_count_from_the_end() {
        assert_eq!(dim_index("sum", -1, 3), Ok(2));
        assert_eq!(dim_index("sum", 0, 0), Ok(0));
        assert!(dim_index("sum", 3, 3).unwrap_err().starts_with("sum: dimension 3 is out of range"));
    }
}
