//! Convolutions as matrix products in [tiles](super::tiles) whose factors are read from the images, so that no matrix of columns is made.
//!
//! A group's products, with `o` and `c` for its output and input channels, `t` for the taps of its kernel and pixels counted over all images:
//! `y[o, pixel] = w[o, (c, t)] x[(c, t), pixel]`, `dx[c, pixel] = w[c, (o, t)] dy[(o, t), pixel]` and
//! `dw[o, (c, t)] = dy[o, pixel] x[pixel, (c, t)]`. Groups of few channels would leave tiles empty: there a thread, or for `dw` a workgroup,
//! makes one element.
//!
//! The steps of the kernel are constants of the text, as divisions by them are many.

use super::fold::{SUM, fold};
use super::tiles::{self, Cut, Parts};
use super::{Gpu, Number, Text, empty, groups, launch, threads};
use crate::numbers;
use crate::op::Meta;
use crate::storage::lock;
use crate::tensor::Tensor;
use rekindle_kernels::conv::Conv2dShape;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

/// Workgroups that keep a device busy.
const BUSY: usize = 512;
/// Pixels that one workgroup adds up at most for an element of its own.
const PART: usize = 4096;

/// Which of the three products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Product {
    Forward,
    Input,
    Weight,
}

/// The output of a convolution.
#[track_caller]
pub(crate) fn forward(
    gpu: &Gpu,
    shape: &Conv2dShape,
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    out: &Meta,
) -> Tensor {
    run(gpu, Product::Forward, shape, [w, x], bias, out)
}

/// The gradient of a convolution's input, with a bias for each input channel: the output of a transposed convolution.
#[track_caller]
pub(crate) fn backward_input(
    gpu: &Gpu,
    shape: &Conv2dShape,
    dy: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    out: &Meta,
) -> Tensor {
    run(gpu, Product::Input, shape, [w, dy], bias, out)
}

/// The gradient of a convolution's weight.
#[track_caller]
pub(crate) fn backward_weight(gpu: &Gpu, shape: &Conv2dShape, x: &Tensor, dy: &Tensor, out: &Meta) -> Tensor {
    run(gpu, Product::Weight, shape, [dy, x], None, out)
}

/// `[groups, m, n, k]` and the pixels of a plane of the result.
fn sizes(product: Product, s: &Conv2dShape) -> ([usize; 4], usize) {
    let (inputs, outputs) = (s.in_channels / s.groups, s.out_channels / s.groups);
    let (taps, below) = (s.kernel.0 * s.kernel.1, s.size.0 * s.size.1);
    let above = s.out_size().0 * s.out_size().1;
    match product {
        Product::Forward => ([s.groups, outputs, s.batch * above, inputs * taps], above),
        Product::Input => ([s.groups, inputs, s.batch * below, outputs * taps], below),
        Product::Weight => ([s.groups, outputs, inputs * taps, s.batch * above], 1),
    }
}

/// Whether a tile would be so empty that each element is better made by itself, and there are enough of them.
fn alone(product: Product, [count, m, n, k]: [usize; 4]) -> bool {
    match product {
        Product::Weight => m * n <= 256,
        _ => m < 8 && (k <= 256 || count * m * n >= 1 << 16),
    }
}

#[track_caller]
fn run(
    gpu: &Gpu,
    product: Product,
    shape: &Conv2dShape,
    [a, b]: [&Tensor; 2],
    bias: Option<&Tensor>,
    out: &Meta,
) -> Tensor {
    let ([count, m, n, k], plane) = sizes(product, shape);
    let alone = alone(product, [count, m, n, k]);
    let mut cut = Cut::new([count, m, n, k], BUSY);
    let results = count * m * n;
    let grid = match product {
        Product::Weight if alone => {
            (cut.part, cut.parts) = (PART, k.div_ceil(PART).max(1));
            groups(results * cut.parts)
        }
        _ if alone => {
            (cut.part, cut.parts) = (k, 1);
            threads(results)
        }
        _ => {
            let [x, y, _] = groups(cut.rows * cut.columns);
            [x, y, (cut.parts * count) as u32]
        }
    };
    let y = empty(gpu, &Meta::new([cut.parts, results], out.dtype));
    let text = text(product, (!alone).then_some(cut.side), shape);
    let numbers = numbers(shape, [count, m, n, k], plane, &cut, bias.is_some());
    launch(gpu, &text, &[a, b, bias.unwrap_or(a)], &[&y], &numbers, grid);
    let y = if cut.parts == 1 { y } else { fold(gpu, &y, [1, cut.parts, results], SUM) };
    y.reshape(&out.shape)
}

