//! Batch normalisation: every channel gets mean 0 and variance 1 over the batch, then a scale and a shift.
//!
//! `y = (x - m) / sqrt(v + eps) w + b` with the channel's mean `m` and biased variance `v`. While training these depend
//! on x, so with `h = (x - m) / sqrt(v + eps)` the gradient is `dx = w / sqrt(v + eps) (dy - mean(dy) - h mean(dy h))`.
//!
//! Source: S. Ioffe and C. Szegedy, "Batch Normalization", ICML 2015.

use super::elementwise::filled;
use crate::dtype::{DType, Element, match_float};
use crate::op::{Context, Grads, Meta, Op, Output, apply, mistake};
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::norm::{Channels, backward, gradient_sums, moments, scale_and_shift};
use rekindle_kernels::real::Real;
use smallvec::smallvec;

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
    /// How far the running statistics move: `running = (1 - momentum) running + momentum batch`.
    pub momentum: f64,
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
            momentum: 0.1,
            eps: 1e-5,
        }
    }
}

/// The inputs are x, the mean and 1 / standard deviation of each channel, scale and shift.
#[derive(Debug)]
struct BatchNorm {
    /// Whether mean and deviation are those of x.
    training: bool,
}

/// `[N, C, ..]` as repetitions, channels and neighbours.
fn channels(x: &[usize]) -> Channels {
    Channels { outer: x[0], channels: x[1], inner: x[2..].iter().product() }
}

impl BatchNorm {
    fn input_gradient<T: Element + Real>(&self, ctx: &Context<'_>, sums: &[Vec<f64>; 2]) -> Tensor {
        let (x, dy) = (ctx.input(0), ctx.grad.data::<T>());
        let (m, r, w) = (ctx.input(1).data::<T>(), ctx.input(2).data::<T>(), ctx.input(3).data::<T>());
        let shape = channels(x.shape());
        let s = scales(&r, &w);
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
        let (x, m, r) = (ctx.input(0), ctx.input(1).data::<T>(), ctx.input(2).data::<T>());
        let [mut g, mut gx] = [(); 2].map(|_| vec![0.0; m.len()]);
        if self.training || ctx.needs[3] || ctx.needs[4] {
            gradient_sums(channels(x.shape()), &x.data::<T>(), &ctx.grad.data::<T>(), &m, &mut g, &mut gx);
        }
        let per_channel = |values: &mut dyn Iterator<Item = f64>| {
            Tensor::from_vec(values.map(<T as Real>::from_f64).collect(), &ctx.metas[3].shape)
        };
        let dw = ctx.needs[3].then(|| per_channel(&mut gx.iter().zip(&*r).map(|(gx, r)| gx * r.to_f64())));
        let db = ctx.needs[4].then(|| per_channel(&mut g.iter().copied()));
        let dx = ctx.needs[0].then(|| self.input_gradient::<T>(ctx, &[g, gx]));
        smallvec![dx, None, None, dw, db]
    }
}

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
        for (t, what) in m[1..].iter().zip(["mean", "variance", "weight", "bias"]) {
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
        match_float!("batch_norm", out.dtype, T => {
            let s = scales::<T>(&x[2].data(), &x[3].data());
            let (m, b) = (x[1].data::<T>(), x[4].data::<T>());
            filled::<T>(&out.shape, |y| scale_and_shift(channels(&out.shape), &x[0].data(), &m, &s, &b, y)).into()
        })
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        match_float!("batch_norm", ctx.grad.dtype(), T => self.gradients::<T>(ctx))
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
        let BatchNormOptions { running, weight, bias, training, momentum, eps } = options;
        if self.dim() < 2 || !self.dtype().is_float() {
            mistake!("batch_norm: needs floats [N, C, ..], got {} {:?}", self.dtype(), self.shape());
        }
        let (shape, dtype) = (channels(self.shape()), self.dtype());
        for (t, what) in running.iter().flat_map(|(m, v)| [(m, "mean"), (v, "variance")]) {
            if t.shape() != [shape.channels] {
                mistake!(
                    "batch_norm: the running {what} is {:?}; the input {:?} needs [{}]",
                    t.shape(),
                    self.shape(),
                    shape.channels
                );
            }
        }
        // The running statistics move only if everything fits.
        let channel = Meta::new([shape.channels], dtype);
        let given = |t: Option<&Tensor>| t.map_or(channel.clone(), Meta::of);
        let metas = [Meta::of(self), channel.clone(), channel.clone(), given(weight), given(bias)];
        if let Err(e) = (BatchNorm { training }).infer(&metas) {
            mistake!("{e}");
        }
        let deviation = |v: &f64| 1.0 / (v + eps).sqrt();
        let (mean, scale) = match (training, running) {
            (true, _) => {
                let (m, v) = self.batch_statistics(shape, running, momentum);
                (constants(m.iter().copied(), dtype), constants(v.iter().map(deviation), dtype))
            }
            (false, Some((m, v))) => (m.detach(), constants(v.to_f64_vec().iter().map(deviation), dtype)),
            (false, None) => {
                mistake!("batch_norm: evaluation needs running statistics; pass them or use training: true")
            }
        };
        let constant = |v: f64| Tensor::full_of([shape.channels], v, dtype);
        let (w, b) = (
            weight.cloned().unwrap_or_else(|| constant(1.0)),
            bias.cloned().unwrap_or_else(|| constant(0.0)),
        );
        apply(BatchNorm { training }, &[self, &mean, &scale, &w, &b])
    }

    /// The batch's statistics, after the running ones have moved towards them.
    #[track_caller]
    fn batch_statistics(
        &self,
        shape: Channels,
        running: Option<(&Tensor, &Tensor)>,
        momentum: f64,
    ) -> (Vec<f64>, Vec<f64>) {
        let n = shape.count() as f64;
        let (m, v) = statistics(self, shape);
        if let Some((mean, var)) = running
            && n > 0.0
        {
            update(mean, m.iter().copied(), momentum);
            update(var, v.iter().map(|v| v * n / (n - 1.0)), momentum);
        }
        (m, v)
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
            let mean = Tensor::linspace_f64(-1.0, 1.0, n).to(x[0].dtype());
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
            .large(&[&[1500, 40], &[40], &[40]]),
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
            momentum: 0.5,
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
