//! Cutting a text into runs of one font and one direction, in the order in which they stand on the page.
//!
//! A small part of the Unicode bidirectional algorithm (UAX 9): one line, no embedding, what a class name needs.

/// Where the glyphs of a run come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Source {
    Outline,
    Bitmap,
    Box,
}

/// Characters of one source and direction, in reading order.
#[derive(Debug, PartialEq)]
pub(super) struct Run {
    pub(super) text: String,
    pub(super) source: Source,
    pub(super) rightward: bool,
}

impl Run {
    /// The characters from left to right.
    pub(super) fn visual(&self) -> Vec<char> {
        let mut characters: Vec<char> = self.text.chars().collect();
        if !self.rightward {
            characters.reverse();
        }
        characters
    }
}

/// The runs of a text from left to right; `has_outline` says whether the outline font has a character.
pub(super) fn split(text: &str, has_outline: impl Fn(char) -> bool) -> Vec<Run> {
    let characters: Vec<char> = compose_hangul(text).into_iter().filter_map(visible).collect();
    let directions = directions(&characters);
    let mut runs: Vec<Run> = Vec::new();
    for (&c, &rightward) in characters.iter().zip(&directions) {
        let source = match c {
            c if has_outline(c) => Source::Outline,
            c if super::bitmap::has(c) => Source::Bitmap,
            _ => Source::Box,
        };
        match runs.last_mut() {
            Some(run) if run.source == source && run.rightward == rightward => run.text.push(c),
            _ => runs.push(Run { text: c.into(), source, rightward }),
        }
    }
    let base = directions_base(&characters);
    reorder(runs, base)
}

/// Line breaks and tabs become spaces; what has no picture of its own (controls, joiners, selectors) is left out.
fn visible(c: char) -> Option<char> {
    match c {
        '\n' | '\r' | '\t' | '\u{a0}' => Some(' '),
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => None,
        '\u{fe00}'..='\u{fe0f}' | '\u{feff}' => None,
        c if c.is_control() => None,
        c => Some(c),
    }
}

/// Whether a character runs leftward (Hebrew, Arabic and their neighbours).
fn leftward(c: char) -> bool {
    matches!(c as u32, 0x590..=0x8ff | 0xfb1d..=0xfdff | 0xfe70..=0xfefc)
}

/// Whether the line as a whole runs rightward: as its first letter does.
fn directions_base(characters: &[char]) -> bool {
    characters.iter().find(|c| c.is_alphabetic()).is_none_or(|&c| !leftward(c))
}

/// The direction of each character. What is neither letter nor digit goes with its neighbours if they agree, else with
/// the line.
fn directions(characters: &[char]) -> Vec<bool> {
    let base = directions_base(characters);
    let strong = |c: &char| match c {
        c if leftward(*c) && !c.is_ascii_digit() => Some(false),
        c if c.is_alphanumeric() => Some(true),
        _ => None,
    };
    let known: Vec<Option<bool>> = characters.iter().map(strong).collect();
    (0..known.len())
        .map(|i| {
            let before = known[..i].iter().rev().find_map(|d| *d).unwrap_or(base);
            let after = known[i..].iter().find_map(|d| *d).unwrap_or(base);
            known[i].unwrap_or(if before == after { before } else { base })
        })
        .collect()
}

/// Puts runs in the order of the page: in a leftward line all of them turn round, and then neighbours that run against
/// the line turn among themselves.
fn reorder(mut runs: Vec<Run>, base: bool) -> Vec<Run> {
    if !base {
        runs.reverse();
    }
    for group in runs.chunk_by_mut(|a, b| a.rightward == b.rightward) {
        if group[0].rightward != base {
            group.reverse();
        }
    }
    runs
}

/// Joins the letters of Hangul to syllables (Unicode standard, section 3.12).
fn compose_hangul(text: &str) -> Vec<char> {
    const LEADS: std::ops::Range<u32> = 0x1100..0x1113;
    const VOWELS: std::ops::Range<u32> = 0x1161..0x1176;
    const TAILS: std::ops::Range<u32> = 0x11a8..0x11c3;
    const SYLLABLES: std::ops::Range<u32> = 0xac00..0xd7a4;
    let mut composed: Vec<char> = Vec::new();
    for c in text.chars() {
        let (last, code) = (composed.last().map_or(0, |c| *c as u32), c as u32);
        let joined = if LEADS.contains(&last) && VOWELS.contains(&code) {
            char::from_u32(0xac00 + ((last - LEADS.start) * 21 + (code - VOWELS.start)) * 28)
        } else if SYLLABLES.contains(&last) && (last - 0xac00) % 28 == 0 && TAILS.contains(&code) {
            char::from_u32(last + code - TAILS.start + 1)
        } else {
            None
        };
        match joined {
            Some(syllable) => *composed.last_mut().expect("there is a last one") = syllable,
            None => composed.push(c),
        }
    }
    composed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hangul_letters_join_to_syllables() {
        assert_eq!(compose_hangul("\u{1112}\u{1161}\u{11ab}글").iter().collect::<String>(), "한글");
        assert_eq!(compose_hangul("abc").iter().collect::<String>(), "abc");
    }

    #[test]
    fn a_leftward_word_in_a_rightward_line_stays_in_its_place() {
        let texts =
            |text: &str| -> Vec<String> { split(text, |_| true).into_iter().map(|r| r.text).collect() };
        assert_eq!(texts("abc אב def"), ["abc ", "אב", " def"]);
        assert_eq!(texts("אב 12"), ["12", "אב "]);
        assert_eq!(texts("2 classes"), ["2 classes"]);
    }

    #[test]
    fn what_has_no_picture_is_left_out() {
        let runs = split("a\u{200d}b\nc\u{7}", |_| true);
        assert_eq!(runs, [Run { text: "ab c".into(), source: Source::Outline, rightward: true }]);
    }
}
