//! Which classes are taken for which.

use crate::canvas::{Canvas, Rect, Style};
use crate::color::{self, GREY, INK, WHITE};
use crate::font;
use crate::panel::LABEL;
use crate::plot::{Chart, Options, Plot};
use crate::scatter::grouped;
use rekindle_tensor::mistake;

/// Draws a confusion matrix: `counts[actual][predicted]` is how many samples of a class were predicted as which.
///
/// A cell holds the count and its share of the row (of the actual class), which is also its colour. The picture grows with the
/// number of classes, so that numbers stay readable; in a picture of a given size they are left out where they have no room.
///
/// # Panics
/// If the rows are not as long as there are rows.
///
/// ```
/// # use rekindle_plot as plot;
/// let counts = vec![vec![48, 2, 0], vec![5, 44, 1], vec![0, 0, 50]];
/// let picture = plot::confusion_matrix(&counts).class_names(["cat", "dog", "hen"]).draw();
/// assert!(picture.svg().contains("aria-label=\"96 %\""));
/// ```
#[track_caller]
pub fn confusion_matrix(counts: &[Vec<u64>]) -> Plot {
    if let Some(row) = counts.iter().find(|row| row.len() != counts.len()) {
        let (n, m) = (counts.len(), row.len());
        mistake!(
            "confusion_matrix: {n} rows need {n} columns each, got {m}; count every class as actual and as predicted"
        );
    }
    Plot::new(Confusion { counts: counts.to_vec() })
}

const NAME: f64 = 12.5;

struct Confusion {
    counts: Vec<Vec<u64>>,
}

impl Confusion {
    fn classes(&self) -> usize {
        self.counts.len()
    }

    fn name_width(&self, options: &Options) -> f64 {
        let names = (0..self.classes()).map(|c| font::width(&options.short_class(c), NAME, false));
        names.fold(0.0, f64::max).min(160.0)
    }

    /// Whether the names of the columns have to stand upright.
    fn upright(&self, cell: f64, options: &Options) -> bool {
        self.name_width(options) > cell - 6.0
    }

    /// The matrix itself, inside of the names: square cells of whole pixels.
    fn matrix(&self, body: Rect, options: &Options) -> (Rect, f64) {
        let (names, n) = (self.name_width(options), self.classes().max(1) as f64);
        let cell = |below: f64| {
            let room = body.shrink(names + 36.0, 2.0, 6.0, below + 32.0);
            (room, (room.width() / n).min(room.height() / n).max(1.0))
        };
        let (mut room, mut side) = cell(22.0);
        if self.upright(side, options) {
            (room, side) = cell(names + 10.0);
        }
        let side = if side >= 4.0 { side.floor() } else { side };
        let left = room.left + (room.width() - side * n) / 2.0;
        (Rect::new(left, room.top, left + side * n, room.top + side * n).round(), side)
    }

    fn draw_cell(&self, canvas: &Canvas, cell: Rect, count: u64, total: u64) {
        let share = if total > 0 { count as f64 / total as f64 } else { 0.0 };
        let back = color::amount(share);
        canvas.rect(cell, back);
        let (x, y) = cell.center();
        let size = (cell.width() * 0.3).min(15.0);
        let style = Style::new(size.max(9.0)).color(color::readable_on(back));
        let text = grouped(count as usize);
        let narrower = (cell.width() - 3.0) / font::width(&text, style.size, false);
        let style = Style { size: style.size.min(style.size * narrower), ..style };
        // Smaller letters could not be read.
        if style.size < 7.5 {
            return;
        }
        let two_lines = cell.height() >= 40.0 && total > 0;
        let up = if two_lines { 0.15 * cell.height().min(60.0) } else { 0.0 };
        canvas.text(&text, (x, y - up), style);
        if two_lines {
            let style = Style { size: (size * 0.82).max(10.0), ..style };
            canvas.text(&percent(share), (x, y + up + 2.0), style);
        }
    }

