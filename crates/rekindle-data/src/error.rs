//! What can go wrong between a data set and its tensors.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A data set that could not be read or fetched.
///
/// Its text is one line that names the place, the cause and, where there is one, the remedy.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The system could not read or write a file.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The content of a file is not what it has to be.
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where in the file (in its uncompressed bytes, if it is compressed).
        offset: u64,
        /// What is wrong there.
        problem: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// An image, or a folder of images, is not what it has to be.
    Image {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// A table, or what is to be learned from it, is not what it has to be.
    Table {
        /// The file, or what stands for it.
        name: String,
        /// Where in the file.
        place: Option<Place>,
        /// The column.
        column: Option<String>,
        /// What is wrong there.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// A data set, or a part of it, is in none of the places where it is looked for.
    Missing {
        /// What was looked for and where, and how to provide it.
        message: String,
    },
    /// A transfer failed for good.
    Download {
        /// The address.
        url: String,
        /// What went wrong.
        problem: String,
        /// What to do about it.
        remedy: &'static str,
    },
}

/// Where in a table something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of a text file, from 1.
    Line(u64),
    /// A row of a file that has no lines, from 1.
    Row(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// The result of reading or fetching a data set.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Turns what the system said about `path` into an error, for `map_err`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Malformed { path, offset, problem, remedy } => {
                write_line(f, &format!("{}: byte {offset}: {problem}; {remedy}", path.display()))
            }
            Self::Image { path, problem, remedy } => write!(f, "{}: {problem}; {remedy}", path.display()),
            Self::Table { name, place, column, problem, remedy } => {
                let place = match (place, column) {
                    (Some(place), Some(column)) => format!("{place}, column `{column}`: "),
                    (Some(place), None) => format!("{place}: "),
                    (None, Some(column)) => format!("column `{column}`: "),
                    (None, None) => String::new(),
                };
                write_line(f, &format!("{name}: {place}{problem}; {remedy}"))
            }
            Self::Missing { message } => write_line(f, message),
            Self::Download { url, problem, remedy } => write!(f, "{url}: {problem}; {remedy}"),
        }
    }
}

/// Names and cells may have ends of lines in them; the message has none.
fn write_line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    text.chars()
        .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") })
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
