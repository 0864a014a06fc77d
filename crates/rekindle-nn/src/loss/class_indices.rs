//! The negative log-likelihood of classes given as indices, with or without the log-softmax before it.
//!
//! `q[k] = (1 - s) w[y] [k = y] + s / C w[k]`, `l = -sum over k of q[k] logp[k]`; a mean divides by the sum of `w[y]`.
//! Gradient of the logits: `softmax sum(q) - q`; of log-probabilities: `-q`.
//!
//! Legend: the scores are [outer, C, inner] with the classes in dimension 1; a sample is one (outer, inner).

use super::Reduction;
use super::pointwise::INPUTS;
use super::scores::{lanes, slabs, text};
use super::weight::Weight;
use rekindle_kernels::real::Real;
use rekindle_kernels::scratch::with_scratch;
use rekindle_kernels::{map, softmax};
use rekindle_tensor::gpu::{self, Number};
use rekindle_tensor::plan::{LossStage, Targets};
use rekindle_tensor::{
    Context, DType, Device, Element, Grads, Meta, Op, Output, Tensor, apply, grads, numbers,
};

/// The options of losses on class indices.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub weight: Option<Weight>,
    pub ignore_index: i64,
    pub label_smoothing: f64,
    pub reduction: Reduction,
}

impl Default for Options {
    fn default() -> Self {
        Options { weight: None, ignore_index: -100, label_smoothing: 0.0, reduction: Reduction::Mean }
    }
}

/// The inputs are scores, indices and, if there are any, class weights.
#[derive(Clone, Copy, Debug)]
struct ClassIndices {
    name: &'static str,
    /// Whether the scores are logits rather than log-probabilities.
    logits: bool,
    ignore_index: i64,
    smoothing: f64,
    reduction: Reduction,
}

/// The loss of `scores`, `[N, C, ..]` or `[C]`, against indices `[N, ..]` or a scalar.
#[track_caller]
pub(super) fn class_indices(
    name: &'static str,
    logits: bool,
    options: &Options,
    x: &Tensor,
    t: &Tensor,
) -> Tensor {
    let (ignore_index, smoothing, reduction) =
        (options.ignore_index, options.label_smoothing, options.reduction);
    let op = ClassIndices { name, logits, ignore_index, smoothing, reduction };
    if x.dim() == 1 && t.dim() == 0 {
        let loss = class_indices(name, logits, options, &x.unsqueeze(0), &t.unsqueeze(0));
        return if reduction == Reduction::None { loss.squeeze_dim(0) } else { loss };
    }
    if x.dim() > 1 {
        check_classes(name, t, x.shape()[1], Some(ignore_index));
    }
    match &options.weight {
        Some(w) => apply(op, &[x, t, &w.constant(x)]),
        None => apply(op, &[x, t]),
    }
}

/// Every index that is not ignored must name one of the classes. Other types are left to the shape rule; on a GPU one that does not makes
/// the loss NaN, because looking for it would wait for the device in every step.
#[track_caller]
pub(super) fn check_classes(op: &str, t: &Tensor, classes: usize, ignored: Option<i64>) {
    if t.dtype() == DType::I64 && t.device() == Device::Cpu {
        check_range(op, &t.data::<i64>(), classes, t.shape(), ignored);
    }
}

#[track_caller]
fn check_range(op: &str, targets: &[i64], classes: usize, shape: &[usize], ignored: Option<i64>) {
    let out = |&t: &i64| (t < 0 || t >= classes as i64) && Some(t) != ignored;
    if let Some(i) = targets.iter().position(out) {
        let row = if shape.len() == 1 { format!("row {i}") } else { format!("element {i}") };
        rekindle_tensor::mistake!(
            "{op}: Target {} is out of bounds. ({row}, classes 0 to {}) Does the last layer have one output per class?",
            targets[i],
            classes as i64 - 1
        );
    }
}

