//! Tables to CSV.

use std::io::{self, Write};

use super::Table;

impl Table {
    /// Writes the table with a header and `\n` after each line; cells are quoted where they must be.
    ///
    /// [`Table::from_reader`] with [`Header::Yes`](super::Header::Yes) and the same delimiter reads the same table,
    /// unless a cell has a zero byte or a column has no name.
    ///
    /// # Errors
    /// What the writer says.
    ///
    /// ```
    /// use rekindle_data::table::Table;
    ///
    /// let table = Table::new("people", &["name", "age"], [["Turing, Alan", "41"]])?;
    /// let mut text = Vec::new();
    /// table.write_csv(&mut text, ',')?;
    /// assert_eq!(String::from_utf8(text)?, "name,age\n\"Turing, Alan\",41\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_csv(&self, mut writer: impl Write, delimiter: char) -> io::Result<()> {
        let names = self.columns.iter().map(String::as_str);
        write_record(&mut writer, names, delimiter)?;
        for row in 0..self.len() {
            let cells = (0..self.width()).map(|column| self.cell(row, column));
            write_record(&mut writer, cells, delimiter)?;
        }
        writer.flush()
    }
}

fn write_record<'a>(
    writer: &mut impl Write,
    cells: impl ExactSizeIterator<Item = &'a str>,
    delimiter: char,
) -> io::Result<()> {
    let alone = cells.len() == 1;
    for (i, cell) in cells.enumerate() {
        if i > 0 {
            write!(writer, "{delimiter}")?;
        }
        if must_be_quoted(cell, delimiter, alone) {
            write!(writer, "\"{}\"", cell.replace('"', "\"\""))?;
        } else {
            writer.write_all(cell.as_bytes())?;
        }
    }
    writer.write_all(b"\n")
}

/// Whether a cell would read as something else without quotes. An empty cell that is alone would be a blank line, and a byte order
/// mark would be left out.
fn must_be_quoted(cell: &str, delimiter: char, alone: bool) -> bool {
    let space = |c: char| c == ' ' || c == '\t';
    cell.contains([delimiter, '"', '\n', '\r'])
        || cell.starts_with(space)
        || cell.ends_with(space)
        || cell.starts_with('\u{feff}')
        || (alone && cell.is_empty())
}
