//! What columns are, and what they teach, guessed from their cells.

use std::collections::BTreeSet;

use super::cell::shown;
use super::facts::Facts;
use super::gaps::{Gaps, default_words};
use super::schema::{Column, LIST_SEPARATORS, Missing, Schema, Target, TargetKind, Unseen, sorted_names};
use super::{MAX_CLASSES, ROWS_AT_ONCE, Table, TableReader};
use crate::error::Result;

/// Whole numbers that take at most so many values are classes.
const FEW_NUMBERS: usize = 20;

impl Schema {
    /// Guesses what the columns are, and what the columns `labels` are to teach; `why` says what each guess rests on.
    ///
    /// | the cells (without the missing ones) | kind |
    /// |---|---|
    /// | none, or all the same | ignored |
    /// | words for true and false | boolean |
    /// | whole numbers, all different, that count the rows (10 or more) or whose column is named `id`, `index` or `.._id` | ignored |
    /// | mostly numbers, also in forms that encoding will refuse (`1,5`, `inf`) | numeric; with zeros before them (`01067`) they are codes, and so texts |
    /// | ISO dates | date |
    /// | texts, all different in 10 or more rows; more than 50 that are most rows' own; more than 1000 | ignored |
    /// | other texts | categorical |
    ///
    /// One label column teaches numbers if it has numbers that are not whole or take more than 20 values; lists of labels if
    /// cells contain `|` or `;` between labels that recur; otherwise classes. Several label columns teach labels if all are true or
    /// false, otherwise numbers.
    ///
    /// Of a column 2000 different texts are remembered, 10000 if it is a label or is named as one that numbers rows. That such numbers are
    /// all different is then said of these.
    ///
    /// # Errors
    /// If there is no such label column (the nearest is named), it is named twice, it has no values or more than 10000 classes, or several label
    /// columns are neither true or false nor numbers.
    pub fn guess(table: &Table, labels: &[&str]) -> Result<Self> {
        let mut guess = Guess::new(table, labels)?;
        guess.see(table);
        guess.finish(table)
    }

    /// [`guess`](Self::guess) from a table that is read by pieces, with the same outcome. This reads it to its end.
    ///
    /// # Errors
    /// As [`guess`](Self::guess) and [`TableReader::read_rows`], and if there are no rows.
    ///
    /// ```
    /// use rekindle_data::table::{CsvOptions, Schema, Table, TableReader};
    ///
    /// let (text, options) = ("x,y\n1.5,p\n2,q\n", CsvOptions::default());
    /// let mut reader = TableReader::from_reader(text.as_bytes(), "t.csv", &options)?;
    /// let table = Table::from_reader(text.as_bytes(), "t.csv", &options)?;
    /// assert_eq!(Schema::guess_stream(&mut reader, &["y"])?, Schema::guess(&table, &["y"])?);
    /// # Ok::<(), rekindle_data::Error>(())
    /// ```
    pub fn guess_stream(reader: &mut TableReader, labels: &[&str]) -> Result<Self> {
        let empty = reader.empty().clone();
        let mut guess = Guess::new(&empty, labels)?;
        reader.each_piece(|piece, _| {
            guess.see(piece);
            Ok(())
        })?;
        guess.finish(&empty)
    }
}

/// What is known about the columns of a table.
struct Guess<'a> {
    labels: &'a [&'a str],
    words: Vec<String>,
    /// Of each column.
    facts: Vec<Facts>,
}

