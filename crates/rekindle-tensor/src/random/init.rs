//! Weight initialisers (`torch.nn.init`), on slices.
//!
//! The bounds are computed in f64 exactly as PyTorch writes them and rounded once, when the values are drawn.
//! Sources: X. Glorot and Y. Bengio, AISTATS 2010 (xavier); K. He et al., ICCV 2015 (kaiming).

use super::{Float, Generator};
use crate::op::{mistake, require};

/// The non-linearity that follows a layer: it decides the gain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Nonlinearity {
    /// None: gain 1.
    Linear,
    /// Gain 1.
    Sigmoid,
    /// Gain 5/3.
    Tanh,
    /// Gain √2.
    Relu,
    /// Gain √(2 / (1 + slope²)), the argument being the negative slope.
    LeakyRelu(f64),
    /// Gain 3/4.
    Selu,
}

/// Which side of the weight keeps its variance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FanMode {
    /// The forward pass: inputs per output.
    #[default]
    FanIn,
    /// The backward pass: outputs per input.
    FanOut,
}

/// The factor by which a layer's weights grow to make up for its non-linearity.
///
/// ```
/// use rekindle_tensor::random::init::{Nonlinearity, calculate_gain};
///
/// assert_eq!(calculate_gain(Nonlinearity::Tanh), 5.0 / 3.0);
/// ```
pub fn calculate_gain(nonlinearity: Nonlinearity) -> f64 {
    match nonlinearity {
        Nonlinearity::Linear | Nonlinearity::Sigmoid => 1.0,
        Nonlinearity::Tanh => 5.0 / 3.0,
        Nonlinearity::Relu => 2f64.sqrt(),
        Nonlinearity::LeakyRelu(slope) => (2.0 / (1.0 + slope * slope)).sqrt(),
        Nonlinearity::Selu => 3.0 / 4.0,
    }
}

/// Inputs per output and outputs per input of a weight \[out, in, kernel..\].
///
/// ```
/// use rekindle_tensor::random::init::calculate_fan_in_and_fan_out;
///
/// assert_eq!(calculate_fan_in_and_fan_out(&[64, 3, 5, 5]), (75, 1600));
/// ```
///
/// # Panics
/// If the shape has fewer than two dimensions.
#[track_caller]
pub fn calculate_fan_in_and_fan_out(shape: &[usize]) -> (usize, usize) {
    let [outputs, inputs, kernel @ ..] = shape else {
        mistake!("init: fan in and fan out need a weight of two or more dimensions, got {shape:?}");
    };
    let kernel: usize = kernel.iter().product();
    (inputs * kernel, outputs * kernel)
}

#[track_caller]
fn kaiming_std(shape: &[usize], mode: FanMode, nonlinearity: Nonlinearity) -> f64 {
    let (fan_in, fan_out) = calculate_fan_in_and_fan_out(shape);
    let fan = if mode == FanMode::FanIn { fan_in } else { fan_out };
    calculate_gain(nonlinearity) / (fan as f64).sqrt()
}

#[track_caller]
fn xavier_std(shape: &[usize], gain: f64) -> f64 {
    let (fan_in, fan_out) = calculate_fan_in_and_fan_out(shape);
    gain * (2.0 / (fan_in + fan_out) as f64).sqrt()
}

/// Fills a weight with uniform values of ±√3·gain/√fan: `nn.init.kaiming_uniform_`.
///
/// ```
/// use rekindle_tensor::random::{Generator, init};
///
/// // What nn.Linear(2, 1) draws for its weight after torch.manual_seed(0).
/// let mut weight = [0f32; 2];
/// let slope = init::Nonlinearity::LeakyRelu(5f64.sqrt());
/// init::kaiming_uniform(&mut weight, &[1, 2], init::FanMode::FanIn, slope, &mut Generator::seeded(0));
/// assert_eq!(weight, [-0.005293981, 0.3793229]);
/// ```
///
/// # Panics
/// If the shape has fewer than two dimensions.
#[track_caller]
pub fn kaiming_uniform<T: Float>(
    x: &mut [T],
    shape: &[usize],
    mode: FanMode,
    nonlinearity: Nonlinearity,
    generator: &mut Generator,
) {
    if !x.is_empty() {
        let bound = 3f64.sqrt() * kaiming_std(shape, mode, nonlinearity);
        generator.uniform(x, -bound, bound);
    }
}

/// Fills a weight with normal values of deviation gain/√fan: `nn.init.kaiming_normal_`.
///
/// # Panics
/// If the shape has fewer than two dimensions.
#[track_caller]
pub fn kaiming_normal<T: Float>(
    x: &mut [T],
    shape: &[usize],
    mode: FanMode,
    nonlinearity: Nonlinearity,
    generator: &mut Generator,
) {
    if !x.is_empty() {
        generator.normal(x, 0.0, kaiming_std(shape, mode, nonlinearity));
    }
}

/// Fills a weight with uniform values of ±gain·√(6 / (fan_in + fan_out)): `nn.init.xavier_uniform_`.
///
/// # Panics
/// If the shape has fewer than two dimensions.
#[track_caller]
pub fn xavier_uniform<T: Float>(x: &mut [T], shape: &[usize], gain: f64, generator: &mut Generator) {
    let bound = 3f64.sqrt() * xavier_std(shape, gain);
    generator.uniform(x, -bound, bound);
}

