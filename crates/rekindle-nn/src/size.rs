//! Kernel sizes, strides and paddings: one number for all dimensions, or one for each.

use std::fmt;

/// A size in `D` dimensions, made from one number or from one for each dimension, and printed as it was made.
///
/// ```
/// use rekindle_nn::Size;
/// let (square, wide): (Size<2>, Size<2>) = (3.into(), (1, 5).into());
/// assert_eq!((square.values(), wide.values()), ([3, 3], [1, 5]));
/// assert_eq!((square.to_string(), wide.to_string()), ("3".to_string(), "(1, 5)".to_string()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size<const D: usize> {
    values: [usize; D],
    single: bool,
}

impl<const D: usize> Size<D> {
    /// The size along each dimension.
    pub fn values(self) -> [usize; D] {
        self.values
    }
}

impl<const D: usize> From<usize> for Size<D> {
    fn from(n: usize) -> Self {
        Size { values: [n; D], single: true }
    }
}

impl<const D: usize> From<[usize; D]> for Size<D> {
    fn from(values: [usize; D]) -> Self {
        Size { values, single: false }
    }
}

impl From<(usize, usize)> for Size<2> {
    fn from((a, b): (usize, usize)) -> Self {
        [a, b].into()
    }
}

impl<const D: usize> fmt::Display for Size<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.single { write!(f, "{}", self.values[0]) } else { f.write_str(&python_tuple(&self.values)) }
    }
}

/// Numbers as Python prints a tuple: `(3,)`, `(3, 3)`.
pub(crate) fn python_tuple(values: &[usize]) -> String {
    match values {
        [one] => format!("({one},)"),
        _ => format!("({})", values.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    }
}
