//! What the text of one cell says.

/// Cells that say that there is no value, besides the empty one, unless a [`Schema`](super::Schema) has other words. Capitals make
/// no difference.
pub const MISSING_WORDS: [&str; 6] = ["na", "n/a", "nan", "null", "none", "?"];

/// What a date is turned into: the year, the month from 1, the day from 1, and the day of the week from 0, Monday.
pub const DATE_PARTS: [&str; 4] = ["year", "month", "day", "weekday"];

/// Words for true and false. Capitals make no difference.
const BOOLEANS: [(&str, &str); 6] =
    [("true", "false"), ("yes", "no"), ("t", "f"), ("y", "n"), ("1", "0"), ("1.0", "0.0")];

/// Why a cell is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoNumber {
    /// `1e400`
    TooLarge,
    /// `inf`
    Infinite,
    /// `1,5` or `1,000`
    Comma,
    /// Text.
    Text,
}

/// A finite number.
pub(super) fn parse_number(cell: &str) -> Result<f64, NoNumber> {
    let cell = cell.trim();
    match cell.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) if cell.bytes().any(|byte| byte.is_ascii_digit()) => Err(NoNumber::TooLarge),
        Ok(_) => Err(NoNumber::Infinite),
        Err(_) if cell.contains(',') && cell.replace(',', "").parse::<f64>().is_ok() => Err(NoNumber::Comma),
        Err(_) => Err(NoNumber::Text),
    }
}

impl NoNumber {
    /// What is wrong with the cell, and the cure.
    pub(super) fn explain(self, cell: &str) -> (String, &'static str) {
        let cell = shown(cell);
        match self {
            Self::TooLarge => {
                (format!("{cell} is larger than any number can be"), "correct it, or leave it empty")
            }
            Self::Infinite => (format!("{cell} is not finite"), "correct it, or leave it empty"),
            Self::Comma => (format!("{cell} has a comma"), "write numbers as 1.5 and 1000"),
            Self::Text => (format!("{cell} is not a number"), "correct it, or give the column another kind"),
        }
    }
}

/// A word for true or false.
pub(super) fn parse_boolean(cell: &str) -> Option<bool> {
    let cell = cell.trim();
    BOOLEANS.iter().find_map(|(yes, no)| {
        let is = |word: &str| cell.eq_ignore_ascii_case(word);
        if is(yes) { Some(true) } else { is(no).then_some(false) }
    })
}

/// The [parts](DATE_PARTS) of an ISO date, `2026-11-22`.
pub(super) fn parse_date(cell: &str) -> Option<[f64; 4]> {
    let bytes = cell.trim().as_bytes();
    let &[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = bytes else { return None };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0u32, |n, d| d.is_ascii_digit().then(|| n * 10 + u32::from(d - b'0')))
    };
    let (year, month, day) = (number(&[y0, y1, y2, y3])?, number(&[m0, m1])?, number(&[d0, d1])?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    let date = [year, month, day, weekday(year, month, day)].map(f64::from);
    (1..=days).contains(&day).then_some(date)
}

/// Tomohiko Sakamoto's formula, counted from Monday.
fn weekday(year: u32, month: u32, day: u32) -> u32 {
    const SHIFT: [u32; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
    // A multiple of 400 years changes no weekday and keeps year 0 above zero.
    let year = year + 400 - u32::from(month < 3);
    (year + year / 4 - year / 100 + year / 400 + SHIFT[month as usize - 1] + day + 6) % 7
}

/// A cell as messages show it: in backquotes, and not too long.
pub(super) fn shown(cell: &str) -> String {
    const LONGEST: usize = 40;
    match cell.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("`{}..`", &cell[..end]),
        None => format!("`{cell}`"),
    }
}

/// `1 row`, `2 rows`.
pub(super) fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
