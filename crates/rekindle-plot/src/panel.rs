//! One plotting area with its axes, and data drawn on it.

use crate::axis::{self, Axis};
use crate::canvas::{Canvas, Rect, Style, sharp};
use crate::color::{self, GREY, GRID, INK, WHITE};
use crate::font;
use crate::svg::{UNIT, units};
use plotters::coord::CoordTranslate;
use plotters::coord::cartesian::Cartesian2d;
use plotters::style::RGBColor;

pub(crate) const TICK: f64 = 12.5;
pub(crate) const LABEL: f64 = 14.0;
/// How many plotting areas the largest picture has room for.
pub(crate) const MOST_PANELS: usize = 99;
/// How many curves one plotting area shows; more could not be told apart.
pub(crate) const MOST_CURVES: usize = 100;
/// How many lone points of a line are drawn with an edge; each is a path of its own.
const MOST_EDGES: usize = 500;

/// What stands around the data.
pub(crate) struct Axes<'s> {
    pub(crate) title: &'s str,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) x_label: &'s str,
    pub(crate) y_label: &'s str,
    pub(crate) grid: bool,
    /// Room for the labels of the y axis, if panels above each other need the same; else as much as they take.
    pub(crate) gutter: Option<f64>,
}

/// A plotting area.
pub(crate) struct Panel<'c, 'a> {
    canvas: &'c Canvas<'a>,
    /// Where the data are.
    pub(crate) inner: Rect,
    coordinates: Cartesian2d<Axis, Axis>,
    x: Axis,
    y: Axis,
}

impl<'c, 'a> Panel<'c, 'a> {
    /// Puts axes into `outer`; the data go inside of them.
    pub(crate) fn new(canvas: &'c Canvas<'a>, outer: Rect, axes: Axes) -> Panel<'c, 'a> {
        let room = inner(outer, &axes);
        Panel::within(canvas, outer, room, axes)
    }

    /// As [`Panel::new`], with a unit as long on the x axis as on the y axis where they are comparable: the plotting area
    /// gets the ratio of the axes.
    pub(crate) fn equal(canvas: &'c Canvas<'a>, outer: Rect, axes: Axes) -> Panel<'c, 'a> {
        let Some(ratio) = axis::ratio(&axes.x, &axes.y) else { return Panel::new(canvas, outer, axes) };
        let room = inner(outer, &axes);
        let (width, height) =
            (room.width().min(room.height() / ratio), room.height().min(room.width() * ratio));
        let (dx, below) = ((room.width() - width) / 2.0, room.height() - height);
        let (left, top) = ((room.left + dx).floor(), room.top.floor());
        let room = Rect::new(left, top, left + width, top + height);
        // Free room is at the sides and below, so that titles and legend stay at one height.
        Panel::within(canvas, outer.shrink(dx, 0.0, dx, below), room, axes)
    }

    /// As [`Panel::equal`], but the axis that has room shows more instead.
    pub(crate) fn wider(canvas: &'c Canvas<'a>, outer: Rect, mut axes: Axes) -> Panel<'c, 'a> {
        let (x, y) = (axes.x.clone(), axes.y.clone());
        // The room depends on the labels of the ticks, and those on the axes.
        for _ in 0..3 {
            let room = inner(outer, &axes);
            (axes.x, axes.y) = axis::equal(&x, &y, room.height() / room.width());
        }
        Panel::equal(canvas, outer, axes)
    }

    fn within(canvas: &'c Canvas<'a>, outer: Rect, inner: Rect, axes: Axes) -> Panel<'c, 'a> {
        let inner = inner.sharp();
        let pixels = (units(inner.left)..units(inner.right), units(inner.bottom)..units(inner.top));
        let coordinates = Cartesian2d::new(axes.x.clone(), axes.y.clone(), pixels);
        let panel = Panel { canvas, inner, coordinates, x: axes.x.clone(), y: axes.y.clone() };
        panel.draw_ticks(axes.grid);
        panel.draw_names(outer, &axes);
        panel
    }

