//! The spiral arms of the CS231n notes.

use super::{Points, linspace};
use rekindle_tensor::random::numpy::RandomState;

/// The spiral arms of the CS231n notes (<https://cs231n.github.io/neural-networks-case-study/>): `arms` classes of `per_class` points each, `noise` in the angle.
///
/// The stream is handed in because the notes go on drawing their first weights from it.
///
/// ```
/// use rekindle_data::synthetic::make_spirals;
/// use rekindle_tensor::random::numpy::RandomState;
///
/// let mut r = RandomState::new(0); // np.random.seed(0)
/// let set = make_spirals(100, 3, 0.2, &mut r);
/// assert_eq!((set.len(), set.labels[299]), (300, 2));
/// ```
pub fn make_spirals(per_class: usize, arms: usize, noise: f64, r: &mut RandomState) -> Points {
    let (mut features, mut labels) = (Vec::new(), Vec::new());
    for arm in 0..arms {
        let radius = linspace(0.0, 1.0, per_class, true);
        let angle = linspace(4.0 * arm as f64, 4.0 * (arm + 1) as f64, per_class, true);
        for (radius, angle) in radius.zip(angle) {
            let angle = angle + r.gauss() * noise;
            features.extend([radius * angle.sin(), radius * angle.cos()]);
            labels.push(arm as i64);
        }
    }
    Points { features, n_features: 2, labels }
}
