//! Losses, optimisers and networks on a GPU against the CPU. Without a device these tests say so and pass; CI has Mesa's software Vulkan.

use crate::losses::TABLE;
use rekindle_nn::loss::*;
use rekindle_nn::optim::{
    Adadelta, Adagrad, Adam, AdamW, Adamax, Core, Optimizer, ParamGroup, RMSprop, Real, Rule, SGD, State,
    clip_grad_norm_, clip_grad_norm_of_, clip_grad_norm_on_device_, clip_grad_value_,
};
use rekindle_nn::{
    Buffer, EmbedColumns, Linear, Module, Parameters, Sequential, StateDict, Tanh, init, parameter,
    sequential, summary,
};
use rekindle_tensor::random::{Generator, with_generator};
use rekindle_tensor::testing::Sample;
use rekindle_tensor::{Device, Element, Tensor, check, tensor};
use std::io::Write;

/// The first device, if there is one.
fn device() -> Option<Device> {
    let device = Device::gpu(0);
    let there = device.check();
    if let Err(e) = &there {
        _ = writeln!(std::io::stderr(), "NO GPU: nothing was tested: {e}");
    }
    there.ok().map(|()| device)
}

/// Uneven numbers in -1 to 1.
fn numbers(shape: &[usize], seed: u64) -> Tensor {
    with_generator(&mut Generator::seeded(seed), || Tensor::rand(shape)) * 2.0 - 1.0
}

fn close(a: &Tensor, b: &Tensor, tolerance: f64) -> bool {
    let near = |(a, b): (f64, f64)| (a - b).abs() <= tolerance * b.abs().max(1.0);
    a.shape() == b.shape() && a.to_f64_vec().into_iter().zip(b.to_f64_vec()).all(near)
}

