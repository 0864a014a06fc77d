//! 05wk-1, section 4B, and 06wk-1, section 3B: dropout, half and then nine tenths, and why a net has two modes.
//!
//!     cargo run --release -p rekindle --features download --example 05_dropout
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

    for p in [0.5, 0.9] {
        // Step 2: what learns. The fraction p of the hidden outputs is dropped while training.
        manual_seed(1);
        let net = sequential![Linear::new(784, 32), Dropout::new(p), ReLU, Linear::new(32, 1), Sigmoid];
        println!("{net}");
        let loss_fn = BCELoss::new();
        let mut optimizer = SGD::new(net.parameters(), 1e-3);

        // Step 3: training.
        for epoch in 1..=500 {
            net.train(); // dropout drops
            let loss = loss_fn.forward(&net.forward(&x), &y);
            loss.backward();
            optimizer.step();
            optimizer.zero_grad();

            net.eval(); // dropout passes everything
            if epoch % 50 == 0 {
                let acc = no_grad(|| net.forward(&x).gt(0.5).eq(&y).float().mean());
                println!("# of epochs = {epoch},\t acc={:.2}", acc.item::<f64>());
            }
        }

        // Step 4: judging.
        no_grad(|| {
            println!("train acc {}", net.forward(&x).gt(0.5).eq(&y).float().mean());
            println!("test acc  {}", net.forward(&x_test).gt(0.5).eq(&y_test).float().mean());
        });
    }
    Ok(())
}
