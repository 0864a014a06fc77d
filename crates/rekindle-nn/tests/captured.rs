//! Captured steps and eager ones: the same losses, gradients and weights, to the bit.

use rekindle_nn::loss::{
    BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, HuberLoss, L1Loss, Loss, MSELoss, MultiMarginLoss, NLLLoss,
    Reduction, SmoothL1Loss,
};
use rekindle_nn::optim::{Adam, Optimizer, SGD};
use rekindle_nn::{
    AdaptiveAvgPool2d, AlphaDropout, AvgPool2d, BatchNorm1d, BatchNorm2d, Captured, Conv1d, Conv2d, Dropout,
    Dropout2d, ELU, Flatten, GELU, Hardswish, Identity, LayerNorm, LeakyReLU, Linear, LogSigmoid, LogSoftmax,
    MaxPool1d, MaxPool2d, Mish, Module, PReLU, Parameters, ReLU, SELU, Sequential, SiLU, Sigmoid, Softmax,
    Softplus, Softsign, Tanh, Unflatten, sequential,
};
use rekindle_tensor::random::dropout::{DropoutStream, with_dropout_stream};
use rekindle_tensor::random::{Generator, manual_seed, with_generator};
use rekindle_tensor::{Device, Tensor, no_grad, set_num_threads, tensor};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Losses and final weights of some steps on batches of `sizes`, one after another.
fn trained(
    net: impl Fn() -> Sequential,
    loss: &dyn Loss,
    batch: impl Fn(usize) -> (Tensor, Tensor),
    sizes: &[usize],
    captured: Option<&mut Captured>,
) -> Vec<u64> {
    // Other tests draw at the same time, from the default generator.
    with_generator(&mut Generator::seeded(3), || train(net, loss, batch, sizes, captured))
}

fn train(
    net: impl Fn() -> Sequential,
    loss: &dyn Loss,
    batch: impl Fn(usize) -> (Tensor, Tensor),
    sizes: &[usize],
    captured: Option<&mut Captured>,
) -> Vec<u64> {
    let net = net();
    net.train();
    let batches: Vec<(Tensor, Tensor)> = sizes.iter().map(|&n| batch(n)).collect();
    let mut optimizer = Adam::new(net.parameters(), 0.01);
    let mut bits = Vec::new();
    let mut own = Captured::new();
    let eager = captured.is_none();
    let captured = captured.unwrap_or(&mut own);
    // Some of them are recorded again.
    for _ in 0..9 {
        for (x, y) in &batches {
            let value = if eager {
                let value = loss.forward(&net.forward(x), y);
                value.backward();
                value.item()
            } else {
                captured.backward(&net, loss, x, y)
            };
            bits.push(value.to_bits());
            for p in net.parameters().iter().filter(|p| p.requires_grad()) {
                bits.extend(p.grad().unwrap().to_vec::<f32>().iter().map(|v| u64::from(v.to_bits())));
            }
            optimizer.step();
            optimizer.zero_grad();
        }
    }
    bits.extend(net.named_buffers().iter().flat_map(|(_, b)| b.to_f64_vec()).map(f64::to_bits));
    bits
}

/// Holds captured steps against eager ones for one thread and several, at sizes around the blocks' borders.
fn same(
    name: &str,
    net: impl Fn() -> Sequential,
    loss: &dyn Loss,
    batch: impl Fn(usize) -> (Tensor, Tensor),
    sizes: &[usize],
) {
    let eager = trained(&net, loss, &batch, sizes, None);
    for threads in [1, 2, 3] {
        set_num_threads(threads);
        let mut captured = Captured::new();
        let planned = trained(&net, loss, &batch, sizes, Some(&mut captured));
        assert_eq!(captured.refusal(), None, "{name}");
        assert_eq!(captured.describe().len(), sizes.len(), "{name}");
        assert!(planned == eager, "{name}, {threads} threads: the bits differ");
    }
}

fn numbers(width: usize, outputs: usize) -> impl Fn(usize) -> (Tensor, Tensor) {
    move |n| {
        let x = Tensor::randn([n, width]);
        let y = Tensor::rand([n, outputs]).round();
        (x, y)
    }
}

