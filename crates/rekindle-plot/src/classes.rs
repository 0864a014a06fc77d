//! From tensors to what is drawn: points, class numbers, probabilities.

use rekindle_tensor::{Tensor, mistake};

/// The rows of a tensor `[n, 2]`.
#[track_caller]
pub(crate) fn points(who: &str, x: &Tensor) -> Vec<(f64, f64)> {
    if x.dim() != 2 || x.shape()[1] != 2 {
        mistake!(
            "{who}: x must have shape [n, 2], got {:?}; pick two features with x.narrow(1, first, 2)",
            x.shape()
        );
    }
    x.to_f64_vec().chunks_exact(2).map(|row| (row[0], row[1])).collect()
}

/// The numbers of a tensor `[n]` or `[n, 1]`.
#[track_caller]
pub(crate) fn column(who: &str, what: &str, x: &Tensor) -> Vec<f64> {
    match x.shape() {
        [_] | [_, 1] => x.to_f64_vec(),
        shape => mistake!("{who}: {what} must have shape [n] or [n, 1], got {shape:?}; pick one column"),
    }
}

/// Class numbers from a tensor `[n]` or `[n, 1]` of whole numbers (a float 0 or 1 is one).
#[track_caller]
pub(crate) fn labels(who: &str, what: &str, y: &Tensor) -> Vec<usize> {
    let class = |v: f64| match v {
        v if v >= 0.0 && v.fract() == 0.0 && v < 1e6 => v as usize,
        v => mistake!(
            "{who}: {what} must be class numbers 0, 1, 2, .., got {v}; give classes, not probabilities"
        ),
    };
    column(who, what, y).into_iter().map(class).collect()
}

/// Requires that two things have one entry for each sample.
#[track_caller]
pub(crate) fn same_length(who: &str, (a, m): (&str, usize), (b, n): (&str, usize)) {
    if m != n {
        mistake!("{who}: {a} has {m} rows but {b} has {n}; give one of each for each sample");
    }
}

/// The probabilities of a net, one row for each sample, one entry for each class. Shapes `[n]` and `[n, 1]` hold the
/// probability of class 1; `[n, classes]` all of them.
#[track_caller]
pub(crate) fn probabilities(who: &str, p: &Tensor, n: usize) -> Vec<Vec<f64>> {
    let classes = match p.shape() {
        [rows] | [rows, 1] if *rows == n => 1,
        [rows, classes] if *rows == n && *classes > 1 => *classes,
        shape => {
            mistake!("{who}: probabilities must have shape [{n}], [{n}, 1] or [{n}, classes], got {shape:?}")
        }
    };
    let values = p.to_f64_vec();
    let outside = values.iter().find(|v| **v < -1e-4 || **v > 1.0001);
    if let Some(v) = outside {
        mistake!(
            "{who}: a probability must lie in 0 to 1, got {v}; apply .sigmoid() or .softmax(1) to logits"
        );
    }
    match classes {
        1 => values.into_iter().map(|p| vec![1.0 - p, p]).collect(),
        _ => values.chunks_exact(classes).map(<[f64]>::to_vec).collect(),
    }
}

/// The most probable class of a row; the first of equals (so 0.5 is class 0, as `p > 0.5` decides). None if a number
/// is NaN.
pub(crate) fn argmax(row: &[f64]) -> Option<usize> {
    if row.iter().any(|p| p.is_nan()) {
        return None;
    }
    (0..row.len()).reduce(|best, i| if row[i] > row[best] { i } else { best })
}

/// The classes that occur, in order.
pub(crate) fn occurring<'a>(labels: impl IntoIterator<Item = &'a usize>) -> Vec<usize> {
    let mut classes: Vec<usize> = labels.into_iter().copied().collect();
    classes.sort_unstable();
    classes.dedup();
    classes
}

#[cfg(test)]
mod tests {
    use super::*;
    use rekindle_tensor::{check, tensor};

    #[test]
    fn one_column_is_the_probability_of_class_one() {
        let rows = probabilities("t", &tensor([0.25, 0.5, 0.75]), 3);
        assert_eq!(rows.iter().map(|r| argmax(r)).collect::<Vec<_>>(), [Some(0), Some(0), Some(1)]);
        let rows = probabilities("t", &tensor([[0.2, 0.7, 0.1]]), 1);
        assert_eq!(argmax(&rows[0]), Some(1));
        assert_eq!(argmax(&[f64::NAN, 1.0]), None);
    }

    #[test]
    fn mistakes_name_their_cure() {
        let said = |f: &dyn Fn()| check(f).unwrap_err();
        assert!(said(&|| drop(points("p", &tensor([1.0])))).contains("[n, 2], got [1]"));
        assert!(said(&|| drop(labels("p", "y", &tensor([0.5])))).contains("class numbers"));
        assert!(said(&|| drop(probabilities("p", &tensor([3.0]), 1))).contains(".sigmoid()"));
        assert!(said(&|| drop(probabilities("p", &tensor([0.5, 0.5]), 3))).contains("[3, classes], got [2]"));
        assert!(said(&|| same_length("p", ("x", 2), ("y", 3))).contains("x has 2 rows but y has 3"));
    }
}
