//! A regression of one feature: the data, and what the net predicts.

use crate::axis::Axis;
use crate::canvas::{Canvas, Rect};
use crate::classes;
use crate::color::{self, WHITE};
use crate::legend::{Entry, Sign};
use crate::notes;
use crate::panel::{Axes, Panel};
use crate::plot::{Chart, Options, Plot};
use crate::scatter::MOST_POINTS;
use rekindle_tensor::Tensor;

/// Draws training data, test data and, if there are some, predictions at the test inputs: the `plot_predictions` of PyTorch
/// courses.
///
/// All tensors are `[n]` or `[n, 1]`. Of more than 5,000 points of a set every k-th is drawn, and the picture says so.
///
/// # Panics
/// If the shapes do not fit.
///
/// ```
/// # use rekindle_plot as plot;
/// use rekindle_tensor::tensor;
/// let (x, y) = (tensor([0.0, 0.1, 0.2]), tensor([0.3, 0.37, 0.44]));
/// let (x_test, y_test) = (tensor([0.3, 0.4]), tensor([0.51, 0.58]));
/// let predicted = &x_test * 0.5 + 0.4;
/// plot::predictions((&x, &y), (&x_test, &y_test), Some(&predicted)).draw();
/// ```
#[track_caller]
pub fn predictions(train: (&Tensor, &Tensor), test: (&Tensor, &Tensor), predicted: Option<&Tensor>) -> Plot {
    let mut sets = vec![Set::new("training data", train), Set::new("test data", test)];
    sets.extend(predicted.map(|y| Set::new("predictions", (test.0, y))));
    Plot::new(Predictions { sets })
}

struct Predictions {
    sets: Vec<Set>,
}

/// Points under a name, and what was left out of them.
struct Set {
    name: &'static str,
    points: Vec<(f64, f64)>,
    finite: usize,
    given: usize,
}

impl Set {
    #[track_caller]
    fn new(name: &'static str, (x, y): (&Tensor, &Tensor)) -> Set {
        let who = "predictions";
        let (x, y) = (classes::column(who, "x", x), classes::column(who, "y", y));
        classes::same_length(who, ("x", x.len()), ("y", y.len()));
        let given = x.len();
        let all: Vec<_> = x.into_iter().zip(y).filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
        let finite = all.len();
        let step = finite.div_ceil(MOST_POINTS).max(1);
        let points = all.into_iter().step_by(step).collect();
        Set { name, points, finite, given }
    }
}

impl Chart for Predictions {
    fn title(&self) -> String {
        "Predictions".into()
    }

    fn legend(&self, _: &Options) -> Vec<Entry> {
        let entry =
            |(i, set): (usize, &Set)| Entry { sign: Sign::Marker(i, color::class(i)), name: set.name.into() };
        self.sets.iter().enumerate().map(entry).collect()
    }

    fn notes(&self, _: &Options) -> Vec<String> {
        let note = |set: &Set| {
            let drawn = notes::drawn(set.name, set.points.len(), set.finite, "points");
            drawn.into_iter().chain(notes::not_finite(set.name, set.given - set.finite, set.given, "points"))
        };
        self.sets.iter().flat_map(note).collect()
    }

    fn draw(&self, canvas: &Canvas, body: Rect, options: &Options) {
        let all = || self.sets.iter().flat_map(|set| &set.points);
        let axes = Axes {
            title: "",
            x: Axis::around(all().map(|p| p.0), 0.04),
            y: Axis::around(all().map(|p| p.1), 0.04),
            x_label: options.x_label("x"),
            y_label: options.y_label("y"),
            grid: true,
            gutter: None,
        };
        let panel = Panel::new(canvas, body, axes);
        for (i, set) in self.sets.iter().enumerate() {
            for point in &set.points {
                panel.marker(*point, i, 4.0, WHITE);
            }
        }
        panel.finish(all().next().is_none());
    }
}
