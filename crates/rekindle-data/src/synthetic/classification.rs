//! scikit-learn's `make_classification`: a table of informative, redundant, repeated and useless columns.
//!
//! Source: I. Guyon, "Design of experiments of the NIPS 2003 variable selection benchmark", 2003, as scikit-learn
//! draws it. The stream is the same, so that labels, useless columns and the order are scikit-learn's bit for bit; the
//! informative and redundant columns go through a matrix product and agree to its rounding.

use super::Points;
use rekindle_tensor::random::numpy::RandomState;

/// Clusters around the corners of a hypercube, `clusters_per_class` for each class, among columns that say nothing.
///
/// ```
/// use rekindle_data::synthetic::Classification;
/// let set = Classification { n_samples: 200, n_classes: 3, n_informative: 4, ..Classification::default() }.generate();
/// assert_eq!((set.len(), set.n_features), (200, 20));
/// assert!((0..3).all(|class| set.labels.contains(&class)));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Classification {
    /// Number of rows.
    pub n_samples: usize,
    /// Number of columns; those that are not of the kinds below are noise.
    pub n_features: usize,
    /// Columns that tell the classes apart; at most 30.
    pub n_informative: usize,
    /// Columns that are linear combinations of the informative ones.
    pub n_redundant: usize,
    /// Columns that repeat others.
    pub n_repeated: usize,
    /// Number of classes.
    pub n_classes: usize,
    /// Clusters of each class.
    pub n_clusters_per_class: usize,
    /// The fraction of rows whose label is drawn anew.
    pub flip_y: f64,
    /// Half the length of the hypercube's sides.
    pub class_sep: f64,
    /// Shuffle rows and columns?
    pub shuffle: bool,
    /// Seed of the stream.
    pub random_state: u32,
}

impl Default for Classification {
    fn default() -> Self {
        Self {
            n_samples: 100,
            n_features: 20,
            n_informative: 2,
            n_redundant: 2,
            n_repeated: 0,
            n_classes: 2,
            n_clusters_per_class: 2,
            flip_y: 0.01,
            class_sep: 1.0,
            shuffle: true,
            random_state: 0,
        }
    }
}

impl Classification {
    /// What stands in the way of such a table, in one line.
    ///
    /// # Errors
    /// If the columns do not add up, or there are more clusters than corners.
    pub fn check(&self) -> Result<(), String> {
        let Classification { n_informative: informative, n_features, .. } = *self;
        let named = informative.saturating_add(self.n_redundant).saturating_add(self.n_repeated);
        let clusters = self.n_classes.saturating_mul(self.n_clusters_per_class);
        if !(1..=30).contains(&informative) {
            return Err(format!("{informative} informative features; give 1 to 30"));
        }
        if named > n_features {
            return Err(format!(
                "{named} informative, redundant and repeated features do not fit into {n_features}"
            ));
        }
        if clusters == 0 || clusters > 1 << informative {
            return Err(format!(
                "{clusters} clusters (classes x clusters of each) do not fit the {} corners of {informative} informative features; use more of these",
                1_u32 << informative
            ));
        }
        let fraction = (0.0..=1.0).contains(&self.flip_y);
        if fraction { Ok(()) } else { Err(format!("flip_y = {}; give a fraction from 0 to 1", self.flip_y)) }
    }

    /// Draws the table.
    ///
    /// # Panics
    /// If [`check`](Self::check) finds something in the way.
    #[track_caller]
    pub fn generate(&self) -> Points {
        if let Err(cause) = self.check() {
            rekindle_tensor::mistake!("make_classification: {cause}");
        }
        let (n, k, d) = (self.n_samples, self.n_informative, self.n_features);
        let mut r = RandomState::new(self.random_state);
        let mut labels = Vec::with_capacity(n);
        let mut x = vec![0.0; n * d]; // [n, d]
        let corners = self.corners(&mut r);
        x.chunks_mut(d).for_each(|row| row[..k].fill_with(|| r.gauss()));
        let mut rows = x.chunks_mut(d);
        for (cluster, corner) in corners.iter().enumerate() {
            let mix = matrix(k, k, &mut r);
            for row in rows.by_ref().take(self.cluster_size(cluster, corners.len())) {
                let mixed: Vec<f64> = product(&row[..k], &mix).collect();
                row.iter_mut().zip(mixed).zip(corner).for_each(|((x, m), &bit)| {
                    *x = m + (f64::from(bit) * 2.0 * self.class_sep - self.class_sep);
                });
                labels.push((cluster % self.n_classes) as i64);
            }
        }
        self.other_columns(&mut x, &mut r);
        let flipped: Vec<bool> = (0..n).map(|_| r.uniform(0.0, 1.0) < self.flip_y).collect();
        for (label, _) in labels.iter_mut().zip(flipped).filter(|(_, flip)| *flip) {
            *label = r.randint(0, self.n_classes as i64);
        }
        let points = Points { features: x, n_features: d, labels };
        if self.shuffle { columns_shuffled(points.shuffled(&mut r), &mut r) } else { points }
    }

