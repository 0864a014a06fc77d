//! Images with their classes, and with what a net says of them.

use crate::axis::span;
use crate::canvas::{Canvas, Rect, Style};
use crate::classes;
use crate::color::{GREY, INK, NOTHING, RIGHT, WRONG};
use crate::font;
use crate::notes;
use crate::plot::{Chart, Options, Plot};
use plotters::style::RGBColor;
use rekindle_tensor::{Tensor, mistake};

/// How many images are drawn.
const MOST_IMAGES: usize = 100;
/// How many cells an image has to a side at most; larger ones are averaged down.
const MOST_CELLS: usize = 64;
/// How many cells all images have together: each may have a colour of its own, and is a path then.
const ALL_CELLS: usize = MOST_IMAGES * 32 * 32;
/// The size of the text below an image.
const CAPTION: f64 = 12.0;

/// Draws images with their class names below.
///
/// `images` is `[n, h, w]`, `[n, 1, h, w]` or `[n, 3, h, w]`; `labels` holds `n` class numbers. Numbers in 0 to 1 run from
/// black to white; if there are others, the smallest is black and the largest white. The first 100 images are drawn.
///
/// # Panics
/// If the shapes do not fit.
///
/// ```
/// # use rekindle_plot as plot;
/// use rekindle_tensor::{Tensor, tensor};
/// let images = Tensor::zeros([2, 28, 28]);
/// plot::image_grid(&images, &tensor([9, 0])).draw();
/// ```
#[track_caller]
pub fn image_grid(images: &Tensor, labels: &Tensor) -> Plot {
    Plot::new(Images::new("image_grid", images, labels))
}

/// Draws images with the class that a net predicts and its probability; wrong ones are framed, marked with ✗, and say
/// what they are.
///
/// `images` and `labels` are those of [`image_grid`]; `probabilities` is `[n]` or `[n, 1]` (of class 1) or `[n, classes]`.
///
/// # Panics
/// If the shapes do not fit, or a probability lies outside of 0 to 1.
///
/// ```
/// # use rekindle_plot as plot;
/// use rekindle_tensor::{Tensor, tensor};
/// let probabilities = tensor([[0.1, 0.9], [0.3, 0.7]]);
/// let picture = plot::image_predictions(&Tensor::zeros([2, 28, 28]), &tensor([1, 0]), &probabilities).draw();
/// assert!(picture.svg().contains("✗ class 1, 0.70"));
/// ```
#[track_caller]
pub fn image_predictions(images: &Tensor, labels: &Tensor, probabilities: &Tensor) -> Plot {
    let who = "image_predictions";
    let mut chart = Images::new(who, images, labels);
    let rows = classes::probabilities(who, probabilities, chart.given);
    let best = |row: &Vec<f64>| classes::argmax(row).map(|class| (class, row[class]));
    chart.predicted = Some(rows.iter().take(MOST_IMAGES).map(best).collect());
    Plot::new(chart)
}

struct Images {
    images: Vec<Image>,
    labels: Vec<usize>,
    /// The predicted class with its probability, or none if that is NaN.
    predicted: Option<Vec<Option<(usize, f64)>>>,
    given: usize,
    /// Width over height.
    aspect: f64,
}

/// The cells of an image in reading order; none where there is no number.
struct Image {
    columns: usize,
    cells: Vec<Option<RGBColor>>,
}

impl Images {
    #[track_caller]
    fn new(who: &str, images: &Tensor, labels: &Tensor) -> Images {
        let (given, channels, h, w) = match *images.shape() {
            [n, h, w] => (n, 1, h, w),
            [n, c @ (1 | 3), h, w] => (n, c, h, w),
            ref shape => mistake!(
                "{who}: images must have shape [n, h, w], [n, 1, h, w] or [n, 3, h, w], got {shape:?}; \
                 flat rows become images with x.reshape([n, h, w])"
            ),
        };
        let labels = classes::labels(who, "labels", labels);
        classes::same_length(who, ("images", given), ("labels", labels.len()));
        let shown = given.min(MOST_IMAGES);
        let values = images.narrow(0, 0, shown).to_f64_vec();
        let range = match span(values.iter().copied()) {
            Some((low, high)) if low < 0.0 || high > 1.0 => (low, high),
            _ => (0.0, 1.0),
        };
        let size = channels * h * w;
        let most = (ALL_CELLS / shown.max(1)).isqrt().min(MOST_CELLS);
        let image = |i: usize| Image::new(&values[i * size..(i + 1) * size], (channels, h, w), range, most);
        let images = (0..shown).map(image).collect();
        let labels = labels[..shown].to_vec();
        Images { images, labels, predicted: None, given, aspect: w.max(1) as f64 / h.max(1) as f64 }
    }

    fn columns(&self) -> usize {
        let n = self.images.len().max(1);
        match n {
            1..=5 => n,
            6..=10 => n.div_ceil(2),
            _ => (n as f64).sqrt().ceil() as usize,
        }
    }

    fn rows(&self) -> usize {
        self.images.len().div_ceil(self.columns()).max(1)
    }

