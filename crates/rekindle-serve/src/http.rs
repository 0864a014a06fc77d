//! Paths, and what they answer.

use crate::answer;
use crate::app::App;
use crate::batch::Slot;
use crate::body::{Format, samples, text};
use crate::infer::Infer;
use crate::problem::Problem;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::task::block_in_place;
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
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "there is no such path; GET / is a page") })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path has another method; see /openapi.json")
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
    match app.is_ready() {
        true => Ok(Json(json!({ "ready": true }))),
        false => Err(Problem::busy("not ready: the model is being warmed up, or the server is stopping")),
    }
}

fn known(app: &App, name: &str) -> Result<(), Problem> {
    if name == app.name {
        return Ok(());
    }
    let message = format!("there is no model `{}`; there is `{}`", name.escape_debug(), app.name);
    Err(Problem::new(StatusCode::NOT_FOUND, message))
}

async fn metadata(State(app): Shared, Path(name): Path<String>) -> Result<Json<Value>, Problem> {
    known(&app, &name)?;
    Ok(Json(app.metadata.clone()))
}

async fn model_ready(State(app): Shared, Path(name): Path<String>) -> Result<Json<Value>, Problem> {
    known(&app, &name)?;
    ready(State(app)).await
}

async fn metrics(State(app): Shared) -> Response {
    let connections = app.connections.load(Ordering::Relaxed);
    let text = app.metrics.text(app.is_ready(), app.batcher.taken(), connections);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn predict(State(app): Shared, request: Request) -> Result<Response, Problem> {
    let format = Format::of(request.headers(), app.takes_images)?;
    let (body, slot) = receive(&app, request).await?;
    let heavy = format == Format::Image || app.decodes || body.len() >= LARGE;
    let x = work(&app, heavy, || samples(&app.model, &app.limits, format, &body)).await?;
    let answer = app.ask(x, slot).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], answer::json(&app.name, &answer)).into_response())
}

async fn infer(
    State(app): Shared,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<Value>, Problem> {
    known(&app, &name)?;
    Format::of(request.headers(), false)?;
    let (body, slot) = receive(&app, request).await?;
    let heavy = app.decodes || body.len() >= LARGE;
    let asked = work(&app, heavy, || Infer::read(&app.model, &app.limits, text(&body)?)).await?;
    let (x, id, wanted) = asked.split();
    let answer = app.ask(x, slot).await?;
    Ok(Json(Infer::json(id, &wanted, &app.name, &answer)))
}

/// Makes tensors of a body: at once, or, if it takes long, where other requests go on meanwhile.
async fn work<T>(app: &App, heavy: bool, f: impl FnOnce() -> T) -> T {
    if !heavy {
        return f();
    }
    let _turn = app.workers.acquire().await;
    block_in_place(f)
}

/// The body of a request, and the right to be asked about.
async fn receive(app: &App, request: Request) -> Result<(Bytes, Slot), Problem> {
    let late = || Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time; send it faster");
    let (parts, body) = request.into_parts();
    let body =
        timeout(app.limits.body, read(app, &parts.headers, body)).await.unwrap_or_else(|_| Err(late()))?;
    Ok((body, app.batcher.slot()?))
}

/// What bodies that are being received take together.
struct Taken<'a> {
    app: &'a App,
    bytes: usize,
}

impl Taken<'_> {
    fn more(&mut self, bytes: usize) -> Result<(), Problem> {
        self.bytes += bytes;
        let all = self.app.body_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        match all > self.app.limits.all_body_bytes {
            true => Err(Problem::busy("too many large bodies at the same time; try again later")),
            false => Ok(()),
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.app.body_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

async fn read(app: &App, headers: &HeaderMap, mut body: Body) -> Result<Bytes, Problem> {
    let most = app.limits.body_bytes;
    let large = || Problem::too_large(format!("the body has more than {most} bytes; send fewer samples"));
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|n| n > most) {
        return Err(large());
    }
    let mut taken = Taken { app, bytes: 0 };
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        // A client that has gone away reads no answer.
        let frame = frame.map_err(|_| Problem::syntax("the body ended before its end"))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > most {
            return Err(large());
        }
        taken.more(data.len())?;
        if bytes.is_empty() && declared == Some(data.len()) {
            return Ok(data);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.into())
}
