//! The server as its clients see it.

mod api;
mod client;
mod inputs;
mod limits;
mod load;
mod models;

use crate::app::App;
use crate::batch::Engine;
use crate::limits::Limits;
use crate::server::{Server, Stop};
use client::Client;
use rekindle_train::{Error, Model, Session};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

/// A server in a thread of its own, which is stopped in the end.
struct Running {
    address: SocketAddr,
    stop: Stop,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Running {
    /// A server that is ready.
    fn new(model: Model) -> Running {
        Running::with(model, Limits::default())
    }

    fn with(model: Model, limits: Limits) -> Running {
        let running = Running::start(App::new(model, "it", limits).expect("a model that can be asked"));
        running.wait();
        running
    }

    /// A server whose engine is not the model alone.
    fn asking(
        model: Model,
        limits: Limits,
        change: impl Fn(&rekindle_tensor::Tensor) + Send + Clone + 'static,
    ) -> Running {
        let running = Running::cold(model, limits, change);
        running.wait();
        running
    }

    /// As [`asking`](Self::asking), before it is ready.
    fn cold(
        model: Model,
        limits: Limits,
        change: impl Fn(&rekindle_tensor::Tensor) + Send + Clone + 'static,
    ) -> Running {
        let model = Arc::new(model);
        let asked = model.clone();
        let engine = move || -> Engine {
            let (mut session, change) = (Session::new(asked.clone()), change.clone());
            Box::new(move |x| {
                change(x);
                session.ask(x)
            })
        };
        Running::start(App::asking(model, "it", limits, engine).expect("a model that can be asked"))
    }

    fn start(app: App) -> Running {
        let server = Server::of(app, ([127, 0, 0, 1], 0).into()).expect("a free port");
        let (address, stop) = (server.address(), server.stop_handle());
        Running { address, stop, thread: Some(thread::spawn(move || server.run())) }
    }

    /// Until it is ready.
    fn wait(&self) {
        let start = Instant::now();
        while self.client().get("/v2/health/ready").status != 200 {
            assert!(start.elapsed() < Duration::from_secs(60), "never ready");
            sleep(Duration::from_millis(5));
        }
    }

    fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Stops it, and what that came to.
    fn end(mut self) -> Result<(), Error> {
        self.stop.stop();
        self.thread.take().expect("it runs").join().expect("no panic")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}
