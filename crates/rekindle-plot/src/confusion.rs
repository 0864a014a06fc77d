//! Which classes are taken for which.

use crate::axis::nice_step;
use crate::canvas::{Canvas, Rect, Style};
use crate::color::{self, GREY, INK, WHITE};
use crate::font;
use crate::notes::grouped;
use crate::panel::LABEL;
use crate::plot::{self, Chart, Options, Plot};
use rekindle_tensor::mistake;

/// Draws a confusion matrix: `counts[actual][predicted]` is how many samples of a class were predicted as which.
///
/// A cell holds the count and its share of the row (of the actual class), which is also its colour. The picture grows with the
/// number of classes, so that numbers stay readable; in a picture of a given size they are left out where they have no room.
/// More than 60 classes are colours alone, and of more than 400 classes neighbours share a cell; the picture says so.
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
    Plot::new(Confusion::new(counts))
}

const NAME: f64 = 12.5;

/// Above so many classes there are no numbers in the cells: nobody would read 3,600 of them.
const MOST_NUMBERS: usize = 60;
/// Above so many classes neighbours share a cell, so that a picture has a pixel for each and a file can be opened.
const MOST_CELLS: usize = 400;
/// How many shades of colours without numbers there are; each is one path.
const SHADES: usize = 64;

struct Confusion {
    /// The counts of the cells, row by row.
    cells: Vec<Vec<u64>>,
    classes: usize,
    /// How many classes share a row or a column.
    block: usize,
    right: u128,
    total: u128,
}

impl Confusion {
    fn new(counts: &[Vec<u64>]) -> Confusion {
        let classes = counts.len();
        let block = classes.div_ceil(MOST_CELLS).max(1);
        let mut cells = vec![vec![0u64; classes.div_ceil(block)]; classes.div_ceil(block)];
        for (actual, row) in counts.iter().enumerate() {
            let sums = &mut cells[actual / block];
            for (sum, part) in sums.iter_mut().zip(row.chunks(block)) {
                *sum = part.iter().fold(*sum, |sum, n| sum.saturating_add(*n));
            }
        }
        let total = counts.iter().flatten().map(|n| u128::from(*n)).sum();
        let right = (0..classes).map(|c| u128::from(counts[c][c])).sum();
        Confusion { cells, classes, block, right, total }
    }

    /// How many rows and columns are drawn.
    fn side(&self) -> usize {
        self.cells.len()
    }

    fn has_numbers(&self) -> bool {
        self.classes <= MOST_NUMBERS
    }

    /// The rows that can be named: all, or some tens at round numbers.
    fn named(&self) -> impl Iterator<Item = usize> {
        let every = if self.has_numbers() { 1.0 } else { nice_step(self.classes as f64 / 25.0) };
        (0..self.classes).step_by(every as usize)
    }

    fn name_width(&self, options: &Options) -> f64 {
        let names = self.named().map(|c| font::width(&options.short_class(c), NAME, false));
        names.fold(0.0, f64::max).min(160.0)
    }

    /// Whether cells of this height have room for a second line with the share.
    fn has_shares(&self, cell: f64) -> bool {
        self.has_numbers() && self.total > 0 && cell >= 40.0
    }

    /// Whether the names of the columns have to stand upright.
    fn upright(&self, cell: f64, options: &Options) -> bool {
        self.name_width(options) > cell - 6.0
    }

