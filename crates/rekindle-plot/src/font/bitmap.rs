//! GNU Unifont's glyphs (8 or 16 columns, 16 rows) as strokes.

use unifont::Glyph;

/// Rows above the base line.
const ASCENT: f64 = 14.0;

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
    if size < 16.0 { 1.0 } else { size / 15.0 }
}

/// How thick the strokes are, so that they look like the letters of the outline font.
pub(super) fn thickness(size: f64, bold: bool) -> f64 {
    pixel(size) * if bold { 1.75 } else { 1.25 }
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

/// Adds the glyph as strokes from pixel to pixel: its runs across, down and along both diagonals. Pixels that touch only
/// at a corner are joined by a diagonal, so that slanted strokes are straight and not stairs.
pub(super) fn strokes(glyph: &Pixels, x: f64, pixel: f64, strokes: &mut Vec<[(f64, f64); 2]>) {
    let on = |c: i32, r: i32| {
        (0..16).contains(&c) && (0..16).contains(&r) && glyph.rows[r as usize] & (0x8000 >> c) != 0
    };
    let center = |c: i32, r: i32| (x + (f64::from(c) + 0.5) * pixel, (f64::from(r) + 0.5 - ASCENT) * pixel);
    for (dc, dr) in [(1, 0), (0, 1), (1, 1), (-1, 1)] {
        let joined = |c: i32, r: i32| {
            let direct = dc == 0 || dr == 0 || !(on(c + dc, r) || on(c, r + dr));
            on(c, r) && on(c + dc, r + dr) && direct
        };
        for (c, r) in
            (0..256).map(|i| (i % 16, i / 16)).filter(|&(c, r)| joined(c, r) && !joined(c - dc, r - dr))
        {
            let length = (1..16).find(|n| !joined(c + n * dc, r + n * dr)).unwrap_or(16);
            strokes.push([center(c, r), center(c + length * dc, r + length * dr)]);
        }
    }
    let alone = |c: i32, r: i32| (0..9).all(|i| i == 4 || !on(c + i % 3 - 1, r + i / 3 - 1));
    for (c, r) in (0..256).map(|i| (i % 16, i / 16)).filter(|&(c, r)| on(c, r) && alone(c, r)) {
        let (x, y) = center(c, r);
        // Not every program draws a line without length as a dot.
        strokes.push([(x - 0.1, y), (x + 0.1, y)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strokes_cover_every_pixel_and_no_other() {
        for c in ['가', '티', '鬱', 'ス', 'A', '；'] {
            let mut lines = Vec::new();
            strokes(&glyph(c), 0.0, 1.0, &mut lines);
            let mut covered = [0u16; 16];
            for [(x0, y0), (x1, y1)] in lines {
                for i in 0..=32 {
                    let t = f64::from(i) / 32.0;
                    let (column, row) = (x0 + (x1 - x0) * t, y0 + (y1 - y0) * t + ASCENT);
                    // Halfway between two pixels of a diagonal the stroke is on neither.
                    if (column.fract() - 0.5).abs() < 0.3 && (row.fract() - 0.5).abs() < 0.3 {
                        covered[row as usize] |= 0x8000 >> column as usize;
                    }
                }
            }
            assert_eq!(covered, glyph(c).rows, "{c}");
        }
    }
}
