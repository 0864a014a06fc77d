//! Cutting a data set into parts: PyTorch's `random_split`, scikit-learn's `train_test_split`, `KFold` and
//! `StratifiedKFold`. All of them give indices.

use rekindle_tensor::Tensor;
use rekindle_tensor::random::Generator;
use rekindle_tensor::random::numpy::RandomState;

/// How large a part is: a count, or a fraction of the whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PartSize {
    /// So many samples.
    Count(usize),
    /// This share of all samples.
    Fraction(f64),
}

impl From<usize> for PartSize {
    fn from(count: usize) -> Self {
        Self::Count(count)
    }
}

impl From<f64> for PartSize {
    fn from(fraction: f64) -> Self {
        Self::Fraction(fraction)
    }
}

/// The samples to train on and those to test with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Indices of the training samples.
    pub train: Vec<usize>,
    /// Indices of the test samples.
    pub test: Vec<usize>,
}

impl Split {
    /// The rows of `x` and `y` in scikit-learn's order: `x_train, x_test, y_train, y_test`.
    ///
    /// ```
    /// use rekindle_data::{split::train_test_split, synthetic::make_circles};
    ///
    /// let (x, y) = make_circles(1000, 0.03, 42).tensors();
    /// let (x_train, x_test, y_train, y_test) = train_test_split(1000, 0.2, 42).tensors(&x, &y);
    /// assert_eq!((x_train.shape(), y_train.shape()), (&[800, 2][..], &[800][..]));
    /// assert_eq!((x_test.shape(), y_test.shape()), (&[200, 2][..], &[200][..]));
    /// ```
    ///
    /// # Panics
    /// If `x` or `y` has another number of rows than samples were cut.
    #[track_caller]
    pub fn tensors(&self, x: &Tensor, y: &Tensor) -> (Tensor, Tensor, Tensor, Tensor) {
        let n = self.train.len() + self.test.len();
        for (name, t) in [("x", x), ("y", y)] {
            if t.shape().first() != Some(&n) {
                rekindle_tensor::mistake!(
                    "split: {name} has shape {:?} but {n} samples were cut; give a row for each sample",
                    t.shape()
                );
            }
        }
        let index = |part: &[usize]| Tensor::from_vec(part.iter().map(|&i| i as i64).collect(), part.len());
        let (train, test) = (index(&self.train), index(&self.test));
        let rows = |t: &Tensor, index: &Tensor| t.index_select(0, index);
        (rows(x, &train), rows(x, &test), rows(y, &train), rows(y, &test))
    }
}

/// The lengths of parts of `n` samples given as fractions: rounded down, what remains goes to the first parts.
///
/// ```
/// use rekindle_data::split::lengths_of_fractions;
///
/// assert_eq!(lengths_of_fractions(10, &[0.55, 0.25, 0.2]), [6, 2, 2]);
/// ```
///
/// # Panics
/// If a fraction lies outside [0, 1], or they do not sum to one.
#[track_caller]
pub fn lengths_of_fractions(n: usize, fractions: &[f64]) -> Vec<usize> {
    let sum: f64 = fractions.iter().sum();
    if !((sum - 1.0).abs() < 1e-9 && fractions.iter().all(|f| (0.0..=1.0).contains(f))) {
        rekindle_tensor::mistake!(
            "random_split: fractions must lie in [0, 1] and sum to 1, got {fractions:?} (sum {sum})"
        );
    }
    let mut lengths: Vec<usize> = fractions.iter().map(|f| (n as f64 * f).floor() as usize).collect();
    let missing = n - lengths.iter().sum::<usize>();
    (0..missing).for_each(|i| lengths[i % fractions.len()] += 1);
    lengths
}

