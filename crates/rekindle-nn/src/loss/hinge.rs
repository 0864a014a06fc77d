//! Losses of margins.

use super::class_indices::check_classes;
use super::pointwise::{Formula, Wgsl, pointwise};
use super::weight::Weight;
use super::{Loss, Reduction, reducible};
use rekindle_kernels::real::Real;
use rekindle_tensor::{DType, Tensor, mistake};

/// For a target of 1 the distance `x` itself, for -1 what it lacks of the margin: `max(0, margin - x)`.
///
/// Prediction and target have one shape; the result is a scalar, or that shape with [`Reduction::None`].
///
/// ```
/// use rekindle_nn::loss::{HingeEmbeddingLoss, Loss};
/// use rekindle_tensor::tensor;
/// let loss = HingeEmbeddingLoss::new().forward(&tensor([0.5, 0.25]), &tensor([1.0, -1.0]));
/// assert_eq!(loss.item::<f32>(), 0.625);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct HingeEmbeddingLoss {
    margin: f64,
    reduction: Reduction,
}
reducible!(HingeEmbeddingLoss);

impl Default for HingeEmbeddingLoss {
    fn default() -> Self {
        HingeEmbeddingLoss { margin: 1.0, reduction: Reduction::Mean }
    }
}

impl HingeEmbeddingLoss {
    /// The distance beyond which unlike pairs cost nothing; 1 by default.
    pub fn margin(self, margin: f64) -> Self {
        HingeEmbeddingLoss { margin, ..self }
    }
}

impl Loss for HingeEmbeddingLoss {
    #[track_caller]
    fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        let target = target.to(input.dtype());
        pointwise(HingeEmbedding { margin: self.margin }, self.reduction, input, &target, None)
    }
}

#[derive(Clone, Copy, Debug)]
struct HingeEmbedding {
    margin: f64,
}

impl Formula for HingeEmbedding {
    const NAME: &'static str = "hinge_embedding_loss";
    const WGSL: Wgsl = Wgsl {
        value: "select(maximum(p.n1 - a, 0.0), 0.0, b == 1.0) + select(a, 0.0, b == -1.0)",
        slope: "select(-c / p.n0, 0.0, b == 1.0 || a > p.n1) + select(c / p.n0, 0.0, b == -1.0)",
        target_slope: Some("0.0"),
    };

    fn numbers(self) -> Vec<f64> {
        vec![self.margin]
    }

    #[inline(always)]
    fn value<T: Real>(self, x: T, t: T) -> T {
        let missing = (T::from_f64(self.margin) - x).maximum(T::ZERO);
        // Written as PyTorch's sum of two parts, which defines targets other than 1 and -1 too.
        let unlike = if t == T::ONE { T::ZERO } else { missing };
        let like = if t == -T::ONE { T::ZERO } else { x };
        unlike + like
    }
    #[inline(always)]
    fn slope<T: Real>(self, x: T, t: T, g: T, n: T) -> T {
        let outside = t == T::ONE || x > T::from_f64(self.margin);
        let unlike = if outside { T::ZERO } else { -g / n };
        let like = if t == -T::ONE { T::ZERO } else { g / n };
        unlike + like
    }
    #[inline(always)]
    fn target_slope<T: Real>(self, _: T, _: T, _: T, _: T) -> T {
        T::ZERO
    }
}

/// How far the other classes come within a margin of the right one: the mean over samples of
/// `sum over k != y of max(0, margin - x[y] + x[k])^p / C`, weighted by `w[y]`.
///
/// Scores are `[N, C]`, targets i64 `[N]`; the result is a scalar, or `[N]` with [`Reduction::None`].
///
/// # Panics
/// [`forward`](Loss::forward) does if a class index is out of range. On a GPU the loss is NaN then.
///
/// ```
/// use rekindle_nn::loss::{Loss, MultiMarginLoss};
/// use rekindle_tensor::tensor;
/// let loss = MultiMarginLoss::new().forward(&tensor([[1.0, 0.5, -1.0]]), &tensor([0]));
/// assert_eq!(loss.item::<f32>(), 0.5 / 3.0);
/// ```
#[derive(Clone, Debug)]
pub struct MultiMarginLoss {
    p: u32,
    margin: f64,
    weight: Option<Weight>,
    reduction: Reduction,
}
reducible!(MultiMarginLoss);

impl Default for MultiMarginLoss {
    fn default() -> Self {
        MultiMarginLoss { p: 1, margin: 1.0, weight: None, reduction: Reduction::Mean }
    }
}

