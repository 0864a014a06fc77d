//! Batch normalisation: every channel gets mean 0 and variance 1 over the batch, then a scale and a shift.
//!
//! `y = (x - m) / sqrt(v + eps) w + b` with the channel's mean `m` and biased variance `v`. While training these depend
//! on x, so with `h = (x - m) / sqrt(v + eps)` the gradient is `dx = w / sqrt(v + eps) (dy - mean(dy) - h mean(dy h))`.
//!
//! Source: S. Ioffe and C. Szegedy, "Batch Normalization", ICML 2015.

use super::elementwise::filled;
use crate::dtype::{DType, Element, match_float};
use crate::gpu::{self, Gpu, norm};
use crate::numbers;
use crate::op::{Context, Grads, Meta, Op, Output, apply, mistake};
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::norm::{Channels, backward, gradient_sums, moments, scale_and_shift};
use rekindle_kernels::real::Real;
use smallvec::smallvec;
use std::fmt;

/// The arguments of [`Tensor::batch_norm`]; the defaults normalise with the batch's own statistics.
#[derive(Clone, Copy, Debug)]
pub struct BatchNormOptions<'a> {
    /// Running mean and variance: used in evaluation, moved towards the batch's while training.
    pub running: Option<(&'a Tensor, &'a Tensor)>,
    /// One scale for each channel; 1 if there is none.
    pub weight: Option<&'a Tensor>,
    /// One shift for each channel; 0 if there is none.
    pub bias: Option<&'a Tensor>,
    /// Whether to normalise with the batch's statistics rather than the running ones; false unless told, as in PyTorch.
    pub training: bool,
    /// Counts the batches seen in training: one i64.
    pub batches: Option<&'a Tensor>,
    /// How far the running statistics move: `running = (1 - momentum) running + momentum batch`. None: as far as makes them the
    /// averages of all `batches`, or to those of this batch if nobody counts.
    pub momentum: Option<f64>,
    /// Added to the variance.
    pub eps: f64,
}

impl Default for BatchNormOptions<'_> {
    fn default() -> Self {
        BatchNormOptions {
            running: None,
            weight: None,
            bias: None,
            training: false,
            batches: None,
            momentum: Some(0.1),
            eps: 1e-5,
        }
    }
}

/// The inputs are x, then scale and shift if there are any. Mean and 1 / standard deviation of each channel are saved.
struct BatchNorm {
    /// Whether mean and deviation are those of x.
    training: bool,
    eps: f64,
    momentum: Option<f64>,
    running: Option<(Tensor, Tensor)>,
    batches: Option<Tensor>,
    /// Whether there are scales and shifts.
    affine: [bool; 2],
}

/// Without the running statistics, which change from step to step.
impl fmt::Debug for BatchNorm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BatchNorm { training, eps, momentum, affine, .. } = self;
        write!(f, "BatchNorm {training} {eps} {momentum:?} {affine:?}")
    }
}

/// `[N, C, ..]` as repetitions, channels and neighbours.
fn channels(x: &[usize]) -> Channels {
    Channels { outer: x[0], channels: x[1], inner: x[2..].iter().product() }
}

impl BatchNorm {
    /// The scale among the inputs, or ones.
    fn weight<T: Element + Real>(&self, w: Option<&Tensor>, channels: usize) -> Vec<T> {
        match w.filter(|_| self.affine[0]) {
            Some(w) => w.data::<T>().to_vec(),
            None => vec![T::ONE; channels],
        }
    }

    /// Mean and 1 / standard deviation of each channel, after the running ones have moved towards those of the batch.
    fn statistics(&self, x: &Tensor) -> [Tensor; 2] {
        let (shape, dtype) = (channels(x.shape()), x.dtype());
        let deviation = |v: &f64| 1.0 / (v + self.eps).sqrt();
        match &self.running {
            Some((m, v)) if !self.training => {
                [m.copy(), constants(v.to_f64_vec().iter().map(deviation), dtype)]
            }
            running => {
                let (m, v) = statistics(x, shape);
                let momentum = self.count();
                if let (Some((mean, var)), n @ 1..) = (running, shape.count()) {
                    let n = n as f64;
                    update(mean, m.iter().copied(), momentum);
                    update(var, v.iter().map(|v| v * n / (n - 1.0)), momentum);
                }
                [constants(m.iter().copied(), dtype), constants(v.iter().map(deviation), dtype)]
            }
        }
    }