fn classes(width: usize, classes: i64) -> impl Fn(usize) -> (Tensor, Tensor) {
    move |n| (Tensor::randn([n, width]), Tensor::randint(0, classes, [n]))
}

const SIZES: [usize; 4] = [1, 5, 385, 1153];

#[test]
fn every_loss_gives_the_bits_of_the_eager_step() {
    let net = |outputs| move || sequential![Linear::new(6, 9), ReLU, Linear::new(9, outputs)];
    for outputs in [1, 3] {
        for loss in [
            &BCEWithLogitsLoss::new() as &dyn Loss,
            &BCEWithLogitsLoss::new().reduction(Reduction::Sum),
            &MSELoss::new(),
            &L1Loss::new(),
            &SmoothL1Loss::new(),
            &HuberLoss::new(),
        ] {
            same(&format!("{loss:?} of {outputs}"), net(outputs), loss, numbers(6, outputs), &SIZES);
        }
    }
    let probable = || sequential![Linear::new(6, 9), ReLU, Linear::new(9, 2), Sigmoid];
    same("BCELoss", probable, &BCELoss::new(), numbers(6, 2), &SIZES);
    same("cross entropy", net(4), &CrossEntropyLoss::new(), classes(6, 4), &SIZES);
    let sum = CrossEntropyLoss::new().reduction(Reduction::Sum);
    same("sum of cross entropies", net(4), &sum, classes(6, 4), &SIZES);
    let chances = |n| (Tensor::randn([n, 6]), Tensor::randn([n, 4]).softmax(1));
    same("cross entropy of probabilities", net(4), &CrossEntropyLoss::new(), chances, &SIZES);
    same("sum of cross entropies of probabilities", net(4), &sum, chances, &SIZES);
    let ignoring = CrossEntropyLoss::new().ignore_index(2);
    same("ignoring", net(4), &ignoring, classes(6, 4), &[5, 385, 1153]);
    let weighted = || CrossEntropyLoss::new().weight(tensor([0.5, 2.0, 1.0, 0.0]).float());
    same("class weights", net(4), &weighted(), classes(6, 4), &[5, 385, 1153]);
    let smooth = CrossEntropyLoss::new().label_smoothing(0.1);
    same("label smoothing", net(4), &smooth, classes(6, 4), &SIZES);
    let all = weighted().label_smoothing(0.3).ignore_index(1);
    same("weights, smoothing, ignoring", net(4), &all, classes(6, 4), &[5, 385, 1153]);
    let logs = || sequential![Linear::new(6, 4), LogSoftmax::new(1)];
    let nll = NLLLoss::new().weight(tensor([0.5, 2.0, 1.0, 3.0]).float());
    same("NLLLoss", logs, &nll, classes(6, 4), &SIZES);
}

#[test]
fn class_weights_that_change_are_seen() {
    let net = sequential![Linear::new(6, 3)];
    let (x, y) = classes(6, 3)(50);
    let weight = tensor([1.0, 1.0, 1.0]).float();
    let loss = CrossEntropyLoss::new().weight(weight.clone()).reduction(Reduction::Sum);
    let mut step = Captured::new();
    let losses = |step: &mut Captured| (0..6).map(|_| step.backward(&net, &loss, &x, &y)).collect::<Vec<_>>();
    let before = losses(&mut step);
    assert!(step.is_planned() && before.iter().all(|l| *l == before[0]));
    no_grad(|| _ = weight.fill_(2.0));
    let after = losses(&mut step);
    assert!(after.iter().all(|l| (l - 2.0 * before[0]).abs() < 1e-3), "{before:?} {after:?}");
}

type Layer = fn() -> Box<dyn Module>;

