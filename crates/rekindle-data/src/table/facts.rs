//! What the cells of a column have in common.

use super::cell::{NoNumber, parse_boolean, parse_date, parse_number, shown};
use super::gaps::Gaps;
use super::schema::Kind;
use super::{MAX_CATEGORIES, Table};
use crate::error::Place;

/// From so many rows on, texts that are all different are names of rows, and numbers that count up are their numbers.
const MANY_ROWS: usize = 10;
/// More distinct texts than this are no categories if most rows have one of their own.
const MANY_TEXTS: usize = 50;

/// Counts over the cells of a column.
pub(super) struct Facts<'a> {
    pub present: usize,
    pub missing: usize,
    pub numbers: usize,
    /// All numbers are whole.
    pub whole: bool,
    pub smallest: f64,
    pub largest: f64,
    /// The first cell that is no number, and its place.
    not_a_number: Option<(&'a str, Place)>,
    /// Cells that somebody meant as numbers: `1,5`, `inf`, `1e400`.
    meant_as_numbers: usize,
    pub booleans: usize,
    dates: usize,
    /// Each number is one more than that of the row before.
    counts_up: bool,
    /// Each text, sorted, and how often it occurs.
    pub texts: Vec<(&'a str, usize)>,
}

impl<'a> Facts<'a> {
    pub fn of(table: &'a Table, column: usize, gaps: Gaps<'_>) -> Self {
        let mut facts = Self {
            present: 0,
            missing: 0,
            numbers: 0,
            whole: true,
            smallest: f64::INFINITY,
            largest: f64::NEG_INFINITY,
            not_a_number: None,
            meant_as_numbers: 0,
            booleans: 0,
            dates: 0,
            counts_up: true,
            texts: Vec::new(),
        };
        let (mut before, mut cells) = (None, Vec::with_capacity(table.len()));
        for row in 0..table.len() {
            let cell = table.cell(row, column);
            if gaps.is_missing(cell) {
                facts.missing += 1;
                continue;
            }
            facts.present += 1;
            cells.push(cell);
            facts.booleans += usize::from(parse_boolean(cell).is_some());
            facts.dates += usize::from(parse_date(cell).is_some());
            facts.number(cell, table.place(row), &mut before);
        }
        // Guessing takes less than half the time that it takes with a tree.
        cells.sort_unstable();
        facts.texts = cells.chunk_by(|a, b| a == b).map(|same| (same[0], same.len())).collect();
        facts
    }

    fn number(&mut self, cell: &'a str, place: Place, before: &mut Option<f64>) {
        match parse_number(cell) {
            Ok(number) => {
                self.numbers += 1;
                self.whole &= number.fract() == 0.0;
                self.smallest = self.smallest.min(number);
                self.largest = self.largest.max(number);
                self.counts_up &= before.is_none_or(|before| number == before + 1.0);
                *before = Some(number);
            }
            Err(why) => {
                self.meant_as_numbers += usize::from(why != NoNumber::Text);
                self.not_a_number.get_or_insert((cell, place));
            }
        }
    }

    /// What the column is, and why. The name tells numbers of rows from others.
    pub fn kind(&self, name: &str) -> (Kind, String) {
        let (kind, why) = self.kind_of_present(name);
        let why = match self.missing {
            0 => why,
            missing if self.present > 0 => format!("{why}, {missing} missing"),
            _ => why,
        };
        (kind, why)
    }

    fn kind_of_present(&self, name: &str) -> (Kind, String) {
        let distinct = self.texts.len();
        let all = |count: usize| count == self.present;
        let only = || shown(self.texts.first().map_or("", |(text, _)| text));
        match () {
            () if self.present == 0 => (Kind::Ignored, "every cell is missing".into()),
            () if distinct == 1 && self.missing == 0 => (Kind::Ignored, format!("always {}", only())),
            () if all(self.booleans) => {
                let words: Vec<_> = self.texts.iter().map(|(word, _)| shown(word)).collect();
                (Kind::Boolean, format!("true or false, as {}", words.join(", ")))
            }
            () if all(self.numbers) && self.numbers_rows(name) => (
                Kind::Ignored,
                format!("numbers that name the rows, from {} to {}", self.smallest, self.largest),
            ),
            () if 2 * (self.numbers + self.meant_as_numbers) > self.present => (Kind::Numeric, self.range()),
            () if all(self.dates) => (Kind::Date, self.dates()),
            () if all(distinct) && distinct >= MANY_ROWS => {
                (Kind::Ignored, "a text of its own in every row".into())
            }
            () if (distinct > MANY_TEXTS && 2 * distinct > self.present) || distinct > MAX_CATEGORIES => {
                (Kind::Ignored, format!("{distinct} different texts in {} rows", self.present))
            }
            () => (Kind::Categorical, self.categories()),
        }
    }

    fn numbers_rows(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let named = ["id", "index"].contains(&name.as_str()) || name.ends_with("_id");
        let own = self.texts.len() == self.present && self.whole;
        own && ((self.counts_up && self.present >= MANY_ROWS) || (named && self.present > 1))
    }

    /// The range of the numbers, and the first cell that is none.
    pub fn range(&self) -> String {
        let range = match self.numbers {
            0 => "numbers".to_string(),
            _ if self.smallest == self.largest => format!("always the number {}", self.smallest),
            _ => format!("numbers from {} to {}", self.smallest, self.largest),
        };
        match self.not_a_number {
            Some((cell, place @ Place::Line(_))) => {
                format!("{range}, but {} on {place} is none", shown(cell))
            }
            Some((cell, place @ Place::Row(_))) => format!("{range}, but {} in {place} is none", shown(cell)),
            None => range,
        }
    }

    fn dates(&self) -> String {
        // Text and time have the same order in ISO dates.
        let text = |end: Option<&(&'a str, usize)>| end.map_or("", |(text, _)| text);
        format!("dates from {} to {}", text(self.texts.first()), text(self.texts.last()))
    }

    /// The categories, the most frequent first.
    fn categories(&self) -> String {
        const LISTED: usize = 5;
        let mut texts = self.texts.clone();
        texts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        let listed: Vec<_> = texts.iter().take(LISTED).map(|(text, _)| shown(text)).collect();
        let more = if texts.len() > LISTED { ", .." } else { "" };
        let noun = if texts.len() == 1 { "category" } else { "categories" };
        format!("{} {noun}: {}{more}", texts.len(), listed.join(", "))
    }
}
