//! What a classifier of two features says everywhere: the regions of its classes, and how sure it is.

use crate::axis::Axis;
use crate::canvas::{Canvas, Rect, Style, sharp};
use crate::classes::{self, argmax};
use crate::color::{self, INK, NOTHING, WHITE};
use crate::field::Grid;
use crate::legend::{Entry, Sign};
use crate::notes;
use crate::panel::{Axes, Panel, TICK};
use crate::plot::{Chart, Options, Plot};
use crate::scatter::{self, Points};
use plotters::style::RGBColor;
use rekindle_tensor::{Tensor, no_grad};

/// Points with their classes under a name: `("Train", &x, &y)`.
pub type Labelled<'a> = (&'a str, &'a Tensor, &'a Tensor);

/// Draws the regions of the classes that a net predicts, with the points of each panel side by side, at most eight.
///
/// `probabilities` turns points `[m, 2]` (float) into probabilities: `[m]` or `[m, 1]` of class 1 (above 0.5 is class 1),
/// or `[m, classes]` (the largest wins). It is called once without gradients, on a grid of 101 x 101 points over all data
/// and 0.1 around them. Where it gives NaN, the picture is grey.
///
/// # Panics
/// If shapes do not fit, or a probability lies outside of 0 to 1.
///
/// ```
/// # use rekindle_plot as plot;
/// use rekindle_tensor::{Tensor, tensor};
/// let (x, y) = (tensor([[0.0, 0.1], [0.2, 0.0], [1.0, 0.9]]), tensor([0, 0, 1]));
/// let net = |x: &Tensor| ((x.sum_dim(1, false) - 1.0) * 8.0).sigmoid();
/// let picture = plot::decision_boundary(&net, &[("Train", &x, &y), ("Test", &x, &y)]).draw();
/// assert_eq!(picture.size(), (1200, 560));
/// ```
#[track_caller]
pub fn decision_boundary(probabilities: &dyn Fn(&Tensor) -> Tensor, panels: &[Labelled]) -> Plot {
    Plot::new(Boundary::new("decision_boundary", probabilities, panels, false))
}

/// Draws how probable a net finds class 1 everywhere, with the points of each panel side by side; for more than two
/// classes the probability of the predicted class.
///
/// The arguments are those of [`decision_boundary`].
///
/// # Panics
/// As [`decision_boundary`].
///
/// ```
/// # use rekindle_plot as plot;
/// use rekindle_tensor::{Tensor, tensor};
/// let (x, y) = (tensor([[0.0, 0.1], [0.2, 0.0], [1.0, 0.9]]), tensor([0, 0, 1]));
/// let net = |x: &Tensor| ((x.sum_dim(1, false) - 1.0) * 8.0).sigmoid();
/// plot::probability_surface(&net, &[("Train", &x, &y)]).title("Blobs").draw();
/// ```
#[track_caller]
pub fn probability_surface(probabilities: &dyn Fn(&Tensor) -> Tensor, panels: &[Labelled]) -> Plot {
    Plot::new(Boundary::new("probability_surface", probabilities, panels, true))
}

/// How many panels are drawn.
const MOST_PANELS: usize = 8;

struct Boundary {
    panels: Vec<(String, Points)>,
    given: usize,
    axes: (Axis, Axis),
    grid: Grid,
    /// For each grid point the probability of each class.
    rows: Vec<Vec<f64>>,
    surface: bool,
}

impl Boundary {
    #[track_caller]
    fn new(who: &str, net: &dyn Fn(&Tensor) -> Tensor, panels: &[Labelled], surface: bool) -> Boundary {
        let given = panels.len();
        let panels = panels.iter().take(MOST_PANELS);
        let panels: Vec<_> = panels.map(|(name, x, y)| (name.to_string(), Points::new(who, x, y))).collect();
        let axes = around(&panels);
        let grid = Grid::new(&axes.0, &axes.1);
        let rows = classes::probabilities(who, &no_grad(|| net(&grid.tensor())), grid.len());
        Boundary { panels, given, axes, grid, rows, surface }
    }

    fn classes(&self) -> usize {
        self.rows[0].len()
    }

    /// The classes that have a region.
    fn predicted(&self) -> Vec<usize> {
        classes::occurring(&self.rows.iter().filter_map(|row| argmax(row)).collect::<Vec<_>>())
    }

    /// By how much a class from `k` on is more probable than all classes before `k`.
    fn lead(&self, k: usize) -> Vec<f64> {
        let most = |row: &[f64]| row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let lead = |row: &Vec<f64>| match argmax(row) {
            None => f64::NAN,
            Some(_) => most(&row[k..]) - most(&row[..k]),
        };
        self.rows.iter().map(lead).collect()
    }

    /// The regions, later classes over earlier ones: so they leave no gap where three of them meet.
    fn draw_regions(&self, panel: &Panel) {
        self.cover(panel, color::region(0));
        for k in 1..self.classes() {
            // At exactly equal probabilities the earlier class wins.
            self.fill(panel, &self.lead(k), f64::MIN_POSITIVE, color::region(k));
        }
    }

    fn draw_surface(&self, panel: &Panel) {
        let sure: Vec<f64> = self.rows.iter().map(|row| self.shown_probability(row)).collect();
        let levels = 20;
        let first = self.lowest();
        self.cover(panel, self.shade(first + (1.0 - first) * 0.5 / levels as f64));
        for i in 1..levels {
            let at = |i: f64| first + (1.0 - first) * i / levels as f64;
            self.fill(panel, &sure, at(i as f64), self.shade(at(i as f64 + 0.5)));
        }
    }

