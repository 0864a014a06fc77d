//! Activation functions.

use crate::axis::{Axis, span};
use crate::canvas::{Canvas, Rect};
use crate::color::{self, GREY};
use crate::notes;
use crate::panel::{Axes, MOST_PANELS, Panel};
use crate::plot::{Chart, Options, Plot};
use rekindle_tensor::{Tensor, mistake, no_grad};

/// A function of tensors under a name: `("ReLU", &|x| x.relu())`.
pub type Named<'a> = (&'a str, &'a dyn Fn(&Tensor) -> Tensor);

/// Draws one activation function between `low` and `high`.
///
/// The function gets a float tensor `[n]` and must keep its shape.
///
/// # Panics
/// If it does not, or `low` is not below `high`.
///
/// ```
/// # use rekindle_plot as plot;
/// plot::activation("Sigmoid", &|x| x.sigmoid(), (-6.0, 6.0)).draw();
/// ```
#[track_caller]
pub fn activation(name: &str, function: &dyn Fn(&Tensor) -> Tensor, range: (f64, f64)) -> Plot {
    activations(&[(name, function)], range)
}

/// Draws activation functions beside each other, each in its own panel; the first 99 of them.
///
/// # Panics
/// As [`activation`].
///
/// ```
/// # use rekindle_plot as plot;
/// plot::activations(&[("ReLU", &|x| x.relu()), ("Tanh", &|x| x.tanh())], (-4.0, 4.0)).draw();
/// ```
#[track_caller]
pub fn activations(functions: &[Named], (low, high): (f64, f64)) -> Plot {
    if !(low < high && (high - low).is_finite()) {
        mistake!(
            "activations: the range must run upward between finite ends, got {low} to {high}; try (-4.0, 4.0)"
        );
    }
    let x = Tensor::linspace(low, high, SAMPLES);
    let inputs = x.to_f64_vec();
    let mut curves = Vec::new();
    for (name, function) in functions.iter().take(MOST_PANELS) {
        let y = no_grad(|| function(&x));
        if y.shape() != [SAMPLES] {
            mistake!(
                "activations: {name} must keep the shape [{SAMPLES}], got {:?}; work element by element",
                y.shape()
            );
        }
        curves.push((name.to_string(), inputs.iter().copied().zip(y.to_f64_vec()).collect()));
    }
    Plot::new(Activations { curves, given: functions.len() })
}

/// Where a function is sampled: an odd number, so that 0 is among them in a symmetric range.
const SAMPLES: usize = 801;

struct Activations {
    curves: Vec<(String, Vec<(f64, f64)>)>,
    given: usize,
}

impl Activations {
    fn columns(&self) -> usize {
        match self.curves.len() {
            0..=1 => 1,
            2 | 4 => 2,
            3 | 5..=9 => 3,
            _ => 4,
        }
    }
}

impl Chart for Activations {
    fn title(&self) -> String {
        match self.curves.as_slice() {
            [(name, _)] => name.clone(),
            _ => "Activation functions".into(),
        }
    }

    fn size(&self, _: &Options) -> (u32, u32) {
        let rows = self.curves.len().div_ceil(self.columns()).max(1);
        match self.curves.len() {
            0..=1 => (700, 480),
            _ => (340 * self.columns() as u32, (60 + 270 * rows as u32).min(10_000)),
        }
    }

    fn notes(&self, _: &Options) -> Vec<String> {
        notes::drawn("", self.curves.len(), self.given, "functions").into_iter().collect()
    }

    fn draw(&self, canvas: &Canvas, body: Rect, options: &Options) {
        let rows = self.curves.len().div_ceil(self.columns());
        for ((name, points), place) in self.curves.iter().zip(body.grid(rows, self.columns(), 14.0)) {
            let y = Axis::around(points.iter().map(|p| p.1), 0.08);
            let ends = span(points.iter().map(|p| p.0)).unwrap_or((0.0, 1.0));
            let axes = Axes {
                title: if self.curves.len() > 1 { name } else { "" },
                x: Axis::new(ends.0, ends.1),
                y: y.clone(),
                x_label: options.x_label("x"),
                y_label: options.y_label("y"),
                grid: true,
                gutter: None,
            };
            let panel = Panel::new(canvas, place, axes);
            if ends.0 < 0.0 && ends.1 > 0.0 {
                panel.line(&[(0.0, y.low), (0.0, y.high)], GREY, 1.0, 0);
            }
            if y.low < 0.0 && y.high > 0.0 {
                panel.line(&[ends.0, ends.1].map(|x| (x, 0.0)), GREY, 1.0, 0);
            }
            panel.line(points, color::class(0), 2.4, 0);
            panel.finish(points.iter().all(|p| !p.1.is_finite()));
        }
    }
}
