//! Adagrad.
//!
//! `s += g²;  p -= lr/(1 + (t-1)·lr_decay) · g / (√s + eps)`.
//! Source: J. Duchi, E. Hazan and Y. Singer, JMLR 12, 2011.

use super::{Core, Direction, Groups, ParamGroup, Rule, State, rule, setters, update_elements};
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
}

impl Adagrad {
    /// With PyTorch's defaults: eps 1e-10, no decay (its default learning rate is 0.01).
    ///
    /// # Panics
    /// If there are no parameters, one that cannot be trained, or `lr` is negative.
    #[track_caller]
    pub fn new(params: impl Into<Groups>, lr: f64) -> Adagrad {
        Adagrad { core: Core::new::<Adagrad>(params, ParamGroup::new([]).lr(lr).eps(1e-10)) }
    }
}

setters! {
    Adagrad:
    /// Sets how fast the learning rate falls with the number of steps.
    lr_decay: f64;
    /// Sets the sum of squares to start from.
    initial_accumulator_value: f64;
    /// Sets what is added to the denominator.
    eps: f64;
    /// Sets the pull of every weight towards zero.
    weight_decay: f64;
    /// Goes up instead of down.
    maximize: bool;
}

/// The negative learning rate of this step.
fn rate(group: &ParamGroup, state: &State) -> f64 {
    -(group.lr / (1.0 + (state.step() as f64 - 1.0) * group.lr_decay))
}

impl Rule for Adagrad {
    const STATE: &'static [&'static str] = &["sum"];

    rule!(Adagrad);

    fn update<T: Real + Element>(&self, group: &ParamGroup, state: &mut State, p: &Tensor, g: &[T]) {
        let (rate, eps) = (T::from_f64(rate(group, state)), T::from_f64(group.eps));
        let direction = Direction::new(group.weight_decay, group.maximize);
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
        let sum = state.tensor("sum", p, group.initial_accumulator_value);
        p.with_data_mut(|p| sum.with_data_mut(|s| pass(p, s)));
    }

    fn update_gpu(&self, group: &ParamGroup, state: &mut State, p: &Tensor, g: &Tensor) {
        const WGSL: &str = "
            let d = directed(w, g, p.decay, p.sign);
            s = fma(d, d, s);
            w += (p.rate * d) / (sqrt(s) + p.eps);";
        let Direction { decay, sign } = Direction::new(group.weight_decay, group.maximize);
        let numbers = [("decay", decay), ("sign", sign), ("rate", rate(group, state)), ("eps", group.eps)];
        let sum = state.tensor("sum", p, group.initial_accumulator_value);
        update_elements("adagrad", WGSL, p, &[("s", &sum)], g, &numbers);
    }
}
