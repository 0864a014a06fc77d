//! The affine map of a layer, with the bias added inside the matrix product.

use super::elementwise::filled;
use super::matmul::Matrix;
use crate::dtype::match_float;
use crate::gpu;
use crate::gpu::gemm::{Factor, gemm as gemm_on_gpu};
use crate::op::mistake;
use crate::op::{Context, Grads, Meta, Op, Output, apply};
use crate::plan::{Gradient, Rows, Stage};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::gemm::{gemm, gemm_skipping_zeros, inner_blocks};
use rekindle_kernels::scratch::with_scratch;
use smallvec::smallvec;
use std::ops::Range;

/// `y = x W^T + b` on a matrix `x`; the inputs are x, weight and, if there is one, bias.
#[derive(Debug)]
struct Linear;

impl Op for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }
    fn infer(&self, m: &[Meta]) -> Result<Meta, String> {
        let (x, w) = (&m[0].shape, &m[1].shape);
        if w.len() != 2 || x.len() != 2 || x[1] != w[1] {
            return Err(mismatch(x, w));
        }
        if let Some(b) = m.get(2)
            && b.shape[..] != w[..1]
        {
            return Err(format!(
                "linear: the bias {:?} does not fit the weight {w:?}; it needs [{}]",
                b.shape, w[0]
            ));
        }
        if !m[0].dtype.is_float() || m.iter().any(|t| t.dtype != m[0].dtype) {
            let types: Vec<String> = m.iter().map(|t| t.dtype.to_string()).collect();
            return Err(format!(
                "linear: element types differ: {}; convert the input with .float()",
                types.join(", ")
            ));
        }
        Ok(Meta { shape: x.with(1, w[0]), dtype: m[0].dtype })
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let (m, n, k) = (out.shape[0], out.shape[1], x[0].shape()[1]);
        match_float!("linear", out.dtype, T => {
            let read = if m == 1 || n == 1 { Matrix::<T>::packed } else { Matrix::<T>::read };
            let (a, w) = (read(x[0]), read(x[1]));
            let transposed = (w.strides.1, w.strides.0);
            let bias = x.get(2).map(|b| b.data::<T>());
            filled(&out.shape, |y| gemm(m, n, k, a.data(), a.strides, w.data(), transposed, y, bias.as_deref())).into()
        })
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let (gpu, (m, n, k)) = (gpu::of(x), (out.shape[0], out.shape[1], x[0].shape()[1]));
        let [mut left, mut right] = [None, None];
        let w = x[1].detach().t();
        let (a, b) = (Factor::of(&gpu, x[0], &mut left), Factor::of(&gpu, &w, &mut right));
        gemm_on_gpu(&gpu, [1, m, n, k], &a, &b, x.get(2).copied()).reshape(&out.shape).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        gradients(ctx, product)
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        gradients(ctx, Tensor::matmul)
    }
    fn input_names(&self) -> &'static [&'static str] {
        &["input", "weight", "bias"]
    }
    fn stage(&self, m: &[Meta], out: &Meta) -> Option<Box<dyn Stage>> {
        let (inputs, outputs) = (m[1].shape[1], out.shape[1]);
        Some(Box::new(LinearStage { inputs, outputs, bias: m.len() > 2 }))
    }
}

fn gradients(ctx: &Context<'_>, product: impl Fn(&Tensor, &Tensor) -> Tensor) -> Grads {
    let g = ctx.grad;
    let mut grads: Grads = smallvec![
        ctx.needs[0].then(|| product(g, ctx.input(1))),
        ctx.needs[1].then(|| product(&g.t(), ctx.input(0))),
    ];
    if let Some(&bias) = ctx.needs.get(2) {
        grads.push(bias.then(|| g.sum_dim(0, false)));
    }
    grads
}

/// The product of a gradient, which has many zeros behind ReLU or dropout, and another matrix.
fn product(g: &Tensor, other: &Tensor) -> Tensor {
    let (m, k, n) = (g.size(0), g.size(1), other.size(1));
    match_float!("linear", g.dtype(), T => {
        let (a, b) = (Matrix::<T>::read(g), Matrix::<T>::read(other));
        if m == 1 || n == 1 || b.strides != (n, 1) {
            return g.matmul(other);
        }
        filled(&Shape::from([m, n]), |y| gemm_skipping_zeros(m, n, k, a.data(), a.strides, b.data(), y, || other.all_finite()))
    })
}

/// [`Linear`] in a plan.
#[derive(Debug)]
struct LinearStage {
    inputs: usize,
    outputs: usize,
    bias: bool,
}

