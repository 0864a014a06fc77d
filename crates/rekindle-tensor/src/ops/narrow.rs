//! Parts of a tensor as views: narrow, select, slice.

use crate::layout::Layout;
use crate::op::mistake;
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
use crate::shape::dim_index;
use crate::tensor::Tensor;
use crate::testing::Sample;
use smallvec::smallvec;
use std::ops::{Bound, RangeBounds};

#[derive(Debug)]
struct Narrow {
    dim: usize,
    start: usize,
    len: usize,
    step: usize,
}

impl Narrow {
    fn view_of(&self, x: &Tensor, out: &Meta) -> Tensor {
        let mut layout = Layout { shape: out.shape.clone(), ..x.0.layout.clone() };
        // An empty view may start past the end of memory; it needs no place there.
        layout.offset =
            if out.shape.numel() == 0 { 0 } else { layout.offset + self.start * layout.strides[self.dim] };
        layout.strides[self.dim] *= self.step;
        Tensor::over(x.0.storage.clone(), layout, out.dtype)
    }
}

impl Op for Narrow {
    fn name(&self) -> &'static str {
        "narrow"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        let size = x[0].shape[self.dim];
        let reach =
            self.len.checked_sub(1).map_or(Some(0), |steps| steps.checked_mul(self.step)?.checked_add(1));
        if reach.and_then(|reach| self.start.checked_add(reach)).is_none_or(|last| last > size) {
            return Err(format!(
                "narrow: {} elements from {} on are not all in dimension {} of {}; its size is {size}",
                self.len, self.start, self.dim, x[0].shape
            ));
        }
        Ok(Meta { shape: x[0].shape.with(self.dim, self.len), dtype: x[0].dtype })
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        self.view_of(x[0], out).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let meta = &ctx.metas[0];
        let whole = ctx.grad.new_full(meta, 0.0);
        self.view_of(&whole, &Meta::of(ctx.grad)).copy_(ctx.grad);
        smallvec![Some(whole)]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

impl Tensor {
    /// A view of `len` elements along `dim`, from index `start`.
    ///
    /// # Panics
    /// If they are not all there.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::arange(0, 10, 1).narrow(0, 3, 2).to_vec::<i64>(), [3, 4]);
    /// ```
    #[track_caller]
    pub fn narrow(&self, dim: isize, start: usize, len: usize) -> Tensor {
        match dim_index("narrow", dim, self.dim()) {
            Ok(_) if self.dim() == 0 => mistake!("narrow: a scalar has no dimension to narrow"),
            Ok(dim) => apply(Narrow { dim, start, len, step: 1 }, &[self]),
            Err(e) => mistake!("{e}"),
        }
    }

    /// A view of a range of indices along `dim`: Python's `x[a:b]` for `dim` 0. As there, a range that reaches
    /// beyond the end stops at the end.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::arange(0, 10, 1).slice(0, 7..).to_vec::<i64>(), [7, 8, 9]);
    /// ```
    #[track_caller]
    pub fn slice(&self, dim: isize, range: impl RangeBounds<usize>) -> Tensor {
        self.slice_step(dim, range, 1)
    }

    /// As [`slice`](Tensor::slice), taking every `step`-th index: `x[a:b:step]`.
    ///
    /// # Panics
    /// If `step` is 0.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::arange(0, 6, 1).slice_step(0, 1.., 2).to_vec::<i64>(), [1, 3, 5]);
    /// ```
    #[track_caller]
    pub fn slice_step(&self, dim: isize, range: impl RangeBounds<usize>, step: usize) -> Tensor {
        if step == 0 {
            mistake!("slice: the step is 0; it must be at least 1");
        }
        let size = self.size(dim);
        let start = match range.start_bound() {
            Bound::Included(&a) => a,
            Bound::Excluded(&a) => a + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&b) => b + 1,
            Bound::Excluded(&b) => b,
            Bound::Unbounded => size,
        };
        let (start, end) = (start.min(size), end.min(size));
        match dim_index("slice", dim, self.dim()) {
            Ok(_) if self.dim() == 0 => mistake!("slice: a scalar has no dimension to slice"),
            Ok(dim) => {
                apply(Narrow { dim, start, len: end.saturating_sub(start).div_ceil(step), step }, &[self])
            }
            Err(e) => mistake!("{e}"),
        }
    }

    /// A view of index `index` along `dim`, without that dimension: Python's `x[i]` for `dim` 0; a negative index
    /// counts from the end.
    ///
    /// # Panics
    /// If there is no such index.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[1, 2], [3, 4]]).select(0, -1).to_vec::<i64>(), [3, 4]);
    /// ```
    #[track_caller]
    pub fn select(&self, dim: isize, index: isize) -> Tensor {
        let size = self.size(dim) as isize;
        if self.dim() == 0 || !(-size..size).contains(&index) {
            mistake!("select: index {index} is out of range for dimension {dim} of {:?}", self.shape());
        }
        let start = if index < 0 { index + size } else { index } as usize;
        self.narrow(dim, start, 1).squeeze_dim(dim)
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::new("narrow", |x| x[0].narrow(0, 1, 2)).on(&[&[4, 3]]).on(&[&[3]]).on(&[&[3, 0]]),
        Sample::new("narrow to one", |x| x[0].narrow(-1, 0, 1)).on(&[&[1]]).on(&[&[2, 3]]),
        Sample::new("select", |x| x[0].select(-1, -1)).on(&[&[4, 3]]).on(&[&[1]]),
        Sample::new("slice with a step", |x| x[0].slice_step(0, 1.., 2)).on(&[&[6, 2]]).on(&[&[2]]),
    ]
}
