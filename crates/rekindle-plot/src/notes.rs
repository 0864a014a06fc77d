//! What a picture says of data that it does not show.

use std::fmt::Display;

/// "name: 5,000 of 60,000 points", if some were left out.
pub(crate) fn drawn(of: &str, drawn: usize, given: usize, what: &str) -> Option<String> {
    (drawn < given).then(|| format!("{}{} of {} {what}", prefix(of), grouped(drawn), grouped(given)))
}

/// "name: not finite: 2 of 3 points", if there were such.
pub(crate) fn not_finite(of: &str, missing: usize, given: usize, what: &str) -> Option<String> {
    (missing > 0)
        .then(|| format!("{}not finite: {} of {} {what}", prefix(of), grouped(missing), grouped(given)))
}

fn prefix(of: &str) -> String {
    if of.is_empty() { String::new() } else { format!("{of}: ") }
}

/// A whole number with commas between thousands.
pub(crate) fn grouped(whole: impl Display) -> String {
    let digits = whole.to_string();
    let lead = digits.len() % 3;
    let mut parts: Vec<&str> = if lead > 0 { vec![&digits[..lead]] } else { Vec::new() };
    parts.extend((lead..digits.len()).step_by(3).map(|i| &digits[i..i + 3]));
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([5, 5000, 60_000, 1_234_567].map(grouped), ["5", "5,000", "60,000", "1,234,567"]);
    }

    #[test]
    fn only_what_is_missing_is_said() {
        assert_eq!(drawn("Train", 5, 5, "points"), None);
        assert_eq!(drawn("Train", 5000, 60_000, "points").unwrap(), "Train: 5,000 of 60,000 points");
        assert_eq!(not_finite("", 0, 5, "points"), None);
        assert_eq!(not_finite("", 1, 5, "values").unwrap(), "not finite: 1 of 5 values");
    }
}
