//! GNU Unifont's glyphs (8 or 16 columns, 16 rows) as rectangles.

use super::Segment;
use unifont::Glyph;

/// Rows above the base line.
const ASCENT: usize = 14;

/// The pixels of one character.
pub(super) struct Pixels {
    rows: [u16; 16],
    pub(super) columns: usize,
}

/// Whether there is a glyph. Unifont's own pictures of unassigned and private characters count as none.
pub(super) fn has(c: char) -> bool {
    !matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}') && unifont::get_glyph(c).is_some()
}

/// The glyph of a character that [`has`] one.
pub(super) fn glyph(c: char) -> Pixels {
    match unifont::get_glyph(c) {
        Some(Glyph::Halfwidth(rows)) => Pixels { rows: rows.map(|row| u16::from(row) << 8), columns: 8 },
        Some(Glyph::Fullwidth(rows)) => Pixels { rows: *rows, columns: 16 },
        None => Pixels { rows: [0; 16], columns: 8 },
    }
}

/// The side of one of the font's pixels beside letters of `size` pixels. It is 1 at the sizes of labels, so that the
/// glyphs stay sharp.
pub(super) fn pixel(size: f64) -> f64 {
    if size <= 17.0 { 1.0 } else { (size / 15.0 * 4.0).round() / 4.0 }
}

/// Whether a character is drawn over the one before it: the combining marks of scripts that DejaVu Sans does not have.
/// (Blocks, from the Unicode character database.)
pub(super) fn combines(c: char) -> bool {
    matches!(c as u32,
        0x300..=0x36f | 0x591..=0x5bd | 0x64b..=0x65f
        | 0x901..=0x903 | 0x93a..=0x93c | 0x93e..=0x94d | 0x951..=0x957 | 0x981..=0x983 | 0x9bc | 0x9be..=0x9cd
        | 0xa01..=0xa03 | 0xa3c..=0xa4d | 0xa81..=0xa83 | 0xabc..=0xacd | 0xb01..=0xb03 | 0xb3c..=0xb4d
        | 0xb82 | 0xbbe..=0xbcd | 0xc00..=0xc04 | 0xc3e..=0xc56 | 0xc81..=0xc83 | 0xcbc..=0xcd6 | 0xd00..=0xd03
        | 0xd3e..=0xd4d | 0xe31 | 0xe34..=0xe3a | 0xe47..=0xe4e | 0xeb1 | 0xeb4..=0xebc | 0xec8..=0xece
        | 0x102b..=0x103e | 0x17b4..=0x17d3 | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x20d0..=0x20ff
        | 0x302a..=0x302f | 0x3099..=0x309a | 0xfe20..=0xfe2f)
}

/// Adds the glyph as rectangles: runs of a row, as tall as the rows below repeat them.
pub(super) fn outline(glyph: &Pixels, x: f64, pixel: f64, outline: &mut Vec<Segment>) {
    let mut rows = glyph.rows;
    for top in 0..16 {
        while rows[top] != 0 {
            let left = rows[top].leading_zeros() as usize;
            let length = (rows[top] << left).leading_ones() as usize;
            let run = (u16::MAX << (16 - length)) >> left;
            let height = rows[top..].iter().take_while(|row| **row & run == run).count();
            rows[top..top + height].iter_mut().for_each(|row| *row &= !run);
            let (x0, x1) = (x + left as f64 * pixel, x + (left + length) as f64 * pixel);
            let down = |row: usize| (row as f64 - ASCENT as f64) * pixel;
            let (y0, y1) = (down(top), down(top + height));
            outline.extend([
                Segment::Move((x0, y0)),
                Segment::Line((x1, y0)),
                Segment::Line((x1, y1)),
                Segment::Line((x0, y1)),
                Segment::Close,
            ]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rectangles_cover_exactly_the_pixels() {
        for c in ['가', '티', '鬱', 'ス', 'A'] {
            let mut segments = Vec::new();
            outline(&glyph(c), 0.0, 1.0, &mut segments);
            let mut painted = [0u16; 16];
            for corners in segments.chunks(5) {
                let (Segment::Move((x0, y0)), Segment::Line((x1, y1))) = (corners[0], corners[2]) else {
                    panic!("not a rectangle: {corners:?}")
                };
                for row in y0 as i32..y1 as i32 {
                    for column in x0 as usize..x1 as usize {
                        painted[(row + ASCENT as i32) as usize] |= 0x8000 >> column;
                    }
                }
            }
            assert_eq!(painted, glyph(c).rows, "{c}");
        }
    }
}
