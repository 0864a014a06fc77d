//! Groups of parameters, each with a learning rate of its own.

use rekindle_tensor::Tensor;

/// Parameters that are trained alike.
///
/// What is not set here is taken from the optimiser's constructor.
///
/// ```
/// use rekindle_nn::optim::{Optimizer, ParamGroup, SGD};
/// use rekindle_nn::{Linear, Parameters};
///
/// let (body, head) = (Linear::new(8, 8), Linear::new(8, 1));
/// let groups = [ParamGroup::new(body.parameters()).lr(0.01), ParamGroup::new(head.parameters())];
/// let optimizer = SGD::new(groups, 0.1).momentum(0.9);
/// let rates: Vec<f64> = optimizer.param_groups().iter().map(|group| group.lr).collect();
/// assert_eq!(rates, [0.01, 0.1]);
/// ```
#[derive(Clone, Debug)]
pub struct ParamGroup {
    /// The parameters.
    pub params: Vec<Tensor>,
    /// The learning rate.
    pub lr: f64,
    /// The learning rate from which schedulers start, once there is one.
    pub initial_lr: Option<f64>,
    /// The weight decay: pull of every weight towards zero.
    pub weight_decay: f64,
    /// The momentum of SGD and RMSprop, the first beta of Adam and its kin.
    pub momentum: f64,
    /// Whether `lr`, `weight_decay` and `momentum` were set for this group.
    set: [bool; 3],
}

impl ParamGroup {
    /// A group with the optimiser's own settings.
    pub fn new(params: impl IntoIterator<Item = Tensor>) -> ParamGroup {
        let params = params.into_iter().collect();
        ParamGroup { params, lr: 0.0, initial_lr: None, weight_decay: 0.0, momentum: 0.0, set: [false; 3] }
    }

    /// Sets the learning rate of this group.
    pub fn lr(mut self, lr: f64) -> ParamGroup {
        (self.lr, self.set[0]) = (lr, true);
        self
    }

    /// Sets the weight decay of this group.
    pub fn weight_decay(mut self, weight_decay: f64) -> ParamGroup {
        (self.weight_decay, self.set[1]) = (weight_decay, true);
        self
    }

    /// Sets the momentum (the first beta) of this group.
    pub fn momentum(mut self, momentum: f64) -> ParamGroup {
        (self.momentum, self.set[2]) = (momentum, true);
        self
    }

    pub(super) fn default_lr(&mut self, lr: f64) {
        if !self.set[0] {
            self.lr = lr;
        }
    }

    pub(super) fn default_weight_decay(&mut self, weight_decay: f64) {
        if !self.set[1] {
            self.weight_decay = weight_decay;
        }
    }

    pub(super) fn default_momentum(&mut self, momentum: f64) {
        if !self.set[2] {
            self.momentum = momentum;
        }
    }

    /// What of a group is saved.
    pub(super) fn numbers(&mut self) -> [(&'static str, &mut f64); 3] {
        [("lr", &mut self.lr), ("weight_decay", &mut self.weight_decay), ("momentum", &mut self.momentum)]
    }
}

/// What an optimiser's constructor takes: parameters, or groups of parameters.
pub struct Groups(Vec<ParamGroup>);

impl From<Vec<Tensor>> for Groups {
    fn from(params: Vec<Tensor>) -> Self {
        Groups(vec![ParamGroup::new(params)])
    }
}

impl From<&[Tensor]> for Groups {
    fn from(params: &[Tensor]) -> Self {
        params.to_vec().into()
    }
}

impl<const N: usize> From<[Tensor; N]> for Groups {
    fn from(params: [Tensor; N]) -> Self {
        params.to_vec().into()
    }
}

impl From<Vec<ParamGroup>> for Groups {
    fn from(groups: Vec<ParamGroup>) -> Self {
        Groups(groups)
    }
}

impl<const N: usize> From<[ParamGroup; N]> for Groups {
    fn from(groups: [ParamGroup; N]) -> Self {
        Groups(groups.into())
    }
}

impl Groups {
    /// The groups with an optimiser's settings where they have none of their own, checked.
    #[track_caller]
    pub(super) fn fill(mut self, lr: f64, weight_decay: f64, momentum: f64) -> Vec<ParamGroup> {
        for group in &mut self.0 {
            group.default_lr(lr);
            group.default_weight_decay(weight_decay);
            group.default_momentum(momentum);
        }
        let params: Vec<&Tensor> = self.0.iter().flat_map(|group| &group.params).collect();
        if params.is_empty() {
            panic!("optimizer: no parameters; pass net.parameters()");
        }
        for (i, p) in params.iter().enumerate() {
            if !p.is_leaf() || !p.dtype().is_float() {
                panic!("optimizer: parameter {i} is not a floating leaf tensor; pass net.parameters()");
            }
            if params[..i].iter().any(|other| other.is_same(p)) {
                panic!("optimizer: parameter {i} appears twice; put it in one group only");
            }
        }
        self.0
    }
}
