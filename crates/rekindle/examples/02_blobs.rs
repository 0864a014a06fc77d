//! Lecture 02, model_4: four classes, softmax and cross entropy.
//!
//!     cargo run --release -p rekindle --example 02_blobs

use rekindle::prelude::*;

fn main() {
    let blobs = data::synthetic::Blobs {
        n_samples: 1000,
        centers: 4,
        cluster_std: 1.5,
        random_state: 42,
        ..Default::default()
    };
    let (x, y) = blobs.generate().tensors();
    let x = x.float();
    let split = data::split::train_test_split(1000, 0.2, 42);
    let rows = |t: &Tensor, indices: &[usize]| {
        t.index_select(0, &Tensor::from_vec(indices.iter().map(|&i| i as i64).collect(), indices.len()))
    };
    let (x_train, y_train) = (rows(&x, &split.train), rows(&y, &split.train));
    let (x_test, y_test) = (rows(&x, &split.test), rows(&y, &split.test));

    manual_seed(42);
    let net = sequential![Linear::new(2, 8), Linear::new(8, 8), Linear::new(8, 4)];
    let loss_fn = CrossEntropyLoss::new();
    let mut optimizer = SGD::new(net.parameters(), 0.1);

    for epoch in 0..100 {
        let logits = net.forward(&x_train);
        let loss = loss_fn.forward(&logits, &y_train);
        loss.backward();
        optimizer.step();
        optimizer.zero_grad();

        if epoch % 10 == 0 {
            let test_logits = no_grad(|| net.forward(&x_test));
            let test_loss = loss_fn.forward(&test_logits, &y_test);
            println!(
                "Epoch: {epoch} | Loss: {:.5}, Acc: {:.2}% | Test Loss: {:.5}, Test Acc: {:.2}%",
                loss.item::<f64>(),
                accuracy(&logits, &y_train),
                test_loss.item::<f64>(),
                accuracy(&test_logits, &y_test)
            );
        }
    }
    let logits = no_grad(|| net.forward(&x_test.narrow(0, 0, 3)));
    println!("logits of three test points {logits}");
    println!("their probabilities {}", logits.softmax(1));
}

/// Per cent of the rows whose largest logit is that of the class.
fn accuracy(logits: &Tensor, y: &Tensor) -> f64 {
    let right = logits.detach().argmax_dim(1, false).eq(y).sum().item::<i64>();
    right as f64 / y.numel() as f64 * 100.0
}
