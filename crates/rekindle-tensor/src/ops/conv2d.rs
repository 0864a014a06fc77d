//! Convolution of images and sequences. A sequence is an image of height 1.

use super::elementwise::filled;
use crate::dtype::match_float;
use crate::gpu::{self, conv};
use crate::op::{Context, Grads, Meta, Op, Output, apply};
use crate::plan::{Gradient, Rows, Stage};
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::conv::{
    Conv2dShape, conv2d_backward_bias, conv2d_backward_input, conv2d_backward_weight, conv2d_forward,
};
use smallvec::smallvec;
use std::ops::Range;

/// How a kernel moves over `D` dimensions; the default steps by 1 without padding.
///
/// ```
/// # use rekindle_tensor::ConvOptions;
/// let options = ConvOptions { stride: [2, 2], padding: [1, 1], ..Default::default() };
/// assert_eq!((options.dilation, options.groups), ([1, 1], 1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvOptions<const D: usize> {
    /// Step between windows.
    pub stride: [usize; D],
    /// Zeros on each side.
    pub padding: [usize; D],
    /// Distance between the taps of the kernel.
    pub dilation: [usize; D],
    /// Number of groups into which input and output channels are split.
    pub groups: usize,
}

impl<const D: usize> Default for ConvOptions<D> {
    fn default() -> Self {
        ConvOptions { stride: [1; D], padding: [0; D], dilation: [1; D], groups: 1 }
    }
}

impl<const D: usize> ConvOptions<D> {
    /// The same over an image of height 1 if `D` is 1.
    pub(crate) fn over_images(&self) -> ConvOptions<2> {
        let pair = |values: [usize; D], first: usize| {
            if D == 2 { [values[0], values[1]] } else { [first, values[0]] }
        };
        ConvOptions {
            stride: pair(self.stride, 1),
            padding: pair(self.padding, 0),
            dilation: pair(self.dilation, 1),
            groups: self.groups,
        }
    }

    /// One line about options that no shapes could fit.
    pub(crate) fn check(&self, op: &str) -> Result<(), String> {
        if self.groups == 0 || self.stride.contains(&0) || self.dilation.contains(&0) {
            let ConvOptions { stride, dilation, groups, .. } = self;
            return Err(format!(
                "{op}: stride, dilation and groups must be positive, got {stride:?}, {dilation:?} and {groups}"
            ));
        }
        Ok(())
    }
}

/// The last two sizes; the first is 1 for sequences.
pub(crate) fn size(shape: &[usize]) -> (usize, usize) {
    match shape[2..] {
        [h, w] => (h, w),
        _ => (1, shape[2]),
    }
}

/// `[n, c, h, w]`, without `h` for sequences.
pub(crate) fn images(n: usize, c: usize, (h, w): (usize, usize), dims: usize) -> Vec<usize> {
    if dims == 2 { vec![n, c, h, w] } else { vec![n, c, w] }
}

/// Types agree, and the bias has one element for each output channel.
pub(crate) fn check_operands(op: &str, m: &[Meta], out_channels: usize) -> Result<(), String> {
    if !m[0].dtype.is_float() || m.iter().any(|t| t.dtype != m[0].dtype) {
        let types: Vec<String> = m.iter().map(|t| t.dtype.to_string()).collect();
        return Err(format!(
            "{op}: element types differ: {}; convert the input with .float()",
            types.join(", ")
        ));
    }
    match m.get(2) {
        Some(b) if b.shape[..] != [out_channels] => Err(format!(
            "{op}: the bias is {:?} for {out_channels} output channels; it needs [{out_channels}]",
            b.shape
        )),
        _ => Ok(()),
    }
}

/// The sums of the channels of images or sequences: the gradient of a bias.
pub(crate) fn channel_sums(dy: &Tensor) -> Tensor {
    let pixels: Vec<usize> = (0..dy.dim()).filter(|&d| d != 1).collect();
    dy.sum_dim(pixels, false)
}

/// The inputs are images, weight and, if there is one, bias.
#[derive(Debug)]
struct Conv {
    name: &'static str,
    dims: usize,
    options: ConvOptions<2>,
}

