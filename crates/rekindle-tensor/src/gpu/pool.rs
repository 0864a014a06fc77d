//! Maxima and averages of windows of image planes on a GPU. Every element of a result is made by one thread; gradients are gathered.

use super::{Gpu, Text, empty, launch, threads};
use crate::dtype::DType;
use crate::numbers;
use crate::op::Meta;
use crate::tensor::Tensor;
use rekindle_kernels::pool2d::Pool2dShape;
use std::sync::LazyLock;

/// Windows of planes.
pub(crate) struct Windows {
    /// Height and width of a plane.
    size: (usize, usize),
    /// How many windows there are along them.
    out: (usize, usize),
    /// Kernel, stride, padding and dilation. Without them the windows divide the plane evenly.
    steps: [(usize, usize); 4],
    /// Whether padding counts in an average.
    with_padding: bool,
}

impl Windows {
    /// Windows of a fixed size; in an average their padding counts or does not.
    pub fn of(s: &Pool2dShape, with_padding: bool) -> Windows {
        let steps = [s.kernel, s.stride, s.padding, s.dilation];
        Windows { size: s.size, out: s.out_size(), steps, with_padding }
    }

    /// As many windows as the output is to have.
    pub fn adaptive(size: (usize, usize), out: (usize, usize)) -> Windows {
        Windows { size, out, steps: [(0, 0); 4], with_padding: false }
    }

    /// The maximum of every window, and where it is in its plane: an i64.
    #[track_caller]
    pub fn max(&self, gpu: &Gpu, x: &Tensor, out: &Meta) -> [Tensor; 2] {
        let (y, at) = (empty(gpu, out), empty(gpu, &Meta::new(out.shape.clone(), DType::I64)));
        self.launch(gpu, &MAX, &[x], &[&y, &at]);
        [y, at]
    }

    /// Every gradient goes to where the maximum was.
    #[track_caller]
    pub fn max_backward(&self, gpu: &Gpu, dy: &Tensor, at: &Tensor, input: &Meta) -> Tensor {
        let dx = empty(gpu, input);
        self.launch(gpu, &MAX_BACKWARD, &[dy, at], &[&dx]);
        dx
    }

    /// The average of every window.
    #[track_caller]
    pub fn average(&self, gpu: &Gpu, x: &Tensor, out: &Meta) -> Tensor {
        let y = empty(gpu, out);
        self.launch(gpu, &AVERAGE, &[x], &[&y]);
        y
    }

    /// Every gradient is spread evenly over its window.
    #[track_caller]
    pub fn average_backward(&self, gpu: &Gpu, dy: &Tensor, input: &Meta) -> Tensor {
        let dx = empty(gpu, input);
        self.launch(gpu, &AVERAGE_BACKWARD, &[dy], &[&dx]);
        dx
    }

    #[track_caller]
    fn launch(&self, gpu: &Gpu, text: &Text, inputs: &[&Tensor], outputs: &[&Tensor]) {
        let n = outputs[0].numel();
        let mut numbers = numbers![n, usize::from(self.with_padding), f64::NEG_INFINITY].to_vec();
        let pairs = [self.size, self.out].into_iter().chain(self.steps);
        numbers.extend(pairs.flat_map(|(v, h)| numbers![v, h]));
        launch(gpu, text, inputs, outputs, &numbers, threads(n));
    }
}

fn text(name: &'static str, io: &'static str, main: &str) -> Text {
    let params = "n, with_padding, least: f32, h, w, oh, ow, kh, kw, sh, sw, ph, pw, dh, dw";
    Text { name: name.into(), io: io.into(), params: params.into(), body: format!("{WINDOWS}{main}").into() }
}

const WINDOWS: &str = "
// An axis of n elements with windows, along which kernel, stride, padding and dilation are; no kernel if they divide it evenly.
struct Axis { n: u32, windows: u32, kernel: u32, stride: u32, padding: u32, dilation: u32 }
fn vertical() -> Axis { return Axis(p.h, p.oh, p.kh, p.sh, p.ph, p.dh); }
fn horizontal() -> Axis { return Axis(p.w, p.ow, p.kw, p.sw, p.pw, p.dw); }

// Each step'th of first .. end.
struct Span { first: u32, end: u32, step: u32 }

