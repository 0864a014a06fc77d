//! What is learned from rows that come in pieces, twice if it needs means: the second time takes differences from them.
//!
//! [`Encoder::fit`] and [`Encoder::fit_stream`] do the same here, row by row in the order of the table. So the bits of what they learn
//! are the same, however the table is cut and in whatever order its rows are named.

use std::collections::BTreeSet;

use super::cell::counted;
use super::encode::target_number;
use super::fit::{ColumnEncoder, Encoder, Learned, read_cell};
use super::gaps::Gaps;
use super::schema::{Kind, Missing, Schema, Target, TargetKind, sorted_names};
use super::{MAX_CATEGORIES, MAX_CLASSES, MAX_EMBEDDED, ROWS_AT_ONCE, Table, shown};
use crate::error::{Error, Result};

/// Which time the rows come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    First,
    Second,
}

/// The mean and the population's standard deviation of numbers that come twice: the second pass takes out what rounding left in the
/// first.
#[derive(Clone, Copy, Default)]
struct Moments {
    count: usize,
    first: f64,
    /// Not all are the same.
    varied: bool,
    sum: f64,
    mean: f64,
    /// What came in the second pass.
    again: usize,
    rest: f64,
    squares: f64,
}

impl Moments {
    fn see(&mut self, pass: Pass, number: f64) {
        if pass == Pass::First {
            self.first = if self.count == 0 { number } else { self.first };
            self.varied |= number != self.first;
            self.sum += number;
            self.count += 1;
        } else {
            if self.again == 0 {
                self.mean = self.mean();
            }
            let difference = number - self.mean;
            self.rest += difference;
            self.squares += difference * difference;
            self.again += 1;
        }
    }

    fn mean(&self) -> f64 {
        if self.varied { self.sum / self.count as f64 } else { self.first }
    }

    fn std(&self) -> f64 {
        let n = self.count as f64;
        let variance = (self.squares - self.rest * self.rest / n) / n;
        if self.varied { variance.max(0.0).sqrt() } else { 0.0 }
    }
}

/// What is known about a column of inputs.
enum Knowledge {
    Numbers { parts: Vec<Moments> },
    Texts { categories: BTreeSet<String>, missing: bool },
}

/// Learns from rows.
pub(super) struct Learner<'a> {
    schema: &'a Schema,
    /// The columns of the table, without rows.
    empty: Table,
    inputs: Vec<usize>,
    targets: Vec<usize>,
    knowledge: Vec<Knowledge>,
    rows: usize,
    /// Classes or labels of the rows, if these are what is to be learned.
    names: BTreeSet<String>,
    /// The columns of numbers, if these are.
    numbers: Vec<Moments>,
}

impl<'a> Learner<'a> {
    pub fn new(schema: &'a Schema, table: &Table) -> Result<Self> {
        let (inputs, targets) = schema.places(table)?;
        let empty = table.select(&[]);
        let knowledge = schema.used().map(|column| match column.kind {
            Kind::Numeric | Kind::Boolean => Knowledge::Numbers { parts: vec![Moments::default()] },
            Kind::Date => Knowledge::Numbers { parts: vec![Moments::default(); 4] },
            _ => Knowledge::Texts { categories: BTreeSet::new(), missing: false },
        });
        let numbers = match &schema.target {
            Some(Target { kind: TargetKind::Numbers, columns, .. }) => {
                vec![Moments::default(); columns.len()]
            }
            _ => Vec::new(),
        };
        let (knowledge, names) = (knowledge.collect(), BTreeSet::new());
        let learner = Self { schema, empty, inputs, targets, knowledge, rows: 0, names, numbers };
        match &schema.target {
            Some(Target { kind: TargetKind::Classes, columns, .. }) if columns.len() > 1 => {
                learner.complain_of_target("several columns of classes".into(), "name one, or declare labels")
            }
            _ => Ok(learner),
        }
    }

    /// Whether the rows have to come twice.
    pub fn needs_second_pass(&self) -> bool {
        let deviates = self.schema.used().any(|column| matches!(column.kind, Kind::Numeric | Kind::Date));
        deviates || !self.numbers.is_empty()
    }