#[test]
fn every_layer_with_a_stage_gives_the_bits_of_the_eager_step() {
    let loss = BCEWithLogitsLoss::new();
    let layers: Vec<(&str, Layer)> = vec![
        ("ReLU", || Box::new(ReLU)),
        ("Sigmoid", || Box::new(Sigmoid)),
        ("Tanh", || Box::new(Tanh)),
        ("LeakyReLU", || Box::new(LeakyReLU::new(0.1))),
        ("ELU", || Box::new(ELU::new(1.0))),
        ("SELU", || Box::new(SELU)),
        ("GELU", || Box::new(GELU::new())),
        ("SiLU", || Box::new(SiLU)),
        ("Mish", || Box::new(Mish)),
        ("Softplus", || Box::new(Softplus::new(1.0, 20.0))),
        ("Identity", || Box::new(Identity)),
        ("Flatten", || Box::new(Flatten::new())),
        ("Dropout(0.5)", || Box::new(Dropout::new(0.5))),
        ("Dropout(0.9)", || Box::new(Dropout::new(0.9))),
        ("Dropout(1)", || Box::new(Dropout::new(1.0))),
    ];
    for (name, layer) in layers {
        let net = || Sequential::new().push(Linear::new(6, 9)).push(layer()).push(Linear::new(9, 1));
        same(name, net, &loss, numbers(6, 1), &SIZES);
    }
}

#[test]
fn every_other_layer_gives_the_bits_of_the_eager_step_captured_or_not() {
    let loss = CrossEntropyLoss::new();
    let layers: Vec<(&str, Layer)> = vec![
        ("AdaptiveAvgPool2d", || Box::new(AdaptiveAvgPool2d::new(3))),
        ("BatchNorm2d", || Box::new(BatchNorm2d::new(2))),
        ("Dropout2d", || Box::new(Dropout2d::new(0.5))),
        ("AlphaDropout", || Box::new(AlphaDropout::new(0.5))),
        ("PReLU", || Box::new(PReLU::new(1))),
        ("Hardswish", || Box::new(Hardswish)),
        ("Softsign", || Box::new(Softsign)),
        ("Softmax", || Box::new(Softmax::new(1))),
        ("LogSoftmax", || Box::new(LogSoftmax::new(-1))),
        ("LogSigmoid", || Box::new(LogSigmoid)),
    ];
    let mut refused = Vec::new();
    for (name, layer) in layers {
        let net = || {
            let images = Sequential::new().push(Linear::new(6, 32)).push(Unflatten::new(1, [2, 4, 4]));
            let layer = images.push(layer());
            let outputs = if name == "AdaptiveAvgPool2d" { 18 } else { 32 };
            layer.push(Flatten::new()).push(Linear::new(outputs, 4))
        };
        let eager = trained(net, &loss, classes(6, 4), &[5, 385], None);
        let mut captured = Captured::new();
        let planned = trained(net, &loss, classes(6, 4), &[5, 385], Some(&mut captured));
        assert!(planned == eager, "{name}: the bits differ; {:?}", captured.describe());
        refused.extend(captured.refusal().map(|_| name));
    }
    // It is composed of operations on a view of its parameter that is made anew.
    assert_eq!(refused, ["PReLU"]);
}

#[test]
fn every_shape_of_a_linear_layer_gives_the_bits_of_the_eager_step() {
    for (inputs, hidden, outputs) in [(1, 1, 1), (1, 5, 1), (7, 1, 3), (2, 40, 1), (130, 33, 1), (20, 17, 16)]
    {
        let net = || sequential![Linear::new(inputs, hidden), Tanh, Linear::new(hidden, outputs)];
        let name = format!("{inputs}-{hidden}-{outputs}");
        same(&name, net, &MSELoss::new(), numbers(inputs, outputs), &[2, 384, 769]);
    }
    let without = || sequential![Linear::new(6, 9).bias(false), ReLU, Linear::new(9, 1)];
    same("without bias", without, &MSELoss::new(), numbers(6, 1), &SIZES);
}

fn images(channels: usize, side: usize) -> impl Fn(usize) -> (Tensor, Tensor) {
    move |n| (Tensor::randn([n, channels, side, side]), Tensor::randint(0, 3, [n]))
}

/// Around the sizes where convolutions cut a batch.
const IMAGES: [usize; 4] = [1, 3, 32, 37];

