//! The training loop of a recipe: forward, loss, backward, step, and the figures after each reported epoch.

use crate::error::{Error, guarded};
use crate::finite::{Watch, finite, forward, is_finite};
use crate::fit::{PIECE, check_fit};
use crate::layers::build_net;
use crate::load::{Data, Part, load};
use crate::objective::Objective;
use crate::optimizers::build_optimizer;
use crate::recipe::{Measured, Recipe};
use rekindle_data::{DataLoader, TensorDataset};
use rekindle_nn::optim::Optimizer;
use rekindle_nn::{Module, Parameters, Sequential};
use rekindle_tensor::{Tensor, no_grad, random};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::path::Path;
use std::time::Instant;

/// Loss and accuracy on one part of the data. Accuracies are fractions from 0 to 1; regression has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// The loss.
    pub loss: f64,
    /// The fraction of samples that are right.
    pub accuracy: Option<f64>,
}

/// The figures of one epoch.
#[derive(Clone, Debug)]
pub struct EpochRow {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The updates so far.
    pub step: usize,
    /// The mean of the losses of the epoch's training steps, and the accuracy on the training data; see
    /// [`Measured`].
    pub train: Figures,
    /// The figures of the validation data, if there is any.
    pub validation: Option<Figures>,
    /// The figures of the test data, if they are watched.
    pub test: Option<Figures>,
    /// The learning rate.
    pub lr: f64,
    /// Seconds since the start of training.
    pub seconds: f64,
    /// Whether the recipe reports the epoch; others are kept for the curves only.
    pub reported: bool,
}

impl EpochRow {
    /// The figures with their names, which are the columns of `metrics.csv`; none where something was not measured.
    pub fn columns(&self) -> [(&'static str, Option<f64>); 10] {
        let loss = |figures: Option<Figures>| figures.map(|f| f.loss);
        let acc = |figures: Option<Figures>| figures.and_then(|f| f.accuracy);
        let train = Some(self.train);
        [
            ("epoch", Some(self.epoch as f64)),
            ("step", Some(self.step as f64)),
            ("train_loss", loss(train)),
            ("train_acc", acc(train)),
            ("val_loss", loss(self.validation)),
            ("val_acc", acc(self.validation)),
            ("test_loss", loss(self.test)),
            ("test_acc", acc(self.test)),
            ("lr", Some(self.lr)),
            ("time", Some(self.seconds)),
        ]
    }

    /// The figures that were measured, with their names.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, f64)> {
        self.columns().into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    /// The figures as one line of JSON, an object.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("names are text")
    }
}

impl Serialize for EpochRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_map(None)?;
        for (name, value) in self.fields() {
            match name {
                "epoch" | "step" => all.serialize_entry(name, &(value as u64))?,
                _ => all.serialize_entry(name, &value)?,
            }
        }
        all.end()
    }
}

/// A finished run.
pub struct Trained {
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
    let mut rows = Vec::new();
    for row in training.epochs() {
        let row = row?;
        show(&row);
        rows.push(row);
    }
    Ok(Trained { rows, ..training.finish() })
}

/// A run that can be watched epoch by epoch.
///
/// ```
/// use rekindle_train::{CIRCLES, Recipe, Training};
/// let mut training = Training::new(&Recipe { epochs: 300, ..Recipe::from_toml(CIRCLES)? }, None)?;
/// for row in training.epochs() {
///     let row = row?;
///     println!("{} {:.5}", row.epoch, row.train.loss);
/// }
/// let net = training.finish().net;
/// # assert_eq!(net.len(), 5);
/// # Ok::<(), rekindle_train::Error>(())
/// ```
pub struct Training {
    recipe: Recipe,
    objective: Objective,
    net: Sequential,
    optimizer: Box<dyn Optimizer>,
    data: Data,
    watch: Watch,
    steps: usize,
}

/// Sums over the samples of an epoch.
#[derive(Default)]
struct Sums {
    loss: f64,
    batches: usize,
    correct: Option<usize>,
    samples: usize,
}

impl Sums {
    fn add(&mut self, objective: &Objective, loss: f64, outputs: &Tensor, y: &Tensor) {
        self.loss += loss;
        self.batches += 1;
        self.samples += y.size(0);
        if let Some(n) = objective.correct(outputs, y) {
            *self.correct.get_or_insert_default() += n;
        }
    }