/// The indices of `torch.utils.data.random_split`: one permutation, cut in order.
///
/// ```
/// use rekindle_data::split::random_split;
/// use rekindle_tensor::random::Generator;
///
/// let parts = random_split(&[7, 3], &mut Generator::seeded(0));
/// assert_eq!(parts, [vec![4, 1, 7, 5, 3, 9, 0], vec![8, 6, 2]]);
/// ```
pub fn random_split(lengths: &[usize], generator: &mut Generator) -> Vec<Vec<usize>> {
    let order = generator.randperm(lengths.iter().sum());
    let mut rest = order.as_slice();
    let cut = |&length: &usize| {
        let (part, tail) = rest.split_at(length);
        rest = tail;
        part.to_vec()
    };
    lengths.iter().map(cut).collect()
}

/// scikit-learn's `train_test_split` of `n` samples: shuffled, the first ones test.
///
/// ```
/// use rekindle_data::split::train_test_split;
///
/// let split = train_test_split(1000, 0.2, 42);
/// assert_eq!(split.train[..3], [29, 535, 695]);
/// assert_eq!(split.test.len(), 200);
/// ```
///
/// # Panics
/// If one of the parts would be empty.
#[track_caller]
pub fn train_test_split(n: usize, test_size: impl Into<PartSize>, random_state: u32) -> Split {
    let n_test = test_count(n, test_size.into());
    let mut test = RandomState::new(random_state).permutation(n);
    let train = test.split_off(n_test);
    Split { train, test }
}

/// scikit-learn's `train_test_split(.., stratify=labels)`: each class keeps its share in both parts.
///
/// # Panics
/// If one of the parts has fewer samples than there are classes, or a class has a single sample.
#[track_caller]
pub fn stratified_train_test_split(
    labels: &[i64],
    test_size: impl Into<PartSize>,
    random_state: u32,
) -> Split {
    let n = labels.len();
    let n_test = test_count(n, test_size.into());
    let members = members_by_class(labels);
    let counts: Vec<usize> = members.iter().map(Vec::len).collect();
    if n_test.min(n - n_test) < counts.len() || counts.iter().any(|&c| c < 2) {
        rekindle_tensor::mistake!(
            "train_test_split: cannot stratify {n} samples of {} classes, counts {counts:?}, into {} and {n_test}",
            counts.len(),
            n - n_test
        );
    }
    let mut r = RandomState::new(random_state);
    let for_train = likeliest_counts(&counts, n - n_test, &mut r);
    let left: Vec<usize> = counts.iter().zip(&for_train).map(|(c, t)| c - t).collect();
    let for_test = likeliest_counts(&left, n_test, &mut r);
    let mut split = Split { train: Vec::new(), test: Vec::new() };
    for ((members, &n_train), &n_test) in members.iter().zip(&for_train).zip(&for_test) {
        let order = r.permutation(members.len());
        let drawn = |part: &[usize]| part.iter().map(|&i| members[i]).collect::<Vec<_>>();
        split.train.extend(drawn(&order[..n_train]));
        split.test.extend(drawn(&order[n_train..n_train + n_test]));
    }
    r.shuffle(&mut split.train);
    r.shuffle(&mut split.test);
    split
}

#[track_caller]
fn test_count(n: usize, size: PartSize) -> usize {
    let count = match size {
        PartSize::Count(count) => count,
        PartSize::Fraction(fraction) => (fraction * n as f64).ceil() as usize,
    };
    if count == 0 || count >= n {
        rekindle_tensor::mistake!("train_test_split: {size:?} of {n} samples leaves a part empty");
    }
    count
}

/// The indices of each class, ascending, classes in ascending order.
fn members_by_class(labels: &[i64]) -> Vec<Vec<usize>> {
    let mut classes: std::collections::BTreeMap<i64, Vec<usize>> = Default::default();
    for (i, &label) in labels.iter().enumerate() {
        classes.entry(label).or_default().push(i);
    }
    classes.into_values().collect()
}

