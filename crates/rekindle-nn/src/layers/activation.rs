//! Activations: functions of single elements (and softmax), without parameters except PReLU's slope.

use crate::observe::observe;
use crate::onnx::{Graph, Type, Value};
use crate::text::python_float;
use crate::visit::parameter;
use crate::{Module, Parameters};
use rekindle_tensor::Tensor;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

macro_rules! activations {
    ($($(#[$doc:meta])* $Name:ident => $method:ident, $onnx:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Parameters)]
        pub struct $Name;

        impl Module for $Name {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                observe(self, x.$method())
            }

            fn onnx(&self, graph: &mut Graph, x: &Value) -> Result<Value, String> {
                let onnx: fn(&mut Graph, &Value) -> Value = $onnx;
                Ok(onnx(graph, x))
            }
        }
    )+};
}

activations! {
    /// `max(0, x)`, with slope 0 at 0.
    ///
    /// ```
    /// use rekindle_nn::{Module, ReLU};
    /// assert_eq!(ReLU.forward(&rekindle_tensor::tensor([-1.0, 2.0])).to_vec::<f32>(), [0.0, 2.0]);
    /// ```
    ReLU => relu, |graph, x| graph.op("Relu", &[x], &[]);
    /// `1 / (1 + e^-x)`.
    ///
    /// ```
    /// use rekindle_nn::{Module, Sigmoid};
    /// assert_eq!(Sigmoid.forward(&rekindle_tensor::tensor([0.0])).to_vec::<f32>(), [0.5]);
    /// ```
    Sigmoid => sigmoid, |graph, x| graph.op("Sigmoid", &[x], &[]);
    /// The hyperbolic tangent.
    ///
    /// ```
    /// use rekindle_nn::{Module, Tanh};
    /// assert_eq!(Tanh.forward(&rekindle_tensor::tensor([0.0])).to_vec::<f32>(), [0.0]);
    /// ```
    Tanh => tanh, |graph, x| graph.op("Tanh", &[x], &[]);
    /// `x · sigmoid(x)`. Source: P. Ramachandran et al., 2017 (swish).
    ///
    /// ```
    /// use rekindle_nn::{Module, SiLU};
    /// assert_eq!(SiLU.forward(&rekindle_tensor::tensor([0.0])).to_vec::<f32>(), [0.0]);
    /// ```
    SiLU => silu, |graph, x| {
        let gate = graph.op("Sigmoid", &[x], &[]);
        graph.op("Mul", &[x, &gate], &[])
    };
    /// `scale · (x > 0 ? x : alpha · (e^x - 1))` with the constants that keep mean 0 and variance 1. Source:
    /// G. Klambauer et al., NeurIPS 2017.
    ///
    /// ```
    /// use rekindle_nn::{Module, SELU};
    /// assert_eq!(SELU.forward(&rekindle_tensor::tensor([0.0])).to_vec::<f32>(), [0.0]);
    /// ```
    SELU => selu, |graph, x| graph.op("Selu", &[x], &[]);
    /// `ln sigmoid(x)`.
    ///
    /// ```
    /// use rekindle_nn::{LogSigmoid, Module};
    /// assert_eq!(LogSigmoid.forward(&rekindle_tensor::tensor([0.0])).to_vec::<f32>(), [-2f32.ln()]);
    /// ```
    LogSigmoid => logsigmoid, |graph, x| {
        let y = graph.op("Neg", &[x], &[]);
        let y = graph.op("Softplus", &[&y], &[]);
        graph.op("Neg", &[&y], &[])
    };
    /// `x · tanh(softplus(x))`. Source: D. Misra, BMVC 2020.
    ///
    /// ```
    /// use rekindle_nn::{Mish, Module};
    /// assert_eq!(Mish.forward(&rekindle_tensor::tensor([0.0])).to_vec::<f32>(), [0.0]);
    /// ```
    Mish => mish, |graph, x| {
        let y = graph.op("Softplus", &[x], &[]);
        let y = graph.op("Tanh", &[&y], &[]);
        graph.op("Mul", &[x, &y], &[])
    };
    /// `x / (1 + |x|)`.
    ///
    /// ```
    /// use rekindle_nn::{Module, Softsign};
    /// assert_eq!(Softsign.forward(&rekindle_tensor::tensor([1.0])).to_vec::<f32>(), [0.5]);
    /// ```
    Softsign => softsign, |graph, x| graph.op("Softsign", &[x], &[]);
    /// `x · min(max(x + 3, 0), 6) / 6`. Source: A. Howard et al., ICCV 2019.
    ///
    /// ```
    /// use rekindle_nn::{Hardswish, Module};
    /// assert_eq!(Hardswish.forward(&rekindle_tensor::tensor([3.0])).to_vec::<f32>(), [3.0]);
    /// ```
    Hardswish => hardswish, |graph, x| graph.op("HardSwish", &[x], &[]);
    /// `min(max(x + 3, 0), 6) / 6`.
    ///
    /// ```
    /// use rekindle_nn::{Hardsigmoid, Module};
    /// assert_eq!(Hardsigmoid.forward(&rekindle_tensor::tensor([0.0])).to_vec::<f32>(), [0.5]);
    /// ```
    Hardsigmoid => hardsigmoid, |graph, x| {
        graph.op("HardSigmoid", &[x], &[("alpha", (1.0 / 6.0).into()), ("beta", 0.5.into())])
    };
    /// The input unchanged: a placeholder.
    ///
    /// ```
    /// use rekindle_nn::{Identity, Module};
    /// assert_eq!(Identity.forward(&rekindle_tensor::tensor([-1.0])).to_vec::<f32>(), [-1.0]);
    /// ```
    Identity => clone, |_, x| x.clone();
}