    /// The mean of the batches' losses, and the accuracy.
    fn figures(&self) -> Figures {
        let accuracy = self.correct.map(|n| n as f64 / self.samples as f64);
        Figures { loss: self.loss / self.batches as f64, accuracy }
    }
}

impl Training {
    /// Loads the data, makes the net and holds everything against each other.
    ///
    /// # Errors
    /// If the recipe is not valid or does not fit its data, or the data cannot be loaded.
    pub fn new(recipe: &Recipe, folder: Option<&Path>) -> Result<Training, Error> {
        let prepare = || {
            recipe.check_values().map_err(Error::Recipe)?;
            let objective = Objective::build(&recipe.loss).map_err(Error::Recipe)?;
            let data = load(recipe, folder)?;
            random::manual_seed(recipe.seed);
            let net = build_net(&recipe.net).map_err(Error::Recipe)?;
            let optimizer = build_optimizer(&recipe.optimizer, net.parameters()).map_err(Error::Recipe)?;
            check_fit(recipe, &net, &objective, &data)?;
            let watch = Watch::new(&net);
            Ok(Training { recipe: recipe.clone(), objective, net, optimizer, data, watch, steps: 0 })
        };
        guarded(prepare).map_err(|e| recipe.named(e))
    }

    /// The net that is trained.
    pub fn net(&self) -> &Sequential {
        &self.net
    }

    /// The data that it is trained on.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Trains, and gives the rows that the recipe keeps, one by one. After an error there are no more.
    pub fn epochs(&mut self) -> Epochs<'_> {
        let train = &self.data.train;
        let loader = self.recipe.batch_size.map(|size| {
            let set = TensorDataset::new(train.x.clone(), train.y.clone());
            DataLoader::new(set).batch_size(size).shuffle(self.recipe.shuffle)
        });
        Epochs { training: self, loader, epoch: 0, start: Instant::now() }
    }

    /// The trained net in evaluation mode, and its data.
    pub fn finish(self) -> Trained {
        self.net.eval();
        Trained { net: self.net, data: self.data, rows: Vec::new() }
    }

    fn inputs(&self) -> Result<(), Error> {
        for (name, part) in self.data.parts() {
            finite(|| format!("the {name} data"), &part.x).map_err(|tensor| self.stop(1, 1, tensor))?;
            finite(|| format!("the {name} targets"), &part.y).map_err(|tensor| self.stop(1, 1, tensor))?;
        }
        Ok(())
    }

    /// One pass over the training data.
    fn epoch(&mut self, epoch: usize, loader: Option<&DataLoader>, count: bool) -> Result<Sums, Error> {
        self.net.train();
        let mut sums = Sums::default();
        let whole = loader.is_none().then(|| (self.data.train.x.clone(), self.data.train.y.clone()));
        for (x, y) in whole.into_iter().chain(loader.into_iter().flatten()) {
            let done = self.step(&x, &y, &mut sums, count);
            done.map_err(|tensor| self.stop(epoch, sums.batches + 1, tensor))?;
        }
        Ok(sums)
    }

    /// Forward, loss, backward, step. What is not finite is found before it is used; its name is the error.
    fn step(&mut self, x: &Tensor, y: &Tensor, sums: &mut Sums, count: bool) -> Result<(), String> {
        let outputs = forward(&self.net, x)?;
        let loss = self.objective.loss.forward(&outputs, y);
        finite(|| "the loss".into(), &loss)?;
        loss.backward();
        self.watch.gradients()?;
        self.optimizer.step();
        self.optimizer.zero_grad();
        self.watch.state(&*self.optimizer)?;
        self.steps += 1;
        if count {
            sums.add(&self.objective, loss.item(), &outputs, y);
        } else {
            sums.batches += 1;
        }
        Ok(())
    }

    fn stop(&self, epoch: usize, step: usize, tensor: String) -> Error {
        Error::NotFinite { epoch, step, tensor, lr: self.optimizer.lr() }
    }

    fn row(
        &self,
        epoch: usize,
        sums: &Sums,
        loader: Option<&DataLoader>,
        seconds: f64,
    ) -> Result<EpochRow, Error> {
        self.net.eval();
        let report = &self.recipe.report;
        let judge = |name: &str, part: &Part| self.judge(epoch, sums, name, part);
        let mut train = sums.figures();
        match (report.train, loader) {
            (Measured::Step, _) => {}
            (Measured::After, None) => train.accuracy = judge("training", &self.data.train)?.accuracy,
            (Measured::After, Some(loader)) => {
                let mut after = Sums::default();
                for (x, y) in loader {
                    let outputs = no_grad(|| forward(&self.net, &x));
                    let outputs = outputs.map_err(|tensor| self.stop(epoch, sums.batches, tensor))?;
                    after.add(&self.objective, 0.0, &outputs, &y);
                }
                train.accuracy = after.figures().accuracy;
            }
        }
        let validation = self.data.validation.as_ref().map(|part| judge("validation", part)).transpose()?;
        let watched = report.test.unwrap_or(validation.is_none());
        let test = watched.then(|| judge("test", &self.data.test)).transpose()?;
        let reported = report.includes(epoch) || epoch == self.recipe.epochs;
        let (step, lr) = (self.steps, self.optimizer.lr());
        Ok(EpochRow { epoch, step, train, validation, test, lr, seconds, reported })
    }

    /// [`evaluate`], whose outputs and loss must be finite.
    fn judge(&self, epoch: usize, sums: &Sums, name: &str, part: &Part) -> Result<Figures, Error> {
        let stop = |what: &str| self.stop(epoch, sums.batches, format!("the {what} of the {name} data"));
        let outputs = outputs(&self.net, &part.x);
        if !is_finite(&outputs) {
            return Err(stop("output"));
        }
        let figures = figures(&self.objective, &outputs, part);
        if figures.loss.is_finite() { Ok(figures) } else { Err(stop("loss")) }
    }
}

