//! Class numbers as rows with a single one, and the triangles of a matrix.

use super::index_select::check_index;
use crate::dtype::DType;
use crate::op::Meta;
use crate::tensor::Tensor;
use crate::testing::Sample;

impl Tensor {
    /// For each class number a row of `classes` integers, 1 at that class and 0 elsewhere: PyTorch's `F.one_hot`.
    /// On a GPU, the row of a number that is no class has only zeros, instead of a panic.
    ///
    /// # Panics
    /// If the tensor is not i64 or a number is not in `0..classes`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([2, 0]).one_hot(3).to_vec::<i64>(), [0, 0, 1, 1, 0, 0]);
    /// ```
    #[track_caller]
    pub fn one_hot(&self, classes: usize) -> Tensor {
        check_index("one_hot", self, 0, &[classes]);
        let shape = [self.shape(), &[classes]].concat();
        self.new_full(&Meta::new(shape, DType::I64), 0).scatter(-1, &self.unsqueeze(-1), 1)
    }

    /// The matrix (or matrices, in the last two dimensions) with zeros above diagonal `diagonal`, 0 being the main one.
    ///
    /// # Panics
    /// If there are fewer than two dimensions.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::ones([2, 2]).tril(0).to_vec::<f32>(), [1.0, 0.0, 1.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn tril(&self, diagonal: i64) -> Tensor {
        self.masked_fill(&above(self, diagonal), 0)
    }

    /// The matrix (or matrices, in the last two dimensions) with zeros below diagonal `diagonal`, 0 being the main one.
    ///
    /// # Panics
    /// If there are fewer than two dimensions.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::ones([2, 2]).triu(1).to_vec::<f32>(), [0.0, 1.0, 0.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn triu(&self, diagonal: i64) -> Tensor {
        self.masked_fill(&above(self, diagonal - 1).logical_not(), 0)
    }
}

/// Where the column exceeds the row by more than `diagonal`.
#[track_caller]
fn above(x: &Tensor, diagonal: i64) -> Tensor {
    let [rows, columns] = [x.size(-2), x.size(-1)].map(|n| x.new_arange(0, 1, n));
    columns.gt(rows.unsqueeze(-1) + diagonal)
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::new("tril", |x| x[0].tril(-1)).on(&[&[3, 4]]).on(&[&[0, 2]]),
        Sample::new("triu", |x| x[0].triu(1)).on(&[&[2, 3, 3]]).on(&[&[1, 1]]),
    ]
}

#[cfg(test)]
mod tests {
    use crate::{Tensor, tensor};

    #[test]
    fn triangles_overlap_on_their_common_diagonal() {
        let x = Tensor::arange(1, 10, 1).reshape([3, 3]);
        assert_eq!(x.tril(1).to_vec::<i64>(), [1, 2, 0, 4, 5, 6, 7, 8, 9]);
        assert_eq!(x.triu(1).to_vec::<i64>(), [0, 2, 3, 0, 0, 6, 0, 0, 0]);
    }

    #[test]
    #[should_panic(expected = "one_hot: index 3 is out of range for dimension 0 of [3]; use 0 to 2")]
    fn classes_out_of_range_are_refused() {
        tensor([0, 3]).one_hot(3);
    }
}
