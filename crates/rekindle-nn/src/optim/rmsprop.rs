//! RMSprop.
//!
//! `v = α·v + (1-α)·g²;  p -= lr·g / (√v + eps)`; centred: `√(v - a²)` with the average gradient a; with momentum:
//! `b = μ·b + g / (..);  p -= lr·b`. Source: G. Hinton, Neural Networks for Machine Learning, lecture 6e, 2012.

use super::{Core, Direction, Groups, ParamGroup, Rule, State, lerp, shared, square_average};
use rekindle_kernels::map;
use rekindle_kernels::real::Real;
use rekindle_tensor::{Element, Tensor};

/// RMSprop: gradients divided by a moving average of their magnitude.
///
/// ```
/// use rekindle_nn::optim::{Optimizer, RMSprop};
/// use rekindle_nn::{Linear, Parameters};
///
/// let mut optimizer = RMSprop::new(Linear::new(2, 1).parameters(), 0.01).centered(true).momentum(0.9);
/// optimizer.step();
/// ```
#[derive(Debug)]
pub struct RMSprop {
    core: Core,
    alpha: f64,
    eps: f64,
    centered: bool,
    maximize: bool,
}

impl RMSprop {
    /// With PyTorch's defaults: alpha 0.99, eps 1e-8, no momentum (its default learning rate is 0.01).
    ///
    /// # Panics
    /// If there are no parameters, or one that cannot be trained.
    #[track_caller]
    pub fn new(params: impl Into<Groups>, lr: f64) -> RMSprop {
        let core = Core::new(params, lr, 0.0, 0.0);
        RMSprop { core, alpha: 0.99, eps: 1e-8, centered: false, maximize: false }
    }

    shared!(momentum);
    shared!(weight_decay);
    shared!(eps);
    shared!(maximize);

    /// Sets how slowly the average of squares changes.
    pub fn alpha(mut self, alpha: f64) -> RMSprop {
        self.alpha = alpha;
        self
    }

    /// Divides by an estimate of the gradient's deviation instead of its magnitude.
    pub fn centered(mut self, on: bool) -> RMSprop {
        self.centered = on;
        self
    }
}

/// One step's numbers, rounded to the parameter's type.
#[derive(Clone, Copy)]
struct Step<T> {
    direction: Direction<T>,
    keep: T,
    fresh: T,
    eps: T,
    /// The negative learning rate.
    rate: T,
    momentum: T,
    centered: bool,
    heavy: bool,
}

impl<T: Real> Step<T> {
    /// The new weight, average of squares, average gradient and momentum; the last two only where used.
    #[inline(always)]
    fn take(self, [p, v, a, b]: [T; 4], g: T) -> [T; 4] {
        let g = self.direction.of(p, g);
        let v = square_average(v, g, self.keep, self.fresh);
        let a = if self.centered { lerp(a, g, self.fresh) } else { a };
        let average = if self.centered { (-a).mul_add(a, v) } else { v }.sqrt() + self.eps;
        if !self.heavy {
            return [p + (self.rate * g) / average, v, a, b];
        }
        let b = b * self.momentum + g / average;
        [self.rate.mul_add(b, p), v, a, b]
    }
}

impl Rule for RMSprop {
    const STATE: &'static [&'static str] = &["square_avg", "grad_avg", "momentum_buffer"];

    shared!(core);

    fn update<T: Real + Element>(&self, group: &ParamGroup, state: &mut State, p: &Tensor, g: &[T]) {
        state.step += 1;
        let (centered, heavy) = (self.centered, group.momentum > 0.0);
        let step = Step::<T> {
            direction: Direction::new(group.weight_decay, self.maximize),
            keep: T::from_f64(self.alpha),
            fresh: T::from_f64(1.0 - self.alpha),
            eps: T::from_f64(self.eps),
            rate: T::from_f64(-group.lr),
            momentum: T::from_f64(group.momentum),
            centered,
            heavy,
        };
        let v = state.tensor(0, p, 0.0);
        let used = match (centered, heavy) {
            (false, false) => return two(step, p, &v, g),
            (true, true) => {
                let (a, b) = (state.tensor(1, p, 0.0), state.tensor(2, p, 0.0));
                return four(step, p, &v, &a, &b, g);
            }
            (true, false) => state.tensor(1, p, 0.0),
            (false, true) => state.tensor(2, p, 0.0),
        };
        three(step, p, &v, &used, g);
    }
}

fn two<T: Real + Element>(step: Step<T>, p: &Tensor, v: &Tensor, g: &[T]) {
    let pass = |p: &mut [T], v: &mut [T]| {
        map::zip_mut2(
            p,
            v,
            g,
            #[inline(always)]
            |p, v, g| {
                let [p, v, ..] = step.take([p, v, T::ZERO, T::ZERO], g);
                (p, v)
            },
        )
    };
    p.with_data_mut(|p| v.with_data_mut(|v| pass(p, v)));
}

/// With the average gradient or with momentum, whichever is used.
fn three<T: Real + Element>(step: Step<T>, p: &Tensor, v: &Tensor, used: &Tensor, g: &[T]) {
    let pass = |p: &mut [T], v: &mut [T], used: &mut [T]| {
        map::zip_mut3(
            p,
            v,
            used,
            g,
            #[inline(always)]
            |p, v, used, g| {
                let [p, v, a, b] = step.take([p, v, used, used], g);
                (p, v, if step.heavy { b } else { a })
            },
        )
    };
    p.with_data_mut(|p| v.with_data_mut(|v| used.with_data_mut(|used| pass(p, v, used))));
}

fn four<T: Real + Element>(step: Step<T>, p: &Tensor, v: &Tensor, a: &Tensor, b: &Tensor, g: &[T]) {
    let pass = |p: &mut [T], v: &mut [T], a: &mut [T], b: &mut [T]| {
        map::zip_mut4(
            p,
            v,
            a,
            b,
            g,
            #[inline(always)]
            |state, g| step.take(state, g),
        )
    };
    p.with_data_mut(|p| v.with_data_mut(|v| a.with_data_mut(|a| b.with_data_mut(|b| pass(p, v, a, b)))));
}
