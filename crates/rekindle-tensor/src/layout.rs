//! Where a view's elements lie in a buffer: shape, strides and offset.

use crate::dtype::Element;
use crate::shape::{Dims, Shape};
use crate::storage::alloc;
use rekindle_kernels::parallel::chunks_mut;

/// Element `[i, j, ..]` lies at `offset + i * strides[0] + j * strides[1] + ..`; a stride of 0 repeats.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub shape: Shape,
    pub strides: Dims,
    pub offset: usize,
}

impl Layout {
    pub fn contiguous(shape: Shape) -> Layout {
        let strides = shape.contiguous_strides();
        Layout { shape, strides, offset: 0 }
    }

    pub fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        for (&n, &s) in self.shape.iter().zip(&self.strides).rev() {
            if n != 1 && s != expected {
                return self.shape.contains(&0);
            }
            expected *= n;
        }
        true
    }

    /// Neighbouring dimensions that step evenly are merged, so that copies run over the fewest, longest loops.
    fn collapsed(&self) -> (Dims, Dims) {
        let (mut sizes, mut strides) = (Dims::new(), Dims::new());
        for (&n, &s) in self.shape.iter().zip(&self.strides) {
            match (sizes.last_mut(), strides.last_mut()) {
                _ if n == 1 => {}
                (Some(last_n), Some(last_s)) if *last_s == s * n => {
                    *last_n *= n;
                    *last_s = s;
                }
                _ => {
                    sizes.push(n);
                    strides.push(s);
                }
            }
        }
        (sizes, strides)
    }

    /// The same elements in another shape of as many, where no element needs to move: each run of evenly spaced
    /// elements must be cut into whole dimensions.
    pub fn reshaped(&self, shape: &Shape) -> Option<Layout> {
        if self.is_contiguous() {
            return Some(Layout { offset: self.offset, ..Layout::contiguous(shape.clone()) });
        }
        let mut strides = shape.contiguous_strides();
        let mut dims = (0..shape.len()).rev().filter(|&d| shape[d] != 1);
        let (sizes, steps) = self.collapsed();
        for (&n, &step) in sizes.iter().zip(&steps).rev() {
            let mut filled = 1;
            while filled < n {
                let d = dims.next()?;
                strides[d] = step * filled;
                filled *= shape[d];
            }
            if filled != n {
                return None;
            }
        }
        Some(Layout { shape: shape.clone(), strides, offset: self.offset })
    }

    /// Copies the view's elements out of `buffer` in row-major order, large views on several threads.
    pub fn pack<T: Element>(&self, buffer: &[T]) -> Vec<T> {
        let mut out = alloc::<T>(self.shape.numel());
        let runs = Runs::new(self);
        let per_task = (CHUNK / runs.len.max(1)).max(1);
        // A transpose visits a page of memory for every few elements, so its tasks take several blocks from each.
        let per_task = if runs.is_transpose() { per_task.next_multiple_of(16 * TILE) } else { per_task };
        chunks_mut(&mut out, per_task * runs.len.max(1), |task, out| {
            runs.for_each_group(task * per_task, out.len() / runs.len.max(1), |first, group| {
                let to = &mut out[first * runs.len..(first + group.count) * runs.len];
                group.copy(&buffer[group.at..], runs.len, runs.step, to);
            });
        });
        out
    }

    /// Writes row-major `values` to the view's places in `buffer`.
    pub fn unpack<T: Element>(&self, values: &[T], buffer: &mut [T]) {
        let runs = Runs::new(self);
        if values.is_empty() {
            return;
        }
        runs.for_each_group(0, values.len() / runs.len, |first, group| {
            for (i, values) in values[first * runs.len..].chunks_exact(runs.len).take(group.count).enumerate()
            {
                let to = &mut buffer[group.at + i * group.stride..];
                if runs.step == 1 {
                    to[..runs.len].copy_from_slice(values);
                } else {
                    values.iter().enumerate().for_each(|(i, v)| to[i * runs.step] = *v);
                }
            }
        });
    }
}

/// Elements that one task copies, about.
const CHUNK: usize = 32 * 1024;
/// Rows and columns of the blocks in which a transpose is copied: a cache line of f32.
const TILE: usize = 16;

/// A layout seen as runs along its innermost dimension, in row-major order.
struct Runs {
    /// Elements of a run, and the step between them.
    len: usize,
    step: usize,
    /// The dimensions that count the runs.
    sizes: Dims,
    strides: Dims,
    offset: usize,
}

/// Neighbouring runs that start `stride` apart.
struct Group {
    at: usize,
    stride: usize,
    count: usize,
}

impl Runs {
    fn new(layout: &Layout) -> Runs {
        let (mut sizes, mut strides) = layout.collapsed();
        let (len, step) = (sizes.pop().unwrap_or(1), strides.pop().unwrap_or(1));
        Runs { len, step, sizes, strides, offset: layout.offset }
    }

    /// Calls `f` with groups that together are the runs `first..first + count`, and the number of each group's first
    /// run, counted from `first`.
    fn for_each_group(&self, first: usize, count: usize, mut f: impl FnMut(usize, Group)) {
        let (inner, stride) =
            (self.sizes.last().copied().unwrap_or(1), self.strides.last().copied().unwrap_or(0));
        let mut done = 0;
        while done < count {
            let run = first + done;
            let n = (inner - run % inner).min(count - done);
            f(done, Group { at: self.start_of(run), stride, count: n });
            done += n;
        }
    }