impl Stage for LinearStage {
    fn forward(&self, rows: Rows<'_>, y: &mut [f32]) {
        let &LinearStage { inputs, outputs, .. } = self;
        let bias = rows.params.get(1).copied();
        gemm(rows.n, outputs, inputs, rows.x, (inputs, 1), rows.params[0], (1, inputs), y, bias);
    }
    fn backward(&self, rows: Rows<'_>, dy: &[f32], dx: Option<&mut [f32]>, params: &mut [Vec<f32>]) {
        let &LinearStage { inputs, outputs, .. } = self;
        if let Some(dx) = dx {
            gemm_skipping_zeros(rows.n, inputs, outputs, dy, (outputs, 1), rows.params[0], dx, || true);
        }
        let (n, dw) = (rows.n, &mut params[0]);
        if dw.is_empty() {
            return;
        }
        if outputs == 1 || inputs > 1 {
            // A single output's gradients lie in a row.
            let transposed = if outputs == 1 { (n, 1) } else { (1, outputs) };
            gemm_skipping_zeros(outputs, inputs, n, dy, transposed, rows.x, dw, || true);
        } else {
            // A product with a vector is summed along contiguous rows.
            with_scratch(outputs * n, |columns: &mut [f32]| {
                columns.iter_mut().enumerate().for_each(|(i, column)| *column = dy[i % n * outputs + i / n]);
                gemm(outputs, 1, n, columns, (n, 1), rows.x, (1, 1), dw, None);
            });
        }
    }
    fn gradients(&self) -> &'static [Gradient] {
        if self.bias { &[Gradient::OfBlocks, Gradient::SumOfRows] } else { &[Gradient::OfBlocks] }
    }
    fn cut(&self, n: usize) -> Option<Vec<Range<usize>>> {
        // A product with a vector is not summed in blocks.
        Some(if self.inputs > 1 { inner_blocks(n).collect() } else { std::iter::once(0..n).collect() })
    }
}

fn mismatch(x: &[usize], w: &[usize]) -> String {
    let (have, want) = (x.last().copied().unwrap_or(0), w.last().copied().unwrap_or(0));
    let hint = if w.len() != 2 {
        "the weight must be [out_features, in_features]"
    } else if x.len() > 2 && x[1..].iter().product::<usize>() == want {
        "flatten the input with .flatten(1, -1)?"
    } else {
        "the last dimension of the input must be in_features"
    };
    format!("linear: input {x:?} does not fit weight {w:?} ({have} vs {want} features); {hint}")
}

impl Tensor {
    /// `x W^T + b`: PyTorch's `F.linear`. `weight` is `[out, in]`, `bias` `[out]`; the last dimension of `self` is
    /// `in`, the others are batches.
    ///
    /// # Panics
    /// If shapes or types do not fit.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let y = tensor([[1.0, 2.0]]).linear(&tensor([[3.0, 4.0]]), Some(&tensor([0.5])));
    /// assert_eq!(y.to_vec::<f32>(), [11.5]);
    /// ```
    #[track_caller]
    pub fn linear(&self, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
        let matrix = self.dim() == 2;
        if !matrix && (self.dim() == 0 || weight.dim() != 2 || self.size(-1) != weight.size(1)) {
            mistake!("{}", mismatch(self.shape(), weight.shape()));
        }
        let x = if matrix {
            self.clone()
        } else {
            self.reshape([self.shape()[..self.dim() - 1].iter().product(), weight.size(1)])
        };
        // Not in a closure: it would hide the caller's line.
        let y = match bias {
            Some(b) => apply(Linear, &[&x, weight, b]),
            None => apply(Linear, &[&x, weight]),
        };
        if matrix {
            return y;
        }
        let mut shape = self.shape_owned();
        shape.0[self.dim() - 1] = weight.size(0);
        y.reshape(&shape)
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let with_bias = |x: &[Tensor]| x[0].linear(&x[1], Some(&x[2]));
    vec![
        Sample::new("linear", with_bias)
            .on(&[&[5, 4], &[3, 4], &[3]])
            .on(&[&[1, 1], &[1, 1], &[1]])
            .on(&[&[0, 4], &[3, 4], &[3]])
            .on(&[&[4], &[3, 4], &[3]])
            .on(&[&[2, 3, 4], &[5, 4], &[5]])
            .on(&[&[2, 3, 0], &[5, 0], &[5]])
            .large(&[&[300, 130], &[70, 130], &[70]]),
        Sample::new("linear without bias", |x| x[0].linear(&x[1], None)).on(&[&[5, 4], &[3, 4]]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::Tensor;

    #[test]
    #[should_panic(
        expected = "linear: input [8, 1, 28, 28] does not fit weight [10, 784] (28 vs 784 features); flatten the input with .flatten(1, -1)?"
    )]
    fn unflattened_images_get_the_cure() {
        Tensor::zeros([8, 1, 28, 28]).linear(&Tensor::zeros([10, 784]), None);
    }
}
