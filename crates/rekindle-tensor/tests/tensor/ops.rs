//! Every operation against finite differences, strided views and several threads.

use rekindle_tensor::ops::{TABLE, samples};
use rekindle_tensor::testing::{Sample, gradcheck};
use rekindle_tensor::{Context, Grads, Meta, Op, Output, Tensor, apply, check, num_threads, tensor};
use std::collections::BTreeSet;

#[test]
fn every_operation_has_right_gradients_and_reads_strided_views() {
    let failures: Vec<String> =
        samples().iter().flat_map(|(_, s)| s).filter_map(|sample| sample.check().err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Every case of a sample: its shapes and the operations that it records.
fn recorded(sample: &Sample) -> Vec<(&[Vec<usize>], Vec<&'static str>)> {
    let graph = |case| {
        let inputs = sample.inputs(case).into_iter();
        let leaves: Vec<Tensor> =
            inputs.map(|x| if x.dtype().is_float() { x.requires_grad_(true) } else { x }).collect();
        (sample.f)(&leaves).graph()
    };
    sample.cases.iter().enumerate().map(|(case, shapes)| (&shapes[..], graph(case))).collect()
}

#[test]
fn every_operation_is_sampled_on_three_shapes_with_sizes_0_and_1() {
    let mut lacking = Vec::new();
    for ((module, samples), (_, names)) in samples().iter().zip(TABLE) {
        let cases: Vec<_> = samples.iter().flat_map(recorded).collect();
        // An operation without a gradient is not recorded; its file is counted as a whole.
        for name in names.iter().copied().map(Some).chain(names.is_empty().then_some(None)) {
            let shapes: Vec<&[Vec<usize>]> = cases
                .iter()
                .filter(|(_, graph)| name.is_none_or(|name| graph.contains(&name)))
                .map(|(shapes, _)| *shapes)
                .collect();
            let name = name.unwrap_or(module);
            let has =
                |size, shapes: &[&[Vec<usize>]]| shapes.iter().any(|s| s.iter().any(|s| s.contains(&size)));
            // Nothing may be recorded for an empty tensor, so a size 0 is looked for in the whole file.
            let (zero, one) = (has(0, &cases.iter().map(|c| c.0).collect::<Vec<_>>()), has(1, &shapes));
            if shapes.len() < 3 || !zero || !one {
                lacking.push(format!("{name}: {} shapes, size 0: {zero}, size 1: {one}", shapes.len()));
            }
        }
    }
    assert!(lacking.is_empty(), "{}", lacking.join("\n"));
}

#[test]
fn every_recorded_operation_stands_in_the_table_and_every_name_there_is_recorded() {
    let samples = samples();
    let cases = samples.iter().flat_map(|(_, samples)| samples).flat_map(recorded);
    let recorded: BTreeSet<&str> = cases.flat_map(|(_, graph)| graph).collect();
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
    let missing: Vec<&String> = files.symmetric_difference(&listed).collect();
    assert!(missing.is_empty(), "in the folder or in the table of ops/mod.rs, but not in both: {missing:?}");
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

/// What a deliberately wrong operation is told by the harness that checks all operations.
#[test]
fn the_harness_finds_wrong_gradients_strides_and_threads() {
    let told = |sample: Sample| sample.check().expect_err("it is wrong");
    let gradient = told(Sample::unary("wrong square", |x| apply(WrongSquare, &[x])));
    assert!(
        gradient.starts_with(
            "wrong square on [[3, 4]]: gradcheck: input 0 of shape [3, 4], element 0: backward gives"
        ),
        "{gradient}"
    );
    let of_second = told(Sample::binary("wrong product", |x, y| x * apply(WrongSquare, &[y])));
    assert!(of_second.contains("gradcheck: input 1 of shape [3, 4]"), "{of_second}");
    let strides = told(Sample::unary("strides", |x| if x.is_contiguous() { x * 1.0 } else { x * 2.0 }));
    assert_eq!(strides, "strides on [[3, 4]]: turned views in f64 give other bits");
    let threads = told(Sample::unary("threads", |x| x * num_threads() as f64));
    assert!(
        threads.starts_with("threads on [[3, 4]]: ")
            && threads.ends_with(" threads give other bits than one"),
        "{threads}"
    );
}

/// An operation on two tensors that takes shapes which broadcast is differentiated there, too.
#[test]
fn operations_that_broadcast_are_sampled_where_they_do() {
    let (column, row) = (Tensor::full([3, 1], 0.5).double(), Tensor::full([1, 4], 0.5).double());
    let mut broadcasting = 0;
    for (module, samples) in samples() {
        // Two tensors, and no indices beside them.
        for sample in samples.iter().filter(|s| s.cases[0].len() == 2 && s.inputs(0).len() == 2) {
            let result = check(|| (sample.f)(&[column.clone(), row.clone()]));
            if result.is_ok_and(|y| y.shape() == [3, 4]) {
                let differ =
                    sample.cases.iter().filter(|shapes| shapes.len() == 2 && shapes[0] != shapes[1]).count();
                assert!(differ >= 3, "{module}: {} broadcasts, and {differ} shapes do", sample.name);
                broadcasting += 1;
            }
        }
    }
    assert!(broadcasting >= 9, "only {broadcasting} broadcast");
}

/// It would be broadcast, and the output would have another shape than the input.
#[test]
fn a_weight_of_another_shape_than_the_normalized_one_is_a_mistake() {
    let weight = Tensor::ones([1, 4]);
    let e = check(|| Tensor::ones([3, 1]).rms_norm([1], Some(&weight), None)).unwrap_err();
    assert_eq!(e, "rms_norm: the weight [1, 4] has not the normalized shape [1]");
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
