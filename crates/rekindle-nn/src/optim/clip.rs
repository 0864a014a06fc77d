//! Gradient clipping: `torch.nn.utils.clip_grad_norm_` and `clip_grad_value_`.

use rekindle_kernels::map;
use rekindle_kernels::real::Real;
use rekindle_tensor::{DType, Element, Tensor, mistake};

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
    let norms = grads.iter().map(|g| match g.dtype() {
        DType::F64 => T::from_f64(norm(&g.data::<f64>(), order)),
        _ => T::from_f64(norm(&g.data::<f32>(), order).to_f64()),
    });
    let total = norm(&norms.collect::<Vec<T>>(), order);
    // PyTorch divides a number by a tensor as the reciprocal times the number.
    let scale = T::ONE / (total + T::from_f64(1e-6)) * T::from_f64(max_norm);
    // Written so that a scale that is not a number spreads, as in PyTorch.
    if scale >= T::ONE {
        return total.to_f64();
    }
    let scale = scale.to_f64();
    for g in grads {
        match g.dtype() {
            DType::F64 => in_place(g, |v: f64| v * scale),
            _ => in_place(g, |v: f32| v * scale as f32),
        }
    }
    total.to_f64()
}

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
        match g.dtype() {
            DType::F64 => in_place(&g, |v: f64| v.clamp(-clip_value, clip_value)),
            _ => in_place(&g, |v: f32| v.clamp(-clip_value as f32, clip_value as f32)),
        }
    }
}

fn in_place<T: Real + Element>(g: &Tensor, f: impl Fn(T) -> T + Sync + Copy) {
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
