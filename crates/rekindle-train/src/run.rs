//! The training loop of a recipe: forward, loss, backward, step, and the figures after each reported epoch.

use crate::error::{Error, guarded};
use crate::finite::{Watch, finite, forward, is_finite};
use crate::fit::{PIECE, check_fit};
use crate::layers::build_net;
use crate::objective::Objective;
use crate::optimizers::build_optimizer;
use crate::recipe::{Measured, Recipe};
use crate::source::{Data, Part, load};
use rekindle_data::{DataLoader, TensorDataset};
use rekindle_nn::optim::Optimizer;
use rekindle_nn::{Module, Parameters, Sequential};
use rekindle_tensor::{Tensor, no_grad, random};
use std::path::Path;
use std::time::Instant;

/// The figures of one reported epoch. Accuracies are fractions from 0 to 1; regression has none.
#[derive(Clone, Debug)]
pub struct EpochRow {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The mean of the losses of the epoch's training steps.
    pub train_loss: f64,
    /// The accuracy on the training data; see [`Measured`].
    pub train_acc: Option<f64>,
    /// The loss on the test data.
    pub test_loss: f64,
    /// The accuracy on the test data.
    pub test_acc: Option<f64>,
    /// Seconds since the start of training.
    pub seconds: f64,
}

/// A finished run.
pub struct Trained {
    /// The trained net, in evaluation mode.
    pub net: Sequential,
    /// The data it was trained on and tested with.
    pub data: Data,
    /// The reported epochs.
    pub rows: Vec<EpochRow>,
}

/// Trains as a recipe says and reports each row as it comes. Image files are looked for in `data`.
///
/// ```
/// use rekindle_train::{CIRCLES, Recipe, run};
/// let recipe = Recipe { epochs: 1, ..Recipe::from_toml(CIRCLES)? };
/// let trained = run(&recipe, None, &mut |row| println!("{row:?}"))?;
/// assert_eq!(format!("{:.5}", trained.rows[0].train_loss), "0.69295");
/// # Ok::<(), rekindle_train::Error>(())
/// ```
///
/// # Errors
/// If the recipe is not valid or does not fit its data, the data cannot be loaded, or a number stops being finite.
pub fn run(
    recipe: &Recipe,
    data: Option<&Path>,
    report: &mut dyn FnMut(&EpochRow),
) -> Result<Trained, Error> {
    train(recipe, data, report).map_err(|e| match &recipe.file {
        Some(file) => e.at(file.display()),
        None => e,
    })
}

fn train(recipe: &Recipe, data: Option<&Path>, report: &mut dyn FnMut(&EpochRow)) -> Result<Trained, Error> {
    recipe.check().map_err(Error::Recipe)?;
    let mut training = guarded(|| {
        let objective = Objective::build(&recipe.loss).map_err(Error::Recipe)?;
        let data = load(recipe, data)?;
        random::manual_seed(recipe.seed);
        let net = build_net(&recipe.net).map_err(Error::Recipe)?;
        let optimizer = build_optimizer(&recipe.optimizer, net.parameters()).map_err(Error::Recipe)?;
        check_fit(recipe, &net, &objective, &data)?;
        Ok(Training { recipe, objective, watch: Watch::new(&net), net, optimizer, data })
    })?;
    let rows = training.epochs(report)?;
    training.net.eval();
    Ok(Trained { net: training.net, data: training.data, rows })
}

struct Training<'a> {
    recipe: &'a Recipe,
    objective: Objective,
    net: Sequential,
    optimizer: Box<dyn Optimizer>,
    data: Data,
    watch: Watch,
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

    fn mean_loss(&self) -> f64 {
        self.loss / self.batches as f64
    }

    fn accuracy(&self) -> Option<f64> {
        self.correct.map(|n| n as f64 / self.samples as f64)
    }
}

