//! Other shapes of the same elements: reshape, flatten, squeeze and unsqueeze.

use crate::layout::Layout;
use crate::op::mistake;
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
use crate::shape::{Ints, Shape, dim_index};
use crate::tensor::Tensor;
use crate::testing::Sample;
use smallvec::smallvec;

#[derive(Debug)]
struct Reshape(Shape);

impl Op for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        let (have, want) = (x[0].shape.numel(), self.0.numel());
        if have != want {
            return Err(format!(
                "reshape: {:?} has {have} elements but {:?} needs {want}",
                x[0].shape, self.0
            ));
        }
        Ok(Meta { shape: self.0.clone(), dtype: x[0].dtype })
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        if let Some(layout) = x[0].0.layout.reshaped(&out.shape) {
            return Tensor::over(x[0].0.storage.clone(), layout, out.dtype).into();
        }
        let x = x[0].packed();
        Tensor::over(x.0.storage.clone(), Layout::contiguous(out.shape.clone()), out.dtype).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        smallvec![Some(ctx.grad.reshape(&ctx.metas[0].shape))]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
    fn keeps_rows(&self) -> bool {
        true
    }
}

/// Replaces one `-1` by the size that fits.
fn resolve(have: &Shape, want: &Ints) -> Result<Shape, String> {
    let unknown = want.0.iter().filter(|&&d| d == -1).count();
    if unknown > 1 || want.0.iter().any(|&d| d < -1) {
        return Err(format!(
            "reshape: {:?} is no shape; sizes are not negative, and -1 may stand once",
            want.0
        ));
    }
    let sizes = want.0.iter().filter(|&&d| d != -1).map(|&d| d as usize);
    let Some(known) = sizes.clone().try_fold(1, usize::checked_mul) else {
        return Err(format!("reshape: {:?} has more elements than memory can address", want.0));
    };
    let n = have.numel();
    if unknown == 1 && known == 0 {
        return Err(format!("reshape: any size for -1 would do in {:?}; name it", want.0));
    }
    if unknown == 1 && !n.is_multiple_of(known) {
        return Err(format!(
            "reshape: no size for -1 makes {:?} of the {n} elements of {have:?}; {n} is not a multiple of {known}",
            want.0
        ));
    }
    Ok(Shape(want.0.iter().map(|&d| if d == -1 { n / known } else { d as usize }).collect()))
}

impl Tensor {
    /// The same elements in another shape; one size may be `-1`, to be inferred. A view where the elements can stay
    /// where they are, else a copy.
    ///
    /// # Panics
    /// If the number of elements differs.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([4, 3, 2]).reshape([-1, 6]).shape(), [4, 6]);
    /// ```
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<Ints>) -> Tensor {
        match resolve(&self.0.layout.shape, &shape.into()) {
            Ok(shape) => apply(Reshape(shape), &[self]),
            Err(e) => mistake!("{e}"),
        }
    }

    /// As [`reshape`](Tensor::reshape), but refuses to copy.
    ///
    /// # Panics
    /// If the number of elements differs, or the elements of a strided view would have to move.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([4, 3]).view([2, -1]).shape(), [2, 6]);
    /// ```
    #[track_caller]
    pub fn view(&self, shape: impl Into<Ints>) -> Tensor {
        let y = self.reshape(shape);
        if !y.shares_memory(self) {
            mistake!(
                "view: the tensor of shape {:?} and strides {:?} cannot be seen as {:?}; use .reshape(..)",
                self.shape(),
                self.strides(),
                y.shape()
            );
        }
        y
    }

    /// Merges the dimensions from `start` to `end`, both included, into one; a scalar becomes one element.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([8, 1, 28, 28]).flatten(1, -1).shape(), [8, 784]);
    /// ```
    #[track_caller]
    pub fn flatten(&self, start: isize, end: isize) -> Tensor {
        let dims = dim_index("flatten", start, self.dim())
            .and_then(|s| Ok((s, dim_index("flatten", end, self.dim())?)));
        match dims {
            Ok(_) if self.dim() == 0 => self.reshape([1]),
            Ok((s, e)) if s <= e => {
                let shape = self.shape();
                let merged = shape[s..=e].iter().product();
                self.reshape([&shape[..s], &[merged], &shape[e + 1..]].concat())
            }
            Ok((s, e)) => mistake!("flatten: the first dimension {s} comes after the last, {e}"),
            Err(e) => mistake!("{e}"),
        }
    }

    /// Drops every dimension of size 1.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([1, 3, 1]).squeeze().shape(), [3]);
    /// ```
    #[track_caller]
    pub fn squeeze(&self) -> Tensor {
        self.reshape(self.shape().iter().copied().filter(|&d| d != 1).collect::<Vec<_>>())
    }

    /// Drops dimension `dim` if its size is 1; else gives the tensor itself.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([1, 3, 1]).squeeze_dim(-1).shape(), [1, 3]);
    /// ```
    #[track_caller]
    pub fn squeeze_dim(&self, dim: isize) -> Tensor {
        match dim_index("squeeze", dim, self.dim()) {
            Ok(d) if self.shape().get(d) == Some(&1) => self.reshape(&self.0.layout.shape.without(d)),
            Ok(_) => self.clone(),
            Err(e) => mistake!("{e}"),
        }
    }

    /// Inserts a dimension of size 1 before dimension `dim`; `-1` appends one.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([3]).unsqueeze(-1).shape(), [3, 1]);
    /// ```
    #[track_caller]
    pub fn unsqueeze(&self, dim: isize) -> Tensor {
        match dim_index("unsqueeze", dim, self.dim() + 1) {
            Ok(d) => {
                let mut shape = self.shape_owned();
                shape.0.insert(d, 1);
                self.reshape(&shape)
            }
            Err(e) => mistake!("{e}"),
        }
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::unary("reshape", |x| x.reshape([-1])),
        Sample::unary("flatten", |x| x.flatten(0, -1)),
        Sample::unary("squeeze", |x| x.squeeze()),
        Sample::unary("unsqueeze", |x| x.unsqueeze(0)),
    ]
}

#[cfg(test)]
mod tests {
    use crate::Tensor;

    #[test]
    #[should_panic(expected = "reshape: [4, 3] has 12 elements but [5] needs 5")]
    fn reshape_keeps_the_number_of_elements() {
        Tensor::zeros([4, 3]).reshape([5]);
    }

    #[test]
    #[should_panic(
        expected = "reshape: no size for -1 makes [5, -1] of the 12 elements of [4, 3]; 12 is not a multiple of 5"
    )]
    fn reshape_infers_only_what_fits() {
        Tensor::zeros([4, 3]).reshape([5, -1]);
    }

    #[test]
    fn reshape_of_contiguous_memory_is_a_view() {
        let x = Tensor::zeros([4, 3]);
        assert!(x.reshape([12]).shares_memory(&x));
        assert!(!x.t().reshape([12]).shares_memory(&x));
    }

    #[test]
    fn selected_squeezed_and_split_views_write_to_the_same_memory() {
        let x = Tensor::zeros([2, 3, 4]);
        x.select(1, 0).fill_(1);
        x.transpose(0, 2).unsqueeze(1).select(0, 3).fill_(2);
        x.narrow(2, 1, 2).reshape([2, 3, 2, 1]).select(0, 1).fill_(3);
        let rows = [1.0, 1.0, 1.0, 2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 2.0];
        let more = [1.0, 3.0, 3.0, 2.0, 0.0, 3.0, 3.0, 2.0, 0.0, 3.0, 3.0, 2.0];
        assert_eq!(x.to_vec::<f32>(), [rows, more].concat());
    }
}
