//! What the cells of a column have in common, seen piece by piece.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use super::cell::{NoNumber, parse_boolean, parse_date, parse_number, shown};
use super::gaps::Gaps;
use super::schema::{Kind, LIST_SEPARATORS};
use super::{MAX_CATEGORIES, MAX_CLASSES, Table};
use crate::error::Place;

/// From so many rows on, texts that are all different are names of rows, and numbers that count up are their numbers.
const MANY_ROWS: usize = 10;
/// More distinct texts than this are no categories if most rows have one of their own.
const MANY_TEXTS: usize = 50;
/// No more distinct texts than this are remembered, nor so many bytes of them.
const REMEMBERED: usize = 2 * MAX_CATEGORIES;
const REMEMBERED_BYTES: usize = 1 << 24;

/// Counts over the cells of a column. What is kept does not grow with the rows.
pub(super) struct Facts {
    pub present: usize,
    pub missing: usize,
    pub numbers: usize,
    /// A number is written as codes are, with a zero before it: `01067`.
    codes: bool,
    /// All numbers are whole.
    pub whole: bool,
    smallest: f64,
    largest: f64,
    /// The first cell that is no number, and its place.
    not_a_number: Option<(String, Place)>,
    /// Cells that somebody meant as numbers: `1,5`, `inf`, `1e400`.
    meant_as_numbers: usize,
    pub booleans: usize,
    dates: usize,
    /// The first and the last date. Text and time have the same order in ISO dates.
    date_range: Option<(String, String)>,
    /// Each number is one more than that of the row before.
    counts_up: bool,
    before: Option<f64>,
    /// Whether the name says that the column names rows.
    names_rows: bool,
    texts: Texts,
    /// The labels that the cells would be lists of, for each separator, if the column is to be learned.
    lists: Option<[BTreeSet<String>; 2]>,
}

/// Distinct texts and how often they occur, as many as are remembered.
struct Texts {
    counts: HashMap<String, usize>,
    bytes: usize,
    most: usize,
    /// There are more: none was counted after the first of these.
    more: bool,
    /// A text has come twice.
    repeated: bool,
}

impl Texts {
    /// Counts a text; `true` if it may not have been seen before.
    fn see(&mut self, text: &str) -> bool {
        if self.more {
            return true;
        }
        if let Some(count) = self.counts.get_mut(text) {
            *count += 1;
            self.repeated = true;
            return false;
        }
        self.more = self.counts.len() == self.most || self.bytes + text.len() > REMEMBERED_BYTES;
        if !self.more {
            self.bytes += text.len();
            self.counts.insert(text.to_string(), 1);
        }
        true
    }
}

impl Facts {
    /// Of no cells yet, of the column with this name. One that is to be learned remembers as many texts as there may be classes.
    pub fn new(name: &str, to_be_learned: bool) -> Self {
        let name = name.to_lowercase();
        let names_rows = ["id", "index"].contains(&name.as_str()) || name.ends_with("_id");
        let most = if names_rows || to_be_learned { MAX_CLASSES } else { REMEMBERED };
        Self {
            present: 0,
            missing: 0,
            numbers: 0,
            codes: false,
            whole: true,
            smallest: f64::INFINITY,
            largest: f64::NEG_INFINITY,
            not_a_number: None,
            meant_as_numbers: 0,
            booleans: 0,
            dates: 0,
            date_range: None,
            counts_up: true,
            before: None,
            names_rows,
            texts: Texts { counts: HashMap::new(), bytes: 0, most, more: false, repeated: false },
            lists: to_be_learned.then(Default::default),
        }
    }

    /// Takes some rows of a column in.
    pub fn see(&mut self, table: &Table, column: usize, rows: Range<usize>, gaps: Gaps<'_>) {
        for row in rows {
            let cell = table.cell(row, column);
            if gaps.is_missing(cell) {
                self.missing += 1;
                continue;
            }
            self.present += 1;
            self.booleans += usize::from(parse_boolean(cell).is_some());
            self.see_date(cell);
            self.see_number(cell, table.place(row));
            if self.texts.see(cell)
                && let Some(lists) = &mut self.lists
            {
                for (names, separator) in lists.iter_mut().zip(LIST_SEPARATORS) {
                    for name in gaps.labels(cell, separator) {
                        if names.len() <= MAX_CLASSES && !names.contains(name) {
                            names.insert(name.to_string());
                        }
                    }
                }
            }
        }
    }

    fn see_date(&mut self, cell: &str) {
        if parse_date(cell).is_none() {
            return;
        }
        self.dates += 1;
        let (first, last) = self.date_range.get_or_insert_with(|| (cell.to_string(), cell.to_string()));
        if cell < first.as_str() {
            *first = cell.to_string();
        }
        if cell > last.as_str() {
            *last = cell.to_string();
        }
    }

