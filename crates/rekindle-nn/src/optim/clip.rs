//! Gradient clipping: `torch.nn.utils.clip_grad_norm_` and `clip_grad_value_`.

use rekindle_kernels::map;
use rekindle_kernels::real::Real;
use rekindle_tensor::{DType, Element, Tensor};

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
pub fn clip_grad_norm_of_(params: &[Tensor], max_norm: f64, norm_type: f64) -> f64 {
    let grads: Vec<Tensor> = params.iter().filter_map(Tensor::grad).collect();
    let powers = grads.iter().map(|g| match g.dtype() {
        DType::F64 => powers(&g.data::<f64>(), norm_type),
        _ => powers(&g.data::<f32>(), norm_type),
    });
    let total = match norm_type.is_infinite() {
        true => powers.fold(0.0, Real::maximum),
        false => powers.sum::<f64>().powf(norm_type.recip()),
    };
    let scale = max_norm / (total + 1e-6);
    // Written so that a scale that is not a number spreads, as in PyTorch.
    if scale >= 1.0 {
        return total;
    }
    for g in &grads {
        match g.dtype() {
            DType::F64 => in_place(g, |v: f64| v * scale),
            _ => in_place(g, |v: f32| v * scale as f32),
        }
    }
    total
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
pub fn clip_grad_value_(params: &[Tensor], clip_value: f64) {
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

/// The sum of the powers of the magnitudes, or the greatest magnitude, in double precision and in a fixed order.
fn powers<T: Real>(g: &[T], order: f64) -> f64 {
    let magnitudes = g.iter().map(|v| v.to_f64().abs());
    match order {
        2.0 => {
            // Eight sums side by side, because one chain of additions would wait for each.
            let mut sums = [0.0; 8];
            for chunk in g.chunks(8) {
                sums.iter_mut().zip(chunk).for_each(|(s, v)| *s += v.to_f64() * v.to_f64());
            }
            sums.iter().sum()
        }
        f64::INFINITY => magnitudes.fold(0.0, Real::maximum),
        _ => magnitudes.map(|v| v.powf(order)).sum(),
    }
}
