//! Drawing in pixels: the few things that pictures are made of, as plotters' elements.

use crate::color::{self, INK, WHITE};
use crate::font;
use crate::marker;
use crate::svg::{Svg, units};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{
    Circle, DashedPathElement, Drawable, EmptyElement, PathElement, PointCollection, Polygon,
};
use plotters::element::{Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color, FontDesc, FontFamily, FontStyle, FontTransform, RGBColor, ShapeStyle, TextStyle,
};

/// A rectangle in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rect {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

impl Rect {
    pub(crate) fn new(left: f64, top: f64, right: f64, bottom: f64) -> Rect {
        // A side is at least a pixel long, however small the picture is.
        Rect { left, top, right: right.max(left + 1.0), bottom: bottom.max(top + 1.0) }
    }

    pub(crate) fn width(&self) -> f64 {
        self.right - self.left
    }

    pub(crate) fn height(&self) -> f64 {
        self.bottom - self.top
    }

    pub(crate) fn center(&self) -> (f64, f64) {
        ((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0)
    }

    /// The rectangle without a margin on each side.
    pub(crate) fn shrink(&self, left: f64, top: f64, right: f64, bottom: f64) -> Rect {
        Rect::new(self.left + left, self.top + top, self.right - right, self.bottom - bottom)
    }

    /// Equal cells in reading order, `gap` pixels apart.
    pub(crate) fn grid(&self, rows: usize, columns: usize, gap: f64) -> Vec<Rect> {
        let (rows, columns) = (rows.max(1), columns.max(1));
        let w = (self.width() - gap * (columns - 1) as f64) / columns as f64;
        let h = (self.height() - gap * (rows - 1) as f64) / rows as f64;
        let cell = |i: usize| {
            let left = self.left + (i % columns) as f64 * (w + gap);
            let top = self.top + (i / columns) as f64 * (h + gap);
            Rect::new(left, top, left + w, top + h)
        };
        (0..rows * columns).map(cell).collect()
    }

    /// The rectangle with sides along the middle of pixels, where lines of one pixel are sharp.
    pub(crate) fn sharp(&self) -> Rect {
        let Rect { left, top, right, bottom } = *self;
        Rect::new(sharp(left), sharp(top), sharp(right), sharp(bottom))
    }

    /// The rectangle with sides on whole pixels.
    pub(crate) fn round(&self) -> Rect {
        Rect::new(self.left.round(), self.top.round(), self.right.round(), self.bottom.round())
    }
}

/// The middle of the pixel at a place.
pub(crate) fn sharp(place: f64) -> f64 {
    place.floor() + 0.5
}

/// How a text looks and which of its points is the anchor.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    pub(crate) size: f64,
    pub(crate) bold: bool,
    pub(crate) color: RGBColor,
    pub(crate) h: HPos,
    pub(crate) v: VPos,
    /// Turned to run upward.
    pub(crate) upward: bool,
}

impl Style {
    /// Dark text, anchored at its middle.
    pub(crate) fn new(size: f64) -> Style {
        Style { size, bold: false, color: INK, h: HPos::Center, v: VPos::Center, upward: false }
    }

    pub(crate) fn bold(self) -> Style {
        Style { bold: true, ..self }
    }

    pub(crate) fn color(self, color: RGBColor) -> Style {
        Style { color, ..self }
    }

    pub(crate) fn left(self) -> Style {
        Style { h: HPos::Left, ..self }
    }

    pub(crate) fn right(self) -> Style {
        Style { h: HPos::Right, ..self }
    }

    pub(crate) fn top(self) -> Style {
        Style { v: VPos::Top, ..self }
    }

    pub(crate) fn upward(self) -> Style {
        Style { upward: true, ..self }
    }
}

/// How a line is broken up; index 0 is unbroken.
pub(crate) const DASHES: [(f64, f64); 4] = [(0.0, 0.0), (9.0, 5.0), (2.5, 4.0), (15.0, 4.0)];

/// The page.
#[derive(Clone)]
pub(crate) struct Canvas<'a> {
    pub(crate) root: DrawingArea<Svg<'a>, Shift>,
}

/// Drawing goes to memory, so it does not fail.
const NO_FAILURE: &str = "drawing to memory does not fail";

