//! Optimisers against PyTorch 2.15 (AVX-512), bit by bit; tables made by running the same lines there.

use rekindle_nn::optim::{
    Adadelta, Adagrad, Adam, AdamW, Adamax, Optimizer, ParamGroup, RMSprop, SGD, clip_grad_norm_,
    clip_grad_norm_of_,
};
use rekindle_nn::{StateDict, parameter};
use rekindle_tensor::{Tensor, check, tensor};

type Make = fn(Vec<Tensor>) -> Box<dyn Optimizer>;

fn weights() -> Tensor {
    parameter(tensor([0.5, -1.25, 3.0, -0.125, 1e-3]))
}

fn gradient(t: usize) -> Tensor {
    let g = (0..5).map(|i| (0.3 * (i as f64 + 1.0) - 0.25 * t as f64) as f32).collect();
    Tensor::from_vec(g, 5)
}

fn steps(p: &Tensor, optimizer: &mut dyn Optimizer, ts: std::ops::Range<usize>) {
    for t in ts {
        p.set_grad(Some(gradient(t)));
        optimizer.step();
    }
}

fn bits(p: &Tensor) -> Vec<u32> {
    p.to_vec::<f32>().iter().map(|v| v.to_bits()).collect()
}

/// An optimiser and the bits of the weights after five steps.
#[rustfmt::skip]
fn table() -> Vec<(Make, [u32; 5])> {
    vec![
        (|p| Box::new(SGD::new(p, 0.1)), [0x3f19999a, 0xbfa66667, 0x40333333, 0xbef33333, 0xbeff7cee]),
        (|p| Box::new(SGD::new(p, 0.1).momentum(0.9)), [0x3f11d4b6, 0xbfc98ed2, 0x4011fc01, 0xbf9e812c, 0xbfc0d994]),
        (|p| Box::new(SGD::new(p, 0.1).momentum(0.9).nesterov(true).weight_decay(1e-4)), [0x3f29a0d4, 0xbfcbc585, 0x4009c1bb, 0xbfbd0ae5, 0xbfed8a68]),
        (|p| Box::new(SGD::new(p, 0.05).momentum(0.8).dampening(0.3).weight_decay(0.01)), [0x3f031b55, 0xbfaee094, 0x402e99e8, 0xbf04db67, 0xbf07a502]),
        (|p| Box::new(SGD::new(p, 0.05).maximize(true)), [0x3ee66666, 0xbf9ccccd, 0x40466666, 0x3d4cccce, 0x3e808312]),
        (|p| Box::new(Adam::new(p, 1e-3)), [0x3eff8439, 0xbfa070ba, 0x403fb820, 0xbe04cba4, 0xbb79135b]),
        (|p| Box::new(Adam::new(p, 0.01).weight_decay(0.01)), [0x3efae350, 0xbfa45069, 0x403d29ce, 0xbe2ff1c6, 0xbd4087ad]),
        (|p| Box::new(Adam::new(p, 0.01).amsgrad(true)), [0x3efb2a3d, 0xbfa4673c, 0x403d3140, 0xbe2ff45f, 0xbd408948]),
        (|p| Box::new(Adam::new(p, 1e-3).betas((0.4, 0.9)).eps(1e-3)), [0x3f004a10, 0xbfa0378f, 0x403fc999, 0xbe04142b, 0xbb577d59]),
        (|p| Box::new(Adam::new(p, 0.01).maximize(true)), [0x3f026ae2, 0xbf9b98c4, 0x4042cec0, 0xbda01742, 0x3d48ba6f]),
        (|p| Box::new(AdamW::new(p, 1e-3)), [0x3eff80f4, 0xbfa06ead, 0x403fb5aa, 0xbe04c9f9, 0xbb79128a]),
        (|p| Box::new(AdamW::new(p, 0.01).weight_decay(0.1).amsgrad(true)), [0x3ef9eb73, 0xbfa397e3, 0x403c3d8f, 0xbe2f3738, 0xbd402734]),
        (|p| Box::new(RMSprop::new(p, 0.01)), [0x3f182338, 0xbfac15c6, 0x4033622e, 0xbebbd1b9, 0xbe86bb9d]),
        (|p| Box::new(RMSprop::new(p, 0.01).centered(true)), [0x3f1824c5, 0xbfac3332, 0x40334766, 0xbebd1136, 0xbe883ba8]),
        (|p| Box::new(RMSprop::new(p, 0.01).momentum(0.9).weight_decay(0.01)), [0x3ecd9d0f, 0xbfe248c4, 0x401157d2, 0xbf6c0235, 0xbf5616b2]),
        (|p| Box::new(RMSprop::new(p, 0.01).momentum(0.9).centered(true).alpha(0.9)), [0x3ef1569c, 0xbfb7335d, 0x402fdf05, 0xbed178a5, 0xbe99666e]),
        (|p| Box::new(Adagrad::new(p, 0.01)), [0x3f026395, 0xbfa13774, 0x403ebdc4, 0xbe18ab03, 0xbccf4925]),
        (|p| Box::new(Adagrad::new(p, 0.1).lr_decay(0.01).weight_decay(0.01).initial_accumulator_value(0.1)), [0x3f17f9bf, 0xbfa9f1ee, 0x4033b30a, 0xbeb6c8bc, 0xbe826214]),
        (|p| Box::new(Adamax::new(p, 2e-3)), [0x3efee774, 0xbfa0b369, 0x403f8d79, 0xbe07eefc, 0xbbebff7a]),
        (|p| Box::new(Adadelta::new(p, 1.0)), [0x3f020488, 0xbfa04eac, 0x403f7d1e, 0xbe0af76e, 0xbc36bde9]),
    ]
}

