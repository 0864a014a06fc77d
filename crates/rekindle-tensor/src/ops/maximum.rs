//! The greater and the lesser of two tensors, element by element.

use super::elementwise::{binary, broadcasting, sum_to, zip3};
use super::max::Ordered;
use crate::dtype::{DType, match_dtype, match_float};
use crate::gpu;
use crate::op::{Context, Grads, Meta, Op, Output, apply};
use crate::operand::{Operand, promoted};
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::real::Real;
use smallvec::smallvec;

/// The greater (`max`) or the lesser of each pair.
#[derive(Debug)]
struct Of {
    max: bool,
}

impl Op for Of {
    fn name(&self) -> &'static str {
        if self.max { "maximum" } else { "minimum" }
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        broadcasting(self.name(), x)
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        match_dtype!(out.dtype, T => {
            if self.max {
                binary(x[0], x[1], &out.shape, <T as Ordered>::greater_of).into()
            } else {
                binary(x[0], x[1], &out.shape, <T as Ordered>::lesser_of).into()
            }
        })
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let shape = ctx.grad.shape_owned();
        let grad = |own: usize, other: usize| {
            let (own, other) = (ctx.input(own).expand(&shape), ctx.input(other).expand(&shape));
            // The sign turns the minimum into a maximum.
            match_float!("maximum", ctx.grad.dtype(), T => {
                let sign: T = if self.max { 1.0 } else { -1.0 };
                zip3(ctx.grad, &own, &other, #[inline(always)] move |g: T, own: T, other: T| share(g, sign * own, sign * other))
            })
        };
        smallvec![
            ctx.needs[0].then(|| sum_to(grad(0, 1), &ctx.metas[0].shape)),
            ctx.needs[1].then(|| sum_to(grad(1, 0), &ctx.metas[1].shape)),
        ]
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let wgsl = match (out.dtype, self.max) {
            (DType::Bool, true) => "a || b",
            (DType::Bool, false) => "a && b",
            (DType::I64, true) => "max(a, b)",
            (DType::I64, false) => "min(a, b)",
            (_, true) => "maximum(a, b)",
            (_, false) => "minimum(a, b)",
        };
        gpu::map(&gpu::of(x), wgsl, x, &[], out).into()
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        // As `share`: of a gradient a, the operand b beside the other, c.
        let lost = if self.max { "b < c" } else { "c < b" };
        let wgsl =
            format!("select(select(select(a, 0.0, {lost}), a / 2.0, b == c), a, is_nan(b) || is_nan(c))");
        let grad = |own: usize, other: usize| {
            let operands = [ctx.grad, ctx.input(own), ctx.input(other)];
            gpu::map(&gpu::of(&operands), &wgsl, &operands, &[], &Meta::of(ctx.grad))
        };
        smallvec![
            ctx.needs[0].then(|| sum_to(grad(0, 1), &ctx.metas[0].shape)),
            ctx.needs[1].then(|| sum_to(grad(1, 0), &ctx.metas[1].shape)),
        ]
    }
}

/// An operand's part of the gradient of the greater: half of it between equals. Beside NaN, which no comparison orders,
/// both get all, as in PyTorch.
#[inline(always)]
fn share<T: Real>(g: T, own: T, other: T) -> T {
    if own == other {
        g / T::from_f64(2.0)
    } else if own < other {
        T::ZERO
    } else {
        g
    }
}

impl Tensor {
    /// The greater of each pair of elements; NaN if either is. Ties share the gradient equally.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([-1.0, 2.0]).maximum(0.0).to_vec::<f32>(), [0.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn maximum(&self, other: impl Operand) -> Tensor {
        let (a, b) = promoted(&self, &other);
        apply(Of { max: true }, &[&a, &b])
    }

    /// The lesser of each pair of elements; NaN if either is. Ties share the gradient equally.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([1, 5]).minimum(3).to_vec::<i64>(), [1, 3]);
    /// ```
    #[track_caller]
    pub fn minimum(&self, other: impl Operand) -> Tensor {
        let (a, b) = promoted(&self, &other);
        apply(Of { max: false }, &[&a, &b])
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::binary("maximum", |a, b| a.maximum(b)),
        Sample::binary("minimum", |a, b| a.minimum(b)),
        Sample::unary("maximum with a number", |x| x.maximum(0.0)).away_from(0.0).large(&[&[300, 400]]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::tensor;

    #[test]
    fn equals_share_the_gradient_and_nan_is_passed_on() {
        let (a, b) =
            (tensor([1.0, 2.0, 4.0]).requires_grad_(true), tensor([1.0, 3.0, 0.0]).requires_grad_(true));
        (a.maximum(&b).sum() + a.minimum(&b).sum() * 10.0).backward();
        assert_eq!(a.grad().unwrap().to_vec::<f32>(), [5.5, 10.0, 1.0]);
        assert_eq!(b.grad().unwrap().to_vec::<f32>(), [5.5, 1.0, 10.0]);
        let y = tensor([f64::NAN, 1.0]).maximum(tensor([1.0, f64::NAN]));
        assert!(y.to_vec::<f32>().iter().all(|v| v.is_nan()));
    }

    #[test]
    fn integers_have_a_maximum() {
        assert_eq!(tensor([1, 5]).maximum(3).to_vec::<i64>(), [3, 5]);
    }
}
