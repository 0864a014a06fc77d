//! Softmax and its logarithm along one dimension.
//!
//! `softmax(x)_i = exp(x_i - m) / sum_j exp(x_j - m)` and `log_softmax(x)_i = x_i - m - ln(sum_j exp(x_j - m))` with
//! `m = max(x)`, which changes nothing but keeps the exponentials from overflowing.

use super::elementwise::filled;
use crate::dtype::match_float;
use crate::gpu::{self, Text, rows};
use crate::numbers;
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply, mistake};
use crate::shape::dim_index;
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::softmax as kernel;
use smallvec::smallvec;
use std::sync::LazyLock;

#[derive(Debug)]
struct Softmax {
    log: bool,
    dim: usize,
}

impl Softmax {
    /// Sizes before, at and after the dimension; a scalar counts as one element.
    fn split(&self, x: &Tensor) -> (usize, usize, usize) {
        if x.dim() == 0 { (1, 1, 1) } else { x.shape_owned().split_at(self.dim) }
    }

    /// Runs a kernel over rows along the dimension.
    #[track_caller]
    fn launch(&self, text: &Text, inputs: &[&Tensor]) -> Tensor {
        let (gpu, (outer, len, inner)) = (gpu::of(inputs), self.split(inputs[0]));
        let y = gpu::empty(&gpu, &Meta::of(inputs[0]));
        let count = outer * inner;
        let width = rows::width(count, len, inner);
        let numbers = numbers![width, count, len, inner, f64::NEG_INFINITY, usize::from(self.log)];
        gpu::launch(&gpu, text, inputs, &[&y], &numbers, gpu::groups(count.div_ceil(width)));
        y
    }
}

impl Op for Softmax {
    fn name(&self) -> &'static str {
        if self.log { "log_softmax" } else { "softmax" }
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        super::elementwise::same_float(self.name(), x)
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let (outer, len, inner) = self.split(x[0]);
        match_float!(self.name(), out.dtype, T => filled::<T>(&out.shape, |y| {
            let run = if self.log { kernel::log_softmax } else { kernel::softmax };
            run(&x[0].data::<T>(), y, outer, len, inner);
        })
        .into())
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let y = ctx.output();
        let (outer, len, inner) = self.split(y);
        smallvec![Some(match_float!(self.name(), y.dtype(), T => filled::<T>(&y.shape_owned(), |dx| {
            let run = if self.log { kernel::log_softmax_backward } else { kernel::softmax_backward };
            run(&y.data::<T>(), &ctx.grad.data::<T>(), dx, outer, len, inner);
        })))]
    }
    fn forward_gpu(&self, x: &[&Tensor], _: &Meta) -> Output {
        self.launch(&FORWARD, x).into()
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        smallvec![Some(self.launch(&BACKWARD, &[ctx.output(), ctx.grad]))]
    }
    fn keeps(&self) -> Keeps {
        Keeps::Output
    }
}

const NUMBERS: &str = "width, rows, len, inner, least: f32, log";

static FORWARD: LazyLock<Text> = LazyLock::new(|| {
    rows::text(
        "softmax",
        "x: f32 -> y: f32",
        NUMBERS,
        "
fn together(number: u32, l: u32) {
    let row = number * p.width + l % p.width;
    let first = row / p.inner * p.len * p.inner + row % p.inner;
    let end = select(0u, p.len, row < p.rows);
    let step = 256u / p.width;
    var m = p.least;
    for (var i = l / p.width; i < end; i += step) { m = maximum(m, x[first + i * p.inner]); }
    m = greatest(l, m);
    var sum = 0.0;
    for (var i = l / p.width; i < end; i += step) { sum += exp(x[first + i * p.inner] - m); }
    sum = total(l, sum);
    for (var i = l / p.width; i < end; i += step) {
        let centred = x[first + i * p.inner] - m;
        if (p.log != 0u) { y[first + i * p.inner] = centred - log(sum); } else { y[first + i * p.inner] = exp(centred) / sum; }
    }
}
",
    )
});

static BACKWARD: LazyLock<Text> = LazyLock::new(|| {
    rows::text(
        "softmax backward",
        "y: f32, dy: f32 -> dx: f32",
        NUMBERS,
        "
fn together(number: u32, l: u32) {
    let row = number * p.width + l % p.width;
    let first = row / p.inner * p.len * p.inner + row % p.inner;
    let end = select(0u, p.len, row < p.rows);
    let step = 256u / p.width;
    var sum = 0.0;
    for (var i = l / p.width; i < end; i += step) {
        let at = first + i * p.inner;
        if (p.log != 0u) { sum += dy[at]; } else { sum = fma(y[at], dy[at], sum); }
    }
    sum = total(l, sum);
    for (var i = l / p.width; i < end; i += step) {
        let at = first + i * p.inner;
        if (p.log != 0u) { dx[at] = dy[at] - exp(y[at]) * sum; } else { dx[at] = y[at] * (dy[at] - sum); }
    }
}
",
    )
});

impl Tensor {
    /// Exponentials divided by their sum along `dim`, so that they are positive and sum to 1.
    ///
    /// # Panics
    /// If the tensor does not hold floats or the dimension is out of range.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[0.0, 0.0], [9.0, 9.0]]).softmax(1).to_vec::<f32>(), [0.5; 4]);
    /// ```
    #[track_caller]
    pub fn softmax(&self, dim: isize) -> Tensor {
        match dim_index("softmax", dim, self.dim()) {
            Ok(dim) => apply(Softmax { log: false, dim }, &[self]),
            Err(e) => mistake!("{e}"),
        }
    }

    /// The logarithm of [`softmax`](Tensor::softmax), without its loss of precision.
    ///
    /// # Panics
    /// If the tensor does not hold floats or the dimension is out of range.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([0.0, -1000.0]).log_softmax(0).to_vec::<f32>(), [0.0, -1000.0]);
    /// ```
    #[track_caller]
    pub fn log_softmax(&self, dim: isize) -> Tensor {
        match dim_index("log_softmax", dim, self.dim()) {
            Ok(dim) => apply(Softmax { log: true, dim }, &[self]),
            Err(e) => mistake!("{e}"),
        }
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::unary("softmax", |x| x.softmax(-1)).large(&[&[4000, 10]]),
        Sample::unary("log_softmax", |x| x.log_softmax(-1)).large(&[&[4000, 10]]),
        Sample::new("softmax over an inner dim", |x| x[0].softmax(1))
            .on(&[&[2, 3, 4]])
            .on(&[&[2, 1, 1]])
            .large(&[&[5, 700]])
            .large(&[&[3, 90, 50]]),
        Sample::new("log_softmax over columns", |x| x[0].log_softmax(0)).on(&[&[3, 4]]).large(&[&[30, 2000]]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::tensor;

    #[test]
    fn softmax_rows_sum_to_one_even_where_exponentials_overflow() {
        let y = tensor([[1000.0, 1000.0, -1000.0], [1.0, 2.0, 3.0]]).softmax(1);
        assert_eq!(y.to_vec::<f32>()[..3], [0.5, 0.5, 0.0]);
        assert!(y.sum_dim(1, false).to_vec::<f32>().iter().all(|s| (s - 1.0).abs() < 1e-6));
    }

    #[test]
    fn masked_elements_get_no_probability() {
        assert_eq!(tensor([0.0, f64::NEG_INFINITY]).softmax(0).to_vec::<f32>(), [1.0, 0.0]);
    }
}