#[test]
fn every_loss_agrees_with_the_cpu() {
    let Some(gpu) = device() else { return };
    let failures: Vec<String> = TABLE
        .iter()
        .flat_map(|line| (line.samples)().into_iter().map(move |sample| (line.loss, sample)))
        .filter_map(|(loss, sample)| Some(format!("{loss}: {}", sample.check_gpu(gpu).err()?)))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Classes from 0 to 36 and a few ignored.
fn classes(shape: &[usize]) -> Tensor {
    let class = |i: usize| if i % 11 == 5 { -100 } else { (i * i + 3 * i) as i64 % 37 };
    Tensor::from_vec((0..shape.iter().product()).map(class).collect(), shape)
}

#[test]
fn scores_of_many_samples_and_classes_agree_with_the_cpu() {
    let Some(gpu) = device() else { return };
    let reductions = [Reduction::Mean, Reduction::Sum, Reduction::None];
    for (shape, indices) in [
        (&[300, 37][..], &[300][..]),
        (&[3, 1000], &[3]),
        (&[70, 300], &[70]),
        (&[5, 40, 7], &[5, 7]),
        (&[3, 37, 9, 11], &[3, 9, 11]),
    ] {
        let w = numbers(&shape[1..2], 1) + 1.5;
        for (reduction, smoothing) in reductions.iter().flat_map(|&r| [(r, 0.0), (r, 0.1)]) {
            let plain = CrossEntropyLoss::new().reduction(reduction).label_smoothing(smoothing);
            for loss in [plain.clone(), plain.weight(w.clone())] {
                let probabilities = loss.clone();
                let of_indices = Sample::new("cross_entropy", move |x| loss.forward(&x[0], &x[1]));
                of_indices.large(&[shape]).with(&[classes(indices)]).check_gpu(gpu).unwrap();
                let soft = move |x: &[Tensor]| probabilities.forward(&x[0], &x[1].sigmoid());
                Sample::new("soft targets", soft).large(&[shape, shape]).check_gpu(gpu).unwrap();
            }
            let nll = NLLLoss::new().reduction(reduction).weight(w.clone());
            let nll = Sample::new("nll_loss", move |x| nll.forward(&x[0], &x[1]));
            nll.large(&[shape]).with(&[classes(indices)]).check_gpu(gpu).unwrap();
        }
    }
}

#[test]
fn large_logits_keep_their_digits() {
    let Some(gpu) = device() else { return };
    let x = numbers(&[50, 20], 3) * 3.0 + 10_000.0;
    let t = Tensor::arange(0, 50, 1);
    let t = Tensor::from_vec(t.to_vec::<i64>().iter().map(|t| t % 20).collect(), 50);
    let of = |device: Device| CrossEntropyLoss::new().forward(&x.to(device), &t.to(device)).item::<f64>();
    assert!((of(gpu) - of(Device::Cpu)).abs() < 1e-5);
}

#[test]
fn what_is_out_of_range_makes_the_loss_nan() {
    let Some(gpu) = device() else { return };
    let x = numbers(&[3, 4], 1).to(gpu);
    let loss = |loss: &dyn Loss, x: &Tensor, t: Tensor| loss.forward(x, &t.to(gpu)).item::<f32>();
    for bad in [tensor([0, 4, 1]), tensor([0, -1, 1])] {
        assert!(loss(&CrossEntropyLoss::new(), &x, bad.clone()).is_nan());
        assert!(loss(&CrossEntropyLoss::new().reduction(Reduction::Sum), &x, bad.clone()).is_nan());
        assert!(loss(&NLLLoss::new().weight(Tensor::ones([4])), &x, bad).is_nan());
    }
    assert!(loss(&CrossEntropyLoss::new().ignore_index(-1), &x, tensor([0, -1, 1])).is_finite());
    assert!(loss(&CrossEntropyLoss::new().ignore_index(7), &x, tensor([0, 7, 1])).is_finite());
    let p = tensor([0.5, 1.0, 0.0]);
    assert!(loss(&BCELoss::new(), &p.to(gpu), tensor([0.5, 1.0, 0.0])).is_finite());
    for bad in [1.5, -0.5, f64::NAN] {
        let bad = tensor([0.5, 0.25, bad]);
        assert!(loss(&BCELoss::new(), &p.to(gpu), bad.clone()).is_nan());
        assert!(loss(&BCELoss::new(), &bad.to(gpu), p.clone()).is_nan());
    }
}

#[test]
fn a_class_without_a_margin_makes_the_loss_nan() {
    let Some(gpu) = device() else { return };
    let x = numbers(&[2, 3], 1).to(gpu);
    assert!(MultiMarginLoss::new().forward(&x, &tensor([0, 3]).to(gpu)).item::<f32>().is_nan());
}

#[test]
fn tensors_on_different_devices_are_refused_by_name() {
    let Some(gpu) = device() else { return };
    let say = |loss: &dyn Loss, x: &Tensor, t: &Tensor| check(|| loss.forward(x, t)).unwrap_err();
    let (x, t) = (Tensor::zeros([2, 3]), tensor([0, 1]));
    assert_eq!(
        say(&CrossEntropyLoss::new(), &x, &t.to(gpu)),
        "cross_entropy: input is on cpu, target on gpu:0; move one with .to(..)"
    );
    assert_eq!(
        say(&CrossEntropyLoss::new(), &x.to(gpu), &t),
        "cross_entropy: input is on gpu:0, target on cpu; move one with .to(..)"
    );
    assert_eq!(
        say(&MSELoss::new(), &x.to(gpu), &x),
        "mse_loss: input is on gpu:0, target on cpu; move one with .to(..)"
    );
    assert_eq!(
        say(&BCELoss::new(), &x.to(gpu), &x),
        "binary_cross_entropy: input is on gpu:0, target on cpu; move one with .to(..)"
    );
}

type Make = fn(Vec<Tensor>) -> Box<dyn Optimizer>;

/// Every optimiser with each of its options.
#[rustfmt::skip]
const OPTIMIZERS: &[(&str, Make)] = &[
    ("sgd", |p| Box::new(SGD::new(p, 0.1))),
    ("sgd momentum", |p| Box::new(SGD::new(p, 0.05).momentum(0.9).weight_decay(0.01))),
    ("sgd dampening", |p| Box::new(SGD::new(p, 0.05).momentum(0.9).dampening(0.3))),
    ("sgd nesterov", |p| Box::new(SGD::new(p, 0.05).momentum(0.9).nesterov(true))),
    ("sgd maximize", |p| Box::new(SGD::new(p, 0.01).maximize(true))),
    ("adam", |p| Box::new(Adam::new(p, 0.01))),
    ("adam decay", |p| Box::new(Adam::new(p, 0.01).betas((0.4, 0.9)).weight_decay(0.1).eps(1e-4))),
    ("adam amsgrad", |p| Box::new(Adam::new(p, 0.01).amsgrad(true).maximize(true))),
    ("adamw", |p| Box::new(AdamW::new(p, 0.01).weight_decay(0.1))),
    ("adamw amsgrad", |p| Box::new(AdamW::new(p, 0.01).amsgrad(true))),
    ("rmsprop", |p| Box::new(RMSprop::new(p, 0.01).weight_decay(0.01))),
    ("rmsprop centered", |p| Box::new(RMSprop::new(p, 0.01).centered(true).eps(1e-3))),
    ("rmsprop momentum", |p| Box::new(RMSprop::new(p, 0.001).momentum(0.9).alpha(0.9))),
    ("rmsprop both", |p| Box::new(RMSprop::new(p, 0.001).momentum(0.9).centered(true).eps(1e-3).maximize(true))),
    ("adagrad", |p| Box::new(Adagrad::new(p, 0.05))),
    ("adagrad options", |p| Box::new(Adagrad::new(p, 0.05).lr_decay(0.1).initial_accumulator_value(0.1).weight_decay(0.01))),
    ("adadelta", |p| Box::new(Adadelta::new(p, 1.0))),
    ("adadelta options", |p| Box::new(Adadelta::new(p, 0.5).rho(0.8).eps(1e-4).weight_decay(0.01).maximize(true))),
    ("adamax", |p| Box::new(Adamax::new(p, 0.01))),
    ("adamax options", |p| Box::new(Adamax::new(p, 0.01).betas((0.4, 0.9)).weight_decay(0.1).maximize(true))),
];

/// A small net, always the same.
fn net() -> Sequential {
    with_generator(&mut Generator::seeded(5), || sequential![Linear::new(7, 19), Tanh, Linear::new(19, 3)])
}

fn step(net: &Sequential, optimizer: &mut dyn Optimizer, i: u64) {
    let device = net.parameters()[0].device();
    let (x, y) = (numbers(&[33, 7], i).to(device), numbers(&[33, 3], 100 + i).to(device));
    optimizer.zero_grad();
    MSELoss::new().forward(&net.forward(&x), &y).backward();
    optimizer.step();
}

/// Twenty steps, the `i`-th on the device that `place` says.
fn trained(make: Make, place: impl Fn(u64) -> Device) -> Sequential {
    let net = net();
    let mut optimizer = make(net.parameters());
    for i in 0..20 {
        net.to(place(i));
        step(&net, &mut *optimizer, i);
    }
    net
}

/// The first difference of two nets' weights.
fn difference(a: &Sequential, b: &Sequential) -> Option<String> {
    let (a, b) = (a.state_dict(), b.state_dict());
    let mut pairs = a.iter().zip(b.iter());
    pairs
        .find(|((_, a), (_, b))| !close(a, b, 1e-5))
        .map(|((name, a), (_, b))| format!("{name}: {a} and {b}"))
}

#[test]
fn every_optimizer_agrees_with_the_cpu() {
    let Some(gpu) = device() else { return };
    for (name, make) in OPTIMIZERS {
        let (here, there) = (trained(*make, |_| Device::Cpu), trained(*make, |_| gpu));
        assert_eq!(there.parameters()[0].device(), gpu);
        assert_eq!(difference(&there, &here), None, "{name}");
        assert!(difference(&there, &net()).is_some(), "{name} changes the weights");
    }
}

#[test]
fn a_net_can_change_the_device_in_the_middle_of_training() {
    let Some(gpu) = device() else { return };
    for (name, make) in OPTIMIZERS {
        let here = trained(*make, |_| Device::Cpu);
        let moved = trained(*make, |i| if (6..13).contains(&i) { gpu } else { Device::Cpu });
        assert_eq!(difference(&moved, &here), None, "{name}");
    }
}

#[test]
fn a_checkpoint_from_one_device_resumes_on_another() {
    let Some(gpu) = device() else { return };
    for (name, make) in OPTIMIZERS {
        let whole = trained(*make, |_| Device::Cpu);
        for (first, then) in [(gpu, Device::Cpu), (Device::Cpu, gpu)] {
            let old = net();
            old.to(first);
            let mut optimizer = make(old.parameters());
            (0..8).for_each(|i| step(&old, &mut *optimizer, i));
            let (weights, state) = (old.state_dict(), optimizer.state_dict());
            let on_cpu = |dict: &StateDict| dict.iter().all(|(_, t)| t.device() == Device::Cpu);
            assert!(on_cpu(&weights) && on_cpu(&state));
            let new = net();
            new.to(then);
            new.load_state_dict(&weights).unwrap();
            let mut optimizer = make(new.parameters());
            optimizer.load_state_dict(&StateDict::from_bytes(&state.to_bytes()).unwrap()).unwrap();
            (8..20).for_each(|i| step(&new, &mut *optimizer, i));
            assert_eq!(new.parameters()[0].device(), then);
            assert_eq!(difference(&new, &whole), None, "{name} from {first} to {then}");
        }
    }
}

#[test]
fn an_optimizer_says_whether_its_state_is_finite() {
    let Some(gpu) = device() else { return };
    let p = parameter(Tensor::zeros([300, 50]).to(gpu));
    let mut optimizer = Adam::new([p.clone()], 0.1);
    for (bad, finite) in [(1.0, true), (f64::INFINITY, false)] {
        let g = Tensor::ones([300, 50]);
        g.select(0, 299).select(0, 49).fill_(bad);
        p.set_grad(Some(g.to(gpu)));
        optimizer.step();
        assert_eq!(optimizer.state_is_finite(), finite, "{bad}");
    }
}

#[test]
fn an_optimizer_changes_a_view_where_it_lies() {
    let Some(gpu) = device() else { return };
    let all = tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).to(gpu);
    let p = parameter(all.t().narrow(0, 1, 2));
    p.set_grad(Some(Tensor::ones([2, 2]).to(gpu)));
    SGD::new([p.clone()], 0.5).momentum(0.9).step();
    assert_eq!(all.to_vec::<f32>(), [1.0, 1.5, 2.5, 4.0, 4.5, 5.5]);
}