    fn draw_ticks(&self, grid: bool) {
        let Rect { left, top, right, bottom } = self.inner;
        for (value, label) in self.x.ticks(x_count(self.inner.width())) {
            let x = sharp(self.place(value, self.y.low).0);
            if grid {
                self.canvas.line(&[(x, top), (x, bottom)], GRID, 1.0);
            }
            self.canvas.line(&[(x, bottom), (x, bottom + 4.0)], INK, 1.0);
            self.canvas.text(&label, (x, bottom + 7.0), Style::new(TICK).top());
        }
        for (value, label) in self.y.ticks(y_count(self.inner.height())) {
            let y = sharp(self.place(self.x.low, value).1);
            if grid {
                self.canvas.line(&[(left, y), (right, y)], GRID, 1.0);
            }
            self.canvas.line(&[(left - 4.0, y), (left, y)], INK, 1.0);
            self.canvas.text(&label, (left - 7.0, y), Style::new(TICK).right());
        }
    }

    fn draw_names(&self, outer: Rect, axes: &Axes) {
        let inner = self.inner;
        let (x, y) = inner.center();
        self.canvas.text_within(axes.title, (x, inner.top - 14.0), Style::new(LABEL), outer.width());
        self.canvas.text_within(axes.x_label, (x, inner.bottom + 33.0), Style::new(LABEL), outer.width());
        self.canvas.text_within(
            axes.y_label,
            (outer.left + 9.0, y),
            Style::new(LABEL).upward(),
            outer.height(),
        );
    }

    /// Draws the frame over the data, so that nothing covers it. Call it last.
    pub(crate) fn finish(self, empty: bool) {
        if empty {
            self.canvas.text("no finite values", self.inner.center(), Style::new(LABEL).color(GREY));
        }
        self.canvas.frame(self.inner, INK, 1.0);
    }

    /// The pixel of a value.
    pub(crate) fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let (x, y) = self.coordinates.translate(&(x, y));
        (f64::from(x) / UNIT, f64::from(y) / UNIT)
    }

    /// Whether both axes can show the point.
    pub(crate) fn shows(&self, (x, y): (f64, f64)) -> bool {
        self.x.shows(x) && self.y.shows(y)
    }

    /// A line through points in order; it has a gap where a point has no place.
    pub(crate) fn line(&self, points: &[(f64, f64)], color: RGBColor, width: f64, dash: usize) {
        let (mut lone, mut last) = (0, (f64::NAN, f64::NAN));
        for piece in points.split(|p| !self.shows(*p)) {
            let pixels: Vec<_> = piece.iter().map(|(x, y)| self.place(*x, *y)).collect();
            match pixels.as_slice() {
                [] => {}
                // A lone point would be invisible.
                [one] if lone < MOST_EDGES => {
                    lone += 1;
                    self.canvas.marker(*one, 0, 4.0, color, WHITE);
                }
                [(x, y)] if last == (x.round(), y.round()) => {}
                [(x, y)] => {
                    last = (x.round(), y.round());
                    self.canvas.line(&[(x - 1.0, *y), (x + 1.0, *y)], color, 2.0);
                }
                _ => self.canvas.dashed(&thin(&pixels), color, width, dash),
            }
        }
    }

    /// A point with the shape and colour of a class.
    pub(crate) fn marker(&self, (x, y): (f64, f64), class: usize, radius: f64, edge: RGBColor) {
        if self.shows((x, y)) {
            self.canvas.marker(self.place(x, y), class, radius, color::class(class), edge);
        }
    }

    /// A point with an edge of this colour and nothing inside.
    pub(crate) fn hollow(&self, (x, y): (f64, f64), radius: f64, color: RGBColor) {
        if self.shows((x, y)) {
            self.canvas.hollow(self.place(x, y), radius, color);
        }
    }

    /// A bar between two corners.
    pub(crate) fn bar(&self, (x0, y0): (f64, f64), (x1, y1): (f64, f64), color: RGBColor) {
        let ((left, bottom), (right, top)) = (self.place(x0, y0), self.place(x1, y1));
        self.canvas.rect(Rect { left, top, right, bottom }, color);
    }

    pub(crate) fn polygon(&self, corners: &[(f64, f64)], color: RGBColor) {
        let pixels: Vec<_> = corners.iter().map(|(x, y)| self.place(*x, *y)).collect();
        self.canvas.polygon(&pixels, color);
    }
}