    /// Takes some rows of a piece of the table in.
    pub fn see(&mut self, pass: Pass, table: &Table, rows: &[usize]) -> Result<()> {
        if table.columns() != self.empty.columns() {
            return Err(self.changed());
        }
        let gaps = self.schema.gaps();
        let target = self.schema.target.as_ref();
        let rows = gaps.kept_rows(table, &self.inputs, target, &self.targets, rows)?;
        for some in rows.chunks(ROWS_AT_ONCE) {
            let columns = self.schema.used().zip(&self.inputs);
            for ((column, &place), knowledge) in columns.zip(&mut self.knowledge) {
                knowledge.see(pass, table, place, column.kind, some, gaps)?;
            }
        }
        for (&place, moments) in self.targets.iter().zip(&mut self.numbers) {
            for &row in &rows {
                let number = target_number(table.cell(row, place));
                moments.see(pass, number.map_err(|(what, remedy)| table.complain(row, place, what, remedy))?);
            }
        }
        if pass == Pass::First {
            self.rows += rows.len();
            if let Some(target) = target {
                self.see_names(table, target, &rows)?;
            }
        }
        Ok(())
    }

    /// Remembers the classes or labels of some rows.
    fn see_names(&mut self, table: &Table, target: &Target, rows: &[usize]) -> Result<()> {
        let gaps = self.schema.gaps();
        for &row in rows {
            let cell = table.cell(row, self.targets[0]);
            let mut see = |name: &str| {
                if !self.names.contains(name) {
                    self.names.insert(name.to_string());
                }
            };
            match (target.kind, target.separator) {
                (TargetKind::Classes, _) => see(cell),
                (TargetKind::Labels, Some(separator)) if target.names.is_empty() => {
                    gaps.labels(cell, separator).for_each(see);
                }
                _ => {}
            }
        }
        self.check_names(self.names.len())
    }

    fn check_names(&self, count: usize) -> Result<()> {
        if count > MAX_CLASSES {
            let what = format!("{count} classes, more than {MAX_CLASSES}");
            return self.complain_of_target(what, "is this the right column?");
        }
        Ok(())
    }

    /// What the rows taught.
    pub fn finish(self) -> Result<Encoder> {
        let schema = self.schema;
        if self.rows == 0 || self.inputs.is_empty() {
            let what = if self.rows == 0 { "no rows to learn from" } else { "no columns to learn from" };
            let remedy = match (self.rows == 0, schema.missing) {
                (true, Missing::Drop) => "keep rows with missing cells, or fill them in",
                (true, _) => "give it more rows",
                _ => "declare a kind for at least one column that is ignored",
            };
            return Err(self.complain(what, remedy));
        }
        let mut columns = Vec::with_capacity(self.knowledge.len());
        for ((column, &place), knowledge) in schema.used().zip(&self.inputs).zip(&self.knowledge) {
            let complain = |what: &str, remedy: &str| {
                self.empty.complain_of(&self.empty.columns()[place], what.into(), remedy)
            };
            let learned = knowledge.learned(column.kind, complain, || self.changed())?;
            columns.push(ColumnEncoder { name: column.name.clone(), learned });
        }
        let target = schema.target.as_ref().map(|target| self.target(target)).transpose()?;
        let target_scale = (!self.numbers.is_empty()).then(|| self.scale()).transpose()?;
        Ok(Encoder {
            missing: schema.missing,
            missing_words: schema.missing_words.clone(),
            unseen: schema.unseen,
            columns,
            target,
            target_scale,
        })
    }

    /// The mean and the standard deviation of each column of numbers to be learned.
    fn scale(&self) -> Result<Vec<(f64, f64)>> {
        let one = |(&place, moments): (&usize, &Moments)| {
            let complain = |what: String, remedy| {
                Err(self.empty.complain_of(&self.empty.columns()[place], what, remedy))
            };
            if moments.again != moments.count {
                return Err(self.changed());
            }
            let (mean, std) = (moments.mean(), moments.std());
            if !mean.is_finite() || !std.is_finite() {
                let what = "numbers too large for a mean and a standard deviation";
                return complain(what.into(), "use a larger unit");
            }
            if std == 0.0 {
                let rows = counted(moments.count, "training row");
                let what = format!("all {rows} have the number {mean}");
                return complain(what, "give it others, or choose another column to be learned");
            }
            Ok((mean, std))
        };
        self.targets.iter().zip(&self.numbers).map(one).collect()
    }

