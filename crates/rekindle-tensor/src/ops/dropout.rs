//! Dropout: random elements or channels become 0, the others grow so that the mean stays.
//!
//! Source: N. Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", JMLR 15, 2014.

use super::elementwise::{binary, filled, same_float};
use crate::dtype::{DType, match_float};
use crate::gpu::{self, Gpu};
use crate::numbers;
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply, mistake};
use crate::plan::{Rows, Stage};
use crate::random::dropout::{alpha_factors, dropout_stream};
use crate::random::{CudaDraw, CudaLayout, with_default};
use crate::shape::{Dims, Shape};
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::map;
use smallvec::smallvec;
use std::sync::Arc;

/// `y = x * noise`. What is saved is the mask, an eighth or a quarter of the noise's size.
#[derive(Debug)]
struct Dropout {
    p: f64,
    /// One draw for each [sample, channel] instead of each element.
    whole_channels: bool,
}

impl Dropout {
    /// The shape of the mask: it broadcasts along what follows the channels.
    fn mask_shape(&self, x: &Tensor) -> Shape {
        let mut shape = x.shape_owned();
        if self.whole_channels {
            shape.0.iter_mut().skip(2).for_each(|n| *n = 1);
        }
        shape
    }

    fn times_noise(&self, x: &Tensor, mask: &Tensor) -> Tensor {
        match_float!("dropout", x.dtype(), T => {
            let scale = if self.p == 1.0 { 0.0 } else { 1.0 / (1.0 - self.p) as T };
            let factor = move |keep: bool| if keep { scale } else { 0.0 };
            let (values, mask) = (x.data::<T>(), mask.data::<bool>());
            filled(&x.shape_owned(), |y| match mask.len() == values.len() {
                true => map::binary(&values, &mask, y, move |x, keep| x * factor(keep)),
                false => map::binary_column(&values, &mask, y, move |x, keep| x * factor(keep)),
            })
        })
    }
}

impl Dropout {
    fn times_noise_on_gpu(&self, x: &Tensor, mask: &Tensor) -> Tensor {
        let scale = if self.p == 1.0 { 0.0 } else { 1.0 / (1.0 - self.p) as f32 };
        let operands = [x, mask];
        gpu::map(&gpu::of(&operands), "a * select(0.0, p.n0, b)", &operands, &[scale.into()], &Meta::of(x))
    }
}

/// A mask of PyTorch's CUDA generator, drawn on the device. A recorded step draws on when it is replayed.
fn mask_on_gpu(gpu: &Gpu, shape: &Shape, p: f64, layout: CudaLayout) -> Tensor {
    let n = shape.numel();
    let mask = gpu::empty(gpu, &Meta::new(shape.clone(), DType::Bool));
    if p == 1.0 {
        mask.fill_(false);
        return mask;
    }
    let draw = move || {
        let draw = with_default(|g| g.cuda_draw(n));
        let halves = |wide: u64| [wide as u32, (wide >> 32) as u32];
        let ([k0, k1], [c0, c1]) = (halves(draw.seed), halves(draw.offset / 4));
        [k0, k1, c0, c1, draw.threads as u32]
    };
    let width = match layout {
        CudaLayout::Apart => 1,
        CudaLayout::Together(width) => width,
    };
    let first = draw();
    let mut numbers = first.map(gpu::Number::Unsigned).to_vec();
    numbers.extend(numbers![n, width]);
    numbers.push(gpu::Number::Unsigned(kept_below((1.0 - p) as f32)));
    let live: gpu::Live = Arc::new(move |words: &mut [u32]| words[..5].copy_from_slice(&draw()));
    // One thread for each of PyTorch's in each of its calls.
    let per_call = if width == 1 { 4 } else { width } * first[4] as usize;
    let calls = n.div_ceil(per_call) * first[4] as usize;
    gpu::launch_live(gpu, &MASK, &[], &[&mask], &numbers, gpu::threads(calls), Some(live));
    mask
}

