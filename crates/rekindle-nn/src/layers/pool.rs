//! Pooling layers: the greatest or the mean value of every window.

use crate::observe::observe;
use crate::onnx::{Attribute, Graph, Value};
use crate::size::{Size, python_tuple};
use crate::text::python_bool;
use crate::{Module, Parameters};
use rekindle_tensor::{PoolOptions, Tensor};

macro_rules! pool {
    ($(#[$doc:meta])* $Pool:ident, $method:ident, $dims:literal, $($option:ident),*) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Parameters)]
        #[parameters(extra_repr)]
        pub struct $Pool {
            #[parameters(skip)]
            kernel: Size<$dims>,
            #[parameters(skip)]
            stride: Size<$dims>,
            #[parameters(skip)]
            padding: Size<$dims>,
            #[parameters(skip)]
            dilation: Size<$dims>,
            ceil_mode: bool,
            count_include_pad: bool,
        }

        impl $Pool {
            /// Windows of this size side by side, without padding.
            pub fn new(kernel_size: impl Into<Size<$dims>>) -> $Pool {
                let kernel = kernel_size.into();
                let (padding, dilation) = (0.into(), 1.into());
                $Pool { kernel, stride: kernel, padding, dilation, ceil_mode: false, count_include_pad: true }
            }

            /// Sets the step of the window.
            pub fn stride(mut self, stride: impl Into<Size<$dims>>) -> $Pool {
                self.stride = stride.into();
                self
            }

            /// Surrounds the input on each side; at most half a window.
            pub fn padding(mut self, padding: impl Into<Size<$dims>>) -> $Pool {
                self.padding = padding.into();
                self
            }

            /// Lets a last window reach beyond the input.
            pub fn ceil_mode(mut self, on: bool) -> $Pool {
                self.ceil_mode = on;
                self
            }

            pool!($($option $Pool $dims)*);

            fn options(&self) -> PoolOptions<$dims> {
                PoolOptions {
                    kernel: self.kernel.values(),
                    stride: self.stride.values(),
                    padding: self.padding.values(),
                    dilation: self.dilation.values(),
                    ceil_mode: self.ceil_mode,
                    count_include_pad: self.count_include_pad,
                }
            }
        }

        impl Module for $Pool {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                observe(self, x.$method(self.options()))
            }

            fn onnx(&self, graph: &mut Graph, x: &Value) -> Result<Value, String> {
                x.must_have_dims(stringify!($method), $dims + 2)?;
                let shape = self.forward(&x.zeros()).shape().to_vec();
                Ok(self.windows(graph, x, &shape))
            }
        }
    };
    (dilation $Pool:ident $dims:literal) => {
        fn windows(&self, graph: &mut Graph, x: &Value, shape: &[usize]) -> Value {
            let o = self.options();
            let dilations = ("dilations", o.dilation[..].into());
            graph.op("MaxPool", &[x], &[&windows(&o, x, shape)[..], &[dilations]].concat()).shaped(shape)
        }

        /// Sets the distance between the points of the window.
        pub fn dilation(mut self, dilation: impl Into<Size<$dims>>) -> $Pool {
            self.dilation = dilation.into();
            self
        }

        fn extra_repr(&self) -> String {
            let $Pool { kernel, stride, padding, dilation, ceil_mode, .. } = self;
            let ceil_mode = python_bool(*ceil_mode);
            format!(
                "kernel_size={kernel}, stride={stride}, padding={padding}, dilation={dilation}, ceil_mode={ceil_mode}"
            )
        }
    };
    (count_include_pad $Pool:ident $dims:literal) => {
        fn windows(&self, graph: &mut Graph, x: &Value, shape: &[usize]) -> Value {
            let o = self.options();
            let counted = ("count_include_pad", usize::from(o.count_include_pad).into());
            let options = [&windows(&o, x, shape)[..], &[counted]].concat();
            let y = graph.op("AveragePool", &[x], &options).shaped(shape);
            if o.count_include_pad { of_the_padded(&o, graph, x, y) } else { y }
        }

        /// Whether padding counts in the mean.
        pub fn count_include_pad(mut self, on: bool) -> $Pool {
            self.count_include_pad = on;
            self
        }

        fn extra_repr(&self) -> String {
            // PyTorch keeps a tuple here for sequences.
            let text = |size: Size<$dims>| if $dims == 1 { python_tuple(&size.values()) } else { size.to_string() };
            let [kernel, stride, padding] = [self.kernel, self.stride, self.padding].map(text);
            format!("kernel_size={kernel}, stride={stride}, padding={padding}")
        }
    };
}