/// Fills a weight with normal values of deviation gain·√(2 / (fan_in + fan_out)): `nn.init.xavier_normal_`.
///
/// # Panics
/// If the shape has fewer than two dimensions.
#[track_caller]
pub fn xavier_normal<T: Float>(x: &mut [T], shape: &[usize], gain: f64, generator: &mut Generator) {
    generator.normal(x, 0.0, xavier_std(shape, gain));
}

/// Fills a layer's bias as PyTorch's layers do: uniform values of ±1/√fan_in (nothing to draw for fan_in 0).
pub fn linear_bias<T: Float>(x: &mut [T], fan_in: usize, generator: &mut Generator) {
    if fan_in > 0 {
        let bound = 1.0 / (fan_in as f64).sqrt();
        generator.uniform(x, -bound, bound);
    }
}

/// Fills `x` with normal values, all redrawn until none lies outside [a, b]: `nn.init.trunc_normal_`.
///
/// Redrawing fills a whole new sample and takes from it at the rejected places. When the interval keeps less
/// than 30 % of the distribution, the inverse distribution function is used instead.
///
/// # Panics
/// If `std` is not positive, or `a >= b`.
#[track_caller]
pub fn trunc_normal<T: Float>(x: &mut [T], mean: f64, std: f64, a: f64, b: f64, generator: &mut Generator) {
    require!(std > 0.0, "trunc_normal: std must be positive, got {std}");
    require!(a < b, "trunc_normal: the interval is empty: [{a}, {b}]");
    let (low, high) = (normal_cdf((a - mean) / std), normal_cdf((b - mean) / std));
    if high - low <= 0.3 {
        return by_inverse(x, mean, std, (a, b), (low, high), generator);
    }
    let outside = |v: &T| v.to_f64() < a || v.to_f64() > b;
    generator.normal(x, mean, std);
    let mut fresh = Vec::new();
    while x.iter().any(outside) {
        fresh.resize(x.len(), T::from_i64(0));
        generator.normal(&mut fresh, mean, std);
        for (x, &fresh) in x.iter_mut().zip(&fresh) {
            if outside(x) {
                *x = fresh;
            }
        }
    }
}

/// Uniform probabilities of [low, high], through the inverse distribution function.
fn by_inverse<T: Float>(
    x: &mut [T],
    mean: f64,
    std: f64,
    (a, b): (f64, f64),
    (low, high): (f64, f64),
    generator: &mut Generator,
) {
    generator.uniform(x, low, high);
    for x in x {
        *x = T::from_f64((mean + std * normal_quantile(x.to_f64())).clamp(a, b));
    }
}

/// The standard normal distribution function: Abramowitz and Stegun's series 26.2.11 near zero, their continued
/// fraction 26.2.14 in the tails.
fn normal_cdf(z: f64) -> f64 {
    let density = (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
    if z.abs() < 3.0 {
        let (mut term, mut sum, mut k) = (z, z, 1.0);
        while term.abs() > 1e-17 * sum.abs() {
            k += 2.0;
            term *= z * z / k;
            sum += term;
        }
        return 0.5 + density * sum;
    }
    let mut fraction = z.abs();
    for k in (1..=100).rev() {
        fraction = z.abs() + f64::from(k) / fraction;
    }
    let tail = density / fraction;
    if z < 0.0 { tail } else { 1.0 - tail }
}

/// The inverse of [`normal_cdf`] by bisection: rarely used, never wrong.
fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if normal_cdf(middle) < p { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distribution_function_and_its_inverse_agree() {
        // Abramowitz and Stegun, table 26.1.
        for (z, p) in
            [(0.0, 0.5), (1.0, 0.841344746068543), (2.0, 0.977249868051821), (-4.0, 3.167124183312e-5)]
        {
            assert!((normal_cdf(z) / p - 1.0).abs() < 1e-12, "{z}");
            assert!((normal_quantile(p) - z).abs() < 1e-9, "{p}");
        }
    }

    #[test]
    fn truncated_values_stay_inside_on_both_paths() {
        for (a, b) in [(-2.0, 2.0), (1.0, 1.5), (3.0, 4.0)] {
            let mut x = vec![0f64; 5000];
            trunc_normal(&mut x, 0.0, 1.0, a, b, &mut Generator::seeded(0));
            assert!(x.iter().all(|v| (a..=b).contains(v)), "[{a}, {b}]");
            let mean = x.iter().sum::<f64>() / 5000.0;
            let density = |z: f64| (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
            let expected = (density(a) - density(b)) / (normal_cdf(b) - normal_cdf(a));
            assert!((mean - expected).abs() < 0.03, "[{a}, {b}]: {mean} {expected}");
        }
    }

    #[test]
    fn linear_layer_has_pytorchs_bits() {
        let mut g = Generator::seeded(0);
        let (mut weight, mut bias) = ([0f32; 20], [0f32; 10]);
        kaiming_uniform(&mut weight, &[10, 2], FanMode::FanIn, Nonlinearity::LeakyRelu(5f64.sqrt()), &mut g);
        linear_bias(&mut bias, 2, &mut g);
        assert_eq!([weight[0], weight[19], bias[0]].map(f32::to_bits), [0xbbad7922, 0xbe9da786, 0x3e837fa7]);
    }

    #[test]
    #[should_panic(expected = "init: fan in and fan out need a weight of two or more dimensions, got [3]")]
    fn vectors_have_no_fans() {
        xavier_normal(&mut [0f32; 3], &[3], 1.0, &mut Generator::new());
    }
}