macro_rules! activations_with_options {
    ($($(#[$doc:meta])* $Name:ident { $($option:ident = $default:literal),+ } => $method:ident, $onnx:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Parameters)]
        #[parameters(extra_repr)]
        pub struct $Name {
            $($option: f64),+
        }

        impl Default for $Name {
            fn default() -> Self {
                $Name { $($option: $default),+ }
            }
        }

        impl $Name {
            /// With the given options; PyTorch's are in [`Default`].
            pub fn new($($option: f64),+) -> $Name {
                $Name { $($option),+ }
            }

            fn extra_repr(&self) -> String {
                [$((stringify!($option), self.$option)),+]
                    .map(|(name, value)| format!("{name}={}", python_float(value)))
                    .join(", ")
            }
        }

        impl Module for $Name {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                observe(self, x.$method($(self.$option),+))
            }

            fn onnx(&self, graph: &mut Graph, x: &Value) -> Result<Value, String> {
                let onnx: fn(&$Name, &mut Graph, &Value) -> Value = $onnx;
                Ok(onnx(self, graph, x))
            }
        }
    )+};
}

activations_with_options! {
    /// `x` if it is positive, else `negative_slope · x` (0.01 by default). Source: A. Maas et al., 2013.
    ///
    /// ```
    /// use rekindle_nn::{LeakyReLU, Module};
    /// let layer = LeakyReLU::new(0.5);
    /// assert_eq!(layer.forward(&rekindle_tensor::tensor([-1.0, 2.0])).to_vec::<f32>(), [-0.5, 2.0]);
    /// ```
    LeakyReLU { negative_slope = 0.01 } => leaky_relu, |layer, graph, x| {
        graph.op("LeakyRelu", &[x], &[("alpha", layer.negative_slope.into())])
    };
    /// `x` if it is positive, else `alpha · (e^x - 1)` (alpha 1 by default). Source: D. Clevert et al., ICLR 2016.
    ///
    /// ```
    /// use rekindle_nn::{ELU, Module};
    /// assert_eq!(ELU::default().forward(&rekindle_tensor::tensor([2.0])).to_vec::<f32>(), [2.0]);
    /// ```
    ELU { alpha = 1.0 } => elu, |layer, graph, x| graph.op("Elu", &[x], &[("alpha", layer.alpha.into())]);
    /// `x` if it is positive, else `alpha · (e^(x / alpha) - 1)` (alpha 1 by default).
    ///
    /// ```
    /// use rekindle_nn::{CELU, Module};
    /// assert_eq!(CELU::default().forward(&rekindle_tensor::tensor([2.0])).to_vec::<f32>(), [2.0]);
    /// ```
    CELU { alpha = 1.0 } => celu, |layer, graph, x| graph.op("Celu", &[x], &[("alpha", layer.alpha.into())]);
    /// `ln(1 + e^(beta·x)) / beta`, and `x` where `beta·x > threshold` (1 and 20 by default).
    ///
    /// ```
    /// use rekindle_nn::{Module, Softplus};
    /// assert_eq!(Softplus::default().forward(&rekindle_tensor::tensor([50.0])).to_vec::<f32>(), [50.0]);
    /// ```
    Softplus { beta = 1.0, threshold = 20.0 } => softplus, |layer, graph, x| {
        let [beta, threshold] = [layer.beta, layer.threshold].map(|number| graph.number(x, number));
        let scaled = graph.op("Mul", &[x, &beta], &[]);
        let linear = graph.op("Greater", &[&scaled, &threshold], &[]).typed(Type::Bool);
        let y = graph.op("Softplus", &[&scaled], &[]);
        let y = graph.op("Div", &[&y, &beta], &[]);
        graph.op("Where", &[&linear, x, &y], &[]).typed(x.kind())
    };
    /// `x` limited to \[min_val, max_val\] (-1 and 1 by default).
    ///
    /// ```
    /// use rekindle_nn::{Hardtanh, Module};
    /// assert_eq!(Hardtanh::default().forward(&rekindle_tensor::tensor([3.0])).to_vec::<f32>(), [1.0]);
    /// ```
    Hardtanh { min_val = -1.0, max_val = 1.0 } => hardtanh, |layer, graph, x| {
        let [least, most] = [layer.min_val, layer.max_val].map(|number| graph.number(x, number));
        graph.op("Clip", &[x, &least, &most], &[])
    };
}