/// A sum in which rounding errors grow with the logarithm of the count, in PyTorch's order: eight levels of partial
/// sums, each carried to the next after a power of two of additions.
struct Cascade<T> {
    levels: [T; 8],
    power: u32,
}

impl<T: Real> Cascade<T> {
    fn new(n: usize) -> Self {
        let bits = n.max(1).next_power_of_two().trailing_zeros();
        Cascade { levels: [T::ZERO; 8], power: (bits / 8).max(4) }
    }

    /// Adds the `i`-th term.
    fn add(&mut self, i: usize, term: T) {
        self.levels[0] += term;
        let mask = (1usize << self.power) - 1;
        for j in 0..7 {
            if i & (mask << (j as u32 * self.power)) != 0 {
                break;
            }
            let carried = std::mem::take(&mut self.levels[j]);
            self.levels[j + 1] += carried;
        }
    }

    fn total(&self) -> T {
        self.levels.iter().fold(T::ZERO, |sum, &level| sum + level)
    }
}

/// The parameters that both kernels begin with, and further ones.
macro_rules! params {
    ($more:literal) => {
        concat!("n, classes, inner, logits, ignored: i32, rest: f32, share: f32", $more)
    };
}
/// Sizes and readings that both passes need.
struct Samples<'a, T> {
    targets: &'a [i64],
    weights: Option<&'a [T]>,
    classes: usize,
    inner: usize,
    /// The smoothing's share of every class.
    share: T,
    /// What the smoothing leaves to the target.
    rest: T,
    ignore_index: i64,
}

impl<T: Real> Samples<'_, T> {
    fn weight(&self, class: usize) -> T {
        self.weights.map_or(T::ONE, |w| w[class])
    }

    /// Where the score of class `k` for sample `i` lies.
    fn at(&self, i: usize, k: usize) -> usize {
        (i / self.inner * self.classes + k) * self.inner + i % self.inner
    }

    /// The samples that count, with their classes.
    fn counted(&self) -> impl Iterator<Item = (usize, usize)> {
        let kept = |&(_, &t): &(usize, &i64)| t != self.ignore_index;
        self.targets.iter().enumerate().filter(kept).map(|(i, &t)| (i, t as usize))
    }

    /// What a mean divides by.
    fn total_weight(&self) -> T {
        if self.weights.is_none() {
            return T::from_f64(self.counted().count() as f64);
        }
        let mut total = Cascade::new(self.targets.len());
        self.counted().for_each(|(i, y)| total.add(i, self.weight(y)));
        total.total()
    }

    /// The loss of a sample of class `y` without smoothing.
    fn hard(&self, logp: &[T], i: usize, y: usize) -> T {
        -logp[self.at(i, y)] * self.weight(y)
    }

    /// Sum of the scores of one sample's classes, weighted.
    fn smooth(&self, logp: &[T], i: usize) -> T {
        (0..self.classes).fold(T::ZERO, |sum, k| sum + logp[self.at(i, k)] * self.weight(k))
    }
}