    /// The redundant, repeated and useless columns, which follow the informative ones.
    fn other_columns(&self, x: &mut [f64], r: &mut RandomState) {
        let (k, d) = (self.n_informative, self.n_features);
        let used = k + self.n_redundant;
        if self.n_redundant > 0 {
            let mix = matrix(k, self.n_redundant, r);
            for row in x.chunks_mut(d) {
                let (informative, rest) = row.split_at_mut(k);
                rest.iter_mut().zip(product(informative, &mix)).for_each(|(x, value)| *x = value);
            }
        }
        let copied: Vec<usize> =
            (0..self.n_repeated).map(|_| ((used - 1) as f64 * r.uniform(0.0, 1.0) + 0.5) as usize).collect();
        for row in x.chunks_mut(d) {
            copied.iter().enumerate().for_each(|(i, &from)| row[used + i] = row[from]);
        }
        x.chunks_mut(d).for_each(|row| row[used + self.n_repeated..].fill_with(|| r.gauss()));
    }

    /// Rows of a cluster: equal shares, and one more for the first ones as long as there are rows left.
    fn cluster_size(&self, cluster: usize, clusters: usize) -> usize {
        let weight = 1.0 / self.n_classes as f64;
        let share = (self.n_samples as f64 * weight / self.n_clusters_per_class as f64) as usize;
        share + usize::from(cluster < self.n_samples - share * clusters)
    }

    /// The corners of the hypercube that become clusters, as bits, the highest first.
    fn corners(&self, r: &mut RandomState) -> Vec<Vec<u8>> {
        let clusters = self.n_classes * self.n_clusters_per_class;
        let bits = |number: usize| (0..self.n_informative).rev().map(|b| (number >> b & 1) as u8).collect();
        without_replacement(1 << self.n_informative, clusters, r).into_iter().map(bits).collect()
    }
}

/// scikit-learn's `sample_without_replacement(n, count, method="auto")`.
fn without_replacement(n: usize, count: usize, r: &mut RandomState) -> Vec<usize> {
    let ratio = count as f64 / n as f64;
    if ratio > 0.01 && ratio < 0.99 {
        let mut all = r.permutation(n);
        all.truncate(count);
        return all;
    }
    if ratio < 0.2 {
        // Draw until it is new.
        let mut drawn = Vec::with_capacity(count);
        while drawn.len() < count {
            let next = r.randint(0, n as i64) as usize;
            if !drawn.contains(&next) {
                drawn.push(next);
            }
        }
        return drawn;
    }
    // Reservoir sampling.
    let mut kept: Vec<usize> = (0..count).collect();
    for i in count..n {
        let at = r.randint(0, i as i64 + 1) as usize;
        if at < count {
            kept[at] = i;
        }
    }
    kept
}

/// `2 U - 1` with uniform draws: `[rows, columns]`, as columns.
fn matrix(rows: usize, columns: usize, r: &mut RandomState) -> Vec<Vec<f64>> {
    let mut m = vec![vec![0.0; rows]; columns];
    (0..rows).for_each(|i| m.iter_mut().for_each(|column| column[i] = 2.0 * r.uniform(0.0, 1.0) - 1.0));
    m
}

fn product<'a>(row: &'a [f64], columns: &'a [Vec<f64>]) -> impl Iterator<Item = f64> + 'a {
    columns.iter().map(move |column| row.iter().zip(column).fold(0.0, |sum, (x, m)| x.mul_add(*m, sum)))
}

