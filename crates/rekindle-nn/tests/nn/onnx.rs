//! Networks as ONNX: `cargo xtask interchange` runs them in onnxruntime; here is what they are made of.

use rekindle_nn::onnx::{self, Graph, Type, Value};
use rekindle_nn::*;
use rekindle_tensor::Tensor;
use std::collections::BTreeSet;

/// The fields of a message that have bytes, read by the rules of protocol buffers: their numbers and these.
fn fields(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (&first, rest) = bytes.split_first().expect("a varint");
            *bytes = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first < 0x80 {
                break;
            }
        }
        value
    }
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let length = match key & 7 {
            0 => {
                varint(&mut bytes);
                continue;
            }
            5 => 4,
            _ => varint(&mut bytes) as usize,
        };
        let (inside, rest) = bytes.split_at(length);
        all.push((key >> 3, inside));
        bytes = rest;
    }
    all
}

/// The messages or texts of one number.
fn all(bytes: &[u8], number: u64) -> Vec<&[u8]> {
    fields(bytes).into_iter().filter(|(n, _)| *n == number).map(|(_, bytes)| bytes).collect()
}

fn texts(bytes: &[u8], number: u64) -> String {
    let texts = all(bytes, number).into_iter().map(|text| std::str::from_utf8(text).unwrap());
    texts.collect::<Vec<_>>().join(", ")
}

/// A line for each operator, constant, input and output of a file.
fn shown(file: &[u8]) -> String {
    let mut text = String::new();
    for graph in all(file, 7) {
        for (kind, number) in [("input", 11), ("constant", 5), ("output", 12)] {
            for value in all(graph, number) {
                text += &format!("{kind} {}\n", texts(value, if number == 5 { 8 } else { 1 }));
            }
        }
        for node in all(graph, 1) {
            let attributes: Vec<String> = all(node, 5).into_iter().map(|a| texts(a, 1)).collect();
            text += &format!("{} = {}({})", texts(node, 2), texts(node, 4), texts(node, 1));
            text += &format!(" {}", attributes.join(" "));
            text = text.trim_end().to_string() + "\n";
        }
    }
    text
}

#[test]
fn every_layer_has_a_form_in_onnx() {
    // Everything that layers/mod.rs exports is a layer.
    let exported: BTreeSet<&str> = include_str!("../../src/layers/mod.rs")
        .split("pub use ")
        .skip(1)
        .flat_map(|uses| uses.split(';').next().unwrap().split(|c: char| !c.is_alphanumeric()))
        .filter(|word| word.starts_with(char::is_uppercase))
        .collect();
    let names: Vec<String> = samples().iter().map(|sample| sample.layer.type_name()).collect();
    let missing: Vec<&&str> = exported.iter().filter(|name| !names.iter().any(|n| n == **name)).collect();
    assert!(missing.is_empty(), "add a line to layers/samples.rs for {missing:?}");
    assert!(exported.len() >= 40, "{exported:?}");
    for sample in samples() {
        let exported = onnx::export(&sample.layer, &sample.batch(2));
        exported.unwrap_or_else(|e| panic!("{}: {e}", sample.layer.type_name()));
    }
}

#[test]
fn a_net_is_its_layers_with_pytorch_s_names() {
    let block = sequential![Conv2d::new(1, 4, 3), BatchNorm2d::new(4), SiLU];
    let net = sequential![block, MaxPool2d::new(2), Flatten::new(), Dropout::new(0.5), Linear::new(4, 2)];
    let file = onnx::export(&net, &Tensor::zeros([1, 1, 4, 4])).unwrap();
    assert_eq!((texts(&file, 2).as_str(), texts(&file, 3).as_str()), ("rekindle", env!("CARGO_PKG_VERSION")));
    insta::assert_snapshot!(shown(&file));
}