    /// Counts the batch and says how far the running statistics move.
    fn count(&self) -> f64 {
        let count = self.batches.as_ref().map_or(1, |batches| {
            batches.with_data_mut::<i64, _>(|n| {
                n[0] += 1;
                n[0]
            })
        });
        self.momentum.unwrap_or(1.0 / count as f64)
    }

    fn input_gradient<T: Element + Real>(&self, ctx: &Context<'_>, sums: &[Vec<f64>; 2]) -> Tensor {
        let (x, dy) = (ctx.input(0), ctx.grad.data::<T>());
        let (m, r) = (ctx.saved[0].data::<T>(), ctx.saved[1].data::<T>());
        let shape = channels(x.shape());
        let s = scales(&r, &self.weight(ctx.inputs.get(1), r.len()));
        if !self.training {
            let zero = vec![T::ZERO; s.len()];
            return filled(&x.shape_owned(), |dx| scale_and_shift(shape, &dy, &zero, &s, &zero, dx));
        }
        let n = shape.count() as f64;
        let g: Vec<T> = sums[0].iter().map(|g| <T as Real>::from_f64(g / n)).collect();
        let square = |r: T| r.to_f64() * r.to_f64();
        let gx: Vec<T> =
            sums[1].iter().zip(&*r).map(|(gx, &r)| <T as Real>::from_f64(gx / n * square(r))).collect();
        filled(&x.shape_owned(), |dx| backward(shape, &x.data::<T>(), &dy, &m, &g, &gx, &s, dx))
    }

    fn gradients<T: Element + Real>(&self, ctx: &Context<'_>) -> Grads {
        let (x, m, r) = (ctx.input(0), ctx.saved[0].data::<T>(), ctx.saved[1].data::<T>());
        let [mut g, mut gx] = [(); 2].map(|_| vec![0.0; m.len()]);
        if self.training || ctx.needs[1..].contains(&true) {
            gradient_sums(channels(x.shape()), &x.data::<T>(), &ctx.grad.data::<T>(), &m, &mut g, &mut gx);
        }
        let per_channel = |values: &mut dyn Iterator<Item = f64>| {
            Tensor::from_vec(values.map(<T as Real>::from_f64).collect(), [m.len()])
        };
        let dw = |needed: bool| {
            needed.then(|| per_channel(&mut gx.iter().zip(&*r).map(|(gx, r)| gx * r.to_f64())))
        };
        let db = |needed: bool| needed.then(|| per_channel(&mut g.iter().copied()));
        let affine: Grads = match (self.affine, &ctx.needs[1..]) {
            ([true, true], &[w, b]) => smallvec![dw(w), db(b)],
            ([true, false], &[w]) => smallvec![dw(w)],
            ([false, true], &[b]) => smallvec![db(b)],
            _ => smallvec![],
        };
        let dx = ctx.needs[0].then(|| self.input_gradient::<T>(ctx, &[g, gx]));
        [dx].into_iter().chain(affine).collect()
    }
}

impl BatchNorm {
    /// [`statistics`](BatchNorm::statistics) on a GPU.
    fn statistics_on(&self, gpu: &Gpu, x: &Tensor) -> [Tensor; 2] {
        let shape = channels(x.shape());
        match &self.running {
            Some((m, v)) if !self.training => [m.copy(), norm::inverse_deviation(gpu, v, self.eps)],
            running => {
                let [m, v] = norm::moments(gpu, shape, x);
                if self.batches.is_some() || running.is_some() {
                    self.move_running(gpu, &m, &v, shape.count());
                }
                let r = norm::inverse_deviation(gpu, &v, self.eps);
                [m, r]
            }
        }
    }

