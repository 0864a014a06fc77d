//! Stochastic gradient descent with momentum.
//!
//! With gradient g (negated to maximise), momentum μ and dampening d:
//! `g += wd·p;  b = μ·b + (1-d)·g` (at first `b = g`)`;  p -= lr·b`, and `p -= lr·(g + μ·b)` with Nesterov's
//! momentum. Source: I. Sutskever et al., ICML 2013, in PyTorch's form, where lr multiplies the sum.

use super::{Core, Direction, Groups, ParamGroup, Rule, State, rule, setters, update_elements};
use rekindle_kernels::map;
use rekindle_kernels::real::Real;
use rekindle_tensor::{Element, Tensor};

const BUFFER: &str = "momentum_buffer";

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
}

impl SGD {
    /// Plain gradient descent (PyTorch's default learning rate is 0.001).
    ///
    /// # Panics
    /// If there are no parameters, one that cannot be trained, or `lr` is negative.
    #[track_caller]
    pub fn new(params: impl Into<Groups>, lr: f64) -> SGD {
        SGD { core: Core::new::<SGD>(params, ParamGroup::new([]).lr(lr)) }
    }
}

setters! {
    SGD:
    /// Sets how much of the last step is repeated.
    momentum: f64;
    /// Sets the dampening of the momentum: new gradients count `1 - dampening`.
    dampening: f64;
    /// Sets the pull of every weight towards zero.
    weight_decay: f64;
    /// Uses Nesterov's momentum: set the momentum first, without dampening.
    nesterov: bool;
    /// Goes up instead of down.
    maximize: bool;
}

/// How much the buffer keeps and how much of the gradient joins it.
fn shares(group: &ParamGroup, first: bool) -> [f64; 2] {
    if first { [0.0, 1.0] } else { [group.momentum, 1.0 - group.dampening] }
}

impl Rule for SGD {
    const STATE: &'static [&'static str] = &[BUFFER];

    rule!(SGD);

    /// The buffer is made by the first step with momentum.
    fn needs(_: &ParamGroup, _: &str) -> bool {
        false
    }

    fn fits(group: &ParamGroup) -> Result<(), String> {
        let ParamGroup { nesterov, momentum, dampening, .. } = *group;
        if nesterov && (momentum <= 0.0 || dampening != 0.0) {
            let cure =
                if dampening == 0.0 { "call .momentum(0.9) before it" } else { "leave the dampening at 0" };
            return Err(format!(
                "sgd: nesterov needs a momentum above 0 and no dampening, got momentum {momentum} and dampening \
                 {dampening}; {cure}"
            ));
        }
        Ok(())
    }

    fn update<T: Real + Element>(&self, group: &ParamGroup, state: &mut State, p: &Tensor, g: &[T]) {
        let (lr, momentum) = (T::from_f64(-group.lr), T::from_f64(group.momentum));
        let direction = Direction::new(group.weight_decay, group.maximize);
        let first = !state.has(BUFFER);
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
        let [keep, fresh] = shares(group, first).map(T::from_f64);
        let nesterov = group.nesterov;
        let buffer = state.tensor(BUFFER, p, 0.0);
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

    fn update_gpu(&self, group: &ParamGroup, state: &mut State, p: &Tensor, g: &Tensor) {
        const PLAIN: &str = "w = fma(p.rate, directed(w, g, p.decay, p.sign), w);";
        const HEAVY: &str = "
            let d = directed(w, g, p.decay, p.sign);
            b = fma(p.fresh, d, b * p.keep);
            w = fma(p.rate, select(b, fma(p.momentum, b, d), p.nesterov > 0.0), w);";
        let Direction { decay, sign } = Direction::new(group.weight_decay, group.maximize);
        let plain = [("decay", decay), ("sign", sign), ("rate", -group.lr)];
        if group.momentum == 0.0 {
            return update_elements("sgd", PLAIN, p, &[], g, &plain);
        }
        let [keep, fresh] = shares(group, !state.has(BUFFER));
        let heavy = [
            ("keep", keep),
            ("fresh", fresh),
            ("momentum", group.momentum),
            ("nesterov", f64::from(group.nesterov)),
        ];
        let buffer = state.tensor(BUFFER, p, 0.0);
        update_elements("sgd with momentum", HEAVY, p, &[("b", &buffer)], g, &[&plain[..], &heavy].concat());
    }
}
