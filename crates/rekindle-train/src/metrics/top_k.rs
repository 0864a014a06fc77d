//! Whether the right class is among the first few.

use super::input::{in_range, labels, rows, same_length};
use rekindle_tensor::{Tensor, mistake};

/// Samples, and how many of them are hits.
#[derive(Clone, Debug, Default)]
pub(super) struct Hits {
    hits: u64,
    n: u64,
}

impl Hits {
    #[track_caller]
    pub fn update(&mut self, k: usize, scores: &Tensor, target: &Tensor) {
        let values = rows(scores);
        let (classes, actual) = (scores.shape()[1], labels("targets", target));
        same_length(scores.shape()[0], actual.len());
        in_range("targets", &actual, classes);
        for (row, &class) in values.chunks_exact(classes).zip(&actual) {
            let before = |(c, s): (usize, &f64)| *s > row[class] || (*s == row[class] && c > class);
            self.hits += u64::from(row.iter().enumerate().filter(|&x| before(x)).count() < k);
            self.n += 1;
        }
    }

    pub fn reset(&mut self) {
        *self = Hits::default();
    }

    pub fn merge(&mut self, other: &Hits) {
        self.hits += other.hits;
        self.n += other.n;
    }

    pub fn value(&self) -> f64 {
        self.hits as f64 / self.n as f64
    }
}

/// Refuses a list of no classes.
#[track_caller]
pub(super) fn checked_k(k: usize) -> usize {
    if k == 0 {
        mistake!("top_k_accuracy: k must be at least 1, got 0");
    }
    k
}

/// The part of the samples whose class is among the `k` largest of their scores `[n, classes]`. Of equal scores the higher class is
/// larger, as in scikit-learn; so with ties `k = 1` may differ from [`accuracy`](super::accuracy), for which the lower wins.
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::metrics::top_k_accuracy;
/// let scores = tensor([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]]);
/// assert_eq!(top_k_accuracy(&scores, &tensor([1, 0]), 2), 0.5);
/// ```
///
/// # Panics
/// If shapes or labels do not fit, or `k` is 0.
#[track_caller]
pub fn top_k_accuracy(scores: &Tensor, target: &Tensor, k: usize) -> f64 {
    let mut hits = Hits::default();
    hits.update(checked_k(k), scores, target);
    hits.value()
}
