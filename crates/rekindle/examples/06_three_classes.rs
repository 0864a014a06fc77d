//! 06wk-1, section 4C: zeros, ones and twos with three outputs and cross entropy.
//!
//!     cargo run --release -p rekindle --features download --example 06_three_classes
//!
//! MNIST is read from $REKINDLE_DATA, else downloaded once.

use rekindle::prelude::*;

fn main() -> Result<(), data::Error> {
    let (x, y) = data::mnist(data::Root::from_env()).train()?.pick(&[0, 1, 2]).tensors();
    let x = x.reshape([-1, 784]);
    let one_hot = y.one_hot(3).float();

    manual_seed(43052);
    let net = sequential![Linear::new(784, 32), ReLU, Linear::new(32, 3)];
    let loss_fn = CrossEntropyLoss::new();
    let mut optimizer = Adam::new(net.parameters(), 1e-3);

    for epoch in 1..=100 {
        let loss = loss_fn.forward(&net.forward(&x), &one_hot);
        loss.backward();
        optimizer.step();
        optimizer.zero_grad();
        if epoch % 10 == 0 {
            println!("# of epochs = {epoch},\t loss={:.6}", loss.item::<f64>());
        }
    }
    println!("train acc {}", no_grad(|| net.forward(&x)).argmax_dim(1, false).eq(&y).float().mean());
    Ok(())
}
