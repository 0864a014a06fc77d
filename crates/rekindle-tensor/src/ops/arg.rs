//! Indices of the greatest and the least element: argmax and argmin.

use super::elementwise::{filled, no_grads};
use super::max::Ordered;
use super::reduction::Over;
use crate::dtype::{DType, match_dtype};
use crate::gpu::scan::{lanes, rows};
use crate::gpu::{self, Gpu, Text};
use crate::numbers;
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::reduce;

/// The first index of the greatest (`max`) or the least element along one dimension.
#[derive(Debug)]
struct Arg {
    max: bool,
    over: Over,
}

impl Op for Arg {
    fn name(&self) -> &'static str {
        if self.max { "argmax" } else { "argmin" }
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        self.over.check_not_empty(self.name(), &x[0].shape)?;
        Ok(Meta { shape: self.over.result(&x[0].shape), dtype: DType::I64 })
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let Some(&dim) = self.over.dims.first() else {
            return Tensor::full_of(&out.shape, 0, DType::I64).into();
        };
        let (outer, len, inner) = x[0].shape_owned().split_at(dim);
        filled(&out.shape, |y| {
            match_dtype!(x[0].dtype(), T => {
                let x = x[0].data::<T>();
                if self.max {
                    reduce::arg(&x, outer, len, inner, y, <T as Ordered>::above);
                } else {
                    reduce::arg(&x, outer, len, inner, y, <T as Ordered>::below);
                }
            })
        })
        .into()
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let sizes = self.over.dims.first().map_or((1, 1, 1), |&dim| x[0].shape_owned().split_at(dim));
        arg(&gpu::of(x), x[0], sizes, self.max).reshape(&out.shape).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        no_grads(ctx.metas.len())
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

/// Elements of a row that one workgroup compares at most; of longer rows, the best of each part are compared again.
const PART: usize = 8192;

/// The indices along the middle of `(outer, len, inner)` on a GPU.
fn arg(gpu: &Gpu, x: &Tensor, (outer, len, inner): (usize, usize, usize), max: bool) -> Tensor {
    let text = text(x.dtype(), max);
    let (mut among, mut count) = (None::<Tensor>, len);
    loop {
        let part = count.clamp(1, PART);
        let parts = count.div_ceil(part).max(1);
        let y = gpu::empty(gpu, &Meta::new([outer, parts, inner], DType::I64));
        let lanes = lanes(part, inner);
        let chosen = usize::from(among.is_some());
        let numbers = numbers![outer, len, inner, count, part, parts, lanes, chosen];
        let inputs = [x, among.as_ref().unwrap_or(x)];
        gpu::launch(gpu, &text, &inputs, &[&y], &numbers, rows(outer * parts * inner, lanes));
        if parts == 1 {
            return y;
        }
        (among, count) = (Some(y), parts);
    }
}

fn text(dtype: DType, max: bool) -> Text {
    // NaN has the greatest key and wins whatever is sought.
    let key = match (dtype, max) {
        (DType::F32, true) => "sort_key(v)",
        (DType::F32, false) => "select(~sort_key(v), 0x7fffffff, is_nan(v))",
        (_, true) => "i32(v)",
        (_, false) => "~i32(v)",
    };
    let (t, sought) = (gpu::wgsl(dtype), if max { "max" } else { "min" });
    Text {
        name: format!("arg{sought} of {t}").into(),
        io: format!("x: {t}, among: u32 -> y: u32").into(),
        params: "outer, len, inner, count, part, parts, lanes, chosen".into(),
        body: BODY.replace("{T}", t).replace("{key}", key).into(),
    }
}

/// Each thread walks over every so many elements, or those that an earlier walk chose, then pairs of threads are compared.
const BODY: &str = "
var<workgroup> keys: array<i32, 256>;
var<workgroup> found: array<u32, 256>;

fn key(v: {T}) -> i32 { return {key}; }

fn together(number: u32, l: u32) {
    let wide = 256u / p.lanes;
    let row = number * wide + l % wide;
    let there = row < p.outer * p.parts * p.inner;
    let column = row % p.inner;
    let first = ((row / p.inner) % p.parts) * p.part;
    let outer = row / p.inner / p.parts;
    var best = i32(-2147483648);
    var at = 0xffffffffu;
    if (there) {
        for (var j = first + l / wide; j < min(p.count, first + p.part); j += p.lanes) {
            var i = j;
            if (p.chosen == 1u) { i = among[(outer * p.count + j) * p.inner + column]; }
            let k = key(x[(outer * p.len + i) * p.inner + column]);
            if (k > best || at == 0xffffffffu) { best = k; at = i; }
        }
    }
    keys[l] = best;
    found[l] = at;
    for (var half = 128u; half >= wide; half /= 2u) {
        workgroupBarrier();
        if (l < half) {
            let k = keys[l + half];
            let i = found[l + half];
            if (k > keys[l] || (k == keys[l] && i < found[l])) { keys[l] = k; found[l] = i; }
        }
    }
    if (there && l < wide) { y[row] = found[l]; }
}
";

impl Tensor {
    /// The index of the greatest element in row-major order, the first of equals; NaN counts as greatest.
    ///
    /// # Panics
    /// If the tensor is empty.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[1.0, 7.0], [7.0, 2.0]]).argmax().item::<i64>(), 1);
    /// ```
    #[track_caller]
    pub fn argmax(&self) -> Tensor {
        self.reshape([-1]).argmax_dim(0, false)
    }