impl Conv {
    fn geometry(&self, x: &[usize], w: &[usize]) -> Result<Conv2dShape, String> {
        let ConvOptions { stride, padding, dilation, groups } = self.options;
        self.options.check(self.name)?;
        let fits = w.len() == self.dims + 2
            && x.len() == self.dims + 2
            && x[1] == w[1] * groups
            && w[0].is_multiple_of(groups);
        if !fits || w.contains(&0) {
            return Err(self.mismatch(x, w));
        }
        let shape = Conv2dShape {
            batch: x[0],
            in_channels: x[1],
            out_channels: w[0],
            size: size(x),
            kernel: size(w),
            stride: stride.into(),
            padding: padding.into(),
            dilation: dilation.into(),
            groups,
        };
        if shape.out_size().0 == 0 || shape.out_size().1 == 0 {
            return Err(format!(
                "{}: the kernel {:?} with dilation {:?} exceeds the input {:?} with padding {:?}; pad more?",
                self.name,
                &w[2..],
                &dilation[2 - self.dims..],
                &x[2..],
                &padding[2 - self.dims..]
            ));
        }
        Ok(shape)
    }

    fn mismatch(&self, x: &[usize], w: &[usize]) -> String {
        let (op, groups) = (self.name, self.options.groups);
        let want = if self.dims == 2 { "[N, C, height, width]" } else { "[N, C, length]" };
        if w.len() != self.dims + 2 || w.contains(&0) || !w[0].is_multiple_of(groups) {
            let kernel = if self.dims == 2 { "kernel height, kernel width" } else { "kernel length" };
            return format!(
                "{op}: weight {w:?} must be [out_channels, in_channels / groups, {kernel}], not empty, and out_channels \
                 divide into groups ({groups})"
            );
        }
        let channels = w[1] * groups;
        let hint = if x.len() == self.dims + 1 && channels == 1 {
            "add the channel dimension with .unsqueeze(1)?".to_string()
        } else if x.len() != self.dims + 2 {
            format!("the input must be {want}; .reshape(..)?")
        } else if x[x.len() - 1] == channels && self.dims == 2 {
            "channels come before height and width: .permute([0, 3, 1, 2])?".to_string()
        } else {
            format!("the input must be {want} with C = {channels}")
        };
        format!(
            "{op}: input {x:?} does not fit weight {w:?} with groups {groups} ({channels} input channels); {hint}"
        )
    }
}

impl Op for Conv {
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, m: &[Meta]) -> Result<Meta, String> {
        let shape = self.geometry(&m[0].shape, &m[1].shape)?;
        check_operands(self.name, m, shape.out_channels)?;
        Ok(Meta::new(images(shape.batch, shape.out_channels, shape.out_size(), self.dims), m[0].dtype))
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let shape = self.geometry(x[0].shape(), x[1].shape()).expect("the shape rule accepted it");
        match_float!(self.name, out.dtype, T => filled::<T>(&out.shape, |y| {
            let bias = x.get(2).map(|b| b.data::<T>());
            conv2d_forward(&shape, &x[0].data::<T>(), &x[1].data::<T>(), bias.as_deref(), y);
        })
        .into())
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let shape =
            self.geometry(&ctx.metas[0].shape, &ctx.metas[1].shape).expect("the shape rule accepted it");
        match_float!(self.name, ctx.grad.dtype(), T => {
            let dy = ctx.grad.data::<T>();
            let mut grads: Grads = smallvec![
                ctx.needs[0].then(|| filled::<T>(&ctx.metas[0].shape, |dx| {
                    conv2d_backward_input(&shape, &dy, &ctx.input(1).data::<T>(), dx);
                })),
                ctx.needs[1].then(|| filled::<T>(&ctx.metas[1].shape, |dw| {
                    conv2d_backward_weight(&shape, &shape.image_parts(), &ctx.input(0).data::<T>(), &dy, dw);
                })),
            ];
            if let Some(&bias) = ctx.needs.get(2) {
                grads.push(bias.then(|| filled::<T>(&ctx.metas[2].shape, |db| conv2d_backward_bias(&shape, &shape.image_parts(), &dy, db))));
            }
            grads
        })
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let shape = self.geometry(x[0].shape(), x[1].shape()).expect("the shape rule accepted it");
        conv::forward(&gpu::of(x), &shape, x[0], x[1], x.get(2).copied(), out).into()
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        let (dy, m) = (ctx.grad, ctx.metas);
        let shape = self.geometry(&m[0].shape, &m[1].shape).expect("the shape rule accepted it");
        let gpu = gpu::of(&[dy]);
        let dx = ctx.needs[0].then(|| conv::backward_input(&gpu, &shape, dy, ctx.input(1), None, &m[0]));
        let dw = ctx.needs[1].then(|| conv::backward_weight(&gpu, &shape, ctx.input(0), dy, &m[1]));
        [dx, dw].into_iter().chain(ctx.needs.get(2).map(|b| b.then(|| channel_sums(dy)))).collect()
    }
    fn input_names(&self) -> &'static [&'static str] {
        &["input", "weight", "bias"]
    }
    fn stage(&self, m: &[Meta], _: &Meta) -> Option<Box<dyn Stage>> {
        let shape = self.geometry(&m[0].shape, &m[1].shape).ok()?;
        Some(Box::new(ConvStage { shape, bias: m.len() > 2 }))
    }
}

