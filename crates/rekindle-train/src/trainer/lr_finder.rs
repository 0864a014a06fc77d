//! The learning-rate finder (Smith, "Cyclical Learning Rates for Training Neural Networks", 2017).

use super::Trainer;
use super::pass::Batches;
use crate::error::{Error, guarded};
use crate::part::Part;
use rekindle_nn::{Module, StateDict};
use rekindle_tensor::random::with_default;

const FIRST: f64 = 1e-7;
const LAST: f64 = 10.0;
const STEPS: usize = 100;
/// How much of the smoothed loss each step keeps.
const KEPT: f64 = 0.98;
/// A loss so many times the best one ends the search.
const TOO_HIGH: f64 = 4.0;

/// What the loss does while the learning rate grows.
#[derive(Clone, Debug, PartialEq)]
pub struct LrFinder {
    /// The learning rates that were tried.
    pub rates: Vec<f64>,
    /// The smoothed loss at each.
    pub losses: Vec<f64>,
    /// A learning rate to begin with: a tenth of the one at which the loss is least, where training is still stable and does not
    /// lag as the smoothed loss does. None if the loss never falls.
    pub suggestion: Option<f64>,
}

impl<N: Module> Trainer<N> {
    /// Trains for 100 steps with learning rates from 1e-7 to 10, each the same factor larger, and watches the loss, smoothed
    /// with 0.98 a step; ends early when it is four times its best. Afterwards net, optimiser and random numbers are as before.
    ///
    /// ```
    /// use rekindle_nn::loss::MSELoss;
    /// use rekindle_nn::optim::SGD;
    /// use rekindle_nn::{Linear, Parameters};
    /// use rekindle_tensor::Tensor;
    /// use rekindle_train::{Part, Trainer};
    ///
    /// rekindle_tensor::random::manual_seed(0);
    /// let net = Linear::new(2, 1);
    /// let optimizer = SGD::new(net.parameters(), 0.1);
    /// let part = Part::new(Tensor::ones([4, 2]), Tensor::ones([4, 1]));
    /// let found = Trainer::new(net, MSELoss::new(), optimizer).find_lr(&part)?;
    /// assert!(found.suggestion.is_some() && found.rates.len() == found.losses.len());
    /// # Ok::<(), rekindle_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// If data, net and loss do not fit each other, or the first loss is not finite.
    pub fn find_lr(&mut self, train: &Part) -> Result<LrFinder, Error> {
        self.check(super::Parts { train, validation: None, test: None }, &mut [])?;
        let copy = |state: StateDict| {
            let mut copies = StateDict::new();
            state.iter().for_each(|(name, tensor)| copies.insert(name, tensor.copy()));
            copies
        };
        let (weights, state) = (copy(self.net.state_dict()), copy(self.optimizer.state_dict()));
        let (generator, steps) = (with_default(|g| g.clone()), self.steps);
        // Every step has its own rate and is an update.
        let (scheduler, accumulate) =
            (self.scheduler.take(), std::mem::replace(&mut self.options.accumulate, 1));
        let found = guarded(|| self.sweep(train));
        (self.scheduler, self.options.accumulate) = (scheduler, accumulate);
        with_default(|g| *g = generator);
        self.steps = steps;
        self.net.zero_grad();
        let wrong = |e| Error::Recipe(format!("learning-rate finder: {e}"));
        self.net.load_state_dict(&weights).map_err(wrong)?;
        self.optimizer.load_state_dict(&state).map_err(wrong)?;
        found
    }

    fn sweep(&mut self, train: &Part) -> Result<LrFinder, Error> {
        self.net.train();
        (self.captured, self.on_device) = Default::default();
        let batches = Batches::new(self, train);
        let passes = std::iter::repeat_with(|| batches.from(0)).flatten();
        let (mut rates, mut losses): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        let (mut average, mut best) = (0.0, f64::INFINITY);
        for (i, (x, y)) in passes.take(STEPS).enumerate() {
            let rate = FIRST * (LAST / FIRST).powf(i as f64 / (STEPS - 1) as f64);
            self.optimizer.set_lr(rate);
            let loss = match self.batch(&x, &y, true, false) {
                Ok((loss, _)) => loss,
                Err(tensor) if i == 0 => return Err(self.stop(1, 1, tensor)),
                Err(_) => break,
            };
            average = KEPT * average + (1.0 - KEPT) * loss;
            let smooth = average / (1.0 - KEPT.powi(i as i32 + 1));
            best = smooth.min(best);
            rates.push(rate);
            losses.push(smooth);
            if smooth > TOO_HIGH * best {
                break;
            }
        }
        let suggestion = least(&losses).map(|i| rates[i] / 10.0);
        Ok(LrFinder { rates, losses, suggestion })
    }
}

/// Where the loss is least, if it has fallen at all.
fn least(losses: &[f64]) -> Option<usize> {
    let least = (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b]))?;
    (losses[least] < losses[0]).then_some(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suggestion_follows_from_the_least_loss() {
        assert_eq!(least(&[5.0, 5.0, 4.0, 1.0, 3.0, 9.0]), Some(3));
        assert_eq!(least(&[1.0, 2.0, 3.0]), None, "it never falls");
        assert_eq!(least(&[]), None);
    }
}
