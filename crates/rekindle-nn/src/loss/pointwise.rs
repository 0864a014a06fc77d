//! What losses that compare element with element share: the operation, the shape rule, the reduction.
//!
//! Legend: `x` prediction, `t` target, `g` the gradient that arrives, `n` what a mean divides by (1 without a mean).

use super::Reduction;
use super::weight::Weight;
use rekindle_kernels::real::Real;
use rekindle_kernels::{map, reduce};
use rekindle_tensor::plan::{LossStage, Targets};
use rekindle_tensor::{Context, DType, Element, Grads, Meta, Op, Output, Tensor, apply, gpu, grads};
use std::fmt::Debug;

/// A [`Formula`] for a GPU: WGSL expressions over `a` = x, `b` = t and `c` = g; `p.n0` is n, and `p.n1`, `p.n2`, .. are the formula's
/// [`numbers`](Formula::numbers).
pub(super) struct Wgsl {
    pub value: &'static str,
    pub slope: &'static str,
    /// None for the negative of `slope`.
    pub target_slope: Option<&'static str>,
}

/// The loss of one element and its derivatives, rounded in PyTorch's order.
pub(super) trait Formula: Copy + Debug + Send + Sync + 'static {
    /// PyTorch's name of the function.
    const NAME: &'static str;

    /// The same for a GPU.
    const WGSL: Wgsl;

    /// The parameters that the WGSL reads.
    fn numbers(self) -> Vec<f64> {
        Vec::new()
    }

    fn value<T: Real>(self, x: T, t: T) -> T;

    /// Whether these may be outputs or targets.
    fn takes(_: &[f32]) -> bool {
        true
    }

    /// `g / n` times the derivative with respect to `x`.
    fn slope<T: Real>(self, x: T, t: T, g: T, n: T) -> T;

    /// `g / n` times the derivative with respect to `t`; by default that of a function of `x - t`.
    #[inline(always)]
    fn target_slope<T: Real>(self, x: T, t: T, g: T, n: T) -> T {
        -self.slope(x, t, g, n)
    }
}

/// A formula over all elements, with its reduction: one pass and a sum forward, one pass backward.
#[derive(Debug)]
struct Pointwise<F> {
    formula: F,
    reduction: Reduction,
}

/// The loss of `x` against `t`; `weight`, if there is one, broadcasts to their shape.
#[track_caller]
pub(super) fn pointwise<F: Formula>(
    formula: F,
    reduction: Reduction,
    x: &Tensor,
    t: &Tensor,
    weight: Option<&Weight>,
) -> Tensor {
    match weight {
        None => apply(Pointwise { formula, reduction }, &[x, t]),
        Some(w) => {
            let losses = apply(Pointwise { formula, reduction: Reduction::None }, &[x, t]);
            reduction.of(losses * w.beside(x))
        }
    }
}

impl<F: Formula> Pointwise<F> {
    fn value<T: Element + Real>(&self, x: &Tensor, t: &Tensor, out: &Meta) -> Tensor {
        let (f, n) = (self.formula, x.numel());
        let mut losses = vec![T::ZERO; n];
        map::binary(
            &x.data::<T>(),
            &t.data::<T>(),
            &mut losses,
            #[inline(always)]
            move |x, t| f.value(x, t),
        );
        match self.reduction {
            Reduction::None => Tensor::from_vec(losses, out.shape.clone()),
            _ => {
                let sum = reduce::sum(&losses);
                Tensor::from_vec(vec![sum / <T as Real>::from_f64(self.reduction.divisor(n))], [])
            }
        }
    }

    /// The gradient of `x`, or of `t`, by the formula's `slope`.
    fn slopes<T: Element + Real>(
        &self,
        ctx: &Context<'_>,
        slope: impl Fn(F, T, T, T, T) -> T + Copy + Sync,
    ) -> Tensor {
        let f = self.formula;
        let (x, t, g) = (ctx.input(0).data::<T>(), ctx.input(1).data::<T>(), ctx.grad.data::<T>());
        let n = <T as Real>::from_f64(self.reduction.divisor(x.len()));
        let mut dx = vec![T::ZERO; x.len()];
        if self.reduction == Reduction::None {
            map::ternary(
                &x,
                &t,
                &g,
                &mut dx,
                #[inline(always)]
                move |x, t, g| slope(f, x, t, g, n),
            );
        } else {
            let g = g[0];
            map::binary(
                &x,
                &t,
                &mut dx,
                #[inline(always)]
                move |x, t| slope(f, x, t, g, n),
            );
        }
        Tensor::from_vec(dx, ctx.metas[0].shape.clone())
    }

    fn gradients<T: Element + Real>(&self, ctx: &Context<'_>) -> Grads {
        grads![
            ctx.needs[0].then(|| self.slopes::<T>(
                ctx,
                #[inline(always)]
                |f, x, t, g, n| f.slope(x, t, g, n)
            )),
            ctx.needs[1].then(|| self.slopes::<T>(
                ctx,
                #[inline(always)]
                |f, x, t, g, n| f.target_slope(x, t, g, n)
            )),
        ]
    }

    /// One of the formula's expressions over all elements, of which a mean has so many.
    fn map(&self, expression: &str, operands: &[&Tensor], out: &Meta) -> Tensor {
        let divisor = self.reduction.divisor(operands[0].numel());
        let numbers = [vec![divisor], self.formula.numbers()].concat();
        gpu::map(&gpu::of(operands), expression, operands, &numbers, out)
    }
}

