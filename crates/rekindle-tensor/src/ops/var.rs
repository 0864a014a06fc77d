//! Variance and standard deviation over all or some dimensions.

use super::reduction::Over;
use crate::device::Device;
use crate::op::mistake;
use crate::shape::Ints;
use crate::tensor::Tensor;
use crate::testing::Sample;

impl Tensor {
    /// The unbiased variance of all elements: the mean squared distance from the mean, over `n - 1`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([1.0, 3.0]).var().item::<f32>(), 2.0);
    /// ```
    #[track_caller]
    pub fn var(&self) -> Tensor {
        self.var_dim(Ints::default(), 1, false)
    }

    /// The unbiased standard deviation of all elements: the root of the [variance](Tensor::var).
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([1.0, 3.0]).std().item::<f32>(), 2f32.sqrt());
    /// ```
    #[track_caller]
    pub fn std(&self) -> Tensor {
        self.std_dim(Ints::default(), 1, false)
    }

    /// The variance over the given dimensions (all, when the list is empty): `sum((x - mean)^2) / (n - correction)`.
    /// PyTorch's `unbiased=True` is a correction of 1, `unbiased=False` one of 0. NaN if nothing is left to divide by.
    ///
    /// # Panics
    /// If the tensor does not hold floats, or a dimension is out of range or named twice.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[1.0, 3.0], [2.0, 2.0]]).var_dim(1, 0, false).to_vec::<f32>(), [1.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn var_dim(&self, dims: impl Into<Ints>, correction: usize, keepdim: bool) -> Tensor {
        self.wide_var("var", dims.into(), correction, keepdim).to(self.dtype())
    }

    /// The variance in double precision, in which PyTorch computes it; a GPU has only f32.
    #[track_caller]
    fn wide_var(&self, op: &str, dims: Ints, correction: usize, keepdim: bool) -> Tensor {
        if !self.dtype().is_float() {
            mistake!("{op}: needs a floating tensor, got {}; convert with .float()", self.dtype());
        }
        let n = Over::new(op, self, dims.clone(), keepdim).count(self.shape());
        let x = if self.device() == Device::Cpu { self.double() } else { self.clone() };
        let centred = &x - x.mean_dim(dims.clone(), true);
        centred.square().sum_dim(dims, keepdim) / n.saturating_sub(correction) as f64
    }

    /// The root of [`var_dim`](Tensor::var_dim). Its gradient where all elements are equal is 0.
    ///
    /// # Panics
    /// If the tensor does not hold floats, or a dimension is out of range or named twice.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[1.0, 3.0]]).std_dim(1, 0, false).to_vec::<f32>(), [1.0]);
    /// ```
    #[track_caller]
    pub fn std_dim(&self, dims: impl Into<Ints>, correction: usize, keepdim: bool) -> Tensor {
        self.wide_var("std", dims.into(), correction, keepdim).sqrt_or_zero().to(self.dtype())
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::new("var", |x| x[0].var()).on(&[&[3, 4]]).on(&[&[2, 1]]).large(&[&[300, 400]]),
        Sample::new("var over dims", |x| x[0].var_dim([0, 2], 0, true)).on(&[&[2, 3, 4]]).on(&[&[2, 0, 2]]),
        Sample::new("std", |x| x[0].std()).on(&[&[3, 4]]),
        Sample::new("std over a dim", |x| x[0].std_dim(-1, 1, false)).on(&[&[3, 4]]).on(&[&[0, 3]]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::{Tensor, tensor};

    #[test]
    fn one_element_has_no_unbiased_variance() {
        assert!(tensor([5.0]).var().item::<f32>().is_nan());
        assert_eq!(tensor([5.0]).var_dim(0, 0, false).item::<f32>(), 0.0);
    }

    #[test]
    fn equal_elements_give_std_a_gradient_of_zero() {
        let x = Tensor::ones([2, 3]).requires_grad_(true);
        x.std_dim(1, 1, false).sum().backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.0; 6]);
    }

    #[test]
    fn a_large_mean_does_not_swamp_a_small_variance() {
        assert_eq!((tensor([1.0, 2.0, 3.0]).double() + 1e9).var().item::<f64>(), 1.0);
    }
}