    /// Counts the batch and moves the running statistics towards those of `n` elements a channel.
    fn move_running(&self, gpu: &Gpu, m: &Tensor, v: &Tensor, n: usize) {
        let (running, batches) = (self.running.as_ref().filter(|_| n > 0), self.batches.as_ref());
        let [mean, var] = match running {
            Some((mean, var)) => [mean, var].map(|t| gpu::dense(gpu, t)),
            None => [m, v].map(|t| gpu::empty(gpu, &Meta::of(t))),
        };
        let count = match batches {
            Some(batches) => gpu::dense(gpu, batches),
            None => gpu::empty(gpu, &Meta::new([1], DType::I64)),
        };
        let numbers = numbers![
            m.numel(),
            usize::from(running.is_some()),
            usize::from(batches.is_some()),
            usize::from(self.momentum.is_none()),
            self.momentum.unwrap_or(0.0),
            n as f64 / (n as f64 - 1.0),
        ];
        gpu::launch(gpu, &MOVE_RUNNING, &[m, v], &[&mean, &var, &count], &numbers, [1, 1, 1]);
        // What is a view of other memory was copied.
        let places = running.into_iter().flat_map(|(m, v)| [m, v]).chain(batches);
        let moved = running.iter().flat_map(|_| [&mean, &var]).chain(batches.map(|_| &count));
        for (place, moved) in places.zip(moved).filter(|(place, moved)| !place.shares_memory(moved)) {
            place.copy_(moved);
        }
    }

    fn value_on(&self, gpu: &Gpu, x: &[&Tensor], [m, r]: [&Tensor; 2], out: &Meta) -> Tensor {
        let expression = match self.affine {
            [true, true] => "(a - b) * c * d + e",
            [true, false] => "(a - b) * c * d",
            [false, true] => "(a - b) * c + d",
            [false, false] => "(a - b) * c",
        };
        let per_channel: Vec<Tensor> =
            [m, r].into_iter().chain(x[1..].iter().copied()).map(|t| beside(t, x[0])).collect();
        let operands: Vec<&Tensor> = [x[0]].into_iter().chain(&per_channel).collect();
        gpu::map(gpu, expression, &operands, &[], out)
    }

    fn input_gradient_on(&self, gpu: &Gpu, ctx: &Context<'_>, sums: Option<&Tensor>) -> Tensor {
        let (x, dy, [m, r]) = (ctx.input(0), ctx.grad, [&ctx.saved[0], &ctx.saved[1]]);
        let w = ctx.inputs.get(1).filter(|_| self.affine[0]);
        match (sums.filter(|_| self.training), w) {
            (Some(sums), w) => norm::backward(gpu, channels(x.shape()), [x, dy], [m, r], w, sums),
            (None, Some(w)) => {
                gpu::map(gpu, "a * b * c", &[dy, &beside(r, x), &beside(w, x)], &[], &ctx.metas[0])
            }
            (None, None) => gpu::map(gpu, "a * b", &[dy, &beside(r, x)], &[], &ctx.metas[0]),
        }
    }
}

/// A number for each channel, in a shape that broadcasts against x.
fn beside(numbers: &Tensor, x: &Tensor) -> Tensor {
    let mut shape = vec![1; x.dim() - 1];
    shape[0] = numbers.numel();
    numbers.detach().reshape(shape)
}

/// One workgroup, so that all read the count of batches before it changes.
const MOVE_RUNNING: gpu::Text = gpu::Text::new(
    "batch_norm, running statistics",
    "m: f32, v: f32 -> mean: f32, variance: f32, batches: i32",
    "n, moves, counts, averages, momentum: f32, unbiased: f32",
    "
@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) l: u32) {
    var count = 1;
    if (p.counts != 0u) { count = batches[0] + 1; }
    storageBarrier();
    if (p.counts != 0u && l == 0u) { batches[0] = count; }
    if (p.moves == 0u) { return; }
    let step = select(p.momentum, 1.0 / f32(count), p.averages != 0u);
    for (var c = l; c < p.n; c += 256u) {
        mean[c] = step * m[c] + (1.0 - step) * mean[c];
        variance[c] = step * v[c] * p.unbiased + (1.0 - step) * variance[c];
    }
}
",
);