impl<F: Formula> Op for Pointwise<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }
    fn infer(&self, m: &[Meta]) -> Result<Meta, String> {
        paired(F::NAME, &m[0], &m[1])?;
        let scalar = Meta::new([], m[0].dtype);
        Ok(if self.reduction == Reduction::None { m[0].clone() } else { scalar })
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        match out.dtype {
            DType::F64 => self.value::<f64>(x[0], x[1], out).into(),
            _ => self.value::<f32>(x[0], x[1], out).into(),
        }
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        match ctx.grad.dtype() {
            DType::F64 => self.gradients::<f64>(ctx),
            _ => self.gradients::<f32>(ctx),
        }
    }
    fn forward_gpu(&self, x: &[&Tensor], _: &Meta) -> Output {
        let terms = self.map(&format!("({}) / p.n0", F::WGSL.value), x, &Meta::of(x[0]));
        self.reduction.of_terms(&terms).into()
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        let operands = [ctx.input(0), ctx.input(1), ctx.grad];
        let gradient = |expression: &str| self.map(expression, &operands, &ctx.metas[0]);
        let negative = format!("-({})", F::WGSL.slope);
        grads![
            ctx.needs[0].then(|| gradient(F::WGSL.slope)),
            ctx.needs[1].then(|| gradient(F::WGSL.target_slope.unwrap_or(&negative))),
        ]
    }
    fn input_names(&self) -> &'static [&'static str] {
        &INPUTS
    }
    fn loss_stage(&self, m: &[Meta], _: &[Tensor]) -> Option<Box<dyn LossStage>> {
        let (formula, reduction) = (self.formula, self.reduction);
        let width = m[0].shape.get(1..)?.iter().product();
        (reduction != Reduction::None && m[0].dtype == DType::F32)
            .then(|| Box::new(PointwiseStage { formula, reduction, width }) as Box<dyn LossStage>)
    }
}

/// [`Pointwise`] in a plan.
#[derive(Debug)]
struct PointwiseStage<F> {
    formula: F,
    reduction: Reduction,
    width: usize,
}

impl<F> PointwiseStage<F> {
    fn numbers<'a>(&self, targets: Targets<'a>) -> &'a [f32] {
        match targets {
            Targets::Numbers(t) => t,
            Targets::Classes(_) => unreachable!("the shape rule wants floats"),
        }
    }
}

impl<F: Formula> LossStage for PointwiseStage<F> {
    fn divisor(&self, _: Targets<'_>, outputs: usize) -> f32 {
        <f32 as Real>::from_f64(self.reduction.divisor(outputs))
    }
    fn terms(&self) -> usize {
        self.width
    }
    fn forward(&self, x: &[f32], targets: Targets<'_>, _: &mut [f32], terms: &mut [f32]) -> bool {
        let f = self.formula;
        map::binary(
            x,
            self.numbers(targets),
            terms,
            #[inline(always)]
            move |x, t| f.value(x, t),
        );
        F::takes(x) && F::takes(self.numbers(targets))
    }
    fn total(&self, terms: &[f32], _: Targets<'_>, divisor: f32) -> f32 {
        reduce::sum(terms) / divisor
    }
    fn backward(&self, x: &[f32], targets: Targets<'_>, _: &[f32], divisor: f32, dx: &mut [f32]) {
        let f = self.formula;
        map::binary(
            x,
            self.numbers(targets),
            dx,
            #[inline(always)]
            move |x, t| f.slope(x, t, 1.0, divisor),
        );
    }
}

/// What the inputs of losses are called.
pub(super) const INPUTS: [&str; 3] = ["input", "target", "weight"];

/// The rule of losses that compare element with element: floats of one type and one shape.
pub(super) fn paired(op: &str, x: &Meta, t: &Meta) -> Result<(), String> {
    if !x.dtype.is_float() {
        return Err(format!(
            "{op}: the prediction must hold floats, got {}; convert it with .float()",
            x.dtype
        ));
    }
    if t.dtype != x.dtype {
        let cure = if x.dtype == DType::F64 { ".double()" } else { ".float()" };
        return Err(format!(
            "{op}: the prediction is {} but the target is {}; convert the target with {cure}",
            x.dtype, t.dtype
        ));
    }
    if x.shape != t.shape {
        return Err(format!(
            "{op}: prediction {:?} and target {:?} differ in shape; {}",
            x.shape,
            t.shape,
            shape_hint(&x.shape, &t.shape)
        ));
    }
    Ok(())
}

fn shape_hint(x: &[usize], t: &[usize]) -> String {
    // Some of PyTorch's losses would broadcast these two, with a warning, and compare every prediction with every target.
    let one_more = |long: &[usize], short: &[usize]| long.split_last() == Some((&1, short));
    if one_more(x, t) {
        format!("target.unsqueeze({0}) or prediction.squeeze_dim({0})?", t.len())
    } else if one_more(t, x) {
        format!("prediction.unsqueeze({0}) or target.squeeze_dim({0})?", x.len())
    } else if x.iter().product::<usize>() == t.iter().product::<usize>() {
        "reshape one like the other?".to_string()
    } else {
        "were both made from the same batch?".to_string()
    }
}