/// A rule that was written for the CPU only.
struct Own(Core);

impl Rule for Own {
    const NAME: &'static str = "Own";
    const OPTIONS: &'static [&'static str] = &[];
    const STATE: &'static [&'static str] = &[];
    fn core(&self) -> &Core {
        &self.0
    }
    fn core_mut(&mut self) -> &mut Core {
        &mut self.0
    }
    fn update<T: Real + Element>(&self, _: &ParamGroup, _: &mut State, _: &Tensor, _: &[T]) {}
}

#[test]
fn a_rule_without_a_kernel_says_so() {
    let Some(gpu) = device() else { return };
    let p = parameter(Tensor::ones([2]).to(gpu));
    p.set_grad(Some(Tensor::ones([2]).to(gpu)));
    let mut own = Own(Core::new::<Own>([p], ParamGroup::new([]).lr(0.1)));
    let e = check(|| own.step()).unwrap_err();
    assert_eq!(e, "own: there is no update_gpu for parameters on a GPU; move them with .cpu(), or write it");
}

#[test]
fn gradients_are_clipped_where_they_are() {
    let Some(gpu) = device() else { return };
    let grads = || [numbers(&[101, 99], 1), numbers(&[7], 2), numbers(&[0], 3), numbers(&[3, 3], 4)];
    let params = |place: &dyn Fn(usize) -> Device| -> Vec<Tensor> {
        let one = |(i, g): (usize, Tensor)| {
            let p = parameter(Tensor::zeros(g.shape()));
            p.set_grad(Some(g));
            p.to_(place(i));
            p
        };
        grads().into_iter().enumerate().map(one).collect()
    };
    let places: [&dyn Fn(usize) -> Device; 2] = [&|_| gpu, &|i| if i == 1 { Device::Cpu } else { gpu }];
    let same = |a: &[Tensor], b: &[Tensor]| {
        a.iter().zip(b).all(|(a, b)| close(&a.grad().unwrap(), &b.grad().unwrap(), 1e-6))
    };
    for place in places {
        for (order, most) in [(2.0, 1.0), (1.0, 10.0), (f64::INFINITY, 0.3), (3.0, 2.0), (2.0, 1e6)] {
            let (here, there) = (params(&|_| Device::Cpu), params(place));
            let norms = [&here, &there].map(|p| clip_grad_norm_of_(p, most, order));
            assert!((norms[0] - norms[1]).abs() < 1e-5 * norms[0], "order {order}: {norms:?}");
            assert!(same(&there, &here), "order {order}");
            assert_eq!(there[0].grad().unwrap().device(), gpu);
        }
        let (here, there) = (params(&|_| Device::Cpu), params(place));
        [&here, &there].iter().for_each(|p| clip_grad_value_(p, 0.25));
        assert!(same(&there, &here));
    }
    for most in [1.0, 1e6] {
        let (here, there) = (params(&|_| Device::Cpu), params(&|_| gpu));
        let norm = clip_grad_norm_(&here, most);
        let on_device = clip_grad_norm_on_device_(&there, most).unwrap();
        assert!(on_device.device() == gpu && (on_device.item::<f64>() - norm).abs() < 1e-5 * norm);
        assert!(same(&there, &here), "on the device, {most}");
    }
    assert!(clip_grad_norm_on_device_(&[], 1.0).is_none());
    let p = parameter(Tensor::zeros([2]).to(gpu));
    p.set_grad(Some(tensor([f64::NAN, 1.0]).to(gpu)));
    clip_grad_value_(std::slice::from_ref(&p), 0.5);
    let limited = p.grad().unwrap().to_vec::<f32>();
    assert!(limited[0].is_nan() && limited[1] == 0.5);
    assert!(clip_grad_norm_(std::slice::from_ref(&p), 1.0).is_nan());
    assert!(p.grad().unwrap().to_vec::<f32>().iter().all(|v| v.is_nan()));
}

