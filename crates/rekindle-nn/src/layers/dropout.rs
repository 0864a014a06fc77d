//! Dropout layers: random zeros while training.
//!
//! Source: N. Srivastava et al., JMLR 15, 2014; the draws are PyTorch's.

use crate::observe::observe;
use crate::onnx::{Graph, Value};
use crate::text::{python_bool, python_float};
use crate::visit::Mode;
use crate::{Module, Parameters};
use rekindle_tensor::{Tensor, mistake};

macro_rules! dropout {
    ($($(#[$doc:meta])* $Dropout:ident => $method:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Parameters)]
        #[parameters(extra_repr)]
        pub struct $Dropout {
            p: f64,
            mode: Mode,
        }

        impl $Dropout {
            /// Drops with probability `p`.
            ///
            /// # Panics
            /// If `p` is not in \[0, 1\].
            #[track_caller]
            pub fn new(p: f64) -> $Dropout {
                if !(0.0..=1.0).contains(&p) {
 mistake!("dropout: a probability must lie in [0, 1], got {p}");
 }
                $Dropout { p, mode: Mode::default() }
            }

            fn extra_repr(&self) -> String {
                format!("p={}, inplace={}", python_float(self.p), python_bool(false))
            }
        }

        impl Module for $Dropout {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                observe(self, if self.mode.is_training() { x.$method(self.p) } else { x.clone() })
            }

            /// Nothing: in evaluation the input passes.
            fn onnx(&self, _: &mut Graph, x: &Value) -> Result<Value, String> {
                Ok(x.clone())
            }
        }
    )+};
}

dropout! {
    /// Sets every element to zero with probability `p` and divides the rest by `1 - p`, while training; passes the
    /// input on in evaluation.
    ///
    /// ```
    /// use rekindle_nn::{Dropout, Module, Parameters};
    /// use rekindle_tensor::{random, Tensor};
    /// random::manual_seed(123);
    /// let layer = Dropout::new(0.5);
    /// assert_eq!(layer.forward(&Tensor::ones([6])).to_vec::<f32>(), [2.0, 2.0, 0.0, 2.0, 2.0, 0.0]);
    /// layer.eval();
    /// assert_eq!(layer.forward(&Tensor::ones([3])).to_vec::<f32>(), [1.0, 1.0, 1.0]);
    /// ```
    Dropout => dropout;
    /// As [`Dropout`] for whole channels of sequences \[N, C, L\].
    ///
    /// ```
    /// use rekindle_nn::{Dropout1d, Module};
    /// use rekindle_tensor::Tensor;
    /// let y = Dropout1d::new(0.5).forward(&Tensor::ones([1, 1, 3])).to_vec::<f32>();
    /// assert!(y == [2.0, 2.0, 2.0] || y == [0.0, 0.0, 0.0]);
    /// ```
    Dropout1d => feature_dropout;
    /// As [`Dropout`] for whole channels of images \[N, C, H, W\].
    ///
    /// ```
    /// use rekindle_nn::{Dropout2d, Module};
    /// use rekindle_tensor::Tensor;
    /// let y = Dropout2d::new(0.5).forward(&Tensor::ones([1, 1, 1, 2])).to_vec::<f32>();
    /// assert!(y == [2.0, 2.0] || y == [0.0, 0.0]);
    /// ```
    Dropout2d => feature_dropout;
    /// Dropout that keeps mean and variance after [`SELU`](crate::SELU): dropped elements become its lowest value and
    /// everything is rescaled. Source: G. Klambauer et al., NeurIPS 2017.
    ///
    /// ```
    /// use rekindle_nn::{AlphaDropout, Module, Parameters};
    /// use rekindle_tensor::Tensor;
    /// let layer = AlphaDropout::new(0.1);
    /// layer.eval();
    /// assert_eq!(layer.forward(&Tensor::ones([1])).to_vec::<f32>(), [1.0]);
    /// ```
    AlphaDropout => alpha_dropout;
}
