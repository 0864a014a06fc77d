//! A graph of ONNX's operators that is being built.

use super::proto::Message;
use rekindle_tensor::{DType, Tensor};
use std::collections::HashMap;

/// The version of ONNX's operators, and that of the file format which came with it.
const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;
/// The operators of classical machine learning: text to numbers.
const ML: &str = "ai.onnx.ml";
const ML_OPSET: i64 = 3;

/// Layers are asked for the shapes of their outputs with so many samples; no batch in the graph has a size. (Batch normalisation
/// without running statistics takes no single sample.)
const BATCH: usize = 2;

/// The types of elements; their numbers are those of `TensorProto.DataType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// f32
    Float = 1,
    /// u8
    Uint8 = 2,
    /// i64
    Int64 = 7,
    /// Text.
    String = 8,
    /// bool
    Bool = 9,
    /// f64
    Double = 11,
}

impl Type {
    /// That of a tensor's elements.
    pub fn of(dtype: DType) -> Type {
        match dtype {
            DType::F32 => Type::Float,
            DType::F64 => Type::Double,
            DType::I64 => Type::Int64,
            DType::Bool => Type::Bool,
        }
    }

    /// ONNX's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Type::Float => "float",
            Type::Uint8 => "uint8",
            Type::Int64 => "int64",
            Type::String => "string",
            Type::Bool => "bool",
            Type::Double => "double",
        }
    }
}

/// What flows along an edge: an input, a constant, or the output of an operator.
#[derive(Clone, Debug)]
pub struct Value {
    name: String,
    kind: Type,
    shape: Vec<usize>,
}

impl Value {
    /// The sizes of its dimensions; that of the batch, the first one, means nothing.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of its dimensions.
    pub fn dim(&self) -> usize {
        self.shape.len()
    }

    /// The type of its elements.
    pub fn kind(&self) -> Type {
        self.kind
    }

    /// The same with another shape than that of the first input.
    pub fn shaped(mut self, shape: &[usize]) -> Value {
        self.shape = shape.to_vec();
        self
    }

    /// The same with other elements than those of the first input.
    pub fn typed(mut self, kind: Type) -> Value {
        self.kind = kind;
        self
    }

    /// A small batch of its shape, to ask a layer for the shape of its output.
    pub fn zeros(&self) -> Tensor {
        let dtype = match self.kind {
            Type::Double => DType::F64,
            Type::Int64 => DType::I64,
            _ => DType::F32,
        };
        Tensor::zeros(self.shape.as_slice()).to(dtype)
    }

    /// An error unless it has so many dimensions: ONNX's operators over images and sequences take nothing but batches.
    ///
    /// # Errors
    /// With the name of the layer.
    pub fn must_have_dims(&self, layer: &str, dims: usize) -> Result<(), String> {
        match self.dim() == dims {
            true => Ok(()),
            false => Err(format!(
                "{layer}: in ONNX the input has {dims} dimensions, a batch; got {:?}",
                self.shape
            )),
        }
    }
}

/// An option of an operator.
#[derive(Clone, Debug)]
pub enum Attribute {
    /// A whole number.
    Int(i64),
    /// Whole numbers.
    Ints(Vec<i64>),
    /// A float.
    Float(f32),
    /// Floats.
    Floats(Vec<f32>),
    /// Texts.
    Strings(Vec<String>),
}

impl From<i64> for Attribute {
    fn from(value: i64) -> Self {
        Attribute::Int(value)
    }
}

impl From<usize> for Attribute {
    fn from(value: usize) -> Self {
        Attribute::Int(value as i64)
    }
}

impl From<f64> for Attribute {
    fn from(value: f64) -> Self {
        Attribute::Float(value as f32)
    }
}

impl From<&[usize]> for Attribute {
    fn from(values: &[usize]) -> Self {
        Attribute::Ints(values.iter().map(|&v| v as i64).collect())
    }
}

impl Attribute {
    fn message(&self, name: &str) -> Message {
        let message = Message::new().text(1, name);
        match self {
            Attribute::Float(value) => message.float(2, *value).int(20, 1),
            Attribute::Int(value) => message.int(3, *value).int(20, 2),
            Attribute::Floats(values) => message.floats(7, values).int(20, 6),
            Attribute::Ints(values) => message.ints(8, values.iter().copied()).int(20, 7),
            Attribute::Strings(values) => message.texts(9, values.iter().map(String::as_str)).int(20, 8),
        }
    }
}

