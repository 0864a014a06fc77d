//! The legend: a column beside the plotting areas, so that it hides no data.

use crate::canvas::{Canvas, Rect, Style};
use crate::font;
use plotters::style::RGBColor;

const SIZE: f64 = 13.0;
const ROW: f64 = 23.0;
/// Room for the sign before a name.
const SIGN: f64 = 34.0;

/// The sign that stands for something in the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sign {
    /// A point with the shape of this class.
    Marker(usize, RGBColor),
    /// A line with this dash.
    Line(usize, RGBColor),
    /// A filled area.
    Patch(RGBColor),
}

/// A sign with its meaning.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) sign: Sign,
    pub(crate) name: String,
}

/// How wide the legend is: as its longest name needs, but at most 30 % of the picture.
pub(crate) fn width(entries: &[Entry], picture: f64) -> f64 {
    let longest = entries.iter().map(|e| font::width(&e.name, SIZE, false)).fold(0.0, f64::max);
    if entries.is_empty() { 0.0 } else { (SIGN + longest + 12.0).min(picture * 0.3) }
}

/// Draws the column into `place`. Entries without room are counted in the last row.
pub(crate) fn draw(canvas: &Canvas, place: Rect, entries: &[Entry]) {
    let room = (place.height() / ROW).max(1.0) as usize;
    let shown = if entries.len() > room { room - 1 } else { entries.len() };
    let row = |i: usize| place.top + (i as f64 + 0.5) * ROW;
    for (i, entry) in entries[..shown].iter().enumerate() {
        let y = row(i);
        match entry.sign {
            Sign::Marker(class, color) => canvas.marker((place.left + 14.0, y), class, 4.5, color),
            Sign::Line(dash, color) => {
                canvas.dashed(&[(place.left, y), (place.left + 27.0, y)], color, 2.0, dash);
            }
            Sign::Patch(color) => {
                canvas.rect(Rect::new(place.left + 4.0, y - 6.0, place.left + 24.0, y + 6.0), color);
            }
        }
        canvas.text_within(
            &entry.name,
            (place.left + SIGN, y),
            Style::new(SIZE).left(),
            place.width() - SIGN,
        );
    }
    if shown < entries.len() {
        let more = format!("and {} more", entries.len() - shown);
        canvas.text_within(
            &more,
            (place.left + SIGN, row(shown)),
            Style::new(SIZE).left(),
            place.width() - SIGN,
        );
    }
}
