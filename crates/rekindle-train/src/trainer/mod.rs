//! The training loop: train and eval mode, batches, gradients, figures, in the order in which every course writes them by
//! hand, and nothing else. What happens beside it is an [`Observer`]'s business.

mod check;
mod device;
mod lr_finder;
mod pass;
mod scheduler;
mod state;
mod trial;

pub use lr_finder::LrFinder;
pub(crate) use scheduler::Scheduler;
pub(crate) use trial::{Little, Trial};

use crate::checkpoint::{Checkpoint, Checkpoints};
use crate::error::{Error, guarded};
use crate::finite::{self, Look, Watch};
use crate::history::{EpochRow, Figures};
use crate::judge::{Answers, Judged, judge_part};
use crate::metrics::Metric;
use crate::objective::Objective;
use crate::observer::{Monitor, Observer};
use crate::part::Part;
use crate::recipe::{Measured, Report};
use crate::signature::Units;
use device::OnDevice;
use pass::Place;
use rekindle_nn::loss::{Decision, Loss};
use rekindle_nn::optim::Optimizer;
use rekindle_nn::optim::lr_scheduler::{LRScheduler, ReduceLROnPlateau};
use rekindle_nn::{Captured, Module, Parameters, Sequential};
use rekindle_tensor::{Device, Tensor, no_grad};
use std::any::Any;
use std::path::PathBuf;
use std::time::Duration;

/// The most rows of the pieces in which data is evaluated: activations of convolutions take a lot of memory.
pub(crate) const PIECE: usize = 1024;

/// Trains a net, judges it and asks it.
///
/// The steps are those of the raw loop, and so are the weights, byte for byte.
///
/// ```
/// use rekindle_data::synthetic::make_moons;
/// use rekindle_nn::loss::BCEWithLogitsLoss;
/// use rekindle_nn::optim::Adam;
/// use rekindle_nn::{Linear, Parameters, ReLU, sequential};
/// use rekindle_train::{EarlyStopping, Part, Trainer};
///
/// let part = |seed| {
///     let (x, y) = make_moons(200, 0.1, seed).tensors();
///     Part::new(x.float(), y.float().unsqueeze(1))
/// };
/// rekindle_tensor::random::manual_seed(42);
/// let net = sequential![Linear::new(2, 16), ReLU, Linear::new(16, 1)];
/// let optimizer = Adam::new(net.parameters(), 0.05);
///
/// let mut trainer = Trainer::new(net, BCEWithLogitsLoss::new(), optimizer)
///     .epochs(100)
///     .batch_size(32)
///     .observer(EarlyStopping::new().patience(10));
/// let history = trainer.fit(&part(0), Some(&part(1)))?;
/// assert!(history.len() <= 100);
///
/// let test = part(2);
/// println!("{}", trainer.evaluate(&test)?); // scikit-learn's report, a confusion matrix and the worst samples
/// let classes = trainer.predict(&test.x()); // I64 [n]
/// let p = trainer.predict_proba(&test.x()); // F64 [n, 2]
/// # assert_eq!((classes.shape(), p.shape()), (&[200][..], &[200, 2][..]));
/// # Ok::<(), rekindle_train::Error>(())
/// ```
pub struct Trainer<N> {
    /// The net.
    pub net: N,
    objective: Objective,
    optimizer: Box<dyn Optimizer>,
    scheduler: Option<Scheduler>,
    observers: Vec<Box<dyn Observer>>,
    metrics: Vec<Box<dyn Metric>>,
    options: Options,
    forward: Forward<N>,
    watch: Watch,
    steps: usize,
    captured: Captured,
    /// Forward passes of the net in evaluation.
    passes: Captured,
    /// What steps on a GPU left there.
    on_device: Option<OnDevice>,
    checkpoints: Option<Checkpoints>,
    resume: Option<Checkpoint>,
    /// Of the training data, while checkpoints are written; see [`Part::fingerprint`].
    fingerprint: Option<[u8; 16]>,
}

/// A forward pass whose output is finite, or the name of what is not.
pub(crate) type Forward<N> = fn(&N, &Tensor, Look) -> Result<Tensor, String>;

