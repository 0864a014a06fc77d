//! What a classifier of two features says everywhere: the regions of its classes, and how sure it is.

use crate::axis::{self, Axis};
use crate::canvas::{Canvas, Rect, Style, sharp};
use crate::classes::{self, argmax};
use crate::color::{self, GREY, INK, NOTHING, WHITE};
use crate::field::{Grid, Regions};
use crate::legend::{self, Entry, Sign};
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
/// and 5 % around them. A unit is as long on both axes, unless one spans three times as much as the other. Where it gives NaN, the picture is grey.
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
/// assert_eq!(picture.size().0, 1200);
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

/// The lines between regions.
const BORDER: RGBColor = GREY;
/// How many panels are drawn.
const MOST_PANELS: usize = 8;

struct Boundary {
    panels: Vec<(String, Points)>,
    given: usize,
    axes: (Axis, Axis),
    grid: Grid,
    /// For each grid point the probability of each class.
    rows: Vec<Vec<f64>>,
    regions: Regions,
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
        Boundary { panels, given, axes, regions: grid.regions(&rows), grid, rows, surface }
    }

    fn classes(&self) -> usize {
        self.rows[0].len()
    }

    /// The classes that have a region.
    fn predicted(&self) -> Vec<usize> {
        classes::occurring(&self.rows.iter().filter_map(|row| argmax(row)).collect::<Vec<_>>())
    }

    /// The regions with lines between them, so that classes of one colour do not merge.
    fn draw_regions(&self, panel: &Panel) {
        for (class, polygons) in &self.regions.polygons {
            polygons.iter().for_each(|polygon| panel.polygon(polygon, color::region(*class)));
        }
        for border in &self.regions.borders {
            panel.line(border, BORDER, 1.0, 0);
        }
    }

    fn draw_surface(&self, panel: &Panel) {
        let shown = self.shown_probabilities();
        let levels = 20;
        let first = self.lowest();
        self.cover(panel, self.shade(first + (1.0 - first) * 0.5 / levels as f64));
        for i in 1..levels {
            let at = |i: f64| first + (1.0 - first) * i / levels as f64;
            for sure in &shown {
                self.fill(panel, sure, at(i as f64), self.shade(at(i as f64 + 0.5)));
            }
        }
    }

    /// What the surface shows: the probability of class 1 of two, or of each class that is predicted somewhere. Where one of
    /// these is above a level, the largest is; the largest itself would be a saw along the border between two grid points.
    fn shown_probabilities(&self) -> Vec<Vec<f64>> {
        let classes = if self.classes() == 2 { vec![1] } else { self.predicted() };
        let of = |class: usize, row: &Vec<f64>| argmax(row).map_or(f64::NAN, |_| row[class]);
        classes.into_iter().map(|class| self.rows.iter().map(|row| of(class, row)).collect()).collect()
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

    /// As high as panels need in which a unit is as long on both axes.
    fn size(&self, options: &Options) -> (u32, u32) {
        let panels = self.panels.len().max(1) as f64;
        let scale = if self.surface { 60.0 } else { 0.0 };
        let width = if panels < 2.0 { 740.0 } else { 200.0 + 500.0 * panels } + scale;
        let Some(ratio) = axis::ratio(&self.axes.0, &self.axes.1) else { return (width as u32, 560) };
        let beside = legend::Layout::new(&self.legend(options), width, 450.0).width();
        // What is not plotting area: margins, scale, names and ticks.
        let inner = (width - 40.0 - beside - scale * 1.4 - 16.0 * (panels - 1.0)) / panels - 72.0;
        (width as u32, (inner * ratio + 148.0).clamp(400.0, 900.0).round() as u32)
    }

    fn legend(&self, options: &Options) -> Vec<Entry> {
        let with_points = classes::occurring(self.panels.iter().flat_map(|(_, points)| &points.class));
        if self.surface {
            return scatter::legend(&with_points, options);
        }
        let predicted = self.predicted();
        let sign = |c: usize| match (with_points.contains(&c), predicted.contains(&c)) {
            (true, true) => Sign::MarkerOn(c, color::class(c), color::region(c)),
            (true, false) => Sign::Marker(c, color::class(c)),
            _ => Sign::Patch(color::region(c)),
        };
        let all = classes::occurring(with_points.iter().chain(&predicted));
        all.into_iter().map(|c| Entry { sign: sign(c), name: options.class(c) }).collect()
    }

    fn notes(&self, _: &Options) -> Vec<String> {
        let mut notes: Vec<String> =
            notes::drawn("", self.panels.len(), self.given, "panels").into_iter().collect();
        notes.extend(self.panels.iter().flat_map(|(name, points)| points.notes(name)));
        if self.rows.iter().any(|row| argmax(row).is_none()) {
            notes.push("Grey: the net gives no number.".into());
        }
        if !self.surface {
            notes.push("Areas: predicted class; points: class in the data".into());
        }
        notes
    }

    fn draw(&self, canvas: &Canvas, body: Rect, options: &Options) {
        let room = if self.surface { body.shrink(0.0, 0.0, 84.0, 0.0) } else { body };
        let (x_label, y_label) = (options.x_label("x1"), options.y_label("x2"));
        for ((name, points), place) in self.panels.iter().zip(room.grid(1, self.panels.len(), 16.0)) {
            let (x, y) = self.axes.clone();
            let panel = Panel::equal(
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
            points.draw(&panel, WHITE);
            panel.finish(false);
        }
        if self.surface {
            self.draw_scale(canvas, body, options);
        }
    }
}

/// Axes around the points of all panels and 5 % of their span more, so that no point is cut off at the frame; around 0
/// to 1 if there are none.
pub(crate) fn around(panels: &[(String, Points)]) -> (Axis, Axis) {
    let all = || panels.iter().flat_map(|(_, points)| &points.at);
    (Axis::around(all().map(|p| p.0), 0.05), Axis::around(all().map(|p| p.1), 0.05))
}
