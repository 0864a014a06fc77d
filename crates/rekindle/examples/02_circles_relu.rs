//! Lecture 02, model_3: the same net with ReLU between the layers bends its boundary around the inner ring.
//!
//!     cargo run --release -p rekindle --example 02_circles_relu

use rekindle::prelude::*;

fn main() {
    let (x_train, y_train, x_test, y_test) = circles();
    manual_seed(42);
    let net = sequential![Linear::new(2, 10), ReLU, Linear::new(10, 10), ReLU, Linear::new(10, 1)];
    let loss_fn = BCEWithLogitsLoss::new();
    let mut optimizer = SGD::new(net.parameters(), 0.1);

    for epoch in 0..1000 {
        // The four steps of training.
        let logits = net.forward(&x_train); // 1. forward pass
        let loss = loss_fn.forward(&logits, &y_train); // 2. loss
        loss.backward(); // 3. backward pass
        optimizer.step(); // 4. update
        optimizer.zero_grad();

        if epoch % 100 == 0 {
            let test_logits = no_grad(|| net.forward(&x_test));
            let test_loss = loss_fn.forward(&test_logits, &y_test);
            println!(
                "Epoch: {epoch} | Loss: {:.5}, Accuracy: {:.2}% | Test loss: {:.5}, Test acc: {:.2}%",
                loss.item::<f64>(),
                accuracy(&logits, &y_train),
                test_loss.item::<f64>(),
                accuracy(&test_logits, &y_test)
            );
        }
    }
    println!("The ring closes with more epochs: 2000 are enough for every point.");
}

/// A thousand points on two rings, 800 to train on and 200 to test with.
fn circles() -> (Tensor, Tensor, Tensor, Tensor) {
    let (x, y) = data::synthetic::make_circles(1000, 0.03, 42).tensors();
    let (x, y) = (x.float(), y.float().unsqueeze(1));
    let split = data::split::train_test_split(1000, 0.2, 42);
    let rows = |t: &Tensor, indices: &[usize]| {
        t.index_select(0, &Tensor::from_vec(indices.iter().map(|&i| i as i64).collect(), indices.len()))
    };
    (rows(&x, &split.train), rows(&y, &split.train), rows(&x, &split.test), rows(&y, &split.test))
}

/// Per cent of the rows where the logit has the sign of the class.
fn accuracy(logits: &Tensor, y: &Tensor) -> f64 {
    let right = logits.detach().gt(0.0).eq(y).sum().item::<i64>();
    right as f64 / y.numel() as f64 * 100.0
}
