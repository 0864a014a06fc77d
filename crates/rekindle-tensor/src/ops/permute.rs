//! Dimensions in another order: permute, transpose and t.

use crate::layout::Layout;
use crate::op::mistake;
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
use crate::shape::{Dims, Ints, Shape, dim_index};
use crate::tensor::Tensor;
use crate::testing::Sample;
use smallvec::smallvec;

/// Output dimension `i` is input dimension `self.0[i]`.
#[derive(Debug)]
struct Permute(Dims);

impl Op for Permute {
    fn name(&self) -> &'static str {
        "permute"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        Ok(Meta { shape: Shape(self.0.iter().map(|&d| x[0].shape[d]).collect()), dtype: x[0].dtype })
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let from = &x[0].0.layout;
        let strides = self.0.iter().map(|&d| from.strides[d]).collect();
        let layout = Layout { shape: out.shape.clone(), strides, offset: from.offset };
        Tensor::over(x[0].0.storage.clone(), layout, out.dtype).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let mut inverse = Dims::from_elem(0, self.0.len());
        for (i, &d) in self.0.iter().enumerate() {
            inverse[d] = i;
        }
        smallvec![Some(apply(Permute(inverse), &[ctx.grad]))]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

impl Tensor {
    /// A view with the dimensions in the given order.
    ///
    /// # Panics
    /// If `dims` does not name every dimension once.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 3, 4]).permute([2, 0, 1]).shape(), [4, 2, 3]);
    /// ```
    #[track_caller]
    pub fn permute(&self, dims: impl Into<Ints>) -> Tensor {
        let dims = dims.into();
        let order: Result<Dims, String> =
            dims.0.iter().map(|&d| dim_index("permute", d, self.dim())).collect();
        match order {
            Ok(order) if order.len() == self.dim() && (0..self.dim()).all(|d| order.contains(&d)) => {
                apply(Permute(order), &[self])
            }
            Ok(_) => {
                mistake!("permute: {:?} does not name each of the {} dimensions once", dims.0, self.dim())
            }
            Err(e) => mistake!("{e}"),
        }
    }

    /// A view with two dimensions exchanged.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 3, 4]).transpose(0, -1).shape(), [4, 3, 2]);
    /// ```
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Tensor {
        let at = |d| dim_index("transpose", d, self.dim());
        match (at(a), at(b)) {
            (Ok(_), Ok(_)) if self.dim() == 0 => self.clone(),
            (Ok(a), Ok(b)) => {
                let mut order: Dims = (0..self.dim()).collect();
                order.swap(a, b);
                apply(Permute(order), &[self])
            }
            (Err(e), _) | (_, Err(e)) => mistake!("{e}"),
        }
    }

    /// The transpose of a matrix; a vector or scalar is its own.
    ///
    /// # Panics
    /// If the tensor has more than two dimensions.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[1, 2], [3, 4]]).t().to_vec::<i64>(), [1, 3, 2, 4]);
    /// ```
    #[track_caller]
    pub fn t(&self) -> Tensor {
        match self.dim() {
            0 | 1 => self.clone(),
            2 => self.transpose(0, 1),
            n => mistake!("t: needs a matrix, got {n} dimensions; use .transpose(a, b)"),
        }
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::new("permute", |x| x[0].permute([2, 0, 1]))
            .on(&[&[2, 3, 4]])
            .on(&[&[1, 1, 1]])
            .on(&[&[2, 0, 3]]),
        Sample::new("transpose", |x| x[0].transpose(0, -1)).on(&[&[2, 3, 4]]).on(&[&[1, 5]]).on(&[&[0, 3]]),
    ]
}
