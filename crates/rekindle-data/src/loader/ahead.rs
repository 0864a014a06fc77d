//! Batches that threads of their own gather ahead of use.

use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use rekindle_tensor::random::{Generator, with_generator};
use rekindle_tensor::{Tensor, check};

use crate::dataset::Dataset;

/// Batches that each thread has gathered or been told to gather; PyTorch's `prefetch_factor`.
const EACH: usize = 2;

/// The samples of a batch.
pub(super) enum Which {
    Range(Range<usize>),
    Some(Vec<usize>),
}

impl Which {
    pub fn gather(&self, dataset: &dyn Dataset) -> (Tensor, Tensor) {
        match self {
            Which::Range(range) => dataset.range(range.clone()),
            Which::Some(indices) => dataset.batch(indices),
        }
    }
}

/// A batch, a mistake of the data set, or another panic in it.
type Gathered = Result<Result<(Tensor, Tensor), String>, Box<dyn Any + Send>>;

/// Threads that gather batches, each every so-manieth one.
pub(super) struct Ahead {
    workers: Vec<Worker>,
    /// Batches asked for and taken.
    asked: usize,
    taken: usize,
}

struct Worker {
    /// None once no more batches are wanted.
    jobs: Option<Sender<Which>>,
    done: Option<Receiver<Gathered>>,
    thread: Option<JoinHandle<()>>,
}

impl Ahead {
    /// `n` threads; thread `i` has a default generator of its own with seed `seed + i`, as in PyTorch. None if the system gives none.
    pub fn new(dataset: &Arc<dyn Dataset>, n: usize, seed: u64) -> Option<Ahead> {
        let workers: Vec<Worker> =
            (0..n as u64).map_while(|i| Worker::new(dataset.clone(), seed.wrapping_add(i))).collect();
        (!workers.is_empty()).then_some(Ahead { workers, asked: 0, taken: 0 })
    }

    /// Whether the threads have less to do than they should.
    pub fn is_hungry(&self) -> bool {
        self.asked - self.taken < EACH * self.workers.len()
    }

    /// Asks for a batch.
    pub fn ask(&mut self, which: Which) {
        let worker = self.asked % self.workers.len();
        if let Some(jobs) = &self.workers[worker].jobs {
            // A thread that is gone has left the reason in its answers.
            let _ = jobs.send(which);
        }
        self.asked += 1;
    }

    /// The next batch that was asked for.
    ///
    /// # Panics
    /// With the mistake or panic of the data set.
    #[track_caller]
    pub fn take(&mut self) -> (Tensor, Tensor) {
        let worker = self.taken % self.workers.len();
        self.taken += 1;
        match self.workers[worker].done.as_ref().and_then(|done| done.recv().ok()) {
            Some(Ok(Ok(batch))) => batch,
            Some(Ok(Err(mistake))) => rekindle_tensor::mistake!("{mistake}"),
            Some(Err(panic)) => resume_unwind(panic),
            None => panic!("data_loader: a thread that gathers batches is gone"),
        }
    }
}

impl Worker {
    fn new(dataset: Arc<dyn Dataset>, seed: u64) -> Option<Worker> {
        let (jobs, todo) = channel::<Which>();
        let (answers, done) = channel::<Gathered>();
        let work = move || {
            with_generator(&mut Generator::seeded(seed), || {
                for which in todo {
                    let gathered = catch_unwind(AssertUnwindSafe(|| check(|| which.gather(&*dataset))));
                    if answers.send(gathered).is_err() {
                        break;
                    }
                }
            });
        };
        let thread = Builder::new().name("rekindle-loader".into()).spawn(work).ok()?;
        Some(Worker { jobs: Some(jobs), done: Some(done), thread: Some(thread) })
    }
}

/// No thread goes on behind a pass that has ended.
impl Drop for Worker {
    fn drop(&mut self) {
        (self.jobs, self.done) = (None, None);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