/// What each channel is multiplied by.
fn scales<T: Real>(r: &[T], w: &[T]) -> Vec<T> {
    r.iter().zip(w).map(|(&r, &w)| r * w).collect()
}

impl Op for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm"
    }
    fn infer(&self, m: &[Meta]) -> Result<Meta, String> {
        let x = &m[0];
        let names = ["weight", "bias"].into_iter().zip(self.affine).filter(|(_, given)| *given);
        for (t, (what, _)) in m[1..].iter().zip(names) {
            if t.shape[..] != x.shape[1..2] || t.dtype != x.dtype {
                return Err(format!(
                    "batch_norm: the {what} is {} {:?}; the input {} {:?} needs {} [{}]",
                    t.dtype, t.shape, x.dtype, x.shape, x.dtype, x.shape[1]
                ));
            }
        }
        Ok(x.clone())
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let saved = self.statistics(x[0]);
        let value = match_float!("batch_norm", out.dtype, T => {
            let (m, r) = (saved[0].data::<T>(), saved[1].data::<T>());
            let s = scales::<T>(&r, &self.weight(x.get(1).copied(), r.len()));
            let b = match x.last().filter(|_| self.affine[1]) {
                Some(b) => b.data::<T>().to_vec(),
                None => vec![0.0; r.len()],
            };
            filled::<T>(&out.shape, |y| scale_and_shift(channels(&out.shape), &x[0].data(), &m, &s, &b, y))
        });
        Output { value, saved: saved.into() }
    }
    fn changes(&self) -> Vec<Tensor> {
        let running = self.running.iter().flat_map(|(m, v)| [m, v]).chain(&self.batches);
        running.filter(|_| self.training).cloned().collect()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        match_float!("batch_norm", ctx.grad.dtype(), T => self.gradients::<T>(ctx))
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let gpu = gpu::of(x);
        let [m, r] = self.statistics_on(&gpu, x[0]);
        Output { value: self.value_on(&gpu, x, [&m, &r], out), saved: vec![m, r] }
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        let (gpu, x, [m, r]) = (gpu::of(&[ctx.grad]), ctx.input(0), [&ctx.saved[0], &ctx.saved[1]]);
        let sums = (self.training || ctx.needs[1..].contains(&true))
            .then(|| norm::gradient_sums(&gpu, channels(x.shape()), x, ctx.grad, m));
        let sum = |i: isize| sums.as_ref().expect("they are made where they are needed").select(0, i);
        let is_bias = [self.affine[0], false].into_iter().map(|w| !w);
        let affine = ctx.needs[1..].iter().zip(is_bias).map(|(needed, is_bias)| {
            needed.then(|| {
                if is_bias { sum(0) } else { gpu::map(&gpu, "a * b", &[&sum(1), r], &[], &Meta::of(r)) }
            })
        });
        let dx = ctx.needs[0].then(|| self.input_gradient_on(&gpu, ctx, sums.as_ref()));
        [dx].into_iter().chain(affine).collect()
    }
    fn input_names(&self) -> &'static [&'static str] {
        match self.affine {
            [false, true] => &["input", "bias"],
            _ => &["input", "weight", "bias"],
        }
    }
}

/// Mean and biased variance of every channel.
fn statistics(x: &Tensor, shape: Channels) -> (Vec<f64>, Vec<f64>) {
    let [mut m, mut v] = [(); 2].map(|_| vec![0.0; shape.channels]);
    match_float!("batch_norm", x.dtype(), T => moments(shape, &x.data::<T>(), &mut m, &mut v));
    (m, v)
}

/// `running = (1 - momentum) running + momentum batch`.
#[track_caller]
fn update(running: &Tensor, batch: impl Iterator<Item = f64>, momentum: f64) {
    match_float!("batch_norm", running.dtype(), T => running.with_data_mut::<T, _>(|running| {
        for (r, batch) in running.iter_mut().zip(batch) {
            *r = (momentum * batch + (1.0 - momentum) * Real::to_f64(*r)) as T;
        }
    }));
}

