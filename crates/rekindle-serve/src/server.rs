//! The listener, its connections, and how it ends.

use crate::app::{App, Counted};
use crate::http::{path_label, router};
use crate::limits::Limits;
use crate::problem::Problem;
use crate::stream::Timed;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use axum::response::IntoResponse;
use futures_util::FutureExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use rekindle_train::{Error, Model};
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

/// Connections that are told at the same time that there are too many.
const REFUSED: usize = 256;

/// A server that has an address and serves when it [runs](Self::run).
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    app: Arc<App>,
    stop: Stop,
    ready: Box<dyn FnOnce() + Send>,
}

/// Tells a server to stop.
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<bool>);

impl Stop {
    /// From now on no requests are taken; those that are under way are answered.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Server {
    /// Listens at an address (port 0: any free one) and asks the model about a sample of zeros.
    ///
    /// # Errors
    /// If the address is not free, or the model cannot be asked.
    pub fn bind(model: Model, name: &str, address: SocketAddr, limits: Limits) -> Result<Server, Error> {
        let app = App::new(model, name, limits)?;
        Server::of(app, address)
    }

    pub(crate) fn of(app: App, address: SocketAddr) -> Result<Server, Error> {
        let failed = |e: io::Error| {
            let which = if e.kind() == ErrorKind::AddrNotAvailable { "--address" } else { "--port" };
            Error::Recipe(format!("cannot listen at {address}: {e}; choose another {which}"))
        };
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Server {
            listener,
            address,
            app: Arc::new(app),
            stop: Stop(watch::channel(false).0),
            ready: Box::new(|| ()),
        })
    }

    /// Calls this as soon as requests are taken.
    pub fn on_ready(self, ready: impl FnOnce() + Send + 'static) -> Server {
        Server { ready: Box::new(ready), ..self }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What stops it, from another thread.
    pub fn stop_handle(&self) -> Stop {
        self.stop.clone()
    }

    /// Serves until it is [stopped](Stop::stop), and then until the requests that are under way are answered.
    ///
    /// # Errors
    /// If the system gives no threads, the model cannot be asked, or requests were cut because they took too long at the end.
    pub fn run(self) -> Result<(), Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .max_blocking_threads(16)
            .build()
            .map_err(|e| Error::Recipe(format!("no threads can be started: {e}")))?;
        let result = runtime.block_on(self.serve());
        // What hangs is left behind.
        runtime.shutdown_timeout(Duration::from_millis(100));
        result
    }

    async fn serve(self) -> Result<(), Error> {
        let wrong = |e| Error::Recipe(format!("cannot listen: {e}"));
        let listener = tokio::net::TcpListener::from_std(self.listener).map_err(wrong)?;
        let app = self.app;
        let warm = tokio::spawn({
            let app = app.clone();
            async move {
                app.warm_up().await?;
                // It may have been told to stop meanwhile.
                if app.is_ready() {
                    (self.ready)();
                }
                Ok(())
            }
        });
        let mut stopped = self.stop.0.subscribe();
        let graceful = GracefulShutdown::new();
        let serving = async {
            tokio::select! {
                () = accept(listener, app.clone(), &graceful) => Ok(()),
                _ = stopped.wait_for(|&stopped| stopped) => Ok(()),
                e = failure(warm) => Err(e),
            }
        };
        serving.await?;
        app.stop();
        match timeout(app.limits.drain, graceful.shutdown()).await {
            Ok(()) => Ok(()),
            Err(_) => Err(Error::Recipe(format!(
                "{} requests were not answered in time and are cut",
                app.under_way.load(Ordering::Relaxed)
            ))),
        }
    }
}

/// Ends only if the warm-up fails.
async fn failure(warm: tokio::task::JoinHandle<Result<(), Problem>>) -> Error {
    match warm.await {
        Ok(Ok(())) => std::future::pending().await,
        Ok(Err(problem)) => Error::Recipe(format!("the model cannot be asked: {}", problem.message)),
        Err(e) => Error::Recipe(format!("the model cannot be asked: {e}")),
    }
}

/// Takes connections for ever.
async fn accept(listener: tokio::net::TcpListener, app: Arc<App>, graceful: &GracefulShutdown) {
    let permits = Arc::new(Semaphore::new(app.limits.connections));
    let refusals = Arc::new(Semaphore::new(REFUSED));
    let router = router(app.clone());
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // The client has gone already, or there are no more files: others may end soon.
            Err(_) => {
                sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        // Answers are small, and nothing comes behind them.
        _ = stream.set_nodelay(true);
        match permits.clone().try_acquire_owned() {
            Ok(permit) => connection(stream, permit, &app, router.clone(), graceful),
            Err(_) => {
                app.metrics.connection_refused();
                if let Ok(permit) = refusals.clone().try_acquire_owned() {
                    tokio::spawn(timeout(Duration::from_secs(1), refuse(stream, permit)));
                }
            }
        }
    }
}

/// Serves a connection in a task of its own.
fn connection(
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
    app: &Arc<App>,
    router: Router,
    graceful: &GracefulShutdown,
) {
    let service = {
        let app = app.clone();
        service_fn(move |request| answer(app.clone(), router.clone(), request))
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(app.limits.headers)
        .max_buf_size(1 << 16)
        .serve_connection(TokioIo::new(Timed::new(stream, app.limits.write)), service);
    let connection = graceful.watch(connection);
    let counted = Counted::new(&app.connections);
    tokio::spawn(async move {
        // A client that breaks the protocol or goes away is not our error.
        _ = connection.await;
        drop((counted, permit));
    });
}

/// The answer to a request, whatever happens in it.
async fn answer(
    app: Arc<App>,
    mut router: Router,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    use tower_service::Service;
    let _counted = Counted::new(&app.under_way);
    let (start, path) = (Instant::now(), path_label(request.uri().path()));
    let answered = AssertUnwindSafe(async move { router.call(request.map(Body::new)).await });
    let response = match answered.catch_unwind().await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => {
            app.metrics.panic();
            Problem::broken().into_response()
        }
    };
    app.metrics.request(path, response.status().as_u16(), start.elapsed());
    Ok(response)
}

/// Says that there are too many connections. What the client has sent is read, so that it sees the answer and not a reset.
async fn refuse(mut stream: TcpStream, _permit: OwnedSemaphorePermit) {
    const ANSWER: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n\
                          content-length: 59\r\nconnection: close\r\n\r\n\
                          {\"error\":\"there are too many connections; come back later\"}";
    if stream.write_all(ANSWER.as_bytes()).await.is_err() || stream.shutdown().await.is_err() {
        return;
    }
    let mut rest = [0; 4096];
    while stream.read(&mut rest).await.is_ok_and(|n| n > 0) {}
}
