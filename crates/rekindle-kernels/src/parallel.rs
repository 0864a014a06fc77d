//! The one thread pool: `n` independent tasks, claimed one by one by the caller and by persistent workers.
//!
//! Which thread runs a task is left to chance, so a task must depend on its index only. Kernels cut their work by
//! problem size, never by the number of threads; that is what makes every result independent of it.
//!
//! Each thread first claims the tasks of its own stretch of the indices and then helps with those of others, so that data
//! cut alike by one kernel after another stays in the cache of one core.
//!
//! A job is published in one place. Workers join it while it is open, the caller closes it when no task is left to
//! claim and waits for those inside; a worker that slept through a job costs nobody anything. Idle workers look for
//! the next job for a moment, because kernels follow one another closely, offering their core to others meanwhile, and
//! then sleep.

use std::any::Any;
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long an idle worker looks for the next job before it sleeps: longer than the pauses between the kernels of a
/// training step, since waking a sleeper costs tens of microseconds.
const SPIN: Duration = Duration::from_micros(200);
/// A waiting thread offers its core to others once in so many looks. Not more often: where two processors are one core, the calls would take
/// time from the thread that is waited for.
const LOOKS_BETWEEN_YIELDS: u32 = 200;
const MAX_THREADS: usize = 256;

/// Number of threads in use; 0 until first asked for.
static THREADS: AtomicUsize = AtomicUsize::new(0);

static POOL: Pool = Pool {
    busy: AtomicBool::new(false),
    state: AtomicU64::new(0),
    job: UnsafeCell::new(None),
    claimed: [const { Claimed(AtomicUsize::new(0)) }; MAX_THREADS],
    panic: Mutex::new(None),
    workers: AtomicUsize::new(0),
    sleepers: Mutex::new(0),
    sleeping: AtomicUsize::new(0),
    wake: Condvar::new(),
};

/// `state` = epoch << 32 | OPEN | number of workers that may enter << 16 | number of workers inside.
const OPEN: u64 = 1 << 31;
const EPOCH: u64 = 1 << 32;

struct Pool {
    /// Held by the thread that publishes jobs; whoever finds it taken runs its tasks itself.
    busy: AtomicBool,
    state: AtomicU64,
    /// Written by the holder of `busy` while no worker is inside.
    job: UnsafeCell<Option<Job>>,
    /// How many tasks of each thread's stretch have been claimed.
    claimed: [Claimed; MAX_THREADS],
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    workers: AtomicUsize,
    sleepers: Mutex<usize>,
    sleeping: AtomicUsize,
    wake: Condvar,
}

/// Counters of different threads lie on different cache lines.
#[repr(align(64))]
struct Claimed(AtomicUsize);

#[derive(Clone, Copy)]
struct Job {
    n_tasks: usize,
    threads: usize,
    task: *const (dyn Fn(usize) + Sync),
}

// SAFETY: `job` is written only by the holder of `busy` while the job is closed and no worker is inside, and read
// only by workers that have entered an open job, which the atomic `state` orders after the write.
unsafe impl Sync for Pool {}

/// Sets how many threads kernels may use, the caller included. Takes effect with the next kernel.
///
/// # Panics
/// If `n` is 0.
#[track_caller]
pub fn set_num_threads(n: usize) {
    assert!(n > 0, "set_num_threads: expected at least 1 thread, got 0");
    THREADS.store(n.min(MAX_THREADS), Ordering::Relaxed);
}

/// How many threads kernels may use: what [`set_num_threads`] said, else `REKINDLE_NUM_THREADS`, else
/// `RAYON_NUM_THREADS`, else the number of processors this process may use.
pub fn num_threads() -> usize {
    match THREADS.load(Ordering::Relaxed) {
        0 => {
            let n = default_threads();
            THREADS.store(n, Ordering::Relaxed);
            n
        }
        n => n,
    }
}

