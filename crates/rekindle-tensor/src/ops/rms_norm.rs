//! Division by the root mean square.
//!
//! Source: B. Zhang and R. Sennrich, "Root Mean Square Layer Normalization", NeurIPS 2019.

use crate::dtype::DType;
use crate::op::mistake;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::testing::Sample;

impl Tensor {
    /// `x / sqrt(mean(x^2) + eps) w` over the last dimensions, which have the shape `normalized`. PyTorch's
    /// `F.rms_norm`; without `eps` the type's machine epsilon is taken.
    ///
    /// # Panics
    /// If shapes or types do not fit.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let y = tensor([[3.0, 4.0]]).rms_norm([2], None, Some(0.0));
    /// assert!((y.to_vec::<f32>()[0] - 3.0 / 12.5f32.sqrt()).abs() < 1e-6);
    /// ```
    #[track_caller]
    pub fn rms_norm(
        &self,
        normalized: impl Into<Shape>,
        weight: Option<&Tensor>,
        eps: Option<f64>,
    ) -> Tensor {
        let normalized = normalized.into();
        if normalized.is_empty() || !self.shape().ends_with(&normalized) {
            mistake!(
                "rms_norm: the input {:?} does not end in the normalized shape {normalized:?}",
                self.shape()
            );
        }
        if let Some(weight) = weight.filter(|weight| weight.shape() != &normalized[..]) {
            mistake!("rms_norm: the weight {:?} has not the normalized shape {normalized:?}", weight.shape());
        }
        let epsilon = if self.dtype() == DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
        let dims: Vec<isize> = (1..=normalized.len() as isize).map(|d| -d).collect();
        let scale = (self.square().mean_dim(dims, true) + eps.unwrap_or(epsilon)).rsqrt();
        let y = self * scale;
        weight.map(|w| &y * w).unwrap_or(y)
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::new("rms_norm", |x| {
            let last = x[0].size(-1);
            x[0].rms_norm([last], x.get(1), Some(1e-5))
        })
        .on(&[&[4, 6], &[6]])
        .on(&[&[2, 1, 3], &[3]])
        .on(&[&[0, 3]]),
    ]
}
