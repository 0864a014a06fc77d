//! What normalisations have in common on a GPU: means, variances and gradients of channels.
//!
//! Channels are cut into parts of which one workgroup each makes mean and variance, in two passes over what is still in the cache; the
//! parts are then put together. Source: T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing the sample variance" (1983).

use super::fold::{SUM, fold};
use super::{Gpu, Text, empty, groups, launch, map, rows, threads};
use crate::dtype::DType;
use crate::numbers;
use crate::op::Meta;
use crate::tensor::Tensor;
use rekindle_kernels::norm::Channels;
use std::sync::LazyLock;

/// How channels are shared out over workgroups.
struct Cut {
    /// Channels of a workgroup.
    width: usize,
    /// Elements of a part of a channel.
    part: usize,
    /// Parts of a channel.
    parts: usize,
}

impl Cut {
    fn new(s: Channels) -> Cut {
        /// Elements of a channel that a thread takes, so that starting it pays.
        const EACH: usize = 16;
        /// Workgroups that keep a device busy.
        const BUSY: usize = 512;
        let (apart, count) = (if s.inner == 1 { s.channels } else { 1 }, s.count());
        let width = rows::width(s.channels, count, apart);
        let blocks = s.channels.div_ceil(width);
        let part = if blocks >= BUSY { count } else { count.min(256 / width * EACH) };
        Cut { width, part, parts: count.div_ceil(part.max(1)).max(1) }
    }

    fn groups(&self, s: Channels) -> [u32; 3] {
        groups(s.channels.div_ceil(self.width) * self.parts)
    }
}

/// Mean and biased variance of every channel.
#[track_caller]
pub(crate) fn moments(gpu: &Gpu, s: Channels, x: &Tensor) -> [Tensor; 2] {
    let cut = Cut::new(s);
    let new = |parts| [(); 2].map(|_| empty(gpu, &Meta::new([s.channels * parts], DType::F32)));
    let [m, v] = new(cut.parts);
    let numbers = numbers![cut.width, s.channels, s.inner, s.count(), cut.part, cut.parts];
    launch(gpu, &MOMENTS, &[x], &[&m, &v], &numbers, cut.groups(s));
    if cut.parts == 1 {
        return [m, v];
    }
    let whole = new(1);
    let numbers = numbers![1, s.channels, s.count(), cut.part, cut.parts];
    launch(gpu, &WHOLE, &[&m, &v], &[&whole[0], &whole[1]], &numbers, groups(s.channels));
    whole
}

/// `1 / sqrt(v + eps)`.
#[track_caller]
pub(crate) fn inverse_deviation(gpu: &Gpu, v: &Tensor, eps: f64) -> Tensor {
    map(gpu, "1.0 / sqrt(a + p.n0)", &[v], &[eps], &Meta::of(v))
}

/// `[2, channels]`: the sums of `dy` and of `dy (x - m)` over every channel.
#[track_caller]
pub(crate) fn gradient_sums(gpu: &Gpu, s: Channels, x: &Tensor, dy: &Tensor, m: &Tensor) -> Tensor {
    let cut = Cut::new(s);
    let sums = empty(gpu, &Meta::new([2, s.channels, cut.parts], DType::F32));
    let numbers = numbers![cut.width, s.channels, s.inner, s.count(), cut.part, cut.parts];
    launch(gpu, &GRADIENT_SUMS, &[x, dy, m], &[&sums], &numbers, cut.groups(s));
    let whole = if cut.parts == 1 { sums } else { fold(gpu, &sums, [2 * s.channels, cut.parts, 1], SUM) };
    whole.reshape([2, s.channels])
}

/// The gradient of x where each channel's own mean and deviation `1 / r` made it `(x - m) r w`: `r w (dy - mean(dy) - (x - m) r^2 mean(dy (x - m)))`.
#[track_caller]
pub(crate) fn backward(
    gpu: &Gpu,
    s: Channels,
    [x, dy]: [&Tensor; 2],
    [m, r]: [&Tensor; 2],
    w: Option<&Tensor>,
    sums: &Tensor,
) -> Tensor {
    let dx = empty(gpu, &Meta::of(x));
    let numbers = numbers![x.numel(), s.channels, s.inner, s.count(), usize::from(w.is_some())];
    launch(gpu, &BACKWARD, &[x, dy, m, r, w.unwrap_or(r), sums], &[&dx], &numbers, threads(x.numel()));
    dx
}

