//! The negative log-likelihood of classes given as indices, with or without the log-softmax before it.
//!
//! `q[k] = (1 - s) w[y] [k = y] + s / C w[k]`, `l = -sum over k of q[k] logp[k]`; a mean divides by the sum of `w[y]`.
//! Gradient of the logits: `softmax sum(q) - q`; of log-probabilities: `-q`.
//!
//! Legend: the scores are [outer, C, inner] with the classes in dimension 1; a sample is one (outer, inner).

use super::Reduction;
use rekindle_kernels::real::Real;
use rekindle_kernels::scratch::with_scratch;
use rekindle_kernels::{map, softmax};
use rekindle_tensor::plan::{LossStage, Targets};
use rekindle_tensor::{Context, DType, Element, Grads, Meta, Op, Output, Tensor, apply, grads};

/// The options of losses on class indices.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub weight: Option<Tensor>,
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
    if t.dtype() == DType::I64 && x.dim() > 1 {
        check_range(name, &t.data::<i64>(), x.shape()[1], t.shape(), Some(ignore_index));
    }
    match &options.weight {
        // As it is, if it can be: a plan wants the same tensor in each step.
        Some(w) if w.dtype() == x.dtype() && !w.requires_grad() => apply(op, &[x, t, w]),
        Some(w) => apply(op, &[x, t, &w.detach().to(x.dtype())]),
        None => apply(op, &[x, t]),
    }
}

/// Every index that is not ignored must name one of the classes.
#[track_caller]
pub(super) fn check_range(op: &str, targets: &[i64], classes: usize, shape: &[usize], ignored: Option<i64>) {
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
}

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
