//! Initialisers of tensors in place: `torch.nn.init`, drawing from the default generator. On every device the numbers are those of the CPU.
//!
//! The formulas are in [`rekindle_tensor::random::init`].

pub use rekindle_tensor::random::init::{
    FanMode, Nonlinearity, calculate_fan_in_and_fan_out, calculate_gain,
};

use rekindle_tensor::random::init as fill;
use rekindle_tensor::random::{Generator, with_default};
use rekindle_tensor::{DType, Tensor, mistake, no_grad};

macro_rules! initialisers {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $t:ty),*) |$x:ident, $shape:ident, $g:ident| $fill:expr;)+) => {$(
        $(#[$doc])*
        ///
        /// # Panics
        /// If the tensor does not hold floats or has too few dimensions.
        #[track_caller]
        pub fn $name(tensor: &Tensor, $($arg: $t),*) -> &Tensor {
            let $shape = tensor.shape();
            // On the CPU it is the tensor itself.
            let here = tensor.detach().cpu();
            with_default(|$g: &mut Generator| match tensor.dtype() {
                DType::F64 => here.with_data_mut::<f64, _>(|$x| $fill),
                _ => here.with_data_mut::<f32, _>(|$x| $fill),
            });
            if !here.shares_memory(tensor) {
                no_grad(|| _ = tensor.copy_(&here));
            }
            tensor
        }
    )+};
}

initialisers! {
    /// Uniform values in \[a, b).
    ///
    /// ```
    /// use rekindle_nn::{Linear, init};
    /// init::uniform_(&Linear::new(2, 1).weight, -0.1, 0.1);
    /// ```
    uniform_(a: f64, b: f64) |x, _shape, g| g.uniform(x, a, b);
    /// Normal values.
    ///
    /// ```
    /// use rekindle_nn::{Linear, init};
    /// init::normal_(&Linear::new(2, 1).weight, 0.0, 0.01);
    /// ```
    normal_(mean: f64, std: f64) |x, _shape, g| g.normal(x, mean, std);
    /// Normal values within \[a, b\] (PyTorch's defaults: mean 0, deviation 1, -2 to 2).
    ///
    /// ```
    /// use rekindle_nn::{Linear, init};
    /// init::trunc_normal_(&Linear::new(2, 1).weight, 0.0, 0.02, -2.0, 2.0);
    /// ```
    trunc_normal_(mean: f64, std: f64, a: f64, b: f64) |x, _shape, g| fill::trunc_normal(x, mean, std, a, b, g);
    /// Uniform values of ±gain·√(6 / (fan_in + fan_out)).
    ///
    /// ```
    /// use rekindle_nn::{Linear, init};
    /// init::xavier_uniform_(&Linear::new(2, 1).weight, 1.0);
    /// ```
    xavier_uniform_(gain: f64) |x, shape, g| fill::xavier_uniform(x, shape, gain, g);
    /// Normal values of deviation gain·√(2 / (fan_in + fan_out)).
    ///
    /// ```
    /// use rekindle_nn::{Linear, init};
    /// init::xavier_normal_(&Linear::new(2, 1).weight, 1.0);
    /// ```
    xavier_normal_(gain: f64) |x, shape, g| fill::xavier_normal(x, shape, gain, g);
    /// Uniform values of ±gain·√(3 / fan).
    ///
    /// ```
    /// use rekindle_nn::{Linear, init};
    /// init::kaiming_uniform_(&Linear::new(2, 1).weight, init::FanMode::FanIn, init::Nonlinearity::Relu);
    /// ```
    kaiming_uniform_(mode: FanMode, nonlinearity: Nonlinearity)
        |x, shape, g| fill::kaiming_uniform(x, shape, mode, nonlinearity, g);
    /// Normal values of deviation gain / √fan.
    ///
    /// ```
    /// use rekindle_nn::{Linear, init};
    /// init::kaiming_normal_(&Linear::new(2, 1).weight, init::FanMode::FanOut, init::Nonlinearity::Relu);
    /// ```
    kaiming_normal_(mode: FanMode, nonlinearity: Nonlinearity)
        |x, shape, g| fill::kaiming_normal(x, shape, mode, nonlinearity, g);
}

/// One value everywhere.
///
/// ```
/// use rekindle_nn::{Linear, init};
/// let layer = Linear::new(2, 1);
/// init::constant_(&layer.weight, 0.5);
/// assert_eq!(layer.weight.to_vec::<f32>(), [0.5, 0.5]);
/// ```
pub fn constant_(tensor: &Tensor, value: f64) -> &Tensor {
    no_grad(|| _ = tensor.fill_(value));
    tensor
}

/// Zeros.
///
/// ```
/// use rekindle_nn::{Linear, init};
/// assert_eq!(init::zeros_(&Linear::new(1, 1).weight).to_vec::<f32>(), [0.0]);
/// ```
pub fn zeros_(tensor: &Tensor) -> &Tensor {
    constant_(tensor, 0.0)
}

/// Ones.
///
/// ```
/// use rekindle_nn::{Linear, init};
/// assert_eq!(init::ones_(&Linear::new(1, 1).weight).to_vec::<f32>(), [1.0]);
/// ```
pub fn ones_(tensor: &Tensor) -> &Tensor {
    constant_(tensor, 1.0)
}

/// Ones on the diagonal of a matrix and zeros elsewhere.
///
/// # Panics
/// If the tensor has not two dimensions.
///
/// ```
/// use rekindle_nn::{Linear, init};
/// let layer = Linear::new(2, 2);
/// init::eye_(&layer.weight);
/// assert_eq!(layer.weight.to_vec::<f32>(), [1.0, 0.0, 0.0, 1.0]);
/// ```
#[track_caller]
pub fn eye_(tensor: &Tensor) -> &Tensor {
    let &[rows, columns] = tensor.shape() else {
        mistake!("eye_: the tensor must have 2 dimensions, got {:?}", tensor.shape());
    };
    let mut ones = vec![0f32; rows * columns];
    (0..rows.min(columns)).for_each(|i| ones[i * columns + i] = 1.0);
    no_grad(|| _ = tensor.copy_(&Tensor::from_vec(ones, [rows, columns])));
    tensor
}
