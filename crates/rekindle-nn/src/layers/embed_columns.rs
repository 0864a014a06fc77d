//! Vectors for columns of indices in a table of numbers.

use crate::observe::observe;
use crate::onnx::{Graph, Type, Value};
use crate::visit::Visitor;
use crate::{Embedding, Module, Parameters};
use rekindle_tensor::{Context, DType, Device, Grads, Meta, Op, Output, Tensor, apply, gpu, grads, mistake};

/// Replaces some columns of a table, which hold indices, by vectors: `[n, features]` to the other columns in their order, followed by
/// the vectors of each index, `[n, features - columns + sum of dims]`.
///
/// What is no index is a mistake; on a GPU its vector is NaN, because looking for it would wait for the device in every step.
///
/// The tables of vectors are [`Embedding`]s, `0.weight`, `1.weight`, .., drawn in their order from the standard normal distribution.
/// rekindle-data's encoders say which features are indices: `Encoder::embeddings`.
///
/// ```
/// use rekindle_nn::{EmbedColumns, Linear, Module, sequential};
/// use rekindle_tensor::tensor;
/// // Column 1 has indices below 4, each with a vector of 3 numbers.
/// let layer = EmbedColumns::new(&[1], &[4], &[3]);
/// let y = layer.forward(&tensor([[0.5, 2.0, -1.0], [1.5, 0.0, 1.0]]));
/// assert_eq!(y.shape(), [2, 2 + 3]);
/// assert_eq!(y.narrow(1, 0, 2).to_vec::<f32>(), [0.5, -1.0, 1.5, 1.0]);
/// let net = sequential![layer, Linear::new(5, 1)];
/// ```
pub struct EmbedColumns {
    columns: Vec<usize>,
    tables: Vec<Embedding>,
}

impl EmbedColumns {
    /// Vectors of `dims[i]` numbers for the `sizes[i]` indices in column `columns[i]`, drawn from the default generator.
    ///
    /// # Panics
    /// If the lists differ in length, or a column comes twice.
    #[track_caller]
    pub fn new(columns: &[usize], sizes: &[usize], dims: &[usize]) -> EmbedColumns {
        if sizes.len() != columns.len() || dims.len() != columns.len() {
            mistake!(
                "embed_columns: {} columns, {} sizes and {} dims; give one of each for every column",
                columns.len(),
                sizes.len(),
                dims.len()
            );
        }
        if let Some(i) = (1..columns.len()).find(|&i| columns[..i].contains(&columns[i])) {
            mistake!("embed_columns: column {} comes twice; name it once", columns[i]);
        }
        let tables = sizes.iter().zip(dims).map(|(&size, &dim)| Embedding::new(size, dim)).collect();
        EmbedColumns { columns: columns.to_vec(), tables }
    }

    /// A column of floats as indices below `size`.
    #[track_caller]
    fn indices(x: &Tensor, column: usize, size: usize) -> Tensor {
        let values = x.select(1, column as isize);
        if x.device() != Device::Cpu {
            return apply(Indices { size }, &[&values]);
        }
        let wrong = |value: &f64| value.fract() != 0.0 || !(0.0..size as f64).contains(value);
        if let Some(value) = values.to_f64_vec().into_iter().find(wrong) {
            mistake!(
                "embed_columns: {value} in column {column} is no index; indices are whole numbers from 0 to {}",
                size as i64 - 1
            );
        }
        values.long()
    }
}

impl Parameters for EmbedColumns {
    // By hand, so that weights are named as in a list: `0.weight`.
    fn visit(&self, visitor: &mut Visitor<'_>) {
        for (i, table) in self.tables.iter().enumerate() {
            visitor.module(&i.to_string(), table);
        }
    }

    fn extra_repr(&self) -> String {
        format!("columns={:?}", self.columns)
    }
}

impl Module for EmbedColumns {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let [_, features] = x.shape() else {
            mistake!("embed_columns: the input must be [n, features], got {:?}", x.shape());
        };
        if let Some(column) = self.columns.iter().find(|column| *column >= features) {
            mistake!("embed_columns: the input {:?} has no column {column}", x.shape());
        }
        let mut parts = Vec::with_capacity(1 + self.tables.len());
        // The columns between those that hold indices, as they are.
        let mut ends = [self.columns.clone(), vec![*features]].concat();
        ends.sort_unstable();
        let mut start = 0;
        for end in ends {
            if end > start || self.tables.is_empty() {
                parts.push(x.narrow(1, start, end - start));
            }
            start = end + 1;
        }
        for (&column, table) in self.columns.iter().zip(&self.tables) {
            parts.push(table.forward(&Self::indices(x, column, table.weight.shape()[0])));
        }
        observe(self, Tensor::cat(&parts, 1))
    }

    /// What is no index because it is NaN has a vector of NaN, as on a GPU.
    fn onnx(&self, graph: &mut Graph, x: &Value) -> Result<Value, String> {
        let shape = self.forward(&x.zeros()).shape().to_vec();
        let others: Vec<usize> = (0..x.shape()[1]).filter(|column| !self.columns.contains(column)).collect();
        let mut parts = Vec::with_capacity(1 + self.tables.len());
        if !others.is_empty() {
            parts.push(take_columns(graph, x, &others));
        }
        for (i, (&column, table)) in self.columns.iter().zip(&self.tables).enumerate() {
            let index = take_columns(graph, x, &[column]);
            let unknown = graph.op("IsNaN", &[&index], &[]).typed(Type::Bool);
            let zero = graph.number(x, 0.0);
            let known = graph.op("Where", &[&unknown, &zero, &index], &[]).shaped(index.shape());
            let row = graph.reshape(&known, &index.shape()[..1]);
            let row = graph.cast(&row, Type::Int64);
            let vector = graph.within(&i.to_string(), |graph| table.onnx(graph, &row))?;
            parts.push(graph.op("Where", &[&unknown, &index, &vector], &[]).typed(vector.kind()));
        }
        let parts: Vec<&Value> = parts.iter().collect();
        Ok(graph.op("Concat", &parts, &[("axis", 1usize.into())]).typed(x.kind()).shaped(&shape))
    }
}

/// Some columns of a table.
fn take_columns(graph: &mut Graph, x: &Value, columns: &[usize]) -> Value {
    let numbers: Vec<i64> = columns.iter().map(|&column| column as i64).collect();
    let numbers = graph.tensor("columns", &Tensor::from_vec(numbers, columns.len()));
    let shape = [x.shape()[0], columns.len()];
    graph.op("Gather", &[x, &numbers], &[("axis", 1usize.into())]).shaped(&shape)
}

/// Floats on a GPU as indices; what is none becomes -1, which has no vector.
#[derive(Debug)]
struct Indices {
    size: usize,
}

impl Op for Indices {
    fn name(&self) -> &'static str {
        "embed_columns"
    }
    fn infer(&self, m: &[Meta]) -> Result<Meta, String> {
        Ok(Meta::new(m[0].shape.clone(), DType::I64))
    }
    fn forward(&self, x: &[&Tensor], _: &Meta) -> Output {
        x[0].long().into()
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let index = "select(-1, i32(a), a >= 0.0 && a < p.n0 && a == floor(a))";
        gpu::map(&gpu::of(x), index, x, &[self.size as f64], out).into()
    }
    fn backward(&self, _: &Context<'_>) -> Grads {
        grads![None]
    }
}
