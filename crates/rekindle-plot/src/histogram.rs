//! How weights are distributed.

use crate::axis::{Axis, span};
use crate::canvas::{Canvas, Rect, Style};
use crate::color::{self, GREY};
use crate::notes::{self, grouped};
use crate::panel::{Axes, LABEL, MOST_PANELS, Panel};
use crate::plot::{Chart, Options, Plot};
use rekindle_tensor::Tensor;

/// Draws a histogram of the numbers of each tensor, with their mean and standard deviation: weights, gradients or
/// activations, by name. The number of bins is the square root of that of the numbers, within 5 and 40. The first 99
/// tensors are drawn.
///
/// ```
/// # use rekindle_plot as plot;
/// use rekindle_tensor::tensor;
/// let weight = tensor([[0.1, -0.2], [0.05, 0.0]]);
/// plot::weights_histogram(&[("0.weight", &weight)]).draw();
/// ```
pub fn weights_histogram(tensors: &[(&str, &Tensor)]) -> Plot {
    let drawn = tensors.iter().take(MOST_PANELS);
    let histograms = drawn.map(|(name, values)| Histogram::new(name, &values.to_f64_vec())).collect();
    Plot::new(Histograms { histograms, given: tensors.len() })
}

struct Histograms {
    histograms: Vec<Histogram>,
    given: usize,
}

struct Histogram {
    title: String,
    low: f64,
    high: f64,
    counts: Vec<u64>,
    missing: Option<String>,
}

impl Histogram {
    fn new(name: &str, values: &[f64]) -> Histogram {
        let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        let n = finite.len() as f64;
        let mean = finite.iter().map(|v| v / n).sum::<f64>();
        let deviation = finite.iter().map(|v| (v - mean).powi(2) / n).sum::<f64>().sqrt();
        let (low, high) = match span(finite.iter().copied()) {
            Some((low, high)) if low < high => (low, high),
            Some((low, _)) => (low - 0.5, low + 0.5),
            None => (0.0, 1.0),
        };
        let axis = Axis::new(low, high);
        // As many bins as the square root of the numbers, so that the few of a small layer do not stand alone.
        let bins = finite.len().isqrt().clamp(5, 40);
        let mut counts = vec![0; bins];
        for v in &finite {
            counts[((axis.fraction(*v) * bins as f64) as usize).min(bins - 1)] += 1;
        }
        let title = match finite.is_empty() {
            true => name.to_owned(),
            false => format!(
                "{name}: n = {}, mean {}, std {}",
                grouped(finite.len()),
                short(mean),
                short(deviation)
            ),
        };
        let missing = notes::not_finite(name, values.len() - finite.len(), values.len(), "numbers");
        Histogram { title, low, high, counts, missing }
    }

    fn draw(&self, canvas: &Canvas, place: Rect, options: &Options) {
        let most = self.counts.iter().copied().max().unwrap_or(0) as f64;
        let room = (self.high - self.low) * 0.03;
        let axes = Axes {
            title: &self.title,
            x: Axis::new(self.low - room, self.high + room),
            y: Axis::new(0.0, if most > 0.0 { most * 1.06 } else { 1.0 }).whole(true),
            x_label: options.x_label("value"),
            y_label: options.y_label("count"),
            grid: true,
            gutter: None,
        };
        let panel = Panel::new(canvas, place, axes);
        let edge = |i: usize| self.low + (self.high - self.low) * i as f64 / self.counts.len() as f64;
        for (i, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            panel.bar((edge(i), 0.0), (edge(i + 1), *count as f64), color::class(0));
        }
        panel.finish(most == 0.0);
    }
}

impl Histograms {
    fn columns(&self) -> usize {
        match self.histograms.len() {
            0..=1 => 1,
            2..=4 => 2,
            _ => 3,
        }
    }
}

impl Chart for Histograms {
    fn title(&self) -> String {
        "Weights".into()
    }

    fn size(&self, _: &Options) -> (u32, u32) {
        let rows = self.histograms.len().div_ceil(self.columns()).max(1) as u32;
        match self.histograms.len() {
            0..=1 => (760, 500),
            _ => (460 * self.columns() as u32, (60 + 290 * rows).min(10_000)),
        }
    }

    fn notes(&self, _: &Options) -> Vec<String> {
        let drawn = notes::drawn("", self.histograms.len(), self.given, "tensors");
        drawn.into_iter().chain(self.histograms.iter().filter_map(|h| h.missing.clone())).collect()
    }

    fn draw(&self, canvas: &Canvas, body: Rect, options: &Options) {
        if self.histograms.is_empty() {
            canvas.text("no tensors", body.center(), Style::new(LABEL).color(GREY));
        }
        let rows = self.histograms.len().div_ceil(self.columns());
        for (histogram, place) in self.histograms.iter().zip(body.grid(rows, self.columns(), 14.0)) {
            histogram.draw(canvas, place, options);
        }
    }
}

/// A number with three digits that matter.
fn short(v: f64) -> String {
    let text = match v.abs() {
        0.0 => "0".into(),
        size if !(1e-3..1e5).contains(&size) => format!("{v:.2e}"),
        size => format!("{v:.*}", (2 - size.log10().floor() as i32).clamp(0, 5) as usize),
    };
    crate::axis::minus(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_in_a_bin() {
        let h = Histogram::new("w", &[0.0, 0.5, 1.0, f64::NAN]);
        assert_eq!(h.counts, [1, 0, 1, 0, 1]);
        assert_eq!(h.title, "w: n = 3, mean 0.500, std 0.408");
        assert_eq!(h.missing.as_deref(), Some("w: not finite: 1 of 4 numbers"));
    }

    #[test]
    fn there_are_as_many_bins_as_the_numbers_can_fill() {
        let bins = |n: usize| Histogram::new("w", &(0..n).map(|i| i as f64).collect::<Vec<_>>()).counts.len();
        assert_eq!([0, 10, 100, 900, 100_000].map(bins), [5, 5, 10, 30, 40]);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.0, -0.01234, 123.4, 1e-7].map(short), ["0", "−0.0123", "123", "1.00e−7"]);
    }
}
