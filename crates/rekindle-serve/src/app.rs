//! What all requests share.

use crate::batch::{Batcher, Engine};
use crate::describe::description;
use crate::infer::metadata;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::openapi::openapi;
use crate::problem::Problem;
use rekindle_train::{Error, Input, Model, Session, Signature};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use tokio::sync::Semaphore;

/// What a server goes through.
const WARMING: u8 = 0;
const READY: u8 = 1;
const STOPPING: u8 = 2;

/// One more, as long as it lives.
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Counted {
    pub fn new(count: &Arc<AtomicUsize>) -> Counted {
        count.fetch_add(1, Ordering::Relaxed);
        Counted(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a request holds of the memory for all of them.
pub(crate) struct Held {
    app: Arc<App>,
    bytes: usize,
}

impl Held {
    pub fn new(app: &Arc<App>) -> Held {
        Held { app: app.clone(), bytes: 0 }
    }

    /// From now on it holds so many bytes, if they are left.
    pub fn set(&mut self, bytes: usize) -> Result<(), Problem> {
        let before = std::mem::replace(&mut self.bytes, bytes);
        let all = self.app.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.app.bytes.fetch_sub(before, Ordering::Relaxed);
        match all.saturating_sub(before) > self.app.limits.all_bytes {
            true => Err(Problem::busy("too many large requests at the same time; try again later")),
            false => Ok(()),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.app.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A model, and all that serving it needs.
pub(crate) struct App {
    pub model: Arc<Model>,
    pub name: String,
    pub limits: Limits,
    pub metrics: Arc<Metrics>,
    pub batcher: Batcher,
    state: AtomicU8,
    pub connections: Arc<AtomicUsize>,
    /// Requests whose answers are not written yet.
    pub under_way: Arc<AtomicUsize>,
    /// The bytes of bodies that are being received, and of inputs.
    bytes: AtomicUsize,
    /// How many requests may be made into tensors at the same time, small ones, and images or large ones.
    pub light: Semaphore,
    pub heavy: Semaphore,
    pub takes_images: bool,
    /// Whether its JSON holds images, too.
    pub decodes: bool,
    pub description: Value,
    pub metadata: Value,
    pub openapi: Value,
}

impl App {
    /// Asks the model once, to know that it can be asked.
    pub fn new(model: Model, name: &str, limits: Limits) -> Result<App, Error> {
        let model = Arc::new(model);
        let asked = model.clone();
        App::asking(model, name, limits, move || {
            let mut session = Session::new(asked.clone());
            Box::new(move |x| session.ask(x))
        })
    }

    /// With another way to ask than the model's.
    pub fn asking(
        model: Arc<Model>,
        name: &str,
        limits: Limits,
        engine: impl Fn() -> Engine + Send + 'static,
    ) -> Result<App, Error> {
        let zeros = model.zeros(1)?;
        let outputs = model.ask(&zeros)?.names().to_vec();
        let limits = limits.of_net(zeros.numel(), outputs.len());
        let metrics = Arc::new(Metrics::default());
        let batcher = Batcher::start(engine, limits.waiting, limits.window, metrics.clone())
            .map_err(|e| Error::Recipe(format!("no thread can be started: {e}")))?;
        let metadata = metadata(&model, name, &outputs);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(App {
            takes_images: model.image_input().is_some(),
            decodes: matches!(model.signature, Some(Signature { input: Input::Images(_), .. })),
            description: description(&model, name),
            openapi: openapi(&model, name, &metadata),
            metadata,
            name: name.to_string(),
            limits,
            metrics,
            batcher,
            state: AtomicU8::new(WARMING),
            connections: Arc::default(),
            under_way: Arc::default(),
            bytes: AtomicUsize::new(0),
            light: Semaphore::new(cores),
            heavy: Semaphore::new(cores),
            model,
        })
    }

    /// Asks about batches of all sizes, so that passes are recorded; then requests are taken.
    pub async fn warm_up(&self) -> Result<(), Problem> {
        for n in (0..).map(|power| 1 << power).take_while(|&n| n <= Session::MOST) {
            for _ in 0..3 {
                let x = self.model.zeros(n).map_err(|e| Problem::sample(e.to_string()))?;
                self.batcher.ask(x, self.batcher.slot()?).await?;
            }
        }
        // A server that was told to stop meanwhile goes on stopping.
        _ = self.state.compare_exchange(WARMING, READY, Ordering::Release, Ordering::Relaxed);
        Ok(())
    }

    /// Whether requests are taken: after the first predictions, until it is told to stop.
    pub fn is_ready(&self) -> bool {
        self.state.load(Ordering::Acquire) == READY
    }

    pub fn stop(&self) {
        self.state.store(STOPPING, Ordering::Release);
    }

    /// Nobody is asked about before the model is warm, or after the end.
    pub fn check_ready(&self) -> Result<(), Problem> {
        match self.is_ready() {
            true => Ok(()),
            false => Err(Problem::busy("not ready: the model is being warmed up, or the server is stopping")),
        }
    }
}