/// The windows in ONNX's words: with as much padding behind the input as the last of the windows that there are reaches into. What ONNX makes of
/// `ceil_mode` changes with its versions.
fn windows<const D: usize>(o: &PoolOptions<D>, x: &Value, shape: &[usize]) -> [(&'static str, Attribute); 3] {
    let end = |d: usize| (shape[d + 2] - 1) * o.stride[d] + o.dilation[d] * (o.kernel[d] - 1) + 1;
    let behind = (0..D).map(|d| end(d).saturating_sub(x.shape()[d + 2] + o.padding[d]));
    let pads: Vec<usize> = o.padding.into_iter().chain(behind).collect();
    [
        ("kernel_shape", o.kernel[..].into()),
        ("strides", o.stride[..].into()),
        ("pads", pads.as_slice().into()),
    ]
}

/// A window that reaches beyond the padding has the mean of what is inside of it; ONNX's is that of a whole window, of which the rest is zero.
fn of_the_padded<const D: usize>(o: &PoolOptions<D>, graph: &mut Graph, x: &Value, mut y: Value) -> Value {
    for d in 0..D {
        let padded = x.shape()[d + 2] + 2 * o.padding[d];
        let inside = |i: usize| o.kernel[d].min(padded - i * o.stride[d]);
        let count = y.shape()[d + 2];
        let factors: Vec<f32> = (0..count).map(|i| o.kernel[d] as f32 / inside(i) as f32).collect();
        if factors.iter().any(|&factor| factor != 1.0) {
            let shape = [vec![count], vec![1; D - 1 - d]].concat();
            y = graph.layer_op("Mul", &y, &[("/factors", Some(&Tensor::from_vec(factors, shape)))], &[]);
        }
    }
    y
}

/// Adaptive means: windows side by side where they have one size, else products with what [`adaptive_matrix`] says.
fn adaptive(graph: &mut Graph, x: &Value, sizes: &[usize]) -> Value {
    let inputs = x.shape()[2..].to_vec();
    let shape = [&x.shape()[..2], sizes].concat();
    if inputs.iter().zip(sizes).all(|(n, size)| *size > 0 && n % size == 0) {
        let kernel: Vec<usize> = inputs.iter().zip(sizes).map(|(n, size)| n / size).collect();
        let kernel = kernel.as_slice();
        let options = [("kernel_shape", kernel.into()), ("strides", kernel.into())];
        return graph.op("AveragePool", &[x], &options).shaped(&shape);
    }
    let last = sizes.len() - 1;
    let columns = adaptive_matrix(inputs[last], sizes[last]);
    let mut y = graph.layer_op("MatMul", x, &[("/columns", Some(&columns))], &[]);
    if last == 1 {
        let rows = graph.tensor("/rows", &adaptive_matrix(inputs[0], sizes[0]).t());
        y = graph.op("MatMul", &[&rows, &y], &[]);
    }
    y.shaped(&shape).typed(x.kind())
}

/// The share of each of `n` numbers in each of `size` means, `[n, size]`: the means of the unit vectors.
fn adaptive_matrix(n: usize, size: usize) -> Tensor {
    Tensor::eye(n).unsqueeze(0).adaptive_avg_pool1d(size).select(0, 0)
}

pool! {
    /// The greatest value of every window of sequences, \[N, C, L\] to \[N, C, L'\].
    ///
    /// ```
    /// use rekindle_nn::{MaxPool1d, Module};
    /// let y = MaxPool1d::new(2).forward(&rekindle_tensor::tensor([[[1.0, 5.0, 2.0, 3.0]]]));
    /// assert_eq!(y.to_vec::<f32>(), [5.0, 3.0]);
    /// ```
    MaxPool1d, max_pool1d, 1, dilation
}

pool! {
    /// The greatest value of every window of images, \[N, C, H, W\] to \[N, C, H', W'\] with
    /// `H' = (H + 2·padding - dilation·(kernel - 1) - 1) / stride + 1`.
    ///
    /// ```
    /// use rekindle_nn::{MaxPool2d, Module};
    /// use rekindle_tensor::Tensor;
    /// let layer = MaxPool2d::new(3).stride(2).padding(1);
    /// assert_eq!(layer.forward(&Tensor::zeros([2, 16, 24, 24])).shape(), [2, 16, 12, 12]);
    /// ```
    MaxPool2d, max_pool2d, 2, dilation
}

pool! {
    /// The mean of every window of sequences, \[N, C, L\] to \[N, C, L'\].
    ///
    /// ```
    /// use rekindle_nn::{AvgPool1d, Module};
    /// let y = AvgPool1d::new(2).forward(&rekindle_tensor::tensor([[[1.0, 5.0, 2.0, 4.0]]]));
    /// assert_eq!(y.to_vec::<f32>(), [3.0, 3.0]);
    /// ```
    AvgPool1d, avg_pool1d, 1, count_include_pad
}

pool! {
    /// The mean of every window of images, \[N, C, H, W\] to \[N, C, H', W'\] with
    /// `H' = (H + 2·padding - kernel) / stride + 1`.
    ///
    /// ```
    /// use rekindle_nn::{AvgPool2d, Module};
    /// use rekindle_tensor::Tensor;
    /// assert_eq!(AvgPool2d::new(2).forward(&Tensor::ones([1, 1, 2, 2])).to_vec::<f32>(), [1.0]);
    /// ```
    AvgPool2d, avg_pool2d, 2, count_include_pad
}

/// Means over as many equal windows as the output is to have: \[N, C, L\] to \[N, C, n\].
///
/// ```
/// use rekindle_nn::{AdaptiveAvgPool1d, Module};
/// let y = AdaptiveAvgPool1d::new(1).forward(&rekindle_tensor::tensor([[[1.0, 5.0, 3.0]]]));
/// assert_eq!(y.to_vec::<f32>(), [3.0]);
/// ```
#[derive(Clone, Debug, Parameters)]
#[parameters(extra_repr)]
pub struct AdaptiveAvgPool1d {
    output_size: usize,
}

impl AdaptiveAvgPool1d {
    /// With outputs of this length.
    pub fn new(output_size: usize) -> AdaptiveAvgPool1d {
        AdaptiveAvgPool1d { output_size }
    }

    fn extra_repr(&self) -> String {
        format!("output_size={}", self.output_size)
    }
}

impl Module for AdaptiveAvgPool1d {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        observe(self, x.adaptive_avg_pool1d(self.output_size))
    }

    fn onnx(&self, graph: &mut Graph, x: &Value) -> Result<Value, String> {
        x.must_have_dims("adaptive_avg_pool1d", 3)?;
        Ok(adaptive(graph, x, &[self.output_size]))
    }
}

