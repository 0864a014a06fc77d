//! Cross-entropy against probabilities of the classes.
//!
//! `q[k] = (t[k] (1 - s) + s / C) w[k]`, `l = -sum over k of q[k] logp[k]`; a mean divides by the number of samples,
//! whatever the weights. Gradient of the logits: `softmax sum(q) - q`; of the target: `-(1 - s) w logp`.
//!
//! Legend: the scores are [outer, C, inner] with the classes in dimension 1; a sample is one (outer, inner).

use super::Reduction;
use super::class_indices::{Options, check_weight};
use super::pointwise::paired;
use rekindle_kernels::real::Real;
use rekindle_kernels::scratch::with_scratch;
use rekindle_kernels::{map, reduce, softmax};
use rekindle_tensor::plan::{LossStage, Targets};
use rekindle_tensor::{Context, DType, Element, Grads, Meta, Op, Output, Tensor, apply, grads};

/// The inputs are logits, probabilities and, if there are any, class weights.
#[derive(Debug)]
struct Probabilities {
    smoothing: f64,
    reduction: Reduction,
}

/// The loss of logits `[N, C, ..]` or `[C]` against probabilities of the same shape.
#[track_caller]
pub(super) fn probabilities(options: &Options, x: &Tensor, t: &Tensor) -> Tensor {
    let reduction = options.reduction;
    if x.dim() == 1 && t.dim() == 1 {
        let loss = probabilities(options, &x.unsqueeze(0), &t.unsqueeze(0));
        return if reduction == Reduction::None { loss.squeeze_dim(0) } else { loss };
    }
    let op = Probabilities { smoothing: options.label_smoothing, reduction };
    match &options.weight {
        Some(w) => apply(op, &[x, t, &w.detach().to(x.dtype())]),
        None => apply(op, &[x, t]),
    }
}

/// The scores' shape as [outer, classes, inner].
fn slabs(shape: &[usize]) -> (usize, usize, usize) {
    (shape[0], shape[1], shape[2..].iter().product())
}

impl Probabilities {
    /// The weighted and smoothed target q.
    fn wanted<T: Element + Real>(&self, shape: &[usize], t: &Tensor, w: Option<&Tensor>) -> Vec<T> {
        let (_, classes, inner) = slabs(shape);
        let mut q = t.to_vec::<T>();
        if self.smoothing > 0.0 {
            let rest = <T as Real>::from_f64(1.0 - self.smoothing);
            let share = <T as Real>::from_f64(self.smoothing / classes.max(1) as f64);
            map::in_place1(
                &mut q,
                #[inline(always)]
                move |t| t * rest + share,
            );
        }
        if let Some(w) = w {
            scale_classes(&mut q, &w.data::<T>(), inner);
        }
        q
    }

    fn value<T: Element + Real>(&self, x: &[&Tensor], out: &Meta) -> Output {
        let (outer, classes, inner) = slabs(x[0].shape());
        let n = x[0].numel();
        let (mut logp, mut products) = (vec![T::ZERO; n], vec![T::ZERO; n]);
        softmax::log_softmax(&x[0].data::<T>(), &mut logp, outer, classes, inner);
        let q = self.wanted::<T>(x[0].shape(), x[1], x.get(2).copied());
        map::binary(
            &logp,
            &q,
            &mut products,
            #[inline(always)]
            |logp, q| logp * q,
        );
        let value = match self.reduction {
            Reduction::None => {
                let mut losses = vec![T::ZERO; outer * inner];
                reduce::sum_dim(&products, outer, classes, inner, &mut losses);
                losses.iter_mut().for_each(|l| *l = -*l);
                Tensor::from_vec(losses, out.shape.clone())
            }
            _ => {
                let divisor = <T as Real>::from_f64(self.reduction.divisor(outer * inner));
                Tensor::from_vec(vec![-reduce::sum(&products) / divisor], [])
            }
        };
        Output { value, saved: vec![Tensor::from_vec(logp, x[0].shape())] }
    }

    fn gradients<T: Element + Real>(&self, ctx: &Context<'_>) -> Grads {
        let shape = &ctx.metas[0].shape;
        let (outer, classes, inner) = slabs(shape);
        let divisor = <T as Real>::from_f64(self.reduction.divisor(outer * inner));
        let g: Vec<T> = ctx.grad.data::<T>().iter().map(|&g| -(g / divisor)).collect();
        let logp = ctx.saved[0].data::<T>();
        let weight = (ctx.metas.len() > 2).then(|| ctx.input(2));
        let dx = ctx.needs[0].then(|| {
            let mut dlogp = self.wanted::<T>(shape, ctx.input(1), weight);
            scale_samples(&mut dlogp, &g, classes, inner);
            let mut dx = vec![T::ZERO; dlogp.len()];
            softmax::log_softmax_backward(&logp, &dlogp, &mut dx, outer, classes, inner);
            Tensor::from_vec(dx, shape.clone())
        });
        let dt = ctx.needs[1].then(|| {
            let rest = <T as Real>::from_f64(1.0 - self.smoothing);
            let mut dt: Vec<T> = logp.iter().map(|&logp| logp * rest).collect();
            scale_samples(&mut dt, &g, classes, inner);
            if let Some(w) = weight {
                scale_classes(&mut dt, &w.data::<T>(), inner);
            }
            Tensor::from_vec(dt, shape.clone())
        });
        let mut grads: Grads = grads![dx, dt];
        grads.resize(ctx.metas.len(), None);
        grads
    }
}

