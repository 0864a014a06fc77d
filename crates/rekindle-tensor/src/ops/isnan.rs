//! What kind of number each element is: isnan, isinf, isfinite.

use super::elementwise::{no_grads, unary};
use crate::device::Device;
use crate::dtype::{DType, match_float};
use crate::gpu;
use crate::gpu::fold::{Fold, fold};
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
use crate::plan::aside;
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::reduce::all_finite;

#[derive(Clone, Copy, Debug)]
enum Is {
    Nan,
    Inf,
    Finite,
}

impl Op for Is {
    fn name(&self) -> &'static str {
        match self {
            Is::Nan => "isnan",
            Is::Inf => "isinf",
            Is::Finite => "isfinite",
        }
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        Ok(Meta { dtype: DType::Bool, ..x[0].clone() })
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        if !x[0].dtype().is_float() {
            return Tensor::full_of(&out.shape, matches!(self, Is::Finite), DType::Bool).into();
        }
        match_float!(self.name(), x[0].dtype(), T => match self {
            Is::Nan => unary(x[0], |x: T| x.is_nan()),
            Is::Inf => unary(x[0], |x: T| x.is_infinite()),
            Is::Finite => unary(x[0], |x: T| x.is_finite()),
        })
        .into()
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let wgsl = match self {
            _ if !x[0].dtype().is_float() => return x[0].new_full(out, matches!(self, Is::Finite)).into(),
            Is::Nan => "is_nan(a)",
            Is::Inf => "!is_nan(a) && !is_finite(a)",
            Is::Finite => "is_finite(a)",
        };
        gpu::map(&gpu::of(x), wgsl, x, &[], out).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        no_grads(ctx.metas.len())
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

/// The largest magnitude on a GPU: what is not finite wins.
fn largest(x: &Tensor) -> f32 {
    let largest = Fold { name: "largest", identity: "0", combine: "maximum(abs(a), abs(b))" };
    fold(&gpu::of(&[x]), &x.detach(), [1, x.numel(), 1], largest).item()
}

impl Tensor {
    /// Whether all elements are finite numbers, as integers always are. A look at the numbers that is not recorded in captured steps.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert!(tensor([1.0, 2.0]).all_finite() && !tensor([1.0, f64::INFINITY]).all_finite());
    /// ```
    pub fn all_finite(&self) -> bool {
        aside(|| match self.dtype() {
            DType::F32 if self.device() != Device::Cpu => largest(self).is_finite(),
            DType::F32 => all_finite(&self.data::<f32>()),
            DType::F64 => all_finite(&self.data::<f64>()),
            _ => true,
        })
    }

    /// Whether each element is NaN.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([1.0, f64::NAN]).isnan().to_vec::<bool>(), [false, true]);
    /// ```
    pub fn isnan(&self) -> Tensor {
        apply(Is::Nan, &[self])
    }

    /// Whether each element is an infinity.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([1.0, f64::INFINITY]).isinf().to_vec::<bool>(), [false, true]);
    /// ```
    pub fn isinf(&self) -> Tensor {
        apply(Is::Inf, &[self])
    }

    /// Whether each element is neither NaN nor an infinity.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([1.0, f64::NAN]).isfinite().to_vec::<bool>(), [true, false]);
    /// ```
    pub fn isfinite(&self) -> Tensor {
        apply(Is::Finite, &[self])
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::unary("isnan", |x| x.isnan()),
        Sample::unary("isinf", |x| x.isinf()),
        Sample::unary("isfinite", |x| x.isfinite()),
    ]
}

#[cfg(test)]
mod tests {
    use crate::{Tensor, tensor};

    #[test]
    fn one_bad_element_of_many_is_found() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in [0, 4095, 4096, 9999] {
                let mut values = vec![f32::MAX; 10_000];
                assert!(Tensor::from_vec(values.clone(), [100, 100]).all_finite());
                values[at] = bad;
                assert!(!Tensor::from_vec(values, [100, 100]).all_finite(), "{bad} at {at}");
            }
        }
        assert!(tensor([1, 2]).all_finite() && Tensor::zeros([0]).all_finite());
    }
}
