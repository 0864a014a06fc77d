//! Networks as ONNX files, for the runtimes of other languages and machines.
//!
//! A layer says in [`Module::onnx`] what its forward pass in evaluation is in ONNX's operators; [`export`] makes a file of a network,
//! and [`Graph`] of networks with something before and behind them. Operators are those of opset 17 (onnxruntime 1.12, 2022, and
//! later). Source: onnx.ai/onnx/operators, onnx.proto3.

mod graph;
mod proto;

pub use graph::{Attribute, Graph, Type, Value};

use crate::Module;
use rekindle_tensor::{Device, Tensor, check, no_grad};

/// A network as the bytes of an ONNX file. It has the input `input`, a batch of any size whose samples are like those of `x`, and the
/// output `output`: what [`forward`](Module::forward) gives in evaluation.
///
/// ```
/// use rekindle_nn::{Linear, ReLU, onnx, sequential};
/// use rekindle_tensor::Tensor;
/// let net = sequential![Linear::new(784, 32), ReLU, Linear::new(32, 10)];
/// let bytes = onnx::export(&net, &Tensor::zeros([1, 784]))?;
/// // In Python: onnxruntime.InferenceSession("net.onnx").run(["output"], {"input": x})
/// # let _ = bytes;
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// One line, if `x` does not fit the network, the network is on a GPU, a module does not say what it is in ONNX, or the file would be
/// larger than 2 GB, which none can be.
pub fn export(net: &dyn Module, x: &Tensor) -> Result<Vec<u8>, String> {
    let mut graph = Graph::new();
    let sample = x.shape().get(1..).ok_or("onnx: the example is no batch; give it a dimension of samples")?;
    let x = graph.input("input", Type::of(x.dtype()), sample, "");
    let y = add(&mut graph, net, &x)?;
    graph.output("output", &y, "");
    graph.finish(&[])
}

/// Adds a network to a graph; what does not fit is an error, as in [`export`].
///
/// # Errors
/// As [`export`].
pub fn add(graph: &mut Graph, net: &dyn Module, x: &Value) -> Result<Value, String> {
    if net.parameters().iter().any(|p| p.device() != Device::Cpu) {
        return Err("onnx: the network is on a GPU; bring it back with `.cpu()`".into());
    }
    check(|| no_grad(|| net.onnx(graph, x)))?
}