impl<'a> Guess<'a> {
    fn new(table: &Table, labels: &'a [&'a str]) -> Result<Self> {
        for (i, label) in labels.iter().enumerate() {
            table.column(label)?;
            if labels[..i].contains(label) {
                return Err(table.complain_of(label, "a label twice".into(), "name it once"));
            }
        }
        let facts = table.columns().iter().map(|name| Facts::new(name, labels.contains(&name.as_str())));
        Ok(Self { labels, words: default_words(), facts: facts.collect() })
    }

    fn gaps(&self) -> Gaps<'_> {
        Gaps { policy: Missing::default(), words: &self.words }
    }

    /// Takes the next rows in.
    fn see(&mut self, table: &Table) {
        let gaps = Gaps { policy: Missing::default(), words: &self.words };
        for start in (0..table.len()).step_by(ROWS_AT_ONCE) {
            let rows = start..table.len().min(start + ROWS_AT_ONCE);
            for (column, facts) in self.facts.iter_mut().enumerate() {
                facts.see(table, column, rows.clone(), gaps);
            }
        }
    }

    fn finish(&self, table: &Table) -> Result<Schema> {
        let named = table.columns().iter().zip(&self.facts);
        let columns = named.filter(|(name, _)| !self.labels.contains(&name.as_str())).map(|(name, facts)| {
            let (kind, why) = facts.kind();
            Column { name: name.clone(), kind, why }
        });
        let columns = columns.collect();
        let target = match self.labels {
            [] => None,
            [label] => Some(self.one(table, label)?),
            labels => Some(self.several(table, labels)?),
        };
        let (missing, missing_words) = (self.gaps().policy, self.words.clone());
        Ok(Schema { missing, missing_words, unseen: Unseen::default(), columns, target })
    }

    /// What one label column teaches.
    fn one(&self, table: &Table, label: &str) -> Result<Target> {
        let facts = &self.facts[table.column(label)?];
        if facts.present == 0 {
            return Err(table.complain_of(label, "every label is missing".into(), "fill the column in"));
        }
        let target = |kind, names, separator, why| {
            let columns = vec![label.to_string()];
            let why = if facts.missing > 0 { format!("{why}, {} missing", facts.missing) } else { why };
            Ok(Target { columns, kind, names, separator, why })
        };
        let (texts, distinct) = (facts.texts(), facts.distinct());
        let spread = distinct > FEW_NUMBERS || (!facts.whole && distinct > 2);
        if 2 * facts.numbers > facts.present && spread {
            return target(TargetKind::Numbers, Vec::new(), None, facts.range());
        }
        for separator in LIST_SEPARATORS {
            let parts: Vec<&str> =
                texts.iter().flat_map(|(cell, _)| self.gaps().labels(cell, separator)).collect();
            let recur = parts.iter().collect::<BTreeSet<_>>().len() < parts.len();
            if parts.len() > distinct && recur {
                let names = sorted_names(facts.labels(separator));
                let why = format!("lists of {} labels: {}", names.len(), listed(&names));
                return target(TargetKind::Labels, names, Some(separator), why);
            }
        }
        if facts.more_texts() {
            let what = format!("more than {MAX_CLASSES} classes");
            return Err(table.complain_of(label, what, "is this the right column?"));
        }
        let names = sorted_names(texts.iter().map(|(text, _)| *text));
        let noun = if names.len() == 1 { "class" } else { "classes" };
        let why = format!("{} {noun}: {}", names.len(), listed(&names));
        target(TargetKind::Classes, names, None, why)
    }

    /// What several label columns teach.
    fn several(&self, table: &Table, labels: &[&str]) -> Result<Target> {
        let (mut booleans, mut numbers) = (true, true);
        for label in labels {
            let facts = &self.facts[table.column(label)?];
            booleans &= facts.booleans == facts.present;
            numbers &= facts.numbers == facts.present;
            if !booleans && !numbers {
                let what = "several label columns that are neither true or false nor numbers";
                let remedy = "name one label column, or columns of 0 and 1";
                return Err(table.complain_of(label, what.into(), remedy));
            }
        }
        let columns: Vec<String> = labels.iter().map(ToString::to_string).collect();
        let (kind, names, why) = if booleans {
            (TargetKind::Labels, columns.clone(), format!("{} labels, a column each", columns.len()))
        } else {
            (TargetKind::Numbers, Vec::new(), format!("{} numbers, a column each", columns.len()))
        };
        Ok(Target { columns, kind, names, separator: None, why })
    }
}

/// Some names, for people.
fn listed(names: &[String]) -> String {
    const LISTED: usize = 10;
    let shown: Vec<String> = names.iter().take(LISTED).map(|name| shown(name)).collect();
    shown.join(", ") + if names.len() > LISTED { ", .." } else { "" }
}
