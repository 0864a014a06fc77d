//! scikit-learn's blobs: normal clouds.

use super::Points;
use rekindle_tensor::random::numpy::RandomState;

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
        let centers = self.centers(&mut r);
        let points = self.clouds(&centers, self.n_samples, &mut r);
        if self.shuffle { points.shuffled(&mut r) } else { points }
    }

    /// More points around the same centres, from a stream of their own and class by class: data that the first draw has
    /// not seen.
    ///
    /// # Panics
    /// If there is no centre.
    #[track_caller]
    pub fn draw_again(&self, n_samples: usize, random_state: u32) -> Points {
        if self.centers == 0 {
            rekindle_tensor::mistake!("make_blobs: no centres; give at least one");
        }
        let centers = self.centers(&mut RandomState::new(self.random_state));
        self.clouds(&centers, n_samples, &mut RandomState::new(random_state))
    }

    fn centers(&self, r: &mut RandomState) -> Vec<f64> {
        let (low, high) = self.center_box;
        (0..self.centers * self.n_features).map(|_| r.uniform(low, high)).collect()
    }

    fn clouds(&self, centers: &[f64], n_samples: usize, r: &mut RandomState) -> Points {
        let (mut features, mut labels) = (Vec::new(), Vec::new());
        for class in 0..self.centers {
            let center = &centers[class * self.n_features..][..self.n_features];
            let extra = usize::from(class < n_samples % self.centers);
            for _ in 0..n_samples / self.centers + extra {
                features.extend(center.iter().map(|&c| r.normal(c, self.cluster_std)));
                labels.push(class as i64);
            }
        }
        Points { features, n_features: self.n_features, labels }
    }
}

/// scikit-learn's `make_blobs(n_samples, centers=.., random_state=..)`; [`Blobs`] has its other parameters.
///
/// # Panics
/// If there is no centre.
#[track_caller]
pub fn make_blobs(n_samples: usize, centers: usize, random_state: u32) -> Points {
    Blobs { n_samples, centers, random_state, ..Blobs::default() }.generate()
}