impl ClassIndices {
    fn samples<'a, T: Real>(
        &self,
        shape: &[usize],
        targets: &'a [i64],
        weights: Option<&'a [T]>,
    ) -> Samples<'a, T> {
        let classes = shape[1];
        Samples {
            targets,
            weights,
            classes,
            inner: shape[2..].iter().product::<usize>().max(1),
            share: T::from_f64(self.smoothing / classes.max(1) as f64),
            rest: T::from_f64(1.0 - self.smoothing),
            ignore_index: self.ignore_index,
        }
    }

    fn value<T: Element + Real>(&self, x: &[&Tensor], out: &Meta) -> Output {
        let (scores, targets) = (x[0].data::<T>(), x[1].data::<i64>());
        let weights = x.get(2).map(|w| w.data::<T>());
        let s = self.samples(x[0].shape(), &targets, weights.as_deref());
        let mut logits = Vec::new();
        if self.logits {
            logits = vec![T::ZERO; scores.len()];
            softmax::log_softmax(
                &scores,
                &mut logits,
                scores.len() / (s.classes * s.inner).max(1),
                s.classes,
                s.inner,
            );
        }
        let logp: &[T] = if self.logits { &logits } else { &scores };
        let value = match self.reduction {
            Reduction::None => Tensor::from_vec(self.losses(&s, logp), out.shape.clone()),
            _ => Tensor::from_vec(vec![self.reduced(&s, logp)], []),
        };
        let saved = if self.logits { vec![Tensor::from_vec(logits, x[0].shape())] } else { Vec::new() };
        Output { value, saved }
    }

    fn losses<T: Real>(&self, s: &Samples<'_, T>, logp: &[T]) -> Vec<T> {
        let mut losses = vec![T::ZERO; s.targets.len()];
        for (i, y) in s.counted() {
            losses[i] = s.hard(logp, i, y);
            if self.smoothing > 0.0 {
                losses[i] = s.rest * losses[i] - s.share * s.smooth(logp, i);
            }
        }
        losses
    }

    fn reduced<T: Real>(&self, s: &Samples<'_, T>, logp: &[T]) -> T {
        let divisor = if self.reduction == Reduction::Mean { s.total_weight() } else { T::ONE };
        let target = |i| s.targets[i] as usize;
        self.total(s, |i| s.hard(logp, i, target(i)), |i| -s.smooth(logp, i), divisor)
    }

    /// The loss from the terms of samples: that of the target, and with smoothing that of all classes.
    fn total<T: Real>(
        &self,
        s: &Samples<'_, T>,
        hard: impl Fn(usize) -> T,
        smooth: impl Fn(usize) -> T,
        divisor: T,
    ) -> T {
        let sum = |term: &dyn Fn(usize) -> T| {
            let mut sum = Cascade::new(s.targets.len());
            s.counted().for_each(|(i, _)| sum.add(i, term(i)));
            sum.total() / divisor
        };
        match self.smoothing {
            0.0 => sum(&hard),
            _ => s.rest * sum(&hard) + s.share * sum(&smooth),
        }
    }

    fn slopes<T: Element + Real>(&self, ctx: &Context<'_>) -> Tensor {
        let targets = ctx.input(1).data::<i64>();
        let weights = (ctx.metas.len() > 2).then(|| ctx.input(2).data::<T>());
        let s = self.samples(&ctx.metas[0].shape, &targets, weights.as_deref());
        let divisor = if self.reduction == Reduction::Mean { s.total_weight() } else { T::ONE };
        let g = ctx.grad.data::<T>();
        let scale = |i: usize| if g.len() == 1 { g[0] } else { g[i] } / divisor;
        let mut dx = vec![T::ZERO; ctx.metas[0].shape.numel()];
        if self.logits {
            softmax_times_sum(&s, &ctx.saved[0].data::<T>(), scale, &mut dx);
        }
        subtract(&s, scale, &mut dx);
        Tensor::from_vec(dx, ctx.metas[0].shape.clone())
    }

    /// The numbers that both kernels begin with.
    fn numbers(&self, [outer, classes, inner]: [usize; 3]) -> Vec<Number> {
        // What does not fit into 32 bits is no index on a GPU, and this one is none either.
        let ignored = Number::Signed(i32::try_from(self.ignore_index).unwrap_or(i32::MIN));
        let share = self.smoothing / classes.max(1) as f64;
        let logits = usize::from(self.logits);
        numbers![outer * inner, classes, inner, logits, ignored, 1.0 - self.smoothing, share].to_vec()
    }

    fn value_on_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let (gpu, size) = (gpu::of(x), slabs(x[0].shape()));
        let (n, lanes) = (size[0] * size[2], lanes(size));
        let [stats, terms] = [3, 2].map(|rows| gpu::empty(&gpu, &Meta::new([rows, n], out.dtype)));
        let (io, params) = ("x: f32, t: i32 -> stats: f32, terms: f32", params!(", lanes, nan: f32"));
        let text = text("class indices", io, params, VALUE, x.len() > 2);
        let numbers = [self.numbers(size), numbers![lanes, f64::NAN].to_vec()].concat();
        let inputs: Vec<&Tensor> = x[2..].iter().chain(&x[..2]).copied().collect();
        gpu::launch(&gpu, &text, &inputs, &[&stats, &terms], &numbers, gpu::threads(n * lanes));
        let totals = match self.reduction {
            Reduction::None => terms,
            _ => gpu::fold::fold(&gpu, &terms, [2, n, 1], gpu::fold::SUM),
        };
        let [losses, weights] = [0, 1].map(|row| totals.narrow(0, row, 1).reshape(&out.shape));
        let value = match self.reduction {
            Reduction::Mean => gpu::map(&gpu, "a / b", &[&losses, &weights], &[], out),
            _ => losses,
        };
        Output { value, saved: vec![stats, totals] }
    }

    fn slopes_on_gpu(&self, ctx: &Context<'_>) -> Tensor {
        let (gpu, meta) = (gpu::of(&[ctx.grad]), &ctx.metas[0]);
        let weighted = ctx.metas.len() > 2;
        let (io, params) =
            ("x: f32, t: i32, stats: f32, totals: f32, dy: f32 -> dx: f32", params!(", mean, each"));
        let text = text("class indices backward", io, params, SLOPE, weighted);
        let dx = gpu::empty(&gpu, meta);
        let mut inputs = vec![ctx.input(0), ctx.input(1), &ctx.saved[0], &ctx.saved[1], ctx.grad];
        if weighted {
            inputs.insert(0, ctx.input(2));
        }
        let is = |reduction| usize::from(self.reduction == reduction);
        let more = numbers![is(Reduction::Mean), is(Reduction::None)].to_vec();
        let numbers = [self.numbers(slabs(&meta.shape)), more].concat();
        gpu::launch(&gpu, &text, &inputs, &[&dx], &numbers, gpu::threads(meta.shape.numel()));
        dx
    }
}