struct Options {
    epochs: usize,
    batch_size: Option<usize>,
    shuffle: bool,
    report: Report,
    clip_grad_norm: Option<f64>,
    accumulate: usize,
    max_time: Option<Duration>,
    /// Whether a checkpoint is gone on with for another number of epochs than before.
    other_length: bool,
    class_names: Vec<String>,
    /// Whether no step is replayed.
    eager: bool,
    trial: Trial,
    /// Those of standardised targets.
    units: Option<Vec<(f64, f64)>>,
}

/// The data of a training.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub train: &'a Part,
    pub validation: Option<&'a Part>,
    pub test: Option<&'a Part>,
}

impl<N: Module> Trainer<N> {
    /// A trainer for a net, with the optimiser of its parameters. It trains for ten epochs on full batches until it is told
    /// otherwise.
    pub fn new(net: N, loss: impl Loss + 'static, optimizer: impl Optimizer + 'static) -> Trainer<N>
    where
        N: 'static,
    {
        let forward = |net: &N, x: &Tensor, look: Look| {
            // A chain is looked at layer by layer: a later one may hide an infinity.
            if let Some(chain) = (net as &dyn Any).downcast_ref::<Sequential>() {
                return finite::forward(chain, x, look);
            }
            let y = net.forward(x);
            look(&|| "the output of the net".into(), &y)?;
            Ok(y)
        };
        Trainer::of(net, Objective::new(loss), Box::new(optimizer), forward)
    }

    pub(crate) fn of(
        net: N,
        objective: Objective,
        optimizer: Box<dyn Optimizer>,
        forward: Forward<N>,
    ) -> Trainer<N> {
        let options = Options {
            epochs: 10,
            batch_size: None,
            shuffle: false,
            report: Report { train: Measured::Step, ..Report::default() },
            clip_grad_norm: None,
            accumulate: 1,
            max_time: None,
            other_length: false,
            class_names: Vec::new(),
            eager: false,
            trial: Trial::No,
            units: None,
        };
        let watch = Watch::new(&net);
        let (scheduler, observers, metrics) = (None, Vec::new(), Vec::new());
        let (steps, checkpoints, resume, fingerprint) = (0, None, None, None);
        Trainer {
            net,
            objective,
            optimizer,
            scheduler,
            observers,
            metrics,
            options,
            forward,
            watch,
            steps,
            captured: Captured::new(),
            passes: Captured::new(),
            on_device: None,
            checkpoints,
            resume,
            fingerprint,
        }
    }

