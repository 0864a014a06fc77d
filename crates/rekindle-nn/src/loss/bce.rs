//! Binary cross-entropy, on probabilities and on logits.

use super::pointwise::{Formula, Wgsl, paired, pointwise};
use super::weight::Weight;
use super::{Decision, Loss, Reduction, reducible};
use rekindle_kernels::map;
use rekindle_kernels::real::Real;
use rekindle_tensor::plan::aside;
use rekindle_tensor::{
    Context, DType, Device, Element, Grads, Meta, Op, Output, Tensor, apply, gpu, grads, mistake,
};

/// `-w (t ln x + (1 - t) ln(1 - x))` for probabilities `x`; logarithms below -100 count as -100.
/// Gradient: `w (x - t) / max((1 - x) x, 1e-12)`.
///
/// Prediction and target have one shape; the result is a scalar, or that shape with [`Reduction::None`].
/// [`BCEWithLogitsLoss`] takes the values before the sigmoid and is exact where probabilities round to 0 or 1.
///
/// # Panics
/// [`forward`](Loss::forward) does if a prediction or a target lies outside [0, 1] or is NaN. On a GPU the loss is NaN then, because
/// looking for it would wait for the device in every step.
///
/// ```
/// use rekindle_nn::loss::{BCELoss, Loss};
/// use rekindle_tensor::tensor;
/// let loss = BCELoss::new().forward(&tensor([0.5, 0.5]), &tensor([0.0, 1.0]));
/// assert_eq!(loss.item::<f32>(), 2f32.ln());
/// ```
#[derive(Clone, Debug, Default)]
pub struct BCELoss {
    weight: Option<Weight>,
    reduction: Reduction,
}
reducible!(BCELoss);

impl BCELoss {
    /// Multiplies the losses of the elements; broadcasts to their shape.
    pub fn weight(self, weight: Tensor) -> Self {
        BCELoss { weight: Some(weight.into()), ..self }
    }
}

impl Loss for BCELoss {
    fn decision(&self) -> Decision {
        Decision::Probability
    }

    #[track_caller]
    fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        check(input, "predictions", "input", "; apply .sigmoid() or use BCEWithLogitsLoss");
        check(target, "targets", "target", "; are the labels 0 and 1?");
        pointwise(OfProbabilities, self.reduction, input, target, self.weight.as_ref())
    }
}

/// Every element must lie in [0, 1]. Other types are left to the shape and type rule, other devices to the formula.
#[track_caller]
fn check(x: &Tensor, what: &str, name: &str, cure: &str) {
    let outside = aside(|| match x.dtype() {
        _ if x.device() != Device::Cpu => None,
        DType::F32 => outside::<f32>(x),
        DType::F64 => outside::<f64>(x),
        _ => None,
    });
    if let Some((value, place)) = outside {
        mistake!(
            "binary_cross_entropy: {what} must be probabilities, all elements of {name} should be between 0 and 1, \
             got {value} at {place:?}{cure}"
        );
    }
}

/// The first element that is no probability, and its place.
fn outside<T: Element + Real>(x: &Tensor) -> Option<(String, Vec<usize>)> {
    let within = |v: T| (T::ZERO..=T::ONE).contains(&v);
    let values = x.data::<T>();
    // The place is looked for only if there is one.
    if are_probabilities(&values) {
        return None;
    }
    let i = values.iter().position(|&v| !within(v))?;
    Some((values[i].to_string(), place(i, x.shape())))
}

/// In one pass without branches.
fn are_probabilities<T: Real>(x: &[T]) -> bool {
    x.iter().fold(true, |ok, &v| ok & (v >= T::ZERO) & (v <= T::ONE))
}

/// The index along each dimension of the `i`-th element in row-major order.
fn place(mut i: usize, shape: &[usize]) -> Vec<usize> {
    let mut place = vec![0; shape.len()];
    for (at, &n) in place.iter_mut().zip(shape).rev() {
        (*at, i) = (i % n, i / n);
    }
    place
}

#[derive(Clone, Copy, Debug)]
struct OfProbabilities;

