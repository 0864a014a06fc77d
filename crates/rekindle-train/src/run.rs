//! A recipe's run: its data, its net and its trainer.

use crate::checkpoint::Checkpoint;
use crate::error::{Error, guarded};
use crate::figures::build_figure;
use crate::finite;
use crate::fit::check_fit;
use crate::history::EpochRow;
use crate::layers::build_net;
use crate::objective::Objective;
use crate::observer::{EarlyStopping, Flow, Monitor, Observer};
use crate::optimizers::build_optimizer;
use crate::part::Data;
use crate::recipe::{Recipe, Stream};
use crate::schedulers::{Length, build_scheduler};
use crate::source::load;
use crate::trainer::{Little, LrFinder, Parts, Scheduler, Trainer, Trial};
use rekindle_nn::optim::Optimizer;
use rekindle_nn::{Parameters, Sequential};
use rekindle_tensor::{Device, random};
use std::path::Path;
use std::time::Duration;

/// A finished run.
pub struct Trained {
    /// The recipe, with what it left to the data.
    pub recipe: Recipe,
    /// The trained net, in evaluation mode.
    pub net: Sequential,
    /// The data it was trained on and tested with.
    pub data: Data,
    /// The epochs whose figures were kept.
    pub rows: Vec<EpochRow>,
}

/// Trains as a recipe says and hands over each row as it comes. Image files are looked for in `folder`.
///
/// ```
/// use rekindle_train::{CIRCLES, Recipe, run};
/// let recipe = Recipe { epochs: 1, ..Recipe::from_toml(CIRCLES)? };
/// let trained = run(&recipe, None, &mut |row| println!("{row:?}"))?;
/// assert_eq!(format!("{:.5}", trained.rows[0].train.loss), "0.69295");
/// # Ok::<(), rekindle_train::Error>(())
/// ```
///
/// # Errors
/// If the recipe is not valid or does not fit its data, the data cannot be loaded, or a number stops being finite.
pub fn run(
    recipe: &Recipe,
    folder: Option<&Path>,
    show: &mut dyn FnMut(&EpochRow),
) -> Result<Trained, Error> {
    let mut training = Training::new(recipe, folder)?;
    let rows = training.watched(Some(&mut Show(show)))?;
    Ok(Trained { rows, ..training.finish() })
}

/// A run that can be watched, interrupted and gone on with.
///
/// ```
/// use rekindle_train::{CIRCLES, Recipe, Training};
/// let mut training = Training::new(&Recipe { epochs: 300, ..Recipe::from_toml(CIRCLES)? }, None)?;
/// for row in training.fit()? {
///     println!("{} {:.5}", row.epoch, row.train.loss);
/// }
/// let net = training.finish().net;
/// # assert_eq!(net.len(), 5);
/// # Ok::<(), rekindle_train::Error>(())
/// ```
pub struct Training {
    recipe: Recipe,
    trainer: Trainer<Sequential>,
    data: Data,
}

impl Training {
    /// Loads the data, makes the net and holds everything against each other.
    ///
    /// # Errors
    /// If the recipe is not valid or does not fit its data, or the data cannot be loaded.
    pub fn new(recipe: &Recipe, folder: Option<&Path>) -> Result<Training, Error> {
        let prepare = || {
            recipe.check_values().map_err(Error::Recipe)?;
            let data = load(recipe, folder)?;
            let recipe = recipe.with_class_weights(&data)?;
            let mut data = data;
            if let Some(batches) = recipe.overfit_batches {
                data.leave(Trial::Overfit(batches), recipe.batch_size);
            }
            let objective = Objective::build(&recipe.loss).map_err(Error::Recipe)?;
            random::manual_seed(recipe.seed);
            let net = build_net(&recipe.net).map_err(Error::Recipe)?;
            let mut optimizer =
                build_optimizer(&recipe.optimizer, net.parameters()).map_err(Error::Recipe)?;
            check_fit(&recipe, &net, &objective, &data)?;
            let scheduler = recipe.scheduler(data.train.len(), &mut *optimizer)?;
            let figures = recipe.metrics.iter().map(|name| build_figure(name, &data));
            let figures = figures.collect::<Result<Vec<_>, String>>().map_err(Error::Recipe)?;
            let trainer = Trainer::of(net, objective, optimizer, finite::forward)
                .metrics(figures)
                .units(data.input.units());
            let recipe = Recipe { data: data.source.clone(), ..recipe };
            Ok(Training { trainer: recipe.options(trainer, scheduler), recipe, data })
        };
        guarded(prepare).map_err(|e| recipe.named(e))
    }

    /// The recipe, with what it left to the data.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The net that is trained.
    pub fn net(&self) -> &Sequential {
        &self.trainer.net
    }

    /// The data that it is trained on.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Trains on a device. The net is made on the CPU, with its stream, and moves there; the numbers are the CPU's but for roundings, and
    /// for dropout, which draws from PyTorch's CUDA stream on a GPU: the recipe says so from then on, so that the run draws the same
    /// masks wherever it goes on.
    ///
    /// # Errors
    /// If the device is not there, or has no room for the net.
    pub fn on(mut self, device: Device) -> Result<Training, Error> {
        move_to(&self.trainer.net, device)?;
        if device != Device::Cpu {
            self.recipe.stream = Stream::Cuda;
        }
        Ok(self)
    }

