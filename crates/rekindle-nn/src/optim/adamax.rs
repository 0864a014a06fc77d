//! Adamax.
//!
//! `m = β₁m + (1-β₁)g;  u = max(β₂u, |g| + eps);  p -= lr/(1-β₁ᵗ) · m / u`.
//! Source: D. Kingma and J. Ba, ICLR 2015, section 7.

use super::{Core, Direction, Groups, ParamGroup, Rule, State, lerp, rule, setters, update_elements};
use rekindle_kernels::map;
use rekindle_kernels::real::Real;
use rekindle_tensor::{Element, Tensor};

/// Adamax: Adam with the greatest recent gradient in place of the average of squares.
///
/// ```
/// use rekindle_nn::optim::{Adamax, Optimizer};
/// use rekindle_nn::{Linear, Parameters};
///
/// let mut optimizer = Adamax::new(Linear::new(2, 1).parameters(), 0.002);
/// optimizer.step();
/// ```
#[derive(Debug)]
pub struct Adamax {
    core: Core,
}

impl Adamax {
    /// With PyTorch's defaults: betas (0.9, 0.999), eps 1e-8 (its default learning rate is 0.002).
    ///
    /// # Panics
    /// If there are no parameters, one that cannot be trained, or `lr` is negative.
    #[track_caller]
    pub fn new(params: impl Into<Groups>, lr: f64) -> Adamax {
        Adamax { core: Core::new::<Adamax>(params, ParamGroup::new([]).lr(lr).betas((0.9, 0.999)).eps(1e-8)) }
    }
}

setters! {
    Adamax:
    /// Sets how slowly the average of gradients and the greatest magnitude change.
    betas: (f64, f64);
    /// Sets what is added to the denominator.
    eps: f64;
    /// Sets the pull of every weight towards zero.
    weight_decay: f64;
    /// Goes up instead of down.
    maximize: bool;
}

/// `-lr / (1 - β₁ᵗ)`.
fn rate(group: &ParamGroup, state: &State) -> f64 {
    -(group.lr / (1.0 - group.betas.0.powf(state.step() as f64)))
}

impl Rule for Adamax {
    const STATE: &'static [&'static str] = &["exp_avg", "exp_inf"];

    rule!(Adamax);

    fn update<T: Real + Element>(&self, group: &ParamGroup, state: &mut State, p: &Tensor, g: &[T]) {
        let (beta1, beta2) = group.betas;
        let rate = T::from_f64(rate(group, state));
        let [fresh, keep, eps] = [1.0 - beta1, beta2, group.eps].map(T::from_f64);
        let direction = Direction::new(group.weight_decay, group.maximize);
        let pass = |p: &mut [T], m: &mut [T], u: &mut [T]| {
            map::zip_mut3(
                p,
                m,
                u,
                g,
                #[inline(always)]
                |p, m, u, g| {
                    let g = direction.of(p, g);
                    let (m, u) = (lerp(m, g, fresh), (u * keep).maximum(g.abs() + eps));
                    (p + (rate * m) / u, m, u)
                },
            )
        };
        let (m, u) = (state.tensor("exp_avg", p, 0.0), state.tensor("exp_inf", p, 0.0));
        p.with_data_mut(|p| m.with_data_mut(|m| u.with_data_mut(|u| pass(p, m, u))));
    }

    fn update_gpu(&self, group: &ParamGroup, state: &mut State, p: &Tensor, g: &Tensor) {
        const WGSL: &str = "
            let d = directed(w, g, p.decay, p.sign);
            m = lerp(m, d, p.fresh);
            u = maximum(u * p.keep, abs(d) + p.eps);
            w += (p.rate * m) / u;";
        let Direction { decay, sign } = Direction::new(group.weight_decay, group.maximize);
        let (beta1, beta2) = group.betas;
        let numbers = [
            ("decay", decay),
            ("sign", sign),
            ("fresh", 1.0 - beta1),
            ("keep", beta2),
            ("eps", group.eps),
            ("rate", rate(group, state)),
        ];
        let (m, u) = (state.tensor("exp_avg", p, 0.0), state.tensor("exp_inf", p, 0.0));
        update_elements("adamax", WGSL, p, &[("m", &m), ("u", &u)], g, &numbers);
    }
}
