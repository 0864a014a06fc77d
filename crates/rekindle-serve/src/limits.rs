//! What a request may take, and how many there may be.

use std::time::Duration;

/// Limits of a server. A request that is beyond one gets an answer that says so; a client that is silent loses its connection.
///
/// ```
/// let limits = rekindle_serve::Limits { waiting: 64, ..Default::default() };
/// assert_eq!(limits.body_bytes, 8 << 20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time; further ones get 503 and are closed.
    pub connections: usize,
    /// Requests that are being read into tensors, wait, or are being computed; further ones get 503.
    pub waiting: usize,
    /// Bytes of a body; larger ones get 413.
    pub body_bytes: usize,
    /// Bytes of all bodies that are being received and of the inputs made of them; what would go beyond gets 503.
    pub all_bytes: usize,
    /// Samples of a request; more get 413.
    pub samples: usize,
    /// Numbers that the inputs of a request may have, and an eighth of it its outputs: so many samples of a net are taken, if these are
    /// fewer than `samples`.
    pub numbers: usize,
    /// Pixels that the images of a request may claim to have together; more get 413.
    pub pixels: usize,
    /// How long the headers of a request may take, also the first ones of a connection.
    pub headers: Duration,
    /// How long a body may take; then it gets 408.
    pub body: Duration,
    /// How long an answer may take once the body is there; then it gets 503.
    pub answer: Duration,
    /// How long a client may take to read 64 KiB of its answer, or the rest of it, before the connection is closed.
    pub write: Duration,
    /// How long requests that are under way may take after the server was told to stop.
    pub drain: Duration,
    /// How long a sample waits for others to be computed with, while there are others on their way.
    pub window: Duration,
}

impl Limits {
    /// The limits of a net that takes and gives so many numbers for each sample.
    pub(crate) fn of_net(self, inputs: usize, outputs: usize) -> Limits {
        let of_inputs = self.numbers / inputs.max(1);
        let of_outputs = self.numbers / 8 / outputs.max(1);
        Limits { samples: self.samples.min(of_inputs).min(of_outputs).max(1), ..self }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 512,
            waiting: 256,
            body_bytes: 8 << 20,
            all_bytes: 256 << 20,
            samples: 4096,
            numbers: 1 << 22,
            pixels: 1 << 24,
            headers: Duration::from_secs(10),
            body: Duration::from_secs(10),
            answer: Duration::from_secs(30),
            write: Duration::from_secs(10),
            drain: Duration::from_secs(30),
            window: Duration::from_millis(1),
        }
    }
}