impl Training<'_> {
    fn epochs(&mut self, report: &mut dyn FnMut(&EpochRow)) -> Result<Vec<EpochRow>, Error> {
        let start = Instant::now();
        for (name, part) in [("training", &self.data.train), ("test", &self.data.test)] {
            finite(|| format!("the {name} data"), &part.x).map_err(|tensor| self.stop(1, 1, tensor))?;
            finite(|| format!("the {name} targets"), &part.y).map_err(|tensor| self.stop(1, 1, tensor))?;
        }
        let train = &self.data.train;
        let loader = self.recipe.batch_size.map(|size| {
            let set = TensorDataset::new(train.x.clone(), train.y.clone());
            DataLoader::new(set).batch_size(size).shuffle(self.recipe.shuffle)
        });
        let mut rows = Vec::new();
        for epoch in 1..=self.recipe.epochs {
            let report_this = self.recipe.report.includes(epoch) || epoch == self.recipe.epochs;
            let here = |e: Error| e.at(format_args!("epoch {epoch}"));
            let sums = guarded(|| self.epoch(epoch, loader.as_ref(), report_this)).map_err(here)?;
            if report_this {
                let seconds = start.elapsed().as_secs_f64();
                let row = guarded(|| self.row(epoch, &sums, loader.as_ref(), seconds)).map_err(here)?;
                report(&row);
                rows.push(row);
            }
        }
        Ok(rows)
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
        let train_acc = match (self.recipe.report.train, loader) {
            (Measured::Step, _) => sums.accuracy(),
            (Measured::After, None) => self.judge(epoch, sums, "training", &self.data.train)?.1,
            (Measured::After, Some(loader)) => {
                let mut after = Sums::default();
                for (x, y) in loader {
                    let outputs = no_grad(|| forward(&self.net, &x));
                    let outputs = outputs.map_err(|tensor| self.stop(epoch, sums.batches, tensor))?;
                    after.add(&self.objective, 0.0, &outputs, &y);
                }
                after.accuracy()
            }
        };
        let (test_loss, test_acc) = self.judge(epoch, sums, "test", &self.data.test)?;
        Ok(EpochRow { epoch, train_loss: sums.mean_loss(), train_acc, test_loss, test_acc, seconds })
    }

    /// [`evaluate`], whose outputs and loss must be finite.
    fn judge(&self, epoch: usize, sums: &Sums, name: &str, part: &Part) -> Result<(f64, Option<f64>), Error> {
        let stop = |what: &str| self.stop(epoch, sums.batches, format!("the {what} of the {name} data"));
        let outputs = outputs(&self.net, &part.x);
        if !is_finite(&outputs) {
            return Err(stop("output"));
        }
        let (loss, accuracy) = figures(&self.objective, &outputs, part);
        if loss.is_finite() { Ok((loss, accuracy)) } else { Err(stop("loss")) }
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
/// let (loss, accuracy) = evaluate(&trained.net, &objective, &trained.data.test);
/// assert_eq!((loss, accuracy), (trained.rows[0].test_loss, trained.rows[0].test_acc));
/// # Ok::<(), rekindle_train::Error>(())
/// ```
pub fn evaluate(net: &Sequential, objective: &Objective, part: &Part) -> (f64, Option<f64>) {
    figures(objective, &outputs(net, &part.x), part)
}

fn outputs(net: &Sequential, x: &Tensor) -> Tensor {
    let n = x.size(0);
    let piece = |start| no_grad(|| net.forward(&x.narrow(0, start, PIECE.min(n - start))));
    Tensor::cat(&(0..n).step_by(PIECE).map(piece).collect::<Vec<_>>(), 0)
}

fn figures(objective: &Objective, outputs: &Tensor, part: &Part) -> (f64, Option<f64>) {
    let loss = no_grad(|| objective.loss.forward(outputs, &part.y)).item();
    let correct = objective.correct(outputs, &part.y);
    (loss, correct.map(|n| n as f64 / part.len() as f64))
}