/// The likeliest numbers of `n` draws per class: shares rounded down, then one more by largest remainder, ties
/// broken by the stream (the mode of a multivariate hypergeometric distribution, approximately).
fn likeliest_counts(counts: &[usize], n: usize, r: &mut RandomState) -> Vec<usize> {
    let total = counts.iter().sum::<usize>() as f64;
    let share: Vec<f64> = counts.iter().map(|&c| c as f64 / total * n as f64).collect();
    let mut drawn: Vec<usize> = share.iter().map(|s| s.floor() as usize).collect();
    let remainder: Vec<f64> = share.iter().map(|s| s - s.floor()).collect();
    let mut missing = n - drawn.iter().sum::<usize>();
    let mut levels = remainder.clone();
    levels.sort_by(|a, b| b.total_cmp(a));
    levels.dedup();
    for level in levels {
        if missing == 0 {
            break;
        }
        let tied: Vec<usize> = (0..counts.len()).filter(|&i| remainder[i] == level).collect();
        let add = tied.len().min(missing);
        r.choice(tied.len(), add, false, None).into_iter().for_each(|i| drawn[tied[i]] += 1);
        missing -= add;
    }
    drawn
}

/// k-fold cross-validation: each sample is tested once.
///
/// ```
/// use rekindle_data::split::KFold;
///
/// let folds = KFold { n_splits: 3, shuffle: None }.split(7);
/// assert_eq!(folds[0].test, [0, 1, 2]);
/// assert_eq!(folds[1].train, [0, 1, 2, 5, 6]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KFold {
    /// Number of folds.
    pub n_splits: usize,
    /// Shuffle the samples first, with this `random_state`.
    pub shuffle: Option<u32>,
}

impl KFold {
    /// The folds of `n` samples; indices ascend within a part.
    ///
    /// # Panics
    /// If there are fewer than two folds, or more folds than samples.
    #[track_caller]
    pub fn split(&self, n: usize) -> Vec<Split> {
        check_folds(self.n_splits, n, "samples");
        let mut order: Vec<usize> = (0..n).collect();
        if let Some(random_state) = self.shuffle {
            RandomState::new(random_state).shuffle(&mut order);
        }
        let mut fold_of = vec![0; n];
        let mut next = order.into_iter();
        for fold in 0..self.n_splits {
            let size = n / self.n_splits + usize::from(fold < n % self.n_splits);
            next.by_ref().take(size).for_each(|i| fold_of[i] = fold);
        }
        splits(&fold_of, self.n_splits)
    }
}

/// k-fold cross-validation in which each fold has every class's share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StratifiedKFold {
    /// Number of folds.
    pub n_splits: usize,
    /// Shuffle the samples of each class first, with this `random_state`.
    pub shuffle: Option<u32>,
}

impl StratifiedKFold {
    /// The folds of samples with these labels; indices ascend within a part.
    ///
    /// # Panics
    /// If there are fewer than two folds, or more folds than samples in the largest class.
    #[track_caller]
    pub fn split(&self, labels: &[i64]) -> Vec<Split> {
        let mut classes = members_by_class(labels);
        check_folds(self.n_splits, classes.iter().map(Vec::len).max().unwrap_or(0), "samples in a class");
        // Classes are numbered by first appearance.
        classes.sort_by_key(|members| members[0]);
        let mut r = self.shuffle.map(RandomState::new);
        let mut fold_of = vec![0; labels.len()];
        let mut start = 0;
        for members in &classes {
            // The sorted labels are dealt to the folds like cards; this class holds start..end of them.
            let end = start + members.len();
            let dealt = |fold: usize| (start..end).filter(|i| i % self.n_splits == fold).count();
            let mut folds: Vec<usize> =
                (0..self.n_splits).flat_map(|fold| std::iter::repeat_n(fold, dealt(fold))).collect();
            if let Some(r) = &mut r {
                r.shuffle(&mut folds);
            }
            members.iter().zip(folds).for_each(|(&i, fold)| fold_of[i] = fold);
            start = end;
        }
        splits(&fold_of, self.n_splits)
    }
}

