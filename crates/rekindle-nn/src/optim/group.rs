//! Groups of parameters, each with options of its own.

use super::Rule;
use rekindle_tensor::{DType, Tensor, mistake};

/// A value of an option: how it is saved, and how it is written in messages.
pub(super) trait Setting: Copy {
    /// The shape of the saved tensor.
    const SHAPE: &'static [usize];
    fn save(self) -> Tensor;
    fn load(saved: &Tensor) -> Self;
}

impl Setting for f64 {
    const SHAPE: &'static [usize] = &[];
    fn save(self) -> Tensor {
        Tensor::full_of([], self, DType::F64)
    }
    fn load(saved: &Tensor) -> f64 {
        saved.item()
    }
}

impl Setting for bool {
    const SHAPE: &'static [usize] = &[];
    fn save(self) -> Tensor {
        Tensor::full([], self)
    }
    fn load(saved: &Tensor) -> bool {
        saved.item()
    }
}

impl Setting for (f64, f64) {
    const SHAPE: &'static [usize] = &[2];
    fn save(self) -> Tensor {
        Tensor::from_vec(vec![self.0, self.1], 2)
    }
    fn load(saved: &Tensor) -> (f64, f64) {
        let values = saved.to_f64_vec();
        (values[0], values[1])
    }
}

/// Ranges, as messages name them. Nothing that is not a number lies in one.
mod range {
    pub const POSITIVE: (&str, fn(f64) -> bool) = ("be at least 0", |v| v >= 0.0);
    pub const UNIT: (&str, fn(f64) -> bool) = ("lie in [0, 1]", |v| (0.0..=1.0).contains(&v));
    pub const NUMBER: (&str, fn(f64) -> bool) = ("be a number", |v| !v.is_nan());
}

