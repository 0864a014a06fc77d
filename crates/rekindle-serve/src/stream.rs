//! A connection whose reader has to read.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// What a client has to read before the deadline, if there is so much.
const PART: usize = 1 << 16;

/// A connection of which a write that is too slow is an error. (Reading has its limits elsewhere.)
pub(crate) struct Timed {
    stream: TcpStream,
    most: Duration,
    deadline: Pin<Box<Sleep>>,
    /// What was written since the deadline was set; none if no write waits.
    since: Option<usize>,
}

impl Timed {
    pub fn new(stream: TcpStream, most: Duration) -> Timed {
        Timed { stream, most, deadline: Box::pin(sleep(most)), since: None }
    }

    /// What writing so many bytes came to, unless it has waited for too long.
    fn judge(
        &mut self,
        cx: &mut Context<'_>,
        bytes: usize,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(n)) = &result {
            let written = self.since.map(|before| before + n);
            self.since = written.filter(|&written| *n < bytes && written < PART);
        }
        if result.is_ready() {
            return result;
        }
        if self.since.is_none() {
            self.deadline.as_mut().reset(Instant::now() + self.most);
            self.since = Some(0);
        }
        ready!(self.deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "the client does not read its answer")))
    }
}

impl AsyncRead for Timed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Timed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.judge(cx, bytes.len(), result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.judge(cx, parts.iter().map(|part| part.len()).sum(), result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