    /// The index of the least element in row-major order, the first of equals; NaN counts as least.
    ///
    /// # Panics
    /// If the tensor is empty.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([3.0, 1.0, 1.0]).argmin().item::<i64>(), 1);
    /// ```
    #[track_caller]
    pub fn argmin(&self) -> Tensor {
        self.reshape([-1]).argmin_dim(0, false)
    }

    /// Along one dimension, the index of the greatest element, the first of equals; NaN counts as greatest.
    ///
    /// # Panics
    /// If the dimension is out of range or has size 0.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[1.0, 7.0], [7.0, 2.0]]).argmax_dim(1, false).to_vec::<i64>(), [1, 0]);
    /// ```
    #[track_caller]
    pub fn argmax_dim(&self, dim: isize, keepdim: bool) -> Tensor {
        apply(Arg { max: true, over: Over::new("argmax", self, dim, keepdim) }, &[self])
    }

    /// Along one dimension, the index of the least element, the first of equals; NaN counts as least.
    ///
    /// # Panics
    /// If the dimension is out of range or has size 0.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[3.0, 1.0], [2.0, 5.0]]).argmin_dim(1, false).to_vec::<i64>(), [1, 0]);
    /// ```
    #[track_caller]
    pub fn argmin_dim(&self, dim: isize, keepdim: bool) -> Tensor {
        apply(Arg { max: false, over: Over::new("argmin", self, dim, keepdim) }, &[self])
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::new("argmax", |x| x[0].argmax()).on(&[&[3, 4]]).on(&[&[1]]).on(&[&[]]),
        Sample::new("argmin over a dim", |x| x[0].argmin_dim(0, true))
            .on(&[&[3, 4]])
            .on(&[&[2, 0]])
            .large(&[&[600, 40]]),
        Sample::new("argmax over the last dim", |x| x[0].argmax_dim(-1, false))
            .on(&[&[3, 4]])
            .large(&[&[5000, 10]])
            .large(&[&[3, 9001]]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::{Tensor, tensor};

    #[test]
    fn the_first_of_equals_and_the_first_nan_win() {
        let x = tensor([[1.0, 3.0, 3.0], [2.0, f64::NAN, f64::NAN]]);
        assert_eq!(x.argmax_dim(1, false).to_vec::<i64>(), [1, 1]);
        assert_eq!(x.argmin_dim(1, false).to_vec::<i64>(), [0, 1]);
        assert_eq!(tensor([4, 1, 1]).argmin().item::<i64>(), 1);
    }

    #[test]
    #[should_panic(expected = "argmax: nothing to choose from in [2, 0]")]
    fn an_empty_row_has_no_argmax() {
        Tensor::zeros([2, 0]).argmax_dim(1, false);
    }
}
