//! Everything that training depends on, taken out and put back: what a checkpoint holds.

use super::Trainer;
use super::pass::{Observers, Place};
use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::history::Sums;
use crate::observer::Flow;
use crate::part::Part;
use rekindle_nn::{Module, StateDict, StateDictError};
use rekindle_tensor::random::with_default;
use rekindle_tensor::{DType, Tensor};
use std::time::Duration;

/// What [`Part::fingerprint`](crate::Part) of the training data is called.
const FINGERPRINT: &str = "data.fingerprint";

/// What the place of the CUDA generator is called.
const CUDA: &str = "generator.cuda";

impl Checkpoint {
    /// That it is of a training on this data, as far as can be told.
    pub(crate) fn must_be_of(&self, train: &Part) -> Result<(), Error> {
        let known = self.state().get(FINGERPRINT).filter(|t| t.dtype() == DType::I64).map(bytes);
        if known.is_none_or(|known| known == train.fingerprint()) {
            return Ok(());
        }
        Err(Error::Recipe(
            "the training data is not that of the checkpoint; bring the files back as they were, or train anew".into(),
        ))
    }
}

impl<N: Module> Trainer<N> {
    /// The names: `model.0.weight`, `optimizer.state.0.exp_avg`, `scheduler.last_epoch`, `gradient.0.weight` (only between two
    /// updates of accumulated gradients), `observer.0...` (and `untold.0...`, see [`Place::untold`]), and where training is.
    fn state(&self, place: &Place, observers: Observers) -> Checkpoint {
        let mut all = StateDict::new();
        all.extend_under("model", &self.net.state_dict());
        all.extend_under("optimizer", &self.optimizer.state_dict());
        if let Some(scheduler) = &self.scheduler {
            all.extend_under("scheduler", &scheduler.state_dict());
        }
        for (name, parameter) in self.net.named_parameters() {
            if let Some(gradient) = parameter.grad() {
                all.insert(format!("gradient.{name}"), gradient.cpu());
            }
        }
        for (i, observer) in observers.iter().enumerate() {
            all.extend_under(&format!("observer.{i}"), &observer.state_dict());
        }
        for (i, state) in place.untold.iter().flatten().enumerate() {
            all.extend_under(&format!("untold.{i}"), state);
        }
        let sums = &place.sums;
        let counts = [place.done, place.batch, self.steps, sums.batches, sums.samples].map(|n| n as i64);
        let correct = sums.correct.map_or(-1, |n| n as i64);
        all.insert("place.counts", Tensor::from_vec([&counts[..], &[correct]].concat(), 6));
        all.insert("place.untold", Tensor::full([], place.untold.is_some()));
        all.insert("place.loss", Tensor::full_of([], sums.loss, DType::F64));
        // The only entry that differs between two runs of the same recipe.
        all.insert("place.seconds", Tensor::full_of([], place.elapsed().as_secs_f64(), DType::F64));
        if let Some(fingerprint) = &self.fingerprint {
            all.insert(FINGERPRINT, words(fingerprint));
        }
        all.insert("generator.now", words(&with_default(|g| g.get_state())));
        all.insert(CUDA, words(&with_default(|g| g.cuda_state())));
        all.insert("generator.dawn", words(if place.batch > 0 { &place.dawn } else { &[] }));
        Checkpoint::new(all)
    }

