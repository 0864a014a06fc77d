//! Adadelta.
//!
//! `v = ρ·v + (1-ρ)·g²;  d = √(u + eps)/√(v + eps) · g;  u = ρ·u + (1-ρ)·d²;  p -= lr·d`.
//! Source: M. Zeiler, arXiv:1212.5701, 2012.

use super::{Core, Direction, Groups, ParamGroup, Rule, State, shared, square_average};
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
    rho: f64,
    eps: f64,
    maximize: bool,
}

impl Adadelta {
    /// With PyTorch's defaults: rho 0.9, eps 1e-6 (its default learning rate is 1).
    ///
    /// # Panics
    /// If there are no parameters, or one that cannot be trained.
    #[track_caller]
    pub fn new(params: impl Into<Groups>, lr: f64) -> Adadelta {
        Adadelta { core: Core::new(params, lr, 0.0, 0.0), rho: 0.9, eps: 1e-6, maximize: false }
    }

    shared!(weight_decay);
    shared!(eps);
    shared!(maximize);

    /// Sets how slowly the averages of squares change.
    pub fn rho(mut self, rho: f64) -> Adadelta {
        self.rho = rho;
        self
    }
}

impl Rule for Adadelta {
    const STATE: &'static [&'static str] = &["square_avg", "acc_delta"];

    shared!(core);

    fn update<T: Real + Element>(&self, group: &ParamGroup, state: &mut State, p: &Tensor, g: &[T]) {
        state.step += 1;
        let [rate, keep, fresh, eps] = [-group.lr, self.rho, 1.0 - self.rho, self.eps].map(T::from_f64);
        let direction = Direction::new(group.weight_decay, self.maximize);
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
        let (v, u) = (state.tensor(0, p, 0.0), state.tensor(1, p, 0.0));
        p.with_data_mut(|p| v.with_data_mut(|v| u.with_data_mut(|u| pass(p, v, u))));
    }
}
