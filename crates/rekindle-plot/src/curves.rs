//! Numbers over time: losses, accuracies, learning rates.

use crate::axis::Axis;
use crate::canvas::{Canvas, Rect};
use crate::color;
use crate::legend::{Entry, Sign};
use crate::notes;
use crate::panel::{Axes, MOST_CURVES, Panel};
use crate::plot::{Chart, Options, Plot};

/// A named curve: `("train", &[(epoch, loss), ..])`.
pub type Series<'a> = (&'a str, &'a [(f64, f64)]);

/// Draws curves over the epochs, each with its colour and dash: a loss, an accuracy or another metric.
///
/// The y axis is logarithmic if the label speaks of a loss, all values are positive and a quarter of them are less than a
/// thirtieth of the highest ([`Plot::log_y`] decides otherwise). A curve has a gap where a value is not finite. The first
/// 100 curves are drawn.
///
/// ```
/// # use rekindle_plot as plot;
/// let train = [(1.0, 0.69), (2.0, 0.52), (3.0, 0.41)];
/// let validation = [(1.0, 0.70), (2.0, 0.56), (3.0, 0.47)];
/// plot::curves(&[("train", &train), ("validation", &validation)], "loss").draw();
/// ```
pub fn curves(series: &[Series], y_label: &str) -> Plot {
    let title = y_label.chars().take(1).flat_map(char::to_uppercase).chain(y_label.chars().skip(1)).collect();
    Plot::new(Curves { title, x_label: "epoch".into(), panels: vec![Group::new(series, y_label)] })
}

/// Draws loss and accuracy of training and validation side by side.
///
/// ```
/// # use rekindle_plot as plot;
/// let (loss, accuracy) = ([(1.0, 0.69), (2.0, 0.52)], [(1.0, 0.5), (2.0, 0.8)]);
/// plot::history(&[("train", &loss)], &[("train", &accuracy)]).draw();
/// ```
pub fn history(loss: &[Series], accuracy: &[Series]) -> Plot {
    let panels = vec![Group::new(loss, "loss"), Group::new(accuracy, "accuracy")];
    Plot::new(Curves { title: "Training".into(), x_label: "epoch".into(), panels })
}

/// Draws the learning rate over the epochs (or over steps, see [`Plot::x_label`]). Each rate holds until the next.
///
/// ```
/// # use rekindle_plot as plot;
/// plot::learning_rate(&[(0.0, 0.1), (30.0, 0.01), (60.0, 0.001)]).x_label("step").draw();
/// ```
pub fn learning_rate(points: &[(f64, f64)]) -> Plot {
    let holds = points.windows(2).flat_map(|pair| [pair[0], (pair[1].0, pair[0].1)]);
    let steps: Vec<_> = holds.chain(points.last().copied()).collect();
    let panels = vec![Group::new(&[("learning rate", &steps)], "learning rate")];
    Plot::new(Curves { title: "Learning rate".into(), x_label: "epoch".into(), panels })
}

struct Curves {
    title: String,
    x_label: String,
    panels: Vec<Group>,
}

/// The curves of one panel.
pub(crate) struct Group {
    y_label: String,
    series: Vec<(String, Vec<(f64, f64)>)>,
    given: usize,
}

impl Group {
    pub(crate) fn new(series: &[Series], y_label: &str) -> Group {
        let given = series.len();
        let series = series.iter().take(MOST_CURVES);
        let series = series.map(|(name, points)| (name.to_string(), points.to_vec())).collect();
        Group { y_label: y_label.into(), series, given }
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        self.points().filter(|p| p.0.is_finite()).map(|p| p.1)
    }

    fn points(&self) -> impl Iterator<Item = &(f64, f64)> {
        self.series.iter().flat_map(|(_, points)| points)
    }

    /// Whether a logarithmic axis shows more: a quarter of the values lie far below the highest, not just the last one
    /// of a rate that ends near 0.
    pub(crate) fn spans_decades(&self) -> bool {
        let mut values: Vec<f64> = self.values().filter(|v| v.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let falls = self.y_label.contains("loss") || self.y_label.contains("rate");
        let ends = values.first().zip(values.last());
        falls && ends.is_some_and(|(low, high)| *low > 0.0 && high / values[values.len() / 4] >= 30.0)
    }

    pub(crate) fn x_axis(&self) -> Axis {
        let xs = || self.points().filter(|p| p.1.is_finite()).map(|p| p.0);
        Axis::around(xs(), 0.02).whole(xs().all(|x| x.fract() == 0.0))
    }

    pub(crate) fn y_axis(&self, log: bool) -> Axis {
        let share = self.y_label.contains("accuracy")
            && self.values().all(|v| !v.is_finite() || (0.0..=1.0).contains(&v));
        match log {
            true => Axis::log_around(self.values()),
            // An accuracy of 1 is the top of what can be.
            false if share => {
                let axis = Axis::around(self.values(), 0.05);
                Axis::new(axis.low.max(-0.02), axis.high.min(1.02))
            }
            false => Axis::around(self.values(), 0.05),
        }
    }

    fn draw(&self, canvas: &Canvas, place: Rect, options: &Options, x_label: &str, names: &[String]) {
        let log = options.log.unwrap_or_else(|| self.spans_decades());
        let label = if log { format!("{} (logarithmic)", self.y_label) } else { self.y_label.clone() };
        let axes = Axes {
            title: "",
            x: self.x_axis(),
            y: self.y_axis(log),
            x_label: options.x_label(x_label),
            y_label: options.y_label(&label),
            grid: true,
            gutter: None,
        };
        let panel = Panel::new(canvas, place, axes);
        for (name, points) in &self.series {
            let i = names.iter().position(|n| n == name).unwrap_or(0);
            panel.line(points, color::class(i), 2.0, i);
        }
        let empty = !self.points().any(|p| panel.shows(*p));
        panel.finish(empty);
    }
}

impl Curves {
    /// The names of all curves, each once.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (name, _) in self.panels.iter().flat_map(|p| &p.series) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }
}

impl Chart for Curves {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn size(&self, _: &Options) -> (u32, u32) {
        if self.panels.len() < 2 { (800, 500) } else { (1200, 500) }
    }

    fn legend(&self, _: &Options) -> Vec<Entry> {
        let names = self.names();
        if names.len() < 2 && self.panels.len() < 2 {
            return Vec::new();
        }
        let entry = |(i, name)| Entry { sign: Sign::Line(i, color::class(i)), name };
        names.into_iter().enumerate().map(entry).collect()
    }

    fn notes(&self, _: &Options) -> Vec<String> {
        let all = || self.panels.iter().flat_map(Group::points);
        let missing = all().filter(|p| !p.1.is_finite()).count();
        let drawn = |g: &Group| notes::drawn(&g.y_label, g.series.len(), g.given, "curves");
        let drawn = self.panels.iter().filter_map(drawn);
        drawn.chain(notes::not_finite("", missing, all().count(), "values")).collect()
    }

    fn draw(&self, canvas: &Canvas, body: Rect, options: &Options) {
        let names = self.names();
        for (panel, place) in self.panels.iter().zip(body.grid(1, self.panels.len(), 18.0)) {
            panel.draw(canvas, place, options, &self.x_label, &names);
        }
    }
}
