//! Powers: of a tensor to a number or a tensor, and of a number to a tensor.

use super::elementwise::{binary, broadcasting, same, same_float, sum_to, unary, zip3};
use crate::dtype::{DType, match_float};
use crate::gpu;
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply, mistake};
use crate::operand::{Operand, promoted};
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::real::Real;
use smallvec::smallvec;

/// `x^e` for one number `e`.
#[derive(Debug)]
struct PowNumber(f64);

/// Common exponents are computed as products, quotients and roots, as in PyTorch.
fn power(x: &Tensor, exponent: f64) -> Tensor {
    match_float!("pow", x.dtype(), T => match exponent {
        0.0 => unary(x, |_: T| -> T { 1.0 }),
        0.5 => unary(x, |x: T| x.sqrt()),
        1.0 => unary(x, |x: T| x),
        2.0 => unary(x, |x: T| x * x),
        3.0 => unary(x, |x: T| x * x * x),
        -0.5 => unary(x, |x: T| 1.0 / x.sqrt()),
        -1.0 => unary(x, |x: T| 1.0 / x),
        -2.0 => unary(x, |x: T| 1.0 / (x * x)),
        e => unary(x, #[inline(always)] move |x: T| Real::powf(x, <T as Real>::from_f64(e))),
    })
}

/// [`power`] in WGSL, of `a`; an exponent without a formula of its own is `p.n0`.
fn formula(exponent: f64) -> &'static str {
    match exponent {
        0.0 => "1.0",
        0.5 => "sqrt(a)",
        1.0 => "a",
        2.0 => "a * a",
        3.0 => "a * a * a",
        -0.5 => "1.0 / sqrt(a)",
        -1.0 => "1.0 / a",
        -2.0 => "1.0 / (a * a)",
        _ => "power(a, p.n0)",
    }
}

impl Op for PowNumber {
    fn name(&self) -> &'static str {
        "pow"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        same(x)
    }
    fn forward(&self, x: &[&Tensor], _: &Meta) -> Output {
        power(x[0], self.0).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        if self.0 == 0.0 {
            return smallvec![Some(Tensor::zeros_like(ctx.grad))];
        }
        smallvec![Some(ctx.grad * (power(ctx.input(0), self.0 - 1.0) * self.0))]
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        gpu::map(&gpu::of(x), formula(self.0), x, &[self.0], out).into()
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        if self.0 == 0.0 {
            return smallvec![Some(Tensor::zeros_like(ctx.grad))];
        }
        let (operands, e) = ([ctx.input(0), ctx.grad], self.0 - 1.0);
        let wgsl = format!("b * ({} * p.n1)", formula(e));
        smallvec![Some(gpu::map(&gpu::of(&operands), &wgsl, &operands, &[e, self.0], &ctx.metas[0]))]
    }
}

/// `x^n` of integers, wrapping around on overflow.
#[derive(Debug)]
struct PowInteger(u32);

impl Op for PowInteger {
    fn name(&self) -> &'static str {
        "pow"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        same(x)
    }
    fn forward(&self, x: &[&Tensor], _: &Meta) -> Output {
        let n = self.0;
        unary(x[0], move |x: i64| x.wrapping_pow(n)).into()
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let n = Tensor::scalar(i64::from(self.0).into(), DType::I64);
        gpu::map(&gpu::of(x), "integer_power(a, u32(b))", &[x[0], &n], &[], out).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        super::elementwise::no_grads(ctx.metas.len())
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

/// `a^b` of two tensors.
#[derive(Debug)]
struct Pow;

impl Op for Pow {
    fn name(&self) -> &'static str {
        "pow"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        same_float("pow", x)?;
        broadcasting("pow", x)
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        match_float!("pow", out.dtype, T => {
            binary(x[0], x[1], &out.shape, #[inline(always)] |a: T, b: T| Real::powf(a, b)).into()
        })
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let shape = ctx.grad.shape_owned();
        let (a, b) = (ctx.input(0).expand(&shape), ctx.input(1).expand(&shape));
        match_float!("pow", ctx.grad.dtype(), T => {
            let base = || zip3(ctx.grad, &a, &b, #[inline(always)] |g: T, a: T, b: T| -> T {
                if b == 0.0 { 0.0 } else { g * (b * Real::powf(a, b - 1.0)) }
            });
            let exponent = || zip3(ctx.grad, &a, &b, #[inline(always)] |g: T, a: T, b: T| -> T {
                if a == 0.0 && b >= 0.0 { 0.0 } else { g * (Real::powf(a, b) * Real::ln(a)) }
            });
            smallvec![
                ctx.needs[0].then(|| sum_to(base(), &ctx.metas[0].shape)),
                ctx.needs[1].then(|| sum_to(exponent(), &ctx.metas[1].shape)),
            ]
        })
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        gpu::map(&gpu::of(x), "power(a, b)", x, &[], out).into()
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        let operands = [ctx.grad, ctx.input(0), ctx.input(1)];
        let grad = |wgsl: &str| gpu::map(&gpu::of(&operands), wgsl, &operands, &[], &Meta::of(ctx.grad));
        let base = "select(a * (c * power(b, c - 1.0)), 0.0, c == 0.0)";
        let exponent = "select(a * (power(b, c) * log(b)), 0.0, b == 0.0 && c >= 0.0)";
        smallvec![
            ctx.needs[0].then(|| sum_to(grad(base), &ctx.metas[0].shape)),
            ctx.needs[1].then(|| sum_to(grad(exponent), &ctx.metas[1].shape)),
        ]
    }
}

