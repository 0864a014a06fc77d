//! Every operation against finite differences, strided views and several threads.

use rekindle_tensor::ops::{TABLE, samples};
use rekindle_tensor::testing::gradcheck;
use rekindle_tensor::{Context, Grads, Meta, Op, Output, Tensor, apply, tensor};
use std::collections::BTreeSet;

#[test]
fn every_operation_has_right_gradients_and_reads_strided_views() {
    let failures: Vec<String> =
        samples().iter().flat_map(|(_, s)| s).filter_map(|sample| sample.check().err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_operation_in_the_table_is_sampled_on_three_shapes_with_sizes_0_and_1() {
    for (module, samples) in samples() {
        let cases: Vec<_> = samples.iter().flat_map(|s| &s.cases).collect();
        assert!(cases.len() >= 3, "{module}: {} shapes are too few", cases.len());
        let has = |size| cases.iter().any(|shapes| shapes.iter().any(|s| s.contains(&size)));
        assert!(has(0) && has(1), "{module}: a size 0 and a size 1 must be among the shapes");
    }
}

#[test]
fn every_recorded_operation_stands_in_the_table_and_every_name_there_is_recorded() {
    let mut recorded = BTreeSet::new();
    for (_, samples) in samples() {
        for sample in samples {
            for case in 0..sample.cases.len() {
                let leaves: Vec<Tensor> = sample
                    .inputs(case)
                    .into_iter()
                    .map(|x| if x.dtype().is_float() { x.requires_grad_(true) } else { x })
                    .collect();
                recorded.extend((sample.f)(&leaves).graph());
            }
        }
    }
    let listed: BTreeSet<&str> = TABLE.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    assert_eq!(recorded, listed);
}

#[test]
fn every_file_of_operations_stands_in_the_table() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ops");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|f| f.unwrap().file_name().to_str()?.strip_suffix(".rs").map(String::from))
        .filter(|name| !["mod", "elementwise", "reduction"].contains(&name.as_str()))
        .collect();
    let listed: BTreeSet<String> = TABLE.iter().map(|(module, _)| module.to_string()).collect();
    assert_eq!(files, listed);
}

/// y = x^2 with a derivative that is wrong by a factor.
#[derive(Debug)]
struct WrongSquare;

impl Op for WrongSquare {
    fn name(&self) -> &'static str {
        "wrong_square"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        Ok(x[0].clone())
    }
    fn forward(&self, x: &[&Tensor], _: &Meta) -> Output {
        (x[0] * x[0]).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        rekindle_tensor::grads![Some(ctx.grad * ctx.input(0) * 2.01)]
    }
}

#[test]
fn gradcheck_refuses_a_wrong_gradient() {
    let message = gradcheck(|x| apply(WrongSquare, &[&x[0]]), &[tensor([0.5, -1.5]).double()]).unwrap_err();
    assert!(message.starts_with("gradcheck: input 0 of shape [2], element 0: backward gives"), "{message}");
}

/// The derivative that backward gives at one point.
fn slope(f: impl Fn(&Tensor) -> Tensor, at: f64) -> f32 {
    let x = tensor([at]).requires_grad_(true);
    f(&x).sum().backward();
    x.grad().unwrap().item()
}

#[test]
fn derivatives_at_kinks_and_poles_are_pytorchs() {
    let inf = f32::INFINITY;
    assert_eq!(slope(|x| x.relu(), 0.0), 0.0);
    assert_eq!(slope(|x| x.maximum(0.0), 0.0), 0.5);
    assert_eq!(slope(|x| x.leaky_relu(0.2), 0.0), 0.2);
    assert_eq!(slope(|x| x.elu(0.5), 0.0), 0.5);
    assert_eq!(slope(|x| x.celu(0.5), 0.0), 1.0);
    assert!((slope(|x| x.selu(), 0.0) - 1.758_099_4).abs() < 1e-6);
    assert_eq!(slope(|x| x.hardtanh(-1.0, 1.0), -1.0), 0.0);
    assert_eq!(slope(|x| x.hardtanh(0.0, 6.0), 6.0), 0.0);
    assert_eq!(slope(|x| x.clamp(-1.0, 1.0), 1.0), 0.0);
    assert_eq!(slope(|x| x.hardsigmoid(), 3.0), 0.0);
    assert_eq!(slope(|x| x.hardswish(), 3.0), 1.0);
    assert_eq!(slope(|x| x.threshold(0.5, 9.0), 0.5), 0.0);
    assert_eq!(slope(|x| x.softshrink(0.5), 0.5), 0.0);
    assert_eq!(slope(|x| x.abs(), 0.0), 0.0);
    assert_eq!(slope(|x| x.norm(), 0.0), 0.0);
    assert_eq!(slope(|x| x.sqrt(), 0.0), inf);
    assert_eq!(slope(|x| x.rsqrt(), 0.0), -inf);
    assert_eq!(slope(|x| x.ln(), 0.0), inf);
    assert_eq!(slope(|x| x.reciprocal(), 0.0), -inf);
    assert_eq!(slope(|x| x.pow(0.0), 0.0), 0.0);
    assert_eq!(slope(|x| x.pow(3), 0.0), 0.0);
    assert_eq!(slope(|x| x.round(), 0.5), 0.0);
    assert_eq!(slope(|x| x.sign(), 0.0), 0.0);
}

#[test]
fn saturated_functions_and_their_derivatives_stay_finite() {
    type Function = fn(&Tensor) -> Tensor;
    let far = 1e4;
    // Values far right and far left; the derivative is 1 where the value is the input, else 0.
    let saturated: [(Function, f64, f64); 9] = [
        (Tensor::sigmoid, 1.0, 0.0),
        (Tensor::tanh, 1.0, -1.0),
        (Tensor::erf, 1.0, -1.0),
        (Tensor::logsigmoid, 0.0, -far),
        (Tensor::gelu, far, 0.0),
        (Tensor::gelu_tanh, far, 0.0),
        (Tensor::silu, far, 0.0),
        (Tensor::mish, far, 0.0),
        (|x| x.softplus(1.0, 20.0), far, 0.0),
    ];
    for (i, (f, right, left)) in saturated.into_iter().enumerate() {
        for (at, value) in [(far, right), (-far, left)] {
            assert_eq!(f(&tensor([at])).item::<f64>(), value, "function {i} at {at}");
            assert_eq!(slope(f, at), if value == at { 1.0 } else { 0.0 }, "derivative {i} at {at}");
        }
    }
}

#[test]
fn nan_passes_every_function() {
    macro_rules! pass {
        ($($f:ident($($p:expr),*))*) => {$(
            assert!(tensor([f64::NAN]).$f($($p),*).item::<f32>().is_nan(), stringify!($f));
            assert!(tensor([f64::NAN]).double().$f($($p),*).item::<f64>().is_nan(), stringify!($f));
        )*};
    }
    pass! {
        abs() celu(1.0) ceil() clamp(-1.0, 1.0) cos() elu(1.0) erf() exp() exp_m1() floor() gelu() gelu_tanh()
        hardsigmoid() hardswish() hardtanh(-1.0, 1.0) leaky_relu(0.1) ln() log1p() logsigmoid() max() maximum(0.0)
        mean() median() minimum(0.0) mish() pow(2.5) reciprocal() relu() round() rsqrt() selu() sigmoid() silu() sin()
        softmax(0) softplus(1.0, 20.0) softsign() sqrt() square() sum() tanh() tanhshrink() threshold(0.0, 1.0) trunc()
    }
}

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
