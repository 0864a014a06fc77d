//! [`Module`] and [`Parameters`]: what makes a plain struct a network.

use crate::file::{FileError, any};
use crate::observe::observe;
use crate::onnx;
use crate::state_dict::{StateDict, StateDictError, copied_to_cpu};
use crate::visit::{Entry, Visitor, is_plain_data};
use rekindle_tensor::{DType, Device, Tensor, mistake};
use std::borrow::Borrow;
use std::path::Path;

/// A network or a layer: parameters and a forward pass.
///
/// Write a struct of layers, derive [`Parameters`], and say how the input flows through it. Training, saving,
/// printing and counting come by themselves.
///
/// ```
/// use rekindle_nn::{Linear, Module, Parameters};
/// use rekindle_tensor::Tensor;
///
/// #[derive(Parameters)]
/// struct Net {
///     fc1: Linear,
///     fc2: Linear,
/// }
///
/// impl Module for Net {
///     fn forward(&self, x: &Tensor) -> Tensor {
///         let x = self.fc1.forward(x).relu();
///         self.fc2.forward(&x)
///     }
/// }
///
/// let net = Net { fc1: Linear::new(784, 32), fc2: Linear::new(32, 1) };
/// assert_eq!(net.forward(&Tensor::zeros([16, 784])).shape(), [16, 1]);
/// assert_eq!(net.num_parameters(), 784 * 32 + 32 + 32 + 1);
/// ```
pub trait Module: Parameters + Send + Sync {
    /// The output for a batch `x`, recorded for the backward pass where parameters require gradients.
    fn forward(&self, x: &Tensor) -> Tensor;

    /// Adds to a graph what [`forward`](Module::forward) gives in evaluation, as ONNX's operators. The library's layers have it; a network of
    /// one's own says how its layers are joined:
    ///
    /// ```
    /// use rekindle_nn::onnx::{self, Graph, Value};
    /// use rekindle_nn::{Linear, Module, Parameters};
    /// use rekindle_tensor::Tensor;
    ///
    /// #[derive(Parameters)]
    /// struct Residual {
    ///     inner: Linear,
    /// }
    ///
    /// impl Module for Residual {
    ///     fn forward(&self, x: &Tensor) -> Tensor {
    ///         x + self.inner.forward(x).relu()
    ///     }
    ///
    ///     fn onnx(&self, graph: &mut Graph, x: &Value) -> Result<Value, String> {
    ///         let y = graph.within("inner", |graph| self.inner.onnx(graph, x))?;
    ///         let y = graph.op("Relu", &[&y], &[]);
    ///         Ok(graph.op("Add", &[x, &y], &[]))
    ///     }
    /// }
    ///
    /// assert!(onnx::export(&Residual { inner: Linear::new(3, 3) }, &Tensor::zeros([1, 3])).is_ok());
    /// ```
    ///
    /// # Errors
    /// If the module does not say what it is in ONNX, or it cannot be.
    fn onnx(&self, graph: &mut onnx::Graph, x: &onnx::Value) -> Result<onnx::Value, String> {
        _ = (graph, x);
        Err(format!("{}: it has no form in ONNX; give its module the method `onnx`", self.type_name()))
    }
}

impl<M: Module + ?Sized> Module for Box<M> {
    fn forward(&self, x: &Tensor) -> Tensor {
        observe(self, (**self).forward(x))
    }

    fn onnx(&self, graph: &mut onnx::Graph, x: &onnx::Value) -> Result<onnx::Value, String> {
        (**self).onnx(graph, x)
    }
}

