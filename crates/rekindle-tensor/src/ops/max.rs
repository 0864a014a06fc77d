//! Greatest and least elements over all, several or one dimension.
//!
//! Over all or several dimensions the gradient is split equally among ties; with indices (`max_dim`) it goes to the
//! first. Both are PyTorch's rules.

use super::elementwise::{sum_to, zip};
use super::reduction::Over;
use crate::dtype::{DType, Element, match_dtype, match_float};
use crate::gpu::{self, fold::Fold};
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
use crate::shape::Ints;
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::real::Real;
use rekindle_kernels::reduce;
use smallvec::smallvec;

/// Elements in order, NaN both above and below every number so that it wins whatever is sought.
pub(crate) trait Ordered: Element {
    const LOWEST: Self;
    const HIGHEST: Self;
    /// Whether `a` replaces `b` as the greatest.
    fn above(a: Self, b: Self) -> bool;
    /// Whether `a` replaces `b` as the least.
    fn below(a: Self, b: Self) -> bool;
    fn greater_of(a: Self, b: Self) -> Self;
    fn lesser_of(a: Self, b: Self) -> Self;
}

macro_rules! ordered {
    ($($t:ty: $lowest:expr, $highest:expr, $above:expr, $below:expr, $max:expr, $min:expr;)*) => {$(
        impl Ordered for $t {
            const LOWEST: Self = $lowest;
            const HIGHEST: Self = $highest;
            #[inline(always)]
            fn above(a: Self, b: Self) -> bool {
                $above(a, b)
            }
            #[inline(always)]
            fn below(a: Self, b: Self) -> bool {
                $below(a, b)
            }
            #[inline(always)]
            fn greater_of(a: Self, b: Self) -> Self {
                $max(a, b)
            }
            #[inline(always)]
            fn lesser_of(a: Self, b: Self) -> Self {
                $min(a, b)
            }
        }
    )*};
}
ordered! {
    f32: f32::NEG_INFINITY, f32::INFINITY, reduce::greater, reduce::less, Real::maximum, Real::minimum;
    f64: f64::NEG_INFINITY, f64::INFINITY, reduce::greater, reduce::less, Real::maximum, Real::minimum;
    i64: i64::MIN, i64::MAX, |a, b| a > b, |a, b| a < b, i64::max, i64::min;
    bool: false, true, |a: bool, b: bool| a & !b, |a: bool, b: bool| !a & b, bool::max, bool::min;
}

/// The greatest (`max`) or least element over some dimensions.
#[derive(Debug)]
struct Extreme {
    max: bool,
    over: Over,
}

impl Op for Extreme {
    fn name(&self) -> &'static str {
        if self.max { "amax" } else { "amin" }
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        self.over.check_not_empty(self.name(), &x[0].shape)?;
        Ok(Meta { shape: self.over.result(&x[0].shape), dtype: x[0].dtype })
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        match_dtype!(out.dtype, T => {
            let y = if self.max {
                self.over.run(x[0], |x, o, l, i, y| reduce::fold(x, o, l, i, y, T::LOWEST, T::greater_of))
            } else {
                self.over.run(x[0], |x, o, l, i, y| reduce::fold(x, o, l, i, y, T::HIGHEST, T::lesser_of))
            };
            Tensor::from_vec(y, &out.shape).into()
        })
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        smallvec![Some(split_among_ties(&self.over, ctx.input(0), ctx.output(), ctx.grad))]
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let (identity, combine) = match (out.dtype, self.max) {
            (DType::F32, true) => ("-infinity()", "maximum(a, b)"),
            (DType::F32, false) => ("infinity()", "minimum(a, b)"),
            (DType::I64, true) => ("-2147483648", "max(a, b)"),
            (DType::I64, false) => ("2147483647", "min(a, b)"),
            (_, true) => ("0", "max(a, b)"),
            (_, false) => ("1", "min(a, b)"),
        };
        self.over.fold(x[0], Fold { name: self.name(), identity, combine }).into()
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        let shape = &ctx.metas[0].shape;
        let [y, g] = [ctx.output(), ctx.grad].map(|t| self.over.widened(t, shape));
        let operands = [ctx.input(0), &y];
        let wgsl = "select(0.0, 1.0, a == b || (is_nan(a) && is_nan(b)))";
        let chosen = gpu::map(&gpu::of(&operands), wgsl, &operands, &[], &ctx.metas[0]);
        let count = sum_to(chosen.clone(), &self.over.kept(shape));
        smallvec![Some(&chosen * (g / count))]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Both
    }
}

/// The gradient of a chosen element `y`, divided equally among the elements of `x` that equal it.
fn split_among_ties(over: &Over, x: &Tensor, y: &Tensor, g: &Tensor) -> Tensor {
    let shape = x.shape_owned();
    let y = over.widened(y, &shape).expand(&shape);
    let chosen = match_float!("max", x.dtype(), T => {
        zip(x, &y, |x: T, y: T| -> T { if x == y || (x.is_nan() && y.is_nan()) { 1.0 } else { 0.0 } })
    });
    let count = sum_to(chosen.clone(), &over.kept(&shape));
    &chosen * (over.widened(g, &shape) / count)
}

impl Tensor {
    /// The greatest element; NaN if there is one. The gradient is split equally among ties.
    ///
    /// # Panics
    /// If the tensor is empty.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[1.0, 7.0], [3.0, 2.0]]).max().item::<f32>(), 7.0);
    /// ```
    #[track_caller]
    pub fn max(&self) -> Tensor {
        self.amax(Ints::default(), false)
    }