#[test]
fn exporting_changes_nothing() {
    let net = sequential![BatchNorm1d::new(3), Dropout::new(0.5), Linear::new(3, 2)];
    let before = net.state_dict();
    onnx::export(&net, &Tensor::ones([4, 3])).unwrap();
    for (name, tensor) in net.state_dict().iter() {
        assert!(tensor.bitwise_eq(before.get(name).unwrap()), "{name}");
    }
}

#[derive(Parameters)]
struct Twice {
    layer: Linear,
}

impl Module for Twice {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.layer.forward(x) * 2.0
    }
}

#[derive(Parameters)]
struct Residual(Linear);

impl Module for Residual {
    fn forward(&self, x: &Tensor) -> Tensor {
        x + self.0.forward(x)
    }
    fn onnx(&self, graph: &mut Graph, x: &Value) -> Result<Value, String> {
        let y = graph.within("0", |graph| self.0.onnx(graph, x))?;
        Ok(graph.op("Add", &[x, &y], &[]))
    }
}

#[test]
fn nets_of_one_s_own_say_how_their_layers_are_joined() {
    let net = sequential![Residual(Linear::new(3, 3)), Residual(Linear::new(3, 3))];
    let shown = shown(&onnx::export(&net, &Tensor::ones([4, 3])).unwrap());
    assert!(shown.contains("1.0/Gemm = Gemm(0/Add, 1.0.weight, 1.0.bias) transB\n"), "{shown}");
    assert!(shown.ends_with("1/Add = Add(0/Add, 1.0/Gemm)\noutput = Identity(1/Add)\n"), "{shown}");
}

#[test]
fn what_cannot_be_in_onnx_is_an_error_of_one_line() {
    let says = |net: &dyn Module, shape: &[usize]| onnx::export(net, &Tensor::zeros(shape)).unwrap_err();
    let twice = sequential![ReLU, Twice { layer: Linear::new(3, 3) }];
    assert_eq!(
        says(&twice, &[1, 3]),
        "Twice: it has no form in ONNX; give its module the method `onnx` (layer 1, Twice)"
    );
    assert!(says(&sequential![Linear::new(3, 3)], &[1, 4]).contains("(layer 0, Linear)"));
    assert!(says(&Unflatten::new(0, [1, 2]), &[2]).starts_with("unflatten: in ONNX the batch"));
    let flat = says(&Conv2d::new(3, 1, 1), &[3, 4, 4]);
    assert_eq!(flat, "conv2d: in ONNX the input has 4 dimensions, a batch; got [2, 4, 4]");
    assert!(says(&BatchNorm1d::new(3), &[1, 4]).contains("of 3 channels, got [2, 4]"));
    assert!(says(&ReLU, &[]).contains("the example is no batch"));
}

#[test]
fn names_are_there_once_and_classical_operators_declare_their_domain() {
    let mut graph = Graph::new();
    let x = graph.input("x", Type::Float, &[1], "a number");
    let other = graph.input("x", Type::Float, &[1], "another");
    let y = graph.op("Add", &[&x, &other], &[]);
    graph.output("x", &y, "");
    assert_eq!(graph.described().0, ["x float [batch, 1]", "x_1 float [batch, 1]"]);
    assert_eq!(graph.described().1, ["x_2 float [batch, 1]"]);
    let file = graph.finish(&[("key", "value")]).unwrap();
    assert_eq!(all(&file, 8).len(), 1);
    assert_eq!((texts(all(&file, 14)[0], 1), texts(all(&file, 14)[0], 2)), ("key".into(), "value".into()));

    let mut graph = Graph::new();
    let x = graph.input("town", Type::String, &[1], "");
    let y = graph.op("ai.onnx.ml.LabelEncoder", &[&x], &[]).typed(Type::Int64);
    graph.output("y", &y, "");
    let domains: Vec<String> = all(&graph.finish(&[]).unwrap(), 8).into_iter().map(|o| texts(o, 1)).collect();
    assert_eq!(domains, ["", "ai.onnx.ml"]);
}
