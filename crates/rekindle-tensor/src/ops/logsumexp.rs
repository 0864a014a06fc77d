//! Logarithm of a sum of exponentials.

use super::reduction::Over;
use crate::shape::Ints;
use crate::tensor::Tensor;
use crate::testing::Sample;

impl Tensor {
    /// `ln(sum(e^x))` over the given dimensions (all, when the list is empty), with the greatest element subtracted
    /// first so that nothing overflows; -inf over nothing. Gradient: `dy * softmax(x)`.
    ///
    /// # Panics
    /// If the tensor does not hold floats, or a dimension is out of range or named twice.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([1000.0, 1000.0]).logsumexp(0, false).item::<f32>(), 1000.0 + 2f32.ln());
    /// ```
    #[track_caller]
    pub fn logsumexp(&self, dims: impl Into<Ints>, keepdim: bool) -> Tensor {
        let dims = dims.into();
        let over = Over::new("logsumexp", self, dims.clone(), keepdim);
        if over.count(self.shape()) == 0 {
            return self.sum_dim(dims, keepdim).ln();
        }
        let max = self.detach().amax(dims.clone(), true);
        // Subtracting an infinity would give NaN.
        let max = Tensor::where_(&max.abs().eq(f64::INFINITY), 0.0, &max);
        let log = (self - &max).exp().sum_dim(dims, keepdim).ln();
        log + max.reshape(&over.result(&self.shape_owned()))
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::new("logsumexp", |x| x[0].logsumexp([0, 1], false)).on(&[&[3, 4]]).on(&[&[1, 1]]),
        Sample::new("logsumexp over a dim", |x| x[0].logsumexp(-1, true)).on(&[&[3, 4]]).on(&[&[0, 3]]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::tensor;

    #[test]
    fn infinities_stay_infinite() {
        let inf = f64::INFINITY;
        let y = tensor([[-inf, -inf], [inf, 0.0], [-inf, 1.0]]).logsumexp(1, false);
        assert_eq!(y.to_vec::<f32>(), [f32::NEG_INFINITY, f32::INFINITY, 1.0]);
    }
}