fn default_threads() -> usize {
    let from_env = |name| std::env::var(name).ok()?.trim().parse::<usize>().ok().filter(|&n| n > 0);
    from_env("REKINDLE_NUM_THREADS")
        .or_else(|| from_env("RAYON_NUM_THREADS"))
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get()))
        .min(MAX_THREADS)
}

/// Calls `f(0)`, .., `f(n_tasks - 1)`, each once, in any order and on any thread of the pool, and returns when all
/// are done. A call from within a task, or while another thread uses the pool, runs its tasks in order on the
/// calling thread.
///
/// # Panics
/// With the panic of a task, if one panics; the remaining tasks may then not have run.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// let sum = AtomicUsize::new(0);
/// rekindle_kernels::parallel::for_each_task(100, |i| {
///     sum.fetch_add(i, Ordering::Relaxed);
/// });
/// assert_eq!(sum.into_inner(), 4950);
/// ```
#[inline]
pub fn for_each_task(n_tasks: usize, f: impl Fn(usize) + Sync) {
    let threads = num_threads().min(n_tasks);
    if threads <= 1 || POOL.busy.swap(true, Ordering::Acquire) {
        (0..n_tasks).for_each(f);
    } else {
        POOL.run(n_tasks, threads - 1, &f);
    }
}

/// Cuts `data` into pieces of `chunk` elements (the last may be shorter) and calls `f(index of the piece, piece)` for each,
/// in parallel.
///
/// # Panics
/// If `chunk` is 0, or with the panic of a task.
///
/// ```
/// let mut x = vec![0; 10];
/// rekindle_kernels::parallel::chunks_mut(&mut x, 4, |i, piece| piece.fill(i));
/// assert_eq!(x, [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]);
/// ```
#[track_caller]
pub fn chunks_mut<T: Send>(data: &mut [T], chunk: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    assert!(chunk > 0, "chunks_mut: chunk length must be positive");
    let len = data.len();
    let data = Disjoint::new(data);
    for_each_task(len.div_ceil(chunk), |i| {
        let start = i * chunk;
        // SAFETY: tasks have different indices, so their ranges do not overlap.
        f(i, unsafe { data.slice(start..len.min(start + chunk)) });
    });
}

/// A mutable slice of which several tasks write different parts.
#[derive(Clone, Copy)]
pub struct Disjoint<'a, T> {
    start: *mut T,
    len: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: it stands for `&mut [T]`; the contract of `slice` keeps the parts that threads hold apart.
unsafe impl<T: Send> Sync for Disjoint<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Disjoint<'_, T> {}

impl<'a, T> Disjoint<'a, T> {
    /// Takes over `data` for as long as tasks write to it.
    pub fn new(data: &'a mut [T]) -> Self {
        Disjoint { start: data.as_mut_ptr(), len: data.len(), slice: PhantomData }
    }

    /// The part `range` of the slice.
    ///
    /// # Safety
    /// No two parts that are in use at the same time may overlap.
    ///
    /// # Panics
    /// If the range exceeds the slice.
    #[inline]
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn slice(&self, range: Range<usize>) -> &'a mut [T] {
        assert!(range.start <= range.end && range.end <= self.len, "disjoint: range out of bounds");
        // SAFETY: the range lies within the slice that `self` borrowed mutably; the caller keeps parts apart.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.end - range.start) }
    }
}