/// The logarithm of a probability, as far as it counts.
#[inline(always)]
fn clamped<T: Real>(ln: T) -> T {
    ln.maximum(T::from_f64(-100.0))
}

impl Formula for OfProbabilities {
    const NAME: &'static str = "binary_cross_entropy";
    // Where a logarithm would be infinite it is not asked for, because a device may take it that nothing is.
    const WGSL: Wgsl = Wgsl {
        value: "select((b - 1.0) * select(-100.0, max(log1p(-a), -100.0), a < 1.0) - b * select(-100.0, max(log(a), -100.0), a > 0.0), \
                p.n1, a < 0.0 || a > 1.0 || b < 0.0 || b > 1.0 || is_nan(a + b))",
        slope: "c * (a - b) / max((1.0 - a) * a, 1e-12) / p.n0",
        target_slope: Some(
            "c * (select(-100.0, max(log1p(-a), -100.0), a < 1.0) - select(-100.0, max(log(a), -100.0), a > 0.0)) / p.n0",
        ),
    };

    fn numbers(self) -> Vec<f64> {
        vec![f64::NAN]
    }
    fn takes(x: &[f32]) -> bool {
        are_probabilities(x)
    }
    #[inline(always)]
    fn value<T: Real>(self, x: T, t: T) -> T {
        (t - T::ONE) * clamped((-x).ln_1p()) - t * clamped(x.ln())
    }
    #[inline(always)]
    fn slope<T: Real>(self, x: T, t: T, g: T, n: T) -> T {
        g * (x - t) / ((T::ONE - x) * x).maximum(T::from_f64(1e-12)) / n
    }
    #[inline(always)]
    fn target_slope<T: Real>(self, x: T, _: T, g: T, n: T) -> T {
        g * (clamped((-x).ln_1p()) - clamped(x.ln())) / n
    }
}

/// Binary cross-entropy of `sigmoid(x)`, computed so that nothing overflows:
/// `w ((1 - t) x - (1 + (p - 1) t) ls)` with `ls = ln sigmoid(x) = min(0, x) - ln(1 + e^-|x|)`.
/// Gradient: `w (sigmoid(x) - t)` without the weights `p` of positive targets.
///
/// Prediction and target have one shape; the result is a scalar, or that shape with [`Reduction::None`].
///
/// ```
/// use rekindle_nn::loss::{BCEWithLogitsLoss, Loss};
/// use rekindle_tensor::tensor;
/// let x = tensor([[0.0], [0.0]]).requires_grad_(true);
/// let loss = BCEWithLogitsLoss::new().forward(&x, &tensor([[0.0], [1.0]]));
/// loss.backward();
/// assert_eq!(loss.item::<f32>(), 2f32.ln());
/// assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.25, -0.25]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct BCEWithLogitsLoss {
    weight: Option<Weight>,
    pos_weight: Option<Weight>,
    reduction: Reduction,
}
reducible!(BCEWithLogitsLoss);

impl BCEWithLogitsLoss {
    /// Multiplies the losses of the elements; broadcasts to their shape.
    pub fn weight(self, weight: Tensor) -> Self {
        BCEWithLogitsLoss { weight: Some(weight.into()), ..self }
    }

    /// Multiplies the losses of positive targets; broadcasts to the shape of the elements, so `[C]` weighs classes.
    pub fn pos_weight(self, pos_weight: Tensor) -> Self {
        BCEWithLogitsLoss { pos_weight: Some(pos_weight.into()), ..self }
    }
}

impl Loss for BCEWithLogitsLoss {
    fn decision(&self) -> Decision {
        Decision::Logit
    }

    #[track_caller]
    fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        let Some(p) = &self.pos_weight else {
            return pointwise(OfLogits, self.reduction, input, target, self.weight.as_ref());
        };
        let p = p.constant(input).expand(input.shape());
        let losses = apply(PosWeighted, &[input, target, &p]);
        self.reduction.of(match &self.weight {
            Some(w) => losses * w.beside(input),
            None => losses,
        })
    }
}

