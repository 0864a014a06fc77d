//! Named tensors: the state of a network, an optimiser or a scheduler.

use rekindle_tensor::{Tensor, no_grad};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

/// Tensors by name, in order: what [`state_dict`](crate::Parameters::state_dict) returns and files hold.
///
/// ```
/// use rekindle_nn::StateDict;
/// use rekindle_tensor::tensor;
///
/// let mut dict = StateDict::new();
/// dict.insert("weight", tensor([1.0]));
/// assert_eq!(dict.get("weight").unwrap().to_vec::<f32>(), [1.0]);
/// assert_eq!(dict.names().collect::<Vec<_>>(), ["weight"]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct StateDict {
    entries: Vec<(String, Tensor)>,
    /// Where each name stands in `entries`.
    index: HashMap<String, usize>,
    /// Texts that files keep beside the tensors.
    pub(crate) metadata: BTreeMap<String, String>,
}

impl StateDict {
    /// An empty dictionary.
    pub fn new() -> StateDict {
        StateDict::default()
    }

    /// Adds a tensor, or replaces that of the same name.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) {
        let name = name.into();
        match self.index.get(&name) {
            Some(&i) => self.entries[i].1 = tensor,
            None => {
                self.index.insert(name.clone(), self.entries.len());
                self.entries.push((name, tensor));
            }
        }
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.index.get(name).map(|&i| &self.entries[i].1)
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    /// Names and tensors, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.entries.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keeps a text beside the tensors, under a name of its own; files have it as safetensors' `__metadata__`.
    ///
    /// ```
    /// let mut dict = rekindle_nn::StateDict::new();
    /// dict.set_metadata("author", "Ada");
    /// let again = rekindle_nn::StateDict::from_bytes(&dict.to_bytes()).unwrap();
    /// assert_eq!(again.metadata("author"), Some("Ada"));
    /// ```
    pub fn set_metadata(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.metadata.insert(name.into(), text.into());
    }

    /// The text under this name.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        self.metadata.get(name).map(String::as_str)
    }

    /// Adds all of `other` under `prefix.name`: several states in one file.
    pub fn extend_under(&mut self, prefix: &str, other: &StateDict) {
        other.iter().for_each(|(name, tensor)| self.insert(format!("{prefix}.{name}"), tensor.clone()));
    }

    /// What [`extend_under`](StateDict::extend_under) added under this prefix.
    pub fn under(&self, prefix: &str) -> StateDict {
        let strip = |name: &str| Some(name.strip_prefix(prefix)?.strip_prefix('.')?.to_string());
        self.iter().filter_map(|(name, tensor)| Some((strip(name)?, tensor.clone()))).collect()
    }

    /// Overwrites `own` if names and shapes are the same, else changes nothing.
    pub(crate) fn copy_into(&self, own: &[(String, Tensor)]) -> Result<(), StateDictError> {
        let mut error = StateDictError::default();
        for (name, tensor) in own {
            match self.get(name) {
                None => error.missing.push(name.clone()),
                Some(t) if t.shape() != tensor.shape() => {
                    error.shapes.push((name.clone(), t.shape().to_vec(), tensor.shape().to_vec()));
                }
                Some(_) => {}
            }
        }
        let known: HashSet<&str> = own.iter().map(|(name, _)| name.as_str()).collect();
        error.unexpected = self.names().filter(|name| !known.contains(name)).map(String::from).collect();
        if error != StateDictError::default() {
            return Err(error);
        }
        no_grad(|| {
            for (name, tensor) in own {
                if let Some(source) = self.get(name) {
                    tensor.copy_(source);
                }
            }
        });
        Ok(())
    }
}

/// A copy on the CPU: a checkpoint from one device must resume on another.
pub(crate) fn copied_to_cpu(tensor: &Tensor) -> Tensor {
    let here = tensor.detach().cpu();
    if here.shares_memory(tensor) { here.copy() } else { here }
}

impl<S: Into<String>> FromIterator<(S, Tensor)> for StateDict {
    fn from_iter<I: IntoIterator<Item = (S, Tensor)>>(entries: I) -> Self {
        let mut dict = StateDict::new();
        entries.into_iter().for_each(|(name, tensor)| dict.insert(name, tensor));
        dict
    }
}

/// How a dictionary differs from what was to load it: a network, an optimiser or a scheduler.
///
/// ```
/// use rekindle_nn::{Linear, Parameters, StateDict};
/// let error = Linear::new(2, 1).load_state_dict(&StateDict::new()).unwrap_err();
/// assert_eq!(error.missing, ["weight", "bias"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateDictError {
    /// Names that the network has and the dictionary lacks.
    pub missing: Vec<String>,
    /// Names that the dictionary has and the network lacks.
    pub unexpected: Vec<String>,
    /// Names whose shapes differ: that in the dictionary, then that in the network.
    pub shapes: Vec<(String, Vec<usize>, Vec<usize>)>,
}

impl fmt::Display for StateDictError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = |(name, got, want): &(String, Vec<usize>, Vec<usize>)| {
            format!("{name} is {got:?}, expected {want:?}")
        };
        let shapes: Vec<String> = self.shapes.iter().map(shape).collect();
        let lists =
            [("missing", &self.missing), ("unexpected", &self.unexpected), ("shapes differ", &shapes)];
        let parts: Vec<String> = lists
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("{what}: {}", listed(names)))
            .collect();
        write!(f, "state_dict does not fit: {}", parts.join("; "))
    }
}

/// Names on one line, whatever is in them and however many they are.
fn listed(names: &[String]) -> String {
    const MOST: usize = 50;
    let mut listed: Vec<String> =
        names.iter().take(MOST).map(|name| name.escape_debug().to_string()).collect();
    if names.len() > MOST {
        listed.push(format!("and {} more", names.len() - MOST));
    }
    listed.join(", ")
}

impl std::error::Error for StateDictError {}
