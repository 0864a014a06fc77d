//! The table of vectors.

use crate::observe::observe;
use crate::onnx::{Graph, Type, Value};
use crate::visit::parameter;
use crate::{Module, Parameters};
use rekindle_tensor::random::with_default;
use rekindle_tensor::{Tensor, mistake, no_grad};

/// A vector for each of `num_embeddings` indices: indices (i64) \[..\] to vectors \[.., embedding_dim\].
///
/// The table is drawn from the standard normal distribution.
///
/// ```
/// use rekindle_nn::{Embedding, Module};
/// use rekindle_tensor::tensor;
/// let layer = Embedding::new(10, 3).padding_idx(0);
/// let y = layer.forward(&tensor([[1, 0], [4, 9]]));
/// assert_eq!(y.shape(), [2, 2, 3]);
/// assert_eq!(y.select(0, 0).select(0, 1).to_vec::<f32>(), [0.0, 0.0, 0.0]);
/// ```
#[derive(Parameters)]
#[parameters(extra_repr)]
pub struct Embedding {
    /// The vectors, \[num_embeddings, embedding_dim\].
    pub weight: Tensor,
    padding_idx: Option<usize>,
}

impl Embedding {
    /// A table drawn from the default generator.
    pub fn new(num_embeddings: usize, embedding_dim: usize) -> Embedding {
        let mut weight = vec![0f32; num_embeddings * embedding_dim];
        with_default(|generator| generator.normal(&mut weight, 0.0, 1.0));
        let weight = parameter(Tensor::from_vec(weight, [num_embeddings, embedding_dim]));
        Embedding { weight, padding_idx: None }
    }

    /// Makes the vector of one index zero, and leaves it so in training.
    ///
    /// # Panics
    /// If there is no such index.
    #[track_caller]
    pub fn padding_idx(mut self, index: usize) -> Embedding {
        let rows = self.weight.shape()[0];
        if index >= rows {
            mistake!("embedding: padding_idx {index} is not below num_embeddings {rows}");
        }
        no_grad(|| _ = self.weight.select(0, index as isize).zero_());
        self.padding_idx = Some(index);
        self
    }

    fn extra_repr(&self) -> String {
        let padding = self.padding_idx.map_or(String::new(), |i| format!(", padding_idx={i}"));
        format!("{}, {}{padding}", self.weight.shape()[0], self.weight.shape()[1])
    }
}

impl Module for Embedding {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        observe(self, self.weight.embedding(x, self.padding_idx))
    }

    fn onnx(&self, graph: &mut Graph, x: &Value) -> Result<Value, String> {
        let weight = graph.tensor("weight", &self.weight);
        let shape = [x.shape(), &self.weight.shape()[1..]].concat();
        Ok(graph.op("Gather", &[&weight, x], &[]).shaped(&shape).typed(Type::of(self.weight.dtype())))
    }
}
