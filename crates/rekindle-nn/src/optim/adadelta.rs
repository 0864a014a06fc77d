//! Adadelta.
//!
//! `v = ρ·v + (1-ρ)·g²;  d = √(u + eps)/√(v + eps) · g;  u = ρ·u + (1-ρ)·d²;  p -= lr·d`.
//! Source: M. Zeiler, arXiv:1212.5701, 2012.

use super::{
    Core, Direction, Groups, ParamGroup, Rule, State, rule, setters, square_average, update_elements,
};
use rekindle_kernels::map;
use rekindle_kernels::real::Real;
use rekindle_tensor::{Element, Tensor};

/// Adadelta: steps as large as recent steps were, in proportion to the gradient.
///
/// ```
/// use rekindle_nn::optim::{Adadelta, Optimizer};
/// use rekindle_nn::{Linear, Parameters};
///
/// let mut optimizer = Adadelta::new(Linear::new(2, 1).parameters(), 1.0);
/// optimizer.step();
/// ```
#[derive(Debug)]
pub struct Adadelta {
    core: Core,
}

impl Adadelta {
    /// With PyTorch's defaults: rho 0.9, eps 1e-6 (its default learning rate is 1).
    ///
    /// # Panics
    /// If there are no parameters, one that cannot be trained, or `lr` is negative.
    #[track_caller]
    pub fn new(params: impl Into<Groups>, lr: f64) -> Adadelta {
        Adadelta { core: Core::new::<Adadelta>(params, ParamGroup::new([]).lr(lr).rho(0.9).eps(1e-6)) }
    }
}

setters! {
    Adadelta:
    /// Sets how slowly the averages of squares change.
    rho: f64;
    /// Sets what is added to the denominator.
    eps: f64;
    /// Sets the pull of every weight towards zero.
    weight_decay: f64;
    /// Goes up instead of down.
    maximize: bool;
}

impl Rule for Adadelta {
    const STATE: &'static [&'static str] = &["square_avg", "acc_delta"];

    rule!(Adadelta);

    fn update<T: Real + Element>(&self, group: &ParamGroup, state: &mut State, p: &Tensor, g: &[T]) {
        let [rate, keep, fresh, eps] = [-group.lr, group.rho, 1.0 - group.rho, group.eps].map(T::from_f64);
        let direction = Direction::new(group.weight_decay, group.maximize);
        let pass = |p: &mut [T], v: &mut [T], u: &mut [T]| {
            map::zip_mut3(
                p,
                v,
                u,
                g,
                #[inline(always)]
                |p, v, u, g| {
                    let g = direction.of(p, g);
                    let v = square_average(v, g, keep, fresh);
                    let d = (u + eps).sqrt() / (v + eps).sqrt() * g;
                    (rate.mul_add(d, p), v, square_average(u, d, keep, fresh))
                },
            )
        };
        let (v, u) = (state.tensor("square_avg", p, 0.0), state.tensor("acc_delta", p, 0.0));
        p.with_data_mut(|p| v.with_data_mut(|v| u.with_data_mut(|u| pass(p, v, u))));
    }

    fn update_gpu(&self, group: &ParamGroup, state: &mut State, p: &Tensor, g: &Tensor) {
        const WGSL: &str = "
            let d = directed(w, g, p.decay, p.sign);
            v = square_average(v, d, p.keep, p.fresh);
            let step = sqrt(u + p.eps) / sqrt(v + p.eps) * d;
            w = fma(p.rate, step, w);
            u = square_average(u, step, p.keep, p.fresh);";
        let Direction { decay, sign } = Direction::new(group.weight_decay, group.maximize);
        let (v, u) = (state.tensor("square_avg", p, 0.0), state.tensor("acc_delta", p, 0.0));
        let numbers = [
            ("decay", decay),
            ("sign", sign),
            ("keep", group.rho),
            ("fresh", 1.0 - group.rho),
            ("eps", group.eps),
            ("rate", -group.lr),
        ];
        update_elements("adadelta", WGSL, p, &[("v", &v), ("u", &u)], g, &numbers);
    }
}
