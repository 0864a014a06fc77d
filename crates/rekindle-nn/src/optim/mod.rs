//! Optimisers, learning-rate schedulers and gradient clipping: `torch.optim`, with its arithmetic to the last bit for
//! f32 parameters (gradient norms of orders other than 1, 2 and infinity excepted).
//!
//! Hyper-parameters are `f64`; every expression of them is evaluated in double precision and rounded once to the
//! parameter's type. Each step is one pass over the memory of a parameter, its gradient and its state; on a GPU one kernel, with the
//! device's roundings. The state lies where the parameter is and moves with it; a saved state is on the CPU.

mod adadelta;
mod adagrad;
mod adam;
mod adamax;
mod clip;
mod gpu;
mod group;
pub mod lr_scheduler;
mod rmsprop;
mod sgd;
mod state;

pub use adadelta::Adadelta;
pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use adamax::Adamax;
pub use clip::{clip_grad_norm_, clip_grad_norm_of_, clip_grad_norm_on_device_, clip_grad_value_};
pub use gpu::update_elements;
pub use group::{Groups, ParamGroup};
pub use rekindle_kernels::real::Real;
pub use rmsprop::RMSprop;
pub use sgd::SGD;
pub use state::{Core, State};

use crate::state_dict::{StateDict, StateDictError};
use rekindle_tensor::{Element, Tensor, mistake};

/// Changes parameters by their gradients.
///
/// ```
/// use rekindle_nn::optim::{Optimizer, SGD};
/// use rekindle_nn::parameter;
/// use rekindle_tensor::tensor;
///
/// let p = parameter(tensor([1.0]));
/// let mut optimizer = SGD::new(vec![p.clone()], 0.5);
/// (&p * 3.0).sum().backward();
/// optimizer.step();
/// assert_eq!(p.to_vec::<f32>(), [-0.5]);
/// optimizer.zero_grad();
/// assert!(p.grad().is_none());
/// ```
pub trait Optimizer {
    /// One step. Parameters without gradient are passed over.
    fn step(&mut self);

    /// The groups of parameters with their learning rates.
    fn param_groups(&self) -> &[ParamGroup];

    /// The groups, to change their learning rates and other options.
    fn param_groups_mut(&mut self) -> &mut [ParamGroup];

    /// One more group, such as layers that are trained from now on.
    ///
    /// # Panics
    /// If a parameter cannot be trained or is in a group already, or if an option is out of its range.
    ///
    /// ```
    /// use rekindle_nn::optim::{Optimizer, ParamGroup, SGD};
    /// use rekindle_nn::{Linear, Parameters};
    /// let (head, body) = (Linear::new(8, 1), Linear::new(8, 8));
    /// let mut optimizer = SGD::new(head.parameters(), 0.1).momentum(0.9);
    /// optimizer.add_param_group(ParamGroup::new(body.parameters()).lr(0.01));
    /// assert_eq!(optimizer.param_groups()[1].momentum, 0.9);
    /// ```
    fn add_param_group(&mut self, group: ParamGroup);

    /// The names of the options that the optimiser reads from its groups.
    fn options(&self) -> Vec<&'static str>;

    /// Everything that the next steps depend on, except the parameters themselves: the kind of optimiser, the options
    /// of every group, and what is remembered of every parameter.
    fn state_dict(&self) -> StateDict;

    /// Takes back what [`state_dict`](Optimizer::state_dict) returned: training goes on to the same bit, also if this
    /// optimiser was made with other options, which are replaced by the saved ones.
    ///
    /// # Errors
    /// If the state belongs to other parameters or another optimiser; nothing is changed then.
    fn load_state_dict(&mut self, state: &StateDict) -> Result<(), StateDictError>;

    /// Whether all numbers that it remembers are finite: those of [`state_dict`](Self::state_dict), which optimisers of this crate need no copy
    /// of to say it.
    fn state_is_finite(&self) -> bool {
        self.state_dict().iter().all(|(_, t)| t.all_finite())
    }