/// Multiplies the scores of class `k` by `w[k]`.
fn scale_classes<T: Real>(x: &mut [T], w: &[T], inner: usize) {
    if inner == 1 && !x.is_empty() {
        return map::in_place_row(
            x,
            w,
            #[inline(always)]
            |x, w| x * w,
        );
    }
    for (i, x) in x.iter_mut().enumerate() {
        *x *= w[i / inner % w.len()];
    }
}

/// Multiplies the scores of each sample by its `g`, or all by the only one.
fn scale_samples<T: Real>(x: &mut [T], g: &[T], classes: usize, inner: usize) {
    if let &[g] = g {
        return map::in_place1(
            x,
            #[inline(always)]
            move |x| x * g,
        );
    }
    for (i, x) in x.iter_mut().enumerate() {
        *x *= g[i / (classes * inner) * inner + i % inner];
    }
}

impl Op for Probabilities {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }
    fn infer(&self, m: &[Meta]) -> Result<Meta, String> {
        let (op, x) = (self.name(), &m[0]);
        paired(op, x, &m[1])?;
        if x.shape.len() < 2 {
            return Err(format!(
                "{op}: scores {:?} have no dimension of classes; they must be [N, C, ..] or [C]",
                x.shape
            ));
        }
        if let Some(w) = m.get(2) {
            check_weight(op, w, x)?;
        }
        if self.reduction != Reduction::None {
            return Ok(Meta::new([], x.dtype));
        }
        Ok(Meta::new([&x.shape[..1], &x.shape[2..]].concat(), x.dtype))
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        if out.dtype == DType::F64 { self.value::<f64>(x, out) } else { self.value::<f32>(x, out) }
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        if ctx.grad.dtype() == DType::F64 { self.gradients::<f64>(ctx) } else { self.gradients::<f32>(ctx) }
    }
    fn loss_stage(&self, m: &[Meta], _: &[Tensor]) -> Option<Box<dyn LossStage>> {
        let plain = m.len() == 2 && self.smoothing == 0.0 && self.reduction != Reduction::None;
        let (shape, reduction) = (&m[0].shape, self.reduction);
        (plain && shape.len() == 2 && shape[1] > 0 && m[0].dtype == DType::F32)
            .then(|| Box::new(ProbabilitiesStage { classes: shape[1], reduction }) as Box<dyn LossStage>)
    }
}

/// [`Probabilities`] of logits `[N, C]`, without weights and smoothing, in a plan.
#[derive(Debug)]
struct ProbabilitiesStage {
    classes: usize,
    reduction: Reduction,
}

/// The targets, which the shape rule wants to be numbers.
fn wanted(targets: Targets<'_>) -> &[f32] {
    match targets {
        Targets::Numbers(t) => t,
        Targets::Classes(_) => unreachable!("the shape rule wants probabilities"),
    }
}

impl LossStage for ProbabilitiesStage {
    fn divisor(&self, _: Targets<'_>, outputs: usize) -> f32 {
        self.reduction.divisor(outputs / self.classes) as f32
    }
    fn terms(&self) -> usize {
        self.classes
    }
    fn saved(&self) -> usize {
        self.classes
    }
    fn forward(&self, x: &[f32], targets: Targets<'_>, saved: &mut [f32], terms: &mut [f32]) -> bool {
        softmax::log_softmax(x, saved, x.len() / self.classes, self.classes, 1);
        map::binary(
            saved,
            wanted(targets),
            terms,
            #[inline(always)]
            |logp, q| logp * q,
        );
        true
    }
    fn total(&self, terms: &[f32], _: Targets<'_>, divisor: f32) -> f32 {
        -reduce::sum(terms) / divisor
    }
    fn backward(&self, x: &[f32], targets: Targets<'_>, saved: &[f32], divisor: f32, dx: &mut [f32]) {
        with_scratch(x.len(), |dlogp: &mut [f32]| {
            dlogp.copy_from_slice(wanted(targets));
            scale_samples(dlogp, &[-(1.0 / divisor)], self.classes, 1);
            softmax::log_softmax_backward(saved, dlogp, dx, x.len() / self.classes, self.classes, 1);
        });
    }
}
