//! Downloads shown to a person: a bar on a terminal, a few plain lines in a log.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::download::Event;

const BAR_WIDTH: usize = 24;

/// Shows the [`Event`]s of downloads on standard error.
pub struct TerminalProgress {
    terminal: bool,
    name: String,
    resumed: u64,
    total: Option<u64>,
    started: Instant,
}

impl TerminalProgress {
    /// Draws a bar if standard error is a terminal, else writes lines.
    pub fn new() -> Self {
        Self {
            terminal: io::stderr().is_terminal(),
            name: String::new(),
            resumed: 0,
            total: None,
            started: Instant::now(),
        }
    }

    /// Shows one event.
    pub fn report(&mut self, event: Event<'_>) {
        // Nobody can be told that standard error is closed.
        let _ = self.write(event, &mut io::stderr().lock());
    }

    fn write(&mut self, event: Event<'_>, out: &mut impl Write) -> io::Result<()> {
        match event {
            Event::Started { url, resumed, total } => {
                self.name = url.rsplit('/').next().unwrap_or(url).to_string();
                (self.resumed, self.total, self.started) = (resumed, total, Instant::now());
                if self.terminal {
                    return Ok(());
                }
                let size = total.map(|total| format!(" ({})", size_text(total))).unwrap_or_default();
                let rest =
                    if resumed > 0 { format!(", from {} on", size_text(resumed)) } else { String::new() };
                writeln!(out, "downloading {url}{size}{rest}")
            }
            Event::Advanced { received } if self.terminal => {
                write!(out, "\r\x1b[K{}", self.bar(received, self.started.elapsed()))?;
                out.flush()
            }
            Event::Advanced { .. } => Ok(()),
            Event::Retrying { problem, pause } => {
                self.end_bar(out)?;
                writeln!(out, "{problem}; trying again in {} s", pause.as_secs_f32())
            }
            Event::Finished { path } => {
                self.end_bar(out)?;
                writeln!(out, "saved {}", path.display())
            }
        }
    }

    fn end_bar(&self, out: &mut impl Write) -> io::Result<()> {
        if self.terminal { writeln!(out) } else { Ok(()) }
    }

    /// `train-images.gz [######........]  25%  2.4 MB of 9.6 MB  1.2 MB/s  6 s left`
    fn bar(&self, received: u64, elapsed: Duration) -> String {
        let rate = (received - self.resumed) as f64 / elapsed.as_secs_f64().max(1e-3);
        let speed = format!("{}/s", size_text(rate as u64));
        let Some(total) = self.total.filter(|&total| total > 0) else {
            return format!("{}  {}  {speed}", self.name, size_text(received));
        };
        let fraction = received as f64 / total as f64;
        let filled = ((fraction * BAR_WIDTH as f64) as usize).min(BAR_WIDTH);
        let bar = "#".repeat(filled) + &".".repeat(BAR_WIDTH - filled);
        let left = match (total.saturating_sub(received) as f64 / rate).ceil() {
            seconds if seconds.is_finite() => format!("{seconds:.0} s left"),
            _ => String::new(),
        };
        let (percent, done, total) = ((fraction * 100.0).floor(), size_text(received), size_text(total));
        format!("{} [{bar}] {percent:3.0}%  {done} of {total}  {speed}  {left}", self.name)
    }
}

impl Default for TerminalProgress {
    fn default() -> Self {
        Self::new()
    }
}

fn size_text(bytes: u64) -> String {
    match bytes as f64 {
        bytes if bytes < 1e3 => format!("{bytes} B"),
        bytes if bytes < 1e6 => format!("{:.1} kB", bytes / 1e3),
        bytes => format!("{:.1} MB", bytes / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn shown(terminal: bool, events: &[Event<'_>]) -> String {
        let mut progress = TerminalProgress { terminal, ..TerminalProgress::new() };
        let mut out = Vec::new();
        events.iter().for_each(|&event| progress.write(event, &mut out).unwrap());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_log_gets_lines_without_a_bar() {
        let text = shown(
            false,
            &[
                Event::Started { url: "http://host/a.gz", resumed: 0, total: Some(9_600_000) },
                Event::Advanced { received: 2_400_000 },
                Event::Retrying { problem: "connection closed", pause: Duration::from_millis(1500) },
                Event::Started { url: "http://host/a.gz", resumed: 2_400_000, total: Some(9_600_000) },
                Event::Advanced { received: 9_600_000 },
                Event::Finished { path: Path::new("cache/a.gz") },
            ],
        );
        assert_eq!(
            text,
            "downloading http://host/a.gz (9.6 MB)\n\
             connection closed; trying again in 1.5 s\n\
             downloading http://host/a.gz (9.6 MB), from 2.4 MB on\n\
             saved cache/a.gz\n"
        );
    }

    #[test]
    fn the_bar_shows_the_rate_since_resuming_and_the_time_left() {
        let started = Instant::now();
        let progress = TerminalProgress {
            terminal: true,
            name: "a.gz".into(),
            resumed: 2_000_000,
            total: Some(8_000_000),
            started,
        };
        assert_eq!(
            progress.bar(4_000_000, Duration::from_secs(2)),
            "a.gz [############............]  50%  4.0 MB of 8.0 MB  1.0 MB/s  4 s left"
        );
    }

    #[test]
    fn a_terminal_redraws_one_line() {
        let text = shown(
            true,
            &[
                Event::Started { url: "http://host/a.gz", resumed: 0, total: None },
                Event::Advanced { received: 0 },
                Event::Finished { path: Path::new("a.gz") },
            ],
        );
        assert_eq!(text, "\r\x1b[Ka.gz  0 B  0 B/s\nsaved a.gz\n");
    }
}
