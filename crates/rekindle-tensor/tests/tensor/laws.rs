//! Laws of views, broadcasting and reductions, on many random shapes.

use rekindle_tensor::Tensor;

/// Draws for the laws below: the same in every run.
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    /// Up to four dimensions of sizes 0 to 4, seldom 0.
    fn shape(&mut self) -> Vec<usize> {
        (0..self.below(5)).map(|_| if self.below(8) == 0 { 0 } else { 1 + self.below(4) }).collect()
    }

    fn order(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        (1..n).for_each(|i| order.swap(i, self.below(i + 1)));
        order
    }

    /// Numbers counted in row-major order, seen through a random permutation of the dimensions.
    fn tensor(&mut self, shape: &[usize]) -> Tensor {
        let order = self.order(shape.len());
        let mut turned = vec![0; shape.len()];
        order.iter().enumerate().for_each(|(i, &d)| turned[d] = shape[i]);
        let n = shape.iter().product::<usize>();
        Tensor::arange(0, n as i64, 1).reshape(turned).permute(order)
    }
}

/// The element at an index, read through `select` alone.
fn at(x: &Tensor, index: &[usize]) -> i64 {
    index.iter().fold(x.clone(), |x, &i| x.select(0, i as isize)).item()
}

/// Every index of a shape in row-major order.
fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().fold(vec![vec![]], |all, &n| {
        all.iter().flat_map(|i| (0..n).map(move |k| [&i[..], &[k]].concat())).collect()
    })
}

/// Runs a law on many tensors.
fn law(f: impl Fn(&mut Draws, &Tensor)) {
    for seed in 0..200 {
        let mut draws = Draws(seed);
        let shape = draws.shape();
        let x = draws.tensor(&shape);
        f(&mut draws, &x);
    }
}

#[test]
fn elements_are_read_in_row_major_order_of_any_view() {
    law(|_, x| {
        let read: Vec<i64> = indices(x.shape()).iter().map(|i| at(x, i)).collect();
        assert_eq!(x.to_vec::<i64>(), read);
        assert_eq!(x.reshape([x.numel()]).to_vec::<i64>(), read);
    });
}

#[test]
fn a_permutation_and_its_inverse_cancel() {
    law(|draws, x| {
        let order = draws.order(x.dim());
        let mut inverse = vec![0; order.len()];
        order.iter().enumerate().for_each(|(i, &d)| inverse[d] = i);
        let y = x.permute(order.clone());
        assert!(y.permute(inverse).equal(x));
        for i in indices(x.shape()) {
            let moved: Vec<usize> = order.iter().map(|&d| i[d]).collect();
            assert_eq!(at(&y, &moved), at(x, &i));
        }
    });
}

#[test]
fn parts_join_to_the_whole() {
    law(|draws, x| {
        if x.dim() == 0 {
            return;
        }
        let dim = draws.below(x.dim());
        let n = x.shape()[dim];
        let cut = draws.below(n + 1);
        let d = dim as isize;
        let (a, b) = (x.narrow(d, 0, cut), x.narrow(d, cut, n - cut));
        assert!(Tensor::cat(&[&a, &b], d).equal(x));
        assert!(x.flip([d]).flip([d]).equal(x));
        let rows = x.unbind(d);
        if !rows.is_empty() {
            assert!(Tensor::stack(&rows, d).equal(x));
        }
        let order: Vec<i64> = draws.order(n).iter().map(|&i| i as i64).collect();
        let chosen = x.index_select(d, &Tensor::from_vec(order.clone(), n));
        for (k, &from) in order.iter().enumerate() {
            assert!(chosen.select(d, k as isize).equal(&x.select(d, from as isize)));
        }
    });
}

#[test]
fn broadcasting_reads_dimensions_of_size_1_at_every_index() {
    law(|draws, x| {
        // The other operand drops some leading dimensions and flattens others.
        let lead = draws.below(x.dim() + 1);
        let other: Vec<usize> =
            x.shape()[lead..].iter().map(|&n| if draws.below(2) == 0 { 1 } else { n }).collect();
        let y = draws.tensor(&other);
        let (sum, difference) = (x + &y, &y - x);
        for i in indices(x.shape()) {
            let j: Vec<usize> = i[lead..].iter().zip(&other).map(|(&i, &n)| i % n).collect();
            assert_eq!(at(&sum, &i), at(x, &i) + at(&y, &j));
            assert_eq!(at(&difference, &i), at(&y, &j) - at(x, &i));
        }
        assert!(y.expand(x.shape()).equal(&(Tensor::zeros_like(x) + &y)));
    });
}

#[test]
fn reductions_over_several_dims_are_reductions_one_by_one() {
    law(|draws, x| {
        let dims: Vec<usize> = (0..x.dim()).filter(|_| draws.below(2) == 0).collect();
        if dims.is_empty() {
            return;
        }
        let one_by_one = |f: &dyn Fn(&Tensor, isize) -> Tensor| {
            dims.iter().rev().fold(x.clone(), |x, &d| f(&x, d as isize))
        };
        assert!(x.sum_dim(dims.clone(), false).equal(&one_by_one(&|x, d| x.sum_dim(d, false))));
        assert!(x.any_dim(dims.clone(), false).equal(&one_by_one(&|x, d| x.any_dim(d, false)).bool()));
        if x.numel() > 0 {
            assert!(x.amax(dims.clone(), false).equal(&one_by_one(&|x, d| x.max_dim(d, false).0)));
            assert!(
                x.amin(dims.clone(), true)
                    .equal(&dims.iter().fold(x.clone(), |x, &d| x.min_dim(d as isize, true).0))
            );
        }
    });
}