/// [`Conv`] in a plan.
#[derive(Debug)]
struct ConvStage {
    /// Of the whole batch.
    shape: Conv2dShape,
    bias: bool,
}

impl ConvStage {
    fn of(&self, batch: usize) -> Conv2dShape {
        Conv2dShape { batch, ..self.shape }
    }
}

impl Stage for ConvStage {
    fn forward(&self, rows: Rows<'_>, y: &mut [f32]) {
        conv2d_forward(&self.of(rows.n), rows.x, rows.params[0], rows.params.get(1).copied(), y);
    }
    fn backward(&self, rows: Rows<'_>, dy: &[f32], dx: Option<&mut [f32]>, params: &mut [Vec<f32>]) {
        let shape = self.of(rows.n);
        if let Some(dx) = dx {
            conv2d_backward_input(&shape, dy, rows.params[0], dx);
        }
        let (all, parts) = (0..rows.n, if shape == self.shape { shape.image_parts() } else { Vec::new() });
        let parts = if parts.is_empty() { std::slice::from_ref(&all) } else { &parts };
        if !params[0].is_empty() {
            conv2d_backward_weight(&shape, parts, rows.x, dy, &mut params[0]);
        }
        if let Some(db) = params.get_mut(1).filter(|db| !db.is_empty()) {
            conv2d_backward_bias(&shape, parts, dy, db);
        }
    }
    fn gradients(&self) -> &'static [Gradient] {
        &[Gradient::OfBlocks; 2][..1 + usize::from(self.bias)]
    }
    fn cut(&self, n: usize) -> Option<Vec<Range<usize>>> {
        Some(self.of(n).image_parts())
    }
}