// The elements of window o that lie in the plane.
fn window(a: Axis, o: u32) -> Span {
    if (a.kernel == 0u) { return Span(o * a.n / a.windows, ((o + 1u) * a.n + a.windows - 1u) / a.windows, 1u); }
    let start = o * a.stride;
    let skipped = (max(start, a.padding) - start + a.dilation - 1u) / a.dilation;
    let end = max(start + a.dilation * (a.kernel - 1u) + 1u, a.padding) - a.padding;
    return Span(start + skipped * a.dilation - a.padding, min(a.n, end), a.dilation);
}

// The windows among which are all that hold element i.
fn windows_at(a: Axis, i: u32) -> Span {
    if (a.kernel == 0u) { return Span(i * a.windows / a.n, ((i + 1u) * a.windows + a.n - 1u) / a.n, 1u); }
    let reach = a.dilation * (a.kernel - 1u);
    let at = i + a.padding;
    return Span((max(at, reach) - reach + a.stride - 1u) / a.stride, min(a.windows, at / a.stride + 1u), 1u);
}

// By what an average along an axis divides.
fn length_of(a: Axis, o: u32) -> f32 {
    if (a.kernel != 0u && p.with_padding != 0u) { return f32(min(a.kernel, a.n + 2u * a.padding - o * a.stride)); }
    let inside = window(a, o);
    return f32(max(inside.first, inside.end) - inside.first);
}
";

/// The first greatest, row by row, or the last NaN.
static MAX: LazyLock<Text> = LazyLock::new(|| {
    text(
        "maxima of windows",
        "x: f32 -> y: f32, at: i32",
        "
fn each(i: u32) {
    let plane = i / (p.oh * p.ow) * p.h * p.w;
    let rows = window(vertical(), i / p.ow % p.oh);
    let columns = window(horizontal(), i % p.ow);
    var best = p.least;
    var place = 0u;
    var found = false;
    for (var r = rows.first; r < rows.end; r += rows.step) {
        for (var c = columns.first; c < columns.end; c += columns.step) {
            let value = x[plane + r * p.w + c];
            if (!found || (value > best && !is_nan(best)) || is_nan(value)) {
                best = value;
                place = r * p.w + c;
                found = true;
            }
        }
    }
    y[i] = best;
    at[i] = i32(place);
}
",
    )
});

static MAX_BACKWARD: LazyLock<Text> = LazyLock::new(|| {
    text(
        "maxima of windows, backward",
        "dy: f32, at: i32 -> dx: f32",
        "
fn each(i: u32) {
    let plane = i / (p.h * p.w) * p.oh * p.ow;
    let rows = windows_at(vertical(), i / p.w % p.h);
    let columns = windows_at(horizontal(), i % p.w);
    var sum = 0.0;
    for (var r = rows.first; r < rows.end; r++) {
        for (var c = columns.first; c < columns.end; c++) {
            let o = plane + r * p.ow + c;
            if (at[o] == i32(i % (p.h * p.w))) { sum += dy[o]; }
        }
    }
    dx[i] = sum;
}
",
    )
});

static AVERAGE: LazyLock<Text> = LazyLock::new(|| {
    text(
        "averages of windows",
        "x: f32 -> y: f32",
        "
fn each(i: u32) {
    let plane = i / (p.oh * p.ow) * p.h * p.w;
    let rows = window(vertical(), i / p.ow % p.oh);
    let columns = window(horizontal(), i % p.ow);
    var sum = 0.0;
    for (var r = rows.first; r < rows.end; r++) {
        for (var c = columns.first; c < columns.end; c++) { sum += x[plane + r * p.w + c]; }
    }
    y[i] = sum / (length_of(vertical(), i / p.ow % p.oh) * length_of(horizontal(), i % p.ow));
}
",
    )
});

static AVERAGE_BACKWARD: LazyLock<Text> = LazyLock::new(|| {
    text(
        "averages of windows, backward",
        "dy: f32 -> dx: f32",
        "
fn each(i: u32) {
    let plane = i / (p.h * p.w) * p.oh * p.ow;
    let rows = windows_at(vertical(), i / p.w % p.h);
    let columns = windows_at(horizontal(), i % p.w);
    var sum = 0.0;
    for (var r = rows.first; r < rows.end; r++) {
        for (var c = columns.first; c < columns.end; c++) {
            sum += dy[plane + r * p.ow + c] / (length_of(vertical(), r) * length_of(horizontal(), c));
        }
    }
    dx[i] = sum;
}
",
    )
});
