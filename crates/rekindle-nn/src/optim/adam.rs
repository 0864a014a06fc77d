//! Adam and AdamW.
//!
//! `m = β₁m + (1-β₁)g;  v = β₂v + (1-β₂)g²;  p -= lr/(1-β₁ᵗ) · m / (√v/√(1-β₂ᵗ) + eps)`.
//! Adam adds the weight decay to the gradient; AdamW shrinks the weights by `1 - lr·wd` instead.
//! Sources: D. Kingma and J. Ba, ICLR 2015; I. Loshchilov and F. Hutter, ICLR 2019; S. Reddi et al., ICLR 2018
//! (AMSGrad). The order of operations and roundings is PyTorch's.

use super::{
    Core, Direction, Groups, ParamGroup, Rule, State, lerp, rule, setters, square_average, update_elements,
};
use rekindle_kernels::map;
use rekindle_kernels::real::Real;
use rekindle_tensor::{Element, Tensor};

/// The state tensor that only AMSGrad has.
const GREATEST: &str = "max_exp_avg_sq";

macro_rules! adam {
    ($(#[$doc:meta])* $Name:ident, decoupled: $decoupled:literal, weight_decay: $weight_decay:literal) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $Name {
            core: Core,
        }

        impl $Name {
            /// With PyTorch's defaults: betas (0.9, 0.999), eps 1e-8 (its default learning rate is 0.001).
            ///
            /// # Panics
            /// If there are no parameters, one that cannot be trained, or `lr` is negative.
            #[track_caller]
            pub fn new(params: impl Into<Groups>, lr: f64) -> $Name {
                let defaults = ParamGroup::new([]).lr(lr).betas((0.9, 0.999)).eps(1e-8);
                $Name { core: Core::new::<$Name>(params, defaults.weight_decay($weight_decay)) }
            }
        }

        setters! {
            $Name:
            /// Sets how slowly the averages of gradients and of their squares change.
            betas: (f64, f64);
            /// Sets what is added to the denominator.
            eps: f64;
            /// Sets the pull of every weight towards zero.
            weight_decay: f64;
            /// Divides by the greatest second moment so far (AMSGrad).
            amsgrad: bool;
            /// Goes up instead of down.
            maximize: bool;
        }

        impl Rule for $Name {
            const STATE: &'static [&'static str] = &["exp_avg", "exp_avg_sq", GREATEST];

            rule!($Name);

            fn needs(group: &ParamGroup, tensor: &str) -> bool {
                tensor != GREATEST || group.amsgrad
            }

            fn update<T: Real + Element>(&self, group: &ParamGroup, state: &mut State, p: &Tensor, g: &[T]) {
                Step::<T>::new(group, state, $decoupled).take(group.amsgrad, state, p, g);
            }

            fn update_gpu(&self, group: &ParamGroup, state: &mut State, p: &Tensor, g: &Tensor) {
                Step::<f64>::new(group, state, $decoupled).take_on_gpu(group.amsgrad, state, p, g);
            }
        }
    };
}

adam! {
    /// Adam: steps of about `lr` in every weight, whatever the scale of its gradient.
    ///
    /// ```
    /// use rekindle_nn::optim::{Adam, Optimizer};
    /// use rekindle_nn::parameter;
    /// use rekindle_tensor::tensor;
    ///
    /// let p = parameter(tensor([1.0, 1.0]));
    /// let mut optimizer = Adam::new(vec![p.clone()], 0.1);
    /// (&p * tensor([1000.0, 0.001])).sum().backward();
    /// optimizer.step();
    /// assert!(p.to_vec::<f32>().iter().all(|v| (v - 0.9).abs() < 1e-4));
    /// ```
    Adam, decoupled: false, weight_decay: 0.0
}

adam! {
    /// AdamW: Adam whose weight decay (0.01 unless set) acts on the weights directly.
    ///
    /// ```
    /// use rekindle_nn::optim::{AdamW, Optimizer};
    /// use rekindle_nn::{Linear, Parameters};
    ///
    /// let optimizer = AdamW::new(Linear::new(2, 1).parameters(), 0.001).weight_decay(0.1);
    /// assert_eq!(optimizer.param_groups()[0].weight_decay, 0.1);
    /// ```
    AdamW, decoupled: true, weight_decay: 0.01
}

/// One step's numbers, rounded to the parameter's type.
#[derive(Clone, Copy)]
struct Step<T> {
    direction: Direction<T>,
    /// What the weights are multiplied by first.
    shrink: T,
    fresh1: T,
    fresh2: T,
    keep2: T,
    /// `-lr / (1 - β₁ᵗ)`.
    rate: T,
    /// `√(1 - β₂ᵗ)`.
    root: T,
    eps: T,
}