#[test]
fn five_steps_have_pytorchs_bits() {
    for (i, (make, expected)) in table().into_iter().enumerate() {
        let p = weights();
        steps(&p, &mut *make(vec![p.clone()]), 0..5);
        assert_eq!(bits(&p), expected, "row {i}");
    }
}

#[test]
fn a_resumed_optimizer_goes_on_to_the_same_bit() {
    for (i, (make, expected)) in table().into_iter().enumerate() {
        let p = weights();
        let mut first = make(vec![p.clone()]);
        steps(&p, &mut *first, 0..2);
        let saved = StateDict::from_bytes(&first.state_dict().to_bytes()).unwrap();
        let mut second = make(vec![p.clone()]);
        second.set_lr(123.0);
        second.load_state_dict(&saved).unwrap();
        steps(&p, &mut *second, 2..5);
        assert_eq!(bits(&p), expected, "row {i}");
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let run = |threads| {
        rekindle_tensor::set_num_threads(threads);
        let p = parameter(Tensor::linspace(-1.0, 1.0, 100_000));
        let mut optimizer = Adam::new(vec![p.clone()], 0.01);
        for _ in 0..3 {
            p.set_grad(Some(p.detach().copy()));
            optimizer.step();
        }
        p.detach()
    };
    let one = run(1);
    assert!(run(2).bitwise_eq(&one) && run(4).bitwise_eq(&one));
}

#[test]
fn double_precision_is_kept() {
    let p = parameter(Tensor::from_vec(vec![1.0f64], 1));
    let mut optimizer = SGD::new(vec![p.clone()], 0.1);
    p.set_grad(Some(Tensor::from_vec(vec![1e-12f64], 1)));
    optimizer.step();
    assert_eq!(p.item::<f64>(), 1.0 - 1e-13);
}

#[test]
fn groups_have_their_own_settings() {
    let (a, b) = (parameter(tensor([1.0])), parameter(tensor([1.0])));
    let groups = [ParamGroup::new([a.clone()]).lr(0.5), ParamGroup::new([b.clone()]).weight_decay(1.0)];
    let mut optimizer = SGD::new(groups, 0.25).weight_decay(0.0);
    for p in [&a, &b] {
        p.set_grad(Some(tensor([1.0])));
    }
    optimizer.step();
    assert_eq!((a.item::<f32>(), b.item::<f32>()), (0.5, 0.5));
}

#[test]
fn parameters_without_gradient_stay() {
    let p = weights();
    let before = bits(&p);
    AdamW::new(vec![p.clone()], 0.1).step();
    assert_eq!(bits(&p), before);
}

#[test]
fn foreign_state_is_refused_and_changes_nothing() {
    let saved = |mut optimizer: Box<dyn Optimizer>| {
        let p = optimizer.param_groups()[0].params[0].clone();
        steps(&p, &mut *optimizer, 0..1);
        optimizer.state_dict()
    };
    let p = weights();
    let mut adam = Adam::new([p.clone()], 0.5);
    let error = adam.load_state_dict(&saved(Box::new(SGD::new([weights()], 0.1)))).unwrap_err();
    assert!(error.missing.starts_with(&["optimizer.Adam".to_string()]), "{error}");
    assert!(error.unexpected.starts_with(&["optimizer.SGD".to_string()]), "{error}");
    let of_adam = saved(Box::new(Adam::new([weights()], 0.1)));
    let mut adamw = AdamW::new([weights()], 0.5);
    assert_eq!(
        adamw.load_state_dict(&of_adam).unwrap_err().to_string(),
        "state_dict does not fit: missing: optimizer.AdamW; unexpected: optimizer.Adam"
    );
    assert_eq!((adam.lr(), adamw.lr()), (0.5, 0.5));

    let more = Adam::new([p.clone(), weights()], 0.1).state_dict();
    assert_eq!(
        adam.load_state_dict(&more).unwrap_err().to_string(),
        "state_dict does not fit: shapes differ: param_groups.0.params is [2], expected [1]"
    );
    for lost in ["state.0.exp_avg", "param_groups.0.eps", "param_groups.0.amsgrad"] {
        let part: StateDict =
            of_adam.iter().filter(|(n, _)| *n != lost).map(|(n, t)| (n, t.clone())).collect();
        assert_eq!(adam.load_state_dict(&part).unwrap_err().missing, [lost]);
    }
    let before = bits(&p);
    steps(&p, &mut adam, 0..1);
    assert_ne!(bits(&p), before, "the optimizer still works");
}

#[test]
fn options_are_part_of_the_state() {
    // Each pair: how the saved optimiser was made, and how the one was that resumes it.
    let pairs: [(Make, Make); 7] = [
        (
            |p| Box::new(SGD::new(p, 0.1).momentum(0.9).nesterov(true).weight_decay(0.1).maximize(true)),
            |p| Box::new(SGD::new(p, 0.2).dampening(0.5)),
        ),
        (|p| Box::new(SGD::new(p, 0.1).momentum(0.9).dampening(0.5)), |p| Box::new(SGD::new(p, 0.1))),
        (
            |p| Box::new(Adam::new(p, 0.1).betas((0.5, 0.6)).eps(0.1).amsgrad(true).weight_decay(0.1)),
            |p| Box::new(Adam::new(p, 0.1).maximize(true)),
        ),
        (
            |p| Box::new(RMSprop::new(p, 0.1).alpha(0.5).centered(true).momentum(0.5).eps(0.1)),
            |p| Box::new(RMSprop::new(p, 0.1)),
        ),
        (
            |p| Box::new(Adagrad::new(p, 0.1).lr_decay(0.5).eps(0.1).initial_accumulator_value(0.5)),
            |p| Box::new(Adagrad::new(p, 0.1)),
        ),
        (|p| Box::new(Adamax::new(p, 0.1).betas((0.5, 0.6)).eps(0.1)), |p| Box::new(Adamax::new(p, 0.1))),
        (|p| Box::new(Adadelta::new(p, 0.1).rho(0.5).eps(0.1)), |p| Box::new(Adadelta::new(p, 0.1))),
    ];
    for (i, (make, other)) in pairs.into_iter().enumerate() {
        let (p, q) = (weights(), weights());
        let mut whole = make(vec![p.clone()]);
        steps(&p, &mut *whole, 0..5);
        let mut first = make(vec![q.clone()]);
        steps(&q, &mut *first, 0..2);
        let mut second = other(vec![q.clone()]);
        second.load_state_dict(&first.state_dict()).unwrap();
        steps(&q, &mut *second, 2..5);
        assert_eq!(bits(&q), bits(&p), "row {i}");
    }
}

#[test]
fn every_option_can_be_set_for_a_group() {
    // Each pair: an option set for the group, and the same set for the whole optimiser.
    type Of = fn(ParamGroup) -> Box<dyn Optimizer>;
    let pairs: [(Of, Of); 6] = [
        (
            |g| Box::new(SGD::new([g.momentum(0.5).dampening(0.25).maximize(true)], 0.1).dampening(0.75)),
            |g| Box::new(SGD::new([g], 0.1).momentum(0.5).dampening(0.25).maximize(true)),
        ),
        (
            |g| Box::new(SGD::new([g.nesterov(true)], 0.1).momentum(0.5)),
            |g| Box::new(SGD::new([g], 0.1).momentum(0.5).nesterov(true)),
        ),
        (
            |g| Box::new(Adam::new([g.betas((0.5, 0.75)).eps(0.1).amsgrad(true)], 0.1).eps(0.2)),
            |g| Box::new(Adam::new([g], 0.1).betas((0.5, 0.75)).eps(0.1).amsgrad(true)),
        ),
        (
            |g| Box::new(RMSprop::new([g.alpha(0.5).centered(true)], 0.1).alpha(0.25)),
            |g| Box::new(RMSprop::new([g], 0.1).alpha(0.5).centered(true)),
        ),
        (
            |g| Box::new(Adagrad::new([g.lr_decay(0.5).initial_accumulator_value(0.5)], 0.1)),
            |g| Box::new(Adagrad::new([g], 0.1).lr_decay(0.5).initial_accumulator_value(0.5)),
        ),
        (|g| Box::new(Adadelta::new([g.rho(0.5)], 0.1)), |g| Box::new(Adadelta::new([g], 0.1).rho(0.5))),
    ];
    for (i, (in_group, in_all)) in pairs.into_iter().enumerate() {
        let [p, q] = [in_group, in_all].map(|make| {
            let p = weights();
            steps(&p, &mut *make(ParamGroup::new([p.clone()])), 0..3);
            bits(&p)
        });
        assert_eq!(p, q, "row {i}");
    }
}

#[test]
fn a_group_can_join_later() {
    let (p, q) = (weights(), weights());
    let mut optimizer = Adam::new([p.clone()], 0.1).betas((0.5, 0.75));
    steps(&p, &mut optimizer, 0..2);
    optimizer.add_param_group(ParamGroup::new([q.clone()]).lr(0.2));
    let group = &optimizer.param_groups()[1];
    assert_eq!((group.lr, group.betas), (0.2, (0.5, 0.75)));
    p.set_grad(None);
    steps(&q, &mut optimizer, 0..2);
    let alone = weights();
    steps(&alone, &mut Adam::new([alone.clone()], 0.2).betas((0.5, 0.75)), 0..2);
    assert_eq!(bits(&q), bits(&alone));
    let again = check(|| optimizer.add_param_group(ParamGroup::new([q]))).unwrap_err();
    assert_eq!(again, "optimizer: parameter 2 appears twice; put it in one group only");
    assert_eq!(optimizer.param_groups().len(), 2);
}

#[test]
fn momentum_that_is_switched_on_later_starts_with_the_whole_gradient() {
    // torch.optim.SGD([p], lr=1, dampening=0.5), one step, group["momentum"] = 0.9, one step: -2.
    let p = parameter(tensor([0.0]));
    let mut optimizer = SGD::new([p.clone()], 1.0).dampening(0.5);
    for momentum in [0.0, 0.9] {
        optimizer.param_groups_mut()[0].momentum = momentum;
        p.set_grad(Some(tensor([1.0])));
        optimizer.step();
    }
    assert_eq!(p.item::<f32>(), -2.0);
}

#[test]
#[should_panic(expected = "optimizer: no parameters; pass net.parameters()")]
fn nothing_to_train_is_a_mistake() {
    SGD::new(Vec::<Tensor>::new(), 0.1);
}

#[test]
#[should_panic(expected = "optimizer: parameter 1 appears twice")]
fn a_parameter_belongs_to_one_group() {
    let p = weights();
    SGD::new([p.clone(), p], 0.1);
}

#[test]
fn clipping_matches_pytorch_and_spreads_nan() {
    let p = weights();
    let params = [p.clone()];
    p.set_grad(Some(tensor([3.0, 0.0, -4.0, 0.0, 0.0])));
    assert_eq!(clip_grad_norm_of_(&params, 10.0, f64::INFINITY), 4.0);
    assert_eq!(clip_grad_norm_of_(&params, 10.0, 1.0), 7.0);
    assert_eq!(p.grad().unwrap().to_vec::<f32>(), [3.0, 0.0, -4.0, 0.0, 0.0]);
    p.set_grad(Some(tensor([f64::NAN, 1.0, 1.0, 1.0, 1.0])));
    assert!(clip_grad_norm_(&params, 1.0).is_nan());
    assert!(p.grad().unwrap().to_vec::<f32>().iter().all(|v| v.is_nan()));
}

#[test]
fn gradient_norms_have_pytorchs_bits() {
    let draws = |n: usize, seed: u64| {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u32 << 24) as f32 * 2.0 - 1.0
        };
        Tensor::from_vec((0..n).map(|_| next()).collect(), n)
    };
    // The norm of all three gradients and the last element of each after clipping to 1.5.
    let table: [(f64, u32, [u32; 3]); 3] = [
        (1.0, 0x4403227a, [0x3b2b712a, 0x3b188f74, 0x3aafbd56]),
        (2.0, 0x4195fefd, [0x3d95e248, 0x3d856064, 0x3d19a41d]),
        (f64::INFINITY, 0x3f7f9ada, [0x3f6a2ffe, 0x3f506536, 0x3ef00ed0]),
    ];
    for (order, norm, last) in table {
        let params: Vec<Tensor> = [1000, 37, 3].iter().map(|&n| parameter(Tensor::zeros([n]))).collect();
        params.iter().zip(1..).for_each(|(p, seed)| p.set_grad(Some(draws(p.numel(), seed))));
        let got = clip_grad_norm_of_(&params, 1.5, order);
        assert_eq!((got as f32).to_bits(), norm, "order {order}: {got}");
        let tail = |p: &Tensor| p.grad().unwrap().to_vec::<f32>().last().unwrap().to_bits();
        assert_eq!(params.iter().map(tail).collect::<Vec<_>>(), last, "order {order}");
    }
}