#[test]
fn convolutions_and_pooling_give_the_bits_of_the_eager_step() {
    let loss = CrossEntropyLoss::new();
    let lecture = || {
        sequential![
            Conv2d::new(1, 5, 3),
            ReLU,
            MaxPool2d::new(2),
            Conv2d::new(5, 6, 2).bias(false),
            Tanh,
            MaxPool2d::new(2).stride(1),
            Flatten::new(),
            Dropout::new(0.3),
            Linear::new(54, 3),
        ]
    };
    same("the lecture's net", lecture, &loss, images(1, 12), &IMAGES);
    let padded = || {
        sequential![
            Conv2d::new(2, 4, 3).padding(1).stride(2),
            LeakyReLU::new(0.1),
            AvgPool2d::new(2),
            Flatten::new(),
            Linear::new(16, 3),
        ]
    };
    same("strides, padding, means", padded, &loss, images(2, 8), &IMAGES);
    // More weights than the gradients of all parts may have: its gradient waits for all rows.
    let large = || {
        sequential![
            Conv2d::new(1, 8, 3),
            ReLU,
            Conv2d::new(8, 700, 8),
            ReLU,
            Flatten::new(),
            Linear::new(700, 3)
        ]
    };
    same("a large kernel", large, &loss, images(1, 10), &[33]);
    let sequence =
        || sequential![Conv1d::new(2, 3, 3), ReLU, MaxPool1d::new(2), Flatten::new(), Linear::new(9, 3)];
    let sequences = |n| (Tensor::randn([n, 2, 8]), Tensor::randint(0, 3, [n]));
    same("sequences", sequence, &loss, sequences, &IMAGES);
}

#[test]
fn masks_of_a_gpu_are_those_of_the_eager_step() {
    let net = || {
        sequential![
            Linear::new(6, 9),
            Dropout::new(0.5),
            ReLU,
            Linear::new(9, 12),
            Dropout::new(0.3),
            Linear::new(12, 4)
        ]
    };
    let compare = || same("two dropouts", net, &CrossEntropyLoss::new(), classes(6, 4), &SIZES);
    with_dropout_stream(DropoutStream::Cuda, compare);
}

#[test]
fn what_needs_the_whole_batch_stands_between_pipelines() {
    let loss = CrossEntropyLoss::new();
    let normed = || {
        sequential![
            Conv2d::new(1, 4, 3),
            BatchNorm2d::new(4),
            ReLU,
            MaxPool2d::new(2),
            Flatten::new(),
            Linear::new(36, 9),
            BatchNorm1d::new(9).momentum(None),
            Dropout::new(0.5),
            Linear::new(9, 3),
        ]
    };
    same("batch norms", normed, &loss, images(1, 8), &[2, 3, 32, 37]);
    let first = || {
        sequential![BatchNorm1d::new(6), Linear::new(6, 9), LayerNorm::new(9), GELU::new(), Linear::new(9, 4)]
    };
    same("a norm at either place", first, &loss, classes(6, 4), &[2, 5, 385, 1153]);
    let last = || sequential![Linear::new(6, 4), BatchNorm1d::new(4).affine(false)];
    same("a norm at the end", last, &loss, classes(6, 4), &[2, 5, 385]);
    let mut captured = Captured::new();
    trained(normed, &loss, images(1, 8), &[37], Some(&mut captured));
    assert_eq!(
        captured.describe(),
        [
            "conv2d -> [batch_norm] -> relu -> max_pool2d -> linear -> [batch_norm] -> dropout -> linear -> cross_entropy; \
          37 rows in 16 blocks, beside each other"
        ]
    );
}

#[test]
fn frozen_layers_get_no_gradient() {
    let net = || {
        let net = sequential![Linear::new(6, 9), ReLU, Linear::new(9, 8), Tanh, Linear::new(8, 1)];
        let frozen = net.parameters();
        [0, 1, 4].iter().for_each(|&i: &usize| _ = frozen[i].requires_grad_(false));
        net
    };
    same("frozen", net, &MSELoss::new(), numbers(6, 1), &SIZES);
}

