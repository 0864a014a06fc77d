//! Transposed convolution: the map whose matrix is that of a convolution transposed, so its kernels are those of the
//! convolution's backward pass.

use super::conv2d::{ConvOptions, channel_sums, check_operands, images, size};
use super::elementwise::filled;
use crate::dtype::match_float;
use crate::gpu::{self, conv};
use crate::op::{Context, Grads, Meta, Op, Output, apply};
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::conv::{
    Conv2dShape, conv2d_backward_bias, conv2d_backward_input, conv2d_backward_weight, conv2d_forward,
};
use smallvec::smallvec;

/// The inputs are images, weight `[in, out / groups, kh, kw]` and, if there is one, bias.
#[derive(Debug)]
struct ConvTranspose {
    name: &'static str,
    dims: usize,
    options: ConvOptions<2>,
    output_padding: [usize; 2],
}

impl ConvTranspose {
    /// The geometry of the convolution that this is the transpose of: it maps this output to this input.
    fn convolution(&self, x: &[usize], w: &[usize]) -> Result<Conv2dShape, String> {
        let ConvOptions { stride, padding, dilation, groups } = self.options;
        let (op, extra) = (self.name, self.output_padding);
        self.options.check(op)?;
        let dims = self.dims + 2;
        if w.len() != dims
            || x.len() != dims
            || x[1] != w[0]
            || !w[0].is_multiple_of(groups)
            || w.contains(&0)
        {
            return Err(format!(
                "{op}: input {x:?} does not fit weight {w:?} with groups {groups}; they are [N, C, ..] and \
                 [C, out_channels / groups, ..] of {dims} dimensions"
            ));
        }
        if (0..2).any(|d| extra[d] >= stride[d].max(dilation[d])) {
            return Err(format!(
                "{op}: output_padding {extra:?} must be smaller than stride {stride:?} or dilation {dilation:?}"
            ));
        }
        let (from, kernel) = (size(x), size(w));
        let along = |d: usize, n: usize, k: usize| {
            let reach = n.saturating_sub(1) * stride[d] + dilation[d] * (k - 1) + extra[d] + 1;
            reach.checked_sub(2 * padding[d]).filter(|&n| n > 0)
        };
        let (Some(h), Some(w_out)) = (along(0, from.0, kernel.0), along(1, from.1, kernel.1)) else {
            return Err(format!(
                "{op}: nothing is left of input {x:?} after cutting the padding {padding:?}"
            ));
        };
        Ok(Conv2dShape {
            batch: x[0],
            in_channels: w[1] * groups,
            out_channels: w[0],
            size: (h, w_out),
            kernel,
            stride: stride.into(),
            padding: padding.into(),
            dilation: dilation.into(),
            groups,
        })
    }
}

impl Op for ConvTranspose {
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, m: &[Meta]) -> Result<Meta, String> {
        let shape = self.convolution(&m[0].shape, &m[1].shape)?;
        check_operands(self.name, m, shape.in_channels)?;
        Ok(Meta::new(images(shape.batch, shape.in_channels, shape.size, self.dims), m[0].dtype))
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let shape = self.convolution(x[0].shape(), x[1].shape()).expect("the shape rule accepted it");
        match_float!(self.name, out.dtype, T => filled::<T>(&out.shape, |y| {
            conv2d_backward_input(&shape, &x[0].data::<T>(), &x[1].data::<T>(), y);
            if let Some(bias) = x.get(2) {
                let bias = bias.data::<T>();
                for (i, plane) in y.chunks_exact_mut(shape.size.0 * shape.size.1).enumerate() {
                    plane.iter_mut().for_each(|y| *y += bias[i % bias.len()]);
                }
            }
        })
        .into())
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let shape =
            self.convolution(&ctx.metas[0].shape, &ctx.metas[1].shape).expect("the shape rule accepted it");
        match_float!(self.name, ctx.grad.dtype(), T => {
            let dy = ctx.grad.data::<T>();
            let mut grads: Grads = smallvec![
                ctx.needs[0].then(|| filled::<T>(&ctx.metas[0].shape, |dx| {
                    conv2d_forward(&shape, &dy, &ctx.input(1).data::<T>(), None, dx);
                })),
                ctx.needs[1].then(|| filled::<T>(&ctx.metas[1].shape, |dw| {
                    conv2d_backward_weight(&shape, &shape.image_parts(), &dy, &ctx.input(0).data::<T>(), dw);
                })),
            ];
            if let Some(&bias) = ctx.needs.get(2) {
                // The bias belongs to what this map puts out, pixel by pixel.
                let pixels = Conv2dShape {
                    batch: shape.batch,
                    out_channels: shape.in_channels,
                    size: shape.size,
                    ..Default::default()
                };
                grads.push(bias.then(|| filled::<T>(&ctx.metas[2].shape, |db| conv2d_backward_bias(&pixels, &pixels.image_parts(), &dy, db))));
            }
            grads
        })
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let shape = self.convolution(x[0].shape(), x[1].shape()).expect("the shape rule accepted it");
        conv::backward_input(&gpu::of(x), &shape, x[0], x[1], x.get(2).copied(), out).into()
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        let (dy, m) = (ctx.grad, ctx.metas);
        let shape = self.convolution(&m[0].shape, &m[1].shape).expect("the shape rule accepted it");
        let gpu = gpu::of(&[dy]);
        let dx = ctx.needs[0].then(|| conv::forward(&gpu, &shape, dy, ctx.input(1), None, &m[0]));
        let dw = ctx.needs[1].then(|| conv::backward_weight(&gpu, &shape, dy, ctx.input(0), &m[1]));
        [dx, dw].into_iter().chain(ctx.needs.get(2).map(|b| b.then(|| channel_sums(dy)))).collect()
    }
    fn input_names(&self) -> &'static [&'static str] {
        &["input", "weight", "bias"]
    }
}

