//! The loop itself: epochs, batches, updates, and the figures of each epoch.

use super::device::{Moved, OnDevice};
use super::{PIECE, Parts, Trainer, device_of, figures, outputs_by};
use crate::error::{Error, guarded};
use crate::finite::{at_once, finite};
use crate::history::{Batch, EpochRow, Figures, Sums};
use crate::observer::{Flow, Observer, Step};
use crate::part::Part;
use crate::recipe::Measured;
use rekindle_data::DataLoader;
use rekindle_nn::optim::clip_grad_norm_;
use rekindle_nn::{Module, StateDict};
use rekindle_tensor::random::with_default;
use rekindle_tensor::{Tensor, no_grad};
use std::time::{Duration, Instant};

/// The training data, cut into the batches of a step.
pub(crate) struct Batches {
    loader: Option<DataLoader>,
    train: Part,
}

impl Batches {
    pub(super) fn new<N>(trainer: &Trainer<N>, train: &Part) -> Batches {
        let loader = trainer
            .options
            .batch_size
            .map(|size| DataLoader::new(train.dataset()).batch_size(size).shuffle(trainer.options.shuffle))
            // What must be read from the disk is read while the batch before is learned.
            .map(|loader| loader.num_workers(usize::from(train.is_on_disk())));
        Batches { loader, train: train.clone() }
    }

    /// Batches of an epoch.
    pub(super) fn len(&self) -> usize {
        self.loader.as_ref().map_or(1, DataLoader::len)
    }

    /// The batches after the first `done` ones. What an order draws is drawn now.
    pub(super) fn from(&self, done: usize) -> impl Iterator<Item = (Tensor, Tensor)> + '_ {
        let whole = self.loader.is_none().then(|| (self.train.x(), self.train.y.clone()));
        let batches = self.loader.as_ref().map(|loader| {
            let mut batches = loader.iter();
            if done > 0 {
                batches.advance(done);
            }
            batches
        });
        whole.into_iter().chain(batches.into_iter().flatten())
    }
}

/// Where training is.
pub(crate) struct Place {
    /// Epochs that are complete.
    pub(super) done: usize,
    /// Batches of the next epoch that are done.
    pub(super) batch: usize,
    /// The state of the default generator when that epoch began, if an order was drawn then.
    pub(super) dawn: Vec<u8>,
    /// The sums over these batches, and over how many of them they are.
    pub(super) sums: Sums,
    /// What training took before it was interrupted.
    pub(super) before: Duration,
    pub(super) start: Instant,
    pub(super) flow: Flow,
    /// What the observers knew before they were told of an epoch that was measured only because it was the last one: training
    /// that goes on later is to be as if it had never ended there.
    pub(super) untold: Option<Vec<StateDict>>,
}

impl Place {
    pub(super) fn new() -> Place {
        Place {
            done: 0,
            batch: 0,
            dawn: Vec::new(),
            sums: Sums::default(),
            before: Duration::ZERO,
            start: Instant::now(),
            flow: Flow::Continue,
            untold: None,
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.before + self.start.elapsed()
    }

    /// The epoch that is being trained, counted from 1.
    fn epoch(&self) -> usize {
        self.done + 1
    }

    fn end_epoch(&mut self) {
        (self.done, self.batch, self.sums) = (self.done + 1, 0, Sums::default());
    }
}

pub(super) type Observers<'a, 'b> = &'a mut [&'b mut dyn Observer];

impl<N: Module> Trainer<N> {
    /// Trains from a place until all epochs are done or somebody says stop.
    pub(super) fn run(
        &mut self,
        parts: Parts,
        place: &mut Place,
        observers: Observers,
    ) -> Result<Vec<EpochRow>, Error> {
        self.inputs(parts)?;
        let moved = Moved::new(parts, device_of(&self.net));
        let parts = moved.parts();
        self.on_device = OnDevice::new(device_of(&self.net));
        let batches = Batches::new(self, parts.train);
        let mut rows = Vec::new();
        if place.done >= self.options.epochs || place.flow == Flow::Stop {
            // A checkpoint of a training that had ended says more than one that was written now.
            return Ok(rows);
        }
        // What a checkpoint brought, or the user: no update starts from what is not finite.
        self.watch
            .buffers()
            .and_then(|()| self.watch.update(&*self.optimizer))
            .map_err(|tensor| self.stop(place.epoch(), place.batch + 1, tensor))?;
        while place.done < self.options.epochs && place.flow == Flow::Continue {
            let epoch = place.epoch();
            let here = |e: Error| e.at(format_args!("epoch {epoch}"));
            let keep = self.options.report.keeps(epoch) || epoch == self.options.epochs;
            guarded(|| self.epoch(&batches, place, keep, observers)).map_err(here)?;
            if place.batch < batches.len() {
                break;
            }
            let row = keep.then(|| guarded(|| self.row(parts, &batches, place))).transpose().map_err(here)?;
            let asked_for = self.options.report.keeps(epoch);
            if let Some(scheduler) = &mut self.scheduler {
                let row = row.as_ref().filter(|_| asked_for);
                scheduler.after_epoch(row, &mut *self.optimizer).map_err(here)?;
            }
            place.end_epoch();
            if let Some(row) = row {
                place.untold = (!asked_for).then(|| observers.iter().map(|o| o.state_dict()).collect());
                for observer in observers.iter_mut() {
                    place.flow = place.flow.max(observer.epoch(&row, &self.net)?);
                }
                rows.push(row);
            }
            if self.options.max_time.is_some_and(|most| place.start.elapsed() >= most) {
                place.flow = Flow::Stop;
            }
            if place.done < self.options.epochs && place.flow == Flow::Continue {
                self.save_when_due(place, observers)?;
            }
        }
        self.save_now(place, observers)?;
        Ok(rows)
    }