    /// The tensors of the state, such as running averages, where they are; by default those of [`state_dict`](Self::state_dict).
    fn state_tensors(&self) -> Vec<Tensor> {
        self.state_dict().iter().map(|(_, t)| t.clone()).collect()
    }

    /// Forgets all gradients.
    fn zero_grad(&self) {
        self.param_groups().iter().flat_map(|g| &g.params).for_each(Tensor::zero_grad);
    }

    /// The learning rate of the first group.
    fn lr(&self) -> f64 {
        self.param_groups().first().map_or(0.0, |group| group.lr)
    }

    /// Sets the learning rate of all groups.
    fn set_lr(&mut self, lr: f64) {
        self.param_groups_mut().iter_mut().for_each(|group| group.lr = lr);
    }
}

/// The builder methods of an optimiser, which set options of its groups; and the names of these options.
macro_rules! setters {
    ($Optimizer:ident: $($(#[$doc:meta])+ $name:ident: $t:ty;)+) => {
        impl $Optimizer {
            const OPTIONS: &'static [&'static str] = &[$(stringify!($name)),+];
            $(
                $(#[$doc])+
                ///
                /// Groups that set it themselves keep their own.
                ///
                /// # Panics
                /// If it is out of its range or does not go together with the others.
                #[track_caller]
                pub fn $name(mut self, $name: $t) -> $Optimizer {
                    self.core.set::<Self>(stringify!($name), |group| group.$name = $name);
                    self
                }
            )+
        }
    };
}
use setters;

/// The name, options and accessors of a [`Rule`].
macro_rules! rule {
    ($Optimizer:ident) => {
        const NAME: &'static str = stringify!($Optimizer);
        const OPTIONS: &'static [&'static str] = $Optimizer::OPTIONS;

        fn core(&self) -> &Core {
            &self.core
        }
        fn core_mut(&mut self) -> &mut Core {
            &mut self.core
        }
    };
}
use rule;

/// How one kind of optimiser changes one parameter: what distinguishes the files of this module.
///
/// Every `Rule` is an [`Optimizer`]; implement it to write your own. Options that are fields of [`ParamGroup`] can
/// be set for each group, are checked and saved.
///
/// ```
/// use rekindle_nn::optim::{Core, Groups, Optimizer, ParamGroup, Real, Rule, State, update_elements};
/// use rekindle_nn::parameter;
/// use rekindle_tensor::{Element, Tensor, tensor};
///
/// /// Lion: steps of `lr` along the sign of an average gradient (X. Chen et al., 2023).
/// struct Lion {
///     core: Core,
/// }
///
/// impl Lion {
///     fn new(params: impl Into<Groups>, lr: f64) -> Lion {
///         Lion { core: Core::new::<Lion>(params, ParamGroup::new([]).lr(lr).betas((0.9, 0.99))) }
///     }
/// }
///
/// impl Rule for Lion {
///     const NAME: &'static str = "Lion";
///     const OPTIONS: &'static [&'static str] = &["betas"];
///     const STATE: &'static [&'static str] = &["exp_avg"];
///
///     fn core(&self) -> &Core {
///         &self.core
///     }
///     fn core_mut(&mut self) -> &mut Core {
///         &mut self.core
///     }
///
///     fn update<T: Real + Element>(&self, group: &ParamGroup, state: &mut State, p: &Tensor, g: &[T]) {
///         let [lr, b1, b2] = [group.lr, group.betas.0, group.betas.1].map(T::from_f64);
///         let average = state.tensor("exp_avg", p, 0.0);
///         p.with_data_mut(|p: &mut [T]| {
///             average.with_data_mut(|m: &mut [T]| {
///                 for ((p, m), &g) in p.iter_mut().zip(m).zip(g) {
///                     let c = b1 * *m + (T::ONE - b1) * g;
///                     *p -= if c > T::ZERO { lr } else { -lr };
///                     *m = b2 * *m + (T::ONE - b2) * g;
///                 }
///             })
///         });
///     }
///
///     /// The same for a GPU.
///     fn update_gpu(&self, group: &ParamGroup, state: &mut State, p: &Tensor, g: &Tensor) {
///         let wgsl = "
///             let c = p.b1 * m + (1.0 - p.b1) * g;
///             w -= select(-p.lr, p.lr, c > 0.0);
///             m = p.b2 * m + (1.0 - p.b2) * g;";
///         let numbers = [("lr", group.lr), ("b1", group.betas.0), ("b2", group.betas.1)];
///         let average = state.tensor("exp_avg", p, 0.0);
///         update_elements("lion", wgsl, p, &[("m", &average)], g, &numbers);
///     }
/// }
///
/// let p = parameter(tensor([1.0, 1.0]));
/// let mut optimizer = Lion::new([p.clone()], 0.25);
/// (&p * tensor([3.0, -0.01])).sum().backward();
/// optimizer.step();
/// assert_eq!(p.to_vec::<f32>(), [0.75, 1.25]);
/// assert!(optimizer.state_dict().get("state.0.exp_avg").is_some());
/// ```
pub trait Rule {
    /// The optimiser's name, which its saved state bears.
    const NAME: &'static str;

    /// The names of the options that it reads from its groups, beside `lr`.
    const OPTIONS: &'static [&'static str];

    /// The names of the state tensors that a parameter can have, as in PyTorch.
    const STATE: &'static [&'static str];

    /// The parameters and their states.
    fn core(&self) -> &Core;

    /// The parameters and their states.
    fn core_mut(&mut self) -> &mut Core;

    /// Changes the parameter `p`, whose gradient is `g`.
    fn update<T: Real + Element>(&self, group: &ParamGroup, state: &mut State, p: &Tensor, g: &[T]);

    /// [`update`](Rule::update) where the parameter is on a GPU; [`update_elements`] does it in one pass.
    ///
    /// # Panics
    /// Unless it is implemented.
    #[track_caller]
    fn update_gpu(&self, _group: &ParamGroup, _state: &mut State, _p: &Tensor, _g: &Tensor) {
        let op = Self::NAME.to_lowercase();
        mistake!("{op}: there is no update_gpu for parameters on a GPU; move them with .cpu(), or write it");
    }

    /// Whether a parameter of this group, once changed, always has this state tensor: a saved state without it is
    /// refused then.
    fn needs(_group: &ParamGroup, _tensor: &str) -> bool {
        true
    }

    /// Whether the options of a group, each within its range, go together; asked when one is set and before
    /// every step.
    ///
    /// # Errors
    /// With one line that says what does not.
    fn fits(_group: &ParamGroup) -> Result<(), String> {
        Ok(())
    }
}