/// One number per channel in the type of the data.
fn constants(values: impl Iterator<Item = f64>, dtype: DType) -> Tensor {
    match_float!("batch_norm", dtype, T => {
        let values: Vec<T> = values.map(|v| v as T).collect();
        let n = values.len();
        Tensor::from_vec(values, [n])
    })
}

impl Tensor {
    /// Normalises every channel of `[N, C]`, `[N, C, L]` or `[N, C, H, W]`: `(x - m) / sqrt(v + eps) w + b`. PyTorch's
    /// `F.batch_norm`.
    ///
    /// While training, `m` and the biased `v` are those of the batch, gradients flow through them, and the running
    /// statistics move towards `m` and the unbiased variance. Otherwise they are the running ones.
    ///
    /// # Panics
    /// If shapes or types do not fit, a channel has only one value while training, or there are no running
    /// statistics in evaluation.
    ///
    /// ```
    /// use rekindle_tensor::{tensor, BatchNormOptions};
    /// let (mean, var) = (tensor([0.0]), tensor([1.0]));
    /// let options = BatchNormOptions { running: Some((&mean, &var)), training: true, eps: 0.0, ..Default::default() };
    /// let y = tensor([[1.0], [3.0]]).batch_norm(options);
    /// assert_eq!(y.to_vec::<f32>(), [-1.0, 1.0]);
    /// assert_eq!(mean.item::<f32>(), 0.2);
    /// ```
    #[track_caller]
    pub fn batch_norm(&self, options: BatchNormOptions<'_>) -> Tensor {
        if options.training && self.dim() > 1 && channels(self.shape()).count() == 1 {
            mistake!(
                "batch_norm: needs more than one value per channel while training, got {:?}; use .eval() or a larger batch",
                self.shape()
            );
        }
        self.normalized(options)
    }

    /// `batch_norm` that takes a single value per channel, too: its own mean.
    #[track_caller]
    fn normalized(&self, options: BatchNormOptions<'_>) -> Tensor {
        let BatchNormOptions { running, weight, bias, training, batches, momentum, eps } = options;
        if self.dim() < 2 || !self.dtype().is_float() {
            mistake!("batch_norm: needs floats [N, C, ..], got {} {:?}", self.dtype(), self.shape());
        }
        for (t, what) in running.iter().flat_map(|(m, v)| [(m, "running mean"), (v, "running variance")]) {
            if t.shape() != [self.size(1)] || t.dtype() != self.dtype() {
                mistake!(
                    "batch_norm: the {what} is {} {:?}; the input {} {:?} needs {} [{}]",
                    t.dtype(),
                    t.shape(),
                    self.dtype(),
                    self.shape(),
                    self.dtype(),
                    self.size(1)
                );
            }
        }
        if let Some(batches) = batches
            && (batches.dtype() != DType::I64 || batches.numel() != 1)
        {
            mistake!(
                "batch_norm: batches are counted in one i64, not in {} {:?}",
                batches.dtype(),
                batches.shape()
            );
        }
        if !training && running.is_none() {
            mistake!("batch_norm: evaluation needs running statistics; pass them or use training: true");
        }
        let running = running.map(|(m, v)| (m.clone(), v.clone()));
        let (batches, affine) = (batches.cloned(), [weight.is_some(), bias.is_some()]);
        let op = BatchNorm { training, eps, momentum, running, batches, affine };
        match (weight, bias) {
            (Some(w), Some(b)) => apply(op, &[self, w, b]),
            (Some(w), None) => apply(op, &[self, w]),
            (None, Some(b)) => apply(op, &[self, b]),
            (None, None) => apply(op, &[self]),
        }
    }
}

/// Normalises each of `groups` slices of equal length over its elements, without scale and shift.
#[track_caller]
pub(crate) fn normalize_slices(x: &Tensor, groups: usize, eps: f64) -> Tensor {
    let length = x.numel() / groups.max(1);
    let slices = x.reshape([1, groups, length]);
    slices
        .normalized(BatchNormOptions { training: true, eps, ..Default::default() })
        .reshape(&x.shape_owned())
}