/// The least word whose number is not below `q`: a device compares words, because how it rounds them to floats is its own affair.
fn kept_below(q: f32) -> u32 {
    let (mut low, mut high) = (0, u32::MAX);
    while low < high {
        let middle = low + (high - low) / 2;
        if CudaDraw::uniform(middle) < q { low = middle + 1 } else { high = middle }
    }
    low
}

/// The same numbers as [`CudaDraw::fill`](crate::random::CudaDraw::fill).
const MASK: gpu::Text = gpu::Text::new(
    "dropout mask",
    "-> mask: u32",
    "k0, k1, c0, c1, threads, n, width, keep",
    include_str!("dropout.wgsl"),
);

impl Op for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        same_float("dropout", x)
    }
    fn forward(&self, x: &[&Tensor], _: &Meta) -> Output {
        let mask = in_memory_order(x[0], &self.mask_shape(x[0]), |shape| {
            let mut mask = vec![false; shape.numel()];
            with_default(|g| match self.whole_channels {
                true => g.feature_dropout_mask(&mut mask, self.p, dropout_stream()),
                false => g.dropout_mask(&mut mask, self.p, dropout_stream()),
            });
            Tensor::from_vec(mask, shape)
        });
        Output { value: self.times_noise(x[0], &mask), saved: vec![mask] }
    }
    fn forward_gpu(&self, x: &[&Tensor], _: &Meta) -> Output {
        let gpu = gpu::of(x);
        let mask = in_memory_order(x[0], &self.mask_shape(x[0]), |shape| {
            let layout = match self.whole_channels {
                true => CudaLayout::Apart,
                false => CudaLayout::of_dropout(shape.numel()),
            };
            mask_on_gpu(&gpu, shape, self.p, layout)
        });
        Output { value: self.times_noise_on_gpu(x[0], &mask), saved: vec![mask] }
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        smallvec![Some(self.times_noise_on_gpu(ctx.grad, &ctx.saved[0]))]
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        smallvec![Some(self.times_noise(ctx.grad, &ctx.saved[0]))]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
    fn stage(&self, _: &[Meta], out: &Meta) -> Option<Box<dyn Stage>> {
        let width = out.shape[1..].iter().product();
        (!self.whole_channels).then(|| Box::new(DropoutStage { p: self.p, width }) as Box<dyn Stage>)
    }
}

/// [`Dropout`] of single elements in a plan.
#[derive(Debug)]
struct DropoutStage {
    p: f64,
    width: usize,
}

impl DropoutStage {
    fn scale(&self) -> f32 {
        if self.p == 1.0 { 0.0 } else { 1.0 / (1.0 - self.p) as f32 }
    }

    fn times_noise(&self, x: &[f32], mask: &[bool], y: &mut [f32]) {
        let scale = self.scale();
        map::binary(x, mask, y, move |x, keep| x * if keep { scale } else { 0.0 });
    }
}

impl Stage for DropoutStage {
    fn in_place(&self) -> bool {
        true
    }
    fn forward_in_place(&self, mask: &[bool], y: &mut [f32]) {
        let scale = self.scale();
        map::in_place2(y, mask, move |x, keep| x * if keep { scale } else { 0.0 });
    }
    fn backward_in_place(&self, rows: Rows<'_>, dy: &mut [f32]) {
        self.forward_in_place(rows.mask, dy);
    }
    fn forward(&self, rows: Rows<'_>, y: &mut [f32]) {
        self.times_noise(rows.x, rows.mask, y);
    }
    fn backward(&self, rows: Rows<'_>, dy: &[f32], dx: Option<&mut [f32]>, _: &mut [Vec<f32>]) {
        if let Some(dx) = dx {
            self.times_noise(dy, rows.mask, dx);
        }
    }
    fn draws(&self) -> usize {
        self.width
    }
    fn draw(&self, mask: &mut [bool]) {
        with_default(|g| g.dropout_mask(mask, self.p, dropout_stream()));
    }
}

