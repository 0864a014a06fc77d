//! Average over as many windows as the output is to have. A sequence is an image of height 1.

use super::elementwise::{filled, same_float};
use super::max_pool2d::{planes, resized};
use crate::dtype::match_float;
use crate::gpu::{self, pool::Windows};
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
use crate::plan::{Stage, plain};
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::pool2d::{adaptive_avg_backward, adaptive_avg_forward};
use smallvec::smallvec;

#[derive(Debug)]
struct AdaptiveAvgPool {
    name: &'static str,
    dims: usize,
    out: (usize, usize),
}

impl AdaptiveAvgPool {
    fn planes(&self, x: &[usize]) -> (usize, (usize, usize)) {
        planes(self.name, x, self.dims).expect("the shape rule accepted it")
    }

    fn windows(&self, x: &[usize]) -> Windows {
        Windows::adaptive(self.planes(x).1, self.out)
    }
}

impl Op for AdaptiveAvgPool {
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        let (_, size) = planes(self.name, &x[0].shape, self.dims)?;
        if size.0 == 0 || size.1 == 0 {
            return Err(format!("{}: the images of {:?} are empty", self.name, x[0].shape));
        }
        same_float(self.name, x)?;
        Ok(Meta::new(resized(&x[0].shape, self.out, self.dims), x[0].dtype))
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let (planes, size) = self.planes(x[0].shape());
        match_float!(self.name, out.dtype, T => {
            filled::<T>(&out.shape, |y| adaptive_avg_forward(planes, size, self.out, &x[0].data::<T>(), y)).into()
        })
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let (planes, size) = self.planes(&ctx.metas[0].shape);
        smallvec![Some(
            match_float!(self.name, ctx.grad.dtype(), T => filled::<T>(&ctx.metas[0].shape, |dx| {
                adaptive_avg_backward(planes, size, self.out, &ctx.grad.data::<T>(), dx);
            }))
        )]
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        self.windows(x[0].shape()).average(&gpu::of(x), x[0], out).into()
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        let (gpu, input) = (gpu::of(&[ctx.grad]), &ctx.metas[0]);
        smallvec![Some(self.windows(&input.shape).average_backward(&gpu, ctx.grad, input))]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
    fn stage(&self, m: &[Meta], _: &Meta) -> Option<Box<dyn Stage>> {
        let (planes, size) = self.planes(&m[0].shape);
        let (planes, out) = (planes / m[0].shape[0].max(1), self.out);
        Some(plain(
            move |n, x, y| adaptive_avg_forward(planes * n, size, out, x, y),
            move |n, _, dy, dx| adaptive_avg_backward(planes * n, size, out, dy, dx),
        ))
    }
}

impl Tensor {
    /// Averages `[N, C, H, W]` or `[C, H, W]` over windows that give images of the size `out`: window `i` of `o` along
    /// a size `n` is `floor(i n / o) .. ceil((i + 1) n / o)`. PyTorch's `F.adaptive_avg_pool2d`; `[1, 1]` averages
    /// whole images.
    ///
    /// # Panics
    /// If the shape does not fit.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// let x = Tensor::arange(0.0, 16.0, 1.0).reshape([1, 1, 4, 4]);
    /// assert_eq!(x.adaptive_avg_pool2d([1, 2]).to_vec::<f32>(), [6.5, 8.5]);
    /// ```
    #[track_caller]
    pub fn adaptive_avg_pool2d(&self, out: [usize; 2]) -> Tensor {
        apply(AdaptiveAvgPool { name: "adaptive_avg_pool2d", dims: 2, out: out.into() }, &[self])
    }

    /// As [`adaptive_avg_pool2d`](Tensor::adaptive_avg_pool2d) for `[N, C, L]` or `[C, L]`.
    ///
    /// # Panics
    /// If the shape does not fit.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[1.0, 3.0, 5.0, 7.0]]).adaptive_avg_pool1d(2).to_vec::<f32>(), [2.0, 6.0]);
    /// ```
    #[track_caller]
    pub fn adaptive_avg_pool1d(&self, out: usize) -> Tensor {
        apply(AdaptiveAvgPool { name: "adaptive_avg_pool1d", dims: 1, out: (1, out) }, &[self])
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::new("adaptive_avg_pool2d", |x| x[0].adaptive_avg_pool2d([3, 2]))
            .on(&[&[2, 2, 5, 7]])
            .on(&[&[1, 1, 2, 1]])
            .on(&[&[0, 3, 4, 4]])
            .large(&[&[4, 8, 48, 48]]),
        Sample::new("adaptive_avg_pool2d to one", |x| x[0].adaptive_avg_pool2d([1, 1])).on(&[&[2, 4, 3]]),
        Sample::new("adaptive_avg_pool1d", |x| x[0].adaptive_avg_pool1d(3))
            .on(&[&[2, 2, 7]])
            .on(&[&[1, 1, 1]])
            .on(&[&[0, 2, 5]]),
    ]
}
