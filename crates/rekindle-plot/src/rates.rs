//! What every threshold of a classifier gives.

use crate::axis::Axis;
use crate::canvas::{Canvas, Rect};
use crate::color::{self, GREY};
use crate::legend::{Entry, Sign};
use crate::notes;
use crate::panel::{Axes, MOST_CURVES, Panel};
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
        name: format!("{} (AUC {})", named(name), area(*auc)),
        points: pairs("roc", ("fpr", fpr), ("tpr", tpr)),
    };
    Plot::new(Thresholds {
        curves: curves.iter().take(MOST_CURVES).map(curve).collect(),
        given: curves.len(),
        roc: true,
    })
}

/// Draws precision against recall, for every threshold. Between two thresholds the curve is a step, as scikit-learn draws it:
/// an interpolated precision would be too good (Davis and Goadrich 2006).
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
        name: format!("{} (AP {})", named(name), area(*average)),
        points: steps(&pairs("precision_recall", ("recall", recall), ("precision", precision))),
    };
    Plot::new(Thresholds {
        curves: curves.iter().take(MOST_CURVES).map(curve).collect(),
        given: curves.len(),
        roc: false,
    })
}

/// An area with four digits; what is not quite 1 does not look so.
fn area(area: f64) -> String {
    match area {
        a if !a.is_finite() => "not defined".into(),
        a if a < 1.0 && a > 0.9999 => "> 0.9999".into(),
        a => format!("{a:.4}"),
    }
}

/// A name; a number alone is that of a class.
fn named(name: &str) -> String {
    let number = !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
    if number { format!("class {name}") } else { name.to_owned() }
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
    given: usize,
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
            entries.push(Entry { sign: Sign::Line(2, GREY), name: "chance".into() });
        }
        entries
    }

    fn notes(&self, _: &Options) -> Vec<String> {
        let missing = |c: &&Curve| c.points.iter().any(|p| !p.0.is_finite() || !p.1.is_finite());
        let names = self.curves.iter().filter(missing);
        let drawn = notes::drawn("", self.curves.len(), self.given, "curves");
        drawn.into_iter().chain(names.map(|c| format!("{}: some rates are not finite", c.name))).collect()
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
            gutter: None,
        };
        let panel = Panel::new(canvas, body, axes);
        if self.roc {
            panel.line(&[(0.0, 0.0), (1.0, 1.0)], GREY, 1.4, 2);
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
    fn an_area_looks_like_one_only_if_it_is() {
        let said = [1.0, 0.99996, 0.9999, 0.99984, 0.97, f64::NAN].map(area);
        assert_eq!(said, ["1.0000", "> 0.9999", "0.9999", "0.9998", "0.9700", "not defined"]);
    }

    #[test]
    fn a_number_alone_is_a_class() {
        assert_eq!(["7", "a7", "", "net"].map(named), ["class 7", "a7", "", "net"]);
    }

    #[test]
    fn precision_is_not_interpolated() {
        assert_eq!(steps(&[(1.0, 0.5), (0.5, 0.8)]), [(1.0, 0.5), (0.5, 0.5), (0.5, 0.8)]);
        assert!(steps(&[]).is_empty());
    }
}