    /// Puts everything back.
    pub(super) fn restore(&mut self, from: &Checkpoint, observers: Observers) -> Result<Place, Error> {
        let all = from.state();
        let wrong = |what: &str, e: StateDictError| {
            Error::Recipe(format!("the checkpoint's {what} does not fit: {e}"))
        };
        self.net.load_state_dict(&all.under("model")).map_err(|e| wrong("model", e))?;
        let first: Vec<f64> = self.optimizer.param_groups().iter().map(|group| group.lr).collect();
        self.optimizer.load_state_dict(&all.under("optimizer")).map_err(|e| wrong("optimizer", e))?;
        if let Some(scheduler) = &mut self.scheduler {
            let state = all.under("scheduler");
            scheduler.load_state_dict(&state).map_err(|e| wrong("scheduler", e))?;
            if self.options.other_length {
                scheduler.catch_up(&first, &mut *self.optimizer).map_err(|e| wrong("scheduler", e))?;
            }
        }
        for (name, parameter) in self.net.named_parameters() {
            let gradient = all.get(&format!("gradient.{name}"));
            parameter.set_grad(gradient.map(|g| g.to(parameter.device())));
        }
        let incomplete = || Error::Recipe("the checkpoint does not say where training was".into());
        let of = |name: &str, dtype, shape: &[usize]| {
            all.get(name).filter(|t| t.dtype() == dtype && t.shape() == shape).ok_or_else(incomplete)
        };
        let counts = of("place.counts", DType::I64, &[6])?.to_vec::<i64>();
        let [done, batch, steps, batches, samples] =
            [0, 1, 2, 3, 4].map(|i| usize::try_from(counts[i]).unwrap_or(0));
        let untold = of("place.untold", DType::Bool, &[])?.item::<bool>() && done < self.options.epochs;
        let known = if untold { "untold" } else { "observer" };
        let mut flow = Flow::Continue;
        for (i, observer) in observers.iter_mut().enumerate() {
            flow = flow.max(observer.load_state_dict(&all.under(&format!("{known}.{i}")))?);
        }
        let number = |name| Ok::<f64, Error>(of(name, DType::F64, &[])?.item());
        let bytes =
            |name| all.get(name).filter(|t| t.dtype() == DType::I64).map(bytes).ok_or_else(incomplete);
        let now = bytes("generator.now")?;
        let cuda = all.get(CUDA).map(|_| bytes(CUDA)).transpose()?;
        with_default(|g| {
            g.set_state(&now)?;
            // Checkpoints of before have none; nothing was drawn from it then.
            cuda.map_or(Ok(()), |cuda| g.set_cuda_state(&cuda))
        })
        .map_err(|e| Error::Recipe(format!("the checkpoint: {e}")))?;
        self.steps = steps;
        Ok(Place {
            done,
            batch,
            dawn: bytes("generator.dawn")?,
            sums: Sums {
                loss: number("place.loss")?,
                batches,
                correct: usize::try_from(counts[5]).ok(),
                samples,
            },
            before: Duration::try_from_secs_f64(number("place.seconds")?).unwrap_or_default(),
            flow,
            ..Place::new()
        })
    }

    /// Writes a checkpoint if the last one is old enough.
    pub(super) fn save_when_due(&mut self, place: &Place, observers: Observers) -> Result<(), Error> {
        match &self.checkpoints {
            Some(checkpoints) if checkpoints.due() => self.save_now(place, observers),
            _ => Ok(()),
        }
    }

    /// Writes a checkpoint, if they are kept.
    pub(super) fn save_now(&mut self, place: &Place, observers: Observers) -> Result<(), Error> {
        if self.checkpoints.is_none() {
            return Ok(());
        }
        observers.iter_mut().try_for_each(|observer| observer.checkpoint())?;
        let state = self.state(place, observers);
        self.checkpoints.as_mut().map_or(Ok(()), |checkpoints| checkpoints.write(&state))
    }
}

/// Bytes as whole numbers, the only ones that weight files and tensors share; the state of a generator has whole words.
fn words(bytes: &[u8]) -> Tensor {
    let words = bytes.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().expect("eight bytes")));
    Tensor::from_vec(words.collect::<Vec<_>>(), bytes.len() / 8)
}

fn bytes(words: &Tensor) -> Vec<u8> {
    words.to_vec::<i64>().into_iter().flat_map(i64::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rekindle_nn::loss::MSELoss;
    use rekindle_nn::optim::SGD;
    use rekindle_nn::{Linear, Parameters};
    use rekindle_tensor::random::{Generator, with_generator};

    fn trainer() -> Trainer<Linear> {
        let net = Linear::new(2, 1);
        let optimizer = SGD::new(net.parameters(), 0.1);
        Trainer::new(net, MSELoss::new(), optimizer)
    }

    #[test]
    fn a_checkpoint_without_the_cuda_generator_still_loads_and_leaves_it_alone() {
        let mut g = Generator::seeded(1);
        with_generator(&mut g, || {
            let whole = trainer().state(&Place::new(), &mut []);
            with_default(|g| g.cuda_draw(9));
            let drawn = with_default(|g| g.cuda_state());
            let mut before = StateDict::new();
            let kept = whole.state().iter().filter(|(name, _)| *name != CUDA);
            kept.for_each(|(name, tensor)| before.insert(name, tensor.clone()));
            trainer().restore(&Checkpoint::new(before), &mut []).unwrap();
            assert_eq!(with_default(|g| g.cuda_state()), drawn);
            trainer().restore(&whole, &mut []).unwrap();
            assert_eq!(with_default(|g| g.cuda_state()), Generator::seeded(1).cuda_state());
        });
    }
}
