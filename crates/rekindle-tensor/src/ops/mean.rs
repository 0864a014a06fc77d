//! Mean over all or some dimensions.

use super::reduction::Over;
use crate::op::mistake;
use crate::shape::Ints;
use crate::tensor::Tensor;
use crate::testing::Sample;

impl Tensor {
    /// The mean of all elements: their sum divided by their number; NaN for none.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([1.0, 2.0, 6.0]).mean().item::<f32>(), 3.0);
    /// ```
    #[track_caller]
    pub fn mean(&self) -> Tensor {
        self.mean_dim(Ints::default(), false)
    }

    /// The mean over the given dimensions (all, when the list is empty), which are dropped or kept with size 1.
    ///
    /// # Panics
    /// If the tensor does not hold floats, or a dimension is out of range or named twice.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([[1.0, 3.0], [5.0, 7.0]]).mean_dim(0, false).to_vec::<f32>(), [3.0, 5.0]);
    /// ```
    #[track_caller]
    pub fn mean_dim(&self, dims: impl Into<Ints>, keepdim: bool) -> Tensor {
        if !self.dtype().is_float() {
            mistake!("mean: needs a floating tensor, got {}; convert with .float()", self.dtype());
        }
        let dims = dims.into();
        let count = Over::new("mean", self, dims.clone(), keepdim).count(self.shape());
        self.sum_dim(dims, keepdim) / count as f64
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::new("mean", |x| x[0].mean()).on(&[&[3, 4]]).on(&[&[1]]).on(&[&[]]).large(&[&[300, 400]]),
        Sample::new("mean over dims", |x| x[0].mean_dim([0, -1], true)).on(&[&[2, 3, 4]]).on(&[&[1, 1]]),
        Sample::new("mean over one dim", |x| x[0].mean_dim(0, false)).on(&[&[2, 3, 4]]).on(&[&[3, 0]]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::Tensor;

    #[test]
    fn the_mean_of_nothing_is_nan() {
        assert!(Tensor::zeros([0]).mean().item::<f32>().is_nan());
    }

    #[test]
    #[should_panic(expected = "mean: needs a floating tensor, got i64; convert with .float()")]
    fn integers_have_no_mean() {
        Tensor::arange(0, 4, 1).mean();
    }
}