/// A net with everything that moves.
#[derive(Parameters)]
struct Everything {
    body: Sequential,
    scale: Tensor,
    mask: Buffer,
    count: Buffer,
}

fn everything() -> Everything {
    let (scale, mask) = (parameter(Tensor::ones([3])), Buffer(tensor([true, false, true])));
    Everything { body: net(), scale, mask, count: Buffer(Tensor::full([], 3)) }
}

#[test]
fn a_net_moves_with_its_gradients_and_buffers() {
    let Some(gpu) = device() else { return };
    let net = everything();
    let before = net.state_dict();
    net.scale.set_grad(Some(tensor([1.0, 2.0, 3.0])));
    let devices = |net: &Everything| -> Vec<Device> {
        let mut all: Vec<Device> = net.parameters().iter().map(Tensor::device).collect();
        all.extend(net.named_buffers().iter().map(|(_, b)| b.device()));
        all
    };
    let weight = net.body.parameters()[0].clone();
    assert!(devices(net.to(gpu)).into_iter().all(|d| d == gpu));
    assert!(weight.device() == gpu && weight.is_same(&net.body.parameters()[0]) && weight.is_leaf());
    assert_eq!(net.scale.grad().unwrap().device(), gpu);
    let same =
        |dict: StateDict| dict.iter().zip(before.iter()).all(|(a, b)| a.0 == b.0 && a.1.bitwise_eq(b.1));
    assert!(same(net.state_dict()));
    assert!(devices(net.cpu()).into_iter().all(|d| d == Device::Cpu) && same(net.state_dict()));
    assert_eq!(net.scale.grad().unwrap().to_vec::<f32>(), [1.0, 2.0, 3.0]);
}