/// A mask of `shape` drawn in the order in which the elements of `x` lie in memory, as PyTorch draws it.
fn in_memory_order(x: &Tensor, shape: &Shape, draw: impl FnOnce(&Shape) -> Tensor) -> Tensor {
    if x.is_contiguous() {
        return draw(shape);
    }
    let mut order: Dims = (0..x.dim()).collect();
    order.sort_by_key(|&d| std::cmp::Reverse(x.strides()[d]));
    let drawn: Dims = order.iter().map(|&d| shape[d]).collect();
    let mut back: Dims = order.clone();
    order.iter().enumerate().for_each(|(i, &d)| back[d] = i);
    draw(&Shape(drawn)).permute(&back[..])
}

/// SELU's dropout: `y = x * scale + shift`, see [`Generator::alpha_dropout`](crate::random::Generator::alpha_dropout).
#[derive(Debug)]
struct AlphaDropout(f64);

impl Op for AlphaDropout {
    fn name(&self) -> &'static str {
        "alpha_dropout"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        same_float("alpha_dropout", x)
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        match_float!("alpha_dropout", out.dtype, T => {
            let n = out.shape.numel();
            let (mut scale, mut shift) = (vec![0.0 as T; n], vec![0.0 as T; n]);
            with_default(|g| g.alpha_dropout(&mut scale, &mut shift, self.0, dropout_stream()));
            let value = filled(&out.shape, |y| {
                map::ternary(&x[0].data::<T>(), &scale, &shift, y, |x: T, a: T, b: T| x * a + b);
            });
            Output { value, saved: vec![Tensor::from_vec(scale, &out.shape)] }
        })
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let (gpu, p) = (gpu::of(x), self.0);
        let mask = mask_on_gpu(&gpu, &out.shape, p, CudaLayout::Apart);
        let [gain, dropped, offset] = alpha_factors(p);
        let scale = gpu::map(&gpu, "select(0.0, p.n0, a)", &[&mask], &[gain], out);
        let shift = "a * b + (select(-p.n0, 0.0, c) + p.n1)";
        let value = gpu::map(&gpu, shift, &[x[0], &scale, &mask], &[dropped, offset], out);
        Output { value, saved: vec![scale] }
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        smallvec![Some(ctx.grad * &ctx.saved[0])]
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let (g, scale) = (ctx.grad, &ctx.saved[0]);
        smallvec![Some(match_float!("alpha_dropout", g.dtype(), T => {
            binary(g, scale, &g.shape_owned(), |g: T, a: T| g * a)
        }))]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

impl Tensor {
    /// Sets each element to 0 with probability `p` and divides the others by `1 - p`: PyTorch's `F.dropout` while
    /// training. Gradient: `dy` where the element was kept, divided alike.
    ///
    /// The draws come from the default generator in the order of memory, bit for bit those of PyTorch
    /// ([`DropoutStream`](crate::random::dropout::DropoutStream) chooses between its versions). Nothing is drawn when
    /// `p` is 0 or 1 or the tensor is empty.
    ///
    /// # Panics
    /// If `p` is not in [0, 1] or the tensor does not hold floats.
    ///
    /// ```
    /// use rekindle_tensor::{random, Tensor};
    /// random::manual_seed(123);
    /// let y = Tensor::ones([6]).dropout(0.5);
    /// assert_eq!(y.to_vec::<f32>(), [2.0, 2.0, 0.0, 2.0, 2.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn dropout(&self, p: f64) -> Tensor {
        if draws("dropout", self, p) {
            apply(Dropout { p, whole_channels: false }, &[self])
        } else {
            self.clone()
        }
    }

    /// Dropout of whole channels: one draw for each `[sample, channel]` of `[N, C, ..]`. PyTorch's `F.dropout1d` and
    /// `F.dropout2d` while training.
    ///
    /// # Panics
    /// If the tensor has fewer than two dimensions, or as [`dropout`](Tensor::dropout).
    ///
    /// ```
    /// # use rekindle_tensor::{random::manual_seed, Tensor};
    /// manual_seed(0);
    /// let y = Tensor::ones([1, 4, 2]).feature_dropout(0.5).to_vec::<f32>();
    /// assert!(y.chunks(2).all(|channel| channel[0] == channel[1]));
    /// ```
    #[track_caller]
    pub fn feature_dropout(&self, p: f64) -> Tensor {
        if self.dim() < 2 {
            mistake!(
                "feature_dropout: needs [N, C, ..], got {:?}; use .dropout(p) for single elements",
                self.shape()
            );
        }
        if draws("feature_dropout", self, p) {
            apply(Dropout { p, whole_channels: true }, &[self])
        } else {
            self.clone()
        }
    }