    /// Adds somebody who watches, and who may end training.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.trainer = self.trainer.observer(observer);
        self
    }

    /// Keeps checkpoints in a folder, as often as the recipe says.
    pub fn checkpoints(mut self, folder: &Path) -> Self {
        let time = Duration::from_secs_f64(self.recipe.checkpoint_seconds);
        self.trainer = self.trainer.checkpoints(folder).checkpoint_every(time);
        self
    }

    /// Trains on so many batches of each part, once, and is judged on these: to see whether everything works.
    pub fn fast_dev_run(mut self, batches: usize) -> Self {
        self.recipe.epochs = 1;
        self.trainer = self.trainer.epochs(1);
        self.data.leave(Trial::FastDevRun(batches.max(1)), self.recipe.batch_size);
        self
    }

    /// Runs every step eagerly; see [`Trainer::eager`]. The bits are the same.
    pub fn eager(mut self) -> Self {
        self.trainer = self.trainer.eager();
        self
    }

    /// What the loss does while the learning rate grows; see [`Trainer::find_lr`].
    ///
    /// # Errors
    /// If the first loss is not finite.
    pub fn find_lr(&mut self) -> Result<LrFinder, Error> {
        let Training { recipe, trainer, data } = self;
        let found = recipe.stream.within(|| trainer.find_lr(&data.train));
        found.map_err(|e| recipe.named(e))
    }

    /// How the first batch of training is run: the stages that are replayed, or why steps run eagerly. See
    /// [`Captured`](rekindle_nn::Captured). Nothing is learned.
    ///
    /// # Errors
    /// If a number is not finite.
    pub fn plan(&mut self) -> Result<Result<Vec<String>, String>, Error> {
        let Training { recipe, trainer, data } = self;
        let planned = recipe.stream.within(|| trainer.plan(&data.train));
        planned.map_err(|e| recipe.named(e))
    }

    /// Goes on from a checkpoint.
    pub fn resume(mut self, checkpoint: Checkpoint) -> Self {
        self.trainer = self.trainer.resume(checkpoint);
        self
    }

    /// Goes on from a checkpoint of a training for another number of epochs. A schedule that follows the length of the run goes on
    /// as if it had had the new length from the beginning.
    pub fn resume_at_length(mut self, checkpoint: Checkpoint) -> Self {
        self.trainer = self.trainer.resume(checkpoint).other_length();
        self
    }

    /// Trains, and gives the rows that the recipe keeps.
    ///
    /// # Errors
    /// If a number stops being finite, or an observer fails.
    pub fn fit(&mut self) -> Result<Vec<EpochRow>, Error> {
        self.watched(None)
    }

    fn watched(&mut self, other: Option<&mut dyn Observer>) -> Result<Vec<EpochRow>, Error> {
        let Training { recipe, trainer, data } = self;
        let parts =
            Parts { train: &data.train, validation: data.validation.as_ref(), test: Some(&data.test) };
        let fitted = recipe.stream.within(|| trainer.fit_parts(parts, other));
        fitted.map_err(|e| recipe.named(e))
    }

    /// The trained net in evaluation mode, and its data.
    pub fn finish(self) -> Trained {
        self.trainer.net.eval();
        Trained { recipe: self.recipe, net: self.trainer.net, data: self.data, rows: Vec::new() }
    }
}

/// Moves a net in place.
pub(crate) fn move_to(net: &Sequential, device: Device) -> Result<(), Error> {
    device.check().map_err(Error::Recipe)?;
    guarded(|| {
        net.to(device);
        Ok(())
    })
}

impl Data {
    /// Leaves what a trial needs.
    pub(crate) fn leave(&mut self, trial: Trial, batch_size: Option<usize>) {
        let Data { train, validation, test, .. } = &*self;
        let parts = Parts { train, validation: validation.as_ref(), test: Some(test) };
        if let Some((train, validation, Some(test))) = trial.of(parts, batch_size).map(Little::into_parts) {
            (self.train, self.validation, self.test) = (train, validation, test);
        }
    }
}

impl Recipe {
    /// The schedule of the learning rate, if there is one.
    fn scheduler(&self, samples: usize, optimizer: &mut dyn Optimizer) -> Result<Option<Scheduler>, Error> {
        let Some(text) = &self.scheduler else { return Ok(None) };
        let batches = samples.div_ceil(self.batch_size.unwrap_or(samples).max(1));
        let length = Length { epochs: self.epochs, updates: self.epochs * batches.div_ceil(self.accumulate) };
        build_scheduler(text, length, optimizer).map(Some).map_err(Error::Recipe)
    }

    /// The trainer with everything that the recipe says about it.
    fn options(&self, trainer: Trainer<Sequential>, scheduler: Option<Scheduler>) -> Trainer<Sequential> {
        let mut trainer = trainer.epochs(self.epochs).report(self.report.clone()).accumulate(self.accumulate);
        if let Some(samples) = self.batch_size {
            // What is learned by heart comes in order.
            trainer = trainer.batch_size(samples).shuffle(self.shuffle && self.overfit_batches.is_none());
        }
        if let Some(scheduler) = scheduler {
            trainer = trainer.schedule(scheduler);
        }
        if let Some(norm) = self.clip_grad_norm {
            trainer = trainer.clip_grad_norm(norm);
        }
        if let Some(seconds) = self.max_time {
            trainer = trainer.max_time(Duration::from_secs_f64(seconds));
        }
        if let Some(stopping) = &self.early_stopping {
            let watcher = EarlyStopping::new().patience(stopping.patience).min_delta(stopping.min_delta);
            trainer = trainer.observer(watcher.watching(self.monitor()).restore_best(stopping.restore_best));
        }
        trainer
    }

    /// The figure that says which epoch is the best.
    pub fn monitor(&self) -> Monitor {
        self.monitor.as_deref().map(Monitor::of).unwrap_or_default()
    }
}

/// Hands over each row as it comes.
struct Show<'a>(&'a mut dyn FnMut(&EpochRow));

impl Observer for Show<'_> {
    fn epoch(&mut self, row: &EpochRow, _: &dyn Parameters) -> Result<Flow, Error> {
        (self.0)(row);
        Ok(Flow::Continue)
    }
}
