//! Activations: functions of one element, without parameters.

use crate::observe::observe;
use crate::{Module, Parameters};
use rekindle_tensor::Tensor;

macro_rules! activations {
    ($($(#[$doc:meta])* $Name:ident => $method:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Parameters)]
        pub struct $Name;

        impl Module for $Name {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                observe(self, x.$method())
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
    ReLU => relu;
    /// The input unchanged: a placeholder.
    ///
    /// ```
    /// use rekindle_nn::{Identity, Module};
    /// assert_eq!(Identity.forward(&rekindle_tensor::tensor([-1.0])).to_vec::<f32>(), [-1.0]);
    /// ```
    Identity => clone;
}
