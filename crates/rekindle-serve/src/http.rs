//! Paths, and what they answer.

use crate::answer;
use crate::app::{App, Held};
use crate::batch::{Answer, Slot};
use crate::body::{Format, samples, text};
use crate::infer::Infer;
use crate::problem::Problem;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use serde_json::{Value, json};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::{block_in_place, yield_now};
use tokio::time::timeout;

/// Bodies from this size on are read into tensors where they hold up nobody.
const LARGE: usize = 1 << 16;

type Shared = State<Arc<App>>;

/// All paths.
pub(crate) fn router(app: Arc<App>) -> Router {
    let page = |kind: &'static str, text: &'static str| get(move || async move { file(kind, text) });
    Router::new()
        .route("/predict", post(predict))
        .route("/model", get(|State(app): Shared| async move { Json(app.description.clone()) }))
        .route("/openapi.json", get(|State(app): Shared| async move { Json(app.openapi.clone()) }))
        .route("/metrics", get(metrics))
        .route("/v2", get(|| async { Json(server()) }))
        .route("/v2/health/live", get(|| async { Json(json!({ "live": true })) }))
        .route("/v2/health/ready", get(ready))
        .route("/v2/models/{name}", get(metadata))
        .route("/v2/models/{name}/ready", get(model_ready))
        .route("/v2/models/{name}/infer", post(infer))
        .route("/", page("text/html; charset=utf-8", include_str!("page/index.html")))
        .route("/page.js", page("text/javascript; charset=utf-8", include_str!("page/page.js")))
        .route("/page.css", page("text/css; charset=utf-8", include_str!("page/page.css")))
        .fallback(|State(app): Shared, request: Request| async move {
            discard(request.into_body(), app.limits.body);
            Problem::new(StatusCode::NOT_FOUND, "there is no such path; GET / is a page")
        })
        .method_not_allowed_fallback(|State(app): Shared, request: Request| async move {
            let other = if request.method() == Method::POST { "GET" } else { "POST" };
            discard(request.into_body(), app.limits.body);
            let message = format!("this path takes {other}; see /openapi.json");
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, message)
        })
        .with_state(app)
}

/// The name under which a request is counted: one of few, whatever clients make up.
pub(crate) fn path_label(path: &str) -> &'static str {
    const KNOWN: [&str; 7] =
        ["/predict", "/model", "/openapi.json", "/metrics", "/v2", "/v2/health/live", "/v2/health/ready"];
    match KNOWN.iter().find(|known| **known == path) {
        Some(known) => known,
        None if path.starts_with("/v2/models/") && path.ends_with("/infer") => "/v2/models/infer",
        None if path.starts_with("/v2/models/") => "/v2/models",
        None if ["/", "/page.js", "/page.css"].contains(&path) => "/",
        None => "other",
    }
}

/// A file of the page, which takes nothing from elsewhere.
fn file(kind: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, HeaderValue); 4] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'self'; img-src 'self' blob:; frame-ancestors 'none'"),
        ),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, text).into_response()
}

fn server() -> Value {
    json!({ "name": "rekindle", "version": env!("CARGO_PKG_VERSION"), "extensions": [] })
}

async fn ready(State(app): Shared) -> Result<Json<Value>, Problem> {
    app.check_ready()?;
    Ok(Json(json!({ "ready": true })))
}

/// The name of a model in a path, unless it is no text.
type Named = Result<Path<String>, PathRejection>;

fn known(app: &App, name: Named) -> Result<(), Problem> {
    match name {
        Ok(Path(name)) if name == app.name => Ok(()),
        _ => Err(Problem::new(
            StatusCode::NOT_FOUND,
            format!("there is no such model; there is `{}`", app.name),
        )),
    }
}

async fn metadata(State(app): Shared, name: Named) -> Result<Json<Value>, Problem> {
    known(&app, name)?;
    Ok(Json(app.metadata.clone()))
}

async fn model_ready(State(app): Shared, name: Named) -> Result<Json<Value>, Problem> {
    known(&app, name)?;
    app.check_ready()?;
    Ok(Json(json!({ "name": app.name, "ready": true })))
}

