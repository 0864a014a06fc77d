//! Optimisers, learning-rate schedulers and gradient clipping: `torch.optim`, with its arithmetic to the last bit.
//!
//! Hyper-parameters are `f64`; every expression of them is evaluated in double precision and rounded once to the
//! parameter's type. Each step is one pass over the memory of a parameter, its gradient and its state.

mod adadelta;
mod adagrad;
mod adam;
mod adamax;
mod clip;
mod group;
pub mod lr_scheduler;
mod rmsprop;
mod sgd;

pub use adadelta::Adadelta;
pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use adamax::Adamax;
pub use clip::{clip_grad_norm_, clip_grad_norm_of_, clip_grad_value_};
pub use group::{Groups, ParamGroup};
pub use rmsprop::RMSprop;
pub use sgd::SGD;

use crate::state_dict::{StateDict, StateDictError};
use rekindle_kernels::real::Real;
use rekindle_tensor::{DType, Element, Tensor, no_grad};

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

    /// The groups, to change their learning rates and the like.
    fn param_groups_mut(&mut self) -> &mut [ParamGroup];

    /// Everything that the next steps depend on, except the parameters themselves.
    fn state_dict(&self) -> StateDict;

    /// Takes back what [`state_dict`](Optimizer::state_dict) returned: training goes on to the same bit.
    ///
    /// # Errors
    /// If the state belongs to other parameters or another optimiser; nothing is changed then.
    fn load_state_dict(&mut self, state: &StateDict) -> Result<(), StateDictError>;

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

/// Builder methods that several optimisers share, and the accessors of [`Rule`].
macro_rules! shared {
    (weight_decay) => {
        /// Sets the weight decay of the groups that have none of their own.
        pub fn weight_decay(mut self, weight_decay: f64) -> Self {
            self.core.groups.iter_mut().for_each(|group| group.default_weight_decay(weight_decay));
            self
        }
    };
    (momentum) => {
        /// Sets the momentum of the groups that have none of their own.
        pub fn momentum(mut self, momentum: f64) -> Self {
            self.core.groups.iter_mut().for_each(|group| group.default_momentum(momentum));
            self
        }
    };
    (betas) => {
        /// Sets how slowly the averages of gradients and of their squares change.
        pub fn betas(mut self, (beta1, beta2): (f64, f64)) -> Self {
            self.core.groups.iter_mut().for_each(|group| group.default_momentum(beta1));
            self.beta2 = beta2;
            self
        }
    };
    (eps) => {
        /// Sets what is added to the denominator.
        pub fn eps(mut self, eps: f64) -> Self {
            self.eps = eps;
            self
        }
    };
    (maximize) => {
        /// Goes up instead of down.
        pub fn maximize(mut self, on: bool) -> Self {
            self.maximize = on;
            self
        }
    };
    (core) => {
        fn core(&self) -> &Core {
            &self.core
        }
        fn core_mut(&mut self) -> &mut Core {
            &mut self.core
        }
    };
}
use shared;

/// How one kind of optimiser changes one parameter: what distinguishes the files of this module.
///
/// Every `Rule` is an [`Optimizer`]; implement it to write your own.
pub trait Rule {
    /// The names of the state tensors that a parameter can have, as in PyTorch.
    const STATE: &'static [&'static str];

    /// The parameters and their states.
    fn core(&self) -> &Core;

    /// The parameters and their states.
    fn core_mut(&mut self) -> &mut Core;

    /// Changes the parameter `p`, whose gradient is `g`.
    fn update<T: Real + Element>(&self, group: &ParamGroup, state: &mut State, p: &Tensor, g: &[T]);
}

/// The groups of an optimiser and the state of every parameter, in the order of the groups.
#[derive(Debug, Default)]
pub struct Core {
    groups: Vec<ParamGroup>,
    states: Vec<State>,
}

/// What an optimiser remembers of one parameter.
#[derive(Debug, Default)]
pub struct State {
    /// The number of steps so far.
    step: u64,
    /// In the order of [`Rule::STATE`]; allocated when first used.
    tensors: [Option<Tensor>; 4],
}

