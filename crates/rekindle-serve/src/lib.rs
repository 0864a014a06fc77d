//! An HTTP server for a trained model: `rekindle serve`, and for programs that bring their own process.
//!
//! ```no_run
//! use rekindle_serve::{Limits, Server};
//! use rekindle_train::{RunDir, Weights};
//!
//! let model = RunDir::open("runs/iris-001".as_ref())?.model(Weights::Final)?;
//! let server = Server::bind(model, "iris", ([127, 0, 0, 1], 0).into(), Limits::default()).expect("a free port");
//! println!("http://{}", server.address());
//! let stop = server.stop_handle(); // for another thread: stop.stop()
//! server.run()?;
//! # Ok::<(), rekindle_train::Error>(())
//! ```
//!
//! | path | what |
//! |---|---|
//! | `POST /predict` | samples in JSON, or one image; classes and probabilities, or numbers |
//! | `GET /model`, `GET /openapi.json` | what the model takes and gives |
//! | `GET /v2/..`, `POST /v2/models/NAME/infer` | the [Open Inference Protocol](https://github.com/kserve/open-inference-protocol) |
//! | `GET /v2/health/live`, `GET /v2/health/ready` | for those who watch it |
//! | `GET /metrics` | counts and times, as Prometheus reads them |
//! | `GET /` | a page to try the model |
//!
//! How a request goes through it: `server` accepts a connection, `http` finds the path and reads the body under limits, `body` makes
//! tensors of it, `batch` puts them with those of other requests and asks the net, `answer` writes what it said.

mod answer;
mod app;
mod batch;
mod body;
mod cell;
mod describe;
mod http;
mod infer;
mod limits;
mod metrics;
mod nested;
mod openapi;
mod problem;
mod server;
mod stream;

#[cfg(test)]
mod tests;

pub use limits::Limits;
pub use server::{Server, Stop};

use rekindle_tensor::Tensor;
use rekindle_train::Model;

/// The inputs of the net that `POST /predict` makes of a JSON body, for servers of one's own.
///
/// # Errors
/// One line that says what is wrong with it.
///
/// ```no_run
/// # use rekindle_train::{RunDir, Weights};
/// let model = RunDir::open("runs/circles-001".as_ref())?.model(Weights::Final)?;
/// let x = rekindle_serve::inputs_of_json(&model, &Default::default(), b"[[0.5, -0.25], [1, 0]]").unwrap();
/// println!("{:?}", model.ask(&x)?.decided(1));
/// # Ok::<(), rekindle_train::Error>(())
/// ```
pub fn inputs_of_json(model: &Model, limits: &Limits, body: &[u8]) -> Result<Tensor, String> {
    body::samples(model, limits, body::Format::Json, body).map_err(|problem| problem.message)
}

/// The same for the body of an inference request of the Open Inference Protocol.
///
/// # Errors
/// As [`inputs_of_json`].
pub fn inputs_of_inference(model: &Model, limits: &Limits, body: &[u8]) -> Result<Tensor, String> {
    let read = |text: &str| infer::Infer::read(model, limits, text);
    body::text(body).and_then(read).map(|asked| asked.split().0).map_err(|problem| problem.message)
}
