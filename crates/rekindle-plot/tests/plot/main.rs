//! What can be relied on in every picture.

mod bytes;
mod large;
mod pages;
mod robust;
mod true_to_data;

use rekindle_plot as plot;
use rekindle_tensor::{Tensor, tensor};

/// A net whose probability of class 1 grows to the right.
fn rightward(x: &Tensor) -> Tensor {
    (x.select(1, 0) * 8.0).sigmoid()
}

/// A small picture of every kind.
fn every_kind() -> Vec<(&'static str, plot::Plot)> {
    let (x, y) = (tensor([[-1.0, 0.5], [-0.5, -0.5], [0.7, 0.2], [1.0, 1.0]]), tensor([0, 0, 1, 1]));
    let (a, b) = (tensor([0.0, 0.5, 1.0]), tensor([1.0, 2.0, 3.0]));
    let curve = [(1.0, 0.9), (2.0, 0.4), (3.0, 0.2)];
    let (up, down) = ([0.0, 0.5, 1.0], [1.0, 0.5, 0.0]);
    let panels = [("Train", &x, &y), ("Test", &x, &y)];
    let images = Tensor::linspace(0.0, 1.0, 32).reshape([2, 4, 4]);
    vec![
        ("scatter", plot::scatter(&x, &y)),
        ("decision_boundary", plot::decision_boundary(&rightward, &panels)),
        ("probability_surface", plot::probability_surface(&rightward, &panels)),
        ("predictions", plot::predictions((&a, &b), (&b, &a), Some(&a))),
        ("curves", plot::curves(&[("train", &curve), ("검증", &curve)], "loss")),
        ("history", plot::history(&[("train", &curve)], &[("train", &curve)])),
        ("learning_rate", plot::learning_rate(&curve)),
        ("activation", plot::activation("ReLU", &|x| x.relu(), (-1.0, 1.0))),
        ("activations", plot::activations(&[("ReLU", &|x| x.relu()), ("Tanh", &|x| x.tanh())], (-1.0, 1.0))),
        ("image_grid", plot::image_grid(&images, &tensor([0, 1]))),
        ("image_predictions", plot::image_predictions(&images, &tensor([0, 1]), &tensor([0.2, 0.4]))),
        ("confusion_matrix", plot::confusion_matrix(&[vec![5, 1], vec![2, 7]])),
        ("roc", plot::roc(&[("net", &up, &up, 0.5)])),
        ("precision_recall", plot::precision_recall(&[("net", &up, &down, 0.5)])),
        ("reliability", plot::reliability(&[(0.2, 0.1, 5), (0.8, 0.9, 17)])),
        ("weights_histogram", plot::weights_histogram(&[("weight", &a), ("bias", &b)])),
    ]
}

/// The paths of a document: attributes and outline of each.
fn paths(svg: &str) -> impl Iterator<Item = (&str, &str)> {
    svg.lines().filter_map(|line| line.strip_prefix("<path")?.strip_suffix("\"/>")?.split_once(" d=\""))
}

/// The points at which an outline starts, in pixels.
fn starts(outline: &str) -> Vec<(f64, f64)> {
    let number =
        |text: &str| text.split(|c: char| !(c.is_ascii_digit() || c == '-')).next()?.parse::<f64>().ok();
    let start = |part: &str| {
        let (x, rest) = part.split_once(' ')?;
        Some((number(x)? / 20.0, number(rest)? / 20.0))
    };
    outline.split('M').skip(1).filter_map(start).collect()
}

/// About where a text stands, in pixels.
fn place_of(svg: &str, text: &str) -> (f64, f64) {
    let label = format!("aria-label=\"{text}\"");
    let (_, outline) =
        paths(svg).find(|(attributes, _)| attributes.contains(&label)).unwrap_or_else(|| panic!("{text}"));
    starts(outline)[0]
}
