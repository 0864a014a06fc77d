//! Small artificial data sets: scikit-learn's circles, moons and blobs, and the spirals of CS231n.
//!
//! Each generator draws one NumPy legacy stream, so the points are scikit-learn's, digit for digit.
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
use std::f64::consts::{PI, TAU};

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

/// A large circle around a small one: class 0 outside, class 1 inside.
///
/// ```
/// use rekindle_data::synthetic::Circles;
/// let set = Circles { n_samples: 4, shuffle: false, factor: 0.5, ..Circles::default() }.generate();
/// assert_eq!((set.row(0), set.row(2)), (&[1.0, 0.0][..], &[0.5, 0.0][..]));
/// assert_eq!(set.labels, [0, 0, 1, 1]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Circles {
    /// Number of points; the outer circle gets half of them, rounded down.
    pub n_samples: usize,
    /// Shuffle the points?
    pub shuffle: bool,
    /// Standard deviation of the normal noise added to each coordinate.
    pub noise: f64,
    /// Seed of the stream.
    pub random_state: u32,
    /// Radius of the inner circle.
    pub factor: f64,
}

impl Default for Circles {
    fn default() -> Self {
        Self { n_samples: 100, shuffle: true, noise: 0.0, random_state: 0, factor: 0.8 }
    }
}

impl Circles {
    /// Draws the points.
    pub fn generate(&self) -> Points {
        let n_outer = self.n_samples / 2;
        let outer = linspace(0.0, TAU, n_outer, false).map(|t| [t.cos(), t.sin()]);
        let inner = linspace(0.0, TAU, self.n_samples - n_outer, false)
            .map(|t| [t.cos() * self.factor, t.sin() * self.factor]);
        finish(outer, inner, self.shuffle, self.noise, self.random_state)
    }
}

/// Two interleaving half circles.
///
/// ```
/// use rekindle_data::synthetic::Moons;
/// let set = Moons { n_samples: 500, noise: 0.2, ..Moons::default() }.generate();
/// assert_eq!((set.len(), set.n_features), (500, 2));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Moons {
    /// Number of points; the upper moon gets half of them, rounded down.
    pub n_samples: usize,
    /// Shuffle the points?
    pub shuffle: bool,
    /// Standard deviation of the normal noise added to each coordinate.
    pub noise: f64,
    /// Seed of the stream.
    pub random_state: u32,
}

impl Default for Moons {
    fn default() -> Self {
        Self { n_samples: 100, shuffle: true, noise: 0.0, random_state: 0 }
    }
}

impl Moons {
    /// Draws the points.
    pub fn generate(&self) -> Points {
        let n_outer = self.n_samples / 2;
        let outer = linspace(0.0, PI, n_outer, true).map(|t| [t.cos(), t.sin()]);
        let inner =
            linspace(0.0, PI, self.n_samples - n_outer, true).map(|t| [1.0 - t.cos(), 1.0 - t.sin() - 0.5]);
        finish(outer, inner, self.shuffle, self.noise, self.random_state)
    }
}

/// Normal clouds around random centres, one class each.
///
/// ```
/// use rekindle_data::synthetic::Blobs;
/// let set = Blobs { n_samples: 1000, centers: 4, cluster_std: 1.5, random_state: 42, ..Blobs::default() }.generate();
/// assert_eq!(set.labels.iter().filter(|&&class| class == 3).count(), 250);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Blobs {
    /// Number of points, shared equally; the first clouds get what remains.
    pub n_samples: usize,
    /// Coordinates per point.
    pub n_features: usize,
    /// Number of clouds.
    pub centers: usize,
    /// Standard deviation of each cloud.
    pub cluster_std: f64,
    /// The centres' coordinates are uniform between these.
    pub center_box: (f64, f64),
    /// Shuffle the points?
    pub shuffle: bool,
    /// Seed of the stream.
    pub random_state: u32,
}

impl Default for Blobs {
    fn default() -> Self {
        Self {
            n_samples: 100,
            n_features: 2,
            centers: 3,
            cluster_std: 1.0,
            center_box: (-10.0, 10.0),
            shuffle: true,
            random_state: 0,
        }
    }
}

impl Blobs {
    /// Draws the points.
    ///
    /// # Panics
    /// If there is no centre.
    #[track_caller]
    pub fn generate(&self) -> Points {
        if self.centers == 0 {
            rekindle_tensor::mistake!("make_blobs: no centres; give at least one");
        }
        let mut r = RandomState::new(self.random_state);
        let (low, high) = self.center_box;
        let centers: Vec<f64> = (0..self.centers * self.n_features).map(|_| r.uniform(low, high)).collect();
        let (mut features, mut labels) = (Vec::new(), Vec::new());
        for class in 0..self.centers {
            let center = &centers[class * self.n_features..][..self.n_features];
            let extra = usize::from(class < self.n_samples % self.centers);
            for _ in 0..self.n_samples / self.centers + extra {
                features.extend(center.iter().map(|&c| r.normal(c, self.cluster_std)));
                labels.push(class as i64);
            }
        }
        let points = Points { features, n_features: self.n_features, labels };
        if self.shuffle { points.shuffled(&mut r) } else { points }
    }
}

/// The spiral arms of the CS231n notes: `arms` classes of `per_class` points each, `noise` in the angle.
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

/// scikit-learn's `make_circles(n_samples, noise=.., random_state=..)`; [`Circles`] has its other parameters.
pub fn make_circles(n_samples: usize, noise: f64, random_state: u32) -> Points {
    Circles { n_samples, noise, random_state, ..Circles::default() }.generate()
}

/// scikit-learn's `make_moons(n_samples, noise=.., random_state=..)`; [`Moons`] has its other parameters.
pub fn make_moons(n_samples: usize, noise: f64, random_state: u32) -> Points {
    Moons { n_samples, noise, random_state, ..Moons::default() }.generate()
}

/// scikit-learn's `make_blobs(n_samples, centers=.., random_state=..)`; [`Blobs`] has its other parameters.
///
/// # Panics
/// If there is no centre.
#[track_caller]
pub fn make_blobs(n_samples: usize, centers: usize, random_state: u32) -> Points {
    Blobs { n_samples, centers, random_state, ..Blobs::default() }.generate()
}

/// Stacks two curves as classes 0 and 1, shuffles them, then adds noise.
fn finish(
    outer: impl Iterator<Item = [f64; 2]>,
    inner: impl Iterator<Item = [f64; 2]>,
    shuffle: bool,
    noise: f64,
    random_state: u32,
) -> Points {
    let mut r = RandomState::new(random_state);
    let (points, labels): (Vec<[f64; 2]>, Vec<i64>) =
        outer.map(|p| (p, 0)).chain(inner.map(|p| (p, 1))).unzip();
    let points = Points { features: points.into_flattened(), n_features: 2, labels };
    let points = if shuffle { points.shuffled(&mut r) } else { points };
    points.with_noise(noise, &mut r)
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
