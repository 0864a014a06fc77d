//! Limits from below and above.

use super::elementwise::{same_number, unary, zip};
use crate::dtype::{DType, Scalar, match_float, match_number};
use crate::gpu;
use crate::op::{Context, Grads, Meta, Op, Output, apply};
use crate::tensor::Tensor;
use crate::testing::Sample;
use smallvec::smallvec;

#[derive(Debug)]
struct Clamp {
    min: Option<Scalar>,
    max: Option<Scalar>,
}

impl Op for Clamp {
    fn name(&self) -> &'static str {
        "clamp"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        same_number("clamp", x)
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        match_number!("clamp", out.dtype, T => {
            use crate::dtype::Element;
            let (min, max) = (self.min.map(T::from_scalar), self.max.map(T::from_scalar));
            // NaN fails both comparisons and so passes. With min > max everything becomes max.
            match (min, max) {
                (Some(min), Some(max)) => unary(x[0], move |x: T| {
                    let x = if x < min { min } else { x };
                    if x > max { max } else { x }
                }),
                (Some(min), None) => unary(x[0], move |x: T| if x < min { min } else { x }),
                (None, Some(max)) => unary(x[0], move |x: T| if x > max { max } else { x }),
                (None, None) => x[0].clone(),
            }
            .into()
        })
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        smallvec![Some(match_float!("clamp", ctx.grad.dtype(), T => {
            let (min, max) = (self.min.map(|v| v.as_f64() as T), self.max.map(|v| v.as_f64() as T));
            zip(ctx.grad, ctx.input(0), move |g: T, x: T| -> T {
                if min.is_none_or(|min| x > min) && max.is_none_or(|max| x < max) { g } else { 0.0 }
            })
        }))]
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let bounded = match (self.min, self.max) {
            (Some(_), Some(_)) => "min(max(a, b), c)",
            (Some(_), None) => "max(a, b)",
            (None, Some(_)) => "min(a, b)",
            (None, None) => "a",
        };
        let nan_passes = format!("select({bounded}, a, is_nan(a))");
        let wgsl = if out.dtype.is_float() { &nan_passes } else { bounded };
        let bounds = self.bounds(out.dtype);
        let operands: Vec<&Tensor> = x.iter().copied().chain(&bounds).collect();
        gpu::map(&gpu::of(x), wgsl, &operands, &[], out).into()
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        let wgsl = match (self.min, self.max) {
            (Some(_), Some(_)) => "select(0.0, a, (b > c) && (b < d))",
            (Some(_), None) => "select(0.0, a, b > c)",
            (None, Some(_)) => "select(0.0, a, b < c)",
            (None, None) => "a",
        };
        let bounds = self.bounds(ctx.metas[0].dtype);
        let operands: Vec<&Tensor> = [ctx.grad, ctx.input(0)].into_iter().chain(&bounds).collect();
        smallvec![Some(gpu::map(&gpu::of(&operands), wgsl, &operands, &[], &ctx.metas[0]))]
    }
}

impl Clamp {
    /// The limits that there are, as operands. What no integer of a GPU reaches limits none.
    fn bounds(&self, dtype: DType) -> Vec<Tensor> {
        let within = |v: Scalar| match dtype {
            DType::I64 => Scalar::Int(v.as_i64().clamp(i32::MIN.into(), i32::MAX.into())),
            _ => v,
        };
        [self.min, self.max].into_iter().flatten().map(|v| Tensor::scalar(within(v), dtype)).collect()
    }
}

impl Tensor {
    /// Each element, but at least `min` and at most `max`; NaN stays NaN. The gradient passes strictly between the
    /// bounds and is 0 at them and beyond.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([-5.0, 0.5, 5.0]).clamp(-1.0, 1.0).to_vec::<f32>(), [-1.0, 0.5, 1.0]);
    /// ```
    #[track_caller]
    pub fn clamp(&self, min: impl Into<Scalar>, max: impl Into<Scalar>) -> Tensor {
        self.clamped(Some(min.into()), Some(max.into()))
    }

    /// Each element, but at least `min`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([-2, 3]).clamp_min(0).to_vec::<i64>(), [0, 3]);
    /// ```
    #[track_caller]
    pub fn clamp_min(&self, min: impl Into<Scalar>) -> Tensor {
        self.clamped(Some(min.into()), None)
    }

    /// Each element, but at most `max`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([-2, 3]).clamp_max(0).to_vec::<i64>(), [-2, 0]);
    /// ```
    #[track_caller]
    pub fn clamp_max(&self, max: impl Into<Scalar>) -> Tensor {
        self.clamped(None, Some(max.into()))
    }

    #[track_caller]
    fn clamped(&self, min: Option<Scalar>, max: Option<Scalar>) -> Tensor {
        let floats = [min, max].iter().flatten().any(|s| s.dtype() == DType::F32);
        if floats && !self.dtype().is_float() {
            return self.float().clamped(min, max);
        }
        apply(Clamp { min, max }, &[self])
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::unary("clamp", |x| x.clamp(-0.7, 0.9)),
        Sample::unary("clamp from below", |x| x.clamp_min(0.1)),
        Sample::unary("clamp from above", |x| x.clamp_max(0.1)),
    ]
}

#[cfg(test)]
mod tests {
    use crate::tensor;

    #[test]
    fn the_gradient_is_zero_at_the_bounds() {
        let x = tensor([-1.0, -0.5, 1.0, f64::NAN]).requires_grad_(true);
        let y = x.clamp(-1.0, 1.0);
        assert!(y.to_vec::<f32>()[3].is_nan());
        y.sum().backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn integers_are_clamped_as_integers_or_by_floats_as_floats() {
        assert_eq!(tensor([-5, 5]).clamp(0, 3).to_vec::<i64>(), [0, 3]);
        assert_eq!(tensor([-5, 5]).clamp_max(0.5).to_vec::<f32>(), [-5.0, 0.5]);
    }
}
