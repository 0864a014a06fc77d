//! Broadcasting views: dimensions of size 1 repeated without copying.

use super::elementwise::sum_to;
use crate::layout::Layout;
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply, mistake};
use crate::shape::{Dims, Ints, Shape};
use crate::tensor::Tensor;
use crate::testing::Sample;
use smallvec::smallvec;

#[derive(Debug)]
struct Expand(Shape);

impl Op for Expand {
    fn name(&self) -> &'static str {
        "expand"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        let (from, to) = (&x[0].shape, &self.0);
        let fits =
            to.len() >= from.len() && from.iter().rev().zip(to.iter().rev()).all(|(f, t)| f == t || *f == 1);
        if !fits {
            return Err(format!(
                "expand: {from:?} does not repeat to {to:?}; sizes must be equal or 1, aligned at the right"
            ));
        }
        Ok(Meta { shape: to.clone(), dtype: x[0].dtype })
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let from = &x[0].0.layout;
        let lead = out.shape.len() - from.shape.len();
        let mut strides = Dims::from_elem(0, out.shape.len());
        for (d, (&size, &stride)) in from.shape.iter().zip(&from.strides).enumerate() {
            strides[lead + d] = if size == out.shape[lead + d] { stride } else { 0 };
        }
        let layout = Layout { shape: out.shape.clone(), strides, offset: from.offset };
        Tensor::over(x[0].0.storage.clone(), layout, out.dtype).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        smallvec![Some(sum_to(ctx.grad.clone(), &ctx.metas[0].shape))]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

impl Tensor {
    /// A view in which dimensions of size 1 are repeated to the sizes of `shape`, as broadcasting does; -1 leaves a
    /// dimension as it is.
    ///
    /// # Panics
    /// If a size differs and is not 1, or a new dimension is -1.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[1], [2]]).expand([-1, 3]).to_vec::<i64>(), [1, 1, 1, 2, 2, 2]);
    /// ```
    #[track_caller]
    pub fn expand(&self, shape: impl Into<Ints>) -> Tensor {
        let wanted = shape.into().0;
        let new = wanted.len().saturating_sub(self.dim());
        let size = |d: usize| match wanted[d] {
            -1 if d >= new => Some(self.shape()[d - new]),
            size => usize::try_from(size).ok(),
        };
        let Some(shape) = (0..wanted.len()).map(size).collect::<Option<Dims>>().map(Shape) else {
            mistake!(
                "expand: {:?} does not repeat to {wanted:?}; -1 keeps the size of a dimension that is there",
                self.shape()
            );
        };
        if *self.shape() == *shape { self.clone() } else { apply(Expand(shape), &[self]) }
    }

    /// [`expand`](Tensor::expand) to the shape of another tensor.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::ones([1, 3]).expand_as(&Tensor::zeros([2, 3])).shape(), [2, 3]);
    /// ```
    #[track_caller]
    pub fn expand_as(&self, other: &Tensor) -> Tensor {
        self.expand(other.shape())
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::new("expand", |x| x[0].expand([2, 4, 3])).on(&[&[3]]).on(&[&[4, 1]]).on(&[&[1, 1, 1]]),
        Sample::new("expand nothing", |x| x[0].expand([2, 0, 3])).on(&[&[0, 3]]).on(&[&[1, 3]]),
    ]
}