    /// Dropout for networks of SELUs, which keeps mean and variance: PyTorch's `F.alpha_dropout` while training.
    ///
    /// # Panics
    /// As [`dropout`](Tensor::dropout).
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::ones([4]).alpha_dropout(0.0).to_vec::<f32>(), [1.0; 4]);
    /// ```
    #[track_caller]
    pub fn alpha_dropout(&self, p: f64) -> Tensor {
        if draws("alpha_dropout", self, p) { apply(AlphaDropout(p), &[self]) } else { self.clone() }
    }
}

/// Whether there is anything to do.
#[track_caller]
fn draws(op: &str, x: &Tensor, p: f64) -> bool {
    if !(0.0..=1.0).contains(&p) {
        mistake!("{op}: a probability must lie in [0, 1], got {p}");
    }
    p > 0.0 && x.numel() > 0
}

pub(crate) fn samples() -> Vec<Sample> {
    use crate::random::{Generator, with_generator};
    let seeded =
        |f: fn(&Tensor) -> Tensor| move |x: &[Tensor]| with_generator(&mut Generator::seeded(1), || f(&x[0]));
    // One long dimension only: other strides mean another order of draws.
    let long = |s: Sample| s.on(&[&[9]]).on(&[&[1]]).on(&[&[0, 3]]).on(&[&[1, 7]]).large(&[&[40000]]);
    vec![
        long(Sample::new("dropout", seeded(|x| x.dropout(0.4)))),
        long(Sample::new("dropout of everything", seeded(|x| x.dropout(1.0)))),
        long(Sample::new("alpha_dropout", seeded(|x| x.alpha_dropout(0.4)))),
        Sample::new("feature_dropout", seeded(|x| x.feature_dropout(0.5)))
            .on(&[&[1, 6, 3]])
            .on(&[&[5, 1, 2, 2]])
            .on(&[&[0, 2, 2]]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::random::{Generator, with_generator};
    use crate::{Tensor, tensor};

    fn seeded<R>(f: impl FnOnce() -> R) -> R {
        with_generator(&mut Generator::seeded(0), f)
    }

    #[test]
    fn a_transposed_tensor_draws_in_the_order_of_memory() {
        let plain = seeded(|| Tensor::ones([4, 6]).dropout(0.5));
        let turned = seeded(|| Tensor::ones([4, 6]).t().dropout(0.5));
        assert_eq!(plain.t().to_vec::<f32>(), turned.to_vec::<f32>());
    }

    #[test]
    fn dropped_negative_numbers_are_negative_zeros_and_infinities_become_nan() {
        let y = tensor([-1.0, f32::INFINITY]).dropout(1.0).to_vec::<f32>();
        assert!(y[0].to_bits() == (-0.0f32).to_bits() && y[1].is_nan());
    }

    #[test]
    fn certain_or_empty_dropout_draws_nothing() {
        let mut g = Generator::seeded(0);
        with_generator(&mut g, || {
            Tensor::ones([3]).dropout(0.0);
            Tensor::ones([3]).dropout(1.0);
            Tensor::ones([0]).dropout(0.5);
        });
        assert!(g == Generator::seeded(0));
    }

    #[test]
    fn channels_are_dropped_whole() {
        let y = seeded(|| Tensor::ones([20, 5, 2, 2]).feature_dropout(0.5));
        let values = y.to_vec::<f32>();
        assert!(values.chunks(4).all(|c| c.iter().all(|v| *v == c[0])));
        assert!(values.contains(&0.0) && values.contains(&2.0));
    }

    #[test]
    #[should_panic(expected = "dropout: a probability must lie in [0, 1], got 50")]
    fn percentages_are_refused() {
        tensor([1.0]).dropout(50.0);
    }
}