    /// The target with the names that the rows have, if it declares none.
    fn target(&self, target: &Target) -> Result<Target> {
        let mut names = target.names.clone();
        match (target.kind, target.separator) {
            (TargetKind::Numbers, _) => names.clear(),
            (TargetKind::Classes, _) => {
                let learned = sorted_names(self.names.iter().map(String::as_str));
                if let [only] = &learned[..] {
                    let what = format!("all {} are {}", counted(self.rows, "training row"), shown(only));
                    return self.complain_of_target(what, "a classifier needs at least two classes");
                }
                if let Some(absent) = names.iter().find(|&name| !self.names.contains(name)) {
                    let what = format!("class {} has no training row", shown(absent));
                    return self.complain_of_target(what, "give it more rows, or remove it");
                }
                if names.is_empty() {
                    names = learned;
                }
            }
            (TargetKind::Labels, Some(_)) if names.is_empty() => {
                names = sorted_names(self.names.iter().map(String::as_str));
            }
            (TargetKind::Labels, Some(_)) => {}
            (TargetKind::Labels, None) => names.clone_from(&target.columns),
        }
        self.check_names(names.len())?;
        if let Some(i) = (1..names.len()).find(|&i| names[..i].contains(&names[i])) {
            return self
                .complain_of_target(format!("{} is declared twice", shown(&names[i])), "name it once");
        }
        if target.kind == TargetKind::Labels && names.is_empty() {
            let what = "no training row has a label".to_string();
            return self.complain_of_target(what, "is this the right column?");
        }
        Ok(Target { names, why: String::new(), ..target.clone() })
    }

    fn complain_of_target<T>(&self, what: String, remedy: &str) -> Result<T> {
        Err(self.empty.complain_of(&self.empty.columns()[self.targets[0]], what, remedy))
    }

    fn changed(&self) -> Error {
        self.complain("the table changed between two readings", "let it be while it is read")
    }

    fn complain(&self, what: &str, remedy: &str) -> Error {
        let (name, problem, remedy) = (self.empty.name.clone(), what.into(), remedy.into());
        Error::Table { name, place: None, column: None, problem, remedy }
    }
}

impl Knowledge {
    /// Takes the cells of some rows in.
    fn see(
        &mut self,
        pass: Pass,
        table: &Table,
        column: usize,
        kind: Kind,
        rows: &[usize],
        gaps: Gaps<'_>,
    ) -> Result<()> {
        let present = |&row: &usize| gaps.present(table.cell(row, column)).map(|cell| (row, cell));
        match self {
            Self::Numbers { parts } => {
                for (row, cell) in rows.iter().filter_map(present) {
                    let (numbers, _) = read_cell(cell, kind)
                        .map_err(|(what, remedy)| table.complain(row, column, what, remedy))?;
                    for (moments, number) in parts.iter_mut().zip(numbers) {
                        moments.see(pass, number);
                    }
                }
            }
            Self::Texts { .. } if pass == Pass::Second => {}
            Self::Texts { categories, missing } => {
                for cell in rows.iter().map(present) {
                    match cell {
                        None => *missing = true,
                        Some((_, cell)) if !categories.contains(cell) => {
                            categories.insert(cell.to_string());
                        }
                        Some(_) => {}
                    }
                }
                let most = most_categories(kind);
                if categories.len() > most {
                    let what = format!("{} categories, more than {most}", categories.len());
                    let remedy = "join rare ones, or ignore the column";
                    return Err(table.complain_of(&table.columns()[column], what, remedy));
                }
            }
        }
        Ok(())
    }

    fn learned(
        &self,
        kind: Kind,
        complain: impl Fn(&str, &str) -> Error,
        changed: impl Fn() -> Error,
    ) -> Result<Learned> {
        let parts = match self {
            Self::Texts { categories, missing } => {
                let (categories, missing) = (categories.iter().cloned().collect(), *missing);
                return Ok(match kind {
                    Kind::Embedding => Learned::Embedding { categories, missing },
                    _ => Learned::Categorical { categories, missing },
                });
            }
            Self::Numbers { parts } => parts,
        };
        let (mean, std) = (parts[0].mean(), parts[0].std());
        if parts[0].count == 0 {
            return Err(complain("every cell of the training rows is missing", "ignore the column"));
        }
        if kind != Kind::Boolean && parts[0].again != parts[0].count {
            return Err(changed());
        }
        if !mean.is_finite() || !std.is_finite() {
            let what = "numbers too large for a mean and a standard deviation";
            return Err(complain(what, "use a larger unit"));
        }
        Ok(match kind {
            Kind::Numeric => Learned::Numeric { mean, std },
            Kind::Boolean => Learned::Boolean { mean },
            _ => Learned::Date {
                mean: [0, 1, 2, 3].map(|i| parts[i].mean()),
                std: [0, 1, 2, 3].map(|i| parts[i].std()),
            },
        })
    }
}

/// The most categories of a column: they are features of their own, or indices.
pub(super) fn most_categories(kind: Kind) -> usize {
    if kind == Kind::Embedding { MAX_EMBEDDED } else { MAX_CATEGORIES }
}