impl MultiMarginLoss {
    /// The power of each shortfall, 1 or 2; 1 by default.
    ///
    /// # Panics
    /// If it is neither.
    #[track_caller]
    pub fn p(self, p: u32) -> Self {
        if p != 1 && p != 2 {
            mistake!("multi_margin_loss: p must be 1 or 2, got {p}");
        }
        MultiMarginLoss { p, ..self }
    }

    /// The distance beyond which other classes cost nothing; 1 by default.
    pub fn margin(self, margin: f64) -> Self {
        MultiMarginLoss { margin, ..self }
    }

    /// One weight for each class.
    pub fn weight(self, weight: Tensor) -> Self {
        MultiMarginLoss { weight: Some(weight.into()), ..self }
    }
}

impl Loss for MultiMarginLoss {
    #[track_caller]
    fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        let (x, t) = (input, target);
        if x.dim() != 2 || t.shape() != &x.shape()[..1] || t.dtype() != DType::I64 {
            let (s, i) = (x.shape(), t.shape());
            mistake!(
                "multi_margin_loss: scores {s:?} need i64 class indices [N], got {} {i:?}; scores are [N, C]",
                t.dtype()
            );
        }
        let classes = x.size(1);
        check_classes("multi_margin_loss", t, classes, None);
        let others = 1.0 - t.one_hot(classes).to(x.dtype());
        let short = (x - x.gather(1, &t.unsqueeze(1)) + self.margin).relu() * others;
        let cost = if self.p == 2 { &short * &short } else { short };
        let cost = match &self.weight {
            Some(w) => cost * w.constant(x).index_select(0, t).unsqueeze(1),
            None => cost,
        };
        self.reduction.of(cost.sum_dim(1, false) / classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::tests::{agrees, message};
    use rekindle_tensor::tensor;
    use rekindle_tensor::testing::Sample;

    #[test]
    fn hinge_embedding_agrees_with_its_composed_form() {
        // Targets of -1 and 1 only: the sign of a draw that is never 0.
        let signs = |t: &Tensor| t.detach().sign();
        #[derive(Debug)]
        struct OnSigns(HingeEmbeddingLoss);
        impl std::fmt::Display for OnSigns {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
        impl Loss for OnSigns {
            fn forward(&self, x: &Tensor, t: &Tensor) -> Tensor {
                self.0.forward(x, &t.detach().sign())
            }
        }
        let naive = move |x: &Tensor, t: &Tensor| {
            let like = (signs(t) + 1.0) / 2.0;
            &like * x + (1.0 - &like) * (0.7 - x).relu()
        };
        agrees(|r| OnSigns(HingeEmbeddingLoss::new().margin(0.7).reduction(r)), naive, (-2.0, 2.0));
    }

    #[test]
    fn multi_margin_agrees_with_the_definition() {
        let t = tensor([2, 0, 1, 1]);
        for (p, reduction) in [(1, Reduction::Mean), (2, Reduction::Sum), (2, Reduction::None)] {
            let loss =
                MultiMarginLoss::new().p(p).margin(0.5).weight(tensor([1.0, 2.0, 0.5])).reduction(reduction);
            let sample = Sample::new("multi_margin_loss", move |x| loss.forward(&x[0], &x[1])).on(&[&[4, 3]]);
            let sample = sample.with(std::slice::from_ref(&t));
            sample.check().unwrap();
            let x = sample.inputs(0)[0].to_vec::<f64>();
            let row = |(i, y): (usize, i64)| {
                let gap = |k: usize| (0.5 - x[i * 3 + y as usize] + x[i * 3 + k]).max(0.0).powi(p as i32);
                let sum: f64 = (0..3).filter(|&k| k != y as usize).map(gap).sum();
                sum / 3.0 * [1.0, 2.0, 0.5][y as usize]
            };
            let rows: Vec<f64> = t.to_vec::<i64>().into_iter().enumerate().map(row).collect();
            let expected = match reduction {
                Reduction::Mean => vec![rows.iter().sum::<f64>() / 4.0],
                Reduction::Sum => vec![rows.iter().sum()],
                Reduction::None => rows,
            };
            let got = (sample.f)(&sample.inputs(0)).to_vec::<f64>();
            assert!(got.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12), "{got:?} {expected:?}");
        }
    }

    #[test]
    fn a_class_that_does_not_exist_is_named() {
        assert_eq!(
            message(|| MultiMarginLoss::new().forward(&Tensor::zeros([2, 3]), &tensor([0, 3]))),
            "multi_margin_loss: Target 3 is out of bounds. (row 1, classes 0 to 2) Does the last layer have one output per class?"
        );
    }
}
