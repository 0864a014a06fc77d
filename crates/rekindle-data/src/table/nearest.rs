//! The name that was probably meant.

use super::cell::shown;
use crate::edit_distance;

/// `did you mean ..?` with the nearest name if one is near, or the names there are.
pub(crate) fn nearest(word: &str, names: &[String]) -> String {
    /// More names than this are not listed.
    const LISTED: usize = 12;
    let lower = word.to_lowercase();
    let near = names.iter().filter_map(|name| {
        let distance = edit_distance(&lower, &name.to_lowercase());
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
