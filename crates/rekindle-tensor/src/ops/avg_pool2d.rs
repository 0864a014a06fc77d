//! Average over windows of images and sequences. A sequence is an image of height 1.

use super::elementwise::filled;
use super::max_pool2d::{PoolOptions, Pooling};
use crate::dtype::match_float;
use crate::gpu;
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
use crate::plan::{Stage, plain};
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::pool2d::{avg_backward, avg_forward};
use smallvec::smallvec;

#[derive(Debug)]
struct AvgPool(Pooling);

impl Op for AvgPool {
    fn name(&self) -> &'static str {
        self.0.name
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        if self.0.options.dilation != [1, 1] {
            return Err(format!(
                "{}: an average takes no dilation, got {:?}",
                self.name(),
                self.0.options.dilation
            ));
        }
        self.0.infer(&x[0])
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let shape = self.0.geometry(x[0].shape()).expect("the shape rule accepted it");
        let with_padding = self.0.options.count_include_pad;
        match_float!(self.name(), out.dtype, T => {
            filled::<T>(&out.shape, |y| avg_forward(&shape, with_padding, &x[0].data::<T>(), y)).into()
        })
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let shape = self.0.geometry(&ctx.metas[0].shape).expect("the shape rule accepted it");
        let with_padding = self.0.options.count_include_pad;
        smallvec![Some(match_float!(self.name(), ctx.grad.dtype(), T => {
            filled::<T>(&ctx.metas[0].shape, |dx| avg_backward(&shape, with_padding, &ctx.grad.data::<T>(), dx))
        }))]
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        self.0.windows(x[0].shape()).average(&gpu::of(x), x[0], out).into()
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        let (gpu, input) = (gpu::of(&[ctx.grad]), &ctx.metas[0]);
        smallvec![Some(self.0.windows(&input.shape).average_backward(&gpu, ctx.grad, input))]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
    fn stage(&self, m: &[Meta], _: &Meta) -> Option<Box<dyn Stage>> {
        let (of, with_padding) = (self.0.geometry_of_rows(&m[0].shape)?, self.0.options.count_include_pad);
        Some(plain(
            move |n, x, y| avg_forward(&of(n), with_padding, x, y),
            move |n, _, dy, dx| avg_backward(&of(n), with_padding, dy, dx),
        ))
    }
}

impl Tensor {
    /// The average of every window: PyTorch's `F.avg_pool2d` on `[N, C, H, W]` or `[C, H, W]`. Gradient: spread
    /// evenly over the window.
    ///
    /// # Panics
    /// If the shape or the options do not fit, or a window exceeds the padded image.
    ///
    /// ```
    /// use rekindle_tensor::{PoolOptions, Tensor};
    /// let x = Tensor::arange(0.0, 16.0, 1.0).reshape([1, 1, 4, 4]);
    /// assert_eq!(x.avg_pool2d(PoolOptions::new([2, 2])).to_vec::<f32>(), [2.5, 4.5, 10.5, 12.5]);
    /// ```
    #[track_caller]
    pub fn avg_pool2d(&self, options: PoolOptions<2>) -> Tensor {
        apply(AvgPool(Pooling { name: "avg_pool2d", dims: 2, options }), &[self])
    }

    /// The average of every window of `[N, C, L]` or `[C, L]`: PyTorch's `F.avg_pool1d`.
    ///
    /// # Panics
    /// As [`avg_pool2d`](Tensor::avg_pool2d).
    ///
    /// ```
    /// # use rekindle_tensor::{tensor, PoolOptions};
    /// let y = tensor([[1.0, 3.0, 5.0, 7.0]]).avg_pool1d(PoolOptions::new([2]));
    /// assert_eq!(y.to_vec::<f32>(), [2.0, 6.0]);
    /// ```
    #[track_caller]
    pub fn avg_pool1d(&self, options: PoolOptions<1>) -> Tensor {
        apply(AvgPool(Pooling { name: "avg_pool1d", dims: 1, options: options.over_images() }), &[self])
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let pool =
        |name: &'static str, options: PoolOptions<2>| Sample::new(name, move |x| x[0].avg_pool2d(options));
    let overlapping = PoolOptions { stride: [2, 1], padding: [1, 1], ..PoolOptions::new([3, 2]) };
    vec![
        pool("avg_pool2d", PoolOptions::new([2, 2]))
            .on(&[&[2, 3, 4, 6]])
            .on(&[&[0, 1, 2, 2]])
            .on(&[&[3, 5, 5]])
            .large(&[&[4, 8, 48, 48]]),
        pool("avg_pool2d, overlapping", overlapping).on(&[&[1, 2, 5, 4]]).on(&[&[1, 1, 1, 1]]),
        pool("avg_pool2d, padding not counted", PoolOptions { count_include_pad: false, ..overlapping })
            .on(&[&[1, 2, 5, 4]]),
        pool("avg_pool2d, clipped", PoolOptions { ceil_mode: true, ..PoolOptions::new([2, 3]) })
            .on(&[&[1, 2, 5, 5]]),
        Sample::new("avg_pool1d", |x| x[0].avg_pool1d(PoolOptions { stride: [2], ..PoolOptions::new([3]) }))
            .on(&[&[2, 3, 9]])
            .on(&[&[0, 1, 4]])
            .on(&[&[1, 3]]),
    ]
}
