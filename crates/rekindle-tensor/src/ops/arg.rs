//! Indices of the greatest and the least element: argmax and argmin.

use super::elementwise::{filled, no_grads};
use super::max::Ordered;
use super::reduction::Over;
use crate::dtype::{DType, match_dtype};
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::reduce;

/// The first index of the greatest (`max`) or the least element along one dimension.
#[derive(Debug)]
struct Arg {
    max: bool,
    over: Over,
}

impl Op for Arg {
    fn name(&self) -> &'static str {
        if self.max { "argmax" } else { "argmin" }
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        self.over.check_not_empty(self.name(), &x[0].shape)?;
        Ok(Meta { shape: self.over.result(&x[0].shape), dtype: DType::I64 })
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let Some(&dim) = self.over.dims.first() else {
            return Tensor::full_of(&out.shape, 0, DType::I64).into();
        };
        let (outer, len, inner) = x[0].shape_owned().split_at(dim);
        filled(&out.shape, |y| {
            match_dtype!(x[0].dtype(), T => {
                let x = x[0].data::<T>();
                if self.max {
                    reduce::arg(&x, outer, len, inner, y, <T as Ordered>::above);
                } else {
                    reduce::arg(&x, outer, len, inner, y, <T as Ordered>::below);
                }
            })
        })
        .into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        no_grads(ctx.metas.len())
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

impl Tensor {
    /// The index of the greatest element in row-major order, the first of equals; NaN counts as greatest.
    ///
    /// # Panics
    /// If the tensor is empty.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[1.0, 7.0], [7.0, 2.0]]).argmax().item::<i64>(), 1);
    /// ```
    #[track_caller]
    pub fn argmax(&self) -> Tensor {
        self.reshape([-1]).argmax_dim(0, false)
    }

    /// The index of the least element in row-major order, the first of equals; NaN counts as least.
    ///
    /// # Panics
    /// If the tensor is empty.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([3.0, 1.0, 1.0]).argmin().item::<i64>(), 1);
    /// ```
    #[track_caller]
    pub fn argmin(&self) -> Tensor {
        self.reshape([-1]).argmin_dim(0, false)
    }

    /// Along one dimension, the index of the greatest element, the first of equals; NaN counts as greatest.
    ///
    /// # Panics
    /// If the dimension is out of range or has size 0.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[1.0, 7.0], [7.0, 2.0]]).argmax_dim(1, false).to_vec::<i64>(), [1, 0]);
    /// ```
    #[track_caller]
    pub fn argmax_dim(&self, dim: isize, keepdim: bool) -> Tensor {
        apply(Arg { max: true, over: Over::new("argmax", self, dim, keepdim) }, &[self])
    }

    /// Along one dimension, the index of the least element, the first of equals; NaN counts as least.
    ///
    /// # Panics
    /// If the dimension is out of range or has size 0.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[3.0, 1.0], [2.0, 5.0]]).argmin_dim(1, false).to_vec::<i64>(), [1, 0]);
    /// ```
    #[track_caller]
    pub fn argmin_dim(&self, dim: isize, keepdim: bool) -> Tensor {
        apply(Arg { max: false, over: Over::new("argmin", self, dim, keepdim) }, &[self])
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::new("argmax", |x| x[0].argmax()).on(&[&[3, 4]]).on(&[&[1]]).on(&[&[]]),
        Sample::new("argmin over a dim", |x| x[0].argmin_dim(0, true)).on(&[&[3, 4]]).on(&[&[2, 0]]),
        Sample::new("argmax over the last dim", |x| x[0].argmax_dim(-1, false))
            .on(&[&[3, 4]])
            .large(&[&[5000, 10]]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::{Tensor, tensor};

    #[test]
    fn the_first_of_equals_and_the_first_nan_win() {
        let x = tensor([[1.0, 3.0, 3.0], [2.0, f64::NAN, f64::NAN]]);
        assert_eq!(x.argmax_dim(1, false).to_vec::<i64>(), [1, 1]);
        assert_eq!(x.argmin_dim(1, false).to_vec::<i64>(), [0, 1]);
        assert_eq!(tensor([4, 1, 1]).argmin().item::<i64>(), 1);
    }

    #[test]
    #[should_panic(expected = "argmax: nothing to choose from in [2, 0]")]
    fn an_empty_row_has_no_argmax() {
        Tensor::zeros([2, 0]).argmax_dim(1, false);
    }
}
