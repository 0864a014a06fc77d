//! 05wk-1, section 5: the sigmoid by hand, then inside the loss (BCEWithLogitsLoss), then logsigmoid.
//!
//!     cargo run --release -p rekindle --features download --example 05_logits
//!
//! MNIST is read from $REKINDLE_DATA, else downloaded once.

use rekindle::prelude::*;

fn main() -> Result<(), data::Error> {
    // Step 1: data. Zeros, then ones, as rows of 784 pixels.
    let mnist = data::mnist(data::Root::from_env());
    let (x, y) = mnist.train()?.pick(&[0, 1]).tensors();
    let (x, y) = (x.reshape([-1, 784]), y.float().reshape([-1, 1]));
    let (x_test, y_test) = mnist.test()?.pick(&[0, 1]).tensors();
    let (x_test, y_test) = (x_test.reshape([-1, 784]), y_test.float().reshape([-1, 1]));

    let net = || {
        manual_seed(0);
        sequential![Linear::new(784, 32), ReLU, Linear::new(32, 1)]
    };

    // A: the sigmoid by hand.
    let by_hand = net();
    let mut optimizer = Adam::new(by_hand.parameters(), 1e-3);
    for _ in 0..100 {
        let netout = by_hand.forward(&x);
        let yhat = netout.exp() / (1.0 + netout.exp());
        BCELoss::new().forward(&yhat, &y).backward();
        optimizer.step();
        optimizer.zero_grad();
    }
    println!(
        "by hand:           {}",
        no_grad(|| by_hand.forward(&x_test).gt(0.0).eq(&y_test).float().mean())
    );

    // B: inside the loss, where it is stable for any logit.
    let net = net();
    let mut optimizer = Adam::new(net.parameters(), 1e-3);
    let mut netout = Tensor::zeros([1]);
    for _ in 0..100 {
        netout = net.forward(&x);
        BCEWithLogitsLoss::new().forward(&netout, &y).backward();
        optimizer.step();
        optimizer.zero_grad();
    }
    println!("BCEWithLogitsLoss: {}", no_grad(|| net.forward(&x_test).gt(0.0).eq(&y_test).float().mean()));

    // C: probabilities from the last logits.
    println!("{}", netout.detach().logsigmoid().exp());
    Ok(())
}