fn columns_shuffled(points: Points, r: &mut RandomState) -> Points {
    let mut order: Vec<usize> = (0..points.n_features).collect();
    r.shuffle(&mut order);
    let rows = points.features.chunks(points.n_features);
    Points { features: rows.flat_map(|row| order.iter().map(|&c| row[c])).collect(), ..points }
}

/// scikit-learn's `make_classification(n_samples, n_features=.., n_classes=.., random_state=..)` with its other defaults;
/// [`Classification`] has its other parameters.
///
/// # Panics
/// If [`Classification::check`] finds something in the way: two informative and two redundant columns need four features, and
/// their four corners hold two classes.
#[track_caller]
pub fn make_classification(
    n_samples: usize,
    n_features: usize,
    n_classes: usize,
    random_state: u32,
) -> Points {
    Classification { n_samples, n_features, n_classes, random_state, ..Classification::default() }.generate()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(ours: &[f64], theirs: &[f64]) {
        for (a, b) in ours.iter().zip(theirs) {
            assert!((a - b).abs() <= 1e-14 * b.abs().max(1.0), "{ours:?}\n{theirs:?}");
        }
    }

    /// Values from scikit-learn 1.9 for the parameters that stand there.
    #[test]
    fn tables_are_those_of_scikit_learn() {
        let small = Classification {
            n_samples: 20,
            n_features: 5,
            n_informative: 3,
            n_redundant: 1,
            n_repeated: 1,
            n_classes: 3,
            random_state: 42,
            ..Classification::default()
        };
        let set = small.generate();
        assert_eq!(set.labels, [2, 1, 0, 1, 2, 1, 1, 0, 2, 1, 0, 0, 0, 1, 2, 0, 2, 0, 2, 1]);
        close(
            set.row(0),
            &[
                0.31018272441952094,
                -1.3269464276860814,
                -1.625752080478713,
                -1.3269464276860814,
                -0.38653806143566816,
            ],
        );
        close(&set.row(19)[..2], &[-1.3025082619487487, 2.5728380148910976]);
        let set = Classification::default().generate();
        close(&set.row(0)[..3], &[-0.039267991037953184, 0.1319117557874122, -0.21120598363152]);
        close(&set.row(99)[..2], &[-1.5824944779817585, -1.4227949086263427]);
        assert_eq!(set.labels.iter().sum::<i64>(), 50);
    }

    /// Nine informative columns have 512 corners, of which fewer than one in a hundred is drawn.
    #[test]
    fn few_corners_of_many_are_those_of_scikit_learn() {
        let set = Classification {
            n_samples: 37,
            n_features: 12,
            n_informative: 9,
            flip_y: 0.3,
            class_sep: 2.0,
            random_state: 7,
            ..Classification::default()
        }
        .generate();
        close(&set.row(0)[..3], &[1.240734484761166, 0.3004809178459489, 0.8032062445425182]);
        close(&set.row(36)[..3], &[-3.927577255477944, 4.346252243198538, -0.07437496718747871]);
        assert_eq!(set.labels[..8], [1, 0, 1, 0, 0, 1, 1, 1]);
    }

    #[test]
    fn all_corners_and_no_shuffling_are_those_of_scikit_learn() {
        let set = Classification {
            n_samples: 10,
            n_features: 3,
            n_redundant: 0,
            random_state: 1,
            shuffle: false,
            ..Classification::default()
        }
        .generate();
        assert_eq!(set.labels, [0, 0, 0, 1, 1, 1, 0, 0, 1, 1]);
        close(set.row(0), &[-0.6048368764447256, -2.008751460797648, -0.6871727001195994]);
        close(set.row(2), &[-1.5263743675153911, -2.859616226519742, -0.671246130836819]);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let says = |c: Classification| c.check().unwrap_err();
        let d = Classification::default;
        assert!(says(Classification { n_features: 3, ..d() }).starts_with("4 informative, redundant"));
        assert!(says(Classification { n_classes: 3, ..d() }).starts_with("6 clusters"));
        assert!(says(Classification { n_informative: 0, ..d() }).starts_with("0 informative"));
        assert!(says(Classification { flip_y: f64::NAN, ..d() }).starts_with("flip_y = NaN"));
    }
}