#[track_caller]
fn check_folds(n_splits: usize, n: usize, what: &str) {
    if n_splits < 2 {
        rekindle_tensor::mistake!("k-fold: needs two or more folds, got {n_splits}");
    }
    if n_splits > n {
        rekindle_tensor::mistake!("k-fold: {n_splits} folds of {n} {what}; use fewer folds");
    }
}

fn splits(fold_of: &[usize], n_splits: usize) -> Vec<Split> {
    let part = |keep: &dyn Fn(usize) -> bool| (0..fold_of.len()).filter(|&i| keep(fold_of[i])).collect();
    (0..n_splits).map(|fold| Split { train: part(&|f| f != fold), test: part(&|f| f == fold) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(n: i64) -> Vec<i64> {
        (0..n).map(|i| i * i % 5 % 3).collect()
    }

    #[test]
    fn every_sample_falls_into_one_part() {
        let y = labels(103);
        let mut cuts = vec![train_test_split(103, 0.33, 1), stratified_train_test_split(&y, 20usize, 1)];
        cuts.extend(KFold { n_splits: 5, shuffle: Some(0) }.split(103));
        cuts.extend(StratifiedKFold { n_splits: 5, shuffle: Some(0) }.split(&y));
        for cut in cuts {
            let mut all = [cut.train, cut.test].concat();
            all.sort();
            assert!(all.into_iter().eq(0..103));
        }
    }

    #[test]
    fn splits_are_scikit_learns() {
        assert_eq!(train_test_split(101, 0.33, 1).train[..4], [48, 58, 90, 98]);
        assert_eq!(stratified_train_test_split(&labels(101), 0.33, 1).train[..4], [99, 90, 89, 39]);
        assert_eq!(KFold { n_splits: 3, shuffle: Some(0) }.split(50)[0].test[..5], [2, 4, 7, 10, 11]);
        let folds = StratifiedKFold { n_splits: 3, shuffle: Some(0) }.split(&labels(50));
        assert_eq!(folds[0].test[..6], [0, 2, 11, 12, 13, 18]);
    }

    #[test]
    fn stratified_parts_keep_the_shares() {
        let y: Vec<i64> = (0..100).map(|i| i64::from(i >= 90)).collect();
        let split = stratified_train_test_split(&y, 0.2, 0);
        assert_eq!(split.test.iter().filter(|&&i| y[i] == 1).count(), 2);
        assert_eq!(split.train.iter().filter(|&&i| y[i] == 1).count(), 8);
    }

    #[test]
    fn tensors_are_cut_as_their_indices_say() {
        let x = Tensor::arange(0, 20, 1).reshape([10, 2]);
        let y = Tensor::arange(0, 10, 1);
        let split = train_test_split(10, 3usize, 5);
        let (x_train, x_test, y_train, y_test) = split.tensors(&x, &y);
        let indices = |part: &[usize]| part.iter().map(|&i| i as i64).collect::<Vec<_>>();
        assert_eq!(y_train.to_vec::<i64>(), indices(&split.train));
        assert_eq!(y_test.to_vec::<i64>(), indices(&split.test));
        assert!(x_train.equal(&Tensor::stack(&[&y_train * 2, &y_train * 2 + 1], 1)));
        assert!(x_test.equal(&Tensor::stack(&[&y_test * 2, &y_test * 2 + 1], 1)));
    }

    #[test]
    #[should_panic(expected = "split: y has shape [9] but 10 samples were cut; give a row for each sample")]
    fn rows_that_were_not_cut_are_refused() {
        train_test_split(10, 0.2, 0).tensors(&Tensor::zeros([10, 2]), &Tensor::zeros([9]));
    }

    #[test]
    #[should_panic(expected = "train_test_split: Fraction(20.0) of 10 samples leaves a part empty")]
    fn percentages_are_refused() {
        train_test_split(10, 20.0, 0);
    }
}
