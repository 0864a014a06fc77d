//! Losses, one family per file. Each is a plain value of its options with [`Loss::forward`]; the functions with
//! PyTorch's default options are in [`functional`](crate::functional).
//!
//! The common cases run as one operation that computes the value and, in the backward pass, the gradient formula of
//! that file; elementwise weights are multiplied on by ordinary tensor operations. The form composed from tensor
//! operations is each file's test. Weights that a loss was given are moved to the device of the predictions by the first step there.

mod bce;
mod class_indices;
mod cross_entropy;
mod hinge;
mod huber;
mod kl_div;
mod l1;
mod mse;
mod nll;
mod pointwise;
mod probabilities;
mod scores;
mod weight;

pub use bce::{BCELoss, BCEWithLogitsLoss};
pub use cross_entropy::CrossEntropyLoss;
pub use hinge::{HingeEmbeddingLoss, MultiMarginLoss};
pub use huber::{HuberLoss, SmoothL1Loss};
pub use kl_div::KLDivLoss;
pub use l1::L1Loss;
pub use mse::MSELoss;
pub use nll::NLLLoss;

use rekindle_tensor::{Meta, Tensor, gpu};
use std::fmt::{self, Debug, Display};

/// A measure of how far predictions are from targets.
///
/// ```
/// use rekindle_nn::loss::{Loss, MSELoss, Reduction};
/// use rekindle_tensor::tensor;
/// let (x, t) = (tensor([1.0, 4.0]), tensor([1.0, 2.0]));
/// assert_eq!(MSELoss::new().forward(&x, &t).item::<f32>(), 2.0);
/// assert_eq!(MSELoss::new().reduction(Reduction::None).forward(&x, &t).to_vec::<f32>(), [0.0, 4.0]);
/// assert_eq!(MSELoss::new().to_string(), "MSELoss()");
/// ```
pub trait Loss: Debug + Display + Send + Sync {
    /// The loss of predictions against targets.
    ///
    /// # Panics
    /// If shapes or types do not fit, or a value is not one that the loss is defined for; with one line that says so.
    #[track_caller]
    fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor;

    /// How predictions become decisions; a loss of numbers makes none.
    fn decision(&self) -> Decision {
        Decision::None
    }
}

/// How the outputs of a net become decisions.
///
/// ```
/// use rekindle_nn::loss::{CrossEntropyLoss, Decision, Loss, MSELoss};
/// assert_eq!(CrossEntropyLoss::new().decision(), Decision::Largest);
/// assert_eq!(MSELoss::new().decision(), Decision::None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// An output is a probability: its class is 1 above 0.5.
    Probability,
    /// An output is a logit: its class is 1 above 0.
    Logit,
    /// One output for each class: the class is that of the largest.
    Largest,
    /// No classes: regression.
    None,
}

/// What becomes of the losses of the elements.
///
/// ```
/// use rekindle_nn::loss::{L1Loss, Loss, Reduction};
/// use rekindle_tensor::tensor;
/// let of = |r| L1Loss::new().reduction(r).forward(&tensor([1.0, 5.0]), &tensor([0.0, 2.0])).to_vec::<f32>();
/// assert_eq!((of(Reduction::Mean), of(Reduction::Sum)), (vec![2.0], vec![4.0]));
/// assert_eq!(of(Reduction::None), [1.0, 3.0]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// Their mean, weighted where classes have weights.
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// They are returned as they are.
    None,
}

impl Reduction {
    /// Reduces the losses of the elements.
    #[track_caller]
    fn of(self, losses: Tensor) -> Tensor {
        match self {
            Reduction::Mean => losses.sum() / losses.numel(),
            Reduction::Sum => losses.sum(),
            Reduction::None => losses,
        }
    }

    /// [`of`](Reduction::of) for elements on a GPU that are divided already.
    fn of_terms(self, terms: &Tensor) -> Tensor {
        let (gpu, scalar) = (gpu::of(&[terms]), Meta::new([], terms.dtype()));
        match self {
            Reduction::None => terms.clone(),
            Reduction::Mean if terms.numel() == 0 => gpu::map(&gpu, "p.n0", &[], &[f64::NAN], &scalar),
            _ => gpu::fold::fold(&gpu, terms, [1, terms.numel(), 1], gpu::fold::SUM).reshape(&scalar.shape),
        }
    }

    /// What the sum over `n` elements is divided by.
    fn divisor(self, n: usize) -> f64 {
        if self == Reduction::Mean { n as f64 } else { 1.0 }
    }
}

/// The constructor and the `reduction` setting that every loss has.
macro_rules! reducible {
    ($Loss:ident) => {
        impl $Loss {
            /// With PyTorch's default options.
            pub fn new() -> Self {
                Self::default()
            }

            /// What becomes of the losses of the elements; their mean by default.
            pub fn reduction(mut self, reduction: Reduction) -> Self {
                self.reduction = reduction;
                self
            }
        }
    };
}
use reducible;

macro_rules! printed {
    ($($Loss:ident)+) => {$(
        /// As PyTorch prints it: the name alone.
        impl Display for $Loss {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($Loss), "()"))
            }
        }
    )+};
}
printed! {
    BCELoss BCEWithLogitsLoss CrossEntropyLoss HingeEmbeddingLoss HuberLoss KLDivLoss L1Loss MSELoss MultiMarginLoss
    NLLLoss SmoothL1Loss
}

#[cfg(test)]
mod tests {
    use super::*;
    use rekindle_tensor::testing::Sample;

    pub(super) fn scalars(x: &Tensor) -> Vec<f64> {
        x.to_f64_vec()
    }

    /// Holds a pointwise loss to its naive form, and its gradients, for prediction and target, to differences.
    pub(super) fn agrees<L: Loss + 'static>(
        loss: impl Fn(Reduction) -> L,
        naive: impl Fn(&Tensor, &Tensor) -> Tensor,
        (low, high): (f64, f64),
    ) {
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
            let fast = loss(reduction);
            let mut sample = Sample::new("loss", move |x| fast.forward(&x[0], &x[1])).range(low, high);
            for shape in [&[3, 4][..], &[1], &[0, 3], &[2, 1, 5], &[]] {
                sample = sample.on(&[shape, shape]);
            }
            sample = sample.large(&[&[40_000], &[40_000]]);
            sample.check().unwrap();
            for case in (0..sample.cases.len()).filter(|&c| c != 2) {
                let x = sample.inputs(case);
                let (got, expected) = (scalars(&(sample.f)(&x)), scalars(&reduction.of(naive(&x[0], &x[1]))));
                let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-12 * b.abs().max(1.0);
                assert!(
                    got.len() == expected.len() && got.iter().zip(&expected).all(close),
                    "{got:?} {expected:?}"
                );
            }
        }
    }

    /// The message of the panic that `f` ends in.
    pub(super) fn message(f: impl FnOnce() -> Tensor) -> String {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).expect_err("it must panic");
        match caught.downcast::<String>() {
            Ok(s) => *s,
            Err(other) => other.downcast::<&str>().expect("a panic with a message").to_string(),
        }
    }
}
