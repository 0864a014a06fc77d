//! Comparisons with tensors and numbers: eq, ne, lt, le, gt, ge.

use super::elementwise::{binary, broadcasting, no_grads};
use crate::dtype::{DType, match_dtype};
use crate::gpu;
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
use crate::operand::{Operand, promoted};
use crate::tensor::Tensor;
use crate::testing::Sample;

#[derive(Clone, Copy, Debug)]
enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Op for Compare {
    fn name(&self) -> &'static str {
        match self {
            Compare::Eq => "eq",
            Compare::Ne => "ne",
            Compare::Lt => "lt",
            Compare::Le => "le",
            Compare::Gt => "gt",
            Compare::Ge => "ge",
        }
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        Ok(Meta { dtype: DType::Bool, ..broadcasting(self.name(), x)? })
    }
    // One of the types that the formulas are compiled for is bool.
    #[allow(clippy::bool_comparison)]
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let (a, b, shape) = (x[0], x[1], &out.shape);
        match_dtype!(a.dtype(), T => match self {
            Compare::Eq => binary(a, b, shape, |a: T, b: T| a == b),
            Compare::Ne => binary(a, b, shape, |a: T, b: T| a != b),
            Compare::Lt => binary(a, b, shape, |a: T, b: T| a < b),
            Compare::Le => binary(a, b, shape, |a: T, b: T| a <= b),
            Compare::Gt => binary(a, b, shape, |a: T, b: T| a > b),
            Compare::Ge => binary(a, b, shape, |a: T, b: T| a >= b),
        })
        .into()
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        gpu::map(&gpu::of(x), &self.wgsl(x[0].dtype()), x, &[], out).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        no_grads(ctx.metas.len())
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

impl Compare {
    fn wgsl(self, operands: DType) -> String {
        let sign = match self {
            Compare::Eq => "==",
            Compare::Ne => "!=",
            Compare::Lt => "<",
            Compare::Le => "<=",
            Compare::Gt => ">",
            Compare::Ge => ">=",
        };
        match (operands, self) {
            (DType::Bool, _) => format!("u32(a) {sign} u32(b)"),
            // What WGSL's own comparisons say of NaN depends on the driver.
            (DType::F32, Compare::Ne) => "a != b || is_nan(a) || is_nan(b)".into(),
            (DType::F32, _) => format!("(a {sign} b) && !is_nan(a) && !is_nan(b)"),
            _ => format!("a {sign} b"),
        }
    }
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $method:ident: $variant:ident;)*) => {
        impl Tensor {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $method(&self, other: impl Operand) -> Tensor {
                    let (a, b) = promoted(&self, &other);
                    apply(Compare::$variant, &[&a, &b])
                }
            )*
        }
    };
}

comparisons! {
    /// Whether each pair of elements is equal; NaN equals nothing.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([1, 2, 3]).eq(2).to_vec::<bool>(), [false, true, false]);
    /// ```
    eq: Eq;
    /// Whether each pair of elements differs.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    ne: Ne;
    /// Whether each element is less than the other.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    lt: Lt;
    /// Whether each element is less than the other or equal.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    le: Le;
    /// Whether each element is greater than the other.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([0.2, 0.8]).gt(0.5).to_vec::<bool>(), [false, true]);
    /// ```
    gt: Gt;
    /// Whether each element is greater than the other or equal.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    ge: Ge;
}

impl Tensor {
    /// Whether shapes and all elements are equal, as numbers (so NaN makes tensors differ, and -0 equals 0).
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert!(tensor([1.0, 2.0]).equal(&tensor([1.0, 2.0])));
    /// ```
    pub fn equal(&self, other: &Tensor) -> bool {
        self.shape() == other.shape() && self.detach().eq(other.detach()).all().item::<bool>()
    }

    /// Whether shapes are equal and all elements close: `|a - b| <= atol + rtol |b|`, or both the same infinity.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert!(tensor([1.0]).allclose(&tensor([1.000001]), 1e-5, 1e-8));
    /// ```
    pub fn allclose(&self, other: &Tensor, rtol: f64, atol: f64) -> bool {
        let close =
            |(a, b): (&f64, &f64)| a == b || (b.is_finite() && (a - b).abs() <= atol + rtol * b.abs());
        self.shape() == other.shape() && self.to_f64_vec().iter().zip(&other.to_f64_vec()).all(close)
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::binary("eq", |a, b| a.eq(b)),
        Sample::binary("ne", |a, b| a.ne(b)),
        Sample::binary("lt", |a, b| a.lt(b)),
        Sample::binary("le", |a, b| a.le(b)),
        Sample::binary("gt", |a, b| a.gt(b)),
        Sample::unary("ge", |x| x.ge(0.25)).large(&[&[300, 400]]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::tensor;

    #[test]
    fn nan_compares_as_ieee_says() {
        let (x, nan) = (tensor([1.0, f64::NAN]), f64::NAN);
        assert_eq!(x.eq(nan).to_vec::<bool>(), [false, false]);
        assert_eq!(x.ne(&x).to_vec::<bool>(), [false, true]);
        assert_eq!(x.le(nan).to_vec::<bool>(), [false, false]);
        assert!(!x.equal(&x) && !x.allclose(&x, 1.0, 1.0));
    }

    #[test]
    fn types_are_promoted_before_comparing() {
        assert_eq!(tensor([1, 2]).lt(1.5).to_vec::<bool>(), [true, false]);
        assert_eq!(tensor([true, false]).eq(true).to_vec::<bool>(), [true, false]);
        assert!(tensor([1, 2]).equal(&tensor([1.0, 2.0])));
    }

    #[test]
    fn infinities_are_close_to_themselves_only() {
        let x = tensor([f64::INFINITY]);
        assert!(x.allclose(&x, 1e-5, 1e-8) && !tensor([1.0]).allclose(&x, 1e-5, 1e-8));
    }
}