/// The gradient as an optimiser uses it: negated to maximise, with weight decay added.
#[derive(Clone, Copy)]
struct Direction<T> {
    decay: T,
    /// 1, or -1 to maximise.
    sign: T,
}

impl<T: Real> Direction<T> {
    fn new(decay: f64, maximize: bool) -> Direction<T> {
        Direction { decay: T::from_f64(decay), sign: if maximize { -T::ONE } else { T::ONE } }
    }

    #[inline(always)]
    fn of(self, p: T, g: T) -> T {
        let g = g * self.sign;
        // Without decay nothing is added: 0 * infinity would be NaN.
        if self.decay == T::ZERO { g } else { self.decay.mul_add(p, g) }
    }
}

/// The moving average `m + weight·(g - m)`, computed from the nearer end as `torch.lerp` does.
#[inline(always)]
fn lerp<T: Real>(m: T, g: T, weight: T) -> T {
    let (weight, start) = if weight.abs() < T::from_f64(0.5) { (weight, m) } else { (weight - T::ONE, g) };
    weight.mul_add(g - m, start)
}

/// The moving average of squares `keep·v + fresh·g²`.
#[inline(always)]
fn square_average<T: Real>(v: T, g: T, keep: T, fresh: T) -> T {
    (fresh * g).mul_add(g, v * keep)
}
