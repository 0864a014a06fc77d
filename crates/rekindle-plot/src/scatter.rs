//! Two features of every sample, by class.

use crate::axis::Axis;
use crate::canvas::{Canvas, Rect};
use crate::classes;
use crate::color::{self, WHITE};
use crate::legend::{Entry, Sign};
use crate::notes;
use crate::panel::{Axes, Panel};
use crate::plot::{Chart, Options, Plot};
use plotters::style::RGBColor;
use rekindle_tensor::Tensor;

/// How many points of one panel are drawn. More would hide each other, and make a file that no program opens.
pub(crate) const MOST_POINTS: usize = 5000;

/// Draws two features of every sample, each class with its colour and shape.
///
/// `x` is `[n, 2]`; `y` holds the class numbers, `[n]` or `[n, 1]`. Of more than 5,000 points every k-th of each class is
/// drawn, and the picture says so. Points that are not finite are left out and counted. A unit is as long on both axes,
/// unless one spans three times as much as the other.
///
/// # Panics
/// If the shapes do not fit, or `y` holds something else than class numbers.
///
/// ```
/// # use rekindle_plot as plot;
/// use rekindle_tensor::tensor;
/// let x = tensor([[0.0, 0.1], [0.2, 0.0], [1.0, 0.9]]);
/// let picture = plot::scatter(&x, &tensor([0, 0, 1])).x_label("petal length [cm]").draw();
/// assert_eq!(picture.size(), (800, 600));
/// ```
#[track_caller]
pub fn scatter(x: &Tensor, y: &Tensor) -> Plot {
    Plot::new(Scatter { points: Points::new("scatter", x, y) })
}

struct Scatter {
    points: Points,
}

impl Chart for Scatter {
    fn title(&self) -> String {
        "Data".into()
    }

    fn legend(&self, options: &Options) -> Vec<Entry> {
        legend(&classes::occurring(&self.points.class), options)
    }

    fn notes(&self, _: &Options) -> Vec<String> {
        self.points.notes("")
    }

    fn draw(&self, canvas: &Canvas, body: Rect, options: &Options) {
        let (x, y) = self.points.axes(0.05);
        let (x_label, y_label) = (options.x_label("x1"), options.y_label("x2"));
        let panel =
            Panel::wider(canvas, body, Axes { title: "", x, y, x_label, y_label, grid: true, gutter: None });
        self.points.draw(&panel, WHITE);
        panel.finish(self.points.at.is_empty());
    }
}

/// A marker with its name for each class.
pub(crate) fn legend(classes: &[usize], options: &Options) -> Vec<Entry> {
    let entry = |&c: &usize| Entry { sign: Sign::Marker(c, color::class(c)), name: options.class(c) };
    classes.iter().map(entry).collect()
}

/// Points with their classes; only those that are drawn, and how many there were.
pub(crate) struct Points {
    pub(crate) at: Vec<(f64, f64)>,
    pub(crate) class: Vec<usize>,
    finite: usize,
    given: usize,
}

impl Points {
    #[track_caller]
    pub(crate) fn new(who: &str, x: &Tensor, y: &Tensor) -> Points {
        let (at, class) = (classes::points(who, x), classes::labels(who, "y", y));
        classes::same_length(who, ("x", at.len()), ("y", class.len()));
        let finite = |p: &(f64, f64)| p.0.is_finite() && p.1.is_finite();
        let (given, all): (usize, Vec<_>) =
            (at.len(), at.into_iter().zip(class).filter(|(p, _)| finite(p)).collect());
        let kept = spread(&all.iter().map(|(_, class)| *class).collect::<Vec<_>>(), MOST_POINTS);
        let (at, class) = kept.into_iter().map(|i| all[i]).unzip();
        Points { at, class, finite: all.len(), given }
    }

    /// Axes around all points, with a margin of this part of their span.
    pub(crate) fn axes(&self, margin: f64) -> (Axis, Axis) {
        let (xs, ys) = (self.at.iter().map(|p| p.0), self.at.iter().map(|p| p.1));
        (Axis::around(xs, margin), Axis::around(ys, margin))
    }

    /// What was left out; `of` names the panel.
    pub(crate) fn notes(&self, of: &str) -> Vec<String> {
        let drawn = notes::drawn(of, self.at.len(), self.finite, "points");
        drawn
            .into_iter()
            .chain(notes::not_finite(of, self.given - self.finite, self.given, "points"))
            .collect()
    }

    /// Draws them in the order of the data, so that no class hides another as a whole.
    pub(crate) fn draw(&self, panel: &Panel, edge: RGBColor) {
        let radius = match self.at.len() {
            0..=400 => 4.5,
            401..=1500 => 3.6,
            _ => 2.6,
        };
        // No larger than the margin, so that a small picture cuts none off at its frame.
        let radius = f64::min(radius, panel.inner.width().min(panel.inner.height()) * 0.04);
        for (at, class) in self.at.iter().zip(&self.class) {
            panel.marker(*at, *class, radius, edge);
        }
    }
}

/// The indices that stay when at most `most` do: evenly spaced in each class, each class with its share.
fn spread(classes: &[usize], most: usize) -> Vec<usize> {
    if classes.len() <= most {
        return (0..classes.len()).collect();
    }
    let mut seen = std::collections::BTreeMap::<usize, usize>::new();
    let mut stays = |class: usize| {
        let i = seen.entry(class).or_default();
        let before = *i * most / classes.len();
        *i += 1;
        *i * most / classes.len() > before
    };
    (0..classes.len()).filter(|i| stays(classes[*i])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_shares_of_the_classes() {
        let classes: Vec<usize> = (0..60_000).map(|i| usize::from(i % 10 == 0)).collect();
        let kept = spread(&classes, 5000);
        let ones = kept.iter().filter(|i| classes[**i] == 1).count();
        assert!((4990..=5000).contains(&kept.len()) && (490..=510).contains(&ones), "{} {ones}", kept.len());
        assert_eq!(spread(&[0, 1, 1], 3), [0, 1, 2]);
    }
}
