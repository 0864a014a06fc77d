//! Lecture 02, section 6: ReLU between the same layers, and the straight line bends around the inner ring.
//!
//!     cargo run --release -p rekindle --example 02_circles_relu [FOLDER]
//!
//! The pictures go to FOLDER, else to `target/pictures/02_circles_relu`, the failure beside its cure.

use rekindle::metrics::accuracy;
use rekindle::prelude::*;
use rekindle_plot as plot;
use std::ops::Range;

/// Section 6.2: the layers of model_1, and what goes between them.
#[derive(Parameters)]
struct CircleModelV2 {
    layer_1: Linear,
    layer_2: Linear,
    layer_3: Linear,
    relu: ReLU,
}

impl Module for CircleModelV2 {
    fn forward(&self, x: &Tensor) -> Tensor {
        let z = self.relu.forward(&self.layer_1.forward(x));
        let z = self.relu.forward(&self.layer_2.forward(&z));
        self.layer_3.forward(&z)
    }
}

/// `x_train, x_test, y_train, y_test`.
type Circles = (Tensor, Tensor, Tensor, Tensor);

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "target/pictures/02_circles_relu".into());
    let (x, y) = data::synthetic::make_circles(1000, 0.03, 42).tensors();
    let (x, y) = (x.float(), y.float());
    let circles = data::split::train_test_split(1000, 0.2, 42).tensors(&x, &y);
    let (_, x_test, _, y_test) = &circles;

    manual_seed(42);
    let model_1 = sequential![Linear::new(2, 10), Linear::new(10, 10), Linear::new(10, 1)];
    println!("without ReLU: {model_1}");
    fit(&model_1, &circles, 0..1000);
    draw(&model_1, &circles, "Without ReLU: a line through the circles", &format!("{folder}/failure.png"))?;

    manual_seed(42);
    let model_3 = CircleModelV2 {
        layer_1: Linear::new(2, 10),
        layer_2: Linear::new(10, 10),
        layer_3: Linear::new(10, 1),
        relu: ReLU,
    };
    println!("with ReLU: {model_3}");
    fit(&model_3, &circles, 0..1000);
    draw(&model_3, &circles, "With ReLU: around the inner ring", &format!("{folder}/cure.png"))?;

    // 6.4 The lecture prints the labels of other points beside the predictions; theirs are y_test.
    let y_preds = no_grad(|| model_3.forward(x_test).sigmoid().round().squeeze());
    println!("y_preds[:10] {}\ny[:10]       {}", y_preds.slice(0, ..10), y.slice(0, ..10));
    println!("y_test[:10]  {}", y_test.slice(0, ..10));

    // "Not perfect": of the tricks in section 5, training longer is enough.
    fit(&model_3, &circles, 1000..2000);
    draw(&model_3, &circles, "With ReLU, 2000 epochs", &format!("{folder}/longer.png"))?;
    println!("The pictures are in {folder}");
    Ok(())
}

fn fit(net: &dyn Module, (x_train, x_test, y_train, y_test): &Circles, epochs: Range<usize>) {
    let loss_fn = BCEWithLogitsLoss::new();
    let mut optimizer = SGD::new(net.parameters(), 0.1);
    for epoch in epochs {
        let y_logits = net.forward(x_train).squeeze(); // 1. forward pass
        let loss = loss_fn.forward(&y_logits, y_train); // 2. loss
        optimizer.zero_grad();
        loss.backward(); // 3. backward pass
        optimizer.step(); // 4. update

        if epoch % 100 == 0 {
            let test_logits = no_grad(|| net.forward(x_test).squeeze());
            let (loss, test_loss) = (loss.item::<f64>(), loss_fn.forward(&test_logits, y_test).item::<f64>());
            let acc = accuracy(&y_logits.sigmoid(), y_train) * 100.0;
            let test_acc = accuracy(&test_logits.sigmoid(), y_test) * 100.0;
            println!(
                "Epoch: {epoch} | Loss: {loss:.5}, Accuracy: {acc:.2}% | Test Loss: {test_loss:.5}, Test Accuracy: {test_acc:.2}%"
            );
        }
    }
}

fn draw(net: &dyn Module, (_, x_test, _, y_test): &Circles, title: &str, path: &str) -> std::io::Result<()> {
    let probabilities = |x: &Tensor| net.forward(x).sigmoid();
    let right = accuracy(&no_grad(|| probabilities(x_test)), y_test) * 100.0;
    plot::decision_boundary(&probabilities, &[(&format!("Test: {right:.1} % right"), x_test, y_test)])
        .title(title)
        .class_names(["outer ring", "inner ring"])
        .x_label("X1")
        .y_label("X2")
        .save(path)
}