#[test]
fn forward_passes_give_the_bits_of_eager_ones() {
    let nets: Vec<(&str, Sequential, Tensor)> = with_generator(&mut Generator::seeded(5), || {
        let mlp = sequential![Linear::new(6, 9), ReLU, Dropout::new(0.5), Linear::new(9, 1), Sigmoid];
        let cnn = sequential![
            Conv2d::new(1, 4, 3),
            BatchNorm2d::new(4),
            ReLU,
            MaxPool2d::new(2),
            Flatten::new(),
            Linear::new(36, 3),
            Softmax::new(1),
        ];
        let (rows, images) = (Tensor::randn([100_000, 6]), Tensor::randn([70, 1, 8, 8]));
        vec![("mlp", mlp, rows), ("cnn", cnn, images)]
    });
    for (name, net, all) in nets {
        net.eval();
        for (n, threads) in [(1, 1), (2, 2), (17, 3), (all.shape()[0], 1), (all.shape()[0], 2)] {
            set_num_threads(threads);
            let x = all.narrow(0, 0, n);
            let mut captured = Captured::new();
            for _ in 0..9 {
                no_grad(|| net.parameters().iter().for_each(|p| _ = p.mul_(1.01)));
                let (y, expected) = (captured.forward(&net, &x), no_grad(|| net.forward(&x)));
                assert_eq!((y.shape(), y.requires_grad()), (expected.shape(), false));
                let bits = |t: &Tensor| t.to_vec::<f32>().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert!(bits(&y) == bits(&expected), "{name}, {n} rows");
            }
            assert!(captured.is_planned(), "{name}: {:?}", captured.refusal());
        }
    }
}

#[test]
fn what_has_no_plan_runs_eagerly_and_says_why() {
    let run = |net: &dyn Module| {
        let (x, y) = numbers(4, 1)(10);
        let mut captured = Captured::new();
        (0..4).for_each(|_| _ = captured.backward(net, &MSELoss::new(), &x, &y));
        captured.refusal().unwrap_or_default().to_string()
    };
    let deciding = |layer: &Linear, x: &Tensor| {
        let y = layer.forward(x);
        if y.to_vec::<f32>()[0] > 0.0 { y.relu() } else { y.tanh() }
    };
    let deciding = run(&Custom(Linear::new(4, 1), deciding));
    assert_eq!(deciding, "the elements of a tensor are read between operations");
    let twice = |layer: &Linear, x: &Tensor| layer.forward(&layer.forward(x));
    let twice = run(&sequential![Custom(Linear::new(4, 4), twice), Linear::new(4, 1)]);
    assert_eq!(twice, "a parameter is used twice");
    let residual = |layer: &Linear, x: &Tensor| x + layer.forward(x);
    let residual = run(&sequential![Custom(Linear::new(4, 4), residual), Linear::new(4, 1)]);
    assert_eq!(residual, "add takes other things than the output of the operation before it and parameters");
    let other_way = |layer: &Linear, x: &Tensor| layer.forward(x) + x;
    let other_way = run(&sequential![Custom(Linear::new(4, 4), other_way), Linear::new(4, 1)]);
    assert_eq!(other_way, residual);
    let cut_off = |layer: &Linear, x: &Tensor| no_grad(|| layer.forward(x));
    let cut_off = run(&sequential![Custom(Linear::new(4, 4), cut_off), Linear::new(4, 1)]);
    assert_eq!(cut_off, "linear is cut off from the gradients of what comes before it");
    let turned = |layer: &Linear, x: &Tensor| layer.forward(x).reshape([10, 2, 2]).permute([0, 2, 1]);
    let turned = run(&sequential![
        Custom(Linear::new(4, 4), turned),
        Dropout::new(0.5),
        Flatten::new(),
        Linear::new(4, 1)
    ]);
    assert_eq!(turned, "permute gives a view in another order than that of memory");
    let anew = |layer: &Linear, x: &Tensor| layer.forward(x) * Tensor::ones([1]);
    let anew = run(&Custom(Linear::new(4, 1), anew));
    assert_eq!(anew, "two runs did different things, or took tensors that are made anew");
}

#[test]
fn values_that_are_used_twice_are_not_captured_under_no_grad_either() {
    let residual = |layer: &Linear, x: &Tensor| layer.forward(x) + x;
    let net = Custom(Linear::new(4, 4), residual);
    let mut captured = Captured::new();
    for _ in 0..9 {
        let x = Tensor::randn([6, 4]);
        let expected = no_grad(|| net.forward(&x)).to_vec::<f32>();
        assert_eq!(captured.forward(&net, &x).to_vec::<f32>(), expected);
    }
    assert!(!captured.is_planned());
}

