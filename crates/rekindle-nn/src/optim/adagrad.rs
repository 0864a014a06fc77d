//! Adagrad.
//!
//! `s += g²;  p -= lr/(1 + (t-1)·lr_decay) · g / (√s + eps)`.
//! Source: J. Duchi, E. Hazan and Y. Singer, JMLR 12, 2011.

use super::{Core, Direction, Groups, ParamGroup, Rule, State, shared};
use rekindle_kernels::map;
use rekindle_kernels::real::Real;
use rekindle_tensor::{Element, Tensor};

/// Adagrad: gradients divided by the root of the sum of their squares so far.
///
/// ```
/// use rekindle_nn::optim::{Adagrad, Optimizer};
/// use rekindle_nn::{Linear, Parameters};
///
/// let mut optimizer = Adagrad::new(Linear::new(2, 1).parameters(), 0.01).lr_decay(0.1);
/// optimizer.step();
/// ```
#[derive(Debug)]
pub struct Adagrad {
    core: Core,
    lr_decay: f64,
    initial_accumulator_value: f64,
    eps: f64,
    maximize: bool,
}

impl Adagrad {
    /// With PyTorch's defaults: eps 1e-10, no decay (its default learning rate is 0.01).
    ///
    /// # Panics
    /// If there are no parameters, or one that cannot be trained.
    #[track_caller]
    pub fn new(params: impl Into<Groups>, lr: f64) -> Adagrad {
        let core = Core::new(params, lr, 0.0, 0.0);
        Adagrad { core, lr_decay: 0.0, initial_accumulator_value: 0.0, eps: 1e-10, maximize: false }
    }

    shared!(weight_decay);
    shared!(eps);
    shared!(maximize);

    /// Sets how fast the learning rate falls with the number of steps.
    pub fn lr_decay(mut self, lr_decay: f64) -> Adagrad {
        self.lr_decay = lr_decay;
        self
    }

    /// Sets the sum of squares to start from.
    pub fn initial_accumulator_value(mut self, value: f64) -> Adagrad {
        self.initial_accumulator_value = value;
        self
    }
}

impl Rule for Adagrad {
    const STATE: &'static [&'static str] = &["sum"];

    shared!(core);

    fn update<T: Real + Element>(&self, group: &ParamGroup, state: &mut State, p: &Tensor, g: &[T]) {
        state.step += 1;
        let rate = -(group.lr / (1.0 + (state.step as f64 - 1.0) * self.lr_decay));
        let (rate, eps) = (T::from_f64(rate), T::from_f64(self.eps));
        let direction = Direction::new(group.weight_decay, self.maximize);
        let pass = |p: &mut [T], s: &mut [T]| {
            map::zip_mut2(
                p,
                s,
                g,
                #[inline(always)]
                |p, s, g| {
                    let g = direction.of(p, g);
                    let s = g.mul_add(g, s);
                    (p + (rate * g) / (s.sqrt() + eps), s)
                },
            )
        };
        let sum = state.tensor(0, p, self.initial_accumulator_value);
        p.with_data_mut(|p| sum.with_data_mut(|s| pass(p, s)));
    }
}