    fn see_number(&mut self, cell: &str, place: Place) {
        match parse_number(cell) {
            Ok(number) => {
                self.numbers += 1;
                self.codes |= matches!(cell.trim().as_bytes(), [b'0', b'0'..=b'9', ..]);
                self.whole &= number.fract() == 0.0;
                self.smallest = self.smallest.min(number);
                self.largest = self.largest.max(number);
                self.counts_up &= self.before.is_none_or(|before| number == before + 1.0);
                self.before = Some(number);
            }
            Err(why) => {
                self.meant_as_numbers += usize::from(why != NoNumber::Text);
                self.not_a_number.get_or_insert_with(|| (cell.to_string(), place));
            }
        }
    }

    /// The distinct texts that are remembered, sorted, and how often each occurs.
    pub fn texts(&self) -> Vec<(&str, usize)> {
        let mut texts: Vec<(&str, usize)> =
            self.texts.counts.iter().map(|(text, &count)| (text.as_str(), count)).collect();
        texts.sort_unstable();
        texts
    }

    /// How many texts there are. If there are [`more`](Self::more_texts), these.
    pub fn distinct(&self) -> usize {
        self.texts.counts.len()
    }

    /// Whether there are more texts than are remembered.
    pub fn more_texts(&self) -> bool {
        self.texts.more
    }

    /// The labels that the cells are lists of, if this separates them.
    pub fn labels(&self, separator: char) -> impl Iterator<Item = &str> {
        let lists = self.lists.iter().flat_map(|lists| lists.iter().zip(LIST_SEPARATORS));
        lists.filter(move |&(_, s)| s == separator).flat_map(|(names, _)| names.iter().map(String::as_str))
    }

    /// What the column is, and why. The name tells numbers of rows from others.
    pub fn kind(&self) -> (Kind, String) {
        let (kind, why) = self.kind_of_present();
        let why = match self.missing {
            0 => why,
            missing if self.present > 0 => format!("{why}, {missing} missing"),
            _ => why,
        };
        (kind, why)
    }

    fn kind_of_present(&self) -> (Kind, String) {
        let (distinct, more) = (self.distinct(), self.more_texts());
        let all = |count: usize| count == self.present;
        match () {
            () if self.present == 0 => (Kind::Ignored, "every cell is missing".into()),
            () if distinct == 1 && !more && self.missing == 0 => {
                (Kind::Ignored, format!("always {}", shown(self.texts()[0].0)))
            }
            () if all(self.booleans) => {
                let words: Vec<_> = self.texts().iter().map(|(word, _)| shown(word)).collect();
                (Kind::Boolean, format!("true or false, as {}", words.join(", ")))
            }
            () if all(self.numbers) && self.numbers_rows() => (
                Kind::Ignored,
                format!("numbers that name the rows, from {} to {}", self.smallest, self.largest),
            ),
            // Postcodes and the like: 01067 is no amount.
            () if 2 * (self.numbers + self.meant_as_numbers) > self.present && !self.codes => {
                (Kind::Numeric, self.range())
            }
            () if all(self.dates) => (Kind::Date, self.dates()),
            () if more => {
                let most = self.texts.counts.len();
                (Kind::Ignored, format!("more than {most} different texts in {} rows", self.present))
            }
            () if all(distinct) && distinct >= MANY_ROWS => {
                (Kind::Ignored, "a text of its own in every row".into())
            }
            () if (distinct > MANY_TEXTS && 2 * distinct > self.present) || distinct > MAX_CATEGORIES => {
                (Kind::Ignored, format!("{distinct} different texts in {} rows", self.present))
            }
            () => (Kind::Categorical, self.categories()),
        }
    }

    /// Whether whole numbers, all different as far as they are remembered, are those of the rows.
    fn numbers_rows(&self) -> bool {
        let own = !self.texts.repeated && self.whole;
        own && ((self.counts_up && self.present >= MANY_ROWS) || (self.names_rows && self.present > 1))
    }

    /// The range of the numbers, and the first cell that is none.
    pub fn range(&self) -> String {
        let range = match self.numbers {
            0 => "numbers".to_string(),
            _ if self.smallest == self.largest => format!("always the number {}", self.smallest),
            _ => format!("numbers from {} to {}", self.smallest, self.largest),
        };
        match &self.not_a_number {
            Some((cell, place @ Place::Line(_))) => {
                format!("{range}, but {} on {place} is none", shown(cell))
            }
            Some((cell, place @ Place::Row(_))) => format!("{range}, but {} in {place} is none", shown(cell)),
            None => range,
        }
    }

    fn dates(&self) -> String {
        let (first, last) = self.date_range.as_ref().map_or(("", ""), |(first, last)| (first, last));
        format!("dates from {first} to {last}")
    }

    /// The categories, the most frequent first.
    fn categories(&self) -> String {
        const LISTED: usize = 5;
        let mut texts = self.texts();
        texts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        let listed: Vec<_> = texts.iter().take(LISTED).map(|(text, _)| shown(text)).collect();
        let more = if texts.len() > LISTED { ", .." } else { "" };
        let noun = if texts.len() == 1 { "category" } else { "categories" };
        format!("{} {noun}: {}{more}", texts.len(), listed.join(", "))
    }
}