    fn inputs(&self, parts: Parts) -> Result<(), Error> {
        let named = [("train", Some(parts.train)), ("validation", parts.validation), ("test", parts.test)];
        for (name, part) in named.into_iter().filter_map(|(name, part)| Some((name, part?))) {
            for start in (0..part.len()).step_by(PIECE) {
                let x = part.inputs(start, PIECE.min(part.len() - start));
                let which = || {
                    let bad = (0..x.size(0)).find(|&i| !x.narrow(0, i, 1).all_finite()).unwrap_or(0) + start;
                    let place = part.place(bad).map_or(String::new(), |place| format!(", {place}"));
                    format!("sample {} of the {name} data{place}", bad + 1)
                };
                finite(which, &x).map_err(|tensor| self.stop(1, 1, tensor))?;
            }
            finite(|| format!("the {name} targets"), &part.y).map_err(|tensor| self.stop(1, 1, tensor))?;
        }
        Ok(())
    }

    /// What remains of a pass over the training data.
    fn epoch(
        &mut self,
        batches: &Batches,
        place: &mut Place,
        count: bool,
        observers: Observers,
    ) -> Result<(), Error> {
        self.net.train();
        let remaining = place.resumed(batches)?;
        let (epoch, epochs, n) = (place.epoch(), self.options.epochs, batches.len());
        if count && place.sums.batches < place.batch {
            return Err(Error::Recipe(format!(
                "the checkpoint has no figures of the first {} batches, because the epoch was not to be reported; train for more than {epoch} epochs",
                place.batch
            )));
        }
        let first = place.batch;
        for (i, (x, y)) in remaining.enumerate() {
            let done = first + i + 1;
            let last = done == n;
            let update = last || done.is_multiple_of(self.options.accumulate);
            let known = self.stepped(&x, &y, update, count, last);
            let known = known.map_err(|(ahead, tensor)| self.stop(epoch, place.batch + 1 + ahead, tensor))?;
            for batch in known {
                place.batch += 1;
                let step = Step { epoch, epochs, batch: place.batch, batches: n, loss: batch.loss };
                if count {
                    place.sums.add(batch);
                }
                for observer in observers.iter_mut() {
                    place.flow = place.flow.max(observer.step(&step)?);
                }
            }
            if place.batch == done && !last {
                if place.flow == Flow::Stop {
                    break;
                }
                self.save_when_due(place, observers)?;
            }
        }
        Ok(())
    }

    /// Trains on a batch and says what is known of it, and of those before of which nothing was known: on a GPU that comes many steps at a
    /// time, at the latest with the `last` batch. An error is how many batches after the last known one something was not finite, and what.
    fn stepped(
        &mut self,
        x: &Tensor,
        y: &Tensor,
        update: bool,
        count: bool,
        last: bool,
    ) -> Result<Vec<Batch>, (usize, String)> {
        if let Some(mut on) = self.on_device.take() {
            let left = self.leave(&mut on, x, y, update, count);
            let due = self.checkpoints.as_ref().is_some_and(|checkpoints| checkpoints.due());
            let known = self.read(&mut on, last || due || left.is_err());
            self.on_device = Some(on);
            // What the device found came first.
            return known.and_then(|known| match left {
                Ok(_) => Ok(known),
                Err(e) => Err((known.len().saturating_sub(1), e)),
            });
        }
        let (loss, outputs) = self.batch(x, y, update, count).map_err(|tensor| (0, tensor))?;
        let correct = outputs.and_then(|outputs| self.objective.correct(&outputs, y));
        Ok(vec![Batch { loss, correct, samples: y.size(0) }])
    }

