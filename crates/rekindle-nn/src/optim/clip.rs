//! Gradient clipping: `torch.nn.utils.clip_grad_norm_` and `clip_grad_value_`.

use super::gpu::in_place;
use rekindle_kernels::map;
use rekindle_kernels::real::Real;
use rekindle_tensor::gpu::fold::{Fold, SUM, fold};
use rekindle_tensor::gpu::{self, Text};
use rekindle_tensor::{DType, Device, Element, Meta, Tensor, mistake, numbers};

/// Scales all gradients together so that their Euclidean norm is at most `max_norm`; returns the norm before.
///
/// ```
/// use rekindle_nn::{optim::clip_grad_norm_, parameter};
/// use rekindle_tensor::tensor;
///
/// let p = parameter(tensor([0.0, 0.0]));
/// (&p * tensor([3.0, 4.0])).sum().backward();
/// assert_eq!(clip_grad_norm_(&[p.clone()], 1.0), 5.0);
/// assert!((p.grad().unwrap().to_vec::<f32>()[1] - 0.8).abs() < 1e-5);
/// ```
pub fn clip_grad_norm_(params: &[Tensor], max_norm: f64) -> f64 {
    clip_grad_norm_of_(params, max_norm, 2.0)
}

/// As [`clip_grad_norm_`] for the norm of order `norm_type`; infinity is the greatest magnitude.
///
/// The norm of the gradients' norms, in their type and in PyTorch's order of additions.
///
/// ```
/// use rekindle_nn::{optim::clip_grad_norm_of_, parameter};
/// use rekindle_tensor::tensor;
///
/// let p = parameter(tensor([0.0, 0.0]));
/// (&p * tensor([3.0, -4.0])).sum().backward();
/// assert_eq!(clip_grad_norm_of_(&[p.clone()], 10.0, f64::INFINITY), 4.0);
/// ```
///
/// # Panics
/// If `norm_type` is not above 0.
#[track_caller]
pub fn clip_grad_norm_of_(params: &[Tensor], max_norm: f64, norm_type: f64) -> f64 {
    if norm_type.is_nan() || norm_type <= 0.0 {
        mistake!(
            "clip_grad_norm_: norm_type must be above 0, got {norm_type}; infinity takes the greatest magnitude"
        );
    }
    let grads: Vec<Tensor> = params.iter().filter_map(Tensor::grad).collect();
    if grads.iter().any(|g| g.dtype() == DType::F64) {
        clip::<f64>(&grads, max_norm, norm_type)
    } else {
        clip::<f32>(&grads, max_norm, norm_type)
    }
}

/// Clips with a total norm of type `T`.
fn clip<T: Real>(grads: &[Tensor], max_norm: f64, order: f64) -> f64 {
    let (here, there): (Vec<&Tensor>, Vec<&Tensor>) = grads.iter().partition(|g| g.device() == Device::Cpu);
    let norms = here.iter().map(|g| match g.dtype() {
        DType::F64 => norm(&g.data::<f64>(), order),
        _ => norm(&g.data::<f32>(), order).to_f64(),
    });
    let norms = norms.chain(norms_on_gpus(there.clone(), order)).map(T::from_f64);
    let total = norm(&norms.collect::<Vec<T>>(), order);
    // PyTorch divides a number by a tensor as the reciprocal times the number.
    let scale = T::ONE / (total + T::from_f64(1e-6)) * T::from_f64(max_norm);
    // Written so that a scale that is not a number spreads, as in PyTorch.
    if scale >= T::ONE {
        return total.to_f64();
    }
    let scale = scale.to_f64();
    there.iter().for_each(|g| in_place(&SCALE, &[], &[g], &numbers![scale]));
    for g in here {
        match g.dtype() {
            DType::F64 => change(g, |v: f64| v * scale),
            _ => change(g, |v: f32| v * scale as f32),
        }
    }
    total.to_f64()
}

/// [`clip_grad_norm_`] of gradients on one GPU, whose norm stays there as a tensor with one element: for loops that do not wait for the device.
/// None if there are no gradients.
///
/// # Panics
/// If a gradient is on the CPU, or the device fails.
#[track_caller]
pub fn clip_grad_norm_on_device_(params: &[Tensor], max_norm: f64) -> Option<Tensor> {
    let grads: Vec<Tensor> = params.iter().filter_map(Tensor::grad).collect();
    grads.first()?;
    let powers = powers_on_gpu(&grads.iter().collect::<Vec<_>>(), 2.0);
    let norm = powers.sqrt();
    grads.iter().for_each(|g| in_place(&CLIP, &[&norm], &[g], &numbers![max_norm]));
    Some(norm)
}

const CLIP: Text = Text::new(
    "clip_grad_norm_ on the device",
    "norm: f32 -> g: f32",
    "n, most: f32",
    "
fn each(i: u32) {
    let scale = 1.0 / (norm[0] + 1e-6) * p.most;
    if (!(scale >= 1.0)) { g[i] *= scale; }
}
",
);

