//! Layer normalisation.

use crate::observe::observe;
use crate::onnx::{Graph, Value};
use crate::size::python_tuple;
use crate::text::{python_bool, python_float};
use crate::visit::parameter;
use crate::{Module, Parameters};
use rekindle_tensor::Tensor;

/// Gives every sample mean 0 and variance 1 over its last dimensions, then scales and shifts every element:
/// `y = (x - mean) / √(var + eps) · weight + bias`, with the biased variance. Source: J. Ba et al., 2016.
///
/// ```
/// use rekindle_nn::{LayerNorm, Module};
/// use rekindle_tensor::tensor;
/// let y = LayerNorm::new(2).eps(0.0).forward(&tensor([[1.0, 3.0], [0.0, 8.0]]));
/// assert_eq!(y.to_vec::<f32>(), [-1.0, 1.0, -1.0, 1.0]);
/// ```
#[derive(Parameters)]
#[parameters(extra_repr)]
pub struct LayerNorm {
    /// The scales, of the normalised shape.
    pub weight: Option<Tensor>,
    /// The shifts, of the normalised shape.
    pub bias: Option<Tensor>,
    normalized_shape: Vec<usize>,
    eps: f64,
}

/// The sizes over which a layer normalises: one number or several; what [`LayerNorm::new`] takes.
pub struct NormalizedShape(Vec<usize>);

impl From<usize> for NormalizedShape {
    fn from(size: usize) -> Self {
        NormalizedShape(vec![size])
    }
}

impl<const N: usize> From<[usize; N]> for NormalizedShape {
    fn from(sizes: [usize; N]) -> Self {
        NormalizedShape(sizes.to_vec())
    }
}

impl LayerNorm {
    /// Normalises over the last dimensions, which have these sizes; scales start at 1 and shifts at 0.
    pub fn new(normalized_shape: impl Into<NormalizedShape>) -> LayerNorm {
        let NormalizedShape(shape) = normalized_shape.into();
        let (weight, bias) = (parameter(Tensor::ones(&shape)), parameter(Tensor::zeros(&shape)));
        LayerNorm { weight: Some(weight), bias: Some(bias), normalized_shape: shape, eps: 1e-5 }
    }

    /// Sets what is added to the variance.
    pub fn eps(mut self, eps: f64) -> LayerNorm {
        self.eps = eps;
        self
    }

    /// With or without scales and shifts.
    pub fn elementwise_affine(mut self, on: bool) -> LayerNorm {
        if on == self.weight.is_some() {
            return self;
        }
        let shape = &self.normalized_shape;
        self.weight = on.then(|| parameter(Tensor::ones(shape)));
        self.bias = on.then(|| parameter(Tensor::zeros(shape)));
        self
    }

    /// With or without shifts; there are none without scales either.
    pub fn bias(mut self, on: bool) -> LayerNorm {
        let on = on && self.weight.is_some();
        self.bias = on.then(|| parameter(Tensor::zeros(&self.normalized_shape)));
        self
    }

    fn extra_repr(&self) -> String {
        let (shape, eps) = (python_tuple(&self.normalized_shape), python_float(self.eps));
        let [affine, bias] = [&self.weight, &self.bias].map(|t| python_bool(t.is_some()));
        format!("{shape}, eps={eps}, elementwise_affine={affine}, bias={bias}")
    }
}

impl Module for LayerNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let (weight, bias) = (self.weight.as_ref(), self.bias.as_ref());
        observe(self, x.layer_norm(&self.normalized_shape, weight, bias, self.eps))
    }

    fn onnx(&self, graph: &mut Graph, x: &Value) -> Result<Value, String> {
        self.forward(&x.zeros()); // an input that does not fit is a mistake
        let ones = Tensor::ones(&self.normalized_shape);
        let own = [("weight", Some(self.weight.as_ref().unwrap_or(&ones))), ("bias", self.bias.as_ref())];
        let axis = -(self.normalized_shape.len() as i64);
        let options = [("axis", axis.into()), ("epsilon", self.eps.into())];
        Ok(graph.layer_op("LayerNormalization", x, &own, &options))
    }
}
