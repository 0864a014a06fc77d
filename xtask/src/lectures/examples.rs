//! The worked examples of the texts: small tables and losses, and what is shown of trained nets beside their logs.

// The lecture's table holds 3.14, not pi.
#![allow(clippy::approx_constant)]

use super::{Check, Options};
use rekindle::data;
use rekindle::nn::loss::{BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, Loss};
use rekindle::nn::optim::{Adam, Optimizer};
use rekindle::nn::{Linear, Module, Parameters, ReLU, Sequential, sequential};
use rekindle::{Tensor, manual_seed, no_grad, tensor};

type Show<'a> = &'a mut dyn FnMut(Check);

/// The experiments that have examples.
pub const IDS: [&str; 5] = ["softmax", "losses", "over-parameterised", "06wk-1/4A", "05wk-1/5B"];

/// Runs those of the wanted experiments.
pub fn run(options: &Options, show: Show<'_>) -> Result<(), String> {
    if options.wants("softmax") {
        softmax_tables(show);
    }
    if options.wants("losses") {
        losses(show);
    }
    let mnist_ids = ["over-parameterised", "06wk-1/4A", "05wk-1/5B"];
    if mnist_ids.iter().any(|id| options.wants(id)) {
        let train = data::mnist(&options.data).train().map_err(|e| e.to_string())?;
        let (x, y) = train.pick(&[0, 1]).tensors();
        let (x, y) = (x.flatten(1, -1), y.float().unsqueeze(1));
        if options.wants("over-parameterised") {
            over_parameterised(&x, &y, show);
        }
        if options.wants("06wk-1/4A") {
            sigmoid_by_hand(&x, &y, show);
        }
        if options.wants("05wk-1/5B") {
            last_logits(&x, &y, show);
        }
    }
    Ok(())
}

/// 05wk-1/5C: softmax along the wrong and the right dimension.
fn softmax_tables(show: Show<'_>) {
    let netout =
        tensor([[-2.0, -2.0, 0.0], [3.14, 3.14, 3.14], [0.0, 0.0, 2.0], [2.0, 2.0, 4.0], [0.0, 0.0, 0.0]]);
    let along_0 = "tensor([[0.0041, 0.0041, 0.0115],
        [0.7081, 0.7081, 0.2653],
        [0.0306, 0.0306, 0.0848],
        [0.2265, 0.2265, 0.6269],
        [0.0306, 0.0306, 0.0115]])";
    let along_1 = "tensor([[0.1065, 0.1065, 0.7870],
        [0.3333, 0.3333, 0.3333],
        [0.1065, 0.1065, 0.7870],
        [0.1065, 0.1065, 0.7870],
        [0.3333, 0.3333, 0.3333]])";
    let exp = "tensor([[ 0.1353,  0.1353,  1.0000],
        [23.1039, 23.1039, 23.1039],
        [ 1.0000,  1.0000,  7.3891],
        [ 7.3891,  7.3891, 54.5981],
        [ 1.0000,  1.0000,  1.0000]])";
    show(Check::text("softmax", "Softmax(dim=0), the wrong way", along_0, netout.softmax(0).to_string()));
    show(Check::text("softmax", "Softmax(dim=1)", along_1, netout.softmax(1).to_string()));
    show(Check::text("softmax", "torch.exp(netout)", exp, netout.exp().to_string()));
    let row = netout.select(0, 1).exp();
    let share = (&row / row.sum()).to_string();
    show(Check::text("softmax", "second row by hand", "tensor([0.3333, 0.3333, 0.3333])", share));
}

/// 05wk-1/5D: binary cross entropy in three ways, its two-class form, and three classes.
fn losses(show: Show<'_>) {
    let mut says = |what: &str, expected: &str, got: Tensor| {
        show(Check::text("losses", what, expected, got.to_string()))
    };
    let (y, netout) = (tensor([[0.0], [0.0], [1.0]]), tensor([[-1.0], [0.0], [1.0]]));
    let yhat = netout.sigmoid();
    let formula = -(yhat.ln() * &y + (1.0 - &yhat).ln() * (1.0 - &y)).sum() / 3.0;
    let bce = "tensor(0.4399)";
    says("BCE by the formula", bce, formula);
    says("BCELoss", bce, BCELoss::new().forward(&yhat, &y));
    says("BCEWithLogitsLoss", bce, BCEWithLogitsLoss::new().forward(&netout, &y));
    let pairs = "tensor([[0.2689, 0.7311],\n        [0.5000, 0.5000],\n        [0.7311, 0.2689]])";
    says("sig and 1 - sig", pairs, Tensor::cat(&[yhat.clone(), 1.0 - &yhat], 1));

    let (two, one_hot) =
        (tensor([[3.0, 2.0], [2.0, 2.0], [5.0, 6.0]]), tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]));
    let ce = CrossEntropyLoss::new();
    says(
        "softmax of two logits",
        "tensor([[0.7311, 0.2689],\n        [0.5000, 0.5000],\n        [0.2689, 0.7311]])",
        two.softmax(1),
    );
    says("two-class CE by the formula", bce, -(two.softmax(1).ln() * &one_hot).sum() / 3.0);
    says("two-class CE, one-hot", bce, ce.forward(&two, &one_hot));
    says("two-class CE, indices", bce, ce.forward(&two, &tensor([0, 0, 1])));

    let y = tensor([2, 1, 2, 2, 0]);
    let netout =
        tensor([[-2.0, -2.0, 0.0], [3.14, 3.14, 3.14], [0.0, 0.0, 2.0], [2.0, 2.0, 4.0], [0.0, 0.0, 0.0]]);
    let three = "tensor(0.5832)";
    says("CE, one-hot", three, ce.forward(&netout, &y.one_hot(3).float()));
    says("CE, indices", three, ce.forward(&netout, &y));
    says("CE by the formula", three, -(netout.softmax(1).ln() * y.one_hot(3).float()).sum() / 5.0);
}

