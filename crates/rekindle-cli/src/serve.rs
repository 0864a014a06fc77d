//! `rekindle serve`: the model of a run behind an HTTP address.

use crate::output::{finish, note, say};
use crate::signals::Signals;
use crate::{Failure, devices, weights};
use rekindle::serve::{Limits, Server};
use rekindle::train::RunDir;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// How often it is looked whether a signal came.
const TICK: Duration = Duration::from_millis(20);

/// Answer requests for predictions over HTTP
#[derive(clap::Args)]
#[command(after_help = "Examples:
  rekindle serve runs/iris-001                     a page at http://127.0.0.1:8000, and an API
  rekindle serve runs/iris-001 --port 0            any free port; the first line, when it is ready, says which
  curl http://127.0.0.1:8000/predict -H 'content-type: application/json' -d '{\"petal_length\": 1.4, ..}'
  curl http://127.0.0.1:8000/predict -H 'content-type: image/png' --data-binary @shoe.png

Paths: POST /predict, GET /model, /openapi.json, /metrics, /v2/health/ready, and the Open Inference Protocol
under /v2. SIGTERM and Ctrl-C: requests that are under way are answered, then the program ends with 0.")]
pub struct Args {
    /// The directory of a run, such as runs/iris-001
    run: PathBuf,
    /// Where to listen; other addresses are open to all
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    address: IpAddr,
    /// The port to listen at, 0 for any free one
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// The name of the model in the API [default: that of the run's directory]
    #[arg(long, value_parser = plain_name)]
    name: Option<String>,
    #[command(flatten)]
    weights: weights::Which,
    #[command(flatten)]
    place: devices::Choice,
    #[command(flatten)]
    bounds: Bounds,
}

/// What clients may ask for; further limits have no flag.
#[derive(clap::Args)]
struct Bounds {
    /// Connections at the same time; further ones get 503
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections, value_parser = positive)]
    max_connections: usize,
    /// Requests that wait or are being computed; further ones get 503
    #[arg(long, value_name = "N", default_value_t = Limits::default().waiting, value_parser = positive)]
    max_waiting: usize,
    /// Bytes of a request; larger ones get 413
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().body_bytes, value_parser = positive)]
    max_body: usize,
    /// Samples of a request; more get 413
    #[arg(long, value_name = "N", default_value_t = Limits::default().samples, value_parser = positive)]
    max_samples: usize,
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=1_000_000_000) => Ok(n),
        _ => Err("a whole number from 1 to 1000000000".into()),
    }
}

impl Bounds {
    fn limits(&self) -> Limits {
        let all_bytes = Limits::default().all_bytes.max(self.max_body.saturating_mul(4));
        Limits {
            connections: self.max_connections,
            waiting: self.max_waiting,
            body_bytes: self.max_body,
            all_bytes,
            samples: self.max_samples,
            ..Limits::default()
        }
    }
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let device = args.place.device()?;
    let model = args.weights.model(&RunDir::open(&args.run)?)?.on(device)?;
    let name = args.name.clone().unwrap_or_else(|| directory_name(&args.run));
    let address = SocketAddr::new(args.address, args.port);
    let signals = Signals::listen().map_err(|e| Failure::failed(format!("cannot listen to signals: {e}")))?;
    let server = Server::bind(model, &name, address, args.bounds.limits())?;
    let address = server.address();
    let server = server.on_ready(move || {
        say!("http://{address}");
        finish();
    });
    if !args.address.is_loopback() {
        note(format_args!(
            "warning: everyone who reaches {} can use this server: there are no passwords and no encryption",
            server.address()
        ));
    }
    let stop = server.stop_handle();
    thread::spawn(move || {
        while signals.exit_code().is_none() {
            thread::sleep(TICK);
        }
        stop.stop();
    });
    Ok(server.run()?)
}

/// Whether a name can be part of a path as it is.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-".contains(c)
}

fn plain_name(text: &str) -> Result<String, String> {
    match !text.is_empty() && text.chars().all(is_plain) {
        true => Ok(text.into()),
        false => Err("a name has letters, digits, `.`, `_` and `-`".into()),
    }
}

/// The name of a run's directory, also if it is given as `.`; what cannot be part of a path is `-`.
fn directory_name(run: &Path) -> String {
    let whole = run.canonicalize().unwrap_or_else(|_| run.to_path_buf());
    let name = whole.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy());
    name.chars().map(|c| if is_plain(c) { c } else { '-' }).collect()
}
