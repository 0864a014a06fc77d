//! Euclidean norm over all or some dimensions.

use super::elementwise::unary_float;
use crate::shape::Ints;
use crate::tensor::Tensor;
use crate::testing::Sample;

unary_float! {
    /// The square root with the gradient 0 at 0, where that of [`sqrt`](Tensor::sqrt) is infinite: the last step of a
    /// norm or a standard deviation, whose gradients at the point without direction PyTorch defines so.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let x = tensor([0.0]).requires_grad_(true);
    /// x.sqrt_or_zero().sum().backward();
    /// assert_eq!(x.grad().unwrap().item::<f32>(), 0.0);
    /// ```
    SqrtOrZero, sqrt_or_zero, keeps Output,
    forward |x| x.sqrt(),
    backward |g, y| if y == 0.0 { 0.0 } else { g / (2.0 * y) },
    wgsl "sqrt(a)",
    wgsl_backward "select(a / (2.0 * b), 0.0, b == 0.0)"
}

impl Tensor {
    /// The Euclidean norm of all elements, `sqrt(sum(x^2))`. Its gradient at 0 is 0.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([3.0, 4.0]).norm().item::<f32>(), 5.0);
    /// ```
    #[track_caller]
    pub fn norm(&self) -> Tensor {
        self.norm_dim(Ints::default(), false)
    }

    /// The Euclidean norm over the given dimensions (all, when the list is empty), which are dropped or kept with
    /// size 1.
    ///
    /// # Panics
    /// If a dimension is out of range or named twice.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[3.0, 4.0], [0.0, 2.0]]).norm_dim(1, false).to_vec::<f32>(), [5.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn norm_dim(&self, dims: impl Into<Ints>, keepdim: bool) -> Tensor {
        self.square().sum_dim(dims, keepdim).sqrt_or_zero()
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::new("norm", |x| x[0].norm()).on(&[&[3, 4]]).on(&[&[1]]).on(&[&[]]),
        Sample::new("norm over a dim", |x| x[0].norm_dim(1, true))
            .on(&[&[3, 4]])
            .on(&[&[0, 2]])
            .large(&[&[300, 400]]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::{Tensor, tensor};

    #[test]
    fn the_gradient_at_zero_is_zero() {
        let x = tensor([[0.0, 0.0], [3.0, 4.0]]).requires_grad_(true);
        x.norm_dim(1, false).sum().backward();
        assert!(x.grad().unwrap().allclose(&tensor([[0.0, 0.0], [0.6, 0.8]]), 1e-6, 0.0));
        assert_eq!(Tensor::zeros([0]).norm().item::<f32>(), 0.0);
    }
}