/// The epochs of a [`Training`] as they are trained.
pub struct Epochs<'a> {
    training: &'a mut Training,
    loader: Option<DataLoader>,
    epoch: usize,
    start: Instant,
}

impl Epochs<'_> {
    fn train_on(&mut self) -> Result<Option<EpochRow>, Error> {
        let Epochs { training, loader, epoch, start } = self;
        if *epoch == 0 {
            training.inputs()?;
        }
        while *epoch < training.recipe.epochs {
            *epoch += 1;
            let at = *epoch;
            let here = |e: Error| e.at(format_args!("epoch {at}"));
            let keep = training.recipe.report.keeps(at) || at == training.recipe.epochs;
            let sums = guarded(|| training.epoch(at, loader.as_ref(), keep)).map_err(here)?;
            if keep {
                let seconds = start.elapsed().as_secs_f64();
                return guarded(|| training.row(at, &sums, loader.as_ref(), seconds)).map_err(here).map(Some);
            }
        }
        Ok(None)
    }
}

impl Iterator for Epochs<'_> {
    type Item = Result<EpochRow, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.train_on();
        if row.is_err() {
            self.epoch = self.training.recipe.epochs.max(1);
        }
        row.map_err(|e| self.training.recipe.named(e)).transpose()
    }
}

/// Loss and accuracy of a net on one part of the data, computed in pieces that fit in memory. The net's mode is the
/// caller's business.
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
pub fn evaluate(net: &Sequential, objective: &Objective, part: &Part) -> Figures {
    figures(objective, &outputs(net, &part.x), part)
}

/// The outputs of a net for all samples, in pieces.
pub(crate) fn outputs(net: &Sequential, x: &Tensor) -> Tensor {
    let n = x.size(0);
    let piece = |start| no_grad(|| net.forward(&x.narrow(0, start, PIECE.min(n - start))));
    Tensor::cat(&(0..n).step_by(PIECE).map(piece).collect::<Vec<_>>(), 0)
}

pub(crate) fn figures(objective: &Objective, outputs: &Tensor, part: &Part) -> Figures {
    let loss = no_grad(|| objective.loss.forward(outputs, &part.y)).item();
    let correct = objective.correct(outputs, &part.y);
    Figures { loss, accuracy: correct.map(|n| n as f64 / part.len() as f64) }
}