impl Tensor {
    /// Spreads every pixel with a kernel: PyTorch's `F.conv_transpose2d`, the gradient of [`conv2d`](Tensor::conv2d)
    /// with respect to its input.
    ///
    /// The images are `[N, C, H, W]`, the weight `[C, O / groups, kh, kw]`, the bias `[O]`, the result
    /// `[N, O, H', W']` with `H' = (H - 1) sh - 2 ph + dh (kh - 1) + output_padding + 1`.
    ///
    /// # Panics
    /// If shapes, types or options do not fit.
    ///
    /// ```
    /// use rekindle_tensor::{ConvOptions, Tensor};
    /// let (x, w) = (Tensor::ones([1, 1, 2, 2]), Tensor::ones([1, 1, 2, 2]));
    /// let y = x.conv_transpose2d(&w, None, ConvOptions::default(), [0, 0]);
    /// assert_eq!(y.to_vec::<f32>(), [1.0, 2.0, 1.0, 2.0, 4.0, 2.0, 1.0, 2.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn conv_transpose2d(
        &self,
        weight: &Tensor,
        bias: Option<&Tensor>,
        options: ConvOptions<2>,
        output_padding: [usize; 2],
    ) -> Tensor {
        let op = ConvTranspose { name: "conv_transpose2d", dims: 2, options, output_padding };
        run(op, self, weight, bias)
    }

    /// As [`conv_transpose2d`](Tensor::conv_transpose2d) for sequences `[N, C, L]`.
    ///
    /// # Panics
    /// If shapes, types or options do not fit.
    ///
    /// ```
    /// # use rekindle_tensor::{tensor, ConvOptions};
    /// let y = tensor([[[1.0, 2.0]]]).conv_transpose1d(&tensor([[[1.0, 10.0]]]), None, ConvOptions::default(), [0]);
    /// assert_eq!(y.to_vec::<f32>(), [1.0, 12.0, 20.0]);
    /// ```
    #[track_caller]
    pub fn conv_transpose1d(
        &self,
        weight: &Tensor,
        bias: Option<&Tensor>,
        options: ConvOptions<1>,
        output_padding: [usize; 1],
    ) -> Tensor {
        let output_padding = [0, output_padding[0]];
        let op = ConvTranspose {
            name: "conv_transpose1d",
            dims: 1,
            options: options.over_images(),
            output_padding,
        };
        run(op, self, weight, bias)
    }
}

#[track_caller]
fn run(op: ConvTranspose, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    match bias {
        Some(b) => apply(op, &[x, weight, b]),
        None => apply(op, &[x, weight]),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let options = ConvOptions { stride: [2, 3], padding: [1, 0], dilation: [1, 2], groups: 2 };
    let sequence = ConvOptions { stride: [2], padding: [1], ..Default::default() };
    vec![
        Sample::new("conv_transpose2d", |x| {
            x[0].conv_transpose2d(&x[1], x.get(2), ConvOptions::default(), [0, 0])
        })
        .on(&[&[2, 3, 3, 2], &[3, 2, 2, 3], &[2]])
        .on(&[&[1, 1, 1, 1], &[1, 1, 2, 1]])
        .on(&[&[0, 1, 2, 2], &[1, 2, 2, 2], &[2]])
        .large(&[&[4, 8, 24, 24], &[8, 4, 3, 3], &[4]]),
        Sample::new("conv_transpose2d with options", move |x| {
            x[0].conv_transpose2d(&x[1], x.get(2), options, [1, 2])
        })
        .on(&[&[1, 4, 3, 2], &[4, 3, 3, 2], &[6]]),
        Sample::new("conv_transpose1d", move |x| x[0].conv_transpose1d(&x[1], x.get(2), sequence, [1]))
            .on(&[&[2, 3, 4], &[3, 2, 3], &[2]])
            .on(&[&[1, 1, 3], &[1, 1, 2]])
            .on(&[&[0, 2, 3], &[2, 1, 2]]),
    ]
}