impl Tensor {
    /// Slides a kernel over images: PyTorch's `F.conv2d`.
    ///
    /// `y[n, o, i, j] = bias[o] + sum over c, p, q of weight[o, c, p, q] x[n, c, i sh + p dh - ph, j sw + q dw - pw]`
    /// with stride `s`, padding `p`, dilation `d`; each group of output channels sees its group of input channels.
    ///
    /// The images are `[N, C, H, W]` or `[C, H, W]`, the weight `[O, C / groups, kh, kw]`, the bias `[O]`, the result
    /// `[N, O, H', W']` with `H' = (H + 2 ph - dh (kh - 1) - 1) / sh + 1`.
    ///
    /// # Panics
    /// If shapes, types or options do not fit, or the kernel exceeds the padded image.
    ///
    /// ```
    /// use rekindle_tensor::{ConvOptions, Tensor};
    /// let (x, w) = (Tensor::ones([1, 1, 4, 4]), Tensor::ones([2, 1, 3, 3]));
    /// let y = x.conv2d(&w, None, ConvOptions { padding: [1, 1], ..Default::default() });
    /// assert_eq!(y.shape(), [1, 2, 4, 4]);
    /// assert_eq!(y.narrow(1, 0, 1).narrow(2, 0, 1).to_vec::<f32>(), [4.0, 6.0, 6.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn conv2d(&self, weight: &Tensor, bias: Option<&Tensor>, options: ConvOptions<2>) -> Tensor {
        run("conv2d", self, weight, bias, options)
    }

    /// Slides a kernel over sequences `[N, C, L]` or `[C, L]`; the weight is `[O, C / groups, k]`. PyTorch's
    /// `F.conv1d`; otherwise as [`conv2d`](Tensor::conv2d).
    ///
    /// # Panics
    /// As [`conv2d`](Tensor::conv2d).
    ///
    /// ```
    /// use rekindle_tensor::{tensor, ConvOptions};
    /// let y = tensor([[[1.0, 2.0, 4.0]]]).conv1d(&tensor([[[10.0, 1.0]]]), None, ConvOptions::default());
    /// assert_eq!(y.to_vec::<f32>(), [12.0, 24.0]);
    /// ```
    #[track_caller]
    pub fn conv1d(&self, weight: &Tensor, bias: Option<&Tensor>, options: ConvOptions<1>) -> Tensor {
        run("conv1d", self, weight, bias, options)
    }
}