    /// The matrix itself, inside of the names: square cells of whole pixels.
    fn matrix(&self, body: Rect, options: &Options) -> (Rect, f64) {
        let (names, n) = (self.name_width(options), self.side().max(1) as f64);
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

    fn draw_cell(&self, canvas: &Canvas, cell: Rect, count: u64, total: u128) {
        let share = if total > 0 { count as f64 / total as f64 } else { 0.0 };
        let back = color::amount(share);
        canvas.rect(cell, back);
        let (x, y) = cell.center();
        let size = (cell.width() * 0.3).min(15.0);
        let style = Style::new(size.max(9.0)).color(color::readable_on(back));
        let text = grouped(count);
        let narrower = (cell.width() - 3.0) / font::width(&text, style.size, false);
        let style = Style { size: style.size.min(style.size * narrower), ..style };
        // Smaller letters could not be read.
        if style.size < 7.5 {
            return;
        }
        let two_lines = self.has_shares(cell.height()) && total > 0;
        let up = if two_lines { 0.15 * cell.height().min(60.0) } else { 0.0 };
        canvas.text(&text, (x, y - up), style);
        if two_lines {
            let style = Style { size: (size * 0.82).max(10.0), ..style };
            canvas.text(&percent(share), (x, y + up + 2.0), style);
        }
    }

    /// Draws colours alone: runs of equal cells, sorted by colour, so that each colour is one path.
    fn draw_colors(&self, canvas: &Canvas, matrix: Rect, side: f64) {
        canvas.rect(matrix, color::amount(0.0));
        let mut runs = Vec::new();
        for (row, counts) in self.cells.iter().enumerate() {
            let total: u128 = counts.iter().map(|n| u128::from(*n)).sum();
            // What is not none does not look so.
            let shade = |n: &u64| (*n as f64 / total.max(1) as f64 * (SHADES - 1) as f64).ceil() as usize;
            let shades: Vec<usize> = counts.iter().map(shade).collect();
            let mut column = 0;
            for run in shades.chunk_by(|a, b| a == b) {
                runs.push((run[0], row, column, column + run.len()));
                column += run.len();
            }
        }
        runs.sort_unstable();
        for (shade, row, start, end) in runs.into_iter().filter(|run| run.0 > 0) {
            let (x, y) = (|c: usize| matrix.left + c as f64 * side, |r: usize| matrix.top + r as f64 * side);
            let place = Rect { left: x(start), top: y(row), right: x(end), bottom: y(row + 1) };
            canvas.rect(place, color::amount(shade as f64 / (SHADES - 1) as f64));
        }
    }

    fn draw_numbers(&self, canvas: &Canvas, matrix: Rect, side: f64) {
        for (actual, row) in self.cells.iter().enumerate() {
            let total = row.iter().map(|n| u128::from(*n)).sum();
            for (predicted, count) in row.iter().enumerate() {
                let (left, top) = (matrix.left + predicted as f64 * side, matrix.top + actual as f64 * side);
                let cell = Rect { left, top, right: left + side, bottom: top + side };
                self.draw_cell(canvas, cell, *count, total);
            }
        }
        if side >= 12.0 {
            for i in 1..self.side() {
                let at = i as f64 * side + 0.5;
                canvas.line(&[(matrix.left + at, matrix.top), (matrix.left + at, matrix.bottom)], WHITE, 1.0);
                canvas.line(&[(matrix.left, matrix.top + at), (matrix.right, matrix.top + at)], WHITE, 1.0);
            }
        }
    }

    fn draw_names(&self, canvas: &Canvas, body: Rect, matrix: Rect, side: f64, options: &Options) {
        let widest = self.name_width(options);
        let upright = self.upright(side, options);
        let class = side / self.block as f64;
        let mut free = f64::NEG_INFINITY;
        for c in self.named() {
            let name = options.short_class(c);
            let middle = (c as f64 + 0.5) * class;
            // Names closer than their height would overlap.
            if middle < free {
                continue;
            }
            free = middle + NAME * 1.15 - 1e-9;
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
        let n = self.side().max(2) as f64;
        let cell = match self.has_numbers() {
            true => (560.0 / n).clamp(if n <= 20.0 { 52.0 } else { 36.0 }, 130.0),
            false => (900.0 / n).floor().clamp(2.0, 14.0),
        };
        let names = self.name_width(options);
        let below = if self.upright(cell, options) { names + 10.0 } else { 22.0 };
        let notes = if self.block > 1 { 48.0 } else { 32.0 };
        let (width, height) = (names + n * cell + 70.0, (below + n * cell + 94.0 + notes).ceil());
        (width.clamp(420.0, 10_000.0) as u32, height.clamp(360.0, 10_000.0) as u32)
    }

    fn notes(&self, options: &Options) -> Vec<String> {
        // How many lines there are does not depend on what they say.
        let lines = if self.block > 1 { 2 } else { 1 };
        let (_, side) = self.matrix(plot::body(self, options, lines), options);
        let what = if self.has_shares(side) { "Colour and %" } else { "Colour" };
        let mut notes = vec![format!("{what}: share of the row")];
        if self.block > 1 {
            let (n, all) = (self.block, grouped(self.classes));
            notes.push(format!("A cell stands for {n} x {n} of {all} x {all} pairs of classes"));
        }
        notes
    }

    fn summary(&self) -> Option<String> {
        let share = self.right as f64 / self.total.max(1) as f64;
        let (right, total) = (grouped(self.right), grouped(self.total));
        Some(format!("{right} of {total} right (accuracy {share:.4})"))
    }

    fn draw(&self, canvas: &Canvas, body: Rect, options: &Options) {
        if self.cells.is_empty() {
            canvas.text("no classes", body.center(), Style::new(LABEL).color(GREY));
            return;
        }
        let (matrix, side) = self.matrix(body, options);
        match self.has_numbers() {
            true => self.draw_numbers(canvas, matrix, side),
            false => self.draw_colors(canvas, matrix, side),
        }
        canvas.frame(matrix.sharp(), INK, 1.0);
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