    /// Forward, loss, backward and, when enough gradients are added up, the update. What is not finite is found before it is
    /// used; its name is the error. Gives the outputs, too, if they are wanted.
    pub(super) fn batch(
        &mut self,
        x: &Tensor,
        y: &Tensor,
        update: bool,
        wanted: bool,
    ) -> Result<(f64, Option<Tensor>), String> {
        if let Some(mut on) = self.on_device.take().or_else(|| OnDevice::new(device_of(&self.net))) {
            let left = self.leave(&mut on, x, y, update, wanted);
            let known = self.read(&mut on, true).map_err(|(_, tensor)| tensor);
            self.on_device = Some(on);
            let (outputs, known) = (left?, known?);
            return Ok((known.first().map_or(f64::NAN, |batch| batch.loss), wanted.then_some(outputs)));
        }
        // A weight that an observer or the user has spoiled since the last update is named before the output that it spoils.
        let (loss, outputs) =
            self.gradients(x, y, wanted).map_err(|tensor| self.watch.weights().err().unwrap_or(tensor))?;
        self.watch.passes()?;
        if update {
            if let Some(norm) = self.options.clip_grad_norm {
                let before = clip_grad_norm_(&self.net.parameters(), norm);
                if !before.is_finite() {
                    // It would clip every gradient to nothing.
                    return Err("the norm of the gradients".into());
                }
            }
            self.optimizer.step();
            self.optimizer.zero_grad();
            self.watch.update(&*self.optimizer)?;
            if let Some(scheduler) = &mut self.scheduler {
                scheduler.after_step(&mut *self.optimizer);
            }
            self.steps += 1;
        }
        Ok((loss, outputs))
    }

    /// How the first batch is run: what is replayed, or why it runs eagerly. Weights, buffers and the generator are afterwards as before.
    pub(crate) fn plan(&mut self, train: &Part) -> Result<Result<Vec<String>, String>, Error> {
        self.net.train();
        (self.captured, self.on_device) = Default::default();
        let before: Vec<(Tensor, Tensor)> =
            self.net.named_buffers().into_iter().map(|(_, b)| (b.clone(), b.copy())).collect();
        let generator = with_default(|g| g.clone());
        let batches = Batches::new(self, train);
        let steps = guarded(|| {
            let Some((x, y)) = batches.from(0).next() else { return Ok(()) };
            // What two steps did alike is captured.
            for _ in 0..2 {
                self.batch(&x, &y, false, false).map_err(|tensor| self.stop(1, 1, tensor))?;
                self.net.zero_grad();
            }
            Ok(())
        });
        before.iter().for_each(|(buffer, before)| _ = buffer.copy_(before));
        with_default(|g| *g = generator);
        steps?;
        Ok(match self.captured.refusal() {
            _ if self.options.accumulate > 1 => Err("gradients of several batches are accumulated".into()),
            Some(why) => Err(why.into()),
            None => Ok(self.captured.describe()),
        })
    }

    /// The loss of a batch, and the outputs for it if they are wanted; the parameters have their gradients then. Steps that are alike are replayed; see
    /// [`Captured`](rekindle_nn::Captured).
    fn gradients(&mut self, x: &Tensor, y: &Tensor, wanted: bool) -> Result<(f64, Option<Tensor>), String> {
        let Trainer { net, objective, forward, captured, .. } = self;
        let step = || {
            let outputs = forward(net, x, &mut at_once)?;
            let loss = objective.loss.forward(&outputs, y);
            finite(|| "the loss".into(), &loss)?;
            Ok((loss, outputs))
        };
        if self.options.eager || self.options.accumulate > 1 {
            let (loss, outputs) = step()?;
            match self.options.accumulate {
                1 => loss.backward(),
                n => (&loss / n as f64).backward(),
            }
            return Ok((loss.item(), wanted.then_some(outputs)));
        }
        if let Some(loss) = captured.replay(x, y) {
            return Ok((loss, wanted.then(|| captured.outputs())));
        }
        let of = |result: &Result<(Tensor, Tensor), String>| Some(result.as_ref().ok()?.0.clone());
        let (loss, outputs) = captured.record(x, y, step, of)?;
        loss.backward();
        Ok((loss.item(), wanted.then_some(outputs)))
    }

    pub(super) fn stop(&self, epoch: usize, step: usize, tensor: String) -> Error {
        Error::NotFinite { epoch, step, tensor, lr: self.optimizer.lr() }
    }

