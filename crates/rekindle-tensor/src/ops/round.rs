//! Rounding to integers: round, floor, ceil and trunc. Their gradients are 0.

use super::elementwise::{same_number, unary};
use crate::dtype::{DType, match_float};
use crate::gpu;
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
use crate::tensor::Tensor;
use crate::testing::Sample;
use smallvec::smallvec;

#[derive(Clone, Copy, Debug)]
enum Round {
    HalfEven,
    Floor,
    Ceil,
    Trunc,
}

impl Op for Round {
    fn name(&self) -> &'static str {
        match self {
            Round::HalfEven => "round",
            Round::Floor => "floor",
            Round::Ceil => "ceil",
            Round::Trunc => "trunc",
        }
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        same_number(self.name(), x)
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        if out.dtype == DType::I64 {
            return unary(x[0], |x: i64| x).into();
        }
        match_float!(self.name(), out.dtype, T => match self {
            Round::HalfEven => unary(x[0], |x: T| x.round_ties_even()),
            Round::Floor => unary(x[0], |x: T| x.floor()),
            Round::Ceil => unary(x[0], |x: T| x.ceil()),
            Round::Trunc => unary(x[0], |x: T| x.trunc()),
        })
        .into()
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let wgsl = match self {
            _ if out.dtype == DType::I64 => "a",
            // WGSL's takes halves to the even one, too.
            Round::HalfEven => "round(a)",
            Round::Floor => "floor(a)",
            Round::Ceil => "ceil(a)",
            Round::Trunc => "trunc(a)",
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
    /// The nearest integer, halves to the even one.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([0.5, 1.5, -2.6]).round().to_vec::<f32>(), [0.0, 2.0, -3.0]);
    /// ```
    #[track_caller]
    pub fn round(&self) -> Tensor {
        apply(Round::HalfEven, &[self])
    }

    /// The greatest integer that is not greater.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([-1.5, 1.5]).floor().to_vec::<f32>(), [-2.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn floor(&self) -> Tensor {
        apply(Round::Floor, &[self])
    }

    /// The least integer that is not less.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([-1.5, 1.5]).ceil().to_vec::<f32>(), [-1.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn ceil(&self) -> Tensor {
        apply(Round::Ceil, &[self])
    }

    /// The integer part: rounds towards zero.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([-1.5, 1.5]).trunc().to_vec::<f32>(), [-1.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn trunc(&self) -> Tensor {
        apply(Round::Trunc, &[self])
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    // No random input lies within the step of finite differences of an integer or a half.
    vec![
        Sample::unary("round", |x| x.round()),
        Sample::unary("floor", |x| x.floor()),
        Sample::unary("ceil", |x| x.ceil()),
        Sample::unary("trunc", |x| x.trunc()),
    ]
}
