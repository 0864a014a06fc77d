//! Sign.

use super::elementwise::{same_number, unary};
use crate::dtype::{DType, match_number};
use crate::gpu;
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
use crate::tensor::Tensor;
use crate::testing::Sample;
use smallvec::smallvec;

#[derive(Debug)]
struct Sign;

impl Op for Sign {
    fn name(&self) -> &'static str {
        "sign"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        same_number("sign", x)
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        if out.dtype == DType::I64 {
            return unary(x[0], i64::signum).into();
        }
        match_number!("sign", out.dtype, T => {
            let zero = T::default();
            unary(x[0], move |x: T| (x > zero) as u8 as T - (x < zero) as u8 as T).into()
        })
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let wgsl = match out.dtype {
            DType::F32 => "f32(a > 0.0) - f32(a < 0.0)",
            _ => "sign(a)",
        };
        gpu::map(&gpu::of(x), wgsl, x, &[], out).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        smallvec![Some(Tensor::zeros_like(ctx.grad))]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

impl Tensor {
    /// -1, 0 or 1, as each element is negative, zero (or NaN) or positive. The gradient is 0.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([-2.5, 0.0, 3.0]).sign().to_vec::<f32>(), [-1.0, 0.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn sign(&self) -> Tensor {
        apply(Sign, &[self])
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![Sample::unary("sign", |x| x.sign()).away_from(0.0)]
}
