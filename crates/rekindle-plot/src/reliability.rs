//! Whether probabilities mean what they say.

use crate::axis::Axis;
use crate::canvas::{Canvas, Rect};
use crate::color::{self, GREY};
use crate::legend::{Entry, Sign};
use crate::panel::{Axes, Panel};
use crate::plot::{Chart, Options, Plot};

/// A bin of a reliability diagram: the mean of the predicted probabilities in it, the share of samples of which the
/// prediction came true, and their number.
pub type Bin = (f64, f64, u64);

/// Draws a reliability diagram: how often what was predicted with a probability came true, and below it how many samples
/// each bin has. A well calibrated classifier lies on the diagonal. (DeGroot and Fienberg 1983; Guo et al. 2017.)
///
/// Empty bins, and bins with a number that is not finite, have no point.
///
/// ```
/// # use rekindle_plot as plot;
/// plot::reliability(&[(0.1, 0.05, 120), (0.5, 0.4, 30), (0.9, 0.97, 150)]).draw();
/// ```
pub fn reliability(bins: &[Bin]) -> Plot {
    Plot::new(Reliability { bins: bins.to_vec() })
}

struct Reliability {
    bins: Vec<Bin>,
}

impl Reliability {
    fn filled(&self) -> impl Iterator<Item = &Bin> {
        self.bins.iter().filter(|(p, share, n)| *n > 0 && p.is_finite() && share.is_finite())
    }

    /// Half the width of a bar: bins are drawn at their means, so bars must not be wider than the closest two allow.
    fn half_bar(&self) -> f64 {
        let mut means: Vec<f64> = self.filled().map(|b| b.0).collect();
        means.sort_by(f64::total_cmp);
        let closest = means.windows(2).map(|pair| pair[1] - pair[0]).fold(0.1, f64::min);
        (closest * 0.45).clamp(0.004, 0.04)
    }
}

impl Chart for Reliability {
    fn title(&self) -> String {
        "Reliability".into()
    }

    fn size(&self, _: &Options) -> (u32, u32) {
        (760, 700)
    }

    fn legend(&self, _: &Options) -> Vec<Entry> {
        vec![
            Entry { sign: Sign::Marker(0, color::class(0)), name: "observed".into() },
            Entry { sign: Sign::Line(1, GREY), name: "ideal".into() },
        ]
    }

    fn draw(&self, canvas: &Canvas, body: Rect, options: &Options) {
        let cut = body.top + body.height() * 0.7;
        let axes = |y, x_label, y_label| {
            let x = Axis::new(-0.02, 1.02);
            Axes { title: "", x, y, x_label, y_label, grid: true }
        };
        let upper = Rect { bottom: cut, ..body };
        let upper = Panel::new(
            canvas,
            upper,
            axes(Axis::new(-0.02, 1.02), "", options.y_label("share that came true")),
        );
        upper.line(&[(0.0, 0.0), (1.0, 1.0)], GREY, 1.2, 1);
        let points: Vec<_> = self.filled().map(|(p, share, _)| (*p, *share)).collect();
        upper.line(&points, color::class(0), 1.6, 0);
        points.iter().for_each(|point| upper.marker(*point, 0, 5.0, color::class(0)));
        upper.finish(points.is_empty());

        let most = self.filled().map(|b| b.2).max().unwrap_or(1) as f64;
        let lower = Rect { top: cut + 4.0, ..body };
        let x_label = options.x_label("predicted probability");
        let lower = Panel::new(canvas, lower, axes(Axis::new(0.0, most * 1.08), x_label, "samples"));
        let half = self.half_bar();
        for (p, _, n) in self.filled() {
            lower.bar((p - half, 0.0), (p + half, *n as f64), color::class(0));
        }
        lower.finish(points.is_empty());
    }
}
