//! Every loss against finite differences, strided views and several threads; a loss or an operation that is not in
//! the table fails.

use rekindle_nn::loss::*;
use rekindle_tensor::testing::Sample;
use rekindle_tensor::{Tensor, tensor};
use std::collections::BTreeSet;

const REDUCTIONS: [Reduction; 3] = [Reduction::Mean, Reduction::Sum, Reduction::None];

/// A loss, the operations of this crate that it records, and what it is checked on.
pub struct Line {
    pub loss: &'static str,
    ops: &'static [&'static str],
    pub samples: fn() -> Vec<Sample>,
}

#[rustfmt::skip]
pub const TABLE: &[Line] = &[
    Line { loss: "BCELoss", ops: &["binary_cross_entropy"], samples: || [
        elements(|r| BCELoss::new().reduction(r), (0.05, 0.95)),
        elements(|r| BCELoss::new().weight(tensor(0.5)).reduction(r), (0.05, 0.95)),
    ].concat_samples() },
    Line { loss: "BCEWithLogitsLoss", ops: &["binary_cross_entropy_with_logits"], samples: || [
        elements(|r| BCEWithLogitsLoss::new().reduction(r), (-2.0, 2.0)),
        elements(|r| BCEWithLogitsLoss::new().weight(tensor(0.5)).pos_weight(tensor(3.0)).reduction(r), (-2.0, 2.0)),
    ].concat_samples() },
    Line { loss: "CrossEntropyLoss", ops: &["cross_entropy"], samples: || [
        classes(|r| CrossEntropyLoss::new().reduction(r)),
        classes(|r| CrossEntropyLoss::new().weight(weight()).label_smoothing(0.2).ignore_index(1).reduction(r)),
        probabilities(|r| CrossEntropyLoss::new().reduction(r)),
        probabilities(|r| CrossEntropyLoss::new().weight(weight()).label_smoothing(0.2).reduction(r)),
    ].concat_samples() },
    Line { loss: "HingeEmbeddingLoss", ops: &["hinge_embedding_loss"], samples: signs },
    Line { loss: "HuberLoss", ops: &["huber_loss"], samples: || elements(|r| HuberLoss::new().delta(0.7).reduction(r), (-2.0, 2.0)) },
    Line { loss: "KLDivLoss", ops: &["kl_div"], samples: || [
        elements(|r| KLDivLoss::new().reduction(r), (0.1, 0.9)),
        elements(|r| KLDivLoss::new().log_target(true).reduction(r), (-2.0, 2.0)),
        elements(|_| KLDivLoss::new().batch_mean(), (0.1, 0.9)),
    ].concat_samples() },
    Line { loss: "L1Loss", ops: &["l1_loss"], samples: || elements(|r| L1Loss::new().reduction(r), (-2.0, 2.0)) },
    Line { loss: "MSELoss", ops: &["mse_loss"], samples: || elements(|r| MSELoss::new().reduction(r), (-2.0, 2.0)) },
    Line { loss: "MultiMarginLoss", ops: &[], samples: margins },
    Line { loss: "NLLLoss", ops: &["nll_loss"], samples: || [
        classes(|r| NLLLoss::new().reduction(r)),
        classes(|r| NLLLoss::new().weight(weight()).ignore_index(1).reduction(r)),
    ].concat_samples() },
    Line { loss: "SmoothL1Loss", ops: &["smooth_l1_loss"], samples: || [
        elements(|r| SmoothL1Loss::new().reduction(r), (-2.0, 2.0)),
        elements(|r| SmoothL1Loss::new().beta(0.3).reduction(r), (-2.0, 2.0)),
    ].concat_samples() },
];

trait Samples {
    fn concat_samples(self) -> Vec<Sample>;
}

impl<const N: usize> Samples for [Vec<Sample>; N] {
    fn concat_samples(self) -> Vec<Sample> {
        self.into_iter().flatten().collect()
    }
}

/// Weights of three classes.
fn weight() -> Tensor {
    tensor([1.0, 0.5, 2.0])
}

/// A loss that compares element with element, differentiated by both.
fn elements<L: Loss + 'static>(make: impl Fn(Reduction) -> L, (low, high): (f64, f64)) -> Vec<Sample> {
    let sample = |r| {
        let loss = make(r);
        let mut sample = Sample::new("elements", move |x| loss.forward(&x[0], &x[1])).range(low, high);
        for shape in [&[3, 4][..], &[1], &[0, 3], &[2, 1, 5], &[]] {
            sample = sample.on(&[shape, shape]);
        }
        sample.large(&[&[40_000], &[40_000]])
    };
    REDUCTIONS.map(sample).into()
}

/// A loss of scores against class indices.
fn classes<L: Loss + 'static>(make: impl Fn(Reduction) -> L) -> Vec<Sample> {
    let cases: [(&[usize], Tensor); 5] = [
        (&[4, 3], tensor([2, 0, 1, 2])),
        (&[1, 3], tensor([2])),
        (&[2, 3, 2], tensor([[2, 0], [1, 1]])),
        (&[3], tensor(2)),
        (&[0, 3], Tensor::from_vec(Vec::<i64>::new(), 0)),
    ];
    let sample = |(r, (shape, target)): (Reduction, &(&[usize], Tensor))| {
        let loss = make(r);
        let sample = Sample::new("class indices", move |x| loss.forward(&x[0], &x[1]));
        sample.on(&[shape]).with(std::slice::from_ref(target))
    };
    REDUCTIONS.iter().flat_map(|&r| cases.iter().map(move |case| (r, case))).map(sample).collect()
}

