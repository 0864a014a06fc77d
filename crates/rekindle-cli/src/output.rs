//! The one place that writes to standard output: a reader that goes away or a full disk is no panic.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::process::exit;

/// Prints a line. If nobody reads any more (`rekindle train | head -1`), the program ends quietly with exit code 0; if
/// the line cannot be written for another reason, it ends with exit code 1 and the cause.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::output::line(format_args!($($text)*))
    };
}
pub(crate) use say;

pub fn line(text: std::fmt::Arguments<'_>) {
    if let Err(e) = writeln!(io::stdout(), "{text}") {
        stop(&e);
    }
}

/// Writes what is still held back.
pub fn finish() {
    if let Err(e) = io::stdout().flush() {
        stop(&e);
    }
}

fn stop(e: &io::Error) -> ! {
    if e.kind() == ErrorKind::BrokenPipe {
        exit(0);
    }
    complain(format_args!("cannot write the output: {e}"));
    exit(1)
}

/// Prints a cause of failure to standard error. There is nowhere left to report that this failed.
pub fn complain(cause: impl Display) {
    let _ = writeln!(io::stderr(), "error: {cause}");
}