#[track_caller]
fn run<const D: usize>(
    name: &'static str,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: ConvOptions<D>,
) -> Tensor {
    let one_image = x.dim() == D + 1 && weight.dim() == D + 2 && x.size(0) == weight.size(1) * options.groups;
    if one_image {
        return run(name, &x.unsqueeze(0), weight, bias, options).squeeze_dim(0);
    }
    let op = Conv { name, dims: D, options: options.over_images() };
    match bias {
        Some(b) => apply(op, &[x, weight, b]),
        None => apply(op, &[x, weight]),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let conv = |name: &'static str, options: ConvOptions<2>| {
        Sample::new(name, move |x| x[0].conv2d(&x[1], x.get(2), options))
    };
    let sequence = ConvOptions { stride: [2], padding: [1], ..Default::default() };
    vec![
        conv("conv2d", ConvOptions::default())
            .on(&[&[2, 3, 5, 4], &[2, 3, 3, 2], &[2]])
            .on(&[&[1, 1, 1, 1], &[1, 1, 1, 1], &[1]])
            .on(&[&[0, 2, 3, 3], &[2, 2, 2, 2], &[2]])
            .on(&[&[2, 4, 4], &[3, 2, 2, 2]])
            .on(&[&[2, 3, 6, 5], &[9, 3, 3, 3], &[9]])
            .large(&[&[8, 3, 32, 32], &[16, 3, 3, 3], &[16]])
            .large(&[&[2, 40, 12, 13], &[70, 40, 3, 3], &[70]]),
        conv("conv2d with padding", ConvOptions { padding: [1, 2], ..Default::default() })
            .on(&[&[2, 2, 3, 4], &[3, 2, 3, 3], &[3]])
            .on(&[&[1, 1, 1, 2], &[1, 1, 3, 3]]),
        conv("conv2d with stride", ConvOptions { stride: [2, 1], padding: [1, 0], ..Default::default() })
            .on(&[&[1, 2, 6, 5], &[2, 2, 3, 2]])
            .on(&[&[1, 1, 7, 2], &[2, 1, 2, 2], &[2]]),
        conv("conv2d with dilation", ConvOptions { dilation: [2, 3], padding: [1, 1], ..Default::default() })
            .on(&[&[1, 2, 6, 7], &[2, 2, 3, 2], &[2]]),
        conv("conv2d with groups", ConvOptions { groups: 2, padding: [1, 1], ..Default::default() })
            .on(&[&[2, 4, 3, 3], &[6, 2, 3, 3], &[6]])
            .on(&[&[1, 2, 4, 3], &[2, 1, 2, 2]])
            .large(&[&[3, 18, 9, 40], &[20, 9, 3, 3], &[20]])
            .large(&[&[5, 2, 33, 40], &[6, 1, 3, 3], &[6]]),
        Sample::new("conv1d", move |x| x[0].conv1d(&x[1], x.get(2), sequence))
            .on(&[&[2, 3, 7], &[4, 3, 3], &[4]])
            .on(&[&[2, 5], &[1, 2, 1]])
            .on(&[&[0, 1, 3], &[1, 1, 2]]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;

    /// The definition, one product after the other.
    fn naive(x: &Tensor, w: &Tensor, b: &Tensor, o: ConvOptions<2>, out: &[usize]) -> Vec<f64> {
        let at = |t: &Tensor, i: [usize; 4]| {
            let s = t.shape();
            t.data::<f64>()[((i[0] * s[1] + i[1]) * s[2] + i[2]) * s[3] + i[3]]
        };
        let (inputs, outputs) = (w.shape()[1], out[1] / o.groups);
        let mut y = Vec::new();
        for (i, bias) in
            (0..out.iter().product()).map(|i| (i, b.data::<f64>()[i / (out[2] * out[3]) % out[1]]))
        {
            let (n, k, r, s) = (
                i / (out[1] * out[2] * out[3]),
                i / (out[2] * out[3]) % out[1],
                i / out[3] % out[2],
                i % out[3],
            );
            let mut sum = bias;
            for (c, p, q) in (0..inputs * w.shape()[2] * w.shape()[3]).map(|t| {
                (t / (w.shape()[2] * w.shape()[3]), t / w.shape()[3] % w.shape()[2], t % w.shape()[3])
            }) {
                let (u, v) = (r * o.stride[0] + p * o.dilation[0], s * o.stride[1] + q * o.dilation[1]);
                let (u, v) = (u.wrapping_sub(o.padding[0]), v.wrapping_sub(o.padding[1]));
                if u < x.shape()[2] && v < x.shape()[3] {
                    sum += at(x, [n, k / outputs * inputs + c, u, v]) * at(w, [k, c, p, q]);
                }
            }
            y.push(sum);
        }
        y
    }

    #[test]
    fn agrees_with_the_definition() {
        let o = ConvOptions { stride: [2, 1], padding: [1, 2], dilation: [1, 2], groups: 2 };
        let sample = Sample::new("conv2d", |x| x[0].copy()).on(&[&[2, 4, 6, 5], &[6, 2, 3, 2], &[6]]);
        let x = sample.inputs(0);
        let y = x[0].conv2d(&x[1], Some(&x[2]), o);
        let expected = naive(&x[0], &x[1], &x[2], o, y.shape());
        assert!(y.to_vec::<f64>().iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    #[test]
    fn unfit_images_get_the_cure() {
        let say = |x: &[usize], w: &[usize]| {
            check(|| Tensor::zeros(x).conv2d(&Tensor::zeros(w), None, ConvOptions::default())).unwrap_err()
        };
        assert_eq!(
            say(&[8, 28, 28], &[16, 1, 5, 5]),
            "conv2d: input [8, 28, 28] does not fit weight [16, 1, 5, 5] with groups 1 (1 input channels); add the \
             channel dimension with .unsqueeze(1)?"
        );
        assert!(
            say(&[8, 32, 32, 3], &[16, 3, 5, 5])
                .ends_with("come before height and width: .permute([0, 3, 1, 2])?")
        );
        assert!(
            say(&[8, 784], &[16, 1, 5, 5])
                .ends_with("the input must be [N, C, height, width]; .reshape(..)?")
        );
        assert_eq!(
            say(&[8, 1, 3, 3], &[16, 1, 5, 5]),
            "conv2d: the kernel [5, 5] with dilation [1, 1] exceeds the input [3, 3] with padding [0, 0]; pad more?"
        );
    }

    #[test]
    fn one_image_needs_no_batch() {
        let (x, w) = (Tensor::ones([2, 4, 4]), Tensor::ones([3, 2, 2, 2]));
        assert_eq!(x.conv2d(&w, None, ConvOptions::default()).shape(), [3, 3, 3]);
    }
}
