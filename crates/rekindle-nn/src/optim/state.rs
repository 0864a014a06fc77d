//! What all optimisers share: the loop over the parameters, their state, and its saving.

use super::clip::norms_on_gpus;
use super::group::{Groups, ParamGroup, check_options, check_params};
use super::{Optimizer, Rule};
use crate::state_dict::{StateDict, StateDictError, copied_to_cpu};
use rekindle_tensor::{DType, Device, Tensor, mistake, no_grad};
use std::collections::HashSet;

/// The groups of an optimiser and the state of every parameter: the one field that a [`Rule`] needs; see the
/// example there.
#[derive(Debug)]
pub struct Core {
    /// The options of groups that set none of their own.
    defaults: ParamGroup,
    groups: Vec<ParamGroup>,
    /// In the order of the groups' parameters.
    states: Vec<State>,
}

/// What an optimiser remembers of one parameter; see the example of [`Rule`].
#[derive(Clone, Debug, Default)]
pub struct State {
    step: u64,
    tensors: Vec<(&'static str, Tensor)>,
}

impl State {
    /// The number of steps, with the present one.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Whether there is a state tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.iter().any(|(n, _)| *n == name)
    }

    /// The state tensor of this name, one of [`Rule::STATE`]; made like `p` and filled with `initial` when first used. It follows `p` from
    /// device to device.
    pub fn tensor(&mut self, name: &'static str, p: &Tensor, initial: f64) -> Tensor {
        let found = self.tensors.iter().find(|(n, _)| *n == name).map(|(_, tensor)| tensor.clone());
        if let Some(tensor) = found {
            tensor.to_(p.device());
            return tensor;
        }
        let tensor = Tensor::full_like(p, initial);
        self.tensors.push((name, tensor.clone()));
        tensor
    }
}

impl Core {
    /// The given parameters, with the options of `defaults` where groups set none of their own.
    ///
    /// # Panics
    /// If there are no parameters, one that cannot be trained, or an option out of its range.
    #[track_caller]
    pub fn new<R: Rule>(params: impl Into<Groups>, defaults: ParamGroup) -> Core {
        let mut core = Core { defaults, groups: Vec::new(), states: Vec::new() };
        for group in params.into() {
            core.push::<R>(group);
        }
        check_params(&core.groups);
        core
    }

    #[track_caller]
    fn push<R: Rule>(&mut self, mut group: ParamGroup) {
        group.fill(&self.defaults);
        check_options::<R>(&group);
        self.states.resize(self.states.len() + group.params.len(), State::default());
        self.groups.push(group);
    }

    /// Sets an option of the groups that have none of their own: what builder methods do.
    ///
    /// # Panics
    /// If it is out of its range or does not go together with the others.
    #[track_caller]
    pub fn set<R: Rule>(&mut self, option: &str, set: impl Fn(&mut ParamGroup)) {
        set(&mut self.defaults);
        self.groups.iter_mut().filter(|group| !group.set.contains(&option)).for_each(&set);
        check_options::<R>(&self.defaults);
        self.check_fits::<R>();
    }

    #[track_caller]
    fn check_fits<R: Rule>(&self) {
        for group in &self.groups {
            if let Err(message) = R::fits(group) {
                mistake!("{message}");
            }
        }
    }

    /// Calls `f` with every parameter that has a gradient.
    fn each(&mut self, mut f: impl FnMut(&ParamGroup, &mut State, &Tensor, &Tensor)) {
        let mut states = self.states.iter_mut();
        for group in &self.groups {
            for (p, state) in group.params.iter().zip(states.by_ref()) {
                if let Some(grad) = p.grad() {
                    state.step += 1;
                    f(group, state, p, &grad);
                }
            }
        }
    }

    fn save<R: Rule>(&self) -> StateDict {
        let mut dict = StateDict::new();
        dict.insert(kind::<R>(), Tensor::full([], true));
        let mut first = 0;
        for (i, group) in self.groups.iter().enumerate() {
            let end = first + group.params.len() as i64;
            dict.insert(format!("param_groups.{i}.params"), Tensor::arange(first, end, 1));
            first = end;
            group.save(&options::<R>(), |name, value| dict.insert(format!("param_groups.{i}.{name}"), value));
            if let Some(lr) = group.initial_lr {
                dict.insert(format!("param_groups.{i}.initial_lr"), Tensor::full_of([], lr, DType::F64));
            }
        }
        for (i, state) in self.states.iter().enumerate().filter(|(_, state)| state.step > 0) {
            dict.insert(format!("state.{i}.step"), Tensor::full([], state.step as i64));
            for (name, tensor) in &state.tensors {
                dict.insert(format!("state.{i}.{name}"), copied_to_cpu(tensor));
            }
        }
        dict
    }

