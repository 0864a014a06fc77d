//! How far two words are apart, for messages that say which was probably meant.

/// Levenshtein's distance: the fewest characters to insert, delete or replace ("Binary codes capable of correcting
/// deletions, insertions, and reversals", 1966), by the usual table of one row. Of long texts only the first 64 characters
/// are compared.
///
/// ```
/// use rekindle_data::edit_distance;
/// assert_eq!((edit_distance("moon", "moons"), edit_distance("SDG", "SGD")), (1, 2));
/// ```
pub fn edit_distance(a: &str, b: &str) -> usize {
    const LONGEST: usize = 64;
    let b: Vec<char> = b.chars().take(LONGEST).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().take(LONGEST).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