#[test]
fn a_net_that_a_gpu_cannot_hold_stays_where_it_is() {
    let Some(gpu) = device() else { return };
    let mut net = everything();
    net.mask = Buffer(tensor([1.0]).double());
    let say = |net: &Everything, device| check(|| _ = net.to(device)).unwrap_err();
    assert_eq!(say(&net, gpu), "to: mask is f64, which gpu:0 has not; make it of f32, with .float()");
    net.mask = Buffer(Tensor::full([2], 1i64 << 40));
    assert_eq!(
        say(&net, gpu),
        "to: mask holds 1099511627776, which does not fit into the 32 bits of integers on gpu:0"
    );
    assert!(say(&net, Device::gpu(1000)).starts_with("to: gpu:1000: there is no such device"));
    assert!(net.parameters().iter().all(|p| p.device() == Device::Cpu));
}

#[test]
fn files_do_not_know_devices() {
    let Some(gpu) = device() else { return };
    let path = std::env::temp_dir().join(format!("rekindle-gpu-{}.safetensors", std::process::id()));
    let (a, b) = (net(), net());
    a.to(gpu).save(&path).unwrap();
    b.to(gpu).parameters().iter().for_each(|p| _ = init::zeros_(p));
    b.load(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(a.parameters().iter().zip(b.parameters()).all(|(a, b)| a.bitwise_eq(&b)));
    let mut dict = StateDict::new();
    dict.insert("x", tensor([1.0, 2.0]).to(gpu));
    assert_eq!(
        StateDict::from_bytes(&dict.to_bytes()).unwrap().get("x").unwrap().to_vec::<f32>(),
        [1.0, 2.0]
    );
}

#[test]
fn weights_are_drawn_as_on_the_cpu() {
    let Some(gpu) = device() else { return };
    let drawn = |device: Device| {
        let w = parameter(Tensor::zeros([5, 3]).to(device));
        let mut all = Vec::new();
        with_generator(&mut Generator::seeded(1), || {
            init::kaiming_uniform_(&w, init::FanMode::FanIn, init::Nonlinearity::Relu);
            all.extend(w.to_vec::<f32>());
            init::normal_(&w, 0.0, 0.1);
            all.extend(w.to_vec::<f32>());
            init::eye_(&w);
            all.extend(w.to_vec::<f32>());
        });
        assert_eq!(w.device(), device);
        all
    };
    assert_eq!(drawn(gpu), drawn(Device::Cpu));
}

#[test]
fn the_summary_is_that_of_the_cpu() {
    let Some(gpu) = device() else { return };
    let net = net();
    let here = summary(&net, [7]);
    assert_eq!(summary(net.to(gpu), [7]), here);
}

#[test]
fn columns_of_indices_become_vectors() {
    let Some(gpu) = device() else { return };
    let layer = with_generator(&mut Generator::seeded(1), || EmbedColumns::new(&[3, 1], &[4, 2], &[3, 2]));
    let x = tensor([[0.5, 1.0, -1.0, 3.0, 7.0], [1.5, 0.0, 1.0, 0.0, 8.0]]);
    let here = layer.forward(&x);
    layer.to(gpu);
    assert!(layer.forward(&x.to(gpu)).bitwise_eq(&here));
    for bad in [4.0, -1.0, 0.5, f64::NAN] {
        let wrong = x.copy();
        wrong.select(0, 1).select(0, 3).fill_(bad);
        let y = layer.forward(&wrong.to(gpu)).to_vec::<f32>();
        assert!(y[8 + 3..8 + 6].iter().all(|v| v.is_nan()), "{bad}");
        assert_eq!(y.iter().filter(|v| v.is_nan()).count(), 3, "{bad}");
    }
}
