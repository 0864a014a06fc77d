//! What every threshold of a classifier gives.

use crate::axis::Axis;
use crate::canvas::{Canvas, Rect};
use crate::color::{self, GREY};
use crate::legend::{Entry, Sign};
use crate::panel::{Axes, Panel};
use crate::plot::{Chart, Options, Plot};
use rekindle_tensor::mistake;

/// A name with two rates for each threshold and the area under their curve, in the order in which scikit-learn gives
/// them: `(name, fpr, tpr, auc)` or `(name, precision, recall, average_precision)`.
pub type Rates<'a> = (&'a str, &'a [f64], &'a [f64], f64);

/// Draws ROC curves: the true positive rate against the false positive rate, for every threshold. The diagonal is chance.
///
/// # Panics
/// If a curve has not as many true as false positive rates.
///
/// ```
/// # use rekindle_plot as plot;
/// let (fpr, tpr) = ([0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0]);
/// plot::roc(&[("class 1", &fpr, &tpr, 0.875)]).draw();
/// ```
#[track_caller]
pub fn roc(curves: &[Rates]) -> Plot {
    let curve = |(name, fpr, tpr, auc): &Rates| Curve {
        name: format!("{name} (AUC {auc:.3})"),
        points: pairs("roc", ("fpr", fpr), ("tpr", tpr)),
    };
    Plot::new(Thresholds { curves: curves.iter().map(curve).collect(), roc: true })
}

/// Draws precision against recall, for every threshold. Between two thresholds the precision is that of the lower recall's
/// left neighbour, as steps; nothing is interpolated.
///
/// # Panics
/// If a curve has not as many precisions as recalls.
///
/// ```
/// # use rekindle_plot as plot;
/// let (precision, recall) = ([0.5, 0.67, 1.0, 1.0], [1.0, 1.0, 0.5, 0.0]);
/// plot::precision_recall(&[("class 1", &precision, &recall, 0.83)]).draw();
/// ```
#[track_caller]
pub fn precision_recall(curves: &[Rates]) -> Plot {
    let curve = |(name, precision, recall, average): &Rates| Curve {
        name: format!("{name} (AP {average:.3})"),
        points: steps(&pairs("precision_recall", ("recall", recall), ("precision", precision))),
    };
    Plot::new(Thresholds { curves: curves.iter().map(curve).collect(), roc: false })
}

#[track_caller]
fn pairs(who: &str, (a, xs): (&str, &[f64]), (b, ys): (&str, &[f64])) -> Vec<(f64, f64)> {
    if xs.len() != ys.len() {
        mistake!(
            "{who}: {a} has {} numbers but {b} has {}; give one of each for each threshold",
            xs.len(),
            ys.len()
        );
    }
    xs.iter().copied().zip(ys.iter().copied()).collect()
}

/// A curve through points with falling x as steps: first to the left at the old height, then to the new one.
fn steps(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let corners = points.windows(2).flat_map(|pair| [(pair[1].0, pair[0].1), pair[1]]);
    points.first().copied().into_iter().chain(corners).collect()
}

struct Thresholds {
    curves: Vec<Curve>,
    roc: bool,
}

struct Curve {
    name: String,
    points: Vec<(f64, f64)>,
}

impl Chart for Thresholds {
    fn title(&self) -> String {
        if self.roc { "ROC".into() } else { "Precision and recall".into() }
    }

    fn legend(&self, _: &Options) -> Vec<Entry> {
        let entry =
            |(i, c): (usize, &Curve)| Entry { sign: Sign::Line(i, color::class(i)), name: c.name.clone() };
        let mut entries: Vec<Entry> = self.curves.iter().enumerate().map(entry).collect();
        if self.roc {
            entries.push(Entry { sign: Sign::Line(1, GREY), name: "chance".into() });
        }
        entries
    }

    fn notes(&self) -> Vec<String> {
        let missing = |c: &&Curve| c.points.iter().any(|p| !p.0.is_finite() || !p.1.is_finite());
        let names = self.curves.iter().filter(missing);
        names.map(|c| format!("{}: some rates are not finite", c.name)).collect()
    }

    fn draw(&self, canvas: &Canvas, body: Rect, options: &Options) {
        let (x_label, y_label) = match self.roc {
            true => ("false positive rate", "true positive rate"),
            false => ("recall", "precision"),
        };
        let axes = Axes {
            title: "",
            x: Axis::new(-0.02, 1.02),
            y: Axis::new(-0.02, 1.02),
            x_label: options.x_label(x_label),
            y_label: options.y_label(y_label),
            grid: true,
        };
        let panel = Panel::new(canvas, body, axes);
        if self.roc {
            panel.line(&[(0.0, 0.0), (1.0, 1.0)], GREY, 1.2, 1);
        }
        for (i, curve) in self.curves.iter().enumerate() {
            panel.line(&curve.points, color::class(i), 2.2, i);
        }
        let empty = self.curves.iter().flat_map(|c| &c.points).all(|p| !panel.shows(*p));
        panel.finish(empty);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_is_not_interpolated() {
        assert_eq!(steps(&[(1.0, 0.5), (0.5, 0.8)]), [(1.0, 0.5), (0.5, 0.5), (0.5, 0.8)]);
        assert!(steps(&[]).is_empty());
    }
}