    /// Whether neighbouring runs lie side by side.
    fn is_transpose(&self) -> bool {
        self.step > 1 && self.strides.last() == Some(&1)
    }

    fn start_of(&self, run: usize) -> usize {
        let mut rest = run;
        self.sizes.iter().zip(&self.strides).rev().fold(self.offset, |at, (&n, &stride)| {
            let i = rest % n;
            rest /= n;
            at + i * stride
        })
    }
}

impl Group {
    /// Copies the runs of `len` elements, `step` apart, from `x`, where the first begins.
    fn copy<T: Element>(&self, x: &[T], len: usize, step: usize, out: &mut [T]) {
        if self.stride == 1 && step > 1 {
            return self.transpose(x, len, step, out);
        }
        for (i, out) in out.chunks_exact_mut(len.max(1)).enumerate() {
            let x = &x[i * self.stride..];
            match step {
                1 => out.copy_from_slice(&x[..len]),
                0 => out.fill(x[0]),
                _ => out.iter_mut().zip(x.iter().step_by(step)).for_each(|(o, v)| *o = *v),
            }
        }
    }

    /// Runs that lie side by side are copied in square blocks through a small buffer, so that every cache line is
    /// read whole and written whole, however the rows fall on the cache's sets.
    fn transpose<T: Element>(&self, x: &[T], len: usize, step: usize, out: &mut [T]) {
        let mut tile = [[T::default(); TILE]; TILE];
        for j in (0..len).step_by(TILE) {
            let columns = TILE.min(len - j);
            for i in (0..self.count).step_by(TILE) {
                let rows = TILE.min(self.count - i);
                for (c, column) in tile[..columns].iter_mut().enumerate() {
                    column[..rows].copy_from_slice(&x[(j + c) * step + i..][..rows]);
                }
                for r in 0..rows {
                    let out = &mut out[(i + r) * len + j..][..columns];
                    out.iter_mut().zip(&tile).for_each(|(o, column)| *o = column[r]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(shape: &[usize], strides: &[usize], offset: usize) -> Layout {
        Layout { shape: shape.into(), strides: Dims::from_slice(strides), offset }
    }

    #[test]
    fn pack_follows_strides_and_unpack_reverses_it() {
        let buffer: Vec<i64> = (0..24).collect();
        let t = layout(&[3, 2, 2], &[2, 12, 1], 6);
        let packed = t.pack(&buffer);
        let mut expected = Vec::new();
        for i in 0..3 {
            for j in 0..2 {
                for k in 0..2 {
                    expected.push((6 + i * 2 + j * 12 + k) as i64);
                }
            }
        }
        assert_eq!(packed, expected);
        let mut back = vec![-1; 24];
        t.unpack(&packed, &mut back);
        assert!(back.iter().enumerate().all(|(i, &v)| v == -1 || v == i as i64));
        assert_eq!(back.iter().filter(|&&v| v >= 0).count(), 12);
    }

    #[test]
    fn scalars_and_empty_views_pack() {
        assert_eq!(layout(&[], &[], 3).pack(&[0i64, 1, 2, 9]), [9]);
        assert_eq!(layout(&[0, 3], &[3, 1], 0).pack(&[0i64; 0]), [0i64; 0]);
        assert_eq!(layout(&[2, 2], &[0, 1], 1).pack(&[7i64, 8, 9]), [8, 9, 8, 9]);
    }

    /// The definition: every index, one at a time.
    fn naive(l: &Layout, buffer: &[i64]) -> Vec<i64> {
        let place = |i: usize| {
            let mut rest = i;
            let dims = l.shape.iter().zip(&l.strides).rev();
            dims.fold(l.offset, |at, (&n, &s)| {
                let k = rest % n;
                rest /= n;
                at + k * s
            })
        };
        (0..l.shape.numel()).map(|i| buffer[place(i)]).collect()
    }

    #[test]
    fn large_and_odd_views_pack_as_defined() {
        let buffer: Vec<i64> = (0..200_000).collect();
        for l in [
            layout(&[301, 207], &[1, 301], 5),
            layout(&[3, 100, 217], &[21_700, 1, 100], 0),
            layout(&[100, 3, 217], &[1, 21_700, 100], 7),
            layout(&[17, 1, 15], &[1, 9, 17], 0),
            layout(&[400, 300], &[0, 2], 1),
            layout(&[400, 300], &[3, 0], 1),
            layout(&[5, 7, 11, 13], &[1, 5, 455, 35], 0),
            layout(&[70_000], &[2], 3),
        ] {
            let packed = l.pack(&buffer);
            assert!(packed == naive(&l, &buffer), "{l:?}");
            if !l.strides.contains(&0) {
                let mut back = vec![-1; buffer.len()];
                l.unpack(&packed, &mut back);
                assert!(
                    l.pack(&back) == packed && back.iter().filter(|&&v| v >= 0).count() == packed.len(),
                    "{l:?}"
                );
            }
        }
    }
}