    fn draw_names(&self, canvas: &Canvas, body: Rect, matrix: Rect, side: f64, options: &Options) {
        let widest = self.name_width(options);
        let upright = self.upright(side, options);
        // Names closer than their height would overlap.
        let every = (NAME * 1.15 / side).ceil().max(1.0) as usize;
        for c in (0..self.classes()).step_by(every) {
            let name = options.short_class(c);
            let middle = (c as f64 + 0.5) * side;
            let row = (matrix.left - 8.0, matrix.top + middle);
            canvas.text_within(&name, row, Style::new(NAME).right(), widest);
            if upright {
                let at = (matrix.left + middle, matrix.bottom + 8.0);
                canvas.text_within(&name, at, Style::new(NAME).right().upward(), widest);
            } else {
                canvas.text(&name, (matrix.left + middle, matrix.bottom + 7.0), Style::new(NAME).top());
            }
        }
        let below = matrix.bottom + if upright { widest + 10.0 } else { 22.0 };
        let (x, y) = matrix.center();
        canvas.text(options.x_label("predicted class"), (x, below + 16.0), Style::new(LABEL));
        let left = (matrix.left - widest - 26.0).max(body.left + 8.0);
        canvas.text_within(
            options.y_label("actual class"),
            (left, y),
            Style::new(LABEL).upward(),
            body.height(),
        );
    }
}

impl Chart for Confusion {
    fn title(&self) -> String {
        "Confusion matrix".into()
    }

    fn size(&self, options: &Options) -> (u32, u32) {
        let n = self.classes().max(2) as f64;
        let cell = (560.0 / n).clamp(if n <= 20.0 { 52.0 } else { 32.0 }, 130.0);
        let names = self.name_width(options);
        let below = if self.upright(cell, options) { names + 10.0 } else { 22.0 };
        let (width, height) = (names + n * cell + 70.0, below + n * cell + 110.0);
        (width.clamp(420.0, 10_000.0) as u32, height.clamp(360.0, 10_000.0) as u32)
    }

    fn notes(&self) -> Vec<String> {
        let total: u64 = self.counts.iter().flatten().sum();
        let right: u64 = (0..self.classes()).map(|c| self.counts[c][c]).sum();
        let share = right as f64 / total.max(1) as f64;
        let (right, total) = (grouped(right as usize), grouped(total as usize));
        vec![format!("%: share of the row. {right} of {total} right (accuracy {share:.4})")]
    }

    fn draw(&self, canvas: &Canvas, body: Rect, options: &Options) {
        if self.counts.is_empty() {
            canvas.text("no classes", body.center(), Style::new(LABEL).color(GREY));
            return;
        }
        let (matrix, side) = self.matrix(body, options);
        for (actual, row) in self.counts.iter().enumerate() {
            let total = row.iter().sum();
            for (predicted, count) in row.iter().enumerate() {
                let (left, top) = (matrix.left + predicted as f64 * side, matrix.top + actual as f64 * side);
                self.draw_cell(
                    canvas,
                    Rect { left, top, right: left + side, bottom: top + side },
                    *count,
                    total,
                );
            }
        }
        if side >= 12.0 {
            for i in 1..self.classes() {
                let at = i as f64 * side;
                canvas.line(&[(matrix.left + at, matrix.top), (matrix.left + at, matrix.bottom)], WHITE, 1.0);
                canvas.line(&[(matrix.left, matrix.top + at), (matrix.right, matrix.top + at)], WHITE, 1.0);
            }
        }
        canvas.frame(matrix, INK, 1.0);
        self.draw_names(canvas, body, matrix, side, options);
    }
}

/// A share in percent; what is not none or all does not look so.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        p if p == 0.0 || p == 100.0 => format!("{p:.0} %"),
        p if p < 1.0 => "<1 %".into(),
        p if p > 99.0 => ">99 %".into(),
        p => format!("{p:.0} %"),
    }
}
