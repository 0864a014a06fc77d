//! Where a view's elements lie in a buffer: shape, strides and offset.

use crate::dtype::Element;
use crate::shape::{Dims, Shape};
use crate::storage::alloc;

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

    /// Calls `f` with the offset and stride of every run along the innermost dimension, in row-major order.
    fn for_each_run(&self, mut f: impl FnMut(usize, usize, usize)) {
        if self.shape.contains(&0) {
            return;
        }
        let (mut sizes, mut strides) = self.collapsed();
        let (run, step) = (sizes.pop().unwrap_or(1), strides.pop().unwrap_or(1));
        let mut index = Dims::from_elem(0, sizes.len());
        let mut at = self.offset;
        loop {
            f(at, run, step);
            let mut d = sizes.len();
            loop {
                if d == 0 {
                    return;
                }
                d -= 1;
                index[d] += 1;
                at += strides[d];
                if index[d] < sizes[d] {
                    break;
                }
                at -= strides[d] * sizes[d];
                index[d] = 0;
            }
        }
    }

    /// Copies the view's elements out of `buffer` in row-major order.
    pub fn pack<T: Element>(&self, buffer: &[T]) -> Vec<T> {
        let mut out = alloc::<T>(self.shape.numel());
        let mut filled = 0;
        self.for_each_run(|at, run, step| {
            let to = &mut out[filled..filled + run];
            match step {
                1 => to.copy_from_slice(&buffer[at..at + run]),
                0 => to.fill(buffer[at]),
                _ => {
                    for (o, v) in to.iter_mut().zip(buffer[at..].iter().step_by(step)) {
                        *o = *v;
                    }
                }
            }
            filled += run;
        });
        out
    }

    /// Writes row-major `values` to the view's places in `buffer`.
    pub fn unpack<T: Element>(&self, values: &[T], buffer: &mut [T]) {
        let mut taken = 0;
        self.for_each_run(|at, run, step| {
            for (i, v) in values[taken..taken + run].iter().enumerate() {
                buffer[at + i * step] = *v;
            }
            taken += run;
        });
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
}
