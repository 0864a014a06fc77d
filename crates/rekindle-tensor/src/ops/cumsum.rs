//! Running sum along one dimension.

use super::elementwise::filled;
use crate::dtype::{DType, Number, match_number};
use crate::gpu::{self, fold::SUM, scan::Scan, scan::scan};
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply, mistake};
use crate::shape::dim_index;
use crate::tensor::Tensor;
use crate::testing::Sample;
use smallvec::smallvec;

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
            let (x, block) = (x[0].data::<T>(), (len * inner).max(1));
            x.chunks_exact(block).zip(y.chunks_exact_mut(block)).for_each(|(x, y)| self.run(x, y, inner));
        }))
        .into()
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let (outer, len, inner) = if out.shape.is_empty() { (1, 1, 1) } else { out.shape.split_at(self.dim) };
        let which = Scan { reverse: self.reverse, exclusive: false };
        scan(&gpu::of(x), x[0], [outer, len, inner], SUM, which).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        smallvec![Some(apply(Cumsum { dim: self.dim, reverse: !self.reverse }, &[ctx.grad]))]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

impl Cumsum {
    /// The running sums of one outer block. As PyTorch's, those of f32 are kept in f64 and rounded as they are stored.
    fn run<T: Number>(&self, x: &[T], y: &mut [T], inner: usize) {
        let len = x.len() / inner.max(1);
        let row = |i: usize| if self.reverse { len - 1 - i } else { i } * inner;
        let mut sums = vec![T::default().widen(); inner];
        for i in 0..len {
            let rows = x[row(i)..][..inner].iter().zip(&mut y[row(i)..][..inner]);
            for ((&x, y), sum) in rows.zip(&mut sums) {
                *sum = sum.plus(x.widen());
                *y = T::narrow(*sum);
            }
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
        Sample::new("cumsum of columns", |x| x[0].cumsum(0)).on(&[&[3, 2]]).large(&[&[700, 33]]),
        Sample::new("cumsum of a long row", |x| x[0].cumsum(0)).on(&[&[3]]).large(&[&[5001]]),
    ]
}