/// Both are hidden by the next function; the eager run is to find them.
#[test]
fn infinities_of_the_batch_and_of_activations_are_seen() {
    for (net, bad) in [
        (sequential![ReLU, Tanh, Linear::new(2, 1)], f32::INFINITY),
        // Finite at the ends of the numbers, and not between them.
        (sequential![LeakyReLU::new(0.1), Softplus::new(1.0, 1000.0), Tanh, Linear::new(2, 1)], 100.0),
    ] {
        let (x, y) = numbers(2, 1)(10);
        let mut captured = Captured::new();
        (0..5).for_each(|_| _ = captured.backward(&net, &MSELoss::new(), &x, &y));
        assert!(captured.is_planned());
        no_grad(|| _ = x.fill_(f64::from(bad)));
        // The fourth run of the plan is recorded, the fifth and sixth are not.
        assert!((0..3).all(|_| captured.replay(&x, &y).is_none()), "{bad}");
        no_grad(|| _ = x.fill_(1.0));
        assert!(captured.replay(&x, &y).is_some(), "{bad}");
    }
}

#[test]
fn an_infinite_output_of_what_needs_the_whole_batch_is_seen_behind_a_relu() {
    let net = sequential![Linear::new(2, 3), BatchNorm1d::new(3), ReLU, Linear::new(3, 1)];
    let (x, y) = numbers(2, 1)(10);
    let mut captured = Captured::new();
    (0..3).for_each(|_| _ = captured.backward(&net, &MSELoss::new(), &x, &y));
    assert!(captured.is_planned());
    // The plan's first, second and fourth runs are recorded again.
    assert!(captured.replay(&x, &y).is_none() && captured.replay(&x, &y).is_some());
    let shift = net.named_parameters().into_iter().find(|(name, _)| name == "1.bias").unwrap().1;
    no_grad(|| _ = shift.fill_(f64::NEG_INFINITY));
    let statistics = || net.named_buffers().iter().flat_map(|(_, b)| b.to_f64_vec()).collect::<Vec<_>>();
    let before = statistics();
    (0..2).for_each(|_| assert!(captured.replay(&x, &y).is_none()));
    assert_eq!(statistics(), before, "what a step changed that came to nothing is put back");
}

#[test]
fn many_weights_make_one_block_of_a_batch() {
    let net = sequential![Linear::new(3000, 2000), ReLU, Linear::new(2000, 1)];
    let (x, y) = numbers(3000, 1)(1200);
    let mut captured = Captured::new();
    let mut gradients = || {
        net.zero_grad();
        captured.backward(&net, &MSELoss::new(), &x, &y);
        net.parameters().iter().flat_map(|p| p.grad().unwrap().to_vec::<f32>()).collect::<Vec<_>>()
    };
    let eager = gradients();
    // The fifth step is the first that is replayed.
    (0..3).for_each(|_| _ = gradients());
    assert!(gradients() == eager, "the bits differ");
    assert!(captured.describe()[0].ends_with("1200 rows in one block"), "{:?}", captured.describe());
}

/// A layer with a forward pass of its own.
struct Custom<F>(Linear, F);

impl<F> Parameters for Custom<F> {
    fn visit(&self, visitor: &mut rekindle_nn::Visitor<'_>) {
        visitor.field("0", &self.0);
    }
}

impl<F: Fn(&Linear, &Tensor) -> Tensor + Send + Sync> Module for Custom<F> {
    fn forward(&self, x: &Tensor) -> Tensor {
        (self.1)(&self.0, x)
    }
}

