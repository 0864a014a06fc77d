//! Sets in the plane that a straight line cannot separate, or only just: xor and two Gaussians, as in the TensorFlow
//! Playground (<https://playground.tensorflow.org>), discs for several labels at once, and the straight line of a
//! regression.

use super::Points;
use rekindle_tensor::Tensor;
use rekindle_tensor::random::numpy::RandomState;

/// Points in the square from -1 to 1 whose class is 1 where one coordinate is positive and the other is not. The noise is normal and
/// moves a point after its class is known.
///
/// ```
/// let set = rekindle_data::synthetic::make_xor(400, 0.0, 42);
/// assert!((0..400).all(|i| (set.row(i)[0] * set.row(i)[1] < 0.0) == (set.labels[i] == 1)));
/// ```
pub fn make_xor(n_samples: usize, noise: f64, random_state: u32) -> Points {
    let mut r = RandomState::new(random_state);
    let features: Vec<f64> = (0..2 * n_samples).map(|_| r.uniform(-1.0, 1.0)).collect();
    let labels = features.chunks(2).map(|p| i64::from((p[0] > 0.0) != (p[1] > 0.0))).collect();
    Points { features, n_features: 2, labels }.with_noise(noise, &mut r)
}

/// Two round normal clouds with the standard deviation `std`, class 0 around (-1, -1) and class 1 around (1, 1), in turn.
///
/// ```
/// let set = rekindle_data::synthetic::make_gaussians(100, 0.1, 42);
/// assert!((0..100).all(|i| (set.row(i)[0] > 0.0) == (set.labels[i] == 1)));
/// ```
pub fn make_gaussians(n_samples: usize, std: f64, random_state: u32) -> Points {
    let mut r = RandomState::new(random_state);
    let labels: Vec<i64> = (0..n_samples as i64).map(|i| i % 2).collect();
    let center = |label: i64| if label == 0 { -1.0 } else { 1.0 };
    let features = labels.iter().flat_map(|&y| [center(y); 2]).collect();
    Points { features, n_features: 2, labels }.with_noise(std, &mut r)
}

/// The centres of the three discs, a triangle around the origin, and their radius.
const DISCS: [[f64; 2]; 3] = [[0.0, 0.4], [-0.4, -0.3], [0.4, -0.3]];
const RADIUS: f64 = 0.6;

/// Several labels for each point: the discs, of three that overlap in the square from -1 to 1, in which it lies.
/// Gives the points as F64 `[n, 2]` and the labels as F64 zeros and ones `[n, 3]`.
///
/// ```
/// let (x, y) = rekindle_data::synthetic::make_discs(500, 0.0, 42);
/// assert_eq!((x.shape(), y.shape()), (&[500, 2][..], &[500, 3][..]));
/// let labels = y.sum_dim(1, false);
/// assert_eq!((labels.min().item::<f64>(), labels.max().item::<f64>()), (0.0, 3.0));
/// ```
pub fn make_discs(n_samples: usize, noise: f64, random_state: u32) -> (Tensor, Tensor) {
    let mut r = RandomState::new(random_state);
    let features: Vec<f64> = (0..2 * n_samples).map(|_| r.uniform(-1.0, 1.0)).collect();
    let inside = |p: &[f64], c: &[f64; 2]| (p[0] - c[0]).powi(2) + (p[1] - c[1]).powi(2) < RADIUS * RADIUS;
    let labels: Vec<f64> =
        features.chunks(2).flat_map(|p| DISCS.map(|c| f64::from(u8::from(inside(p, &c))))).collect();
    let moved = Points { features, n_features: 2, labels: vec![0; n_samples] }.with_noise(noise, &mut r);
    (Tensor::from_vec(moved.features, [n_samples, 2]), Tensor::from_vec(labels, [n_samples, DISCS.len()]))
}

/// A straight line to learn: `x` is `n` equal steps of `1 / n` from 0, `y = weight * x + bias`, both F32 `[n, 1]`.
///
/// Lecture 02 has `make_line(100, 0.7, 0.3)`, of which it trains on the first 80 points.
///
/// # Panics
/// If there are no points.
///
/// ```
/// let (x, y) = rekindle_data::synthetic::make_line(100, 0.7, 0.3);
/// assert_eq!((x.shape(), format!("{:.4}", y.select(0, 99).item::<f32>())), (&[100, 1][..], "0.9930".to_string()));
/// ```
#[track_caller]
pub fn make_line(n_samples: usize, weight: f64, bias: f64) -> (Tensor, Tensor) {
    if n_samples == 0 {
        rekindle_tensor::mistake!("make_line: no points; give at least one");
    }
    let x = Tensor::arange(0.0, 1.0, 1.0 / n_samples as f64).narrow(0, 0, n_samples).unsqueeze(1);
    let y = &x * weight + bias;
    (x, y)
}
