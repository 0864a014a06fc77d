//! Kullback-Leibler divergence.

use super::pointwise::{Formula, Wgsl, pointwise};
use super::{Loss, Reduction};
use rekindle_kernels::real::Real;
use rekindle_tensor::Tensor;

/// `t (ln t - x)`, 0 where `t` is 0: how far the distribution `t` is from the one whose logarithms are `x`.
/// Gradient: `-t`.
///
/// The mean over all elements, PyTorch's default, is not the divergence; [`batch_mean`](KLDivLoss::batch_mean) is.
///
/// ```
/// use rekindle_nn::loss::{KLDivLoss, Loss};
/// use rekindle_tensor::tensor;
/// let half = 0.5f32.ln();
/// let loss = KLDivLoss::new().batch_mean().forward(&tensor([[half, half]]), &tensor([[1.0, 0.0]]));
/// assert!((loss.item::<f64>() - 2f64.ln()).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct KLDivLoss {
    reduction: Reduction,
    batch_mean: bool,
    log_target: bool,
}

impl KLDivLoss {
    /// With PyTorch's default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// What becomes of the losses of the elements; their mean by default.
    pub fn reduction(self, reduction: Reduction) -> Self {
        Self { reduction, batch_mean: false, ..self }
    }

    /// Divides the sum by the size of dimension 0: PyTorch's `reduction='batchmean'`.
    pub fn batch_mean(self) -> Self {
        Self { reduction: Reduction::Sum, batch_mean: true, ..self }
    }

    /// Takes the logarithms of the target's probabilities as target.
    pub fn log_target(self, log_target: bool) -> Self {
        Self { log_target, ..self }
    }
}

impl Loss for KLDivLoss {
    #[track_caller]
    fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        let loss = if self.log_target {
            pointwise(LogTarget, self.reduction, input, target, None)
        } else {
            pointwise(Divergence, self.reduction, input, target, None)
        };
        if self.batch_mean { loss / input.shape().first().copied().unwrap_or(1) } else { loss }
    }
}

#[derive(Clone, Copy, Debug)]
struct Divergence;

impl Formula for Divergence {
    const NAME: &'static str = "kl_div";
    const WGSL: Wgsl = Wgsl {
        value: "select(b * (log(b) - a), 0.0, b == 0.0)",
        slope: "-b * (c / p.n0)",
        target_slope: Some("(log(b) + 1.0 - a) * (c / p.n0)"),
    };

    #[inline(always)]
    fn value<T: Real>(self, x: T, t: T) -> T {
        let l = t * (t.ln() - x);
        if t == T::ZERO { T::ZERO } else { l }
    }
    #[inline(always)]
    fn slope<T: Real>(self, _: T, t: T, g: T, n: T) -> T {
        -t * (g / n)
    }
    #[inline(always)]
    fn target_slope<T: Real>(self, x: T, t: T, g: T, n: T) -> T {
        (t.ln() + T::ONE - x) * (g / n)
    }
}

#[derive(Clone, Copy, Debug)]
struct LogTarget;

impl Formula for LogTarget {
    const NAME: &'static str = "kl_div";
    const WGSL: Wgsl = Wgsl {
        value: "exp(b) * (b - a)",
        slope: "-exp(b) * (c / p.n0)",
        target_slope: Some("exp(b) * (b - a + 1.0) * (c / p.n0)"),
    };

    #[inline(always)]
    fn value<T: Real>(self, x: T, t: T) -> T {
        t.exp() * (t - x)
    }
    #[inline(always)]
    fn slope<T: Real>(self, _: T, t: T, g: T, n: T) -> T {
        -t.exp() * (g / n)
    }
    #[inline(always)]
    fn target_slope<T: Real>(self, x: T, t: T, g: T, n: T) -> T {
        t.exp() * (t - x + T::ONE) * (g / n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::tests::{agrees, scalars};
    use rekindle_tensor::tensor;

    #[test]
    fn agrees_with_its_composed_form() {
        let naive = |x: &Tensor, t: &Tensor| {
            let ln = Tensor::from_vec(t.to_vec::<f64>().into_iter().map(f64::ln).collect(), t.shape());
            t * (ln - x)
        };
        // The naive form has no gradient of the target.
        agrees(|r| KLDivLoss::new().reduction(r), move |x, t| naive(x, &t.detach()), (0.1, 0.9));
        agrees(|r| KLDivLoss::new().log_target(true).reduction(r), |x, t| t.exp() * (t - x), (-2.0, 2.0));
    }

    #[test]
    fn batch_mean_divides_by_the_rows() {
        let (x, t) = (tensor([[-1.0, -2.0], [-0.5, -0.25]]), tensor([[0.5, 0.5], [0.0, 1.0]]));
        let of = |loss: KLDivLoss| scalars(&loss.forward(&x, &t))[0];
        let sum = of(KLDivLoss::new().reduction(Reduction::Sum));
        assert_eq!(of(KLDivLoss::new().batch_mean()), sum / 2.0);
        assert!((of(KLDivLoss::new()) - sum / 4.0).abs() < 1e-7);
    }
}