/// Limits every element of all gradients to ±`clip_value`.
///
/// ```
/// use rekindle_nn::{optim::clip_grad_value_, parameter};
/// use rekindle_tensor::tensor;
///
/// let p = parameter(tensor([0.0, 0.0]));
/// (&p * tensor([3.0, -0.25])).sum().backward();
/// clip_grad_value_(&[p.clone()], 0.5);
/// assert_eq!(p.grad().unwrap().to_vec::<f32>(), [0.5, -0.25]);
/// ```
///
/// # Panics
/// If `clip_value` is negative or not a number.
#[track_caller]
pub fn clip_grad_value_(params: &[Tensor], clip_value: f64) {
    if clip_value.is_nan() || clip_value < 0.0 {
        mistake!(
            "clip_grad_value_: clip_value must be at least 0, got {clip_value}; it limits to ± its value"
        );
    }
    for g in params.iter().filter_map(Tensor::grad) {
        match (g.device(), g.dtype()) {
            (Device::Cpu, DType::F64) => change(&g, |v: f64| v.clamp(-clip_value, clip_value)),
            (Device::Cpu, _) => change(&g, |v: f32| v.clamp(-clip_value as f32, clip_value as f32)),
            _ => in_place(&LIMIT, &[], &[&g], &numbers![clip_value]),
        }
    }
}

fn change<T: Real + Element>(g: &Tensor, f: impl Fn(T) -> T + Sync + Copy) {
    g.with_data_mut(|g| map::in_place1(g, f));
}

/// `(sum of |v|^order)^(1/order)`, in the order of additions of `torch.linalg.vector_norm` for f32.
fn norm<T: Real>(x: &[T], order: f64) -> T {
    let magnitudes = x.iter().map(|v| v.abs());
    match order {
        1.0 => magnitudes.fold(T::ZERO, |sum, v| sum + v),
        2.0 => {
            let (chunks, rest) = x.as_chunks::<8>();
            let mut sums = [T::ZERO; 8];
            for chunk in chunks {
                sums.iter_mut().zip(chunk).for_each(|(s, &v)| *s += v * v);
            }
            let sum = sums[1..].iter().fold(sums[0], |sum, &s| sum + s);
            rest.iter().fold(sum, |sum, &v| sum + v * v).sqrt()
        }
        f64::INFINITY => magnitudes.fold(T::ZERO, Real::maximum),
        _ => {
            let sum = magnitudes.fold(T::ZERO, |sum, v| sum + v.powf(T::from_f64(order)));
            sum.powf(T::from_f64(order.recip()))
        }
    }
}

/// The norm of the tensors of each GPU.
pub(super) fn norms_on_gpus(grads: Vec<&Tensor>, order: f64) -> Vec<f64> {
    let Some(first) = grads.first() else { return Vec::new() };
    let (of_one, others): (Vec<&Tensor>, Vec<&Tensor>) =
        grads.iter().partition(|g| g.device() == first.device());
    let mut norms = vec![norm_on_gpu(&of_one, order)];
    norms.extend(norms_on_gpus(others, order));
    norms
}

/// Every workgroup adds up the powers of a part of a gradient, then the parts are added; one number comes back.
fn norm_on_gpu(grads: &[&Tensor], order: f64) -> f64 {
    let total: f64 = powers_on_gpu(grads, order).item();
    if order == f64::INFINITY { total } else { total.powf(order.recip()) }
}

/// The sum of the powers of all elements, or their greatest magnitude, on the device.
fn powers_on_gpu(grads: &[&Tensor], order: f64) -> Tensor {
    let (gpu, count) = (gpu::of(grads), |g: &Tensor| g.numel().div_ceil(PART).max(1));
    let n = grads.iter().map(|g| count(g)).sum();
    let (parts, mut first) = (gpu::empty(&gpu, &Meta::new([n], DType::F32)), 0);
    let greatest = order == f64::INFINITY;
    for g in grads {
        let numbers = numbers![g.numel(), first, PART, usize::from(greatest), order];
        gpu::launch(&gpu, &POWERS, &[g], &[&parts], &numbers, gpu::groups(count(g)));
        first += count(g);
    }
    fold(&gpu, &parts, [1, n, 1], if greatest { GREATEST } else { SUM })
}

const GREATEST: Fold = Fold { name: "greatest magnitude", identity: "0.0", combine: "maximum(a, b)" };

/// Elements of a gradient that one workgroup adds up.
const PART: usize = 8192;

const POWERS: Text = Text::new(
    "clip_grad_norm_ powers",
    "g: f32 -> parts: f32",
    "n, first, part, greatest, order: f32",
    "
var<workgroup> sums: array<f32, 256>;

fn combine(a: f32, b: f32) -> f32 {
    if (p.greatest != 0u) { return maximum(a, b); }
    return a + b;
}

fn term(v: f32) -> f32 {
    if (p.greatest != 0u) { return abs(v); }
    return power(abs(v), p.order);
}

fn together(number: u32, l: u32) {
    let i = number;
    var sum = 0.0;
    for (var j = i * p.part + l; j < min(p.n, (i + 1u) * p.part); j += 256u) { sum = combine(sum, term(g[j])); }
    sums[l] = sum;
    for (var half = 128u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (l < half) { sums[l] = combine(sums[l], sums[l + half]); }
    }
    if (l == 0u && i < max(1u, (p.n + p.part - 1u) / p.part)) { parts[p.first + i] = sums[0]; }
}
",
);

const SCALE: Text = Text::new(
    "clip_grad_norm_ scale",
    "-> g: f32",
    "n, by: f32",
    "
fn each(i: u32) { g[i] *= p.by; }
",
);

const LIMIT: Text = Text::new(
    "clip_grad_value_",
    "-> g: f32",
    "n, to: f32",
    "
fn each(i: u32) {
    // Not clamp, which may take NaN for a number.
    if (g[i] > p.to) { g[i] = p.to; }
    if (g[i] < -p.to) { g[i] = -p.to; }
}
",
);
