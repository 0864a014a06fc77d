//! Cross-entropy against probabilities of the classes.
//!
//! `q[k] = (t[k] (1 - s) + s / C) w[k]`, `l = -sum over k of q[k] logp[k]`; a mean divides by the number of samples,
//! whatever the weights. Gradient of the logits: `softmax sum(q) - q`; of the target: `-(1 - s) w logp`.
//!
//! Legend: the scores are [outer, C, inner] with the classes in dimension 1; a sample is one (outer, inner).

use super::Reduction;
use super::class_indices::{Options, check_weight};
use super::pointwise::{INPUTS, paired};
use super::scores::{lanes, slabs, text};
use rekindle_kernels::real::Real;
use rekindle_kernels::scratch::with_scratch;
use rekindle_kernels::{map, reduce, softmax};
use rekindle_tensor::gpu::{self, Number};
use rekindle_tensor::plan::{LossStage, Targets};
use rekindle_tensor::{Context, DType, Element, Grads, Meta, Op, Output, Tensor, apply, grads, numbers};

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
        Some(w) => apply(op, &[x, t, &w.constant(x)]),
        None => apply(op, &[x, t]),
    }
}

/// The parameters that both kernels begin with, and further ones.
macro_rules! params {
    ($more:literal) => {
        concat!("n, classes, inner, rest: f32, share: f32, divisor: f32", $more)
    };
}

impl Probabilities {
    /// The weighted and smoothed target q.
    fn wanted<T: Element + Real>(&self, shape: &[usize], t: &Tensor, w: Option<&Tensor>) -> Vec<T> {
        let [_, classes, inner] = slabs(shape);
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
        let [outer, classes, inner] = slabs(x[0].shape());
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
        let [outer, classes, inner] = slabs(shape);
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

    /// The numbers that both kernels begin with.
    fn numbers(&self, [outer, classes, inner]: [usize; 3]) -> Vec<Number> {
        let (n, share) = (outer * inner, self.smoothing / classes.max(1) as f64);
        numbers![n, classes, inner, 1.0 - self.smoothing, share, self.reduction.divisor(n)].to_vec()
    }

    fn value_on_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let (gpu, size) = (gpu::of(x), slabs(x[0].shape()));
        let (n, lanes) = (size[0] * size[2], lanes(size));
        let [stats, terms] = [3, 1].map(|rows| gpu::empty(&gpu, &Meta::new([rows, n], out.dtype)));
        let (io, params) = ("x: f32, t: f32 -> stats: f32, terms: f32", params!(", lanes"));
        let text = text("class probabilities", io, params, VALUE, x.len() > 2);
        let numbers = [self.numbers(size), numbers![lanes].to_vec()].concat();
        let inputs: Vec<&Tensor> = x[2..].iter().chain(&x[..2]).copied().collect();
        gpu::launch(&gpu, &text, &inputs, &[&stats, &terms], &numbers, gpu::threads(n * lanes));
        Output { value: self.reduction.of_terms(&terms).reshape(&out.shape), saved: vec![stats] }
    }

    /// The gradient of the scores, or of the targets.
    fn slopes_on_gpu(&self, ctx: &Context<'_>, of_target: bool) -> Tensor {
        let (gpu, meta) = (gpu::of(&[ctx.grad]), &ctx.metas[0]);
        let weighted = ctx.metas.len() > 2;
        let (io, params) = ("x: f32, t: f32, stats: f32, dy: f32 -> dx: f32", params!(", each, of_target"));
        let text = text("class probabilities backward", io, params, SLOPE, weighted);
        let dx = gpu::empty(&gpu, meta);
        let mut inputs = vec![ctx.input(0), ctx.input(1), &ctx.saved[0], ctx.grad];
        if weighted {
            inputs.insert(0, ctx.input(2));
        }
        let each = usize::from(self.reduction == Reduction::None);
        let more = numbers![each, usize::from(of_target)].to_vec();
        let numbers = [self.numbers(slabs(&meta.shape)), more].concat();
        gpu::launch(&gpu, &text, &inputs, &[&dx], &numbers, gpu::threads(meta.shape.numel()));
        dx
    }
}

/// For each sample `terms` gets its loss, and `stats` what the scores are shifted by and the sum of q.
const VALUE: &str = concat!(
    include_str!("scores.wgsl"),
    "
fn together(number: u32, l: u32) {
    let i = (number * 256u + l) / p.lanes;
    let count = select(0u, p.classes, i < p.n);
    let first = (i / p.inner) * p.classes * p.inner + i % p.inner;
    let by = shift(l, first, count);
    var sums = vec2(0.0, 0.0);
    for (var k = l % p.lanes; k < count; k += p.lanes) {
        let at = first + k * p.inner;
        sums += (t[at] * p.rest + p.share) * weight(k) * vec2(x[at] - by.x - by.y, 1.0);
    }
    sums = vec2(sum_of_lanes(l, sums.x), sum_of_lanes(l, sums.y));
    if (l % p.lanes != 0u || i >= p.n) { return; }
    terms[i] = -sums.x / p.divisor;
    stats[i] = by.x;
    stats[p.n + i] = by.y;
    stats[2u * p.n + i] = sums.y;
}
"
);

/// One thread for each score.
const SLOPE: &str = "
fn together(number: u32, l: u32) {
    let at = number * 256u + l;
    if (at >= p.n * p.classes) { return; }
    let k = at / p.inner % p.classes;
    let i = at / p.inner / p.classes * p.inner + at % p.inner;
    let scale = dy[select(0u, i, p.each != 0u)] / p.divisor;
    let logp = x[at] - stats[i] - stats[p.n + i];
    if (p.of_target != 0u) {
        dx[at] = -scale * p.rest * weight(k) * logp;
    } else {
        dx[at] = scale * (exp(logp) * stats[2u * p.n + i] - (t[at] * p.rest + p.share) * weight(k));
    }
}
";

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
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        self.value_on_gpu(x, out)
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        let mut grads: Grads = grads![
            ctx.needs[0].then(|| self.slopes_on_gpu(ctx, false)),
            ctx.needs[1].then(|| self.slopes_on_gpu(ctx, true)),
        ];
        grads.resize(ctx.metas.len(), None);
        grads
    }
    fn input_names(&self) -> &'static [&'static str] {
        &INPUTS
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
