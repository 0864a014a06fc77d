//! Batch normalisation.

use crate::observe::observe;
use crate::onnx::{Graph, Value};
use crate::text::{python_bool, python_float};
use crate::visit::{Buffer, Mode, parameter};
use crate::{Module, Parameters};
use rekindle_tensor::{BatchNormOptions, Tensor};

macro_rules! batch_norm {
    ($(#[$doc:meta])* $Norm:ident, $op:literal, $layout:literal, $($rank:literal)|+) => {
        $(#[$doc])*
        #[derive(Parameters)]
        #[parameters(extra_repr)]
        pub struct $Norm {
            /// The scales, \[num_features\].
            pub weight: Option<Tensor>,
            /// The shifts, \[num_features\].
            pub bias: Option<Tensor>,
            /// The mean of every channel over past batches.
            pub running_mean: Option<Buffer>,
            /// The unbiased variance of every channel over past batches.
            pub running_var: Option<Buffer>,
            /// The number of batches seen in training.
            pub num_batches_tracked: Option<Buffer>,
            num_features: usize,
            eps: f64,
            momentum: Option<f64>,
            mode: Mode,
        }

        impl $Norm {
            /// With PyTorch's defaults: eps 1e-5, momentum 0.1, scales 1 and shifts 0, running statistics.
            pub fn new(num_features: usize) -> $Norm {
                let layer = $Norm {
                    weight: None,
                    bias: None,
                    running_mean: None,
                    running_var: None,
                    num_batches_tracked: None,
                    num_features,
                    eps: 1e-5,
                    momentum: Some(0.1),
                    mode: Mode::default(),
                };
                layer.affine(true).track_running_stats(true)
            }

            /// Sets what is added to the variance.
            pub fn eps(mut self, eps: f64) -> $Norm {
                self.eps = eps;
                self
            }

            /// Sets how far the running statistics move towards each batch; `None` averages all batches equally.
            pub fn momentum(mut self, momentum: impl Into<Option<f64>>) -> $Norm {
                self.momentum = momentum.into();
                self
            }

            /// With or without scales and shifts.
            pub fn affine(mut self, on: bool) -> $Norm {
                self.weight = on.then(|| parameter(Tensor::ones(self.num_features)));
                self.bias = on.then(|| parameter(Tensor::zeros(self.num_features)));
                self
            }

            /// With or without running statistics; without, evaluation uses the batch too.
            pub fn track_running_stats(mut self, on: bool) -> $Norm {
                self.running_mean = on.then(|| Buffer(Tensor::zeros(self.num_features)));
                self.running_var = on.then(|| Buffer(Tensor::ones(self.num_features)));
                self.num_batches_tracked = on.then(|| Buffer(Tensor::full([], 0)));
                self
            }

            fn extra_repr(&self) -> String {
                format!(
                    "{}, eps={}, momentum={}, affine={}, bias={}, track_running_stats={}",
                    self.num_features,
                    python_float(self.eps),
                    self.momentum.map_or("None".to_string(), python_float),
                    python_bool(self.weight.is_some()),
                    python_bool(self.bias.is_some()),
                    python_bool(self.running_mean.is_some())
                )
            }
        }

        impl Module for $Norm {
            /// # Panics
            /// If the input does not have the layer's layout and number of channels, or a channel has only one
            /// value in training.
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                if !matches!(x.dim(), $($rank)|+) {
                    rekindle_tensor::mistake!("{}: the input must be {}, got {:?}", $op, $layout, x.shape());
                }
                let training = self.mode.is_training();
                let running = self.running_mean.as_deref().zip(self.running_var.as_deref());
                let options = BatchNormOptions {
                    running,
                    weight: self.weight.as_ref(),
                    bias: self.bias.as_ref(),
                    training: training || running.is_none(),
                    batches: self.num_batches_tracked.as_deref(),
                    momentum: self.momentum,
                    eps: self.eps,
                };
                observe(self, x.batch_norm(options))
            }

            fn onnx(&self, graph: &mut Graph, x: &Value) -> Result<Value, String> {
                if !matches!(x.dim(), $($rank)|+) || x.shape()[1] != self.num_features {
                    let (layout, features, shape) = ($layout, self.num_features, x.shape());
                    return Err(format!("{}: the input must be {layout} of {features} channels, got {shape:?}", $op));
                }
                let weight = self.weight.clone().unwrap_or_else(|| Tensor::ones(self.num_features));
                let bias = self.bias.clone().unwrap_or_else(|| Tensor::zeros(self.num_features));
                match self.running_mean.as_deref().zip(self.running_var.as_deref()) {
                    Some((mean, var)) => {
                        let own = [("weight", &weight), ("bias", &bias), ("running_mean", mean), ("running_var", var)];
                        let own = own.map(|(name, tensor)| (name, Some(tensor)));
                        Ok(graph.layer_op("BatchNormalization", x, &own, &[("epsilon", self.eps.into())]))
                    }
                    None => Ok(by_the_batch(graph, x, [&weight, &bias], self.eps)),
                }
            }
        }
    };
}

/// Normalises by the batch at hand, as layers without running statistics do in evaluation, too.
fn by_the_batch(graph: &mut Graph, x: &Value, [weight, bias]: [&Tensor; 2], eps: f64) -> Value {
    // Everything but the channels.
    let axes: Vec<usize> = (0..x.dim()).filter(|&axis| axis != 1).collect();
    let per_channel = [vec![weight.numel()], vec![1; x.dim() - 2]].concat();
    let one_each: Vec<usize> = (0..x.dim()).map(|axis| if axis == 1 { weight.numel() } else { 1 }).collect();
    let mean_of = |graph: &mut Graph, x: &Value| {
        graph.op("ReduceMean", &[x], &[("axes", axes.as_slice().into())]).shaped(&one_each)
    };
    let mean = mean_of(graph, x);
    let centred = graph.op("Sub", &[x, &mean], &[]);
    let squares = graph.op("Mul", &[&centred, &centred], &[]);
    let var = mean_of(graph, &squares);
    let eps = graph.number(x, eps);
    let var = graph.op("Add", &[&var, &eps], &[]);
    let std = graph.op("Sqrt", &[&var], &[]);
    let y = graph.op("Div", &[&centred, &std], &[]);
    let y = graph.layer_op("Mul", &y, &[("weight", Some(&weight.reshape(&per_channel[..])))], &[]);
    graph.layer_op("Add", &y, &[("bias", Some(&bias.reshape(&per_channel[..])))], &[])
}

batch_norm! {
    /// Gives every feature mean 0 and variance 1 over the batch, \[N, C\] or \[N, C, L\], then scales and shifts it:
    /// `y = (x - mean) / √(var + eps) · weight + bias`, with the biased variance.
    ///
    /// In training mean and variance are the batch's and running statistics move towards them (the variance
    /// unbiased); in evaluation they are the running ones. Source: S. Ioffe and C. Szegedy, ICML 2015.
    ///
    /// ```
    /// use rekindle_nn::{BatchNorm1d, Module};
    /// use rekindle_tensor::tensor;
    /// let layer = BatchNorm1d::new(1).eps(0.0);
    /// assert_eq!(layer.forward(&tensor([[1.0], [3.0]])).to_vec::<f32>(), [-1.0, 1.0]);
    /// assert_eq!(layer.running_mean.as_ref().unwrap().to_vec::<f32>(), [0.2]);
    /// ```
    BatchNorm1d, "batch_norm1d", "[N, C] or [N, C, L]", 2 | 3
}

batch_norm! {
    /// As [`BatchNorm1d`] for images \[N, C, H, W\]: every channel over batch, height and width.
    ///
    /// ```
    /// use rekindle_nn::{BatchNorm2d, Module, Parameters};
    /// use rekindle_tensor::Tensor;
    /// let layer = BatchNorm2d::new(3);
    /// assert_eq!(layer.forward(&Tensor::ones([2, 3, 4, 4])).shape(), [2, 3, 4, 4]);
    /// layer.eval();
    /// ```
    BatchNorm2d, "batch_norm2d", "[N, C, H, W]", 4
}
