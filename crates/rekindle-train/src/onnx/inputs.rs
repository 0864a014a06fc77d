//! What is done to inputs before a net sees them, in ONNX's operators.

use super::table;
use crate::arrays::ArrayInput;
#[cfg(feature = "images")]
use crate::signature::ImageInput;
use crate::signature::Input;
use rekindle_nn::onnx::{Graph, Type, Value};
use rekindle_tensor::Tensor;

/// Adds the inputs of the file and what becomes of them, and says what has to be done before.
///
/// # Errors
/// If a damaged file has a table without columns.
pub(super) fn add(graph: &mut Graph, input: &Input) -> Result<(Value, String), String> {
    Ok(match input {
        Input::Numbers(shape) => {
            let x = graph.input("input", Type::Float, shape, "numbers as the net takes them");
            (x, "none: the input goes into the net as it is".into())
        }
        Input::Table(encoder) => (table::add(graph, encoder)?, table::BEFORE.into()),
        Input::Arrays(arrays) => (of_arrays(graph, arrays), "none: samples are as in the file".into()),
        #[cfg(feature = "images")]
        Input::Images(images) => (of_images(graph, images), before_images(images)),
    })
}

/// As `ArrayInput::inputs`. What is standardised is taken as f64, in which means and deviations are.
fn of_arrays(graph: &mut Graph, input: &ArrayInput) -> Value {
    let ArrayInput { shape, pixels, flatten, mean, std, .. } = input;
    let kind = match (pixels, mean.is_empty()) {
        (true, _) => Type::Uint8,
        (false, true) => Type::Float,
        (false, false) => Type::Double,
    };
    let mut x = graph.input("input", kind, shape, "a sample as in the file");
    if let Some([channels, rows, columns]) = input.image() {
        x = graph.cast(&x, Type::Float);
        let most = graph.number(&x, 255.0);
        x = graph.op("Div", &[&x, &most], &[]);
        // Channels come first in nets.
        let to = [x.shape()[0], channels, rows, columns];
        x = match x.dim() {
            3 => graph.reshape(&x, &to),
            _ => graph.op("Transpose", &[&x], &[("perm", [0usize, 3, 1, 2][..].into())]).shaped(&to),
        };
    }
    if !mean.is_empty() {
        x = standardised(
            graph,
            &x,
            mean,
            &std.iter().map(|&s| if s == 0.0 { 1.0 } else { s }).collect::<Vec<_>>(),
        );
    }
    if *flatten && x.dim() > 2 { flattened(graph, &x) } else { x }
}

/// `(x - mean) / std` of each column in f64, as f32.
pub(super) fn standardised(graph: &mut Graph, x: &Value, mean: &[f64], std: &[f64]) -> Value {
    let row = |values: &[f64]| Tensor::from_vec(values.to_vec(), [1, values.len()]);
    let x = graph.layer_op("Sub", x, &[("mean", Some(&row(mean)))], &[]);
    let x = graph.layer_op("Div", &x, &[("std", Some(&row(std)))], &[]);
    graph.cast(&x, Type::Float)
}

fn flattened(graph: &mut Graph, x: &Value) -> Value {
    graph.reshape(x, &[x.shape()[0], x.shape()[1..].iter().product()])
}

#[cfg(feature = "images")]
fn of_images(graph: &mut Graph, input: &ImageInput) -> Value {
    let ImageInput { spec, mean, std, flatten } = input;
    let [rows, columns] = spec.size;
    let about = "brightness from 0 to 1; what has to be done before is among the metadata";
    let mut x = graph.input("input", Type::Float, &[spec.channels, rows, columns], about);
    let per_channel = |values: &[f64]| {
        let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
        (!values.is_empty()).then(|| Tensor::from_vec(values, [spec.channels, 1, 1]))
    };
    for (op, name, values) in [("Sub", "mean", per_channel(mean)), ("Div", "std", per_channel(std))] {
        if values.is_some() {
            x = graph.layer_op(op, &x, &[(name, values.as_ref())], &[]);
        }
    }
    if *flatten { flattened(graph, &x) } else { x }
}

#[cfg(feature = "images")]
fn before_images(input: &ImageInput) -> String {
    let ([rows, columns], grey) = (input.spec.size, input.spec.channels == 1);
    let colour = if grey { "to grey (ITU-R 601, as Pillow's convert(\"L\"))" } else { "to RGB" };
    format!(
        "convert {colour}, resize to {rows} rows and {columns} columns with a triangle filter that sees every pixel (Pillow's BILINEAR), \
         divide by 255, put the channels first"
    )
}
