//! Matrix products: vectors, matrices and batches of matrices.

use super::elementwise::filled;
use crate::dtype::{DType, Element};
use crate::gpu;
use crate::gpu::gemm::{Factor, gemm as gemm_on_gpu};
use crate::op::mistake;
use crate::op::{Context, Grads, Meta, Op, Output, apply};
use crate::shape::{Dims, Shape, broadcast};
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::gemm::gemm;
use rekindle_kernels::real::Real;
use smallvec::smallvec;

/// `[.., m, k] x [.., k, n]` with equal leading dimensions. Other cases are reduced to this one by views.
#[derive(Debug)]
struct Matmul;

impl Op for Matmul {
    fn name(&self) -> &'static str {
        "matmul"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        let (a, b) = (&x[0].shape, &x[1].shape);
        let r = a.len();
        if a[r - 1] != b[r - 2] {
            return Err(inner_mismatch(a, b, a[r - 1], b[r - 2]));
        }
        Ok(Meta { shape: a.with(r - 1, b[r - 1]), dtype: x[0].dtype })
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        match out.dtype {
            DType::F64 => product::<f64>(x[0], x[1], &out.shape).into(),
            _ => product::<f32>(x[0], x[1], &out.shape).into(),
        }
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let (gpu, r) = (gpu::of(x), out.shape.len());
        let (m, n, k) = (out.shape[r - 2], out.shape[r - 1], x[0].size(-1));
        let count = out.shape[..r - 2].iter().product();
        let [mut left, mut right] = [None, None];
        let (a, b) = (Factor::of(&gpu, x[0], &mut left), Factor::of(&gpu, x[1], &mut right));
        gemm_on_gpu(&gpu, [count, m, n, k], &a, &b, None).reshape(&out.shape).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let product = |a: &Tensor, b: &Tensor| apply(Matmul, &[a, b]);
        smallvec![
            ctx.needs[0].then(|| product(ctx.grad, &ctx.input(1).transpose(-1, -2))),
            ctx.needs[1].then(|| product(&ctx.input(0).transpose(-1, -2), ctx.grad)),
        ]
    }
}

fn inner_mismatch(a: &[usize], b: &[usize], ka: usize, kb: usize) -> String {
    let hint = if b.last() == Some(&ka) {
        "transpose the right side?"
    } else {
        "check which dimension is contracted"
    };
    format!("matmul: inner dimensions differ: {a:?} x {b:?} ({ka} vs {kb}); {hint}")
}

/// A matrix in memory as a kernel reads it: where it starts and the steps to the next row and column. Strided views
/// are read in place; only a view whose steps the kernel's bounds cannot express is copied.
pub(crate) struct Matrix<T: Element> {
    data: crate::Data<T>,
    pub strides: (usize, usize),
}

impl<T: Element> Matrix<T> {
    /// A rank-2 tensor, read in place when it or its transpose is contiguous.
    pub fn read(x: &Tensor) -> Matrix<T> {
        if !x.is_contiguous() && x.t().is_contiguous() {
            return Matrix { data: x.detach().t().data::<T>(), strides: (1, x.shape()[0]) };
        }
        Matrix::packed(x)
    }

    /// A rank-2 tensor in row-major order. The kernel sums products with a vector in an order that depends on the
    /// strides; read this way, no view of the same values gives other bits.
    pub fn packed(x: &Tensor) -> Matrix<T> {
        Matrix { data: x.data::<T>(), strides: (x.shape()[1], 1) }
    }

    pub fn data(&self) -> &[T] {
        &self.data
    }
}

fn product<T: Real + Element>(a: &Tensor, b: &Tensor, out: &Shape) -> Tensor {
    let r = out.len();
    let (m, k, n) = (a.shape()[r - 2], a.shape()[r - 1], out[r - 1]);
    if r == 2 {
        let read = if m == 1 || n == 1 { Matrix::<T>::packed } else { Matrix::<T>::read };
        let (a, b) = (read(a), read(b));
        return filled(out, |c| gemm(m, n, k, a.data(), a.strides, b.data(), b.strides, c, None));
    }
    let (a, b) = (a.data::<T>(), b.data::<T>());
    filled(out, |c| {
        for (i, c) in c.chunks_exact_mut((m * n).max(1)).enumerate() {
            gemm(
                m,
                n,
                k,
                &a[i * m * k..(i + 1) * m * k],
                (k, 1),
                &b[i * k * n..(i + 1) * k * n],
                (n, 1),
                c,
                None,
            );
        }
    })
}

