//! The table of epochs, for people.

use super::{Flow, Observer};
use crate::error::Error;
use crate::history::EpochRow;
use rekindle_nn::Parameters;
use std::io::Write;

/// Prints a line for each reported epoch, the first under a line of names.
///
/// ```
/// use rekindle_train::Table;
/// let table = Table::new(std::io::stdout());
/// ```
#[derive(Debug)]
pub struct Table<W> {
    to: W,
    begun: bool,
}

impl<W: Write> Table<W> {
    /// Into a writer, such as `std::io::stdout()`. That somebody stops reading ends nothing.
    pub fn new(to: W) -> Table<W> {
        Table { to, begun: false }
    }
}

impl<W: Write> Observer for Table<W> {
    fn epoch(&mut self, row: &EpochRow, _: &dyn Parameters) -> Result<Flow, Error> {
        if !row.reported {
            return Ok(Flow::Continue);
        }
        let fields: Vec<_> = row.fields().filter(|(name, _)| !["step", "lr"].contains(name)).collect();
        let mut text = String::new();
        if !std::mem::replace(&mut self.begun, true) {
            let head: String = fields.iter().map(|(name, _)| format!("{name:>0$} ", width(name))).collect();
            text = head.trim_end().to_string() + "\n";
        }
        let cell = |(name, value): &(&str, f64)| match *name {
            "epoch" => format!("{value:>10} "),
            "time" => format!("{value:>9.1}s "),
            name if name.ends_with("loss") => format!("{value:>0$.5} ", width(name)),
            name => format!("{value:>0$.4} ", width(name)),
        };
        let line: String = fields.iter().map(cell).collect();
        text += line.trim_end();
        _ = writeln!(self.to, "{text}");
        Ok(Flow::Continue)
    }
}

/// Columns are as wide as their names, and at least as wide as their numbers.
fn width(name: &str) -> usize {
    name.len().max(10)
}