impl Pool {
    /// Runs one job; the caller has taken `busy`.
    fn run(&'static self, n_tasks: usize, helpers: usize, f: &(dyn Fn(usize) + Sync)) {
        self.spawn_up_to(helpers);
        // SAFETY: this only forgets the lifetime of `f`, which outlives the job: below, the job is closed and all
        // workers have left it before this function returns.
        let task = unsafe {
            std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), *const (dyn Fn(usize) + Sync + 'static)>(
                f,
            )
        };
        // SAFETY: we hold `busy`, the last job is closed and nobody is inside.
        unsafe { *self.job.get() = Some(Job { n_tasks, threads: helpers + 1, task }) };
        for claimed in &self.claimed[..=helpers] {
            claimed.0.store(0, Ordering::Relaxed);
        }
        let epoch = (self.state.load(Ordering::Relaxed) & !(EPOCH - 1)).wrapping_add(EPOCH);
        // Sequentially consistent, together with the load of `sleeping`: either a worker that goes to sleep sees
        // the job, or we see that it sleeps.
        self.state.store(epoch | OPEN | (helpers as u64) << 16, Ordering::SeqCst);
        if self.sleeping.load(Ordering::SeqCst) > 0 {
            drop(lock(&self.sleepers));
            self.wake.notify_all();
        }
        self.work(0, helpers + 1, n_tasks, f);
        self.state.fetch_and(!OPEN, Ordering::Relaxed);
        let mut backoff = Backoff::new();
        while self.state.load(Ordering::Acquire) & 0xffff != 0 {
            backoff.wait();
        }
        let panic = lock(&self.panic).take();
        self.busy.store(false, Ordering::Release);
        if let Some(payload) = panic {
            resume_unwind(payload);
        }
    }

    /// Claims and runs tasks until none is left, those of thread `me` first. A panic is kept for the caller and ends the
    /// job early.
    fn work(&self, me: usize, threads: usize, n_tasks: usize, f: &(dyn Fn(usize) + Sync)) {
        let result = catch_unwind(AssertUnwindSafe(|| {
            for owner in (me..threads).chain(0..me) {
                let (start, end) = (owner * n_tasks / threads, (owner + 1) * n_tasks / threads);
                loop {
                    let task = start + self.claimed[owner].0.fetch_add(1, Ordering::Relaxed);
                    if task >= end {
                        break;
                    }
                    f(task);
                }
            }
        }));
        if let Err(payload) = result {
            for claimed in &self.claimed[..threads] {
                claimed.0.store(n_tasks, Ordering::Relaxed);
            }
            lock(&self.panic).get_or_insert(payload);
        }
    }

    fn spawn_up_to(&'static self, helpers: usize) {
        for id in self.workers.load(Ordering::Relaxed)..helpers {
            let spawned = std::thread::Builder::new()
                .name(format!("rekindle-{}", id + 1))
                .spawn(move || self.worker(id + 1));
            // Without a thread from the system the job is done by fewer.
            if spawned.is_err() {
                break;
            }
            self.workers.store(id + 1, Ordering::Relaxed);
        }
    }

    /// The life of worker `me`; the caller of a job is thread 0.
    fn worker(&self, me: usize) {
        let mut last_epoch = 0;
        loop {
            let epoch = self.enter(me, last_epoch);
            // SAFETY: we are inside an open job, so `job` was written before it was opened, will not be written
            // before we leave, and its task is alive until then.
            let (job, f) = unsafe {
                let job = (*self.job.get()).expect("an open job has been written");
                (job, &*job.task)
            };
            self.work(me, job.threads, job.n_tasks, f);
            self.state.fetch_sub(1, Ordering::Release);
            last_epoch = epoch;
        }
    }

    /// Waits for an open job after `last_epoch`, enters it and returns its epoch.
    fn enter(&self, me: usize, last_epoch: u64) -> u64 {
        let mut started = Instant::now();
        let mut backoff = Backoff::new();
        loop {
            let state = self.state.load(Ordering::Acquire);
            if Self::joinable(state, me, last_epoch) {
                let entered =
                    self.state.compare_exchange_weak(state, state + 1, Ordering::Acquire, Ordering::Relaxed);
                if entered.is_ok() {
                    return state >> 32;
                }
                continue;
            }
            backoff.wait();
            if backoff.rounds.is_multiple_of(64) && started.elapsed() > SPIN {
                self.sleep(me, last_epoch);
                started = Instant::now();
                backoff = Backoff::new();
            }
        }
    }

    fn joinable(state: u64, me: usize, last_epoch: u64) -> bool {
        state & OPEN != 0 && state >> 32 != last_epoch && me as u64 <= state >> 16 & 0x7fff
    }

    fn sleep(&self, me: usize, last_epoch: u64) {
        let mut sleepers = lock(&self.sleepers);
        *sleepers += 1;
        self.sleeping.store(*sleepers, Ordering::SeqCst);
        while !Self::joinable(self.state.load(Ordering::SeqCst), me, last_epoch) {
            sleepers = self.wake.wait(sleepers).unwrap_or_else(PoisonError::into_inner);
        }
        *sleepers -= 1;
        self.sleeping.store(*sleepers, Ordering::SeqCst);
    }
}

