//! The drawing backend under plotters: an SVG document in which text is glyph outlines, so that it looks the same on
//! every machine, with or without fonts.
//!
//! Plotters gives whole numbers as coordinates. A unit here is a twentieth of a pixel ([`UNIT`]) and the document's
//! `viewBox` scales it, so every number in the file is an integer: short, exact and the same everywhere. Neighbours
//! of one opaque colour share a `<path>`; that keeps images and regions small, and leaves no seams between cells.

use crate::font::{self, Segment};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontStyle,
    FontTransform, text_anchor,
};
use std::convert::Infallible;
use std::fmt::Write;

/// Units to the pixel.
pub(crate) const UNIT: f64 = 20.0;

/// A number of pixels in units.
pub(crate) fn units(pixels: f64) -> i32 {
    // The bound keeps a picture with absurd data drawable; no picture is near it.
    (pixels * UNIT).round().clamp(-1e8, 1e8) as i32
}

/// The SVG document being written.
pub(crate) struct Svg<'a> {
    text: &'a mut String,
    size: (u32, u32),
    /// The attributes of the path that is open, and whether the next shape of the same kind may join it.
    open: Option<(String, bool)>,
}

impl<'a> Svg<'a> {
    /// Starts a document of `size` pixels with a title for programs that read pictures aloud.
    pub(crate) fn new(text: &'a mut String, size: (u32, u32), title: &str) -> Svg<'a> {
        let (w, h) = size;
        let (uw, uh) = (units(w.into()), units(h.into()));
        let _ = write!(
            text,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {uw} {uh}\" \
             fill=\"none\" stroke-linejoin=\"round\" stroke-linecap=\"round\">\n<title>{}</title>\n",
            escape(title)
        );
        Svg { text, size, open: None }
    }

    /// Adds an outline to the path with these attributes; opens one if the last path had others.
    fn add(&mut self, attributes: String, may_join: bool, outline: &str) {
        if self.open.as_ref().is_none_or(|(open, joins)| !(*joins && *open == attributes)) {
            self.close();
            let _ = write!(self.text, "<path{attributes} d=\"");
            self.open = Some((attributes, may_join));
        }
        self.text.push_str(outline);
    }

    fn close(&mut self) {
        if self.open.take().is_some() {
            self.text.push_str("\"/>\n");
        }
    }

    fn fill(&mut self, color: BackendColor, outline: &str) {
        self.add(paint("fill", color), color.alpha >= 1.0, outline);
    }

    fn stroke(&mut self, style: &impl BackendStyle, outline: &str) {
        let color = style.color();
        let attributes = format!("{} stroke-width=\"{}\"", paint("stroke", color), style.stroke_width());
        self.add(attributes, color.alpha >= 1.0, outline);
    }
}

impl Drop for Svg<'_> {
    fn drop(&mut self) {
        self.close();
        self.text.push_str("</svg>\n");
    }
}

fn paint(property: &str, color: BackendColor) -> String {
    let (r, g, b) = color.rgb;
    let mut text = format!(" {property}=\"#{r:02x}{g:02x}{b:02x}\"");
    if color.alpha < 1.0 {
        let _ = write!(text, " {property}-opacity=\"{:.2}\"", color.alpha.max(0.0));
    }
    text
}

/// Text as the content of an element or an attribute. Characters that XML forbids become U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' | '\r' => escaped.push(' '),
            c if (c as u32) < 0x20 || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// `M` to the first point and `l` from each to the next.
fn polyline(points: impl IntoIterator<Item = BackendCoord>) -> String {
    let mut outline = String::new();
    let mut last: Option<BackendCoord> = None;
    for (x, y) in points {
        let _ = match last {
            None => write!(outline, "M{x} {y}"),
            Some(at) if at == (x, y) => continue,
            Some((x0, y0)) => write!(outline, "l{} {}", x - x0, y - y0),
        };
        last = Some((x, y));
    }
    outline
}

/// Twice the area inside; positive if the corners run clockwise on the screen.
fn doubled_area(points: &[BackendCoord]) -> i64 {
    let next = points.iter().cycle().skip(1);
    points.iter().zip(next).map(|(a, b)| a.0 as i64 * b.1 as i64 - b.0 as i64 * a.1 as i64).sum()
}

type Done = Result<(), DrawingErrorKind<Infallible>>;