/// 05wk-1: a net with two outputs for two classes.
fn over_parameterised(x: &Tensor, y: &Tensor, show: Show<'_>) {
    manual_seed(0);
    let net = sequential![Linear::new(784, 32), ReLU, Linear::new(32, 2)];
    let netout = no_grad(|| net.forward(x));
    let sigmoid = "tensor([[0.4998, 0.4781],
        [0.4855, 0.4858],
        [0.5133, 0.4771],
        ...,
        [0.5123, 0.4821],
        [0.5066, 0.4721],
        [0.5238, 0.4855]])";
    let softmax = "tensor([[0.5216, 0.4784],
        [0.4997, 0.5003],
        [0.5362, 0.4638],
        ...,
        [0.5302, 0.4698],
        [0.5345, 0.4655],
        [0.5383, 0.4617]])";
    let id = "over-parameterised";
    show(Check::text(id, "1 / (1 + exp(-netout))", sigmoid, (1.0 / (1.0 + (-&netout).exp())).to_string()));
    let yhat = netout.exp() / netout.exp().sum_dim(1, false).reshape([-1, 1]);
    show(Check::text(id, "exp(netout) over its sum", softmax, yhat.to_string()));
    // The half sum of the two binary cross entropies is the two-class cross entropy.
    let bce = BCELoss::new();
    let column = |i| yhat.narrow(1, i, 1);
    let half_sum = (bce.forward(&column(1), y) + bce.forward(&column(0), &(1.0 - y))) / 2.0;
    let ce = CrossEntropyLoss::new().forward(&netout, &y.long().squeeze());
    // The lecture prints it for a net that was not seeded; with this seed PyTorch gives 0.70346713 and 0.70346707.
    let mut says = |what: &str, loss: Tensor| {
        let ours = format!("{:.6}", loss.item::<f64>());
        show(Check::text(id, what, "0.703467", ours).not_in_the_lecture());
    };
    says("two BCE, halved", half_sum);
    says("CE of the two outputs", ce);
}

fn logit_net(seed: i64) -> Sequential {
    manual_seed(seed);
    sequential![Linear::new(784, 32), ReLU, Linear::new(32, 1)]
}

/// 06wk-1/4A with the sigmoid written by hand: `exp(z) / (1 + exp(z))` and BCELoss.
fn sigmoid_by_hand(x: &Tensor, y: &Tensor, show: Show<'_>) {
    let net = logit_net(0);
    let mut optimizer = Adam::new(net.parameters(), 1e-3);
    let expected =
        ["0.4677", "0.4677", "0.4745", "0.5572", "0.6995", "0.8175", "0.8904", "0.9255", "0.9444", "0.9577"];
    for (epoch, expected) in (1..).zip(expected) {
        let netout = net.forward(x);
        let yhat = netout.exp() / (1.0 + netout.exp());
        BCELoss::new().forward(&yhat, y).backward();
        optimizer.step();
        optimizer.zero_grad();
        let acc = no_grad(|| net.forward(x)).gt(0.0).eq(y).float().mean().item::<f64>();
        show(Check::text(
            "06wk-1/4A",
            format!("sigmoid by hand, epoch {epoch}"),
            expected,
            format!("{acc:.4}"),
        ));
    }
}

/// 05wk-1/5B: `exp(logsigmoid(netout))` of the last training step.
fn last_logits(x: &Tensor, y: &Tensor, show: Show<'_>) {
    let net = logit_net(0);
    let mut optimizer = Adam::new(net.parameters(), 1e-3);
    let mut netout = Tensor::zeros([1]);
    for _ in 0..100 {
        netout = net.forward(x);
        BCEWithLogitsLoss::new().forward(&netout, y).backward();
        optimizer.step();
        optimizer.zero_grad();
    }
    let expected = "tensor([[7.5931e-04],
        [9.4517e-04],
        [2.2128e-03],
        ...,
        [9.7442e-01],
        [9.7977e-01],
        [9.3523e-01]])";
    let shown = netout.detach().logsigmoid().exp().to_string();
    show(Check::text("05wk-1/5B", "exp(logsigmoid(netout))", expected, shown));
}