/// A graph of operators that is being built.
///
/// ```
/// use rekindle_nn::onnx::{self, Graph, Type};
/// use rekindle_nn::{Linear, sequential};
/// // Brightness from 0 to 255 goes in, and the net wants it from 0 to 1.
/// let net = sequential![Linear::new(4, 2)];
/// let mut graph = Graph::new();
/// let x = graph.input("pixels", Type::Float, &[4], "brightness from 0 to 255");
/// let most = graph.number(&x, 255.0);
/// let x = graph.op("Div", &[&x, &most], &[]);
/// let y = onnx::add(&mut graph, &net, &x)?;
/// graph.output("scores", &y, "");
/// let bytes = graph.finish(&[("author", "me")])?;
/// # let _ = bytes;
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Default)]
pub struct Graph {
    nodes: Vec<Message>,
    constants: Vec<Message>,
    inputs: Vec<Message>,
    outputs: Vec<Message>,
    /// Every name of an edge, which is there once, and how often it was asked for again.
    names: HashMap<String, usize>,
    /// The layer that is being added, as in the names of weights: `0.`.
    scope: String,
    /// Whether operators of [`ML`] are among the nodes.
    ml: bool,
    /// What goes in and comes out, for people.
    takes: Vec<String>,
    gives: Vec<String>,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Graph {
        Graph::default()
    }

    /// Adds an input: a batch of samples of this shape. `about` is what a user has to know of it.
    pub fn input(&mut self, name: &str, kind: Type, sample: &[usize], about: &str) -> Value {
        let value = Value { name: self.fresh(name), kind, shape: [&[BATCH], sample].concat() };
        self.inputs.push(value_info(&value, about));
        self.takes.push(described(&value));
        value
    }

    /// Makes a value an output of the graph under this name.
    pub fn output(&mut self, name: &str, value: &Value, about: &str) {
        let output = Value { name: self.fresh(name), ..value.clone() };
        self.node("Identity", &[value], &output.name, &[]);
        self.outputs.push(value_info(&output, about));
        self.gives.push(described(&output));
    }

    /// The inputs and the outputs, each with its name, type and shape: `input float [batch, 4]`.
    pub fn described(&self) -> (&[String], &[String]) {
        (&self.takes, &self.gives)
    }

    /// Adds an operator, of the domain `ai.onnx.ml` if its name begins so. The value that it gives has the shape and the type of its first input, unless
    /// [`shaped`](Value::shaped) and [`typed`](Value::typed) say otherwise.
    pub fn op(&mut self, op: &str, inputs: &[&Value], attributes: &[(&str, Attribute)]) -> Value {
        let name = self.fresh(&format!("{}/{op}", self.scope.trim_end_matches('.')));
        self.node(op, inputs, &name, attributes);
        Value { name, ..inputs[0].clone() }
    }

    /// Adds an operator that takes `x` and tensors of a layer, those that it has.
    pub fn layer_op(
        &mut self,
        op: &str,
        x: &Value,
        own: &[(&str, Option<&Tensor>)],
        attributes: &[(&str, Attribute)],
    ) -> Value {
        let there = own.iter().filter_map(|(name, tensor)| Some((*name, (*tensor)?)));
        let own: Vec<Value> = there.map(|(name, tensor)| self.tensor(name, tensor)).collect();
        let inputs: Vec<&Value> = std::iter::once(x).chain(&own).collect();
        self.op(op, &inputs, attributes)
    }

    /// A constant tensor, named as among the weights of the layer that is being added.
    pub fn tensor(&mut self, name: &str, tensor: &Tensor) -> Value {
        let kind = Type::of(tensor.dtype());
        let value = Value {
            name: self.fresh(&format!("{}{name}", self.scope)),
            kind,
            shape: tensor.shape().to_vec(),
        };
        let raw = crate::file::raw_bytes(&tensor.cpu());
        let dims = tensor.shape().iter().map(|&n| n as i64);
        let message = Message::new().ints(1, dims).int(2, kind as i64).text(8, &value.name).bytes(9, &raw);
        self.constants.push(message);
        value
    }

