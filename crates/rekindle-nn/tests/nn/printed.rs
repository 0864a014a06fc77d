//! How networks and their summaries print.

use rekindle_nn::*;
use rekindle_tensor::{DType, Tensor};

fn convolutional() -> Sequential {
    sequential![
        Conv2d::new(1, 6, 5).padding(2),
        BatchNorm2d::new(6),
        ReLU,
        MaxPool2d::new(2),
        Flatten::new(),
        Dropout::new(0.5),
        Linear::new(6 * 14 * 14, 10),
    ]
}

#[derive(Parameters)]
struct Residual {
    layers: Vec<Linear>,
    norm: Option<LayerNorm>,
    scale: Tensor,
    mask: Buffer,
    rates: Vec<f64>,
}

impl Module for Residual {
    fn forward(&self, x: &Tensor) -> Tensor {
        let y = self.layers.iter().fold(x.clone(), |x, layer| &x + layer.forward(&x));
        observe(self, y * &self.scale)
    }
}

#[derive(Parameters)]
struct Net {
    embedding: Embedding,
    blocks: Vec<Box<dyn Module>>,
    head: Linear,
}

impl Module for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.embedding.forward(x).mean_dim(1, false);
        self.head.forward(&self.blocks.iter().fold(x, |x, block| block.forward(&x)))
    }
}

fn residual() -> Residual {
    Residual {
        layers: (0..3).map(|_| Linear::new(8, 8)).collect(),
        norm: Some(LayerNorm::new(8)),
        scale: parameter(Tensor::ones([8])),
        mask: Buffer(Tensor::ones([8])),
        rates: vec![0.1],
    }
}

fn net() -> Net {
    let blocks: Vec<Box<dyn Module>> =
        vec![Box::new(residual()), Box::new(GELU::new()), Box::new(residual())];
    Net { embedding: Embedding::new(100, 8), blocks, head: Linear::new(8, 2) }
}

#[test]
fn networks() {
    let frozen = Linear::new(2, 2);
    frozen.requires_grad_(false);
    insta::assert_snapshot!(format!("{}\n\n{}\n\n{}", convolutional(), net(), sequential![frozen, Tanh]));
}

#[test]
fn summaries() {
    let frozen = Linear::new(2, 2);
    frozen.requires_grad_(false);
    insta::assert_snapshot!(format!(
        "{}\n\n{}\n\n{}",
        summary(&convolutional(), [1, 28, 28]),
        summary_of(&net(), [5], DType::I64),
        summary(&sequential![frozen, Tanh], [2])
    ));
}

#[test]
fn modules_below_are_visited_once_children_first() {
    let mut seen = Vec::new();
    net().apply(|name, module| seen.push(format!("{name}:{}", module.type_name())));
    let before = |a: &str, b: &str| {
        let at = |name| seen.iter().position(|s| s == name).unwrap_or_else(|| panic!("{name} in {seen:?}"));
        at(a) < at(b)
    };
    assert!(
        before("blocks.0.layers.2:Linear", "blocks.0:Residual") && before("blocks.2:Residual", "head:Linear")
    );
    assert_eq!(seen.last().unwrap(), ":Net");
    let mut named: Vec<String> = net().named_modules().iter().map(|(n, t)| format!("{n}:{t}")).collect();
    assert_eq!(named[0], ":Net");
    assert!(!named.iter().any(|n| n.contains("rates")), "plain data is no module");
    named.sort();
    seen.sort();
    assert_eq!(named, seen);
}

#[test]
fn a_partial_load_changes_what_fits_and_refuses_other_shapes() {
    let (old, new) = (sequential![Linear::new(2, 3)], sequential![Linear::new(2, 3), Linear::new(3, 1)]);
    let head = new.get_parameter("1.weight").unwrap().to_vec::<f32>();
    new.load_state_dict_partial(&old.state_dict()).unwrap();
    assert_eq!(
        new.state_dict().get("0.weight").unwrap().to_vec::<f32>(),
        old.parameters()[0].to_vec::<f32>()
    );
    assert_eq!(new.get_parameter("1.weight").unwrap().to_vec::<f32>(), head);
    let other = sequential![Linear::new(4, 3)].state_dict();
    assert_eq!(new.load_state_dict_partial(&other).unwrap_err().shapes[0].0, "0.weight");
}
