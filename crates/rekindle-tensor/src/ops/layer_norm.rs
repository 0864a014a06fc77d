//! Layer normalisation: the features of every sample get mean 0 and variance 1, then a scale and a shift.
//!
//! `y = h w + b`, `h = (x - m) / sqrt(v + eps)` with mean and biased variance over the last dimensions. With `g = dy w`:
//! `dx = (g - mean(g) - h mean(g h)) / sqrt(v + eps)`, `dw = sum dy h`, `db = sum dy`.
//!
//! Source: J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer Normalization", 2016.

use super::elementwise::filled;
use crate::dtype::{Element, match_float};
use crate::gpu::fold::{SUM, fold};
use crate::gpu::{self, norm};
use crate::op::{Context, Grads, Meta, Op, Output, apply};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::norm::{Channels, backward, gradient_sums, moments, scale_and_shift};
use rekindle_kernels::real::Real;
use rekindle_kernels::{map, reduce};
use smallvec::smallvec;

/// The inputs are x, scale and shift; saved are the mean and 1 / standard deviation of each sample.
#[derive(Debug)]
struct LayerNorm {
    normalized: Shape,
    eps: f64,
}

impl LayerNorm {
    /// The samples as channels that occur once.
    fn rows(&self, x: &[usize]) -> Channels {
        let lead = x.len() - self.normalized.len();
        Channels { outer: 1, channels: x[..lead].iter().product(), inner: self.normalized.numel() }
    }

    fn value<T: Element + Real>(&self, x: &[&Tensor], out: &Meta) -> Output {
        let (rows, data) = (self.rows(&out.shape), x[0].data::<T>());
        let [mut m, mut v] = [(); 2].map(|_| vec![0.0; rows.channels]);
        moments(rows, &data, &mut m, &mut v);
        let m: Vec<T> = m.into_iter().map(<T as Real>::from_f64).collect();
        let r: Vec<T> = v.into_iter().map(|v| <T as Real>::from_f64(1.0 / (v + self.eps).sqrt())).collect();
        let zero = vec![T::ZERO; rows.channels];
        let value = filled::<T>(&out.shape, |y| {
            scale_and_shift(rows, &data, &m, &r, &zero, y);
            if !y.is_empty() {
                map::in_place_row(y, &x[1].data::<T>(), |y: T, w: T| y * w);
                map::in_place_row(y, &x[2].data::<T>(), |y: T, b: T| y + b);
            }
        });
        Output { value, saved: [m, r].map(|s| Tensor::from_vec(s, [rows.channels])).into() }
    }

    fn gradients<T: Element + Real>(&self, ctx: &Context<'_>) -> Grads {
        let rows = self.rows(&ctx.metas[0].shape);
        let (x, dy) = (ctx.input(0).data::<T>(), ctx.grad.data::<T>());
        let (m, r) = (ctx.saved[0].data::<T>(), ctx.saved[1].data::<T>());
        let zero = vec![T::ZERO; rows.channels];
        let dx = ctx.needs[0].then(|| self.input_gradient::<T>(ctx, rows, &dy));
        let dw = ctx.needs[1].then(|| {
            let mut h = vec![T::ZERO; x.len()];
            scale_and_shift(rows, &x, &m, &r, &zero, &mut h);
            map::in_place2(&mut h, &dy, |h: T, dy: T| h * dy);
            filled::<T>(&self.normalized, |dw| reduce::sum_rows(&h, rows.channels, rows.inner, dw))
        });
        let db = ctx.needs[2].then(|| {
            filled::<T>(&self.normalized, |db| reduce::sum_rows(&dy, rows.channels, rows.inner, db))
        });
        smallvec![dx, dw, db]
    }

    fn input_gradient<T: Element + Real>(&self, ctx: &Context<'_>, rows: Channels, dy: &[T]) -> Tensor {
        let (x, w) = (ctx.input(0).data::<T>(), ctx.input(1).data::<T>());
        let (m, r) = (ctx.saved[0].data::<T>(), ctx.saved[1].data::<T>());
        let mut g = vec![T::ZERO; dy.len()];
        if !g.is_empty() {
            map::binary_row(dy, &w, &mut g, |dy: T, w: T| dy * w);
        }
        let [mut sum, mut product] = [(); 2].map(|_| vec![0.0; rows.channels]);
        gradient_sums(rows, &x, &g, &m, &mut sum, &mut product);
        let n = rows.inner as f64;
        let mean: Vec<T> = sum.iter().map(|s| <T as Real>::from_f64(s / n)).collect();
        let slope = |(p, r): (&f64, &T)| <T as Real>::from_f64(p / n * r.to_f64() * r.to_f64());
        let slope: Vec<T> = product.iter().zip(&*r).map(slope).collect();
        filled(&ctx.metas[0].shape, |dx| backward(rows, &x, &g, &m, &mean, &slope, &r, dx))
    }
}

impl LayerNorm {
    /// Numbers of the samples, in a shape that broadcasts against x.
    fn beside(&self, numbers: &Tensor, x: &Shape) -> Tensor {
        let lead = x.len() - self.normalized.len();
        let shape: Vec<usize> = (0..x.len()).map(|d| if d < lead { x[d] } else { 1 }).collect();
        numbers.reshape(shape)
    }
}