impl DrawingBackend for Svg<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (units(self.size.0.into()) as u32, units(self.size.1.into()) as u32)
    }

    fn ensure_prepared(&mut self) -> Done {
        Ok(())
    }

    fn present(&mut self) -> Done {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Done {
        self.draw_rect((x, y), (x + 1, y + 1), &color, true)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Done {
        self.draw_path([from, to], style)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Done {
        let outline = polyline(path);
        if !outline.is_empty() && style.color().alpha > 0.0 {
            self.stroke(style, &outline);
        }
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (x0, y0): BackendCoord,
        (x1, y1): BackendCoord,
        style: &S,
        fill: bool,
    ) -> Done {
        let outline = format!("M{x0} {y0}h{}v{}h{}z", x1 - x0, y1 - y0, x0 - x1);
        match fill {
            true => self.fill(style.color(), &outline),
            false => self.stroke(style, &outline),
        }
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(&mut self, (x, y): BackendCoord, r: u32, style: &S, fill: bool) -> Done {
        let (left, across) = (x - r as i32, 2 * r);
        let outline = format!("M{left} {y}a{r} {r} 0 1 1 {across} 0a{r} {r} 0 1 1 -{across} 0z");
        match fill {
            true => self.fill(style.color(), &outline),
            false => self.stroke(style, &outline),
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Done {
        let mut corners: Vec<_> = corners.into_iter().collect();
        // Shapes that share a path must turn the same way round, or their overlap would be a hole.
        if doubled_area(&corners) < 0 {
            corners.reverse();
        }
        if corners.len() > 2 {
            self.fill(style.color(), &(polyline(corners) + "z"));
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, pos: BackendCoord) -> Done {
        let line = font::shape(text, style.size() / UNIT, matches!(style.style(), FontStyle::Bold));
        let (ascent, descent) = font::extent(style.size() / UNIT);
        let dx = match style.anchor().h_pos {
            text_anchor::HPos::Left => 0.0,
            text_anchor::HPos::Center => -line.width / 2.0,
            text_anchor::HPos::Right => -line.width,
        };
        let dy = match style.anchor().v_pos {
            text_anchor::VPos::Top => ascent,
            text_anchor::VPos::Center => (ascent - descent) / 2.0,
            text_anchor::VPos::Bottom => -descent,
        };
        // Whole pixels along and across the line keep letters equally sharp, and bitmap glyphs exact.
        let (dx, dy) = (dx.round(), dy.round());
        let place = |x: f64, y: f64| {
            let (x, y) = (units(x + dx), units(y + dy));
            let (x, y) = style.transform().transform(x, y);
            (pos.0 + x, pos.1 + y)
        };
        let outline = glyph_path(&line.outline, place);
        if !outline.is_empty() {
            let attributes = format!(" aria-label=\"{}\"{}", escape(text), paint("fill", style.color()));
            self.add(attributes, false, &outline);
        }
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let size = style.size() / UNIT;
        let width = font::shape(text, size, matches!(style.style(), FontStyle::Bold)).width;
        let (ascent, descent) = font::extent(size);
        let (w, h) = (units(width) as u32, units(ascent + descent) as u32);
        Ok(match style.transform() {
            FontTransform::None | FontTransform::Rotate180 => (w, h),
            FontTransform::Rotate90 | FontTransform::Rotate270 => (h, w),
        })
    }
}

/// Outlines as path data; `place` gives the document's coordinates of a point in pixels from the line's start.
fn glyph_path(outline: &[Segment], place: impl Fn(f64, f64) -> BackendCoord) -> String {
    let mut path = String::new();
    let mut at = (0, 0);
    for segment in outline {
        let (letter, points): (char, &[(f64, f64)]) = match segment {
            Segment::Move(p) => ('M', std::slice::from_ref(p)),
            Segment::Line(p) => ('l', std::slice::from_ref(p)),
            Segment::Quad(points) => ('q', points),
            Segment::Close => ('z', &[]),
        };
        path.push(letter);
        let from = if letter == 'M' { (0, 0) } else { at };
        for (i, &(x, y)) in points.iter().enumerate() {
            at = place(x, y);
            let gap = if i > 0 { " " } else { "" };
            let _ = write!(path, "{gap}{} {}", at.0 - from.0, at.1 - from.1);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(draw: impl FnOnce(&mut Svg)) -> String {
        let mut text = String::new();
        draw(&mut Svg::new(&mut text, (10, 10), "t"));
        text
    }

    const RED: BackendColor = BackendColor { alpha: 1.0, rgb: (255, 0, 0) };
    const VEIL: BackendColor = BackendColor { alpha: 0.5, rgb: (255, 0, 0) };

    #[test]
    fn shapes_of_one_opaque_colour_share_a_path() {
        let twice = |color: BackendColor| {
            written(|svg| {
                svg.draw_rect((0, 0), (5, 5), &color, true).unwrap();
                svg.draw_rect((5, 0), (9, 5), &color, true).unwrap();
            })
        };
        assert_eq!(twice(RED).matches("<path").count(), 1);
        assert_eq!(twice(VEIL).matches("<path").count(), 2);
    }

    #[test]
    fn polygons_turn_the_same_way() {
        let one = written(|svg| svg.fill_polygon([(0, 0), (9, 0), (9, 9)], &RED).unwrap());
        let other = written(|svg| svg.fill_polygon([(9, 9), (9, 0), (0, 0)], &RED).unwrap());
        assert_eq!(one, other);
    }

    #[test]
    fn titles_cannot_break_the_document() {
        let mut text = String::new();
        drop(Svg::new(&mut text, (1, 1), "a<b & \"c\" \u{1}"));
        assert!(text.contains("<title>a&lt;b &amp; &quot;c&quot; \u{fffd}</title>"), "{text}");
    }
}
