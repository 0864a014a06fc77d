//! A replayed step needs no memory but what its plan has.

use rekindle_nn::loss::{BCEWithLogitsLoss, CrossEntropyLoss, Loss};
use rekindle_nn::optim::{Adam, Optimizer, SGD};
use rekindle_nn::{
    Captured, Conv2d, Dropout, Flatten, Linear, MaxPool2d, Parameters, ReLU, Sequential, Tanh, sequential,
};
use rekindle_tensor::{Tensor, tensor};

/// Allocations of a replayed step and of an update with a look at its state, on the calling thread, which does everything.
fn of_a_step(
    net: Sequential,
    loss: &dyn Loss,
    mut optimizer: impl Optimizer,
    x: Tensor,
    y: Tensor,
) -> (u64, u64) {
    rekindle_kernels::parallel::set_num_threads(1);
    let mut step = Captured::new();
    // The runs that are recorded, and one that is not.
    for _ in 0..6 {
        step.backward(&net, loss, &x, &y);
        optimizer.step();
        optimizer.zero_grad();
    }
    let mut replayed = None;
    let of_step = allocation_counter::measure(|| replayed = step.replay(&x, &y));
    assert!(replayed.is_some(), "{:?}", step.refusal());
    let of_update = allocation_counter::measure(|| {
        optimizer.step();
        optimizer.zero_grad();
        assert!(optimizer.state_is_finite());
    });
    (of_step.count_total, of_update.count_total)
}

fn classes(n: i64) -> Tensor {
    Tensor::from_vec((0..n).map(|i| i % 3).collect::<Vec<i64>>(), [n as usize])
}

#[test]
fn a_replayed_step_allocates_nothing() {
    let net = sequential![Linear::new(6, 10), Dropout::new(0.5), ReLU, Linear::new(10, 1)];
    let optimizer = SGD::new(net.parameters(), 0.1);
    let (x, y) = (Tensor::ones([900, 6]), Tensor::ones([900, 1]));
    assert_eq!(of_a_step(net, &BCEWithLogitsLoss::new(), optimizer, x, y), (0, 0));

    let net = sequential![Conv2d::new(1, 4, 3), ReLU, MaxPool2d::new(2), Flatten::new(), Linear::new(36, 3)];
    let optimizer = Adam::new(net.parameters(), 0.1);
    let x = Tensor::ones([20, 1, 8, 8]);
    assert_eq!(of_a_step(net, &CrossEntropyLoss::new(), optimizer, x, classes(20)), (0, 0));

    // Products that skip zeros, of images with channels enough for vectors.
    let net = sequential![
        Conv2d::new(1, 32, 3).padding(1),
        ReLU,
        Conv2d::new(32, 8, 3),
        ReLU,
        MaxPool2d::new(2),
        Flatten::new(),
        Linear::new(72, 3)
    ];
    let optimizer = SGD::new(net.parameters(), 0.1).momentum(0.9);
    let x = Tensor::ones([20, 1, 8, 8]);
    let loss = CrossEntropyLoss::new().weight(tensor([1.0, 2.0, 3.0]).float()).label_smoothing(0.1);
    assert_eq!(of_a_step(net, &loss, optimizer, x, classes(20)), (0, 0));

    let net = sequential![Linear::new(1, 40), Tanh, Linear::new(40, 3)];
    let optimizer = Adam::new(net.parameters(), 0.1);
    let (x, y) = (Tensor::ones([900, 1]), Tensor::ones([900, 3]) / 3.0);
    assert_eq!(of_a_step(net, &CrossEntropyLoss::new(), optimizer, x, y), (0, 0));
}