async fn metrics(State(app): Shared) -> Response {
    let connections = app.connections.load(Ordering::Relaxed);
    let text = app.metrics.text(app.is_ready(), app.batcher.taken(), connections);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn predict(State(app): Shared, request: Request) -> Result<Response, Problem> {
    let format = Format::of(request.headers(), app.takes_images);
    let (format, body, mut held, slot) = receive(&app, format, request).await?;
    in_time(&app, async {
        let heavy = format == Format::Image || app.decodes || body.len() >= LARGE;
        let x = work(&app, heavy, || samples(&app.model, &app.limits, format, &body)).await?;
        drop(body);
        held.set(x.numel() * 4)?;
        let answer = app.batcher.ask(x, slot).await?;
        let bytes = write(&app, &answer, || answer::json(&app.name, &answer)).await;
        Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response())
    })
    .await
}

async fn infer(State(app): Shared, name: Named, request: Request) -> Result<Json<Value>, Problem> {
    let format = known(&app, name).and_then(|()| Format::of(request.headers(), false));
    let (_, body, mut held, slot) = receive(&app, format, request).await?;
    in_time(&app, async {
        let heavy = app.decodes || body.len() >= LARGE;
        let asked = work(&app, heavy, || Infer::read(&app.model, &app.limits, text(&body)?)).await?;
        drop(body);
        let (x, id, wanted) = asked.split();
        held.set(x.numel() * 4)?;
        let answer = app.batcher.ask(x, slot).await?;
        Ok(Json(write(&app, &answer, || Infer::json(id, &wanted, &app.name, &answer)).await))
    })
    .await
}

/// What takes too long gets an answer, too.
async fn in_time<T>(app: &App, f: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let late = || Problem::busy("the prediction takes too long; try again later, or send fewer samples");
    timeout(app.limits.answer, f).await.unwrap_or_else(|_| Err(late()))
}

/// Does something that takes a moment, in its turn: between two of them others are heard, such as those who are refused. What takes long
/// is done beside the others, and waits only for what takes long, too.
async fn work<T>(app: &App, heavy: bool, f: impl FnOnce() -> T) -> T {
    if heavy {
        let _turn = app.heavy.acquire().await;
        return block_in_place(f);
    }
    let _turn = app.light.acquire().await;
    yield_now().await;
    f()
}

/// Writes an answer: at once if it is short.
async fn write<T>(app: &App, answer: &Answer, f: impl FnOnce() -> T) -> T {
    if answer.is_large() { work(app, true, f).await } else { f() }
}

/// The body of a request, what it holds of all memory, and the right to be asked about.
async fn receive(
    app: &Arc<App>,
    format: Result<Format, Problem>,
    request: Request,
) -> Result<(Format, Bytes, Held, Slot), Problem> {
    let (parts, mut body) = request.into_parts();
    let mut held = Held::new(app);
    let late = || Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time; send it faster");
    let read = async {
        app.check_ready()?;
        let format = format?;
        // Where all slots are taken, this is said before the body is read.
        app.batcher.check_free()?;
        let read = timeout(app.limits.body, read(app, &parts.headers, &mut body, &mut held));
        Ok((format, read.await.unwrap_or_else(|_| Err(late()))?))
    };
    let read: Result<_, Problem> = read.await;
    match read {
        Ok((format, bytes)) => Ok((format, bytes, held, app.batcher.slot()?)),
        Err(problem) => {
            // Who had time for the whole body and did not send it does not get it twice.
            let late = problem.status == StatusCode::REQUEST_TIMEOUT;
            discard(body, if late { Duration::from_secs(1) } else { app.limits.body });
            Err(problem)
        }
    }
}

/// Reads on for a while beside the answer, so that a client that is still sending sees it and not a reset connection.
fn discard(mut body: Body, time: Duration) {
    const MOST: usize = 64 << 20;
    if body.is_end_stream() {
        return;
    }
    let rest = async move {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > MOST {
                break;
            }
        }
    };
    tokio::spawn(timeout(time, rest));
}

async fn read(app: &App, headers: &HeaderMap, body: &mut Body, held: &mut Held) -> Result<Bytes, Problem> {
    let most = app.limits.body_bytes;
    let large = || Problem::too_large(format!("the body has more than {most} bytes; send fewer samples"));
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|n| n > most) {
        return Err(large());
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        // A client that has gone away reads no answer.
        let frame = frame.map_err(|_| Problem::syntax("the body ended before its end"))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > most {
            return Err(large());
        }
        held.set(bytes.len() + data.len())?;
        if bytes.is_empty() && declared == Some(data.len()) {
            return Ok(data);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.into())
}
