//! What separates the cells, when nobody says.

use super::records::{Record, Records};

/// The candidates, the likeliest first.
const CANDIDATES: [u8; 4] = [b',', b';', b'\t', b'|'];
/// As many records are looked at.
const LOOKED_AT: usize = 20;

/// The candidate that cuts the first records into equally many cells, and into most; a comma if none cuts them.
///
/// A candidate that cuts them unequally is taken only if no other cuts the first record: then the table is ragged, and reading
/// it says where.
pub(super) fn guess(sample: &str, sample_is_all: bool, quotes: bool) -> u8 {
    let mut best = (b',', false, 1);
    for delimiter in CANDIDATES {
        let (equal, cells) = cut(sample, sample_is_all, quotes, delimiter);
        if cells > 1 && (equal, cells) > (best.1, best.2) {
            best = (delimiter, equal, cells);
        }
    }
    best.0
}

/// Whether the first records are equally wide, and how wide the first is.
fn cut(sample: &str, sample_is_all: bool, quotes: bool, delimiter: u8) -> (bool, usize) {
    let Ok(mut records) = Records::new(sample.as_bytes(), "", quotes) else { return (false, 0) };
    records.delimiter = delimiter;
    let (mut record, mut widths) = (Record::default(), Vec::new());
    while widths.len() < LOOKED_AT && matches!(records.read(&mut record), Ok(true)) {
        widths.push(record.ends.len());
    }
    // The last record of a sample may be cut off.
    if !sample_is_all && widths.len() > 1 && widths.len() < LOOKED_AT {
        widths.pop();
    }
    let first = widths.first().copied().unwrap_or(0);
    (widths.iter().all(|&width| width == first), first)
}