#[inline(always)]
fn log_sigmoid<T: Real>(x: T) -> T {
    T::ZERO.minimum(x) - (-x.abs()).exp().ln_1p()
}

#[derive(Clone, Copy, Debug)]
struct OfLogits;

impl Formula for OfLogits {
    const NAME: &'static str = "binary_cross_entropy_with_logits";
    const WGSL: Wgsl = Wgsl {
        value: "(1.0 - b) * a - log_sigmoid(a)",
        slope: "(sigmoid(a) - b) * c / p.n0",
        target_slope: Some("-a * c / p.n0"),
    };

    #[inline(always)]
    fn value<T: Real>(self, x: T, t: T) -> T {
        (T::ONE - t) * x - log_sigmoid(x)
    }
    #[inline(always)]
    fn slope<T: Real>(self, x: T, t: T, g: T, n: T) -> T {
        (x.sigmoid() - t) * g / n
    }
    #[inline(always)]
    fn target_slope<T: Real>(self, x: T, _: T, g: T, n: T) -> T {
        -x * g / n
    }
}

/// The losses of the elements with positive targets weighted; the inputs are x, t and the weights in their shape.
#[derive(Debug)]
struct PosWeighted;

impl PosWeighted {
    fn of<T: Element + Real>(x: [&Tensor; 3], f: impl Fn(T, T, T) -> T + Copy + Sync) -> Tensor {
        let mut y = vec![T::ZERO; x[0].numel()];
        map::ternary(&x[0].data::<T>(), &x[1].data::<T>(), &x[2].data::<T>(), &mut y, f);
        Tensor::from_vec(y, x[0].shape())
    }

    fn value<T: Element + Real>(x: [&Tensor; 3]) -> Tensor {
        Self::of(
            x,
            #[inline(always)]
            |x: T, t, p| (T::ONE - t) * x - log_sigmoid(x) * ((p - T::ONE) * t + T::ONE),
        )
    }

    fn slope<T: Element + Real>(x: [&Tensor; 3]) -> Tensor {
        Self::of(
            x,
            #[inline(always)]
            |x: T, t, p| (p * t + T::ONE - t) * x.sigmoid() - p * t,
        )
    }

    fn target_slope<T: Element + Real>(x: [&Tensor; 3]) -> Tensor {
        Self::of(
            x,
            #[inline(always)]
            |x: T, _, p| -x - log_sigmoid(x) * (p - T::ONE),
        )
    }
}