impl<'a> Canvas<'a> {
    pub(crate) fn new(svg: Svg<'a>) -> Canvas<'a> {
        let canvas = Canvas { root: svg.into_drawing_area() };
        canvas.root.fill(&WHITE).expect(NO_FAILURE);
        canvas
    }

    fn draw<E>(&self, element: &E)
    where
        for<'b> &'b E: PointCollection<'b, (i32, i32)>,
        E: Drawable<Svg<'a>>,
    {
        self.root.draw(element).expect(NO_FAILURE);
    }

    pub(crate) fn text(&self, text: &str, (x, y): (f64, f64), style: Style) {
        let weight = if style.bold { FontStyle::Bold } else { FontStyle::Normal };
        let turn = if style.upward { FontTransform::Rotate270 } else { FontTransform::None };
        let font =
            FontDesc::new(FontFamily::SansSerif, style.size * crate::svg::UNIT, weight).transform(turn);
        let style =
            TextStyle { font, color: style.color.to_backend_color(), pos: Pos::new(style.h, style.v) };
        self.draw(&Text::new(text.to_owned(), (units(x.round()), units(y.round())), style));
    }

    /// Text, cut to fit into `width` pixels.
    pub(crate) fn text_within(&self, text: &str, at: (f64, f64), style: Style, width: f64) {
        self.text(&font::fit(text, style.size, style.bold, width), at, style);
    }

    pub(crate) fn rect(&self, rect: Rect, color: RGBColor) {
        self.draw(&Rectangle::new(corners(rect), color.filled()));
    }

    /// The border of a rectangle.
    pub(crate) fn frame(&self, rect: Rect, color: RGBColor, width: f64) {
        self.draw(&Rectangle::new(corners(rect), stroke(color, width)));
    }

    pub(crate) fn line(&self, points: &[(f64, f64)], color: RGBColor, width: f64) {
        self.dashed(points, color, width, 0);
    }

    /// A line broken up as [`DASHES`] says.
    pub(crate) fn dashed(&self, points: &[(f64, f64)], color: RGBColor, width: f64, dash: usize) {
        let points: Vec<_> = points.iter().map(|(x, y)| (units(*x), units(*y))).collect();
        // Lines of the same colour get another dash.
        let (on, off) = DASHES[(dash + dash / color::CLASSES.len()) % DASHES.len()];
        match on > 0.0 {
            false => self.draw(&PathElement::new(points, stroke(color, width))),
            true => {
                let path = DashedPathElement::new(points, units(on), units(off), stroke(color, width));
                self.root.draw(&path).expect(NO_FAILURE);
            }
        }
    }

    pub(crate) fn polygon(&self, points: &[(f64, f64)], color: RGBColor) {
        let points: Vec<_> = points.iter().map(|(x, y)| (units(*x), units(*y))).collect();
        self.draw(&Polygon::new(points, color));
    }

    /// A ring.
    pub(crate) fn hollow(&self, (x, y): (f64, f64), radius: f64, color: RGBColor) {
        let at = EmptyElement::at((units(x), units(y)));
        let r = units(radius);
        self.draw(
            &(at + Circle::new((0, 0), r, WHITE.filled()) + Circle::new((0, 0), r, stroke(color, 1.6))),
        );
    }

    /// A point with the shape of a class, and a thin edge.
    pub(crate) fn marker(
        &self,
        (x, y): (f64, f64),
        class: usize,
        radius: f64,
        color: RGBColor,
        edge: RGBColor,
    ) {
        let at = EmptyElement::at((units(x), units(y)));
        let outline = marker::outline(class, radius * crate::svg::UNIT);
        if outline.is_empty() {
            let r = units(radius);
            self.draw(
                &(at + Circle::new((0, 0), r, color.filled()) + Circle::new((0, 0), r, stroke(edge, 0.6))),
            );
        } else {
            let closed: Vec<_> = outline.iter().copied().chain([outline[0]]).collect();
            self.draw(&(at + Polygon::new(outline, color) + PathElement::new(closed, stroke(edge, 0.6))));
        }
    }
}

fn corners(rect: Rect) -> [(i32, i32); 2] {
    [(units(rect.left), units(rect.top)), (units(rect.right), units(rect.bottom))]
}

fn stroke(color: RGBColor, width: f64) -> ShapeStyle {
    ShapeStyle { color: color.to_rgba(), filled: false, stroke_width: units(width).max(1) as u32 }
}