const NUMBERS: &str = "m, n, k, part, count, parts, rows, plane, biased, inputs, outputs, h, w, oh, ow";

fn numbers(
    s: &Conv2dShape,
    [count, m, n, k]: [usize; 4],
    plane: usize,
    cut: &Cut,
    biased: bool,
) -> Vec<Number> {
    let (oh, ow) = s.out_size();
    numbers![
        m,
        n,
        k,
        cut.part,
        count,
        cut.parts,
        cut.rows,
        plane,
        usize::from(biased),
        s.in_channels / s.groups,
        s.out_channels / s.groups,
        s.size.0,
        s.size.1,
        oh,
        ow
    ]
    .into()
}

/// How a kernel steps: all of it that is a constant of the text.
type Steps = [(usize, usize); 4];

/// The kernel of a product: in tiles of a side, or without.
fn text(product: Product, side: Option<usize>, s: &Conv2dShape) -> Arc<Text> {
    type Known = HashMap<(Product, Option<usize>, Steps), Arc<Text>>;
    static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
    let steps = [s.kernel, s.stride, s.padding, s.dilation];
    let new = || {
        let name = format!("conv {product:?} {side:?} {steps:?}");
        Arc::new(Text {
            name: name.into(),
            io: "a: f32, b: f32, bias: f32 -> y: f32".into(),
            params: NUMBERS.into(),
            body: body(product, side, steps).into(),
        })
    };
    lock(&KNOWN).entry((product, side, steps)).or_insert_with(new).clone()
}

fn body(product: Product, side: Option<usize>, steps: Steps) -> String {
    let constants: String = ["KERNEL", "STRIDE", "PADDING", "DILATION"]
        .iter()
        .zip(steps)
        .map(|(name, (v, h))| format!("const {name} = vec2<u32>({v}u, {h}u);\n"))
        .collect();
    let reads = match product {
        Product::Forward => FORWARD,
        Product::Input => INPUT,
        Product::Weight => WEIGHT,
    };
    let declarations = format!("{constants}{PLACES}{reads}");
    let (before, load) = if product == Product::Weight { ALONG_PIXELS } else { ALONG_TAPS };
    let store = if product == Product::Weight { STORE_WEIGHT } else { STORE_PIXEL };
    match side {
        Some(side) => tiles::text(side, &Parts { declarations: &declarations, before, load, store }),
        None if product == Product::Weight => declarations + WEIGHT_ALONE,
        None => declarations + PIXEL_ALONE,
    }
}

/// Vertical and horizontal in this order.
const PLACES: &str = "
// A channel of a group and a place in the kernel.
struct Tap { channel: u32, at: vec2<u32> }
fn tap(k: u32) -> Tap {
    return Tap(k / (KERNEL.x * KERNEL.y), vec2(k / KERNEL.y % KERNEL.x, k % KERNEL.y));
}

// An image and a place in its planes, of which this is the size.
struct Pixel { image: u32, at: vec2<u32> }
fn pixel(n: u32, size: vec2<u32>) -> Pixel {
    return Pixel(n / (size.x * size.y), vec2(n / size.y % size.x, n % size.y));
}

// The input that a tap sees in the window of an output pixel.
fn seen(matrix: u32, t: Tap, o: Pixel) -> f32 {
    // What lies before the first row or column is a large number.
    let at = o.at * STRIDE + t.at * DILATION - PADDING;
    if (at.x >= p.h || at.y >= p.w) { return 0.0; }
    return b[(((o.image * p.count + matrix) * p.inputs + t.channel) * p.h + at.x) * p.w + at.y];
}

// The gradient of the output pixel that sees an input pixel with a tap.
fn seeing(matrix: u32, t: Tap, i: Pixel) -> f32 {
    let start = i.at + PADDING - t.at * DILATION;
    let at = start / STRIDE;
    if (any(at * STRIDE != start) || at.x >= p.oh || at.y >= p.ow) { return 0.0; }
    return b[(((i.image * p.count + matrix) * p.outputs + t.channel) * p.oh + at.x) * p.ow + at.y];
}
";

const FORWARD: &str = "
fn size() -> vec2<u32> { return vec2(p.oh, p.ow); }
fn a_at(matrix: u32, m: u32, k: u32) -> f32 { return a[(matrix * p.m + m) * p.k + k]; }
fn b_at(matrix: u32, t: Tap, o: Pixel) -> f32 { return seen(matrix, t, o); }
";

