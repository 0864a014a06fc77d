//! scikit-learn's two circles and two moons: two curves, shuffled, then blurred with normal noise.

use super::{Points, linspace};
use rekindle_tensor::random::numpy::RandomState;
use std::f64::consts::{PI, TAU};

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

/// scikit-learn's `make_circles(n_samples, noise=.., random_state=..)`; [`Circles`] has its other parameters.
pub fn make_circles(n_samples: usize, noise: f64, random_state: u32) -> Points {
    Circles { n_samples, noise, random_state, ..Circles::default() }.generate()
}

/// scikit-learn's `make_moons(n_samples, noise=.., random_state=..)`; [`Moons`] has its other parameters.
pub fn make_moons(n_samples: usize, noise: f64, random_state: u32) -> Points {
    Moons { n_samples, noise, random_state, ..Moons::default() }.generate()
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