    /// The lines below an image of `width` pixels, with their colours. Names are cut where there is no room, numbers are not.
    fn caption(&self, i: usize, options: &Options, width: f64) -> Vec<(String, RGBColor)> {
        let line = |before: &str, name: usize, after: &str| {
            let room = width - font::width(&format!("{before}{after}"), CAPTION, false);
            format!("{before}{}{after}", font::fit(&options.class(name), CAPTION, false, room))
        };
        let actual = || (line("actual: ", self.labels[i], ""), INK);
        match self.predicted.as_ref().map(|p| p[i]) {
            None => vec![(line("", self.labels[i], ""), INK)],
            Some(None) => vec![("✗ no number".into(), WRONG), actual()],
            Some(Some((class, p))) if class == self.labels[i] => {
                vec![(line("✓ ", class, &format!(", {p:.2}")), RIGHT)]
            }
            Some(Some((class, p))) => vec![(line("✗ ", class, &format!(", {p:.2}")), WRONG), actual()],
        }
    }

    fn is_wrong(&self, i: usize) -> bool {
        self.predicted.as_ref().is_some_and(|p| p[i].is_none_or(|(class, _)| class != self.labels[i]))
    }

    fn caption_height(&self) -> f64 {
        if self.predicted.is_some() { 43.0 } else { 26.0 }
    }
}

impl Image {
    /// An image of at most `most` cells to a side; `low` is black and `high` white.
    fn new(
        values: &[f64],
        (channels, h, w): (usize, usize, usize),
        (low, high): (f64, f64),
        most: usize,
    ) -> Image {
        let (rows, columns) = (h.min(most), w.min(most));
        let part = |i: usize, cells: usize, side: usize| i * side / cells..(i + 1) * side / cells;
        let level = |channel: usize, row: usize, column: usize| {
            let area = part(row, rows, h)
                .flat_map(|y| part(column, columns, w).map(move |x| (channel * h + y) * w + x));
            let (sum, n) = area.fold((0.0, 0.0), |(sum, n), i| (sum + values[i], n + 1.0));
            (sum / n - low) / (high - low).max(f64::MIN_POSITIVE)
        };
        let cell = |i: usize| {
            let [r, g, b] = [0, 1, 2].map(|c| level(c % channels, i / columns, i % columns));
            let byte = |v: f64| (v.clamp(0.0, 1.0) * 255.0).round() as u8;
            (r + g + b).is_finite().then(|| RGBColor(byte(r), byte(g), byte(b)))
        };
        Image { columns, cells: (0..rows * columns).map(cell).collect() }
    }

    /// Draws runs of equal cells, sorted by colour, so that each colour is one path. Cells end on whole pixels: a sharp
    /// image has no seams.
    fn draw(&self, canvas: &Canvas, place: Rect) {
        let rows = (self.cells.len() / self.columns.max(1)).max(1);
        let x = |i: usize| place.left + (i as f64 / self.columns as f64 * place.width()).round();
        let y = |i: usize| place.top + (i as f64 / rows as f64 * place.height()).round();
        let mut runs = Vec::new();
        for (row, cells) in self.cells.chunks(self.columns.max(1)).enumerate() {
            let mut column = 0;
            for run in cells.chunk_by(|a, b| a == b) {
                runs.push((run[0].unwrap_or(NOTHING), row, column, column + run.len()));
                column += run.len();
            }
        }
        runs.sort_by_key(|(color, row, column, _)| (color.0, color.1, color.2, *row, *column));
        for (color, row, start, end) in runs {
            canvas.rect(Rect { left: x(start), top: y(row), right: x(end), bottom: y(row + 1) }, color);
        }
    }
}

impl Chart for Images {
    fn title(&self) -> String {
        if self.predicted.is_some() { "Predictions".into() } else { "Images".into() }
    }

    fn size(&self, _: &Options) -> (u32, u32) {
        let side = if self.columns() > 7 { 108.0 } else { 136.0 };
        let width = (24.0 + self.columns() as f64 * (side + 14.0)).max(360.0);
        let height =
            70.0 + self.rows() as f64 * (side / self.aspect.clamp(0.25, 4.0) + self.caption_height() + 12.0);
        (width.min(10_000.0) as u32, height.clamp(100.0, 10_000.0) as u32)
    }

    fn notes(&self, _: &Options) -> Vec<String> {
        notes::drawn("", self.images.len(), self.given, "images").into_iter().collect()
    }

    fn summary(&self) -> Option<String> {
        self.predicted.as_ref()?;
        let right = (0..self.images.len()).filter(|i| !self.is_wrong(*i)).count();
        Some(format!("{right} of {} right", self.images.len()))
    }

    fn draw(&self, canvas: &Canvas, body: Rect, options: &Options) {
        if self.images.is_empty() {
            canvas.text("no images", body.center(), Style::new(14.0).color(GREY));
        }
        let cells = body.grid(self.rows(), self.columns(), 12.0);
        for (i, (image, cell)) in self.images.iter().zip(cells).enumerate() {
            let room = cell.shrink(0.0, 0.0, 0.0, self.caption_height());
            let height = room.height().min(room.width() / self.aspect);
            let (middle, half) = (room.center().0, height * self.aspect / 2.0);
            let place = Rect::new(middle - half, room.bottom - height, middle + half, room.bottom).round();
            image.draw(canvas, place);
            match self.is_wrong(i) {
                true => canvas.frame(place.shrink(-1.5, -1.5, -1.5, -1.5), WRONG, 3.0),
                false => canvas.frame(place, GREY, 0.6),
            }
            for (line, (text, color)) in self.caption(i, options, cell.width() + 8.0).into_iter().enumerate()
            {
                let at = (middle, place.bottom + 14.0 + 18.0 * line as f64);
                canvas.text(&text, at, Style::new(CAPTION).color(color));
            }
        }
    }
}
