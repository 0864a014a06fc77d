//! Files fetched over HTTP: whole and verified, or not there at all.
//!
//! Bytes arrive in `NAME.part`, which a later attempt continues (a `Range` request) however the earlier one
//! ended. Only when the content has been checked is the file synced to disk and renamed to `NAME`, so that
//! a file under its own name is always complete. A lock keeps two processes from fetching into one folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body, Proxy};

use crate::error::{Error, Result};

const REMEDY: &str =
    "check the network, or give another mirror (REKINDLE_MIRROR) or a local folder (REKINDLE_DATA)";
/// Least time between two reports of progress.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// What happens during a download, for whoever watches.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Bytes are about to arrive.
    Started {
        /// The address.
        url: &'a str,
        /// The bytes already here from an earlier attempt.
        resumed: u64,
        /// All bytes, if the server says so.
        total: Option<u64>,
    },
    /// Bytes have arrived; reported a few times per second.
    Advanced {
        /// The bytes here by now.
        received: u64,
    },
    /// An attempt failed and another one will follow.
    Retrying {
        /// What went wrong.
        problem: &'a str,
        /// How long the pause until then is.
        pause: Duration,
    },
    /// The file is complete.
    Finished {
        /// Where it is.
        path: &'a Path,
    },
}

/// Fetches files over HTTP and HTTPS.
///
/// ```no_run
/// use rekindle_data::Downloader;
///
/// let url = "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-labels-idx1-ubyte.gz";
/// let nonempty = |path: &std::path::Path| match path.metadata() {
///     Ok(metadata) if metadata.len() > 0 => Ok(()),
///     _ => Err("empty".to_string()),
/// };
/// Downloader::new().fetch(url, "labels.gz".as_ref(), 1 << 20, &nonempty, &mut |event| println!("{event:?}"))?;
/// # Ok::<(), rekindle_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Downloader {
    /// How long to wait for a connection and, later, for each next piece of data.
    pub timeout: Duration,
    /// How often to try.
    pub attempts: u32,
    /// The pause after the first failed attempt; it doubles after each further one.
    pub pause: Duration,
}

impl Default for Downloader {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), attempts: 4, pause: Duration::from_secs(1) }
    }
}

/// Why an attempt failed.
enum Failure {
    /// Another attempt may succeed.
    Passing(String),
    /// No attempt will.
    Final(Error),
}

impl Downloader {
    /// Waits 30 seconds at most and tries four times.
    pub fn new() -> Self {
        Self::default()
    }

    /// Fetches `url` to `target`, unless that exists.
    ///
    /// `check` looks at the whole content before it gets its name, and says what is wrong with it.
    ///
    /// # Errors
    /// [`Error::Download`] if the server cannot be reached, refuses, sends over `limit` bytes or something
    /// that `check` refuses; [`Error::Io`] if the file cannot be written. `target` does not exist then.
    pub fn fetch(
        &self,
        url: &str,
        target: &Path,
        limit: u64,
        check: &dyn Fn(&Path) -> Result<(), String>,
        report: &mut dyn FnMut(Event<'_>),
    ) -> Result<()> {
        let folder =
            target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let _lock = lock(folder)?;
        if target.exists() {
            return Ok(());
        }
        let mut name = target.as_os_str().to_owned();
        name.push(".part");
        let mut transfer =
            Transfer { agent: self.agent(url), url, part: PathBuf::from(name), limit, timeout: self.timeout };
        for attempt in 1.. {
            let problem = match transfer.attempt(check, report) {
                Ok(()) => break,
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(problem)) => problem,
            };
            if attempt >= self.attempts {
                return Err(download_error(url, format!("{problem} ({attempt} attempts)")));
            }
            let pause = self.pause * 2u32.saturating_pow(attempt - 1);
            report(Event::Retrying { problem: &problem, pause });
            thread::sleep(pause);
        }
        publish(&transfer.part, target, folder)?;
        report(Event::Finished { path: target });
        Ok(())
    }

    fn agent(&self, url: &str) -> Agent {
        // A proxy cannot reach this machine's own servers.
        let own = ["://127.", "://localhost", "://[::1]"].iter().any(|host| url.contains(host));
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .accept_encoding("identity")
            .user_agent(concat!("rekindle/", env!("CARGO_PKG_VERSION")))
            .proxy(if own { None } else { Proxy::try_from_env() })
            .timeout_resolve(Some(self.timeout))
            .timeout_connect(Some(self.timeout))
            .timeout_per_read(Some(self.timeout))
            .timeout_per_write(Some(self.timeout));
        config.build().new_agent()
    }
}

/// One file on its way.
struct Transfer<'a> {
    agent: Agent,
    url: &'a str,
    part: PathBuf,
    limit: u64,
    timeout: Duration,
}

