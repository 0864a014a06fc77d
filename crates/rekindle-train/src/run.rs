//! The training loop of a recipe: forward, loss, backward, step, and the figures after each reported epoch.

use crate::error::Error;
use crate::layers::{build_net, build_optimizer};
use crate::objective::Objective;
use crate::recipe::{Measured, Recipe};
use crate::source::{Part, Split, load};
use rekindle_data::{DataLoader, TensorDataset};
use rekindle_nn::optim::Optimizer;
use rekindle_nn::{Module, Parameters, Sequential};
use rekindle_tensor::{Tensor, check, no_grad, random};
use std::path::Path;
use std::time::Instant;

/// The figures of one reported epoch. Accuracies are fractions from 0 to 1; regression has none.
#[derive(Clone, Debug)]
pub struct Row {
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
    pub data: Split,
    /// The reported epochs.
    pub rows: Vec<Row>,
}

/// Trains as a recipe says and reports each row as it comes. Image files are looked for in `data`.
///
/// # Errors
/// If the recipe names something that does not exist, the data cannot be loaded, or the loss stops being finite.
pub fn run(recipe: &Recipe, data: Option<&Path>, report: &mut dyn FnMut(&Row)) -> Result<Trained, Error> {
    let objective = Objective::build(&recipe.loss).map_err(Error::Recipe)?;
    let data = load(recipe, data)?;
    random::manual_seed(recipe.seed);
    let net = build_net(&recipe.net).map_err(Error::Recipe)?;
    let optimizer = build_optimizer(&recipe.optimizer, net.parameters()).map_err(Error::Recipe)?;
    fits(&net, &objective, &data).map_err(Error::Recipe)?;
    let mut training = Training { recipe, objective, net, optimizer, data };
    let rows = training.epochs(report)?;
    training.net.eval();
    Ok(Trained { net: training.net, data: training.data, rows })
}

/// Holds net, loss and data against each other before anything is trained: two samples, in evaluation mode, so that
/// nothing is drawn.
fn fits(net: &Sequential, objective: &Objective, data: &Split) -> Result<(), String> {
    net.eval();
    for part in [&data.train, &data.test] {
        let n = part.len().min(2);
        let (x, y) = (part.x.narrow(0, 0, n), part.y.narrow(0, 0, n));
        let outputs = check(|| no_grad(|| net.forward(&x)))
            .map_err(|e| format!("net: it does not fit the data: {e}"))?;
        check(|| no_grad(|| objective.loss.forward(&outputs, &y)))
            .map_err(|e| format!("loss: it does not fit the net: {e}"))?;
    }
    Ok(())
}

struct Training<'a> {
    recipe: &'a Recipe,
    objective: Objective,
    net: Sequential,
    optimizer: Box<dyn Optimizer>,
    data: Split,
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
    fn epochs(&mut self, report: &mut dyn FnMut(&Row)) -> Result<Vec<Row>, Error> {
        let start = Instant::now();
        let train = &self.data.train;
        let loader = self.recipe.batch_size.map(|size| {
            let set = TensorDataset::new(train.x.clone(), train.y.clone());
            DataLoader::new(set).batch_size(size).shuffle(self.recipe.shuffle)
        });
        let mut rows = Vec::new();
        for epoch in 1..=self.recipe.epochs {
            let report_this = self.recipe.report.includes(epoch) || epoch == self.recipe.epochs;
            let step = self.epoch(epoch, loader.as_ref(), report_this)?;
            if report_this {
                let row = self.row(epoch, &step, loader.as_ref(), start.elapsed().as_secs_f64());
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
        match loader {
            None => {
                self.step(epoch, &self.data.train.x.clone(), &self.data.train.y.clone(), &mut sums, count)?
            }
            Some(loader) => {
                for (x, y) in loader {
                    self.step(epoch, &x, &y, &mut sums, count)?;
                }
            }
        }
        Ok(sums)
    }

    /// Forward, loss, backward, step.
    fn step(
        &mut self,
        epoch: usize,
        x: &Tensor,
        y: &Tensor,
        sums: &mut Sums,
        count: bool,
    ) -> Result<(), Error> {
        let outputs = self.net.forward(x);
        let loss = self.objective.loss.forward(&outputs, y);
        let value: f64 = loss.item();
        if !value.is_finite() {
            return Err(Error::NotFinite { epoch, loss: value, lr: self.optimizer.lr() });
        }
        loss.backward();
        self.optimizer.step();
        self.optimizer.zero_grad();
        if count {
            sums.add(&self.objective, value, &outputs, y);
        } else {
            sums.batches += 1;
        }
        Ok(())
    }

    fn row(&self, epoch: usize, step: &Sums, loader: Option<&DataLoader>, seconds: f64) -> Row {
        self.net.eval();
        let train_acc = match (self.recipe.report.train, loader) {
            (Measured::Step, _) => step.accuracy(),
            (Measured::After, None) => evaluate(&self.net, &self.objective, &self.data.train).1,
            (Measured::After, Some(loader)) => {
                let mut sums = Sums::default();
                for (x, y) in loader {
                    sums.add(&self.objective, 0.0, &no_grad(|| self.net.forward(&x)), &y);
                }
                sums.accuracy()
            }
        };
        let (test_loss, test_acc) = evaluate(&self.net, &self.objective, &self.data.test);
        Row { epoch, train_loss: step.mean_loss(), train_acc, test_loss, test_acc, seconds }
    }
}

/// Loss and accuracy of a net on one part of the data, computed in pieces that fit in memory. The net's mode is the
/// caller's business.
pub fn evaluate(net: &Sequential, objective: &Objective, part: &Part) -> (f64, Option<f64>) {
    const ROWS: usize = 16 * 1024;
    let mut outputs = Vec::new();
    no_grad(|| {
        for start in (0..part.len()).step_by(ROWS) {
            outputs.push(net.forward(&part.x.narrow(0, start, ROWS.min(part.len() - start))));
        }
        let outputs = Tensor::cat(&outputs, 0);
        let loss: f64 = objective.loss.forward(&outputs, &part.y).item();
        let correct = objective.correct(&outputs, &part.y);
        (loss, correct.map(|n| n as f64 / part.len() as f64))
    })
}
