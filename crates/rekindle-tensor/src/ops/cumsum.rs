//! Running sum along one dimension.

use super::elementwise::filled;
use crate::dtype::{DType, Element, match_number};
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply, mistake};
use crate::shape::dim_index;
use crate::tensor::Tensor;
use crate::testing::Sample;
use smallvec::smallvec;
use std::ops::Add;

/// `y_i = x_0 + .. + x_i`, or from the end back to `i` (`reverse`).
#[derive(Debug)]
struct Cumsum {
    dim: usize,
    reverse: bool,
}

impl Op for Cumsum {
    fn name(&self) -> &'static str {
        "cumsum"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        Ok(x[0].clone())
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let (_, len, inner) = if out.shape.is_empty() { (1, 1, 1) } else { out.shape.split_at(self.dim) };
        match_number!("cumsum", out.dtype, T => filled(&out.shape, |y: &mut [T]| {
            y.copy_from_slice(&x[0].data::<T>());
            y.chunks_exact_mut((len * inner).max(1)).for_each(|y| self.run(y, inner));
        }))
        .into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        smallvec![Some(apply(Cumsum { dim: self.dim, reverse: !self.reverse }, &[ctx.grad]))]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

impl Cumsum {
    /// Adds to each element of one outer block its neighbour along the dimension.
    fn run<T: Element + Add<Output = T>>(&self, y: &mut [T], inner: usize) {
        if self.reverse {
            (0..y.len().saturating_sub(inner)).rev().for_each(|i| y[i] = y[i] + y[i + inner]);
        } else {
            (inner..y.len()).for_each(|i| y[i] = y[i - inner] + y[i]);
        }
    }
}

impl Tensor {
    /// The sums of each element and those before it along `dim`; truth values are counted as i64.
    ///
    /// # Panics
    /// If the dimension is out of range.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([1, 2, 3]).cumsum(0).to_vec::<i64>(), [1, 3, 6]);
    /// ```
    #[track_caller]
    pub fn cumsum(&self, dim: isize) -> Tensor {
        let x = if self.dtype() == DType::Bool { self.long() } else { self.clone() };
        match dim_index("cumsum", dim, self.dim()) {
            Ok(dim) => apply(Cumsum { dim, reverse: false }, &[&x]),
            Err(e) => mistake!("{e}"),
        }
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::unary("cumsum", |x| x.cumsum(-1)),
        Sample::new("cumsum inside", |x| x[0].cumsum(1)).on(&[&[2, 3, 4]]).on(&[&[2, 0, 4]]),
    ]
}
