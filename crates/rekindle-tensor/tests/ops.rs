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
        smallvec::smallvec![Some(ctx.grad * ctx.input(0) * 2.01)]
    }
}

#[test]
fn gradcheck_refuses_a_wrong_gradient() {
    let message = gradcheck(|x| apply(WrongSquare, &[&x[0]]), &[tensor([0.5, -1.5]).double()]).unwrap_err();
    assert!(message.starts_with("gradcheck: input 0 of shape [2], element 0: backward gives"), "{message}");
}