impl Op for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }
    fn infer(&self, m: &[Meta]) -> Result<Meta, String> {
        let (x, normalized) = (&m[0], &self.normalized);
        super::elementwise::same_float("layer_norm", m)?;
        if normalized.is_empty() || !x.shape.ends_with(normalized) {
            return Err(format!(
                "layer_norm: the input {:?} does not end in the normalized shape {normalized:?}",
                x.shape
            ));
        }
        for (t, what) in m[1..].iter().zip(["weight", "bias"]) {
            if t.shape != *normalized || t.dtype != x.dtype {
                return Err(format!(
                    "layer_norm: the {what} is {} {:?}; it must be {} {normalized:?}",
                    t.dtype, t.shape, x.dtype
                ));
            }
        }
        Ok(x.clone())
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        match_float!("layer_norm", out.dtype, T => self.value::<T>(x, out))
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        match_float!("layer_norm", ctx.grad.dtype(), T => self.gradients::<T>(ctx))
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let gpu = gpu::of(x);
        let [m, v] = norm::moments(&gpu, self.rows(&out.shape), x[0]);
        let r = norm::inverse_deviation(&gpu, &v, self.eps);
        let [mean, scale] = [&m, &r].map(|s| self.beside(s, &out.shape));
        let value = gpu::map(&gpu, "(a - b) * c * d + e", &[x[0], &mean, &scale, x[1], x[2]], &[], out);
        Output { value, saved: vec![m, r] }
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        let (x, w, dy, shape) = (ctx.input(0), ctx.input(1), ctx.grad, &ctx.metas[0]);
        let (gpu, rows, [m, r]) = (gpu::of(&[dy]), self.rows(&shape.shape), [&ctx.saved[0], &ctx.saved[1]]);
        let dx = ctx.needs[0].then(|| {
            let g = gpu::map(&gpu, "a * b", &[dy, w], &[], shape);
            let sums = norm::gradient_sums(&gpu, rows, x, &g, m);
            norm::backward(&gpu, rows, [x, &g], [m, r], None, &sums)
        });
        let over_samples =
            |t: &Tensor| fold(&gpu, t, [1, rows.channels, rows.inner], SUM).reshape(&self.normalized);
        let dw = ctx.needs[1].then(|| {
            let [mean, scale] = [m, r].map(|s| self.beside(s, &shape.shape));
            over_samples(&gpu::map(&gpu, "(a - b) * c * d", &[x, &mean, &scale, dy], &[], shape))
        });
        smallvec![dx, dw, ctx.needs[2].then(|| over_samples(dy))]
    }
    fn input_names(&self) -> &'static [&'static str] {
        &["input", "weight", "bias"]
    }
}

impl Tensor {
    /// Normalises over the last dimensions, which have the shape `normalized`: `(x - m) / sqrt(v + eps) w + b` with
    /// weight and bias of that shape. PyTorch's `F.layer_norm` (its `eps` is 1e-5).
    ///
    /// # Panics
    /// If shapes or types do not fit.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let y = tensor([[1.0, 3.0], [0.0, 8.0]]).layer_norm([2], None, None, 0.0);
    /// assert_eq!(y.to_vec::<f32>(), [-1.0, 1.0, -1.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn layer_norm(
        &self,
        normalized: impl Into<Shape>,
        weight: Option<&Tensor>,
        bias: Option<&Tensor>,
        eps: f64,
    ) -> Tensor {
        let normalized = normalized.into();
        let constant = |v: f64| self.new_full(&Meta::new(normalized.clone(), self.dtype()), v);
        let (w, b) = (
            weight.cloned().unwrap_or_else(|| constant(1.0)),
            bias.cloned().unwrap_or_else(|| constant(0.0)),
        );
        apply(LayerNorm { normalized, eps }, &[self, &w, &b])
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let affine = |dims: usize| {
        move |x: &[Tensor]| {
            let normalized = &x[0].shape()[x[0].dim() - dims..];
            x[0].layer_norm(normalized, Some(&x[1]), Some(&x[2]), 1e-5)
        }
    };
    vec![
        Sample::new("layer_norm", affine(1))
            .on(&[&[4, 5], &[5], &[5]])
            .on(&[&[2, 3, 4], &[4], &[4]])
            .on(&[&[0, 3], &[3], &[3]])
            .on(&[&[6], &[6], &[6]])
            .on(&[&[1, 2], &[2], &[2]])
            .large(&[&[700, 64], &[64], &[64]])
            .large(&[&[3, 5000], &[5000], &[5000]]),
        Sample::new("layer_norm over two dims", affine(2)).on(&[&[3, 2, 3], &[2, 3], &[2, 3]]),
        Sample::new("layer_norm without affine", |x| x[0].layer_norm([5], None, None, 1e-5)).on(&[&[3, 5]]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;

    #[test]
    fn agrees_with_its_composed_form() {
        let x = Sample::new("x", |x| x[0].copy()).on(&[&[7, 5], &[5], &[5]]).inputs(0);
        let centred = &x[0] - x[0].mean_dim(1, true);
        let var = (&centred * &centred).mean_dim(1, true);
        let expected = (centred / (var + 1e-5).sqrt() * &x[1] + &x[2]).to_vec::<f64>();
        let got = x[0].layer_norm([5], Some(&x[1]), Some(&x[2]), 1e-5).to_vec::<f64>();
        assert!(got.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    #[test]
    fn another_number_of_features_is_explained() {
        let e = check(|| Tensor::zeros([2, 3]).layer_norm([4], None, None, 1e-5)).unwrap_err();
        assert_eq!(e, "layer_norm: the input [2, 3] does not end in the normalized shape [4]");
    }
}