impl Op for PosWeighted {
    fn name(&self) -> &'static str {
        OfLogits::NAME
    }
    fn infer(&self, m: &[Meta]) -> Result<Meta, String> {
        paired(self.name(), &m[0], &m[1])?;
        Ok(m[0].clone())
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let x = [x[0], x[1], x[2]];
        if out.dtype == DType::F64 { Self::value::<f64>(x).into() } else { Self::value::<f32>(x).into() }
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let x = [ctx.input(0), ctx.input(1), ctx.input(2)];
        let (dx, dt): (fn(_) -> _, fn(_) -> _) = match ctx.grad.dtype() {
            DType::F64 => (Self::slope::<f64>, Self::target_slope::<f64>),
            _ => (Self::slope::<f32>, Self::target_slope::<f32>),
        };
        grads![ctx.needs[0].then(|| dx(x) * ctx.grad), ctx.needs[1].then(|| dt(x) * ctx.grad), None]
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let value = "(1.0 - b) * a - log_sigmoid(a) * ((c - 1.0) * b + 1.0)";
        gpu::map(&gpu::of(x), value, x, &[], out).into()
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        let operands = [ctx.input(0), ctx.input(1), ctx.input(2), ctx.grad];
        let gradient = |e: &str| gpu::map(&gpu::of(&operands), e, &operands, &[], &ctx.metas[0]);
        grads![
            ctx.needs[0].then(|| gradient("((c * b + 1.0 - b) * sigmoid(a) - c * b) * d")),
            ctx.needs[1].then(|| gradient("(-a - log_sigmoid(a) * (c - 1.0)) * d")),
            None,
        ]
    }
    fn input_names(&self) -> &'static [&'static str] {
        &["input", "target", "pos_weight"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::tests::{agrees, message};
    use rekindle_tensor::tensor;

    /// The natural logarithm, without a gradient.
    fn ln(x: &Tensor) -> Tensor {
        Tensor::from_vec(x.to_vec::<f64>().into_iter().map(f64::ln).collect(), x.shape())
    }

    #[test]
    fn probabilities_agree_with_the_composed_form() {
        let naive = |x: &Tensor, t: &Tensor| {
            let (x, t) = (x.detach(), t.detach());
            -(&t * ln(&x) + (1.0 - &t) * ln(&(1.0 - &x)))
        };
        agrees(|r| BCELoss::new().reduction(r), naive, (0.05, 0.95));
    }

    #[test]
    fn logits_agree_with_the_composed_form() {
        let naive = |x: &Tensor, t: &Tensor| {
            let (x, t) = (x.detach(), t.detach());
            let p = 1.0 / (1.0 + (-&x).exp());
            -(&t * ln(&p) + (1.0 - &t) * ln(&(1.0 - &p)))
        };
        agrees(|r| BCEWithLogitsLoss::new().reduction(r), naive, (-2.0, 2.0));
        let ones = tensor(1.0).double();
        agrees(move |r| BCEWithLogitsLoss::new().pos_weight(ones.clone()).reduction(r), naive, (-2.0, 2.0));
        let weighted = move |x: &Tensor, t: &Tensor| {
            let (x, t) = (x.detach(), t.detach());
            let p = 1.0 / (1.0 + (-&x).exp());
            -(&t * 3.0 * ln(&p) + (1.0 - &t) * ln(&(1.0 - &p))) * 0.5
        };
        let (w, p) = (tensor(0.5).double(), tensor(3.0).double());
        let loss = move |r| BCEWithLogitsLoss::new().weight(w.clone()).pos_weight(p.clone()).reduction(r);
        agrees(loss, weighted, (-2.0, 2.0));
    }

    #[test]
    fn saturated_probabilities_cost_100_and_have_a_finite_gradient() {
        let x = tensor([0.0, 1.0]).requires_grad_(true);
        let loss = BCELoss::new().reduction(Reduction::Sum).forward(&x, &tensor([1.0, 0.0]));
        loss.backward();
        assert_eq!(loss.item::<f32>(), 200.0);
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [-1e12, 1e12]);
    }

    #[test]
    fn extreme_logits_neither_overflow_nor_vanish() {
        let loss = BCEWithLogitsLoss::new().reduction(Reduction::None);
        let losses = loss.forward(&tensor([1000.0, -1000.0, -1000.0]), &tensor([0.0, 1.0, 0.0]));
        assert_eq!(losses.to_vec::<f32>(), [1000.0, 1000.0, 0.0]);
    }

    #[test]
    fn values_outside_the_unit_interval_are_named_with_their_place() {
        let say = |x| message(|| BCELoss::new().forward(&x, &Tensor::zeros([2, 2])));
        assert_eq!(
            say(tensor([[0.0, 1.0], [1.5, 0.5]])),
            "binary_cross_entropy: predictions must be probabilities, all elements of input should be between 0 and 1, \
             got 1.5 at [1, 0]; apply .sigmoid() or use BCEWithLogitsLoss"
        );
        assert!(say(tensor([[0.0, f32::NAN], [0.5, 0.5]])).contains("got NaN at [0, 1]"));
        assert_eq!(
            message(|| BCELoss::new().forward(&tensor([0.5, 0.5]), &tensor([1.0, 2.0]))),
            "binary_cross_entropy: targets must be probabilities, all elements of target should be between 0 and 1, \
             got 2 at [1]; are the labels 0 and 1?"
        );
    }

    #[test]
    fn integer_targets_get_the_cure() {
        assert_eq!(
            message(|| BCEWithLogitsLoss::new().forward(&tensor([0.5]), &tensor([1]))),
            "binary_cross_entropy_with_logits: the prediction is f32 but the target is i64; convert the target with .float()"
        );
    }
}
