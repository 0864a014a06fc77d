//! The name that was probably meant.

use super::cell::shown;

/// `did you mean ..?` with the nearest name if one is near, or the names there are.
pub(super) fn nearest(word: &str, names: &[String]) -> String {
    /// More names than this are not listed.
    const LISTED: usize = 12;
    let lower = word.to_lowercase();
    let near = names.iter().filter_map(|name| {
        let distance = distance(&lower, &name.to_lowercase());
        // Two names without a character in common are not near, however short they are.
        let longer = word.chars().count().max(name.chars().count());
        (distance <= 2 && distance < longer.max(1)).then_some((distance, name))
    });
    match near.min_by_key(|&(distance, _)| distance) {
        Some((_, name)) => format!("did you mean {}?", shown(name)),
        _ if names.is_empty() => "there are none".into(),
        _ => {
            let more = if names.len() > LISTED { ", .." } else { "" };
            format!("there are {}{more}", names[..names.len().min(LISTED)].join(", "))
        }
    }
}

/// Levenshtein's distance, by the usual table of one row. Of long texts only the beginnings are compared.
fn distance(a: &str, b: &str) -> usize {
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