/// Something with named parameters: a network, a layer, or a part of one.
///
/// `#[derive(Parameters)]` implements it (and `Display`) for a struct: layers, `Vec`s, `Option`s, arrays and
/// tuples of layers, and boxed modules become children under the names of their fields; a field of type `Tensor` is
/// a parameter (make it with [`parameter`](crate::parameter)), one of type [`Buffer`](crate::Buffer) a buffer,
/// [`Mode`](crate::Mode) the training flag; numbers, strings and the like are passed over. `#[parameters(skip)]`
/// leaves a field out. `#[parameters(extra_repr)]` on the struct prints what its method
/// `fn extra_repr(&self) -> String` returns.
///
/// All methods take `&self`: tensors are shared handles, as in Python.
pub trait Parameters {
    /// Shows every field to the visitor. Derived; by hand: `visitor.field("fc1", &self.fc1);` for each field.
    fn visit(&self, visitor: &mut Visitor<'_>);

    /// The name of the type in printed networks.
    fn type_name(&self) -> String {
        let full = self.rust_type();
        let path = full.split('<').next().unwrap_or(full);
        path.rsplit("::").next().unwrap_or(path).to_string()
    }

    /// The options in printed networks: `in_features=2, out_features=1, bias=True`.
    fn extra_repr(&self) -> String {
        String::new()
    }

    /// Switches to training: dropout drops, batch normalisation uses the batch.
    fn train(&self) {
        self.set_training(true);
    }

    /// Switches to evaluation: dropout passes everything, batch normalisation uses its running statistics.
    ///
    /// ```
    /// use rekindle_nn::{sequential, Linear, Module, Parameters, ReLU};
    /// let net = sequential![Linear::new(2, 3), ReLU];
    /// net.eval();
    /// ```
    fn eval(&self) {
        self.set_training(false);
    }

    /// Switches to training or evaluation.
    fn set_training(&self, on: bool) {
        self.walk(&mut |_, entry| {
            if let Entry::Mode(mode) = entry {
                mode.set_training(on);
            }
        });
    }

    /// All parameters, each once, in the order of the fields: what an optimiser takes.
    fn parameters(&self) -> Vec<Tensor> {
        self.named_parameters().into_iter().map(|(_, p)| p).collect()
    }

    /// All parameters with their names; one that is used in two places has the name of the first.
    ///
    /// ```
    /// use rekindle_nn::{sequential, Linear, Module, Parameters, ReLU};
    /// let net = sequential![Linear::new(2, 3), ReLU, Linear::new(3, 1)];
    /// let names: Vec<String> = net.named_parameters().into_iter().map(|(name, _)| name).collect();
    /// assert_eq!(names, ["0.weight", "0.bias", "2.weight", "2.bias"]);
    /// ```
    fn named_parameters(&self) -> Vec<(String, Tensor)> {
        let mut all: Vec<(String, Tensor)> = Vec::new();
        self.walk(&mut |name, entry| {
            if let Entry::Parameter(p) = entry
                && !all.iter().any(|(_, seen)| seen.is_same(p))
            {
                all.push((name.to_string(), p.clone()));
            }
        });
        all
    }

    /// All buffers (state that is saved but not trained, such as running means) with their names.
    fn named_buffers(&self) -> Vec<(String, Tensor)> {
        let mut all = Vec::new();
        self.walk(&mut |name, entry| {
            if let Entry::Buffer(b) = entry {
                all.push((name.to_string(), b.clone()));
            }
        });
        all
    }

    /// The parameter of this name, such as `"0.weight"`.
    fn get_parameter(&self, name: &str) -> Option<Tensor> {
        self.named_parameters().into_iter().find(|(n, _)| n == name).map(|(_, p)| p)
    }

    /// The number of weights.
    fn num_parameters(&self) -> usize {
        self.parameters().iter().map(Tensor::numel).sum()
    }

    /// Forgets all gradients.
    fn zero_grad(&self) {
        self.walk(&mut |_, entry| {
            if let Entry::Parameter(p) = entry {
                p.zero_grad();
            }
        });
    }

    /// Makes all parameters trainable, or freezes them.
    fn requires_grad_(&self, on: bool) {
        self.walk(&mut |_, entry| {
            if let Entry::Parameter(p) = entry {
                p.requires_grad_(on);
            }
        });
    }

    /// Moves all parameters, with their gradients, and all buffers to a device, in place: an optimiser that was made before goes on, its state
    /// follows. Returns the network, so that it can be chained.
    ///
    /// # Panics
    /// If the device is not there, or cannot hold a tensor (a GPU has no f64 and integers of 32 bits); nothing is moved then.
    ///
    /// ```
    /// use rekindle_nn::{Linear, Module, Parameters, ReLU, sequential};
    /// use rekindle_tensor::{Device, Tensor};
    /// let device = Device::auto();
    /// let net = sequential![Linear::new(2, 3), ReLU];
    /// net.to(&device);
    /// assert_eq!(net.forward(&Tensor::ones([1, 2]).to(device)).device(), device);
    /// ```
    #[track_caller]
    fn to(&self, device: impl Borrow<Device>) -> &Self
    where
        Self: Sized,
    {
        let device = *device.borrow();
        let own = parameters_and_buffers(self);
        if let Err(message) = can_hold(device, &own) {
            mistake!("to: {message}");
        }
        own.iter().for_each(|(_, t)| t.to_(device));
        self
    }

    /// [`to`](Parameters::to) the CPU.
    ///
    /// ```
    /// use rekindle_nn::{Linear, Parameters};
    /// use rekindle_tensor::Device;
    /// assert_eq!(Linear::new(2, 1).cpu().weight.device(), Device::Cpu);
    /// ```
    fn cpu(&self) -> &Self
    where
        Self: Sized,
    {
        self.to(Device::Cpu)
    }

    /// A copy of all parameters and buffers as they are now, on the CPU. Unlike PyTorch's, it does not change when training goes on, and
    /// its device is not that of the network: what was saved on one device is loaded on any.
    fn state_dict(&self) -> StateDict {
        let mut dict = StateDict::new();
        self.walk(&mut |name, entry| {
            if let Entry::Parameter(t) | Entry::Buffer(t) = entry {
                dict.insert(name, copied_to_cpu(t));
            }
        });
        dict
    }

    /// Overwrites all parameters and buffers, on whatever device they are, with those of `dict`.
    ///
    /// # Errors
    /// If names are missing, unexpected, or shapes differ; the error lists them all, and nothing is changed.
    ///
    /// ```
    /// use rekindle_nn::{Linear, Parameters};
    /// let (a, b) = (Linear::new(2, 1), Linear::new(2, 1));
    /// b.load_state_dict(&a.state_dict()).unwrap();
    /// assert!(a.weight.bitwise_eq(&b.weight));
    ///
    /// let error = Linear::new(3, 1).load_state_dict(&a.state_dict()).unwrap_err();
    /// assert_eq!(error.to_string(), "state_dict does not fit: shapes differ: weight is [1, 2], expected [1, 3]");
    /// ```
    fn load_state_dict(&self, dict: &StateDict) -> Result<(), StateDictError> {
        dict.copy_into(&parameters_and_buffers(self))
    }

    /// As [`load_state_dict`](Parameters::load_state_dict), passing over names that are missing or unexpected:
    /// PyTorch's `strict=False`, for a body trained elsewhere under a new head.
    ///
    /// # Errors
    /// If shapes differ; nothing is changed then.
    ///
    /// ```
    /// use rekindle_nn::{Linear, Parameters, ReLU, sequential};
    /// let (old, new) = (sequential![Linear::new(2, 3)], sequential![Linear::new(2, 3), ReLU, Linear::new(3, 1)]);
    /// let keys = new.load_state_dict_partial(&old.state_dict()).unwrap();
    /// assert_eq!(keys.missing, ["2.weight", "2.bias"]);
    /// assert!(keys.unexpected.is_empty());
    /// ```
    fn load_state_dict_partial(&self, dict: &StateDict) -> Result<IncompatibleKeys, StateDictError> {
        let mut keys = IncompatibleKeys::default();
        let own = self.state_dict();
        keys.missing.extend(own.names().filter(|name| dict.get(name).is_none()).map(String::from));
        keys.unexpected.extend(dict.names().filter(|name| own.get(name).is_none()).map(String::from));
        let loaded = own.iter().map(|(name, t)| (name, dict.get(name).unwrap_or(t).clone()));
        self.load_state_dict(&loaded.collect())?;
        Ok(keys)
    }

    /// Calls `f` with the name and the module for every module below and at last for this one, whose name is empty:
    /// children before their parents, as PyTorch's `apply`.
    ///
    /// ```
    /// use rekindle_nn::{Linear, Parameters, ReLU, init, sequential};
    /// let net = sequential![Linear::new(2, 3), ReLU];
    /// net.apply(|_name, module| {
    ///     if module.type_name() == "Linear" {
    ///         init::xavier_uniform_(&module.get_parameter("weight").unwrap(), 1.0);
    ///         init::zeros_(&module.get_parameter("bias").unwrap());
    ///     }
    /// });
    /// assert_eq!(net.get_parameter("0.bias").unwrap().to_vec::<f32>(), [0.0, 0.0, 0.0]);
    /// ```
    fn apply(&self, mut f: impl FnMut(&str, &dyn Parameters))
    where
        Self: Sized,
    {
        children_first("", self, &mut f);
    }

    /// The names and types of this module, whose name is empty, and of all below, parents first.
    ///
    /// ```
    /// use rekindle_nn::{Linear, Parameters, ReLU, sequential};
    /// let modules = sequential![Linear::new(2, 3), ReLU].named_modules();
    /// let modules: Vec<(&str, &str)> = modules.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    /// assert_eq!(modules, [("", "Sequential"), ("0", "Linear"), ("1", "ReLU")]);
    /// ```
    fn named_modules(&self) -> Vec<(String, String)> {
        let mut all = vec![(String::new(), self.type_name())];
        self.walk(&mut |name, entry| {
            if let Entry::Module(module) = entry
                && !is_plain_data(module)
            {
                all.push((name.to_string(), module.type_name()));
            }
        });
        all
    }

    /// Writes all parameters and buffers to a safetensors file, with PyTorch's names and shapes; in Python:
    /// `net.load_state_dict(safetensors.torch.load_file(path))`.
    ///
    /// # Errors
    /// If the file cannot be written; an older file of this name is intact then.
    ///
    /// ```
    /// use rekindle_nn::{Linear, Parameters};
    /// let path = std::env::temp_dir().join("rekindle_doc_save.safetensors");
    /// let (a, b) = (Linear::new(2, 1), Linear::new(2, 1));
    /// a.save(&path)?;
    /// b.load(&path)?;
    /// assert!(a.weight.bitwise_eq(&b.weight));
    /// # std::fs::remove_file(path).unwrap();
    /// # Ok::<(), rekindle_nn::FileError>(())
    /// ```
    fn save(&self, path: impl AsRef<Path>) -> Result<(), FileError>
    where
        Self: Sized,
    {
        self.state_dict().save(path)
    }

    /// Overwrites all parameters and buffers with those of a safetensors file.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, does not fit the network, or holds NaN or, for a parameter, an
    /// infinity (a buffer, such as an attention mask, may hold infinities); nothing is changed then.
    fn load(&self, path: impl AsRef<Path>) -> Result<(), FileError>
    where
        Self: Sized,
    {
        let path = path.as_ref();
        let dict = StateDict::load(path)?;
        for (name, _) in self.named_parameters() {
            if dict.get(&name).is_some_and(|t| any(t, f64::is_infinite)) {
                return Err(FileError::new(path, format!("{name} has values that are not finite")));
            }
        }
        self.load_state_dict(&dict).map_err(|e| FileError::new(path, e))
    }

    /// The Rust type, which tells apart a box and the layer of no size beside it.
    #[doc(hidden)]
    fn rust_type(&self) -> &'static str {
        std::any::type_name::<Self>()
    }