    /// Passes over the training data.
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.options.epochs = epochs;
        self
    }

    /// Trains on mini-batches of so many samples, in a new random order each epoch.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn batch_size(mut self, samples: usize) -> Self {
        if samples == 0 {
            rekindle_tensor::mistake!(
                "Trainer: batch_size must be at least 1; leave it out for full batches"
            );
        }
        self.options.batch_size = Some(samples);
        self.options.shuffle = true;
        self
    }

    /// Whether mini-batches are drawn in random order; they are unless this says no.
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.options.shuffle = shuffle;
        self
    }

    /// Sets the learning rate after each epoch.
    pub fn scheduler(self, scheduler: impl LRScheduler + 'static) -> Self {
        self.schedule(Scheduler::Epoch(Box::new(scheduler)))
    }

    /// Sets the learning rate after each update, as [`OneCycleLR`](rekindle_nn::optim::lr_scheduler::OneCycleLR) is meant to.
    pub fn scheduler_per_step(self, scheduler: impl LRScheduler + 'static) -> Self {
        self.schedule(Scheduler::Step(Box::new(scheduler)))
    }

    /// Lowers the learning rate after an epoch whose figure has not become better for long enough.
    pub fn reduce_on_plateau(self, scheduler: ReduceLROnPlateau, monitor: Monitor) -> Self {
        self.schedule(Scheduler::Plateau(scheduler, monitor))
    }

    pub(crate) fn schedule(mut self, scheduler: Scheduler) -> Self {
        self.scheduler = Some(scheduler);
        self
    }

    /// Scales the gradients of a step down to this norm if theirs is larger (Pascanu et al. 2013).
    ///
    /// # Panics
    /// If it is not positive.
    #[track_caller]
    pub fn clip_grad_norm(mut self, max_norm: f64) -> Self {
        if max_norm.is_nan() || max_norm <= 0.0 {
            rekindle_tensor::mistake!("Trainer: clip_grad_norm = {max_norm}; give a positive norm");
        }
        self.options.clip_grad_norm = Some(max_norm);
        self
    }

    /// Adds up the gradients of so many batches, each divided by their number, before each update.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn accumulate(mut self, batches: usize) -> Self {
        if batches == 0 {
            rekindle_tensor::mistake!("Trainer: accumulate = 0; an update needs at least one batch");
        }
        self.options.accumulate = batches;
        self
    }

    /// Ends training after the epoch in which this time has passed.
    pub fn max_time(mut self, time: Duration) -> Self {
        self.options.max_time = Some(time);
        self
    }

    /// Keeps checkpoints in a folder: every thirty seconds, and when training ends or somebody stops it.
    pub fn checkpoints(mut self, folder: impl Into<PathBuf>) -> Self {
        self.checkpoints = Some(Checkpoints::new(folder.into()));
        self
    }

    /// How much time is between checkpoints; without any there is one after each batch.
    ///
    /// # Panics
    /// If no folder was given to [`checkpoints`](Self::checkpoints).
    #[track_caller]
    pub fn checkpoint_every(mut self, time: Duration) -> Self {
        match &mut self.checkpoints {
            Some(checkpoints) => checkpoints.every = time,
            None => rekindle_tensor::mistake!("Trainer: checkpoint_every without checkpoints(folder)"),
        }
        self
    }

    /// Goes on from a checkpoint when it is next asked to fit. It ends with the bytes that it would have ended with if it had
    /// never stopped, if net, loss, optimiser, schedule, options, observers and data are those of before.
    pub fn resume(mut self, checkpoint: Checkpoint) -> Self {
        self.resume = Some(checkpoint);
        self
    }

    /// Says that the checkpoint to go on from is of another number of epochs, which schedules may follow.
    pub(crate) fn other_length(mut self) -> Self {
        self.options.other_length = true;
        self
    }

    /// Measures one more figure after each epoch, on the validation data, or on the test data where there is none. Its name in
    /// rows and logs is `val_` (or `test_`) and its own.
    ///
    /// ```
    /// # use rekindle_nn::{Linear, Parameters, loss::BCEWithLogitsLoss, optim::SGD};
    /// # use rekindle_tensor::Tensor;
    /// use rekindle_train::metrics::{Average, F1Score, Task};
    /// use rekindle_train::{EarlyStopping, Part, Trainer};
    ///
    /// let part = Part::new(Tensor::ones([4, 2]), Tensor::ones([4, 1]));
    /// let net = Linear::new(2, 1);
    /// let optimizer = SGD::new(net.parameters(), 0.1);
    /// let rows = Trainer::new(net, BCEWithLogitsLoss::new(), optimizer)
    ///     .metric(F1Score::new(Task::Binary, Average::Binary))
    ///     .observer(EarlyStopping::new().monitor("val_f1_binary"))
    ///     .epochs(1)
    ///     .fit(&part, Some(&part))?;
    /// assert_eq!(rows[0].metrics[0].0, "val_f1_binary");
    /// # Ok::<(), rekindle_train::Error>(())
    /// ```
    pub fn metric(mut self, metric: impl Metric) -> Self {
        self.metrics.push(Box::new(metric));
        self
    }

    pub(crate) fn metrics(mut self, metrics: Vec<Box<dyn Metric>>) -> Self {
        self.metrics = metrics;
        self
    }

    /// Trains on so many batches of each part only, for one epoch: everything is done once, to see whether it works.
    pub fn fast_dev_run(mut self, batches: usize) -> Self {
        self.options.trial = Trial::FastDevRun(batches.max(1));
        self.options.epochs = 1;
        self
    }

    /// Trains on the first so many batches over and over, in order, and validates on the same. A net that cannot learn these by
    /// heart has a mistake in it, or is too small.
    pub fn overfit_batches(mut self, batches: usize) -> Self {
        self.options.trial = Trial::Overfit(batches.max(1));
        self.options.shuffle = false;
        self
    }

    /// Runs every step eagerly instead of replaying what the first ones did; see [`Captured`], which says which nets need it.
    pub fn eager(mut self) -> Self {
        self.options.eager = true;
        self
    }

    /// Names the classes or labels in reports.
    pub fn class_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.options.class_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Adds somebody who watches, and who may end training.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// Which epochs are measured, as a recipe says it.
    pub(crate) fn report(mut self, report: Report) -> Self {
        self.options.report = report;
        self
    }

    /// Trains, and gives the figures of each epoch. The net is in evaluation mode afterwards.
    ///
    /// # Errors
    /// If data, net and loss do not fit each other (before anything is trained), a number stops being finite (before it is
    /// used), or an observer fails.
    pub fn fit(&mut self, train: &Part, validation: Option<&Part>) -> Result<Vec<EpochRow>, Error> {
        self.fit_parts(Parts { train, validation, test: None }, None)
    }

    /// [`fit`](Self::fit), watched by one more.
    pub(crate) fn fit_parts(
        &mut self,
        parts: Parts,
        other: Option<&mut dyn Observer>,
    ) -> Result<Vec<EpochRow>, Error> {
        let little = self.options.trial.of(parts, self.options.batch_size);
        let parts = little.as_ref().map_or(parts, Little::parts);
        let mut own = std::mem::take(&mut self.observers);
        let mut all: Vec<&mut dyn Observer> = own.iter_mut().map(|o| &mut **o as &mut dyn Observer).collect();
        if let Some(other) = other {
            all.push(other);
        }
        // Whoever fits again may have changed the net.
        self.captured.reset();
        self.passes.reset();
        let checked = self.check(parts, &mut all);
        if self.checkpoints.is_some() {
            self.fingerprint = guarded(|| Ok(parts.train.fingerprint())).ok();
        }
        let result = checked.and_then(|()| match self.resume.take() {
            Some(checkpoint) => guarded(|| {
                checkpoint.must_be_of(parts.train)?;
                self.restore(&checkpoint, &mut all)
            }),
            None => Ok(Place::new()),
        });
        let begun = result.is_ok();
        // A device that fails or has no room left is no panic.
        let result = result.and_then(|mut place| guarded(|| self.run(parts, &mut place, &mut all)));
        let ended = match begun {
            true => all.iter_mut().try_for_each(|o| o.end(&self.net)),
            false => Ok(()), // Nothing has begun.
        };
        self.observers = own;
        self.net.eval();
        let rows = result?;
        ended.map(|()| rows)
    }

    /// Loss and figures on one part of the data, with a report.
    ///
    /// # Errors
    /// If the data does not fit net and loss, or an output is not finite.
    pub fn evaluate(&self, part: &Part) -> Result<Judged, Error> {
        self.net.eval();
        guarded(|| {
            let outputs = outputs_by(self.passes_of_one(part.len()).as_mut(), &self.net, part).cpu();
            judge_part(&self.objective, &outputs, "test", part, self.names_and_units())
        })
    }

    /// What the net decides: I64 classes `[n]`; of several yes-or-no outputs I64 zeros and ones `[n, labels]`; the outputs of
    /// a regression.
    ///
    /// # Panics
    /// If the shape of `x` does not fit the net.
    #[track_caller]
    pub fn predict(&self, x: &Tensor) -> Tensor {
        self.net.eval();
        self.objective.decide(&self.outputs_of(x))
    }

    /// The probability of each class, F64 `[n, classes]`, or of each label `[n, labels]`.
    ///
    /// # Panics
    /// If the loss is that of a regression, or the shape of `x` does not fit the net.
    #[track_caller]
    pub fn predict_proba(&self, x: &Tensor) -> Tensor {
        if self.objective.decision == Decision::None {
            rekindle_tensor::mistake!("predict_proba: {} is a regression; use predict", self.objective.loss);
        }
        self.net.eval();
        self.objective.of_all_classes(&self.outputs_of(x))
    }

    fn outputs_of(&self, x: &Tensor) -> Tensor {
        in_pieces(self.passes_of_one(x.size(0)).as_mut(), &self.net, x.size(0), |start, n| {
            x.narrow(0, start, n)
        })
        .cpu()
    }
}