const INPUT: &str = "
fn size() -> vec2<u32> { return vec2(p.h, p.w); }
fn a_at(matrix: u32, m: u32, k: u32) -> f32 {
    const TAPS = KERNEL.x * KERNEL.y;
    return a[((matrix * p.outputs + k / TAPS) * p.m + m) * TAPS + k % TAPS];
}
fn b_at(matrix: u32, t: Tap, i: Pixel) -> f32 { return seeing(matrix, t, i); }
";

const WEIGHT: &str = "
fn size() -> vec2<u32> { return vec2(p.oh, p.ow); }
fn a_at(matrix: u32, m: u32, o: Pixel) -> f32 {
    return a[(((o.image * p.count + matrix) * p.outputs + m) * p.oh + o.at.x) * p.ow + o.at.y];
}
fn b_at(matrix: u32, t: Tap, o: Pixel) -> f32 { return seen(matrix, t, o); }
";

/// Where a tile is; the result's columns are pixels, of which each thread loads one for many taps.
const ALONG_TAPS: (&str, &str) = (
    "
    let tile = w.y * g.x + w.x;
    let row = tile % p.rows * TILE;
    let column = tile / p.rows * TILE;
    let there = pixel(column + l % TILE, size());",
    "
        let k = first + l % STRIP;
        for (var i = l / STRIP; i < TILE; i += 256u / STRIP) {
            var value = 0.0;
            if (row + i < p.m && k < end) { value = a_at(matrix, row + i, k); }
            left[l % STRIP * PITCH + i] = value;
        }
        for (var s = l / TILE; s < STRIP; s += 256u / TILE) {
            var value = 0.0;
            if (column + l % TILE < p.n && first + s < end) { value = b_at(matrix, tap(first + s), there); }
            right[s * PITCH + l % TILE] = value;
        }",
);

/// The inner dimension is pixels, of which each thread loads one for many rows and columns.
const ALONG_PIXELS: (&str, &str) = (
    "
    let tile = w.y * g.x + w.x;
    let row = tile % p.rows * TILE;
    let column = tile / p.rows * TILE;",
    "
        let s = l % STRIP;
        let there = pixel(first + s, size());
        for (var i = l / STRIP; i < TILE; i += 256u / STRIP) {
            var value = 0.0;
            if (row + i < p.m && first + s < end) { value = a_at(matrix, row + i, there); }
            left[s * PITCH + i] = value;
            value = 0.0;
            if (column + i < p.n && first + s < end) { value = b_at(matrix, tap(column + i), there); }
            right[s * PITCH + i] = value;
        }",
);

const STORE_PIXEL: &str = "
                // Once, whatever the parts.
                if (p.biased != 0u && part == 0u) { value += bias[matrix * p.m + r]; }
                let image = part * (p.n / p.plane) + c / p.plane;
                y[((image * p.count + matrix) * p.m + r) * p.plane + c % p.plane] = value;";

const STORE_WEIGHT: &str = "
                y[(w.z * p.m + r) * p.n + c] = value;";

/// A thread makes an element of `y` or `dx`.
const PIXEL_ALONE: &str = "
fn together(number: u32, l: u32) {
    let i = number * 256u + l;
    if (i >= p.count * p.m * p.n) { return; }
    let channel = i / p.plane % (p.count * p.m);
    let matrix = channel / p.m;
    var there = pixel(i % p.plane, size());
    there.image = i / p.plane / (p.count * p.m);
    var sum = 0.0;
    if (p.biased != 0u) { sum = bias[channel]; }
    for (var k = 0u; k < p.k; k++) { sum = fma(a_at(matrix, channel % p.m, k), b_at(matrix, tap(k), there), sum); }
    y[i] = sum;
}
";

/// A workgroup makes a part of an element of `dw`: every thread adds up each 256th pixel, then pairs are added.
const WEIGHT_ALONE: &str = "
var<workgroup> sums: array<f32, 256>;

fn together(number: u32, l: u32) {
    let i = number;
    let results = p.count * p.m * p.n;
    let part = i / results;
    let row = i % results / p.n;
    let there = tap(i % p.n);
    var sum = 0.0;
    if (part < p.parts) {
        for (var k = part * p.part + l; k < min(p.k, (part + 1u) * p.part); k += 256u) {
            let o = pixel(k, size());
            sum = fma(a_at(row / p.m, row % p.m, o), b_at(row / p.m, there, o), sum);
        }
    }
    sums[l] = sum;
    for (var half = 128u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (l < half) { sums[l] += sums[l + half]; }
    }
    if (l == 0u && part < p.parts) { y[i] = sums[0]; }
}
";