impl<T: Real> Step<T> {
    fn new(group: &ParamGroup, state: &State, decoupled: bool) -> Step<T> {
        let (t, (beta1, beta2)) = (state.step() as f64, group.betas);
        let (decay, shrink) = match decoupled {
            true => (0.0, 1.0 - group.lr * group.weight_decay),
            false => (group.weight_decay, 1.0),
        };
        Step {
            direction: Direction::new(decay, group.maximize),
            shrink: T::from_f64(shrink),
            fresh1: T::from_f64(1.0 - beta1),
            fresh2: T::from_f64(1.0 - beta2),
            keep2: T::from_f64(beta2),
            rate: T::from_f64(-(group.lr / (1.0 - beta1.powf(t)))),
            root: T::from_f64((1.0 - beta2.powf(t)).sqrt()),
            eps: T::from_f64(group.eps),
        }
    }

    /// The shrunk weight and the new moments.
    #[inline(always)]
    fn moments(self, p: T, m: T, v: T, g: T) -> (T, T, T) {
        let p = p * self.shrink;
        let g = self.direction.of(p, g);
        (p, lerp(m, g, self.fresh1), square_average(v, g, self.keep2, self.fresh2))
    }

    /// The new weight.
    #[inline(always)]
    fn weight(self, p: T, m: T, v: T) -> T {
        p + (self.rate * m) / (v.sqrt() / self.root + self.eps)
    }

    /// One pass over the memory of the parameter and its state.
    fn take(self, amsgrad: bool, state: &mut State, p: &Tensor, g: &[T])
    where
        T: Element,
    {
        let (m, v) = (state.tensor("exp_avg", p, 0.0), state.tensor("exp_avg_sq", p, 0.0));
        let plain = |p: &mut [T], m: &mut [T], v: &mut [T]| {
            map::zip_mut3(
                p,
                m,
                v,
                g,
                #[inline(always)]
                |p, m, v, g| {
                    let (p, m, v) = self.moments(p, m, v, g);
                    (self.weight(p, m, v), m, v)
                },
            )
        };
        let greatest = |p: &mut [T], m: &mut [T], v: &mut [T], w: &mut [T]| {
            map::zip_mut4(
                p,
                m,
                v,
                w,
                g,
                #[inline(always)]
                |[p, m, v, w], g| {
                    let (p, m, v) = self.moments(p, m, v, g);
                    let w = w.maximum(v);
                    [self.weight(p, m, w), m, v, w]
                },
            )
        };
        if amsgrad {
            let w = state.tensor(GREATEST, p, 0.0);
            p.with_data_mut(|p| {
                m.with_data_mut(|m| v.with_data_mut(|v| w.with_data_mut(|w| greatest(p, m, v, w))))
            });
        } else {
            p.with_data_mut(|p| m.with_data_mut(|m| v.with_data_mut(|v| plain(p, m, v))));
        }
    }
}

impl Step<f64> {
    fn take_on_gpu(self, amsgrad: bool, state: &mut State, p: &Tensor, g: &Tensor) {
        const MOMENTS: &str = "
            w *= p.shrink;
            let d = directed(w, g, p.decay, p.sign);
            m = lerp(m, d, p.fresh1);
            v = square_average(v, d, p.keep2, p.fresh2);";
        const WEIGHT: &str = "w += (p.rate * m) / (sqrt(v) / p.root + p.eps);";
        const GREATEST_WEIGHT: &str = "
            greatest = maximum(greatest, v);
            w += (p.rate * m) / (sqrt(greatest) / p.root + p.eps);";
        let numbers = [
            ("decay", self.direction.decay),
            ("sign", self.direction.sign),
            ("shrink", self.shrink),
            ("fresh1", self.fresh1),
            ("fresh2", self.fresh2),
            ("keep2", self.keep2),
            ("rate", self.rate),
            ("root", self.root),
            ("eps", self.eps),
        ];
        let (m, v) = (state.tensor("exp_avg", p, 0.0), state.tensor("exp_avg_sq", p, 0.0));
        let moments = [("m", &m), ("v", &v)];
        if amsgrad {
            let greatest = state.tensor(GREATEST, p, 0.0);
            let (wgsl, all) =
                ([MOMENTS, GREATEST_WEIGHT].concat(), [moments[0], moments[1], ("greatest", &greatest)]);
            update_elements("amsgrad", &wgsl, p, &all, g, &numbers);
        } else {
            update_elements("adam", &[MOMENTS, WEIGHT].concat(), p, &moments, g, &numbers);
        }
    }
}