static MOMENTS: LazyLock<Text> = LazyLock::new(|| {
    rows::text(
        "moments",
        "x: f32 -> m: f32, v: f32",
        "width, channels, inner, count, part, parts",
        "
fn at(channel: u32, i: u32) -> u32 { return (i / p.inner * p.channels + channel) * p.inner + i % p.inner; }

fn together(number: u32, l: u32) {
    let i = number;
    let part = i % p.parts;
    let channel = i / p.parts * p.width + l % p.width;
    let there = channel < p.channels;
    let first = part * p.part;
    let end = select(0u, min(p.count, first + p.part), there);
    let n = f32(max(end, first + 1u) - first);
    var sum = 0.0;
    for (var i = first + l / p.width; i < end; i += 256u / p.width) { sum += x[at(channel, i)]; }
    let mean = total(l, sum) / n;
    sum = 0.0;
    for (var i = first + l / p.width; i < end; i += 256u / p.width) {
        let d = x[at(channel, i)] - mean;
        sum = fma(d, d, sum);
    }
    let variance = total(l, sum) / n;
    if (l < p.width && there) {
        m[channel * p.parts + part] = mean;
        v[channel * p.parts + part] = variance;
    }
}
",
    )
});

/// A workgroup puts the parts of a channel together.
static WHOLE: LazyLock<Text> = LazyLock::new(|| {
    rows::text(
        "moments of parts",
        "ms: f32, vs: f32 -> m: f32, v: f32",
        "width, channels, count, part, parts",
        "
// Of all elements, those in a part.
fn share(i: u32) -> f32 { return f32(min(p.count, (i + 1u) * p.part) - i * p.part) / f32(p.count); }

fn together(number: u32, l: u32) {
    let channel = number;
    let there = channel < p.channels;
    let end = select(0u, p.parts, there);
    let first = channel * p.parts;
    var sum = 0.0;
    for (var i = l; i < end; i += 256u) { sum = fma(share(i), ms[first + i], sum); }
    let mean = total(l, sum);
    sum = 0.0;
    for (var i = l; i < end; i += 256u) {
        let d = ms[first + i] - mean;
        sum = fma(share(i), fma(d, d, vs[first + i]), sum);
    }
    let variance = total(l, sum);
    if (l == 0u && there) {
        m[channel] = mean;
        v[channel] = variance;
    }
}
",
    )
});

static GRADIENT_SUMS: LazyLock<Text> = LazyLock::new(|| {
    rows::text(
        "gradient sums",
        "x: f32, dy: f32, m: f32 -> sums: f32",
        "width, channels, inner, count, part, parts",
        "
fn together(number: u32, l: u32) {
    let i = number;
    let part = i % p.parts;
    let channel = i / p.parts * p.width + l % p.width;
    let there = channel < p.channels;
    let first = part * p.part;
    let end = select(0u, min(p.count, first + p.part), there);
    var mean = 0.0;
    if (there) { mean = m[channel]; }
    var sum = 0.0;
    var products = 0.0;
    for (var i = first + l / p.width; i < end; i += 256u / p.width) {
        let at = (i / p.inner * p.channels + channel) * p.inner + i % p.inner;
        sum += dy[at];
        products = fma(dy[at], x[at] - mean, products);
    }
    sum = total(l, sum);
    products = total(l, products);
    if (l < p.width && there) {
        sums[channel * p.parts + part] = sum;
        sums[(p.channels + channel) * p.parts + part] = products;
    }
}
",
    )
});

const BACKWARD: Text = Text::new(
    "normalisation backward",
    "x: f32, dy: f32, m: f32, r: f32, scale: f32, sums: f32 -> dx: f32",
    "n, channels, inner, count, scaled",
    "
fn each(i: u32) {
    let c = i / p.inner % p.channels;
    let n = f32(p.count);
    var slope = r[c];
    if (p.scaled != 0u) { slope *= scale[c]; }
    dx[i] = slope * (dy[i] - sums[c] / n - (x[i] - m[c]) * (sums[p.channels + c] / n * r[c] * r[c]));
}
",
);