/// The mutexes here guard plain values that are valid at every moment, so a poisoned one is as good as another.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits a little: by spinning, and now and then by offering the core to whoever needs it.
struct Backoff {
    rounds: u32,
}

impl Backoff {
    fn new() -> Self {
        Backoff { rounds: 0 }
    }

    fn wait(&mut self) {
        self.rounds = self.rounds.wrapping_add(1);
        if self.rounds.is_multiple_of(LOOKS_BETWEEN_YIELDS) {
            std::thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once_for_any_number_of_threads() {
        for threads in [1, 2, 4, 3] {
            set_num_threads(threads);
            for n in [0, 1, 2, 7, if cfg!(miri) { 50 } else { 1000 }] {
                let hits: Vec<_> = (0..n).map(|_| AtomicUsize::new(0)).collect();
                for_each_task(n, |i| {
                    hits[i].fetch_add(1, Ordering::Relaxed);
                });
                assert!(hits.iter().all(|h| h.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn many_short_jobs_in_a_row_are_complete() {
        set_num_threads(4);
        let mut x = vec![0u32; 64];
        for round in 1..=if cfg!(miri) { 100 } else { 20_000 } {
            chunks_mut(&mut x, 5, |_, piece| piece.iter_mut().for_each(|v| *v += 1));
            assert!(x.iter().all(|&v| v == round));
        }
    }

    #[test]
    fn a_sleeping_worker_wakes_up_again() {
        set_num_threads(2);
        for _ in 0..if cfg!(miri) { 3 } else { 20 } {
            std::thread::sleep(Duration::from_millis(2));
            let sum = AtomicUsize::new(0);
            for_each_task(50, |i| {
                sum.fetch_add(i, Ordering::Relaxed);
            });
            assert_eq!(sum.into_inner(), 1225);
        }
    }

    #[test]
    fn nested_calls_are_complete() {
        set_num_threads(2);
        let count = AtomicUsize::new(0);
        for_each_task(8, |_| {
            for_each_task(8, |_| {
                count.fetch_add(1, Ordering::Relaxed);
            });
        });
        assert_eq!(count.into_inner(), 64);
    }

    #[test]
    fn callers_on_several_threads_do_not_disturb_each_other() {
        set_num_threads(2);
        let rounds = if cfg!(miri) { 5 } else { 200 };
        std::thread::scope(|s| {
            for t in 0..4 {
                s.spawn(move || {
                    let mut x = vec![0; 1000];
                    for _ in 0..rounds {
                        chunks_mut(&mut x, 10, |i, piece| piece.iter_mut().for_each(|v| *v += i * t));
                    }
                    assert!(x.iter().enumerate().all(|(i, &v)| v == i / 10 * t * rounds));
                });
            }
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_survives() {
        set_num_threads(2);
        for bad in [0, 50, 99] {
            let result = catch_unwind(|| for_each_task(100, |i| assert!(i != bad, "task {i} fails")));
            let message = result.unwrap_err().downcast::<String>().unwrap();
            assert_eq!(*message, format!("task {bad} fails"));
            every_task_runs_once_for_any_number_of_threads();
        }
    }
}