impl Tensor {
    /// The matrix product, PyTorch's `x @ y`. Two matrices multiply; two vectors give their dot product; a vector
    /// counts as one row on the left and one column on the right; further leading dimensions are batches and
    /// broadcast.
    ///
    /// # Panics
    /// If the inner dimensions differ, an operand is a scalar, or the types differ or are not floats.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let (w, x) = (tensor([[1.0, 2.0], [3.0, 4.0]]), tensor([1.0, -1.0]));
    /// assert_eq!(w.matmul(&x).to_vec::<f32>(), [-1.0, -1.0]);
    /// ```
    #[track_caller]
    pub fn matmul(&self, other: &Tensor) -> Tensor {
        if self.dim() == 0 || other.dim() == 0 {
            mistake!(
                "matmul: {:?} x {:?}: a scalar has no rows; multiply with *",
                self.shape(),
                other.shape()
            );
        }
        if self.dtype() != other.dtype() || !self.dtype().is_float() {
            mistake!(
                "matmul: {} x {}: needs two tensors of one floating type; convert with .to(..)",
                self.dtype(),
                other.dtype()
            );
        }
        let a = if self.dim() == 1 { self.unsqueeze(0) } else { self.clone() };
        let b = if other.dim() == 1 { other.unsqueeze(1) } else { other.clone() };
        let (ka, kb) = (a.size(-1), b.size(-2));
        if ka != kb {
            mistake!("{}", inner_mismatch(self.shape(), other.shape(), ka, kb));
        }
        let y = batched(&a, &b);
        let y = if other.dim() == 1 { y.squeeze_dim(-1) } else { y };
        if self.dim() == 1 { y.squeeze_dim(if other.dim() == 1 { -1 } else { -2 }) } else { y }
    }

    /// The product of two matrices; as [`matmul`](Tensor::matmul) without vectors and batches.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let x = tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.mm(&x).to_vec::<f32>(), [7.0, 10.0, 15.0, 22.0]);
    /// ```
    #[track_caller]
    pub fn mm(&self, other: &Tensor) -> Tensor {
        if self.dim() != 2 || other.dim() != 2 {
            mistake!("mm: needs two matrices, got {:?} x {:?}; use .matmul(..)", self.shape(), other.shape());
        }
        self.matmul(other)
    }
}

/// The product of tensors of at least two dimensions.
#[track_caller]
fn batched(a: &Tensor, b: &Tensor) -> Tensor {
    let (ra, rb) = (a.dim(), b.dim());
    if ra == 2 && rb == 2 {
        return apply(Matmul, &[a, b]);
    }
    // One matrix on the right serves all rows of all batches: one large product instead of many small ones.
    if rb == 2 {
        let rows = a.reshape([a.shape()[..ra - 1].iter().product(), a.shape()[ra - 1]]);
        let mut shape = a.shape_owned();
        shape.0[ra - 1] = b.shape()[1];
        return apply(Matmul, &[&rows, b]).reshape(&shape);
    }
    let lead = match broadcast("matmul", &a.shape()[..ra - 2], &b.shape()[..rb - 2]) {
        Ok(lead) => lead,
        Err(e) => mistake!("{e}"),
    };
    let full = |t: &Tensor| {
        let mut dims: Dims = lead.0.clone();
        dims.extend_from_slice(&t.shape()[t.dim() - 2..]);
        t.expand(&Shape(dims))
    };
    apply(Matmul, &[&full(a), &full(b)])
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::new("matmul", |x| x[0].matmul(&x[1]))
            .on(&[&[3, 4], &[4, 2]])
            .on(&[&[1, 1], &[1, 1]])
            .on(&[&[0, 4], &[4, 2]])
            .on(&[&[2, 0], &[0, 3]])
            .on(&[&[4], &[4]])
            .on(&[&[3, 4], &[4]])
            .on(&[&[4], &[4, 2]])
            .on(&[&[2, 3, 4], &[4, 5]])
            .on(&[&[2, 3, 0], &[0, 5]])
            .on(&[&[2, 3, 4], &[2, 4, 5]])
            .on(&[&[3, 4], &[2, 4, 5]])
            .on(&[&[2, 1, 3, 4], &[5, 4, 2]])
            .large(&[&[200, 130], &[130, 90]])
            .large(&[&[4, 100, 70], &[4, 70, 60]])
            .large(&[&[3000], &[3000, 20]]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::Tensor;

    #[test]
    #[should_panic(
        expected = "matmul: inner dimensions differ: [32, 784] x [512, 784] (784 vs 512); transpose the right side?"
    )]
    fn mismatch_names_both_shapes_and_a_cure() {
        Tensor::zeros([32, 784]).matmul(&Tensor::zeros([512, 784]));
    }
}