/// How many ticks an axis of this length has room for.
fn x_count(pixels: f64) -> usize {
    (pixels / 80.0).clamp(3.0, 8.0) as usize
}

fn y_count(pixels: f64) -> usize {
    (pixels / 50.0).clamp(3.0, 8.0) as usize
}

/// The plotting area inside of names and tick labels.
fn inner(outer: Rect, axes: &Axes) -> Rect {
    let top = if axes.title.is_empty() { 8.0 } else { 26.0 };
    let bottom = if axes.x_label.is_empty() { 26.0 } else { 46.0 };
    let widest = |ticks: Vec<(f64, String)>| {
        ticks.iter().map(|(_, label)| font::width(label, TICK, false)).fold(0.0, f64::max)
    };
    let y_ticks = axes.gutter.unwrap_or_else(|| widest(axes.y.ticks(y_count(outer.height() - top - bottom))));
    let y_name = if axes.y_label.is_empty() { 0.0 } else { 22.0 };
    // Half of the last label of the x axis may stand out at the right.
    let right = widest(axes.x.ticks(x_count(outer.width()))) / 2.0 + 1.0;
    outer.shrink(y_name + y_ticks + 9.0, top, right, bottom)
}

/// A line of very many points, reduced to what a screen can show: of the points that fall on the same half pixel of x in a
/// row, the first, the lowest, the highest and the last. The picture stays the same.
fn thin(pixels: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if pixels.len() < 4000 {
        return pixels.to_vec();
    }
    let mut kept = Vec::new();
    for column in pixels.chunk_by(|a, b| (a.0 * 2.0).floor() == (b.0 * 2.0).floor()) {
        let extreme = |better: fn(f64, f64) -> bool| {
            (0..column.len()).fold(0, |best, i| if better(column[i].1, column[best].1) { i } else { best })
        };
        let mut indices = [0, extreme(|a, b| a < b), extreme(|a, b| a > b), column.len() - 1];
        indices.sort_unstable();
        kept.extend(
            indices
                .iter()
                .enumerate()
                .filter(|(n, i)| *n == 0 || indices[n - 1] != **i)
                .map(|(_, i)| column[*i]),
        );
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_a_long_line_keeps_ends_and_extremes() {
        let line: Vec<(f64, f64)> =
            (0..60_000).map(|i| (f64::from(i) / 100.0, f64::from(i * 7919 % 997))).collect();
        let kept = thin(&line);
        assert!(kept.len() < 5000, "{}", kept.len());
        assert_eq!((kept[0], kept[kept.len() - 1]), (line[0], line[59_999]));
        let highest = |points: &[(f64, f64)]| points.iter().map(|p| p.1).fold(0.0, f64::max);
        assert_eq!(highest(&kept), highest(&line));
        assert_eq!(thin(&line[..100]), line[..100]);
    }

    #[test]
    fn the_plotting_area_lies_inside_of_the_panel() {
        let axes = Axes {
            title: "t",
            x: Axis::new(0.0, 1.0),
            y: Axis::new(-1e5, 1e5),
            x_label: "x",
            y_label: "y",
            grid: true,
            gutter: None,
        };
        let outer = Rect::new(10.0, 20.0, 410.0, 320.0);
        let inner = inner(outer, &axes);
        assert!(inner.left > outer.left + 60.0 && inner.right < outer.right);
        assert!(inner.top > outer.top && inner.bottom < outer.bottom);
    }
}
