//! What reductions share: which dimensions they remove, the shapes before and after, and the walk over memory.

use crate::dtype::Element;
use crate::gpu::{self, fold, fold::Fold};
use crate::op::mistake;
use crate::shape::{Dims, Ints, Shape, dim_indices};
use crate::storage::alloc;
use crate::tensor::Tensor;

/// The dimensions that a reduction removes, or keeps with size 1.
#[derive(Clone, Debug)]
pub(crate) struct Over {
    /// Ascending.
    pub dims: Dims,
    pub keepdim: bool,
}

impl Over {
    /// The given dimensions of `x`; all, if none is given.
    #[track_caller]
    pub fn new(op: &str, x: &Tensor, dims: impl Into<Ints>, keepdim: bool) -> Over {
        match dim_indices(op, &dims.into(), x.dim()) {
            // A scalar may be reduced over its dimension 0, which it has not.
            Ok(dims) => Over { dims: dims.into_iter().filter(|&d| d < x.dim()).collect(), keepdim },
            Err(e) => mistake!("{e}"),
        }
    }

    /// The shape with every reduced dimension of size 1, which broadcasts against the input.
    pub fn kept(&self, shape: &Shape) -> Shape {
        let mut out = shape.clone();
        self.dims.iter().for_each(|&d| out.0[d] = 1);
        out
    }

    /// The shape of the result.
    pub fn result(&self, shape: &Shape) -> Shape {
        if self.keepdim {
            return self.kept(shape);
        }
        Shape((0..shape.len()).filter(|d| !self.dims.contains(d)).map(|d| shape[d]).collect())
    }

    /// A result (or its gradient) in the shape that broadcasts against the input.
    pub fn widened(&self, y: &Tensor, input: &Shape) -> Tensor {
        if self.keepdim { y.clone() } else { y.reshape(&self.kept(input)) }
    }

    /// How many elements go into one of the result.
    pub fn count(&self, shape: &[usize]) -> usize {
        self.dims.iter().map(|&d| shape[d]).product()
    }

    /// An error for reductions that need something to choose from.
    pub fn check_not_empty(&self, op: &str, shape: &Shape) -> Result<(), String> {
        if self.count(shape) == 0 {
            return Err(format!(
                "{op}: nothing to choose from in {shape}; every reduced dimension needs a size above 0"
            ));
        }
        Ok(())
    }

    /// [`run`](Over::run) on a GPU.
    pub fn fold(&self, x: &Tensor, how: Fold) -> Tensor {
        let (gpu, mut shape, mut y) = (gpu::of(&[x]), x.shape_owned(), x.detach());
        let mut end = self.dims.len();
        while end > 0 {
            let mut start = end - 1;
            while start > 0 && self.dims[start - 1] + 1 == self.dims[start] {
                start -= 1;
            }
            let (first, last) = (self.dims[start], self.dims[end - 1]);
            let [outer, inner] = [&shape[..first], &shape[last + 1..]].map(|s| s.iter().product());
            y = fold::fold(&gpu, &y, [outer, shape[first..=last].iter().product(), inner], how);
            self.dims[start..end].iter().for_each(|&d| shape.0[d] = 1);
            end = start;
        }
        y.reshape(&self.result(&x.shape_owned()))
    }

    /// Reduces run by run of neighbouring dimensions, the last first; `reduce(x, outer, len, inner, y)` sees each as
    /// `[outer, len, inner]` and writes `[outer, inner]`.
    pub fn run<T: Element>(
        &self,
        x: &Tensor,
        reduce: impl Fn(&[T], usize, usize, usize, &mut [T]),
    ) -> Vec<T> {
        let mut shape = x.shape_owned();
        let mut result: Option<Vec<T>> = None;
        let mut end = self.dims.len();
        while end > 0 {
            let mut start = end - 1;
            while start > 0 && self.dims[start - 1] + 1 == self.dims[start] {
                start -= 1;
            }
            let (first, last) = (self.dims[start], self.dims[end - 1]);
            let outer = shape[..first].iter().product();
            let len = shape[first..=last].iter().product();
            let inner = shape[last + 1..].iter().product();
            let mut y = alloc::<T>(outer * inner);
            match &result {
                None => reduce(&x.data::<T>(), outer, len, inner, &mut y),
                Some(x) => reduce(x, outer, len, inner, &mut y),
            }
            result = Some(y);
            self.dims[start..end].iter().for_each(|&d| shape.0[d] = 1);
            end = start;
        }
        result.unwrap_or_else(|| x.to_vec::<T>())
    }
}