impl<N> Trainer<N> {
    fn passes_of_one(&self, n: usize) -> Option<Captured> {
        passes_of_one(n).filter(|_| !self.options.eager)
    }

    fn names_and_units(&self) -> (&[String], Units<'_>) {
        (&self.options.class_names, self.options.units.as_deref())
    }

    /// Says in which units the targets were before they were standardised.
    pub(crate) fn units(mut self, units: Units) -> Self {
        self.options.units = units.map(<[_]>::to_vec);
        self
    }

    /// Whether the test data is measured after each epoch.
    fn watches_test(&self, parts: Parts) -> bool {
        self.options.report.test.unwrap_or(parts.validation.is_none())
    }

    /// The names of the figures beside loss and accuracy; none if there is nothing to measure them on.
    fn metric_names(&self, parts: Parts) -> Vec<String> {
        let prefix = match (parts.validation, parts.test) {
            (Some(_), _) => Some("val"),
            (None, Some(_)) => Some("test"),
            (None, None) => None,
        };
        let Some(prefix) = prefix else { return Vec::new() };
        self.metrics.iter().map(|metric| format!("{prefix}_{}", metric.name())).collect()
    }

    /// Measures them on the outputs for the part that they are measured on.
    fn measure(&mut self, parts: Parts, outputs: &Tensor, part: &Part) -> Vec<(String, f64)> {
        let names = self.metric_names(parts);
        let answers = Answers::new(&self.objective, outputs, part, self.options.units.as_deref());
        let (scores, target) = (answers.scores(), answers.target().clone());
        let values = self.metrics.iter_mut().map(|metric| {
            metric.reset();
            metric.update(&scores, &target);
            metric.compute()
        });
        names.into_iter().zip(values).collect()
    }
}