    /// The figures of the epoch. An epoch that is measured only because it is the last draws nothing; see [`Place::untold`].
    fn row(&mut self, parts: Parts, batches: &Batches, place: &Place) -> Result<EpochRow, Error> {
        self.net.eval();
        let (epoch, report) = (place.epoch(), self.options.report.clone());
        let before = (!report.keeps(epoch)).then(|| with_default(|g| g.clone()));
        let mut train = place.sums.figures();
        match (report.train, &batches.loader) {
            (Measured::Step, _) => {}
            (Measured::After, None) => {
                train.accuracy = self.judge(place, "training", parts.train)?.0.accuracy
            }
            (Measured::After, Some(loader)) => {
                let (mut right, mut samples) = (None, 0);
                let mut on = self.on_device.take();
                for (x, y) in loader {
                    let (x, y) = (x.to(device_of(&self.net)), y.to(device_of(&self.net)));
                    let mut look = |name: &dyn Fn() -> String, t: &Tensor| match &mut on {
                        None => at_once(name, t),
                        Some(on) => {
                            on.look(vec![(name(), t.clone())]);
                            Ok(())
                        }
                    };
                    let outputs = no_grad(|| (self.forward)(&self.net, &x, &mut look));
                    let outputs = outputs.map_err(|tensor| self.stop(epoch, place.batch, tensor))?;
                    samples += y.size(0);
                    // They are added where they are: on a GPU nobody waits for each batch.
                    let more = self.objective.right(&outputs, &y);
                    right = right.zip(more.clone()).map(|(a, b): (Tensor, Tensor)| a + b).or(more);
                }
                let read = on.as_mut().map_or(Ok(Vec::new()), |on| self.read(on, true));
                self.on_device = on;
                read.map_err(|(_, tensor)| self.stop(epoch, place.batch, tensor))?;
                train.accuracy = right.map(|n| n.item::<i64>() as f64 / samples as f64);
            }
        }
        if let Some(before) = before {
            with_default(|g| *g = before);
        }
        let reported = report.includes(epoch) || epoch == self.options.epochs;
        let validation = parts.validation.map(|part| self.judge(place, "validation", part)).transpose()?;
        let watched = parts.test.filter(|_| self.watches_test(parts));
        let test = watched.map(|part| self.judge(place, "test", part)).transpose()?;
        let measured = validation.as_ref().zip(parts.validation).or(test.as_ref().zip(watched));
        let metrics = match measured {
            Some(((_, outputs), part)) if !self.metrics.is_empty() => {
                self.measure(parts, &outputs.cpu(), &part.with_targets(part.y.cpu()))
            }
            _ => Vec::new(),
        };
        let [validation, test] = [validation, test].map(|judged| judged.map(|(figures, _)| figures));
        let (step, lr, seconds) = (self.steps, self.optimizer.lr(), place.elapsed().as_secs_f64());
        Ok(EpochRow { epoch, step, train, validation, metrics, test, lr, seconds, reported })
    }

    /// [`evaluate`](super::evaluate), whose outputs and loss must be finite; gives the outputs, too.
    fn judge(&mut self, place: &Place, name: &str, part: &Part) -> Result<(Figures, Tensor), Error> {
        let passes = (!self.options.eager).then_some(&mut self.passes);
        let outputs = outputs_by(passes, &self.net, part);
        let stop =
            |what: &str| self.stop(place.epoch(), place.batch, format!("the {what} of the {name} data"));
        if !outputs.all_finite() {
            return Err(stop("output"));
        }
        let figures = figures(&self.objective, &outputs, part);
        if figures.loss.is_finite() { Ok((figures, outputs)) } else { Err(stop("loss")) }
    }
}

impl Place {
    /// The batches of the epoch that are not done. In the middle of an epoch its order is drawn again from where the generator
    /// stood at its beginning, and the generator goes on from where it stands.
    fn resumed<'a>(
        &mut self,
        batches: &'a Batches,
    ) -> Result<impl Iterator<Item = (Tensor, Tensor)> + 'a, Error> {
        if self.batch == 0 {
            if batches.loader.is_some() {
                self.dawn = with_default(|g| g.get_state());
            }
            return Ok(batches.from(0));
        }
        if self.batch >= batches.len() {
            return Err(Error::Recipe(format!(
                "the checkpoint was written after batch {} of an epoch, which now has {}; train with the data and batch size of before",
                self.batch,
                batches.len()
            )));
        }
        let now = with_default(|g| g.clone());
        with_default(|g| g.set_state(&self.dawn))
            .map_err(|e| Error::Recipe(format!("the checkpoint: {e}")))?;
        let remaining = batches.from(self.batch);
        with_default(|g| *g = now);
        Ok(remaining)
    }
}
