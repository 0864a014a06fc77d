//! A line that says how far an epoch is, and when training will be done.

use super::{Flow, Observer, Step};
use crate::error::Error;
use crate::history::EpochRow;
use rekindle_nn::Parameters;
use std::io::Write;
use std::time::{Duration, Instant};

/// How often the line is drawn.
const PERIOD: Duration = Duration::from_millis(100);
/// Nothing is drawn of what takes less than this.
const SHORT: Duration = Duration::from_millis(500);
const WIDTH: usize = 24;

/// Draws one line over and over: epoch, bar, batches, loss, and the time that is left. Only for terminals.
///
/// It comes before the observers that print, because its line is wiped away when an epoch ends.
///
/// ```
/// use rekindle_train::Progress;
/// let progress = Progress::new(std::io::stderr());
/// ```
#[derive(Debug)]
pub struct Progress<W> {
    to: W,
    start: Option<(Instant, usize)>,
    drawn: Option<Instant>,
    shown: bool,
}

impl<W: Write> Progress<W> {
    /// On a terminal, such as `std::io::stderr()`.
    pub fn new(to: W) -> Progress<W> {
        Progress { to, start: None, drawn: None, shown: false }
    }

    fn wipe(&mut self) {
        if std::mem::take(&mut self.shown) {
            _ = write!(self.to, "\r\x1b[K");
            _ = self.to.flush();
        }
    }
}

impl<W: Write> Observer for Progress<W> {
    fn step(&mut self, step: &Step) -> Result<Flow, Error> {
        let now = Instant::now();
        let done = (step.epoch - 1) * step.batches + step.batch;
        let (start, first) = *self.start.get_or_insert((now, done));
        let spent = now - start;
        if spent >= SHORT && self.drawn.is_none_or(|at| now - at >= PERIOD) {
            self.drawn = Some(now);
            self.shown = true;
            _ = write!(
                self.to,
                "\r\x1b[K{}",
                line(step, left(spent, done - first, step.epochs * step.batches - done))
            );
            _ = self.to.flush();
        }
        Ok(Flow::Continue)
    }

    fn epoch(&mut self, _: &EpochRow, _: &dyn Parameters) -> Result<Flow, Error> {
        self.wipe();
        Ok(Flow::Continue)
    }

    fn end(&mut self, _: &dyn Parameters) -> Result<(), Error> {
        self.wipe();
        Ok(())
    }
}

/// The time that the remaining steps will take if they are as fast as those before.
fn left(spent: Duration, done: usize, remaining: usize) -> Duration {
    spent.mul_f64(remaining as f64 / done.max(1) as f64)
}

fn line(step: &Step, left: Duration) -> String {
    let filled = WIDTH * step.batch / step.batches.max(1);
    let bar = "━".repeat(filled) + &"╌".repeat(WIDTH - filled);
    let seconds = left.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!(
        "epoch {}/{} {bar} {}/{}  loss {:.4}  {hours}:{minutes:02}:{seconds:02} left",
        step.epoch, step.epochs, step.batch, step.batches, step.loss
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_it_is_and_what_is_left() {
        let step = Step { epoch: 2, epochs: 10, batch: 118, batches: 235, loss: 0.43216 };
        let text = line(&step, left(Duration::from_secs(353), 353, 1997));
        assert_eq!(text, "epoch 2/10 ━━━━━━━━━━━━╌╌╌╌╌╌╌╌╌╌╌╌ 118/235  loss 0.4322  0:33:17 left");
    }

    #[test]
    fn a_short_training_draws_nothing() {
        let mut bytes = Vec::new();
        let mut progress = Progress::new(&mut bytes);
        for batch in 1..=3 {
            progress.step(&Step { epoch: 1, epochs: 1, batch, batches: 3, loss: 1.0 }).unwrap();
        }
        assert_eq!(bytes, b"");
    }
}