impl Transfer<'_> {
    fn attempt(
        &mut self,
        check: &dyn Fn(&Path) -> Result<(), String>,
        report: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Failure> {
        let mut options = OpenOptions::new();
        let mut file =
            options.create(true).append(true).open(&self.part).map_err(|error| self.broken_file(error))?;
        let before = file.seek(SeekFrom::End(0)).map_err(|error| self.broken_file(error))?;
        let resumed = self.receive(&mut file, before, report)?;
        check(&self.part).map_err(|problem| {
            let _ = fs::remove_file(&self.part);
            // What was continued may have been the beginning of something else.
            if resumed { Failure::Passing(problem) } else { self.fatal(problem) }
        })
    }

    /// Appends what is missing after the `before` bytes in `file`; says whether these were kept.
    fn receive(
        &self,
        file: &mut File,
        before: u64,
        report: &mut dyn FnMut(Event<'_>),
    ) -> Result<bool, Failure> {
        let request = self.agent.get(self.url);
        let request = if before > 0 { request.header("Range", format!("bytes={before}-")) } else { request };
        let mut response = request.call().map_err(|error| self.unanswered(error))?;
        let resumed = match response.status() {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT if continues_at(&response, before) => before,
            // All of it may be here already, which the check will tell.
            StatusCode::RANGE_NOT_SATISFIABLE if before > 0 => return Ok(true),
            StatusCode::PARTIAL_CONTENT => {
                file.set_len(0).map_err(|error| self.broken_file(error))?;
                return Err(Failure::Passing("the server sends another range".into()));
            }
            status => return Err(self.refused(status)),
        };
        if resumed == 0 {
            file.set_len(0).map_err(|error| self.broken_file(error))?;
        }
        let total = response.body().content_length().map(|length| resumed + length);
        if total.is_some_and(|total| total > self.limit) {
            return Err(self.too_long(total));
        }
        report(Event::Started { url: self.url, resumed, total });
        let received = self.copy(response.body_mut(), file, resumed, total, report)?;
        match total {
            Some(total) if received < total => Err(broken_off(received, Some(total), "connection closed")),
            _ => Ok(resumed > 0),
        }
    }

    fn copy(
        &self,
        body: &mut Body,
        file: &mut File,
        mut received: u64,
        total: Option<u64>,
        report: &mut dyn FnMut(Event<'_>),
    ) -> Result<u64, Failure> {
        let mut reader = body.as_reader();
        let mut buffer = vec![0; 1 << 16];
        let mut reported = Instant::now();
        loop {
            let length = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(broken_off(received, total, &self.describe(&error))),
            };
            received += length as u64;
            if received > self.limit {
                return Err(self.too_long(None));
            }
            file.write_all(&buffer[..length]).map_err(|error| self.broken_file(error))?;
            if reported.elapsed() >= REPORT_EVERY {
                report(Event::Advanced { received });
                reported = Instant::now();
            }
        }
        report(Event::Advanced { received });
        Ok(received)
    }

    fn refused(&self, status: StatusCode) -> Failure {
        let problem = format!("the server answers {status}");
        let patience = [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status);
        if patience || status.is_server_error() { Failure::Passing(problem) } else { self.fatal(problem) }
    }

    fn unanswered(&self, error: ureq::Error) -> Failure {
        match error {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => self.fatal(error.to_string()),
            ureq::Error::Io(error) => Failure::Passing(self.describe(&error)),
            ureq::Error::Timeout(_) => Failure::Passing(self.describe(&ErrorKind::TimedOut.into())),
            ureq::Error::HostNotFound => Failure::Passing("host not found".into()),
            other => Failure::Passing(other.to_string()),
        }
    }

    fn describe(&self, error: &io::Error) -> String {
        match error.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => format!("no data for {:?}", self.timeout),
            ErrorKind::ConnectionRefused => "connection refused".into(),
            ErrorKind::ConnectionReset => "connection reset".into(),
            ErrorKind::UnexpectedEof => "connection closed".into(),
            _ => error.to_string(),
        }
    }

    fn too_long(&self, total: Option<u64>) -> Failure {
        let _ = fs::remove_file(&self.part);
        let limit = self.limit;
        let problem = match total {
            Some(total) => format!("the server offers {total} bytes, more than the {limit} possible"),
            None => format!("the server sends more than the {limit} bytes possible"),
        };
        self.fatal(problem)
    }

    fn fatal(&self, problem: String) -> Failure {
        Failure::Final(download_error(self.url, problem))
    }

    fn broken_file(&self, error: io::Error) -> Failure {
        Failure::Final(Error::io(&self.part)(error))
    }
}

fn broken_off(received: u64, total: Option<u64>, cause: &str) -> Failure {
    let of_total = total.map(|total| format!(" of {total}")).unwrap_or_default();
    Failure::Passing(format!("{cause} after {received}{of_total} bytes"))
}

fn download_error(url: &str, problem: String) -> Error {
    Error::Download { url: url.to_string(), problem, remedy: REMEDY }
}

/// Whether a partial answer begins at `offset`.
fn continues_at(response: &Response<Body>, offset: u64) -> bool {
    let range = response.headers().get("Content-Range").and_then(|range| range.to_str().ok());
    range.is_some_and(|range| range.starts_with(&format!("bytes {offset}-")))
}

/// Waits until no other process fetches into `folder`; the lock ends with the returned file.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(".lock");
    let file = OpenOptions::new().create(true).append(true).open(&path).map_err(Error::io(&path))?;
    file.lock().map_err(Error::io(&path))?;
    Ok(file)
}

/// Gives a complete file its name, durably: content first, then the name.
fn publish(part: &Path, target: &Path, folder: &Path) -> Result<()> {
    File::open(part).and_then(|file| file.sync_all()).map_err(Error::io(part))?;
    fs::rename(part, target).map_err(Error::io(target))?;
    // Only Unix can sync a folder.
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io(folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
