//! What a request may take, and how many there may be.

use std::time::Duration;

/// Limits of a server. Whatever is beyond one gets an answer that says so, at once.
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
    /// Bytes of all bodies that are being received; what would go beyond gets 503.
    pub all_body_bytes: usize,
    /// Samples of a request; more get 413.
    pub samples: usize,
    /// Pixels that an image may claim to have; more get 413.
    pub pixels: usize,
    /// How long the headers of a request may take, also the first ones of a connection.
    pub headers: Duration,
    /// How long a body may take; then it gets 408.
    pub body: Duration,
    /// How long an answer may take; then it gets 503.
    pub answer: Duration,
    /// How long a client may leave a part of its answer unread before the connection is closed.
    pub write: Duration,
    /// How long requests that are under way may take after the server was told to stop.
    pub drain: Duration,
    /// How long a sample waits for others to be computed with, while there are others on their way.
    pub window: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 512,
            waiting: 256,
            body_bytes: 8 << 20,
            all_body_bytes: 128 << 20,
            samples: 4096,
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
