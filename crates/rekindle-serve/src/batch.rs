//! Samples of several requests, asked about together. What one is told does not depend on the others: [`Session`] has the same bits in
//! any batch, and where a batch fails, each of its requests is asked about alone.

use crate::metrics::Metrics;
use crate::problem::Problem;
use rekindle_tensor::Tensor;
use rekindle_train::{Error, Prediction, Session};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Something that predicts, such as [`Session::ask`].
pub(crate) type Engine = Box<dyn FnMut(&Tensor) -> Result<Prediction, Error>>;

/// What was said about the samples of one request.
#[derive(Clone)]
pub(crate) struct Answer {
    pub prediction: Arc<Prediction>,
    pub samples: Range<usize>,
}

impl Answer {
    /// Whether writing it takes long.
    pub fn is_large(&self) -> bool {
        self.samples.len() * self.prediction.names().len() > 1 << 12
    }
}

/// The right to be asked about: there are only so many. A request takes it before it is made into tensors, and it ends with the answer.
pub(crate) struct Slot {
    _permit: OwnedSemaphorePermit,
    /// How many requests with a slot are not in a batch yet.
    coming: Arc<AtomicUsize>,
    in_batch: bool,
}

impl Slot {
    fn join_batch(&mut self) {
        if !self.in_batch {
            self.coming.fetch_sub(1, Ordering::Relaxed);
        }
        self.in_batch = true;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.join_batch();
    }
}

struct Job {
    x: Tensor,
    slot: Slot,
    answer: oneshot::Sender<Result<Answer, Problem>>,
}

impl Job {
    /// Whoever hears the answer may ask again at once, so that the slot is free before.
    fn end(self, said: Result<Answer, Problem>) {
        drop(self.slot);
        // Nobody waits for it any more if this fails.
        _ = self.answer.send(said);
    }
}

/// The one thread that asks the net, and the queue before it.
pub(crate) struct Batcher {
    jobs: Mutex<Sender<Job>>,
    slots: Arc<Semaphore>,
    most: usize,
    coming: Arc<AtomicUsize>,
}

impl Batcher {
    /// Starts the thread. After a panic in the engine another one is made.
    pub fn start(
        engine: impl Fn() -> Engine + Send + 'static,
        waiting: usize,
        window: Duration,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Batcher> {
        let (sender, jobs) = channel();
        let coming = Arc::new(AtomicUsize::new(0));
        let worker = Worker { jobs, window, coming: coming.clone(), metrics };
        thread::Builder::new().name("predict".into()).spawn(move || worker.run(engine))?;
        let slots = Arc::new(Semaphore::new(waiting));
        Ok(Batcher { jobs: Mutex::new(sender), slots, most: waiting, coming })
    }

    /// A slot, if one is free.
    pub fn slot(&self) -> Result<Slot, Problem> {
        match self.slots.clone().try_acquire_owned() {
            Ok(permit) => {
                self.coming.fetch_add(1, Ordering::Relaxed);
                Ok(Slot { _permit: permit, coming: self.coming.clone(), in_batch: false })
            }
            Err(_) => Err(self.busy()),
        }
    }

    /// Whether there is a slot just now.
    pub fn check_free(&self) -> Result<(), Problem> {
        if self.slots.available_permits() > 0 { Ok(()) } else { Err(self.busy()) }
    }

    fn busy(&self) -> Problem {
        Problem::busy(format!("{} requests are under way; try again later", self.most))
    }

    /// How many requests have a slot.
    pub fn taken(&self) -> usize {
        self.most - self.slots.available_permits()
    }

    /// What the net says about some samples.
    pub async fn ask(&self, x: Tensor, slot: Slot) -> Result<Answer, Problem> {
        let (answer, said) = oneshot::channel();
        let sent = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).send(Job { x, slot, answer });
        match sent {
            Ok(()) => said.await.unwrap_or_else(|_| Err(Problem::broken())),
            Err(_) => Err(Problem::broken()),
        }
    }
}

struct Worker {
    jobs: Receiver<Job>,
    window: Duration,
    coming: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
}

impl Worker {
    /// Works until nobody can send any more.
    fn run(self, make: impl Fn() -> Engine) {
        let mut engine = make();
        while let Ok(first) = self.jobs.recv() {
            let mut batch = self.gather(first);
            // Those who do not wait for their answer any more are not asked about.
            batch.retain(|job| !job.answer.is_closed());
            if batch.is_empty() {
                continue;
            }
            // Whoever waits when something else panics gets no answer, which is an error to them.
            let all = AssertUnwindSafe(|| self.answer(batch, &mut engine, &make));
            if catch_unwind(all).is_err() {
                self.metrics.panic();
            }
        }
    }

    /// The requests that are there, and those that come soon. Nobody waits if nobody comes.
    fn gather(&self, first: Job) -> Vec<Job> {
        let deadline = Instant::now() + self.window;
        let (mut samples, mut batch) = (0, Vec::new());
        let mut next = Some(first);
        while let Some(mut job) = next {
            job.slot.join_batch();
            samples += job.x.size(0);
            batch.push(job);
            if samples >= Session::MOST {
                break;
            }
            next = self.jobs.try_recv().ok().or_else(|| {
                let left = deadline.saturating_duration_since(Instant::now());
                let others = self.coming.load(Ordering::Relaxed) > 0 && !left.is_zero();
                others.then(|| self.jobs.recv_timeout(left).ok())?
            });
        }
        batch
    }

    /// Answers all requests of a batch.
    fn answer(&self, mut batch: Vec<Job>, engine: &mut Engine, make: &impl Fn() -> Engine) {
        let (start, alone) = (Instant::now(), batch.len() == 1);
        let all: Vec<Tensor> = batch.iter().map(|job| job.x.clone()).collect();
        let x = if alone { all[0].clone() } else { Tensor::cat(&all, 0) };
        let said = catch_unwind(AssertUnwindSafe(|| engine(&x)));
        self.metrics.batch(x.size(0), start.elapsed());
        let problem = match said {
            Ok(Ok(prediction)) => {
                let (prediction, mut start) = (Arc::new(prediction), 0);
                for job in batch {
                    let samples = start..start + job.x.size(0);
                    start = samples.end;
                    job.end(Ok(Answer { prediction: prediction.clone(), samples }));
                }
                return;
            }
            Ok(Err(e @ Error::Output)) => Problem::sample(e.to_string()),
            // Bodies are checked before; what fails here is a device, or a mistake of ours.
            Ok(Err(e)) => {
                eprintln!("error: a prediction failed: {e}");
                Problem::broken()
            }
            Err(_) => {
                if alone {
                    self.metrics.panic();
                }
                *engine = make();
                Problem::broken()
            }
        };
        if !alone {
            let waiting = batch.into_iter().filter(|job| !job.answer.is_closed());
            return waiting.for_each(|job| self.answer(vec![job], engine, make));
        }
        let job = batch.pop().expect("a batch of one");
        job.end(Err(problem));
    }
}
