//! Rows of a table, chosen by indices.

use super::elementwise::filled;
use crate::device::Device;
use crate::dtype::{DType, match_float};
use crate::gpu;
use crate::op::{Context, Grads, Meta, Op, Output, apply, mistake};
use crate::tensor::Tensor;
use crate::testing::Sample;
use smallvec::smallvec;

/// The inputs are the table and the indices.
#[derive(Debug)]
struct Embedding {
    /// A row that gets no gradient.
    padding_idx: Option<usize>,
}

impl Op for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }
    fn infer(&self, m: &[Meta]) -> Result<Meta, String> {
        let (table, indices) = (&m[0], &m[1]);
        if table.shape.len() != 2 || !table.dtype.is_float() {
            return Err(format!(
                "embedding: the weight must be floats [num_embeddings, embedding_dim], got {} {:?}",
                table.dtype, table.shape
            ));
        }
        if indices.dtype != DType::I64 {
            return Err(format!(
                "embedding: indices must be i64, got {}; convert them with .long()",
                indices.dtype
            ));
        }
        Ok(Meta::new([&indices.shape[..], &table.shape[1..]].concat(), table.dtype))
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let (indices, width) = (x[1].data::<i64>(), x[0].shape()[1]);
        match_float!("embedding", out.dtype, T => filled::<T>(&out.shape, |y| {
            let table = x[0].data::<T>();
            for (y, &i) in y.chunks_exact_mut(width.max(1)).zip(&*indices) {
                y.copy_from_slice(&table[i as usize * width..][..width]);
            }
        })
        .into())
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let (indices, width) = (ctx.input(1).data::<i64>(), ctx.metas[0].shape[1]);
        let dw = match_float!("embedding", ctx.grad.dtype(), T => filled::<T>(&ctx.metas[0].shape, |dw| {
            dw.fill(0.0);
            for (dy, &i) in ctx.grad.data::<T>().chunks_exact(width.max(1)).zip(&*indices) {
                if self.padding_idx != Some(i as usize) {
                    dw[i as usize * width..][..width].iter_mut().zip(dy).for_each(|(dw, dy)| *dw += dy);
                }
            }
        }));
        smallvec![Some(dw), None]
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        x[0].index_select(0, &x[1].reshape([-1])).reshape(&out.shape).into()
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        let (gpu, table) = (gpu::of(&[ctx.grad]), &ctx.metas[0]);
        let indices = ctx.input(1).reshape([-1]);
        let rows = ctx.grad.reshape([indices.numel(), table.shape[1]]);
        // What is out of range is left out.
        let indices = match self.padding_idx {
            Some(padding) => gpu::map(
                &gpu,
                "select(a, -1, a == i32(p.n0))",
                &[&indices],
                &[padding as f64],
                &Meta::of(&indices),
            ),
            None => indices,
        };
        smallvec![Some(rows.new_full(table, 0.0).index_add(0, &indices, &rows)), None]
    }
    fn input_names(&self) -> &'static [&'static str] {
        &["weight", "indices"]
    }
}

impl Tensor {
    /// The rows of this table that `indices` name, in the shape of the indices with the row's size appended: PyTorch's
    /// `F.embedding(indices, weight, padding_idx)`. The row `padding_idx` gets no gradient. On a GPU, a row that does not exist is NaN
    /// instead of a panic.
    ///
    /// # Panics
    /// If the table is not a matrix of floats, or an index is not an i64 within its rows.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let table = tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]);
    /// assert_eq!(table.embedding(&tensor([2, 0]), None).to_vec::<f32>(), [4.0, 5.0, 0.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn embedding(&self, indices: &Tensor, padding_idx: Option<usize>) -> Tensor {
        let rows = self.shape().first().copied().unwrap_or(0);
        // Nobody waits for a GPU to look at what is there.
        if indices.dtype() == DType::I64 && indices.device() == Device::Cpu {
            let outside = |&i: &i64| i < 0 || i as usize >= rows;
            if let Some(&i) = indices.data::<i64>().iter().find(|i| outside(i)) {
                mistake!(
                    "embedding: index {i} is out of range for {rows} rows; they are 0 to {}",
                    rows as i64 - 1
                );
            }
        }
        apply(Embedding { padding_idx }, &[self, indices])
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let indices = Tensor::from_vec(vec![1i64, 0, 1, 2], [2, 2]);
    let padded = Tensor::from_vec(vec![0i64, 2, 0], [3]);
    let none = Tensor::from_vec(Vec::<i64>::new(), [0]);
    vec![
        Sample::new("embedding", |x| x[0].embedding(&x[1], None))
            .on(&[&[3, 4]])
            .on(&[&[5, 1]])
            .large(&[&[300, 400]])
            .with(&[indices]),
        Sample::new("embedding of nothing", |x| x[0].embedding(&x[1], None))
            .on(&[&[3, 2]])
            .on(&[&[0, 2]])
            .with(&[none]),
        Sample::new("embedding with a padding row", |x| x[0].embedding(&x[1], Some(1)))
            .on(&[&[3, 4]])
            .with(&[padded]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::{check, tensor};

    #[test]
    fn repeated_rows_add_their_gradients_and_the_padding_row_gets_none() {
        let table = tensor([[1.0], [2.0], [3.0]]).requires_grad_(true);
        table.embedding(&tensor([0, 1, 1, 2]), Some(2)).sum().backward();
        assert_eq!(table.grad().unwrap().to_vec::<f32>(), [1.0, 2.0, 0.0]);
    }

    #[test]
    fn a_row_that_does_not_exist_is_named() {
        let e = check(|| tensor([[1.0], [2.0]]).embedding(&tensor([0, 2]), None)).unwrap_err();
        assert_eq!(e, "embedding: index 2 is out of range for 2 rows; they are 0 to 1");
        let e = check(|| tensor([[1.0], [2.0]]).embedding(&tensor([0.0]), None)).unwrap_err();
        assert_eq!(e, "embedding: indices must be i64, got f32; convert them with .long()");
    }
}
