//! [`Sequential`]: layers one after another.

use crate::module::{Module, Parameters};
use crate::onnx::{Graph, Value};
use crate::text::module_text;
use crate::visit::Visitor;
use rekindle_tensor::{Tensor, check, mistake};
use std::fmt;
use std::ops::Index;

/// Layers one after another; their names are their positions, `"0"`, `"1"`, ...
///
/// ```
/// use rekindle_nn::{Linear, Module, ReLU, Sequential};
/// use rekindle_tensor::Tensor;
///
/// let mut net = Sequential::new().push(Linear::new(2, 10)).push(ReLU);
/// for _ in 0..3 {
///     net = net.push(Linear::new(10, 10)).push(ReLU);
/// }
/// let net = net.push(Linear::new(10, 1));
/// assert_eq!(net.forward(&Tensor::zeros([5, 2])).shape(), [5, 1]);
/// assert_eq!(net[2].to_string(), "Linear(in_features=10, out_features=10, bias=True)");
/// ```
#[derive(Default)]
pub struct Sequential {
    layers: Vec<Box<dyn Module>>,
}

impl Sequential {
    /// No layers: the output is the input.
    pub fn new() -> Sequential {
        Sequential::default()
    }

    /// With one more layer at the end.
    pub fn push(mut self, layer: impl Module + 'static) -> Sequential {
        self.layers.push(Box::new(layer));
        self
    }

    /// The number of layers.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there are no layers.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// The layers in order.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Module> {
        self.layers.iter().map(|layer| &**layer)
    }
}

impl Module for Sequential {
    /// # Panics
    /// If a layer does not fit its input, with the layer's message, its number and its type.
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let mut x = x.clone();
        for (i, layer) in self.layers.iter().enumerate() {
            // A call through a box does not know where it came from, so the mistake is reported from here.
            match check(|| layer.forward(&x)) {
                Ok(y) => x = y,
                Err(message) => mistake!("{message} (layer {i}, {})", layer.type_name()),
            }
        }
        x
    }

    fn onnx(&self, graph: &mut Graph, x: &Value) -> Result<Value, String> {
        let mut x = x.clone();
        for (i, layer) in self.layers.iter().enumerate() {
            let y = check(|| graph.within(&i.to_string(), |graph| layer.onnx(graph, &x))).flatten();
            x = y.map_err(|message| format!("{message} (layer {i}, {})", layer.type_name()))?;
        }
        Ok(x)
    }
}

impl Parameters for Sequential {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        for (i, layer) in self.layers.iter().enumerate() {
            visitor.module(&i.to_string(), layer);
        }
    }
}

impl Index<usize> for Sequential {
    type Output = dyn Module;
    fn index(&self, i: usize) -> &(dyn Module + 'static) {
        &*self.layers[i]
    }
}

impl From<Vec<Box<dyn Module>>> for Sequential {
    fn from(layers: Vec<Box<dyn Module>>) -> Self {
        Sequential { layers }
    }
}

impl FromIterator<Box<dyn Module>> for Sequential {
    fn from_iter<I: IntoIterator<Item = Box<dyn Module>>>(layers: I) -> Self {
        Sequential { layers: layers.into_iter().collect() }
    }
}

impl fmt::Display for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&module_text(self))
    }
}

/// A [`Sequential`] of the given layers.
///
/// ```
/// use rekindle_nn::{sequential, Linear, ReLU};
/// let net = sequential![Linear::new(784, 32), ReLU, Linear::new(32, 1)];
/// assert_eq!(net.len(), 3);
/// ```
#[macro_export]
macro_rules! sequential {
    ($($layer:expr),* $(,)?) => {
        $crate::Sequential::new()$(.push($layer))*
    };
}