/// Means over as many equal windows as the output is to have: \[N, C, H, W\] to \[N, C, h, w\].
///
/// ```
/// use rekindle_nn::{AdaptiveAvgPool2d, Module};
/// use rekindle_tensor::Tensor;
/// assert_eq!(AdaptiveAvgPool2d::new(1).forward(&Tensor::ones([2, 8, 7, 5])).shape(), [2, 8, 1, 1]);
/// ```
#[derive(Clone, Debug, Parameters)]
#[parameters(extra_repr)]
pub struct AdaptiveAvgPool2d {
    #[parameters(skip)]
    output_size: Size<2>,
}

impl AdaptiveAvgPool2d {
    /// With outputs of this size.
    pub fn new(output_size: impl Into<Size<2>>) -> AdaptiveAvgPool2d {
        AdaptiveAvgPool2d { output_size: output_size.into() }
    }

    fn extra_repr(&self) -> String {
        format!("output_size={}", self.output_size)
    }
}

impl Module for AdaptiveAvgPool2d {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        observe(self, x.adaptive_avg_pool2d(self.output_size.values()))
    }

    fn onnx(&self, graph: &mut Graph, x: &Value) -> Result<Value, String> {
        x.must_have_dims("adaptive_avg_pool2d", 4)?;
        Ok(adaptive(graph, x, &self.output_size.values()))
    }
}