impl State {
    /// The state tensor `i`, filled with `initial` when first used.
    fn tensor(&mut self, i: usize, p: &Tensor, initial: f64) -> Tensor {
        self.tensors[i].get_or_insert_with(|| Tensor::full_of(p.shape(), initial, p.dtype())).clone()
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

impl Core {
    #[track_caller]
    fn new(groups: impl Into<Groups>, lr: f64, weight_decay: f64, momentum: f64) -> Core {
        let groups = groups.into().fill(lr, weight_decay, momentum);
        let count = groups.iter().map(|group| group.params.len()).sum();
        Core { groups, states: Vec::from_iter(std::iter::repeat_with(State::default).take(count)) }
    }

    /// Calls `f` with every parameter that has a gradient.
    fn each(&mut self, mut f: impl FnMut(&ParamGroup, &mut State, &Tensor, &Tensor)) {
        let mut states = self.states.iter_mut();
        for group in &self.groups {
            for (p, state) in group.params.iter().zip(states.by_ref()) {
                if let Some(grad) = p.grad() {
                    f(group, state, p, &grad);
                }
            }
        }
    }
}

impl<R: Rule> Optimizer for R {
    #[track_caller]
    fn step(&mut self) {
        let mut core = std::mem::take(self.core_mut());
        no_grad(|| {
            core.each(|group, state, p, g| match p.dtype() {
                DType::F64 => self.update::<f64>(group, state, p, &g.data()),
                _ => self.update::<f32>(group, state, p, &g.data()),
            });
        });
        *self.core_mut() = core;
    }

    fn param_groups(&self) -> &[ParamGroup] {
        &self.core().groups
    }

    fn param_groups_mut(&mut self) -> &mut [ParamGroup] {
        &mut self.core_mut().groups
    }

    fn state_dict(&self) -> StateDict {
        self.core().save(R::STATE)
    }

    fn load_state_dict(&mut self, state: &StateDict) -> Result<(), StateDictError> {
        self.core_mut().load(R::STATE, state)
    }
}

impl Core {
    fn save(&self, names: &[&str]) -> StateDict {
        let mut dict = StateDict::new();
        let number = |value: f64| Tensor::full_of([], value, DType::F64);
        for (i, group) in self.groups.iter().enumerate() {
            for (name, value) in group.clone().numbers() {
                dict.insert(format!("param_groups.{i}.{name}"), number(*value));
            }
            if let Some(lr) = group.initial_lr {
                dict.insert(format!("param_groups.{i}.initial_lr"), number(lr));
            }
        }
        for (i, state) in self.states.iter().enumerate().filter(|(_, state)| state.step > 0) {
            dict.insert(format!("state.{i}.step"), Tensor::full([], state.step as i64));
            for (name, tensor) in names.iter().zip(&state.tensors) {
                if let Some(tensor) = tensor {
                    dict.insert(format!("state.{i}.{name}"), tensor.copy());
                }
            }
        }
        dict
    }

    fn load(&mut self, names: &[&str], dict: &StateDict) -> Result<(), StateDictError> {
        let mut reader = Reader::new(dict);
        let mut groups = self.groups.clone();
        for (i, group) in groups.iter_mut().enumerate() {
            for (name, value) in group.numbers() {
                if let Some(t) = reader.take(&format!("param_groups.{i}.{name}"), &[], true) {
                    *value = t.item();
                }
            }
            let initial_lr = reader.take(&format!("param_groups.{i}.initial_lr"), &[], false);
            group.initial_lr = initial_lr.map(Tensor::item);
        }
        let params: Vec<Tensor> = groups.iter().flat_map(|group| group.params.clone()).collect();
        let mut states = Vec::new();
        for (i, p) in params.iter().enumerate() {
            let mut state = State::default();
            if let Some(step) = reader.take(&format!("state.{i}.step"), &[], false) {
                state.step = step.item::<i64>() as u64;
            }
            for (slot, name) in state.tensors.iter_mut().zip(names) {
                *slot = reader
                    .take(&format!("state.{i}.{name}"), p.shape(), false)
                    .map(|t| t.to(p.dtype()).copy());
            }
            states.push(state);
        }
        reader.finish()?;
        (self.groups, self.states) = (groups, states);
        Ok(())
    }
}

/// Takes tensors out of a dictionary and keeps account of what does not fit.
struct Reader<'a> {
    dict: &'a StateDict,
    used: Vec<String>,
    error: StateDictError,
}

impl<'a> Reader<'a> {
    fn new(dict: &'a StateDict) -> Reader<'a> {
        Reader { dict, used: Vec::new(), error: StateDictError::default() }
    }

    fn take(&mut self, name: &str, shape: &[usize], required: bool) -> Option<&'a Tensor> {
        self.used.push(name.to_string());
        match self.dict.get(name) {
            Some(t) if t.shape() == shape => return Some(t),
            Some(t) => self.error.shapes.push((name.to_string(), t.shape().to_vec(), shape.to_vec())),
            None if required => self.error.missing.push(name.to_string()),
            None => {}
        }
        None
    }

    fn finish(mut self) -> Result<(), StateDictError> {
        let unknown = self.dict.names().filter(|name| !self.used.iter().any(|used| used == name));
        self.error.unexpected = unknown.map(String::from).collect();
        if self.error == StateDictError::default() { Ok(()) } else { Err(self.error) }
    }
}
