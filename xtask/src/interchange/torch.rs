//! Weights to PyTorch and back.

use super::cases::nested;
use super::{TOLERANCE, text};
use crate::say;
use rekindle::nn::{Module, Parameters, Sequential, StateDict};
use rekindle::train::{RunDir, Weights, build_net};
use rekindle::{Tensor, manual_seed, no_grad};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Nets of words that recipes and PyTorch have, and the shape of a sample.
const NETS: &[(&str, &[&str], &[usize])] = &[
    (
        "linear",
        &["Linear(5, 8)", "BatchNorm1d(8)", "LeakyReLU(0.1)", "Dropout(0.3)", "Linear(8, 3)", "Softmax(1)"],
        &[5],
    ),
    (
        "convolutional",
        &[
            "Conv2d(2, 4, 3, stride=2, padding=1, groups=2)",
            "BatchNorm2d(4)",
            "GELU",
            "MaxPool2d(2)",
            "Conv2d(4, 6, 2)",
            "SiLU",
            "AdaptiveAvgPool2d(2)",
            "Dropout2d(0.1)",
            "Flatten",
            "LayerNorm(24)",
            "Tanh",
            "Linear(24, 4)",
            "LogSoftmax(1)",
        ],
        &[2, 12, 12],
    ),
    ("small", &["AvgPool2d(2)", "Identity", "Sigmoid", "Flatten", "ReLU", "Linear(9, 1)"], &[1, 6, 6]),
];

/// A net, and what PyTorch is asked about.
pub struct Net {
    name: &'static str,
    net: Sequential,
    x: Tensor,
}

/// Writes weights and our answers: of some nets, and of a trained run.
pub fn write(folder: &Path, run: &RunDir) -> Result<Vec<Net>, String> {
    manual_seed(11);
    let mut nets = Vec::new();
    for (name, words, shape) in NETS {
        let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        let net = build_net(&words)?;
        no_grad(|| net.forward(&Tensor::randn([&[9], *shape].concat())));
        net.save(folder.join(format!("{name}.safetensors"))).map_err(text)?;
        nets.push((words, Net { name, net, x: Tensor::randn([&[7], *shape].concat()) }));
    }
    let model = run.model(Weights::Final).map_err(text)?;
    fs::copy(run.path().join("model.safetensors"), folder.join("run.safetensors")).map_err(text)?;
    let net = Net { name: "run", net: model.net, x: Tensor::rand([7, 1, 28, 28]) };
    nets.push((model.recipe.net, net));
    for (words, Net { name, net, x }) in &nets {
        net.eval();
        let y = no_grad(|| net.forward(x));
        let case =
            json!({"net": words, "weights": format!("{name}.safetensors"), "x": nested(x), "y": nested(&y)});
        fs::write(folder.join(format!("{name}.json")), case.to_string()).map_err(text)?;
    }
    Ok(nets.into_iter().map(|(_, net)| net).collect())
}

/// Reads what PyTorch has written: safetensors with its answers, and pickles, which are refused.
pub fn read(folder: &Path, nets: &[Net], run: &RunDir, python: &Path) -> Result<(), String> {
    for Net { name, net, x } in nets {
        let folder = folder.join(name);
        let answers = fs::read_to_string(folder.join("answers.json")).map_err(text)?;
        let answers: Value = serde_json::from_str(&answers).map_err(text)?;
        let worst = |net: &Sequential| {
            let y = no_grad(|| net.forward(x));
            difference(&nested(&y), &answers["y"])
        };
        net.load(folder.join("from_torch.safetensors")).map_err(text)?;
        let mut found = worst(net);
        if *name == "run" {
            let model = run.model_with(&folder.join("from_torch.safetensors")).map_err(text)?;
            if model.signature.is_none() {
                return Err("the model of PyTorch's weights does not know what the run's data is like".into());
            }
            found = found.max(worst(&model.net));
        }
        let converted = convert(&folder, python)?;
        net.load(&converted).map_err(text)?;
        found = found.max(worst(net));
        say!("  {name:<36} {found:.1e}");
        if found > TOLERANCE || found.is_nan() {
            return Err(format!("{name}: with PyTorch's weights the answers are not PyTorch's"));
        }
    }
    say!("from torch: {} cases, 0 wrong", nets.len());
    Ok(())
}

/// Both kinds of pickles are refused, and what the refusal says to do makes a file that is read.
fn convert(folder: &Path, python: &Path) -> Result<std::path::PathBuf, String> {
    let mut code = String::new();
    for name in ["legacy.pt", "model.pt"] {
        let refused = StateDict::load(folder.join(name)).err().map(|e| e.reason).unwrap_or_default();
        let cure = refused.strip_prefix("a PyTorch pickle, ").and_then(|rest| rest.split_once("in Python: "));
        code = cure.ok_or(format!("{name}: a pickle was not refused, but: {refused}"))?.1.to_string();
    }
    let status = Command::new(python).args(["-c", &code]).current_dir(folder).status().map_err(text)?;
    match status.success() {
        true => Ok(folder.join("model.safetensors")),
        false => Err(format!("the way to convert a pickle fails: {code}")),
    }
}

/// The largest difference of lists in lists; infinite where their shapes differ.
fn difference(a: &Value, b: &Value) -> f64 {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).map(|(a, b)| difference(a, b)).fold(0.0, f64::max)
        }
        _ => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => (a - b).abs() / b.abs().max(1.0),
            _ => f64::INFINITY,
        },
    }
}
