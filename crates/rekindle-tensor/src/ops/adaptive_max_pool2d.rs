//! Maximum over as many windows as the output is to have.

use super::elementwise::{filled, same_float};
use super::max_pool2d::{planes, resized};
use crate::dtype::match_float;
use crate::gpu::{self, pool::Windows};
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::real::Real;
use smallvec::smallvec;
use std::ops::Range;

/// What is saved are the flat indices of the maxima in the tensor, on a GPU in their planes.
#[derive(Debug)]
struct AdaptiveMaxPool {
    out: [usize; 2],
}

/// Window `i` of `o` along a size `n`.
fn window(i: usize, n: usize, o: usize) -> Range<usize> {
    i * n / o..((i + 1) * n).div_ceil(o)
}

impl AdaptiveMaxPool {
    fn windows(&self, x: &[usize]) -> Windows {
        let (_, size) = planes(self.name(), x, 2).expect("the shape rule accepted it");
        Windows::adaptive(size, self.out.into())
    }

    fn maxima<T: Real>(&self, shape: &[usize], x: &[T]) -> Vec<i64> {
        let (planes, (h, w)) = planes(self.name(), shape, 2).expect("the shape rule accepted it");
        let [oh, ow] = self.out;
        let mut indices = Vec::with_capacity(planes * oh * ow);
        for (plane, i, j) in (0..planes * oh * ow).map(|k| (k / (oh * ow), k / ow % oh, k % ow)) {
            let columns = window(j, w, ow);
            let elements =
                window(i, h, oh).flat_map(|r| columns.clone().map(move |s| (plane * h + r) * w + s));
            let best =
                elements.reduce(|a, b| if x[b] > x[a] || (x[b].is_nan() && !x[a].is_nan()) { b } else { a });
            indices.push(best.unwrap_or(0) as i64);
        }
        indices
    }
}

impl Op for AdaptiveMaxPool {
    fn name(&self) -> &'static str {
        "adaptive_max_pool2d"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        let (_, size) = planes(self.name(), &x[0].shape, 2)?;
        if size.0 == 0 || size.1 == 0 {
            return Err(format!("{}: the images of {:?} are empty", self.name(), x[0].shape));
        }
        same_float(self.name(), x)?;
        Ok(Meta::new(resized(&x[0].shape, self.out.into(), 2), x[0].dtype))
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        match_float!(self.name(), out.dtype, T => {
            let data = x[0].data::<T>();
            let indices = self.maxima(x[0].shape(), &data);
            let value = Tensor::from_vec(indices.iter().map(|&i| data[i as usize]).collect(), &out.shape);
            Output { value, saved: vec![Tensor::from_vec(indices, &out.shape)] }
        })
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let indices = ctx.saved[0].data::<i64>();
        smallvec![Some(
            match_float!(self.name(), ctx.grad.dtype(), T => filled::<T>(&ctx.metas[0].shape, |dx| {
                dx.fill(0.0);
                indices.iter().zip(&*ctx.grad.data::<T>()).for_each(|(&i, &g)| dx[i as usize] += g);
            }))
        )]
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let [value, places] = self.windows(x[0].shape()).max(&gpu::of(x), x[0], out);
        Output { value, saved: vec![places] }
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        let (gpu, input) = (gpu::of(&[ctx.grad]), &ctx.metas[0]);
        smallvec![Some(self.windows(&input.shape).max_backward(&gpu, ctx.grad, &ctx.saved[0], input))]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

impl Tensor {
    /// As [`adaptive_avg_pool2d`](Tensor::adaptive_avg_pool2d) with the maximum of each window. PyTorch's
    /// `F.adaptive_max_pool2d`.
    ///
    /// # Panics
    /// If the shape does not fit.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// let x = Tensor::arange(0.0, 16.0, 1.0).reshape([1, 1, 4, 4]);
    /// assert_eq!(x.adaptive_max_pool2d([1, 2]).to_vec::<f32>(), [13.0, 15.0]);
    /// ```
    #[track_caller]
    pub fn adaptive_max_pool2d(&self, out: [usize; 2]) -> Tensor {
        apply(AdaptiveMaxPool { out }, &[self])
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::new("adaptive_max_pool2d", |x| x[0].adaptive_max_pool2d([3, 2]))
            .on(&[&[2, 2, 5, 7]])
            .on(&[&[1, 1, 2, 1]])
            .on(&[&[0, 3, 4, 4]]),
    ]
}