    /// Shows everything below, with full names, to `f`.
    #[doc(hidden)]
    fn walk(&self, f: &mut dyn FnMut(&str, Entry<'_>)) {
        self.visit(&mut Visitor::deep(f));
    }
}

/// Names that [`load_state_dict_partial`](Parameters::load_state_dict_partial) passed over.
///
/// ```
/// use rekindle_nn::{IncompatibleKeys, Linear, Parameters, StateDict};
/// let keys = Linear::new(2, 1).load_state_dict_partial(&StateDict::new()).unwrap();
/// assert_eq!(keys, IncompatibleKeys { missing: vec!["weight".into(), "bias".into()], unexpected: vec![] });
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IncompatibleKeys {
    /// Names that the network has and the dictionary lacks.
    pub missing: Vec<String>,
    /// Names that the dictionary has and the network lacks.
    pub unexpected: Vec<String>,
}

/// All that a network holds, under its names.
fn parameters_and_buffers(module: &(impl Parameters + ?Sized)) -> Vec<(String, Tensor)> {
    let mut all = Vec::new();
    module.walk(&mut |name, entry| {
        if let Entry::Parameter(t) | Entry::Buffer(t) = entry {
            all.push((name.to_string(), t.clone()));
        }
    });
    all
}

/// Whether the device is there and has a type for all elements.
fn can_hold(device: Device, tensors: &[(String, Tensor)]) -> Result<(), String> {
    device.check()?;
    for (name, t) in tensors.iter().filter(|(_, t)| device != Device::Cpu && t.device() == Device::Cpu) {
        if t.dtype() == DType::F64 {
            return Err(format!("{name} is f64, which {device} has not; make it of f32, with .float()"));
        }
        let large = |v: &i64| i32::try_from(*v).is_err();
        if t.dtype() == DType::I64
            && let Some(v) = t.data::<i64>().iter().find(|v| large(v))
        {
            return Err(format!(
                "{name} holds {v}, which does not fit into the 32 bits of integers on {device}"
            ));
        }
    }
    Ok(())
}

fn children_first(name: &str, module: &dyn Parameters, f: &mut dyn FnMut(&str, &dyn Parameters)) {
    module.visit(&mut Visitor::shallow(&mut |child, entry| {
        if let Entry::Module(module) = entry
            && !is_plain_data(module)
        {
            let name = if name.is_empty() { child.to_string() } else { format!("{name}.{child}") };
            children_first(&name, module, f);
        }
    }));
    f(name, module);
}

impl<P: Parameters + ?Sized> Parameters for Box<P> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        (**self).visit(visitor);
    }
    fn type_name(&self) -> String {
        (**self).type_name()
    }
    fn extra_repr(&self) -> String {
        (**self).extra_repr()
    }
}