#[test]
fn a_net_that_comes_to_do_something_else_is_found_out() {
    let calls = AtomicUsize::new(0);
    let counting = move |layer: &Linear, x: &Tensor| match calls.fetch_add(1, Ordering::Relaxed) {
        0..4 => layer.forward(x).relu(),
        _ => layer.forward(x).tanh(),
    };
    let net = Custom(Linear::new(4, 1), counting);
    let (x, y) = numbers(4, 1)(10);
    let mut captured = Captured::new();
    (0..20).for_each(|_| _ = captured.backward(&net, &MSELoss::new(), &x, &y));
    assert_eq!(captured.refusal(), Some("two runs did different things, or took tensors that are made anew"));
    assert!(!captured.is_planned());
}

#[test]
#[should_panic(expected = "predictions must be probabilities")]
fn what_a_loss_does_not_take_is_said_by_the_eager_step() {
    with_generator(&mut Generator::seeded(0), || {
        let net = sequential![Linear::new(1, 1)];
        no_grad(|| net.parameters().iter().for_each(|p| _ = p.fill_(0.5)));
        let (x, y) = (Tensor::zeros([3, 1]), Tensor::ones([3, 1]));
        let mut captured = Captured::new();
        let mut step = |loss: &BCELoss| captured.backward(&net, loss, &x, &y);
        (0..6).for_each(|_| _ = step(&BCELoss::new()));
        no_grad(|| net.parameters().iter().for_each(|p| _ = p.fill_(2.0)));
        step(&BCELoss::new());
    });
}

#[test]
fn gradients_are_added_to_those_that_are_there_and_those_that_are_held_stay() {
    manual_seed(0);
    let net = sequential![Linear::new(3, 1)];
    let (x, y) = numbers(3, 1)(20);
    let mut captured = Captured::new();
    let mut step = || captured.backward(&net, &MSELoss::new(), &x, &y);
    (0..4).for_each(|_| _ = step());
    let weight = &net.parameters()[0];
    weight.zero_grad();
    step();
    let once = weight.grad().unwrap();
    let bits = once.to_vec::<f32>();
    step();
    assert_eq!(weight.grad().unwrap().to_vec::<f32>(), bits.iter().map(|v| v + v).collect::<Vec<_>>());
    net.parameters().iter().for_each(Tensor::zero_grad);
    SGD::new(net.parameters(), 0.1).step();
    no_grad(|| _ = weight.fill_(0.5));
    step();
    assert_eq!(once.to_vec::<f32>(), bits, "what is held is not written");
}

#[test]
fn a_step_on_a_gpu_with_weights_from_the_cpu_is_replayed() {
    let gpu = Device::gpu(0);
    if let Err(e) = gpu.check() {
        _ = writeln!(std::io::stderr(), "NO GPU: nothing was tested: {e}");
        return;
    }
    let w = tensor([1.0, 0.5, 2.0]);
    let x = (Tensor::arange(0.0, 63.0, 1.0) * 0.37).sin().reshape([9, 7]).to(gpu);
    let soft = (Tensor::arange(0.0, 27.0, 1.0) * 0.37).sin().sigmoid().reshape([9, 3]).to(gpu);
    let classes = tensor([0, 1, 2, 0, 1, 2, 0, 1, 2]).to(gpu);
    let cross_entropy = || CrossEntropyLoss::new().weight(w.clone()).label_smoothing(0.1);
    let cases: [(Box<dyn Loss>, &Tensor); 5] = [
        (Box::new(BCEWithLogitsLoss::new().weight(w.clone())), &soft),
        (Box::new(BCEWithLogitsLoss::new().pos_weight(w.clone())), &soft),
        (Box::new(cross_entropy()), &soft),
        (Box::new(cross_entropy()), &classes),
        (Box::new(MultiMarginLoss::new().weight(w.clone())), &classes),
    ];
    for (i, (loss, y)) in cases.into_iter().enumerate() {
        let net = sequential![Linear::new(7, 19), Tanh, Linear::new(19, 3)];
        net.to(gpu);
        let mut step = Captured::new();
        let first = step.backward(&net, &*loss, &x, y);
        for _ in 0..6 {
            net.zero_grad();
            assert_eq!(step.backward(&net, &*loss, &x, y), first, "case {i}");
        }
        assert!(step.is_planned(), "case {i}: {:?}", step.refusal());
        assert_eq!(loss.forward(&net.forward(&x), y).item::<f64>(), first, "case {i}");
    }
}
