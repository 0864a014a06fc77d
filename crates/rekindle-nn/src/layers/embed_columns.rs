//! Vectors for columns of indices in a table of numbers.

use crate::observe::observe;
use crate::visit::Visitor;
use crate::{Embedding, Module, Parameters};
use rekindle_tensor::{Tensor, mistake};

/// Replaces some columns of a table, which hold indices, by vectors: `[n, features]` to the other columns in their order, followed by
/// the vectors of each index, `[n, features - columns + sum of dims]`.
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
        let others: Vec<i64> =
            (0..*features).filter(|i| !self.columns.contains(i)).map(|i| i as i64).collect();
        let mut parts = Vec::with_capacity(1 + self.tables.len());
        if !others.is_empty() || self.tables.is_empty() {
            let count = others.len();
            parts.push(x.index_select(1, &Tensor::from_vec(others, [count])));
        }
        for (&column, table) in self.columns.iter().zip(&self.tables) {
            parts.push(table.forward(&Self::indices(x, column, table.weight.shape()[0])));
        }
        observe(self, Tensor::cat(&parts, 1))
    }
}
