//! The one place that writes to standard output: a reader that goes away or a full disk is no panic.

use rekindle::plot::Terminal;
use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};

/// Prints a line. If nobody reads any more (`rekindle train | head -1`), the work goes on without a word, because a run is
/// kept in files, too; if the line cannot be written for another reason, the program ends with exit code 1 and the cause.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::output::line(format_args!($($text)*))
    };
}
pub(crate) use say;

/// What pictures as text are drawn on: colours only where a person sees them and has not refused them
/// (<https://no-color.org>).
pub fn terminal() -> Terminal {
    let color = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    Terminal::new(80, 24).color(color)
}

/// Standard output for those who write to a [`Write`], with the same care; they write whole lines.
pub struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether the reader has gone away.
static CLOSED: AtomicBool = AtomicBool::new(false);

pub fn line(text: std::fmt::Arguments<'_>) {
    write(format!("{text}\n").as_bytes());
}

fn write(bytes: &[u8]) {
    if CLOSED.load(Ordering::Relaxed) {
        return;
    }
    if let Err(e) = io::stdout().write_all(bytes) {
        stop(&e);
    }
}

/// Writes what is still held back.
pub fn finish() {
    if let Err(e) = io::stdout().flush() {
        stop(&e);
    }
}

fn stop(e: &io::Error) {
    if e.kind() == ErrorKind::BrokenPipe {
        CLOSED.store(true, Ordering::Relaxed);
        return;
    }
    complain(format_args!("cannot write the output: {e}"));
    exit(1)
}

/// Says something beside the output, on standard error. There is nowhere left to report that this failed.
pub fn note(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints a cause of failure to standard error.
pub fn complain(cause: impl Display) {
    note(format_args!("error: {cause}"));
}