/// `x · Φ(x)` with the standard normal distribution function Φ. Source: D. Hendrycks and K. Gimpel, 2016.
///
/// ```
/// use rekindle_nn::{GELU, Module};
/// assert_eq!(GELU::new().forward(&rekindle_tensor::tensor([0.0])).to_vec::<f32>(), [0.0]);
/// assert_eq!(GELU::tanh().to_string(), "GELU(approximate='tanh')");
/// ```
#[derive(Clone, Copy, Debug, Default, Parameters)]
#[parameters(extra_repr)]
pub struct GELU {
    tanh: bool,
}

impl GELU {
    /// By the error function.
    pub fn new() -> GELU {
        GELU { tanh: false }
    }

    /// By the approximation with tanh: PyTorch's `approximate='tanh'`.
    pub fn tanh() -> GELU {
        GELU { tanh: true }
    }

    fn extra_repr(&self) -> String {
        format!("approximate='{}'", if self.tanh { "tanh" } else { "none" })
    }
}

impl Module for GELU {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        observe(self, if self.tanh { x.gelu_tanh() } else { x.gelu() })
    }

    fn onnx(&self, graph: &mut Graph, x: &Value) -> Result<Value, String> {
        let scaled = |graph: &mut Graph, y: &Value, by: f64| {
            let by = graph.number(x, by);
            graph.op("Mul", &[y, &by], &[])
        };
        let (inner, curve) = if self.tanh {
            // x + 0.044715 x³
            let square = graph.op("Mul", &[x, x], &[]);
            let cube = graph.op("Mul", &[&square, x], &[]);
            let cube = scaled(graph, &cube, 0.044715);
            let inner = graph.op("Add", &[x, &cube], &[]);
            (scaled(graph, &inner, FRAC_2_SQRT_PI * FRAC_1_SQRT_2), "Tanh")
        } else {
            (scaled(graph, x, FRAC_1_SQRT_2), "Erf")
        };
        let curve = graph.op(curve, &[&inner], &[]);
        let one = graph.number(x, 1.0);
        let curve = graph.op("Add", &[&curve, &one], &[]);
        let half = scaled(graph, x, 0.5);
        Ok(graph.op("Mul", &[&half, &curve], &[]))
    }
}

