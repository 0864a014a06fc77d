//! Text as outlines, from fonts that are part of the program.
//!
//! Letters come from DejaVu Sans (Latin, Greek, Cyrillic, Arabic, Hebrew, mathematics and more), shaped by rustybuzz, so
//! that accents combine and Arabic letters join. What it lacks (Hangul, Han, Kana and most other scripts) comes from
//! GNU Unifont, a bitmap font of the whole Basic Multilingual Plane, as rectangles. What no font has is a box.

mod bitmap;
mod runs;

use runs::{Run, Source};
use rustybuzz::{Direction, Face, UnicodeBuffer, ttf_parser};
use std::sync::LazyLock;

// The fonts, parsed once. They never change.
static REGULAR: LazyLock<Face<'static>> = LazyLock::new(|| parse(dejavu::sans::regular()));
static BOLD: LazyLock<Face<'static>> = LazyLock::new(|| parse(dejavu::sans::bold()));

fn parse(bytes: &'static [u8]) -> Face<'static> {
    Face::from_slice(bytes, 0).expect("the font is part of the program")
}

fn face(bold: bool) -> &'static Face<'static> {
    if bold { &BOLD } else { &REGULAR }
}

/// A piece of an outline, in pixels from the start of the line; y grows downward from the base line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Segment {
    Move((f64, f64)),
    Line((f64, f64)),
    Quad([(f64, f64); 2]),
    Close,
}

/// A line of text, ready to draw.
#[derive(Debug, Default)]
pub(crate) struct Line {
    pub(crate) outline: Vec<Segment>,
    pub(crate) width: f64,
    /// How many characters no font has.
    pub(crate) boxes: usize,
}

/// Height above and below the base line of text of `size` pixels: the same for every text, so that lines align.
pub(crate) fn extent(size: f64) -> (f64, f64) {
    (0.76 * size, 0.24 * size)
}

/// The width of a line in pixels.
pub(crate) fn width(text: &str, size: f64, bold: bool) -> f64 {
    shape(text, size, bold).width
}

/// The text, cut after as many characters as fit into `width` pixels, with "…" if something is missing.
pub(crate) fn fit(text: &str, size: f64, bold: bool, limit: f64) -> String {
    if width(text, size, bold) <= limit {
        return text.to_owned();
    }
    let ends: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
    let fits = |&i: &usize| width(&format!("{}…", &text[..i]), size, bold) <= limit;
    let count = ends.partition_point(fits);
    format!("{}…", text[..ends.get(count.saturating_sub(1)).copied().unwrap_or(0)].trim_end())
}

/// Lays out one line of text.
pub(crate) fn shape(text: &str, size: f64, bold: bool) -> Line {
    let mut line = Line::default();
    for run in runs::split(text, |c| face(bold).glyph_index(c).is_some()) {
        match run.source {
            Source::Outline => line.shape_outlines(&run, size, face(bold)),
            Source::Bitmap => line.place_bitmaps(&run, size),
            Source::Box => line.place_boxes(&run, size),
        }
    }
    line
}

impl Line {
    fn shape_outlines(&mut self, run: &Run, size: f64, face: &Face) {
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(&run.text);
        buffer.guess_segment_properties();
        buffer.set_direction(if run.rightward { Direction::LeftToRight } else { Direction::RightToLeft });
        let glyphs = rustybuzz::shape(face, &[], buffer);
        let scale = size / f64::from(face.units_per_em());
        for (glyph, position) in glyphs.glyph_infos().iter().zip(glyphs.glyph_positions()) {
            let x = self.width + f64::from(position.x_offset) * scale;
            let y = -f64::from(position.y_offset) * scale;
            let mut pen = Pen { outline: &mut self.outline, x, y, scale };
            face.outline_glyph(ttf_parser::GlyphId(glyph.glyph_id as u16), &mut pen);
            self.width += f64::from(position.x_advance) * scale;
        }
    }

    fn place_bitmaps(&mut self, run: &Run, size: f64) {
        let pixel = bitmap::pixel(size);
        self.width = self.width.ceil();
        for c in run.visual() {
            let glyph = bitmap::glyph(c);
            // A combining mark is drawn on the character before it.
            let advance = if bitmap::combines(c) { 0.0 } else { glyph.columns as f64 * pixel };
            let x = if advance > 0.0 { self.width } else { self.width - glyph.columns as f64 * pixel };
            bitmap::outline(&glyph, x, pixel, &mut self.outline);
            self.width += advance;
        }
    }

