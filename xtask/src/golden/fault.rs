//! Why a case did not run to its end.

use std::fmt;

/// The two ways in which a program ends early.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The program uses a name that this build does not have; the case is skipped.
    Unsupported(String),
    /// Anything else; the case fails.
    Failed(String),
}

pub type Result<T> = std::result::Result<T, Fault>;

/// A failure with this message.
pub fn failed<T>(message: impl Into<String>) -> Result<T> {
    Err(Fault::Failed(message.into()))
}

/// A name outside the table.
pub fn unsupported<T>(name: impl Into<String>) -> Result<T> {
    Err(Fault::Unsupported(name.into()))
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Unsupported(name) => write!(f, "no {name}"),
            Fault::Failed(message) => f.write_str(message),
        }
    }
}
