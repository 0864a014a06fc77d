//! Stochastic gradient descent with momentum.
//!
//! With gradient g (negated to maximise), momentum μ and dampening d:
//! `g += wd·p;  b = μ·b + (1-d)·g` (at first `b = g`)`;  p -= lr·b`, and `p -= lr·(g + μ·b)` with Nesterov's
//! momentum. Source: I. Sutskever et al., ICML 2013, in PyTorch's form, where lr multiplies the sum.

use super::{Core, Direction, Groups, ParamGroup, Rule, State, shared};
use rekindle_kernels::map;
use rekindle_kernels::real::Real;
use rekindle_tensor::{Element, Tensor};

/// Stochastic gradient descent: `p -= lr·g`, optionally with momentum and weight decay.
///
/// Off unless set: momentum, dampening, weight decay, Nesterov, maximise.
///
/// ```
/// use rekindle_nn::optim::{Optimizer, SGD};
/// use rekindle_nn::{Linear, Module, Parameters};
/// use rekindle_tensor::tensor;
///
/// let net = Linear::new(1, 1);
/// let mut optimizer = SGD::new(net.parameters(), 0.02).momentum(0.9).nesterov(true);
/// for _ in 0..200 {
///     let error = net.forward(&tensor([[1.0], [2.0]])) - tensor([[3.0], [5.0]]);
///     optimizer.zero_grad();
///     (&error * &error).sum().backward();
///     optimizer.step();
/// }
/// assert!((net.weight.item::<f32>() - 2.0).abs() < 1e-3);
/// ```
#[derive(Debug)]
pub struct SGD {
    core: Core,
    dampening: f64,
    nesterov: bool,
    maximize: bool,
}

impl SGD {
    /// Plain gradient descent (PyTorch's default learning rate is 0.001).
    ///
    /// # Panics
    /// If there are no parameters, or one that cannot be trained.
    #[track_caller]
    pub fn new(params: impl Into<Groups>, lr: f64) -> SGD {
        SGD { core: Core::new(params, lr, 0.0, 0.0), dampening: 0.0, nesterov: false, maximize: false }
    }

    shared!(momentum);
    shared!(weight_decay);
    shared!(maximize);

    /// Sets the dampening of the momentum: new gradients count `1 - dampening`.
    pub fn dampening(mut self, dampening: f64) -> SGD {
        self.dampening = dampening;
        self
    }

    /// Uses Nesterov's momentum.
    pub fn nesterov(mut self, on: bool) -> SGD {
        self.nesterov = on;
        self
    }
}

impl Rule for SGD {
    const STATE: &'static [&'static str] = &["momentum_buffer"];

    shared!(core);

    fn update<T: Real + Element>(&self, group: &ParamGroup, state: &mut State, p: &Tensor, g: &[T]) {
        let (lr, momentum) = (T::from_f64(-group.lr), T::from_f64(group.momentum));
        let direction = Direction::new(group.weight_decay, self.maximize);
        let first = state.step == 0;
        state.step += 1;
        if group.momentum == 0.0 {
            return p.with_data_mut(|p| {
                map::in_place2(
                    p,
                    g,
                    #[inline(always)]
                    |p, g| lr.mul_add(direction.of(p, g), p),
                )
            });
        }
        let (keep, fresh) = match first {
            true => (T::ZERO, T::ONE),
            false => (momentum, T::from_f64(1.0 - self.dampening)),
        };
        let nesterov = self.nesterov;
        let buffer = state.tensor(0, p, 0.0);
        let step = |p: &mut [T], b: &mut [T]| {
            map::zip_mut2(
                p,
                b,
                g,
                #[inline(always)]
                |p, b, g| {
                    let g = direction.of(p, g);
                    let b = fresh.mul_add(g, b * keep);
                    let g = if nesterov { momentum.mul_add(b, g) } else { b };
                    (lr.mul_add(g, p), b)
                },
            )
        };
        p.with_data_mut(|p| buffer.with_data_mut(|b| step(p, b)));
    }
}