    fn place_boxes(&mut self, run: &Run, size: f64) {
        for _ in run.text.chars() {
            self.boxes += 1;
            let (left, right) = (self.width + 0.08 * size, self.width + 0.52 * size);
            let thin = 0.06 * size;
            self.rectangle(left, -0.7 * size, right, 0.0, false);
            self.rectangle(left + thin, -0.7 * size + thin, right - thin, -thin, true);
            self.width += 0.6 * size;
        }
    }

    /// A rectangle; the other way round it is a hole in one that is around it.
    fn rectangle(&mut self, x0: f64, y0: f64, x1: f64, y1: f64, hole: bool) {
        let (a, b) = if hole { ((x0, y1), (x1, y0)) } else { ((x1, y0), (x0, y1)) };
        let corners = [Segment::Move((x0, y0)), Segment::Line(a), Segment::Line((x1, y1)), Segment::Line(b)];
        self.outline.extend(corners);
        self.outline.push(Segment::Close);
    }
}

/// Collects a glyph's outline at its place in the line.
struct Pen<'a> {
    outline: &'a mut Vec<Segment>,
    x: f64,
    y: f64,
    scale: f64,
}

impl Pen<'_> {
    fn at(&self, x: f32, y: f32) -> (f64, f64) {
        (self.x + f64::from(x) * self.scale, self.y - f64::from(y) * self.scale)
    }
}

impl ttf_parser::OutlineBuilder for Pen<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        self.outline.push(Segment::Move(self.at(x, y)));
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.outline.push(Segment::Line(self.at(x, y)));
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.outline.push(Segment::Quad([self.at(x1, y1), self.at(x, y)]));
    }

    fn curve_to(&mut self, _: f32, _: f32, _: f32, _: f32, x: f32, y: f32) {
        // A TrueType font has quadratic curves only.
        self.line_to(x, y);
    }

    fn close(&mut self) {
        self.outline.push(Segment::Close);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_common_script_has_glyphs() {
        for text in [
            "Train",
            "Größe",
            "Ελλάδα",
            "Кошка",
            "عربي",
            "שלום",
            "티셔츠",
            "日本語",
            "スカート",
            "हिन्दी",
            "ไทย",
            "😀",
        ] {
            let line = shape(text, 13.0, false);
            assert_eq!(line.boxes, 0, "{text}");
            assert!(line.outline.len() > 10 && line.width > 10.0, "{text}");
        }
        assert_eq!(shape("a\u{e000}", 13.0, false).boxes, 1);
    }

    #[test]
    fn decomposed_text_looks_like_composed_text() {
        // Folder names on some systems come with Hangul taken apart into its letters.
        let decomposed = "\u{1110}\u{1175}\u{1109}\u{1167}\u{110e}\u{1173}";
        assert_eq!(shape(decomposed, 13.0, false).outline, shape("티셔츠", 13.0, false).outline);
        assert!((width("e\u{301}", 13.0, false) - width("é", 13.0, false)).abs() < 1e-9);
        assert_eq!(width("カ\u{3099}", 13.0, false), width("ガ", 13.0, false));
    }

    #[test]
    fn a_text_that_does_not_fit_is_cut_and_says_so() {
        assert_eq!(fit("Ankle boot", 13.0, false, 1000.0), "Ankle boot");
        let cut = fit("A very long name of a class", 13.0, false, 100.0);
        assert!(cut.ends_with('…') && cut.len() > 8 && width(&cut, 13.0, false) <= 100.0, "{cut}");
        assert_eq!(fit("티셔츠", 13.0, false, 0.0), "…");
    }

    #[test]
    fn right_to_left_text_runs_leftward() {
        // Letters that do not join: the first one is the rightmost.
        let line = shape("אב", 20.0, false);
        let (alef, bet) = (shape("א", 20.0, false), shape("ב", 20.0, false));
        assert_eq!(line.outline[..bet.outline.len()], bet.outline[..]);
        assert!((line.width - alef.width - bet.width).abs() < 1e-9);
    }
}
