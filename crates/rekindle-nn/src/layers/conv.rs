//! Convolution layers.

use crate::draws;
use crate::observe::observe;
use crate::onnx::{Graph, Value};
use crate::size::{Size, python_tuple};
use crate::{Module, Parameters};
use rekindle_tensor::{ConvOptions, Tensor};

macro_rules! conv {
    ($(#[$doc:meta])* $Conv:ident, $method:ident, $dims:literal) => {
        $(#[$doc])*
        #[derive(Parameters)]
        #[parameters(extra_repr)]
        pub struct $Conv {
            /// The weights, \[out_channels, in_channels / groups, kernel..\].
            pub weight: Tensor,
            /// The offsets, \[out_channels\].
            pub bias: Option<Tensor>,
            #[parameters(skip)]
            options: ConvOptions<$dims>,
        }

        impl $Conv {
            /// A layer with stride 1, no padding, one group and bias, drawn from the default generator.
            pub fn new(in_channels: usize, out_channels: usize, kernel_size: impl Into<Size<$dims>>) -> $Conv {
                let shape = [&[out_channels, in_channels][..], &kernel_size.into().values()].concat();
                let (weight, bias) = draws::weight_and_bias(&shape, true);
                $Conv { weight, bias, options: ConvOptions::default() }
            }

            /// Sets the step of the window.
            pub fn stride(mut self, stride: impl Into<Size<$dims>>) -> $Conv {
                self.options.stride = stride.into().values();
                self
            }

            /// Sets how many zeros surround the input on each side.
            pub fn padding(mut self, padding: impl Into<Size<$dims>>) -> $Conv {
                self.options.padding = padding.into().values();
                self
            }

            /// Sets the distance between the points of the kernel.
            pub fn dilation(mut self, dilation: impl Into<Size<$dims>>) -> $Conv {
                self.options.dilation = dilation.into().values();
                self
            }

            /// Cuts the channels into groups that do not see one another.
            ///
            /// # Panics
            /// If the groups do not divide both numbers of channels.
            #[track_caller]
            pub fn groups(mut self, groups: usize) -> $Conv {
                let (inputs, outputs) = (self.in_channels(), self.weight.shape()[0]);
                if groups == 0 || inputs % groups != 0 || outputs % groups != 0 {
                    rekindle_tensor::mistake!(
                        "{}: {groups} groups do not divide {inputs} input and {outputs} output channels",
                        stringify!($method)
                    );
                }
                let mut shape = self.weight.shape().to_vec();
                shape[1] = inputs / groups;
                self.options.groups = groups;
                let bias = self.bias.is_some();
                self.redraw(&shape, bias)
            }

            /// With or without bias.
            pub fn bias(self, on: bool) -> $Conv {
                let shape = self.weight.shape().to_vec();
                if on == self.bias.is_some() { self } else { self.redraw(&shape, on) }
            }

            fn redraw(mut self, shape: &[usize], bias: bool) -> $Conv {
                (self.weight, self.bias) = draws::again(&self.weight, shape, bias);
                self
            }

            fn in_channels(&self) -> usize {
                self.weight.shape()[1] * self.options.groups
            }

            fn extra_repr(&self) -> String {
                let (shape, o, unset) = (self.weight.shape(), &self.options, ConvOptions::<$dims>::default());
                let (kernel, stride) = (python_tuple(&shape[2..]), python_tuple(&o.stride));
                let mut text = format!("{}, {}, kernel_size={kernel}, stride={stride}", self.in_channels(), shape[0]);
                for (name, now, unset) in
                    [("padding", o.padding, unset.padding), ("dilation", o.dilation, unset.dilation)]
                {
                    if now != unset {
                        text += &format!(", {name}={}", python_tuple(&now));
                    }
                }
                if o.groups != 1 {
                    text += &format!(", groups={}", o.groups);
                }
                if self.bias.is_none() {
                    text += ", bias=False";
                }
                text
            }
        }

        impl Module for $Conv {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                observe(self, x.$method(&self.weight, self.bias.as_ref(), self.options))
            }

            fn onnx(&self, graph: &mut Graph, x: &Value) -> Result<Value, String> {
                x.must_have_dims(stringify!($method), $dims + 2)?;
                let o = &self.options;
                let options = [
                    ("kernel_shape", self.weight.shape()[2..].into()),
                    ("strides", o.stride[..].into()),
                    ("pads", [o.padding, o.padding].as_flattened().into()),
                    ("dilations", o.dilation[..].into()),
                    ("group", o.groups.into()),
                ];
                let own = [("weight", Some(&self.weight)), ("bias", self.bias.as_ref())];
                let shape = self.forward(&x.zeros()).shape().to_vec();
                Ok(graph.layer_op("Conv", x, &own, &options).shaped(&shape))
            }
        }
    };
}

conv! {
    /// Slides `out_channels` kernels over sequences: \[N, C, L\] (or \[C, L\]) to \[N, out_channels, L'\] with
    /// `L' = (L + 2·padding - dilation·(kernel - 1) - 1) / stride + 1`.
    ///
    /// Weights and biases are drawn uniformly from ±1/√(in_channels / groups · kernel).
    ///
    /// ```
    /// use rekindle_nn::{Conv1d, Module};
    /// use rekindle_tensor::Tensor;
    /// let layer = Conv1d::new(4, 8, 3).padding(1);
    /// assert_eq!(layer.forward(&Tensor::zeros([2, 4, 10])).shape(), [2, 8, 10]);
    /// ```
    Conv1d, conv1d, 1
}

conv! {
    /// Slides `out_channels` kernels over images: \[N, C, H, W\] (or \[C, H, W\]) to \[N, out_channels, H', W'\] with
    /// `H' = (H + 2·padding - dilation·(kernel - 1) - 1) / stride + 1`.
    ///
    /// Weights and biases are drawn uniformly from ±1/√(in_channels / groups · kernel).
    ///
    /// ```
    /// use rekindle_nn::{Conv2d, Module};
    /// use rekindle_tensor::Tensor;
    /// let layer = Conv2d::new(1, 16, 5).stride(2).bias(false);
    /// assert_eq!(layer.to_string(), "Conv2d(1, 16, kernel_size=(5, 5), stride=(2, 2), bias=False)");
    /// assert_eq!(layer.forward(&Tensor::zeros([2, 1, 28, 28])).shape(), [2, 16, 12, 12]);
    /// ```
    Conv2d, conv2d, 2
}