/// The table of all options: the fields of [`ParamGroup`], its builder methods, defaults, checks and saved values.
macro_rules! options {
    ($($(#[doc = $doc:literal])+ $name:ident: $t:ty $(= $range:ident)?;)+) => {
        /// Parameters that are trained alike, with the options of their optimiser.
        ///
        /// What is not set here is taken from the optimiser's constructor and builder methods. An optimiser reads the
        /// options that it has, and refuses groups that set others.
        ///
        /// ```
        /// use rekindle_nn::optim::{AdamW, Optimizer, ParamGroup};
        /// use rekindle_nn::{Linear, Parameters};
        ///
        /// let (body, head) = (Linear::new(8, 8), Linear::new(8, 1));
        /// let groups = [
        ///     ParamGroup::new(body.parameters()).lr(0.01).betas((0.9, 0.95)),
        ///     ParamGroup::new(head.parameters()),
        /// ];
        /// let mut optimizer = AdamW::new(groups, 0.1).eps(1e-6);
        /// let groups = optimizer.param_groups_mut();
        /// assert_eq!((groups[0].lr, groups[1].lr), (0.01, 0.1));
        /// assert_eq!((groups[0].betas, groups[0].eps), ((0.9, 0.95), 1e-6));
        /// groups[1].lr = 0.05;
        /// ```
        #[derive(Clone, Debug)]
        pub struct ParamGroup {
            /// The parameters.
            pub params: Vec<Tensor>,
            /// The learning rate from which schedulers start, once there is one.
            pub initial_lr: Option<f64>,
            $($(#[doc = $doc])+ pub $name: $t,)+
            /// The options that were set for this group.
            pub(super) set: Vec<&'static str>,
        }

        impl ParamGroup {
            /// A group with the optimiser's own options.
            pub fn new(params: impl IntoIterator<Item = Tensor>) -> ParamGroup {
                let params = params.into_iter().collect();
                ParamGroup { params, initial_lr: None, $($name: Default::default(),)+ set: Vec::new() }
            }

            $(
                #[doc = concat!("Sets `", stringify!($name), "` of this group.")]
                pub fn $name(mut self, $name: $t) -> ParamGroup {
                    self.$name = $name;
                    self.set.push(stringify!($name));
                    self
                }
            )+

            /// Takes what was not set for this group.
            pub(super) fn fill(&mut self, defaults: &ParamGroup) {
                $(if !self.set.contains(&stringify!($name)) {
                    self.$name = defaults.$name;
                })+
            }

            /// What is wrong with the values, as PyTorch's constructors check them.
            pub(super) fn check(&self) -> Result<(), String> {
                let (low, high) = self.betas;
                if ![low, high].iter().all(|beta| (0.0..1.0).contains(beta)) {
                    return Err(format!("betas must lie in [0, 1), got {low} and {high}"));
                }
                $($(
                    let (must, fits) = range::$range;
                    if !fits(self.$name) {
                        return Err(format!("{} must {must}, got {}", stringify!($name), self.$name));
                    }
                )?)+
                Ok(())
            }

            /// The named options as they are saved.
            pub(super) fn save(&self, names: &[&str], mut put: impl FnMut(&str, Tensor)) {
                $(if names.contains(&stringify!($name)) {
                    put(stringify!($name), self.$name.save());
                })+
            }

            /// Takes the named options from what `get` finds for their name and shape.
            pub(super) fn load<'a>(
                &mut self,
                names: &[&str],
                mut get: impl FnMut(&str, &[usize]) -> Option<&'a Tensor>,
            ) {
                $(if names.contains(&stringify!($name))
                    && let Some(saved) = get(stringify!($name), <$t>::SHAPE)
                {
                    self.$name = <$t>::load(saved);
                })+
            }
        }
    };
}

options! {
    /// The learning rate.
    lr: f64 = POSITIVE;
    /// How much of the last step is repeated (SGD, RMSprop).
    momentum: f64 = POSITIVE;
    /// New gradients count `1 - dampening` in the momentum (SGD).
    dampening: f64 = NUMBER;
    /// Whether the momentum is Nesterov's (SGD).
    nesterov: bool;
    /// How slowly the averages of gradients and of their squares change (Adam, AdamW, Adamax).
    betas: (f64, f64);
    /// What is added to the denominator (all but SGD).
    eps: f64 = POSITIVE;
    /// Pull of every weight towards zero.
    weight_decay: f64 = POSITIVE;
    /// Whether the greatest second moment so far divides (Adam, AdamW).
    amsgrad: bool;
    /// How slowly the average of squares changes (RMSprop).
    alpha: f64 = POSITIVE;
    /// Whether the deviation of the gradients divides instead of their magnitude (RMSprop).
    centered: bool;
    /// How fast the learning rate falls with the number of steps (Adagrad).
    lr_decay: f64 = POSITIVE;
    /// The sum of squares to start from (Adagrad).
    initial_accumulator_value: f64 = POSITIVE;
    /// How slowly the averages of squares change (Adadelta).
    rho: f64 = UNIT;
    /// Whether steps go up instead of down.
    maximize: bool;
}

/// What an optimiser's constructor takes: parameters, or groups of parameters.
///
/// ```
/// use rekindle_nn::optim::{Groups, ParamGroup, SGD};
/// use rekindle_nn::{Linear, Parameters};
/// let net = Linear::new(2, 1);
/// let by_name: Groups = vec![ParamGroup::new([net.weight.clone()]).weight_decay(0.1)].into();
/// SGD::new(by_name, 0.1);
/// SGD::new(net.parameters(), 0.1);
/// ```
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

impl IntoIterator for Groups {
    type Item = ParamGroup;
    type IntoIter = std::vec::IntoIter<ParamGroup>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Every parameter must be trainable and stand in one group only.
#[track_caller]
pub(super) fn check_params(groups: &[ParamGroup]) {
    let params: Vec<&Tensor> = groups.iter().flat_map(|group| &group.params).collect();
    if params.is_empty() {
        mistake!("optimizer: no parameters; pass net.parameters()");
    }
    for (i, p) in params.iter().enumerate() {
        if !p.is_leaf() || !p.dtype().is_float() {
            mistake!("optimizer: parameter {i} is not a floating leaf tensor; pass net.parameters()");
        }
        if params[..i].iter().any(|other| other.is_same(p)) {
            mistake!("optimizer: parameter {i} appears twice; put it in one group only");
        }
    }
}

/// The options of a group must be options of the optimiser, and have possible values.
#[track_caller]
pub(super) fn check_options<R: Rule + ?Sized>(group: &ParamGroup) {
    let op = R::NAME.to_lowercase();
    if let Some(foreign) = group.set.iter().find(|&&name| name != "lr" && !R::OPTIONS.contains(&name)) {
        let own = R::OPTIONS.join(", ");
        mistake!(
            "{op}: a parameter group sets {foreign}, which is not an option of {}; it has lr, {own}",
            R::NAME
        );
    }
    if let Err(message) = group.check() {
        mistake!("{op}: {message}");
    }
}