/// For each sample `terms` gets its loss and the weight of its class, and `stats` what the scores are shifted by and the sum of q.
const VALUE: &str = concat!(
    include_str!("scores.wgsl"),
    "
fn together(number: u32, l: u32) {
    let i = (number * 256u + l) / p.lanes;
    let count = select(0u, p.classes, i < p.n);
    let first = (i / p.inner) * p.classes * p.inner + i % p.inner;
    var by = vec2(0.0, 0.0);
    if (p.logits != 0u) { by = shift(l, first, count); }
    // The sums of the weighted scores and of the weights.
    var all = vec2(0.0, 0.0);
    if (p.share > 0.0) {
        for (var k = l % p.lanes; k < count; k += p.lanes) {
            all += weight(k) * vec2(x[first + k * p.inner] - by.x - by.y, 1.0);
        }
        all = vec2(sum_of_lanes(l, all.x), sum_of_lanes(l, all.y));
    }
    if (l % p.lanes != 0u || i >= p.n) { return; }
    let y = t[i];
    var of_class = 0.0;
    var loss = 0.0;
    var q = 0.0;
    if (y < 0 || u32(y) >= p.classes) {
        of_class = select(p.nan, 0.0, y == p.ignored);
        loss = of_class;
        q = of_class;
    } else if (y != p.ignored) {
        of_class = weight(u32(y));
        loss = -p.rest * (x[first + u32(y) * p.inner] - by.x - by.y) * of_class - p.share * all.x;
        q = p.rest * of_class + p.share * all.y;
    }
    terms[i] = loss;
    terms[p.n + i] = of_class;
    stats[i] = by.x;
    stats[p.n + i] = by.y;
    stats[2u * p.n + i] = q;
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
    let y = t[i];
    if (y == p.ignored) { dx[at] = 0.0; return; }
    var slope = -p.share * weight(k);
    if (y == i32(k)) { slope -= p.rest * weight(k); }
    if (p.logits != 0u) { slope += exp(x[at] - stats[i] - stats[p.n + i]) * stats[2u * p.n + i]; }
    var scale = dy[select(0u, i, p.each != 0u)];
    if (p.mean != 0u) { scale /= totals[1]; }
    dx[at] = scale * slope;
}
";

/// `dx = softmax sum(q)`, scaled for each sample.
fn softmax_times_sum<T: Real>(s: &Samples<'_, T>, logp: &[T], scale: impl Fn(usize) -> T, dx: &mut [T]) {
    #[inline(always)]
    fn formula<T: Real>(logp: T, sum: T) -> T {
        logp.exp() * sum
    }
    let all = s.share * (0..s.classes).fold(T::ZERO, |sum, k| sum + s.weight(k));
    with_scratch(s.targets.len(), |sums: &mut [T]| {
        sums.fill(T::ZERO);
        s.counted().for_each(|(i, y)| sums[i] = scale(i) * (s.rest * s.weight(y) + all));
        if s.inner == 1 {
            return map::binary_column(logp, sums, dx, formula::<T>);
        }
        let size = s.classes * s.inner;
        let slabs = dx.chunks_exact_mut(size).zip(logp.chunks_exact(size)).zip(sums.chunks_exact(s.inner));
        for ((dx, logp), sums) in slabs {
            map::binary_row(logp, sums, dx, formula::<T>);
        }
    });
}

/// `dx -= q`, scaled for each sample.
fn subtract<T: Real>(s: &Samples<'_, T>, scale: impl Fn(usize) -> T, dx: &mut [T]) {
    for (i, y) in s.counted() {
        dx[s.at(i, y)] += -(scale(i) * s.rest) * s.weight(y);
        if s.share != T::ZERO {
            (0..s.classes).for_each(|k| dx[s.at(i, k)] += -(scale(i) * s.share) * s.weight(k));
        }
    }
}

impl Op for ClassIndices {
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, m: &[Meta]) -> Result<Meta, String> {
        let (op, x, t) = (self.name, &m[0], &m[1]);
        if !x.dtype.is_float() {
            return Err(format!(
                "{op}: the scores must hold floats, got {}; convert them with .float()",
                x.dtype
            ));
        }
        let fits = x.shape.len() > 1
            && x.shape[..1] == t.shape[..t.shape.len().min(1)]
            && x.shape[2..] == t.shape[1..];
        if !fits {
            return Err(format!(
                "{op}: scores {:?} and class indices {:?} do not fit; {}",
                x.shape,
                t.shape,
                hint(x, t)
            ));
        }
        if t.dtype != DType::I64 {
            return Err(format!(
                "{op}: class indices must be i64, got {}; convert them with .long()",
                t.dtype
            ));
        }
        if let Some(w) = m.get(2) {
            check_weight(op, w, x)?;
        }
        Ok(if self.reduction == Reduction::None {
            Meta::new(t.shape.clone(), x.dtype)
        } else {
            Meta::new([], x.dtype)
        })
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        if out.dtype == DType::F64 { self.value::<f64>(x, out) } else { self.value::<f32>(x, out) }
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let dx = match ctx.grad.dtype() {
            DType::F64 => self.slopes::<f64>(ctx),
            _ => self.slopes::<f32>(ctx),
        };
        let mut grads: Grads = grads![Some(dx)];
        grads.resize(ctx.metas.len(), None);
        grads
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        self.value_on_gpu(x, out)
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        let mut grads: Grads = grads![Some(self.slopes_on_gpu(ctx))];
        grads.resize(ctx.metas.len(), None);
        grads
    }
    fn input_names(&self) -> &'static [&'static str] {
        &INPUTS
    }
    fn loss_stage(&self, m: &[Meta], others: &[Tensor]) -> Option<Box<dyn LossStage>> {
        let (shape, weights) = (&m[0].shape, others.first().cloned());
        let fits = self.reduction != Reduction::None && shape.len() == 2 && m[0].dtype == DType::F32;
        fits.then(|| {
            Box::new(ClassIndicesStage { op: *self, classes: shape[1], weights }) as Box<dyn LossStage>
        })
    }
}

