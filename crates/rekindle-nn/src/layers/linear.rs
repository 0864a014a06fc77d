//! The fully connected layer.

use crate::draws;
use crate::observe::observe;
use crate::onnx::{Graph, Value};
use crate::text::python_bool;
use crate::{Module, Parameters};
use rekindle_tensor::Tensor;

/// `y = x Wᵀ + b`, with `weight` \[out, in\] and `bias` \[out\], both drawn uniformly from ±1/√in.
///
/// The input is \[.., in_features\], the output \[.., out_features\].
///
/// ```
/// use rekindle_nn::{Linear, Module};
/// use rekindle_tensor::{random, Tensor};
///
/// random::manual_seed(0);
/// let layer = Linear::new(2, 1);
/// assert_eq!(layer.weight.to_vec::<f32>(), [-0.005293981, 0.3793229]); // as torch.nn.Linear(2, 1)
/// assert_eq!(layer.forward(&Tensor::zeros([5, 2])).shape(), [5, 1]);
/// ```
#[derive(Parameters)]
#[parameters(extra_repr)]
pub struct Linear {
    /// The weights, \[out_features, in_features\].
    pub weight: Tensor,
    /// The offsets, \[out_features\].
    pub bias: Option<Tensor>,
}

impl Linear {
    /// A layer with bias, drawn from the default generator.
    pub fn new(in_features: usize, out_features: usize) -> Linear {
        let (weight, bias) = draws::weight_and_bias(&[out_features, in_features], true);
        Linear { weight, bias }
    }

    /// With or without bias.
    pub fn bias(self, on: bool) -> Linear {
        if on == self.bias.is_some() {
            return self;
        }
        let (weight, bias) = draws::again(&self.weight, self.weight.shape(), on);
        Linear { weight, bias }
    }

    fn extra_repr(&self) -> String {
        let (features, bias) = (self.weight.shape(), python_bool(self.bias.is_some()));
        format!("in_features={}, out_features={}, bias={bias}", features[1], features[0])
    }
}

impl Module for Linear {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        observe(self, x.linear(&self.weight, self.bias.as_ref()))
    }

    fn onnx(&self, graph: &mut Graph, x: &Value) -> Result<Value, String> {
        let shape = self.forward(&x.zeros()).shape().to_vec();
        if x.dim() == 2 {
            let own = [("weight", Some(&self.weight)), ("bias", self.bias.as_ref())];
            return Ok(graph.layer_op("Gemm", x, &own, &[("transB", 1usize.into())]).shaped(&shape));
        }
        // Gemm takes matrices only.
        let y = graph.layer_op("MatMul", x, &[("weight", Some(&self.weight.t()))], &[]).shaped(&shape);
        Ok(match &self.bias {
            Some(bias) => graph.layer_op("Add", &y, &[("bias", Some(bias))], &[]),
            None => y,
        })
    }
}