impl Tensor {
    /// Each element to the power of a number, or of the element of another tensor.
    ///
    /// Gradients: `dy * e * x^(e - 1)`, 0 for `e = 0`; for a tensor of exponents `dy * y * ln(x)`, 0 for `x = 0 <= e`.
    /// Integers stay integers (wrapping around) if the exponent is an integer too.
    ///
    /// # Panics
    /// If the shapes do not broadcast, or an integer tensor is raised to a negative integer or a tensor.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([3.0]).pow(2).item::<f32>(), 9.0);
    /// assert_eq!(tensor([3.0, 2.0]).pow(tensor([1.0, 3.0])).to_vec::<f32>(), [3.0, 8.0]);
    /// ```
    #[track_caller]
    pub fn pow(&self, exponent: impl Operand) -> Tensor {
        let (e, is_number) = exponent.operand();
        if !is_number {
            let (a, b) = promoted(&self, &exponent);
            return apply(Pow, &[&a, &b]);
        }
        if self.dtype().is_float() {
            return if e.item::<f64>() == 2.0 { self.square() } else { apply(PowNumber(e.item()), &[self]) };
        }
        if e.dtype().is_float() {
            return self.float().pow(exponent);
        }
        match u32::try_from(e.item::<i64>()) {
            Ok(n) => apply(PowInteger(n), &[&self.to(DType::I64)]),
            Err(_) => mistake!("pow: integers have no power {}; convert with .float()", e.item::<i64>()),
        }
    }

    /// A number to the power of each element: PyTorch's `base ** x`. Gradient: `dy * y * ln(base)`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([3.0, -1.0]).rpow(2.0).to_vec::<f32>(), [8.0, 0.5]);
    /// ```
    #[track_caller]
    pub fn rpow(&self, base: impl Operand) -> Tensor {
        let (a, b) = promoted(&base, &self);
        apply(Pow, &[&a, &b])
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let to = |e: f64| move |x: &Tensor| x.pow(e);
    vec![
        Sample::binary("pow", |a, b| a.pow(b)).range(0.2, 2.0),
        Sample::unary("pow 2", |x| x.pow(2)),
        Sample::unary("pow 3", |x| x.pow(3)),
        Sample::unary("pow 0", to(0.0)),
        Sample::unary("pow 2.5", to(2.5)).range(0.2, 2.0).large(&[&[300, 400]]),
        Sample::unary("pow -1", to(-1.0)).range(0.2, 2.0),
        Sample::unary("number pow", |x| x.rpow(2.5)),
    ]
}

#[cfg(test)]
mod tests {
    use crate::tensor;

    #[test]
    fn powers_of_zero_have_finite_gradients() {
        let x = tensor([0.0]).requires_grad_(true);
        let e = tensor([0.0]).requires_grad_(true);
        (x.pow(&e).sum() + x.pow(0.0).sum()).backward();
        assert_eq!((x.grad().unwrap().item::<f32>(), e.grad().unwrap().item::<f32>()), (0.0, 0.0));
    }

    #[test]
    fn negative_bases_have_integer_powers() {
        assert_eq!(tensor([-2.0, -2.0]).pow(tensor([3.0, 4.0])).to_vec::<f32>(), [-8.0, 16.0]);
        assert_eq!(tensor([-2, 3]).pow(3).to_vec::<i64>(), [-8, 27]);
    }

    #[test]
    #[should_panic(expected = "pow: integers have no power -1; convert with .float()")]
    fn integers_have_no_reciprocals() {
        tensor([2]).pow(-1);
    }
}