    /// What the surface shows: the probability of class 1 of two, or of the predicted class.
    fn shown_probability(&self, row: &[f64]) -> f64 {
        match argmax(row) {
            None => f64::NAN,
            Some(_) if row.len() == 2 => row[1],
            Some(best) => row[best],
        }
    }

    /// The lowest probability that the surface can show.
    fn lowest(&self) -> f64 {
        if self.classes() == 2 { 0.0 } else { 1.0 / self.classes() as f64 }
    }

    fn shade(&self, p: f64) -> RGBColor {
        match self.classes() {
            2 => color::diverging(p),
            _ => color::cividis((p - self.lowest()) / (1.0 - self.lowest())),
        }
    }

    fn cover(&self, panel: &Panel, color: RGBColor) {
        let (x, y) = &self.axes;
        panel.bar((x.low, y.low), (x.high, y.high), color);
    }

    fn fill(&self, panel: &Panel, values: &[f64], level: f64, color: RGBColor) {
        for polygon in self.grid.above(values, level) {
            panel.polygon(&polygon, color);
        }
    }

    fn draw_undefined(&self, panel: &Panel) {
        let sums: Vec<f64> = self.rows.iter().map(|row| row.iter().sum()).collect();
        for cell in self.grid.undefined(&sums) {
            panel.polygon(&cell, NOTHING);
        }
    }

    /// The scale of the surface's colours, at the right of `place`.
    fn draw_scale(&self, canvas: &Canvas, place: Rect, options: &Options) {
        let (first, steps) = (self.lowest(), 60);
        let bar =
            Rect::new(place.right - 62.0, place.top + 26.0, place.right - 44.0, place.bottom - 46.0).round();
        let y = |p: f64| bar.bottom - (p - first) / (1.0 - first) * bar.height();
        for i in 0..steps {
            let at = |i: usize| first + (1.0 - first) * i as f64 / steps as f64;
            let middle = (at(i) + at(i + 1)) / 2.0;
            canvas.rect(
                Rect::new(bar.left, y(at(i + 1)).floor(), bar.right, y(at(i)).floor()),
                self.shade(middle),
            );
        }
        canvas.frame(bar.sharp(), INK, 1.0);
        for (p, label) in Axis::new(first, 1.0).ticks(5) {
            canvas.line(&[bar.right, bar.right + 4.0].map(|x| (x, sharp(y(p)))), INK, 1.0);
            canvas.text(&label, (bar.right + 7.0, y(p)), Style::new(TICK).left());
        }
        let label = match self.classes() {
            2 => format!("probability of {}", options.class(1)),
            _ => "probability of the predicted class".into(),
        };
        let at = (bar.left - 13.0, bar.center().1);
        canvas.text_within(&label, at, Style::new(13.0).upward(), bar.height());
    }
}

impl Chart for Boundary {
    fn title(&self) -> String {
        if self.surface { "Probability surface".into() } else { "Decision boundary".into() }
    }

    fn size(&self, _: &Options) -> (u32, u32) {
        let width =
            if self.panels.len() < 2 { 740 } else { (200 + 500 * self.panels.len() as u32).min(4000) };
        (width + if self.surface { 60 } else { 0 }, 560)
    }

    fn legend(&self, options: &Options) -> Vec<Entry> {
        let classes = classes::occurring(self.panels.iter().flat_map(|(_, points)| &points.class));
        let mut entries = scatter::legend(&classes, options);
        if !self.surface {
            let region = |&c: &usize| Entry {
                sign: Sign::Patch(color::region(c)),
                name: format!("predicted {}", options.class(c)),
            };
            entries.extend(self.predicted().iter().map(region));
        }
        entries
    }

    fn notes(&self, _: &Options) -> Vec<String> {
        let mut notes: Vec<String> =
            notes::drawn("", self.panels.len(), self.given, "panels").into_iter().collect();
        notes.extend(self.panels.iter().flat_map(|(name, points)| points.notes(name)));
        if self.rows.iter().any(|row| argmax(row).is_none()) {
            notes.push("Grey: the net gives no number.".into());
        }
        notes
    }

    fn draw(&self, canvas: &Canvas, body: Rect, options: &Options) {
        let room = if self.surface { body.shrink(0.0, 0.0, 84.0, 0.0) } else { body };
        let (x_label, y_label) = (options.x_label("feature 0"), options.y_label("feature 1"));
        for ((name, points), place) in self.panels.iter().zip(room.grid(1, self.panels.len(), 16.0)) {
            let (x, y) = self.axes.clone();
            let panel = Panel::new(
                canvas,
                place,
                Axes { title: name, x, y, x_label, y_label, grid: false, gutter: None },
            );
            if self.surface {
                self.draw_surface(&panel)
            } else {
                self.draw_regions(&panel)
            }
            self.draw_undefined(&panel);
            // On strong colours only a dark edge shows where a point of the same colour is.
            points.draw(&panel, if self.surface { INK } else { WHITE });
            panel.finish(false);
        }
        if self.surface {
            self.draw_scale(canvas, body, options);
        }
    }
}

/// Axes around the points of all panels and 0.1 more; around 0 to 1 if there are none.
pub(crate) fn around(panels: &[(String, Points)]) -> (Axis, Axis) {
    let wider = |values: Vec<f64>| {
        let axis = Axis::around(values, 0.0);
        let room = if axis.high - axis.low < 1e6 { 0.1 } else { 0.0 };
        Axis::new(axis.low - room, axis.high + room)
    };
    let all = || panels.iter().flat_map(|(_, points)| &points.at);
    (wider(all().map(|p| p.0).collect()), wider(all().map(|p| p.1).collect()))
}
