//! Small artificial data sets: scikit-learn's circles, moons, blobs and classification tables, the spirals of CS231n, and
//! sets in the plane.
//!
//! Each generator draws one NumPy legacy stream, so scikit-learn's points are the same here, digit for digit.
//!
//! ```
//! use rekindle_data::synthetic::make_circles;
//!
//! let set = make_circles(1000, 0.03, 42); // sklearn.datasets.make_circles(1000, noise=0.03, random_state=42)
//! assert_eq!(set.row(0), [0.7542462506997276, 0.23148073787097836]);
//! assert_eq!(set.labels[0], 1);
//! ```

use rekindle_tensor::Tensor;
use rekindle_tensor::random::numpy::RandomState;

mod blobs;
mod circles;
mod classification;
mod plane;
mod spirals;

pub use blobs::{Blobs, make_blobs};
pub use circles::{Circles, Moons, make_circles, make_moons};
pub use classification::{Classification, make_classification};
pub use plane::{make_discs, make_gaussians, make_line, make_xor};
pub use spirals::make_spirals;

/// Points with a class each.
#[derive(Debug, Clone, PartialEq)]
pub struct Points {
    /// The coordinates, row-major: `[n, n_features]`.
    pub features: Vec<f64>,
    /// Coordinates per point.
    pub n_features: usize,
    /// The class of each point: `[n]`.
    pub labels: Vec<i64>,
}

impl Points {
    /// Number of points.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// True if there are no points.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The coordinates of point `i`.
    ///
    /// # Panics
    /// If there is no such point.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.features[i * self.n_features..][..self.n_features]
    }

    /// The coordinates as an F64 tensor `[n, n_features]` and the classes as an I64 tensor `[n]`: what
    /// `torch.from_numpy` makes of them.
    ///
    /// ```
    /// let (x, y) = rekindle_data::synthetic::make_moons(500, 0.2, 0).tensors();
    /// assert_eq!((x.shape(), y.shape()), ([500, 2].as_slice(), [500].as_slice()));
    /// let (x, y) = (x.float(), y.float().unsqueeze(1)); // for a net with one output
    /// # assert_eq!(y.shape(), [500, 1]);
    /// # drop(x);
    /// ```
    pub fn tensors(self) -> (Tensor, Tensor) {
        let n = self.len();
        (Tensor::from_vec(self.features, [n, self.n_features]), Tensor::from_vec(self.labels, [n]))
    }

    fn shuffled(self, r: &mut RandomState) -> Self {
        let order = r.permutation(self.len());
        Self {
            features: order.iter().flat_map(|&i| self.row(i)).copied().collect(),
            labels: order.iter().map(|&i| self.labels[i]).collect(),
            ..self
        }
    }

    fn with_noise(mut self, noise: f64, r: &mut RandomState) -> Self {
        if noise != 0.0 {
            self.features.iter_mut().for_each(|x| *x += r.normal(0.0, noise));
        }
        self
    }
}

/// NumPy's `linspace`: multiples of one step, and the end exactly if it belongs.
fn linspace(start: f64, end: f64, n: usize, endpoint: bool) -> impl Iterator<Item = f64> {
    let intervals = if endpoint { n.saturating_sub(1) } else { n };
    let step = (end - start) / intervals as f64;
    (0..n).map(move |i| match i {
        0 => start,
        _ if endpoint && i + 1 == n => end,
        _ => i as f64 * step + start,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moons_without_shuffling_are_two_arcs_in_order() {
        let set = Moons { n_samples: 20, shuffle: false, ..Moons::default() }.generate();
        assert_eq!(set.features[..2], [1.0, 0.0]);
        assert_eq!(set.row(9)[0], -1.0);
        assert_eq!(set.row(10), [0.0, 0.5]);
        assert!(set.labels.iter().enumerate().all(|(i, &y)| y == i64::from(i >= 10)));
    }

    #[test]
    fn blobs_have_scikit_learns_bits() {
        let set =
            Blobs { n_samples: 1000, centers: 4, cluster_std: 1.5, random_state: 42, ..Blobs::default() };
        let set = set.generate();
        assert_eq!(set.row(0), [0xc020d3a8a2453aa2, 0x401bbd9c03554f3b].map(f64::from_bits));
        for class in 0..4 {
            assert_eq!(set.labels.iter().filter(|&&y| y == class).count(), 250);
        }
    }

    #[test]
    fn remainders_go_to_the_first_classes() {
        let labels =
            Blobs { n_samples: 11, centers: 3, shuffle: false, ..Blobs::default() }.generate().labels;
        assert_eq!(labels, [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2]);
        let circles = make_circles(7, 0.0, 0);
        assert_eq!(circles.labels.iter().sum::<i64>(), 4);
    }

    #[test]
    fn tiny_sets_are_finite() {
        for n in 0..4 {
            for set in [make_circles(n, 0.1, 0), make_moons(n, 0.1, 0), make_blobs(n, 2, 0)] {
                assert_eq!((set.len(), set.features.len()), (n, 2 * n));
                assert!(set.features.iter().all(|x| x.is_finite()));
            }
        }
    }
}
