//! What all requests share.

use crate::batch::{Answer, Batcher, Engine, Slot};
use crate::describe::description;
use crate::infer::metadata;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::openapi::openapi;
use crate::problem::Problem;
use rekindle_tensor::Tensor;
use rekindle_train::{Error, Input, Model, Session, Signature};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// A model, and all that serving it needs.
pub(crate) struct App {
    pub model: Arc<Model>,
    pub name: String,
    pub limits: Limits,
    pub metrics: Arc<Metrics>,
    pub batcher: Batcher,
    /// Whether requests are taken: after the first predictions, until it is told to stop.
    pub ready: AtomicBool,
    pub connections: AtomicUsize,
    /// The bytes of bodies that are being received.
    pub body_bytes: AtomicUsize,
    /// How many requests may make tensors of images or large bodies at the same time.
    pub workers: Semaphore,
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
        let outputs = model.ask(&model.zeros(1)?)?.names().to_vec();
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
            ready: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            body_bytes: AtomicUsize::new(0),
            workers: Semaphore::new(cores),
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
        self.ready.store(true, Ordering::Release);
        Ok(())
    }

    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// The answer to some samples, if it comes in time.
    pub async fn ask(&self, x: Tensor, slot: Slot) -> Result<Answer, Problem> {
        let late = || Problem::busy("the prediction takes too long; try again later, or send fewer samples");
        timeout(self.limits.answer, self.batcher.ask(x, slot)).await.unwrap_or_else(|_| Err(late()))
    }
}