/// Loss and accuracy of a net on one part of the data, computed in pieces that fit in memory. The net's mode is the
/// caller's business. It runs eagerly, because any module may decide by something else than its input's shape.
///
/// ```
/// use rekindle_train::{CIRCLES, Objective, Recipe, evaluate, run};
/// let recipe = Recipe { epochs: 1, ..Recipe::from_toml(CIRCLES)? };
/// let trained = run(&recipe, None, &mut |_| ())?;
/// let objective = Objective::build(&recipe.loss).unwrap();
/// let figures = evaluate(&trained.net, &objective, &trained.data.test);
/// assert_eq!(Some(figures), trained.rows[0].test);
/// # Ok::<(), rekindle_train::Error>(())
/// ```
pub fn evaluate(net: &dyn Module, objective: &Objective, part: &Part) -> Figures {
    figures(objective, &outputs_by(None, net, part), part)
}

/// The outputs of a net of a recipe for all samples, in pieces, on the CPU.
pub(crate) fn outputs(net: &Sequential, part: &Part) -> Tensor {
    outputs_by(passes_of_one(part.len()).as_mut(), net, part).cpu()
}

/// [`outputs`] on the net's device, by passes that are captured if there is something to capture them.
fn outputs_by(passes: Option<&mut Captured>, net: &dyn Module, part: &Part) -> Tensor {
    in_pieces(passes, net, part.len(), |start, n| part.inputs(start, n))
}

/// The outputs of a net of a recipe for some inputs, in pieces.
pub(crate) fn outputs_of(net: &Sequential, x: &Tensor) -> Tensor {
    in_pieces(passes_of_one(x.size(0)).as_mut(), net, x.size(0), |start, n| x.narrow(0, start, n)).cpu()
}

/// Where a net is.
pub(crate) fn device_of(net: &dyn Parameters) -> Device {
    net.parameters().first().map_or(Device::Cpu, Tensor::device)
}

/// Pieces from which on it is worth recording what one pass over `n` samples does: of fewer, none would be replayed.
const WORTH: usize = 6;

/// What captures the pieces of one pass over `n` samples, if it is worth it.
fn passes_of_one(n: usize) -> Option<Captured> {
    (n.div_ceil(PIECE) >= WORTH).then(Captured::new)
}

/// In pieces of nearly the same size, none of them a single row of several: products with one row have an order of their own.
fn in_pieces(
    mut passes: Option<&mut Captured>,
    net: &dyn Module,
    n: usize,
    inputs: impl Fn(usize, usize) -> Tensor,
) -> Tensor {
    let pieces = n.div_ceil(PIECE);
    let start = |i: usize| n * i / pieces;
    let device = device_of(net);
    let piece = |i: usize| {
        let x = inputs(start(i), start(i + 1) - start(i)).to(device);
        match &mut passes {
            Some(passes) => passes.forward(net, &x),
            None => no_grad(|| net.forward(&x)),
        }
    };
    Tensor::cat(&(0..pieces).map(piece).collect::<Vec<_>>(), 0)
}

pub(crate) fn figures(objective: &Objective, outputs: &Tensor, part: &Part) -> Figures {
    let y = part.y.to(outputs.device());
    let loss = no_grad(|| objective.loss.forward(outputs, &y)).item();
    let correct = objective.correct(outputs, &y);
    Figures { loss, accuracy: correct.map(|n| n as f64 / part.len() as f64) }
}
