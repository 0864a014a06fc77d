//! The legend: a column beside the plotting areas, so that it hides no data.

use crate::canvas::{Canvas, Rect, Style};
use crate::color::WHITE;
use crate::font;
use plotters::style::RGBColor;

const SIZE: f64 = 13.0;
const ROW: f64 = 23.0;
/// The height of a row where there are many.
const CLOSE: f64 = 18.0;
/// Room for the sign before a name.
const SIGN: f64 = 34.0;

/// The sign that stands for something in the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sign {
    /// A point with the shape of this class.
    Marker(usize, RGBColor),
    /// A line with this dash.
    Line(usize, RGBColor),
    /// A point with this edge and nothing inside.
    Hollow(RGBColor),
    /// A filled area.
    Patch(RGBColor),
    /// A point with the shape of this class on an area of another colour.
    MarkerOn(usize, RGBColor, RGBColor),
}

/// A sign with its meaning.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) sign: Sign,
    pub(crate) name: String,
}

/// How the rows are arranged.
#[derive(Debug, PartialEq)]
pub(crate) struct Layout {
    columns: usize,
    /// Rows to a column.
    rows: usize,
    row: f64,
    column: f64,
}

impl Layout {
    /// A column as wide as the longest name needs, but at most 30 % of the picture. What does not fit into it gets closer
    /// rows, then more columns, up to 40 % of the picture.
    pub(crate) fn new(entries: &[Entry], picture: f64, height: f64) -> Layout {
        let longest = entries.iter().map(|e| font::width(&e.name, SIZE, false)).fold(0.0, f64::max);
        let column = (SIGN + longest + 12.0).min(picture * 0.3);
        let rows = |row: f64| (height / row).max(1.0) as usize;
        let arranged = |row: f64, columns: usize| Layout { columns, rows: rows(row), row, column };
        let needed = |row: f64| entries.len().div_ceil(rows(row));
        if entries.is_empty() || needed(ROW) == 1 {
            return arranged(ROW, needed(ROW));
        }
        let most = (picture * 0.4 / column) as usize;
        if needed(CLOSE) <= most.max(1) {
            return arranged(CLOSE, needed(CLOSE));
        }
        // The last row needs room for "and 99 more".
        let column = column.max((SIGN + 90.0).min(picture * 0.3));
        Layout { columns: ((picture * 0.4 / column) as usize).max(1), rows: rows(CLOSE), row: CLOSE, column }
    }

    pub(crate) fn width(&self) -> f64 {
        self.columns as f64 * self.column
    }
}

/// Draws the column into `place`. Entries without room are counted in the last row.
pub(crate) fn draw(canvas: &Canvas, place: Rect, entries: &[Entry], picture: f64) {
    let layout = Layout::new(entries, picture, place.height());
    let room = layout.columns * layout.rows;
    let shown = if entries.len() > room { room - 1 } else { entries.len() };
    let at = |i: usize| {
        let (column, row) = (i / layout.rows, i % layout.rows);
        (place.left + column as f64 * layout.column, place.top + (row as f64 + 0.5) * layout.row)
    };
    let name = |name: &str, (x, y): (f64, f64)| {
        let room = layout.column - SIGN - if layout.columns > 1 { 4.0 } else { 0.0 };
        canvas.text_within(name, (x + SIGN, y), Style::new(SIZE).left(), room);
    };
    for (i, entry) in entries[..shown].iter().enumerate() {
        draw_sign(canvas, at(i), entry.sign);
        name(&entry.name, at(i));
    }
    if shown < entries.len() {
        name(&format!("and {} more", entries.len() - shown), at(shown));
    }
}

fn draw_sign(canvas: &Canvas, (x, y): (f64, f64), sign: Sign) {
    let patch = |color| canvas.rect(Rect::new(x + 2.0, y - 7.0, x + 26.0, y + 7.0), color);
    match sign {
        Sign::Marker(class, color) => canvas.marker((x + 14.0, y), class, 4.5, color, WHITE),
        Sign::Hollow(color) => canvas.hollow((x + 14.0, y), 4.5, color),
        Sign::Line(dash, color) => canvas.dashed(&[(x, y), (x + 27.0, y)], color, 2.0, dash),
        Sign::Patch(color) => patch(color),
        Sign::MarkerOn(class, color, back) => {
            patch(back);
            canvas.marker((x + 14.0, y), class, 4.5, color, WHITE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_legend_gets_closer_rows_and_more_columns_before_it_is_cut() {
        let entry = |i: usize| Entry { sign: Sign::Patch(WHITE), name: format!("class {i}") };
        let of = |n: usize| Layout::new(&(0..n).map(entry).collect::<Vec<_>>(), 1200.0, 460.0);
        assert_eq!((of(20).columns, of(20).row), (1, ROW));
        assert_eq!((of(24).columns, of(24).row), (1, CLOSE));
        assert_eq!((of(40).columns, of(40).row), (2, CLOSE));
        let most = of(1000);
        assert!(most.width() <= 480.0 && most.columns >= 3, "{most:?}");
    }
}
