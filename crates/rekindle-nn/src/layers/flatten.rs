//! Layers that change the shape only.

use crate::observe::observe;
use crate::onnx::{Graph, Value};
use crate::size::python_tuple;
use crate::{Module, Parameters};
use rekindle_tensor::Tensor;

/// Joins all dimensions but the first: images \[N, C, H, W\] to rows \[N, C·H·W\].
///
/// ```
/// use rekindle_nn::{Flatten, Module};
/// use rekindle_tensor::Tensor;
/// assert_eq!(Flatten::new().forward(&Tensor::zeros([5, 1, 28, 28])).shape(), [5, 784]);
/// assert_eq!(Flatten::dims(0, 1).forward(&Tensor::zeros([5, 2, 3])).shape(), [10, 3]);
/// ```
#[derive(Clone, Debug, Parameters)]
#[parameters(extra_repr)]
pub struct Flatten {
    start_dim: isize,
    end_dim: isize,
}

impl Default for Flatten {
    fn default() -> Self {
        Flatten::new()
    }
}

impl Flatten {
    /// Joins all dimensions but the first.
    pub fn new() -> Flatten {
        Flatten::dims(1, -1)
    }

    /// Joins the dimensions from `start_dim` to `end_dim`; negative ones count from the end.
    pub fn dims(start_dim: isize, end_dim: isize) -> Flatten {
        Flatten { start_dim, end_dim }
    }

    fn extra_repr(&self) -> String {
        format!("start_dim={}, end_dim={}", self.start_dim, self.end_dim)
    }
}

impl Module for Flatten {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        observe(self, x.flatten(self.start_dim, self.end_dim))
    }

    fn onnx(&self, graph: &mut Graph, x: &Value) -> Result<Value, String> {
        let shape = self.forward(&x.zeros()).shape().to_vec();
        Ok(graph.reshape(x, &shape))
    }
}

/// Cuts one dimension into several: rows \[N, 784\] to images \[N, 1, 28, 28\].
///
/// ```
/// use rekindle_nn::{Module, Unflatten};
/// use rekindle_tensor::Tensor;
/// assert_eq!(Unflatten::new(1, [1, 28, 28]).forward(&Tensor::zeros([5, 784])).shape(), [5, 1, 28, 28]);
/// ```
#[derive(Clone, Debug, Parameters)]
#[parameters(extra_repr)]
pub struct Unflatten {
    dim: usize,
    sizes: Vec<usize>,
}

impl Unflatten {
    /// Gives dimension `dim` these sizes.
    pub fn new(dim: usize, sizes: impl Into<Vec<usize>>) -> Unflatten {
        Unflatten { dim, sizes: sizes.into() }
    }

    fn extra_repr(&self) -> String {
        format!("dim={}, unflattened_size={}", self.dim, python_tuple(&self.sizes))
    }
}

impl Module for Unflatten {
    /// # Panics
    /// If there is no such dimension or the sizes do not multiply to it.
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let Some((&size, rest)) = x.shape().get(self.dim..).and_then(<[usize]>::split_first) else {
            rekindle_tensor::mistake!("unflatten: no dimension {} in {:?}", self.dim, x.shape());
        };
        if self.sizes.iter().product::<usize>() != size {
            rekindle_tensor::mistake!(
                "unflatten: {:?} do not fill dimension {} of {:?}",
                self.sizes,
                self.dim,
                x.shape()
            );
        }
        let shape = [&x.shape()[..self.dim], &self.sizes, rest].concat();
        observe(self, x.reshape(shape))
    }

    fn onnx(&self, graph: &mut Graph, x: &Value) -> Result<Value, String> {
        if self.dim == 0 {
            return Err("unflatten: in ONNX the batch has any size, and cannot be cut".into());
        }
        let shape = self.forward(&x.zeros()).shape().to_vec();
        Ok(graph.reshape(x, &shape))
    }
}