    fn load<R: Rule>(&mut self, dict: &StateDict) -> Result<(), StateDictError> {
        let mut reader = Reader::new(dict);
        reader.take(&kind::<R>(), &[], true);
        let (mut groups, mut states) = (self.groups.clone(), Vec::new());
        for (i, group) in groups.iter_mut().enumerate() {
            reader.take(&format!("param_groups.{i}.params"), &[group.params.len()], true);
            group.load(&options::<R>(), |name, shape| {
                reader.take(&format!("param_groups.{i}.{name}"), shape, true)
            });
            let initial_lr = reader.take(&format!("param_groups.{i}.initial_lr"), &[], false);
            group.initial_lr = initial_lr.map(Tensor::item);
            for p in &group.params {
                states.push(reader.state::<R>(states.len(), group, p));
            }
        }
        reader.finish()?;
        (self.groups, self.states) = (groups, states);
        Ok(())
    }
}

/// The entry that tells one kind of optimiser from another.
fn kind<R: Rule>() -> String {
    format!("optimizer.{}", R::NAME)
}

/// The names of the options that are saved.
fn options<R: Rule>() -> Vec<&'static str> {
    [&["lr"], R::OPTIONS].concat()
}

impl<R: Rule> Optimizer for R {
    #[track_caller]
    fn step(&mut self) {
        self.core().check_fits::<R>();
        // Taken out for the time of the step, because `update` reads the optimiser itself.
        let empty = Core { defaults: ParamGroup::new([]), groups: Vec::new(), states: Vec::new() };
        let mut core = std::mem::replace(self.core_mut(), empty);
        no_grad(|| {
            core.each(|group, state, p, g| match (p.device(), p.dtype()) {
                (Device::Cpu, DType::F64) => self.update::<f64>(group, state, p, &g.data()),
                (Device::Cpu, _) => self.update::<f32>(group, state, p, &g.data()),
                _ => self.update_gpu(group, state, p, g),
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

    #[track_caller]
    fn add_param_group(&mut self, group: ParamGroup) {
        let mut groups = self.core().groups.clone();
        groups.push(group.clone());
        check_params(&groups);
        self.core_mut().push::<R>(group);
    }

    fn options(&self) -> Vec<&'static str> {
        options::<R>()
    }

    fn state_dict(&self) -> StateDict {
        self.core().save::<R>()
    }

    fn load_state_dict(&mut self, state: &StateDict) -> Result<(), StateDictError> {
        self.core_mut().load::<R>(state)
    }

    fn state_tensors(&self) -> Vec<Tensor> {
        let states = self.core().states.iter();
        states.flat_map(|state| state.tensors.iter().map(|(_, t)| t.clone())).collect()
    }

    fn state_is_finite(&self) -> bool {
        let tensors = || self.core().states.iter().flat_map(|state| &state.tensors).map(|(_, t)| t);
        let there = tensors().filter(|t| t.device() != Device::Cpu).collect();
        tensors().filter(|t| t.device() == Device::Cpu).all(Tensor::all_finite)
            // One number from each device is enough.
            && norms_on_gpus(there, f64::INFINITY).into_iter().all(f64::is_finite)
            && self.core().groups.iter().all(|group| group.lr.is_finite())
    }
}

/// Takes tensors out of a dictionary and keeps account of what does not fit.
pub(super) struct Reader<'a> {
    dict: &'a StateDict,
    used: HashSet<String>,
    error: StateDictError,
}

impl<'a> Reader<'a> {
    pub(super) fn new(dict: &'a StateDict) -> Reader<'a> {
        Reader { dict, used: HashSet::new(), error: StateDictError::default() }
    }

    pub(super) fn take(&mut self, name: &str, shape: &[usize], required: bool) -> Option<&'a Tensor> {
        self.used.insert(name.to_string());
        match self.dict.get(name) {
            Some(t) if t.shape() == shape => return Some(t),
            Some(t) => self.error.shapes.push((name.to_string(), t.shape().to_vec(), shape.to_vec())),
            None if required => self.error.missing.push(name.to_string()),
            None => {}
        }
        None
    }

    /// The state of the `i`-th parameter `p`.
    fn state<R: Rule>(&mut self, i: usize, group: &ParamGroup, p: &Tensor) -> State {
        let mut state = State::default();
        if let Some(step) = self.take(&format!("state.{i}.step"), &[], false) {
            state.step = u64::try_from(step.item::<i64>()).unwrap_or(0);
        }
        for name in R::STATE.iter().filter(|_| state.step > 0) {
            let tensor = self.take(&format!("state.{i}.{name}"), p.shape(), R::needs(group, name));
            state.tensors.extend(tensor.map(|t| (*name, copied_to_cpu(t).to(p.dtype()).to(p.device()))));
        }
        state
    }

    pub(super) fn finish(mut self) -> Result<(), StateDictError> {
        let unknown = self.dict.names().filter(|name| !self.used.contains(*name));
        self.error.unexpected = unknown.map(String::from).collect();
        if self.error == StateDictError::default() { Ok(()) } else { Err(self.error) }
    }
}
