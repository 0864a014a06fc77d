//! 06wk-2, section 4: Fashion-MNIST, first with one hidden layer, then with convolutions. Pass a number of epochs;
//! the lecture trains 30.
//!
//!     cargo run --release -p rekindle --features download --example 06_fashion_cnn -- 5
//!
//! Fashion-MNIST is read from $REKINDLE_DATA, else downloaded once.

use rekindle::prelude::*;

fn main() -> Result<(), data::Error> {
    let epochs: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1);
    let fashion = data::fashion_mnist(data::Root::from_env());
    let (x, y) = fashion.train()?.tensors();
    let (x_test, y_test) = fashion.test()?.tensors();
    let train = DataLoader::new(TensorDataset::new(x, y)).batch_size(256).shuffle(true);
    let test = DataLoader::new(TensorDataset::new(x_test, y_test)).batch_size(256);

    manual_seed(43052);
    let mlp = sequential![Flatten::new(), Linear::new(784, 256), ReLU, Linear::new(256, 10)];
    fit(&mlp, &train, &test, epochs);

    manual_seed(43052);
    let cnn = sequential![
        Conv2d::new(1, 64, 5),
        ReLU,
        MaxPool2d::new(2),
        Conv2d::new(64, 64, 5),
        ReLU,
        MaxPool2d::new(2),
        Flatten::new(),
        Linear::new(1024, 10),
    ];
    fit(&cnn, &train, &test, epochs);
    Ok(())
}

fn fit(net: &Sequential, train: &DataLoader, test: &DataLoader, epochs: usize) {
    println!("{}", summary(net, [1, 28, 28]));
    let loss_fn = CrossEntropyLoss::new();
    let mut optimizer = Adam::new(net.parameters(), 1e-3);
    for epoch in 1..=epochs {
        net.train();
        for (xm, ym) in train {
            let loss = loss_fn.forward(&net.forward(&xm), &ym);
            loss.backward();
            optimizer.step();
            optimizer.zero_grad();
        }
        net.eval();
        println!(
            "# of epochs = {epoch}, train_acc = {:.4}, test_acc = {:.4}",
            accuracy(net, train),
            accuracy(net, test)
        );
    }
}

/// The fraction of samples whose largest logit is that of their class.
fn accuracy(net: &Sequential, loader: &DataLoader) -> f64 {
    let (mut right, mut all) = (0, 0);
    for (x, y) in loader {
        right += no_grad(|| net.forward(&x)).argmax_dim(1, false).eq(&y).sum().item::<i64>();
        all += y.numel();
    }
    right as f64 / all as f64
}
