//! [`Slab`]: matrices with the same rows, of which tasks hold different ones.
use crate::parallel::{self, Disjoint};
use std::ops::Range;

/// Row-major matrices with the same number of rows, which are cut into parts. Tasks beside each other get a part each, of all matrices.
///
/// ```
/// use rekindle_kernels::slab::Slab;
/// let mut slab = Slab::new(vec![0..2, 2..3], [2, 1]);
/// slab.for_each(&mut [1.0, 5.0], |value, rows| rows.for_each(|matrix| matrix.fill(*value)));
/// assert_eq!(slab.matrix(0), [1.0, 1.0, 1.0, 1.0, 5.0, 5.0]);
/// assert_eq!(slab.matrix(1), [1.0, 1.0, 5.0]);
/// ```
pub struct Slab {
    parts: Vec<Range<usize>>,
    widths: Vec<usize>,
    data: Vec<f32>,
}

impl Slab {
    /// Matrices with these numbers of columns, filled with 0, whose rows are cut into `parts`.
    ///
    /// # Panics
    /// If the parts do not follow one another, from row 0 on, or there are more numbers than memory can address.
    #[track_caller]
    pub fn new(parts: Vec<Range<usize>>, widths: impl IntoIterator<Item = usize>) -> Slab {
        let rows = parts.iter().try_fold(0, |end, p| (p.start == end && p.end >= end).then_some(p.end));
        let Some(rows) = rows else { panic!("slab: {parts:?} do not follow one another") };
        let widths: Vec<usize> = widths.into_iter().collect();
        // Checked: all places below are sums of these.
        let width = widths.iter().try_fold(0_usize, |sum, &width| sum.checked_add(width));
        let numbers = width.and_then(|width| width.checked_mul(rows));
        let Some(numbers) = numbers else { panic!("slab: more numbers than memory can address") };
        Slab { parts, data: vec![0.0; numbers], widths }
    }

    fn rows(&self) -> usize {
        self.parts.last().map_or(0, |part| part.end)
    }

    fn place(&self, i: usize) -> Range<usize> {
        let start = self.rows() * self.widths[..i].iter().sum::<usize>();
        start..start + self.rows() * self.widths[i]
    }

    /// All rows of matrix `i`.
    ///
    /// # Panics
    /// If there is no such matrix.
    #[track_caller]
    pub fn matrix(&self, i: usize) -> &[f32] {
        &self.data[self.place(i)]
    }

    /// [`matrix`](Self::matrix), to write.
    ///
    /// # Panics
    /// If there is no such matrix.
    #[track_caller]
    pub fn matrix_mut(&mut self, i: usize) -> &mut [f32] {
        let place = self.place(i);
        &mut self.data[place]
    }

    /// Calls `f` for each task in parallel, with its part: the rows of one matrix after the other.
    ///
    /// # Panics
    /// If there are not as many tasks as parts, or with the panic of a task.
    #[track_caller]
    pub fn for_each<B: Send>(&mut self, tasks: &mut [B], f: impl Fn(&mut B, Part<'_>) + Sync) {
        assert!(
            tasks.len() == self.parts.len(),
            "slab: {} tasks for {} parts",
            tasks.len(),
            self.parts.len()
        );
        let all = self.rows();
        let (parts, widths) = (&self.parts[..], &self.widths[..]);
        let data = Disjoint::new(&mut self.data);
        parallel::chunks_mut(tasks, 1, |i, task| {
            f(&mut task[0], Part { data, all, rows: parts[i].clone(), widths, start: 0 });
        });
    }
}

/// Some rows of the matrices of a [`Slab`].
pub struct Part<'a> {
    data: Disjoint<'a, f32>,
    /// Rows of a matrix, and which of them these are.
    all: usize,
    rows: Range<usize>,
    /// Of the matrices that are left, and where they begin.
    widths: &'a [usize],
    start: usize,
}

impl<'a> Iterator for Part<'a> {
    type Item = &'a mut [f32];

    fn next(&mut self) -> Option<&'a mut [f32]> {
        let (&width, rest) = self.widths.split_first()?;
        let start = self.start;
        (self.widths, self.start) = (rest, start + self.all * width);
        // SAFETY: parts are different rows, and each matrix is lent once.
        Some(unsafe { self.data.slice(start + self.rows.start * width..start + self.rows.end * width) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_gets_its_rows_of_every_matrix() {
        let mut slab = Slab::new(vec![0..3, 3..3, 3..7], [2, 0, 3]);
        slab.for_each(&mut [1.0, 2.0, 3.0], |value, rows| {
            let lens: Vec<usize> = rows.map(|m| (m.fill(*value), m.len()).1).collect();
            assert_eq!(lens, [[6, 0, 9], [0, 0, 0], [8, 0, 12]][*value as usize - 1]);
        });
        assert_eq!(slab.matrix(0), [[1.0; 6].as_slice(), &[3.0; 8]].concat());
        assert_eq!(slab.matrix_mut(2), [[1.0; 9].as_slice(), &[3.0; 12]].concat());
        assert!(slab.matrix(1).is_empty());
    }

    #[test]
    #[should_panic(expected = "slab: [0..2, 1..3] do not follow one another")]
    #[allow(clippy::single_range_in_vec_init)]
    fn parts_that_overlap_are_refused() {
        Slab::new(vec![0..2, 1..3], [1]);
    }

    #[test]
    #[should_panic(expected = "slab: more numbers than memory can address")]
    fn sizes_that_wrap_around_are_refused() {
        Slab::new(vec![0..2, 2..(1 << 60) + 1], [16, 16, 16]);
    }

    #[test]
    #[should_panic(expected = "slab: 1 tasks for 2 parts")]
    fn a_part_without_a_task_is_refused() {
        Slab::new(vec![0..2, 2..3], [1]).for_each(&mut [()], |(), _| {});
    }
}
