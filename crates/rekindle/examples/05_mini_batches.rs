//! 05wk-1, section 4D: mini-batches of 16, 792 updates in each epoch.
//!
//!     cargo run --release -p rekindle --features download --example 05_mini_batches
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

    let loader = DataLoader::new(TensorDataset::new(x.clone(), y.clone())).batch_size(16);

    // Step 2: what learns.
    manual_seed(1);
    let net = sequential![Linear::new(784, 32), Dropout::new(0.5), ReLU, Linear::new(32, 1), Sigmoid];
    let loss_fn = BCELoss::new();
    let mut optimizer = SGD::new(net.parameters(), 1e-3);

    // Step 3: training.
    for epoch in 1..=2 {
        net.train();
        for (xm, ym) in &loader {
            let loss = loss_fn.forward(&net.forward(&xm), &ym);
            loss.backward();
            optimizer.step();
            optimizer.zero_grad();
        }

        net.eval();
        let mut right = 0;
        for (xm, ym) in &loader {
            right += no_grad(|| net.forward(&xm)).gt(0.5).eq(&ym).sum().item::<i64>();
        }
        println!("# of epochs = {epoch},\t acc={:.4}", right as f64 / x.size(0) as f64);
    }

    // Step 4: judging.
    no_grad(|| {
        println!("train acc {}", net.forward(&x).gt(0.5).eq(&y).float().mean());
        println!("test acc  {}", net.forward(&x_test).gt(0.5).eq(&y_test).float().mean());
    });
    Ok(())
}