/// [`ClassIndices`] of scores `[N, C]` in a plan.
#[derive(Debug)]
struct ClassIndicesStage {
    op: ClassIndices,
    classes: usize,
    weights: Option<Tensor>,
}

impl ClassIndicesStage {
    fn with<R>(&self, targets: Targets<'_>, f: impl FnOnce(Samples<'_, f32>) -> R) -> R {
        let Targets::Classes(t) = targets else { unreachable!("the shape rule wants indices") };
        let weights = self.weights.as_ref().map(|w| w.data::<f32>());
        f(self.op.samples(&[t.len(), self.classes], t, weights.as_deref()))
    }
}

impl LossStage for ClassIndicesStage {
    fn divisor(&self, targets: Targets<'_>, _: usize) -> f32 {
        self.with(targets, |s| {
            let ignored = Some(self.op.ignore_index);
            check_range(self.op.name, s.targets, self.classes, &[s.targets.len()], ignored);
            if self.op.reduction == Reduction::Mean { s.total_weight() } else { 1.0 }
        })
    }
    /// That of the target, and with smoothing that of all classes.
    fn terms(&self) -> usize {
        if self.op.smoothing == 0.0 { 1 } else { 2 }
    }
    fn saved(&self) -> usize {
        if self.op.logits { self.classes } else { 0 }
    }
    fn forward(&self, x: &[f32], targets: Targets<'_>, saved: &mut [f32], terms: &mut [f32]) -> bool {
        self.with(targets, |s| {
            if self.op.logits {
                softmax::log_softmax(x, saved, s.targets.len(), s.classes, 1);
            }
            let logp = if self.op.logits { &*saved } else { x };
            terms.fill(0.0);
            for (i, y) in s.counted() {
                match &mut terms[i * self.terms()..][..self.terms()] {
                    [hard] => *hard = s.hard(logp, i, y),
                    two => two.copy_from_slice(&[s.hard(logp, i, y), -s.smooth(logp, i)]),
                }
            }
        });
        true
    }
    fn total(&self, terms: &[f32], targets: Targets<'_>, divisor: f32) -> f32 {
        let n = self.terms();
        self.with(targets, |s| self.op.total(&s, |i| terms[i * n], |i| terms[i * n + 1], divisor))
    }
    fn backward(&self, _: &[f32], targets: Targets<'_>, saved: &[f32], divisor: f32, dx: &mut [f32]) {
        self.with(targets, |s| {
            let scale = |_| 1.0 / divisor;
            match self.op.logits {
                true => softmax_times_sum(&s, saved, scale, dx),
                false => dx.fill(0.0),
            }
            subtract(&s, scale, dx);
        });
    }
}

/// Class weights are one number per class.
pub(super) fn check_weight(op: &str, w: &Meta, x: &Meta) -> Result<(), String> {
    let classes = x.shape[1];
    if w.shape[..] != [classes] {
        return Err(format!(
            "{op}: the class weights are {:?}; scores {:?} need [{classes}]",
            w.shape, x.shape
        ));
    }
    Ok(())
}

/// What the shapes of scores and indices hint at.
fn hint(x: &Meta, t: &Meta) -> String {
    if x.shape.len() == 2 && t.shape[..] == [x.shape[0], 1] {
        return "target.squeeze_dim(1)?".to_string();
    }
    if x.shape.len() == 1 {
        return "scores need a dimension for the classes, [N, C]".to_string();
    }
    if x.shape == t.shape {
        return "one-hot targets must be floats: target.float(), or give indices with target.argmax_dim(1, false)?"
            .to_string();
    }
    let wanted = [&x.shape[..x.shape.len().min(1)], x.shape.get(2..).unwrap_or_default()].concat();
    format!("for scores [N, C, ..] the indices are [N, ..], here {wanted:?}")
}