pub(crate) fn samples() -> Vec<Sample> {
    let affine = |x: &[Tensor]| {
        x[0].batch_norm(BatchNormOptions {
            weight: Some(&x[1]),
            bias: Some(&x[2]),
            training: true,
            ..Default::default()
        })
    };
    let evaluation = |x: &[Tensor]| {
        let var = x[1].detach().exp();
        let running = Some((&x[1], &var));
        let (weight, bias) = (Some(&x[2]), Some(&x[3]));
        x[0].batch_norm(BatchNormOptions { running, weight, bias, ..Default::default() })
    };
    let evaluation = |n: usize| {
        move |x: &[Tensor]| {
            let mean = Tensor::linspace_f64(-1.0, 1.0, n).to(x[0].dtype()).to(x[0].device());
            evaluation(&[x[0].clone(), mean, x[1].clone(), x[2].clone()])
        }
    };
    vec![
        Sample::new("batch_norm", affine)
            .on(&[&[6, 3], &[3], &[3]])
            .on(&[&[3, 2, 4], &[2], &[2]])
            .on(&[&[2, 3, 3, 2], &[3], &[3]])
            .on(&[&[0, 2], &[2], &[2]])
            .on(&[&[3, 1], &[1], &[1]])
            .large(&[&[32, 16, 10, 10], &[16], &[16]])
            .large(&[&[1500, 40], &[40], &[40]])
            .large(&[&[3, 2, 70, 70], &[2], &[2]]),
        Sample::new("batch_norm without affine", |x| {
            x[0].batch_norm(BatchNormOptions { training: true, ..Default::default() })
        })
        .on(&[&[4, 2, 2]]),
        Sample::new("batch_norm in evaluation", evaluation(3)).on(&[&[2, 3, 3, 2], &[3], &[3]]).on(&[
            &[1, 3],
            &[3],
            &[3],
        ]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{check, tensor};

    #[test]
    fn running_statistics_move_towards_mean_and_unbiased_variance() {
        let (mean, var) = (tensor([1.0, 0.0]), tensor([1.0, 2.0]));
        let x = tensor([[1.0, 10.0], [3.0, 10.0], [5.0, 10.0]]);
        x.batch_norm(BatchNormOptions {
            running: Some((&mean, &var)),
            training: true,
            momentum: Some(0.5),
            ..Default::default()
        });
        assert_eq!(mean.to_vec::<f32>(), [2.0, 5.0]);
        assert_eq!(var.to_vec::<f32>(), [2.5, 1.0]);
    }

    #[test]
    fn agrees_with_its_composed_form() {
        let x = Sample::new("x", |x| x[0].copy()).on(&[&[4, 3, 5], &[3], &[3]]).inputs(0);
        let (w, b) = (x[1].reshape([1, 3, 1]), x[2].reshape([1, 3, 1]));
        let centred = &x[0] - x[0].mean_dim([0, 2], true);
        let var = (&centred * &centred).mean_dim([0, 2], true);
        let expected = (centred / (var + 1e-5).sqrt() * w + b).to_vec::<f64>();
        let options =
            BatchNormOptions { weight: Some(&x[1]), bias: Some(&x[2]), training: true, ..Default::default() };
        let got = x[0].batch_norm(options).to_vec::<f64>();
        assert!(got.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    #[test]
    fn misuse_is_explained() {
        let one = check(|| {
            Tensor::zeros([1, 3]).batch_norm(BatchNormOptions { training: true, ..Default::default() })
        })
        .unwrap_err();
        assert_eq!(
            one,
            "batch_norm: needs more than one value per channel while training, got [1, 3]; use .eval() or a larger batch"
        );
        let w = Tensor::ones([4]);
        let options = BatchNormOptions { weight: Some(&w), training: true, ..Default::default() };
        let e = check(|| Tensor::zeros([2, 3]).batch_norm(options)).unwrap_err();
        assert_eq!(e, "batch_norm: the weight is f32 [4]; the input f32 [2, 3] needs f32 [3]");
    }
}
