//! 06wk-2, section 3A: logits, BCEWithLogitsLoss and Adam learn the zeros and ones of MNIST in thirty steps.
//!
//!     cargo run --release -p rekindle --features download --example 06_logits_and_adam
//!
//! MNIST is read from $REKINDLE_DATA, else downloaded once.

use rekindle::prelude::*;

fn main() -> Result<(), data::Error> {
    let (x, y) = data::mnist(data::Root::from_env()).train()?.pick(&[0, 1]).tensors();
    let (x, y) = (x.reshape([-1, 784]), y.float().reshape([-1, 1]));

    manual_seed(43052);
    let net = sequential![Linear::new(784, 32), ReLU, Linear::new(32, 1)];
    let loss_fn = BCEWithLogitsLoss::new();
    let mut optimizer = Adam::new(net.parameters(), 1e-3);

    for _epoch in 1..=30 {
        let netout = net.forward(&x);
        let loss = loss_fn.forward(&netout, &y);
        loss.backward();
        optimizer.step();
        optimizer.zero_grad();
    }
    // A logit above 0 is a probability above one half.
    println!("train acc {}", no_grad(|| net.forward(&x)).gt(0.0).eq(&y).float().mean());
    Ok(())
}