    /// The least element; NaN if there is one. The gradient is split equally among ties.
    ///
    /// # Panics
    /// If the tensor is empty.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([3, 1, 2]).min().item::<i64>(), 1);
    /// ```
    #[track_caller]
    pub fn min(&self) -> Tensor {
        self.amin(Ints::default(), false)
    }

    /// The greatest element over the given dimensions (all, when the list is empty). The gradient is split equally
    /// among ties.
    ///
    /// # Panics
    /// If a dimension is out of range, named twice or of size 0.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[3, 1], [2, 5]]).amax(1, false).to_vec::<i64>(), [3, 5]);
    /// ```
    #[track_caller]
    pub fn amax(&self, dims: impl Into<Ints>, keepdim: bool) -> Tensor {
        apply(Extreme { max: true, over: Over::new("amax", self, dims, keepdim) }, &[self])
    }

    /// The least element over the given dimensions (all, when the list is empty). The gradient is split equally
    /// among ties.
    ///
    /// # Panics
    /// If a dimension is out of range, named twice or of size 0.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[3, 1], [2, 5]]).amin(0, true).to_vec::<i64>(), [2, 1]);
    /// ```
    #[track_caller]
    pub fn amin(&self, dims: impl Into<Ints>, keepdim: bool) -> Tensor {
        apply(Extreme { max: false, over: Over::new("amin", self, dims, keepdim) }, &[self])
    }

    /// The greatest elements along one dimension and their indices, the first of equals; PyTorch's `x.max(dim)`. The
    /// gradient goes to the element of the index.
    ///
    /// # Panics
    /// If the dimension is out of range or has size 0.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let (values, indices) = tensor([[1.0, 7.0], [3.0, 2.0]]).max_dim(1, false);
    /// assert_eq!((values.to_vec::<f32>(), indices.to_vec::<i64>()), (vec![7.0, 3.0], vec![1, 0]));
    /// ```
    #[track_caller]
    pub fn max_dim(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        self.pick(dim, self.argmax_dim(dim, true), keepdim)
    }

    /// The least elements along one dimension and their indices, the first of equals; PyTorch's `x.min(dim)`.
    ///
    /// # Panics
    /// If the dimension is out of range or has size 0.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let (values, indices) = tensor([[3, 1], [2, 5]]).min_dim(1, false);
    /// assert_eq!((values.to_vec::<i64>(), indices.to_vec::<i64>()), (vec![1, 2], vec![1, 0]));
    /// ```
    #[track_caller]
    pub fn min_dim(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        self.pick(dim, self.argmin_dim(dim, true), keepdim)
    }

    /// The elements at `indices`, which have size 1 along `dim`, and the indices.
    #[track_caller]
    pub(crate) fn pick(&self, dim: isize, indices: Tensor, keepdim: bool) -> (Tensor, Tensor) {
        let values = self.gather(dim, &indices);
        if keepdim { (values, indices) } else { (values.squeeze_dim(dim), indices.squeeze_dim(dim)) }
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::new("max", |x| x[0].max()).on(&[&[3, 4]]).on(&[&[1]]).on(&[&[]]).large(&[&[300, 400]]),
        Sample::new("min", |x| x[0].min()).on(&[&[3, 4]]).on(&[&[1]]).on(&[&[]]),
        Sample::new("amax", |x| x[0].amax([0, 2], false))
            .on(&[&[2, 3, 4]])
            .on(&[&[2, 0, 1]])
            .large(&[&[40, 50, 40]]),
        Sample::new("amin", |x| x[0].amin(-1, true)).on(&[&[2, 3, 4]]).on(&[&[0, 1]]).large(&[&[300, 400]]),
        Sample::new("max over a dim", |x| x[0].max_dim(1, false).0).on(&[&[2, 3, 4]]).on(&[&[2, 1, 0]]),
        Sample::new("min over a dim", |x| x[0].min_dim(-1, true).0).on(&[&[2, 3, 4]]).on(&[&[0, 1]]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::{Tensor, tensor};

    #[test]
    fn ties_share_the_gradient_and_with_indices_the_first_takes_it() {
        let x = tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]).requires_grad_(true);
        x.amax(1, false).sum().backward();
        let third = 1.0f32 / 3.0;
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.0, 0.5, 0.5, third, third, third]);
        x.zero_grad();
        x.max_dim(1, false).0.sum().backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn nan_wins_and_takes_the_gradient() {
        let x = tensor([1.0, f64::NAN, 5.0]).requires_grad_(true);
        let y = x.max();
        assert!(y.item::<f32>().is_nan() && x.min().item::<f32>().is_nan());
        y.backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.0, 1.0, 0.0]);
    }

    #[test]
    fn integers_truth_values_and_infinities_are_ordered() {
        assert_eq!(tensor([[3, -5], [9, 0]]).amin(1, false).to_vec::<i64>(), [-5, 0]);
        assert!(tensor([false, true]).max().item::<bool>() && !tensor([false, true]).min().item::<bool>());
        assert_eq!(tensor([f64::NEG_INFINITY; 20]).max().item::<f64>(), f64::NEG_INFINITY);
    }

    #[test]
    #[should_panic(expected = "amax: nothing to choose from in [0]")]
    fn nothing_has_no_maximum() {
        Tensor::zeros([0]).max();
    }
}