/// A loss of scores against probabilities of the classes.
fn probabilities<L: Loss + 'static>(make: impl Fn(Reduction) -> L) -> Vec<Sample> {
    let sample = |r| {
        let loss = make(r);
        let mut sample = Sample::new("probabilities", move |x| loss.forward(&x[0], &x[1])).range(0.1, 0.9);
        for shape in [&[4, 3][..], &[1, 3], &[2, 3, 2], &[3], &[0, 3]] {
            sample = sample.on(&[shape, shape]);
        }
        sample
    };
    REDUCTIONS.map(sample).into()
}

fn signs() -> Vec<Sample> {
    let sample = |r| {
        let loss = HingeEmbeddingLoss::new().margin(0.7).reduction(r);
        let forward = move |x: &[Tensor]| loss.forward(&x[0], &x[1].detach().sign());
        let mut sample = Sample::new("signs", forward);
        for shape in [&[3, 4][..], &[1], &[0, 3], &[]] {
            sample = sample.on(&[shape, shape]);
        }
        sample
    };
    REDUCTIONS.map(sample).into()
}

fn margins() -> Vec<Sample> {
    let targets = &[tensor([2, 0, 1, 1]), tensor([1]), Tensor::from_vec(Vec::<i64>::new(), 0)];
    let sample = |(r, p, target): (Reduction, u32, &Tensor)| {
        let loss = MultiMarginLoss::new().p(p).margin(0.5).weight(weight()).reduction(r);
        let sample = Sample::new("margins", move |x| loss.forward(&x[0], &x[1]));
        sample.on(&[&[target.numel(), 3]]).with(std::slice::from_ref(target))
    };
    let each = |r| [1, 2].into_iter().flat_map(move |p| targets.iter().map(move |t| (r, p, t)));
    REDUCTIONS.into_iter().flat_map(each).map(sample).collect()
}

#[test]
fn every_loss_has_right_gradients_and_reads_strided_views() {
    let failures: Vec<String> = TABLE
        .iter()
        .flat_map(|line| (line.samples)().into_iter().map(move |sample| (line.loss, sample)))
        .filter_map(|(loss, sample)| Some(format!("{loss}: {}", sample.check().err()?)))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_loss_is_sampled_on_three_shapes_with_sizes_0_and_1() {
    for line in TABLE {
        let samples = (line.samples)();
        let cases: BTreeSet<_> = samples.iter().flat_map(|s| &s.cases).collect();
        assert!(cases.len() >= 3, "{}: {} shapes are too few", line.loss, cases.len());
        let has = |size| cases.iter().any(|shapes| shapes.iter().any(|s| s.contains(&size)));
        assert!(has(0) && has(1), "{}: a size 0 and a size 1 must be among the shapes", line.loss);
    }
}

#[test]
fn every_recorded_operation_stands_in_the_table_and_every_name_there_is_recorded() {
    let known: BTreeSet<&str> =
        rekindle_tensor::ops::TABLE.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    for line in TABLE {
        let mut recorded = BTreeSet::new();
        for sample in (line.samples)() {
            for case in 0..sample.cases.len() {
                let leaf = |x: Tensor| if x.dtype().is_float() { x.requires_grad_(true) } else { x };
                let leaves: Vec<Tensor> = sample.inputs(case).into_iter().map(leaf).collect();
                recorded.extend((sample.f)(&leaves).graph());
            }
        }
        let own: BTreeSet<&str> = recorded.difference(&known).copied().collect();
        assert_eq!(own, line.ops.iter().copied().collect(), "{}", line.loss);
    }
}

/// The code of this crate's losses without their tests.
fn sources() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/loss");
    let files =
        std::fs::read_dir(folder).unwrap().map(|f| std::fs::read_to_string(f.unwrap().path()).unwrap());
    files.map(|text| text.split("#[cfg(test)]\nmod").next().unwrap().to_string()).collect()
}

/// What stands between `start` and the next character that is not part of a name.
fn names_after(start: &str) -> BTreeSet<String> {
    let after = |text: &String| -> Vec<String> {
        let word =
            |rest: &str| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap().to_string();
        text.split(start).skip(1).map(word).collect()
    };
    sources().iter().flat_map(after).collect()
}

#[test]
fn every_loss_and_every_operation_in_the_sources_stands_in_the_table() {
    let listed: BTreeSet<String> = TABLE.iter().map(|line| line.loss.to_string()).collect();
    assert_eq!(listed.len(), TABLE.len(), "each once");
    assert_eq!(names_after("impl Loss for "), listed);
    let listed: BTreeSet<String> = TABLE.iter().flat_map(|line| line.ops).map(|op| op.to_string()).collect();
    let mut named = names_after("const NAME: &'static str = \"");
    named.extend(names_after("class_indices(\""));
    assert_eq!(named, listed);
}
