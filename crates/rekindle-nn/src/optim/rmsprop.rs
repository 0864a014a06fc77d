//! RMSprop.
//!
//! `v = α·v + (1-α)·g²;  p -= lr·g / (√v + eps)`; centred: `√(v - a²)` with the average gradient a; with momentum:
//! `b = μ·b + g / (..);  p -= lr·b`. Source: G. Hinton, Neural Networks for Machine Learning, lecture 6e, 2012.

use super::{
    Core, Direction, Groups, ParamGroup, Rule, State, lerp, rule, setters, square_average, update_elements,
};
use rekindle_kernels::map;
use rekindle_kernels::real::Real;
use rekindle_tensor::{Element, Tensor};

const AVERAGE: &str = "grad_avg";
const BUFFER: &str = "momentum_buffer";

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
}

impl RMSprop {
    /// With PyTorch's defaults: alpha 0.99, eps 1e-8, no momentum (its default learning rate is 0.01).
    ///
    /// # Panics
    /// If there are no parameters, one that cannot be trained, or `lr` is negative.
    #[track_caller]
    pub fn new(params: impl Into<Groups>, lr: f64) -> RMSprop {
        RMSprop { core: Core::new::<RMSprop>(params, ParamGroup::new([]).lr(lr).alpha(0.99).eps(1e-8)) }
    }
}

setters! {
    RMSprop:
    /// Sets how slowly the average of squares changes.
    alpha: f64;
    /// Sets what is added to the denominator.
    eps: f64;
    /// Sets the pull of every weight towards zero.
    weight_decay: f64;
    /// Sets how much of the last step is repeated.
    momentum: f64;
    /// Divides by an estimate of the gradient's deviation instead of its magnitude.
    centered: bool;
    /// Goes up instead of down.
    maximize: bool;
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
    fn new(group: &ParamGroup) -> Step<T> {
        Step {
            direction: Direction::new(group.weight_decay, group.maximize),
            keep: T::from_f64(group.alpha),
            fresh: T::from_f64(1.0 - group.alpha),
            eps: T::from_f64(group.eps),
            rate: T::from_f64(-group.lr),
            momentum: T::from_f64(group.momentum),
            centered: group.centered,
            heavy: group.momentum > 0.0,
        }
    }

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
    const STATE: &'static [&'static str] = &["square_avg", AVERAGE, BUFFER];

    rule!(RMSprop);

    fn needs(group: &ParamGroup, tensor: &str) -> bool {
        match tensor {
            AVERAGE => group.centered,
            BUFFER => group.momentum > 0.0,
            _ => true,
        }
    }

    fn update<T: Real + Element>(&self, group: &ParamGroup, state: &mut State, p: &Tensor, g: &[T]) {
        let step = Step::<T>::new(group);
        let v = state.tensor("square_avg", p, 0.0);
        let used = match (step.centered, step.heavy) {
            (false, false) => return two(step, p, &v, g),
            (true, true) => {
                let (a, b) = (state.tensor(AVERAGE, p, 0.0), state.tensor(BUFFER, p, 0.0));
                return four(step, p, &v, &a, &b, g);
            }
            (true, false) => state.tensor(AVERAGE, p, 0.0),
            (false, true) => state.tensor(BUFFER, p, 0.0),
        };
        three(step, p, &v, &used, g);
    }

    fn update_gpu(&self, group: &ParamGroup, state: &mut State, p: &Tensor, g: &Tensor) {
        let step = Step::<f64>::new(group);
        let v = state.tensor("square_avg", p, 0.0);
        let mut wgsl = "
            let d = directed(w, g, p.decay, p.sign);
            v = square_average(v, d, p.keep, p.fresh);"
            .to_string();
        let average = step.centered.then(|| state.tensor(AVERAGE, p, 0.0));
        wgsl += match average {
            Some(_) => "a = lerp(a, d, p.fresh); let average = sqrt(fma(-a, a, v)) + p.eps;",
            None => "let average = sqrt(v) + p.eps;",
        };
        let buffer = step.heavy.then(|| state.tensor(BUFFER, p, 0.0));
        wgsl += match buffer {
            Some(_) => "b = b * p.momentum + d / average; w = fma(p.rate, b, w);",
            None => "w += (p.rate * d) / average;",
        };
        let numbers = [
            ("decay", step.direction.decay),
            ("sign", step.direction.sign),
            ("keep", step.keep),
            ("fresh", step.fresh),
            ("eps", step.eps),
            ("rate", step.rate),
            ("momentum", step.momentum),
        ];
        let used = [("a", &average), ("b", &buffer)];
        let used = used.into_iter().filter_map(|(name, t)| Some((name, t.as_ref()?)));
        let state: Vec<(&str, &Tensor)> = std::iter::once(("v", &v)).chain(used).collect();
        let name = format!("rmsprop, centered {}, momentum {}", step.centered, step.heavy);
        update_elements(&name, &wgsl, p, &state, g, &numbers);
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