    /// A number of the type of `like`.
    pub fn number(&mut self, like: &Value, number: f64) -> Value {
        let dtype = like.zeros().dtype();
        self.tensor("/constant", &Tensor::full([], number).to(dtype))
    }

    /// `x` with elements of another type.
    pub fn cast(&mut self, x: &Value, kind: Type) -> Value {
        self.op("Cast", &[x], &[("to", Attribute::Int(kind as i64))]).typed(kind)
    }

    /// The elements of `x` in another shape; its first size means nothing: it is what is left for it.
    pub fn reshape(&mut self, x: &Value, shape: &[usize]) -> Value {
        let sizes: Vec<i64> =
            shape.iter().enumerate().map(|(i, &n)| if i == 0 { -1 } else { n as i64 }).collect();
        let n = sizes.len();
        let sizes = self.tensor("/shape", &Tensor::from_vec(sizes, [n]));
        self.op("Reshape", &[x, &sizes], &[]).shaped(shape)
    }

    /// What `f` adds belongs to the child of this name.
    pub fn within<R>(&mut self, name: &str, f: impl FnOnce(&mut Graph) -> R) -> R {
        let length = self.scope.len();
        self.scope += name;
        self.scope.push('.');
        let result = f(self);
        self.scope.truncate(length);
        result
    }

    /// The bytes of the file, with notes beside the graph.
    ///
    /// # Errors
    /// If they were more than 2 GB, which no reader takes.
    pub fn finish(self, metadata: &[(&str, &str)]) -> Result<Vec<u8>, String> {
        let graph = Message::new()
            .messages(1, self.nodes)
            .text(2, "rekindle")
            .messages(5, self.constants)
            .messages(11, self.inputs)
            .messages(12, self.outputs);
        let opset = |domain: &str, version| Message::new().text(1, domain).int(2, version);
        let note = |(key, value): &(&str, &str)| Message::new().text(1, key).text(2, value);
        let model = Message::new()
            .int(1, IR_VERSION)
            .text(2, "rekindle")
            .text(3, env!("CARGO_PKG_VERSION"))
            .message(7, graph)
            .message(8, opset("", OPSET))
            .messages(8, self.ml.then(|| opset(ML, ML_OPSET)))
            .messages(14, metadata.iter().map(note));
        match model.len() > i32::MAX as usize {
            true => Err(format!("onnx: the file would have {} bytes, and readers take 2 GB", model.len())),
            false => Ok(model.into_bytes()),
        }
    }

    fn node(&mut self, op: &str, inputs: &[&Value], output: &str, attributes: &[(&str, Attribute)]) {
        let (domain, op) = op.rsplit_once('.').unwrap_or(("", op));
        self.ml |= domain == ML;
        let node = Message::new()
            .texts(1, inputs.iter().map(|value| value.name.as_str()))
            .text(2, output)
            .text(3, output)
            .text(4, op)
            .messages(5, attributes.iter().map(|(name, attribute)| attribute.message(name)));
        self.nodes.push(if domain.is_empty() { node } else { node.text(7, domain) });
    }

    /// The name, or if it is taken, the next free one of `NAME_1`, `NAME_2`, ..
    fn fresh(&mut self, name: &str) -> String {
        let (mut free, mut again) = (name.to_string(), self.names.get(name).copied().unwrap_or(0));
        while self.names.contains_key(&free) {
            again += 1;
            free = format!("{name}_{again}");
        }
        self.names.insert(name.to_string(), again);
        self.names.entry(free.clone()).or_insert(0);
        free
    }
}

/// The first dimension is the batch; if a layer has joined it with others, nothing is said about it.
fn value_info(value: &Value, about: &str) -> Message {
    let size = |(i, &n): (usize, &usize)| match (i, n) {
        (0, BATCH) => Message::new().text(2, "batch"),
        (0, _) => Message::new(),
        _ => Message::new().int(1, n as i64),
    };
    let shape = Message::new().messages(1, value.shape.iter().enumerate().map(size));
    let tensor = Message::new().int(1, value.kind as i64).message(2, shape);
    Message::new().text(1, &value.name).message(2, Message::new().message(1, tensor)).text(3, about)
}

fn described(value: &Value) -> String {
    let sizes = value.shape.iter().skip(1).map(|n| format!(", {n}")).collect::<String>();
    format!("{} {} [batch{sizes}]", value.name, value.kind.name())
}
