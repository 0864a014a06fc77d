//! Whether probabilities mean what they say.

use crate::axis::Axis;
use crate::canvas::{Canvas, Rect};
use crate::color::{self, GREY, WHITE};
use crate::font;
use crate::legend::{Entry, Sign};
use crate::panel::{Axes, Panel, TICK};
use crate::plot::{Chart, Options, Plot};

/// A bin of a reliability diagram: the mean of the predicted probabilities in it, the share of samples of which the
/// prediction came true, and their number.
pub type Bin = (f64, f64, u64);

/// Bins with less samples say little.
const FEW: u64 = 10;

/// Draws a reliability diagram: how often what was predicted with a probability came true, and below it how many samples
/// each bin has. A well calibrated classifier lies on the diagonal. (DeGroot and Fienberg 1983; Guo et al. 2017.)
///
/// `bins` holds an entry for each of the equally wide bins of 0 to 1, in their order; what an empty one (`n` = 0) says of
/// probability and share is not looked at, and may be NaN. The line below the picture is the expected calibration error,
/// the mean of |share − probability| over all samples. Points of less than 10 samples are hollow.
///
/// ```
/// # use rekindle_plot as plot;
/// let empty = (f64::NAN, f64::NAN, 0);
/// let picture = plot::reliability(&[(0.1, 0.05, 120), empty, (0.5, 0.4, 30), empty, (0.9, 0.97, 150)]).draw();
/// // 0.4 · 0.05 + 0.1 · 0.1 + 0.5 · 0.07
/// assert!(picture.svg().contains("expected calibration error 0.0650"));
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

    fn has_few(&self) -> bool {
        self.filled().any(|bin| bin.2 < FEW)
    }

    /// The mean distance of probability and share over all samples.
    fn error(&self) -> Option<f64> {
        let all: f64 = self.filled().map(|bin| bin.2 as f64).sum();
        let gaps = self.filled().map(|(p, share, n)| (share - p).abs() * (*n as f64 / all));
        (all > 0.0).then(|| gaps.sum())
    }

    fn draw_points(&self, panel: &Panel) {
        let points: Vec<_> = self.filled().map(|(p, share, _)| (*p, *share)).collect();
        panel.line(&points, color::class(0), 1.6, 0);
        for (p, share, n) in self.filled() {
            match *n < FEW {
                true => panel.hollow((*p, *share), 4.5, color::class(0)),
                false => panel.marker((*p, *share), 0, 5.0, WHITE),
            }
        }
    }

    /// A bar over each bin.
    fn draw_counts(&self, panel: &Panel) {
        let width = 1.0 / self.bins.len() as f64;
        // A gap of a twentieth keeps neighbours of equal height apart.
        let edge = |i: usize, part: f64| (i as f64 + part) * width;
        for (i, (.., n)) in self.bins.iter().enumerate().filter(|(_, bin)| bin.2 > 0) {
            panel.bar((edge(i, 0.025), 0.0), (edge(i, 0.975), *n as f64), color::class(0));
        }
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
        let mut entries = vec![
            Entry { sign: Sign::Marker(0, color::class(0)), name: "observed".into() },
            Entry { sign: Sign::Line(2, GREY), name: "ideal".into() },
        ];
        if self.has_few() {
            let name = format!("fewer than {FEW} samples");
            entries.insert(1, Entry { sign: Sign::Hollow(color::class(0)), name });
        }
        entries
    }

    fn summary(&self) -> Option<String> {
        self.error().map(|error| format!("expected calibration error {error:.4} ({} bins)", self.bins.len()))
    }

    fn draw(&self, canvas: &Canvas, body: Rect, options: &Options) {
        let cut = body.top + body.height() * 0.7;
        let most = self.bins.iter().map(|b| b.2).max().unwrap_or(1);
        let gutter = font::width(&most.to_string(), TICK, false).max(24.0);
        let axes = |y, x_label, y_label| {
            let x = Axis::new(-0.02, 1.02);
            Axes { title: "", x, y, x_label, y_label, grid: true, gutter: Some(gutter) }
        };
        let upper = Rect { bottom: cut, ..body };
        let upper = Panel::new(
            canvas,
            upper,
            axes(Axis::new(-0.02, 1.02), "", options.y_label("share that came true")),
        );
        upper.line(&[(0.0, 0.0), (1.0, 1.0)], GREY, 1.4, 2);
        self.draw_points(&upper);
        upper.finish(self.filled().next().is_none());

        let lower = Rect { top: cut + 4.0, ..body };
        let x_label = options.x_label("confidence");
        let lower = Panel::new(
            canvas,
            lower,
            axes(Axis::new(0.0, most as f64 * 1.08).whole(true), x_label, "samples"),
        );
        self.draw_counts(&lower);
        lower.finish(self.filled().next().is_none());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_that_of_the_mean_sample() {
        let of = |bins: &[Bin]| Reliability { bins: bins.to_vec() }.error();
        let empty = (f64::NAN, f64::NAN, 0);
        assert_eq!(of(&[empty, (0.5, 1.0, 3), (0.75, 0.75, 1)]), Some(0.375));
        assert_eq!(of(&[empty]), None);
    }
}
