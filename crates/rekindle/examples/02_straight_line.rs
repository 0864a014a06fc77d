//! Lecture 02, model_2: the linear net that fails on circles can learn a straight line, so the loop is right.
//!
//!     cargo run --release -p rekindle --example 02_straight_line

use rekindle::prelude::*;

fn main() {
    let x = Tensor::arange(0.0, 1.0, 0.01).unsqueeze(1);
    let y = &x * 0.7 + 0.3;
    let (x_train, y_train) = (x.narrow(0, 0, 80), y.narrow(0, 0, 80));
    let (x_test, y_test) = (x.narrow(0, 80, 20), y.narrow(0, 80, 20));

    manual_seed(42);
    let net = sequential![Linear::new(1, 10), Linear::new(10, 10), Linear::new(10, 1)];
    let loss_fn = L1Loss::new();
    let mut optimizer = SGD::new(net.parameters(), 0.1);

    for epoch in 0..1000 {
        let loss = loss_fn.forward(&net.forward(&x_train), &y_train);
        loss.backward();
        optimizer.step();
        optimizer.zero_grad();

        if epoch % 100 == 0 {
            let test_loss = no_grad(|| loss_fn.forward(&net.forward(&x_test), &y_test));
            println!(
                "Epoch: {epoch} | Train loss: {:.5}, Test loss: {:.5}",
                loss.item::<f64>(),
                test_loss.item::<f64>()
            );
        }
    }
}
