//! Matrix products `C = A B (+ bias)`.
//!
//! Every output is a chain `acc = fma(a_k, b_k, acc)` from 0 over the inner index in order. The inner range is cut
//! into blocks (see `inner_block`), the block sums are added in order and the bias is added last. These are the
//! roundings of MKL's AVX-512 kernels, so a product has the bits that PyTorch prints on such a machine; and since
//! nothing else rounds, all instruction sets and thread counts give the same bits. The product of a matrix whose
//! rows are contiguous with a vector has its own order of additions, see `dot`.
//!
//! The loops are those of Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008): B is packed into
//! panels of a few vectors' width, a group of rows of A stays in the L2 cache, and the microkernel sends its tiles over one panel, which stays
//! in L1, after the other.
pub(crate) mod combine;
mod dot;
pub(crate) mod pack;
pub(crate) mod product;
mod simd;
pub(crate) mod sparse;
pub(crate) mod tile;

pub use sparse::gemm_skipping_zeros;

use crate::dispatch;
use crate::real::Real;
use pack::Matrix;
use product::{Product, Target};
use std::ops::Range;
use tile::Kernels;

/// `c = a b + bias` with `a` of shape `[m, k]`, `b` of shape `[k, n]`, and `c` of shape `[m, n]`.
///
/// `a` and `b` are given with (row, column) strides in elements, so a transposed matrix costs nothing to pass; `c` is
/// row-major without gaps and is overwritten. `bias` has `n` elements and is added to every row.
///
/// # Panics
/// If a slice is too short for its matrix.
///
/// ```
/// let x = [1.0_f32, 2.0, 3.0, 4.0]; // [2, 2]
/// let w = [1.0_f32, 0.0, 2.0, 1.0]; // [2, 2], used transposed
/// let mut y = [0.0; 4];
/// rekindle_kernels::gemm::gemm(2, 2, 2, &x, (2, 1), &w, (1, 2), &mut y, Some(&[0.5, 0.0]));
/// assert_eq!(y, [1.5, 4.0, 3.5, 10.0]);
/// ```
#[track_caller]
#[allow(clippy::too_many_arguments)]
pub fn gemm<T: Real>(
    m: usize,
    n: usize,
    k: usize,
    a: &[T],
    a_strides: (usize, usize),
    b: &[T],
    b_strides: (usize, usize),
    c: &mut [T],
    bias: Option<&[T]>,
) {
    check((m, n, k), (a.len(), a_strides), (b.len(), b_strides), c.len());
    assert!(bias.is_none_or(|v| v.len() == n), "gemm: the bias must have {n} elements");
    let kernels = Kernels::get(dispatch::isa());
    if k == 0 || m == 0 || n == 0 {
        for c in c.chunks_exact_mut(n.max(1)) {
            match bias {
                Some(bias) => c.copy_from_slice(bias),
                None => c.fill(T::ZERO),
            }
        }
    } else if n == 1 && a_strides.1 == 1 {
        dot::matrix_vector(kernels, k, a, a_strides.0, b, b_strides.0, c);
        if let Some(&[bias]) = bias {
            c.iter_mut().for_each(|c| *c += bias);
        }
    } else if m == 1 && b_strides.0 == 1 {
        dot::matrix_vector(kernels, k, b, b_strides.1, a, a_strides.1, c);
        if let Some(bias) = bias {
            c.iter_mut().zip(bias).for_each(|(c, bias)| *c += *bias);
        }
    } else {
        let product = Product {
            kernels,
            size: (m, n, k),
            a: Matrix::new(a, a_strides),
            b: Matrix::new(b, b_strides),
            c: Target { start: c.as_mut_ptr(), row: n },
            bias: bias.map_or(std::ptr::null(), |bias| bias.as_ptr()),
        };
        // SAFETY: the extents have been checked.
        unsafe { product.run() }
    }
}

/// The matrices, given by length and strides, must have the size.
#[track_caller]
fn check(
    (m, n, k): (usize, usize, usize),
    (a, a_strides): (usize, (usize, usize)),
    (b, b_strides): (usize, (usize, usize)),
    c: usize,
) {
    check_extent("a", a, (m, k), a_strides);
    check_extent("b", b, (k, n), b_strides);
    assert!(m.checked_mul(n) == Some(c), "gemm: c has {c} elements for a [{m}, {n}] matrix");
}

#[track_caller]
fn check_extent(name: &str, len: usize, shape: (usize, usize), strides: (usize, usize)) {
    if shape.0 == 0 || shape.1 == 0 {
        return;
    }
    let last = |size: usize, stride: usize| (size - 1).checked_mul(stride);
    let reach = last(shape.0, strides.0).zip(last(shape.1, strides.1)).and_then(|(i, j)| i.checked_add(j));
    assert!(
        reach.is_some_and(|reach| reach < len),
        "gemm: {name} has {len} elements, too few for shape {shape:?} with strides {strides:?}"
    );
}

/// Length of the next block when `rest` of the inner range remains: 384 while more than 768 remain, then halves of
/// what exceeds 384 (the first rounded up).
fn inner_block(rest: usize) -> usize {
    match rest {
        769.. => 384,
        385.. => rest.div_ceil(2),
        _ => rest,
    }
}

/// The parts of an inner range of `k` whose sums are made by themselves and added in their order.
///
/// ```
/// let blocks: Vec<_> = rekindle_kernels::gemm::inner_blocks(800).collect();
/// assert_eq!(blocks, [0..384, 384..592, 592..800]);
/// ```
pub fn inner_blocks(k: usize) -> impl Iterator<Item = Range<usize>> {
    product::inner_blocks(0..k, k)
}

#[cfg(test)]
mod tests;