macro_rules! along_a_dimension {
    ($($(#[$doc:meta])* $Name:ident => $method:ident, $onnx:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Parameters)]
        #[parameters(extra_repr)]
        pub struct $Name {
            dim: isize,
        }

        impl $Name {
            /// Along dimension `dim`; -1 is the last.
            pub fn new(dim: isize) -> $Name {
                $Name { dim }
            }

            fn extra_repr(&self) -> String {
                format!("dim={}", self.dim)
            }
        }

        impl Module for $Name {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                observe(self, x.$method(self.dim))
            }

            fn onnx(&self, graph: &mut Graph, x: &Value) -> Result<Value, String> {
                self.forward(&x.zeros()); // a dimension that is not there is a mistake
                Ok(graph.op($onnx, &[x], &[("axis", (self.dim as i64).into())]))
            }
        }
    )+};
}

along_a_dimension! {
    /// `e^x / Σ e^x` along one dimension.
    ///
    /// ```
    /// use rekindle_nn::{Module, Softmax};
    /// let y = Softmax::new(1).forward(&rekindle_tensor::tensor([[0.0, 0.0]]));
    /// assert_eq!(y.to_vec::<f32>(), [0.5, 0.5]);
    /// ```
    Softmax => softmax, "Softmax";
    /// `x - ln Σ e^x` along one dimension.
    ///
    /// ```
    /// use rekindle_nn::{LogSoftmax, Module};
    /// let y = LogSoftmax::new(-1).forward(&rekindle_tensor::tensor([[3.0]]));
    /// assert_eq!(y.to_vec::<f32>(), [0.0]);
    /// ```
    LogSoftmax => log_softmax, "LogSoftmax";
}

/// `x` if it is positive, else `weight · x` with a learnt slope, one for all or one per channel (dimension 1).
/// Source: K. He et al., ICCV 2015.
///
/// ```
/// use rekindle_nn::{Module, PReLU};
/// let y = PReLU::new(1).forward(&rekindle_tensor::tensor([[-1.0, 2.0]]));
/// assert_eq!(y.to_vec::<f32>(), [-0.25, 2.0]);
/// ```
#[derive(Parameters)]
#[parameters(extra_repr)]
pub struct PReLU {
    /// The slopes, \[num_parameters\].
    pub weight: Tensor,
}

impl PReLU {
    /// Slopes of 0.25; one (`num_parameters` 1), or one per channel.
    pub fn new(num_parameters: usize) -> PReLU {
        PReLU { weight: parameter(Tensor::full(num_parameters, 0.25)) }
    }

    fn extra_repr(&self) -> String {
        format!("num_parameters={}", self.weight.numel())
    }
}

impl Module for PReLU {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let mut shape = vec![1; x.dim()];
        if x.dim() > 1 {
            shape[1] = self.weight.numel();
        }
        let negative = x * self.weight.reshape(shape);
        observe(self, Tensor::where_(&x.gt(0.0), x, negative))
    }

    fn onnx(&self, graph: &mut Graph, x: &Value) -> Result<Value, String> {
        self.forward(&x.zeros()); // another number of channels is a mistake
        let after_channels = vec![1; x.dim().saturating_sub(2)];
        let slope = self.weight.reshape([vec![self.weight.numel()], after_channels].concat());
        Ok(graph.layer_op("PRelu", x, &[("weight", Some(&slope))], &[]))
    }
}
