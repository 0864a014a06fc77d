//! Lecture 02, sections 2 to 5: from logits to labels, and a net of linear layers that draws a straight line
//! through the circles, however deep it is and however long it trains.
//!
//!     cargo run --release -p rekindle --example 02_circles_linear [FOLDER]
//!
//! The pictures go to FOLDER, else to `target/pictures/02_circles_linear`.

use rekindle::Device;
use rekindle::prelude::*;
use rekindle_plot as plot;

/// Section 2: a net as a struct of layers with a forward.
#[derive(Parameters)]
struct CircleModelV0 {
    layer_1: Linear,
    layer_2: Linear,
}

impl Module for CircleModelV0 {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.layer_2.forward(&self.layer_1.forward(x))
    }
}

/// `x_train, x_test, y_train, y_test`.
type Circles = (Tensor, Tensor, Tensor, Tensor);

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "target/pictures/02_circles_linear".into());
    let (x, y) = data::synthetic::make_circles(1000, 0.03, 42).tensors();
    let circles = data::split::train_test_split(1000, 0.2, 42).tensors(&x.float(), &y.float());
    let (_, x_test, _, y_test) = &circles;

    // 2. The same net twice, as in the lecture: as a struct, then as a list of layers. The lecture made both
    // before it set a seed, so nobody can have its digits; these are PyTorch's for this seed.
    println!("device: {}", Device::auto());
    println!("{}", CircleModelV0 { layer_1: Linear::new(2, 5), layer_2: Linear::new(5, 1) });
    manual_seed(42);
    let model_0 = sequential![Linear::new(2, 5), Linear::new(5, 1)];
    println!("{model_0}");
    let untrained_preds = no_grad(|| model_0.forward(x_test));
    println!("shapes of predictions and labels: {:?} {:?}", untrained_preds.shape(), y_test.shape());
    println!("First 10 predictions:\n{}", untrained_preds.slice(0, ..10));
    println!("First 10 test labels:\n{}", y_test.slice(0, ..10));

    // 3.1 Logits -> probabilities -> labels.
    let y_logits = untrained_preds.slice(0, ..5);
    let y_pred_probs = y_logits.sigmoid();
    let y_preds = y_pred_probs.round();
    println!("logits {y_logits}\nprobabilities {y_pred_probs}\nlabels {}", y_preds.squeeze());
    println!("true labels {}", y_test.slice(0, ..5));

    // 3.2 and 4. A hundred epochs: half of the points are right, as if guessed.
    fit(&model_0, &circles, 100);
    draw(&model_0, &circles, "model_0: two linear layers, 100 epochs", &format!("{folder}/model_0.png"))?;

    // 5. A layer more, ten hidden units instead of five, ten times as long: still a line.
    manual_seed(42);
    let model_1 = sequential![Linear::new(2, 10), Linear::new(10, 10), Linear::new(10, 1)];
    println!("{model_1}");
    fit(&model_1, &circles, 1000);
    draw(&model_1, &circles, "model_1: three linear layers, 1000 epochs", &format!("{folder}/model_1.png"))?;
    println!("The pictures are in {folder}. What is missing is in 02_circles_relu.");
    Ok(())
}

fn fit(net: &dyn Module, (x_train, x_test, y_train, y_test): &Circles, epochs: usize) {
    let loss_fn = BCEWithLogitsLoss::new(); // the sigmoid is built in
    let mut optimizer = SGD::new(net.parameters(), 0.1);
    for epoch in 0..epochs {
        net.train();
        let y_logits = net.forward(x_train).squeeze(); // 1. forward pass
        let loss = loss_fn.forward(&y_logits, y_train); // 2. loss
        optimizer.zero_grad();
        loss.backward(); // 3. backward pass
        optimizer.step(); // 4. update

        net.eval();
        if epoch % (epochs / 10) == 0 {
            let test_logits = no_grad(|| net.forward(x_test).squeeze());
            let (loss, test_loss) = (loss.item::<f64>(), loss_fn.forward(&test_logits, y_test).item::<f64>());
            let acc = accuracy_fn(y_train, &y_logits.sigmoid().round());
            let test_acc = accuracy_fn(y_test, &test_logits.sigmoid().round());
            println!(
                "Epoch: {epoch} | Loss: {loss:.5}, Accuracy: {acc:.2}% | Test loss: {test_loss:.5}, Test acc: {test_acc:.2}%"
            );
        }
    }
}

/// Section 2.1: per cent of predictions that are right. Other examples take `rekindle::metrics::accuracy`.
fn accuracy_fn(y_true: &Tensor, y_pred: &Tensor) -> f64 {
    let correct = y_true.eq(y_pred).sum().item::<i64>();
    correct as f64 / y_pred.numel() as f64 * 100.0
}

fn draw(net: &dyn Module, circles: &Circles, title: &str, path: &str) -> std::io::Result<()> {
    let (x_train, x_test, y_train, y_test) = circles;
    let panels = [("Train", x_train, y_train), ("Test", x_test, y_test)];
    plot::decision_boundary(&|x| net.forward(x).sigmoid(), &panels)
        .title(title)
        .class_names(["outer ring", "inner ring"])
        .x_label("X1")
        .y_label("X2")
        .size(960, 450)
        .save(path)
}
