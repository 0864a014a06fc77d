//! Lecture 02, section 8: four classes, softmax and cross entropy; first without, then with ReLU.
//!
//!     cargo run --release -p rekindle --example 02_blobs [FOLDER]
//!
//! The pictures go to FOLDER, else to `target/pictures/02_blobs`.

use rekindle::data::split::train_test_split;
use rekindle::data::synthetic::{Blobs, make_circles};
use rekindle::metrics::accuracy;
use rekindle::prelude::*;
use rekindle_plot as plot;

const NAMES: [&str; 4] = ["blob 0", "blob 1", "blob 2", "blob 3"];

/// `x_train, x_test, y_train, y_test`.
type Split = (Tensor, Tensor, Tensor, Tensor);

/// Section 8.2.
#[derive(Parameters)]
struct BlobModel {
    linear_layer_stack: Sequential,
}

impl Module for BlobModel {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.linear_layer_stack.forward(x)
    }
}

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "target/pictures/02_blobs".into());

    // 8.1 scikit-learn's make_blobs(1000, n_features=2, centers=4, cluster_std=1.5, random_state=42).
    let blobs =
        Blobs { n_samples: 1000, centers: 4, cluster_std: 1.5, random_state: 42, ..Default::default() };
    let (x, y) = blobs.generate().tensors();
    let x = x.float();
    println!("{} {}", x.slice(0, ..5), y.slice(0, ..5));
    let blobs = train_test_split(1000, 0.2, 42).tensors(&x, &y);
    let (x_train, x_test, _, y_test) = &blobs;
    let picture = plot::scatter(&x, &y).title("Blobs: 1000 points, four classes").class_names(NAMES);
    picture.x_label("X1").y_label("X2").save(format!("{folder}/blobs.png"))?;

    // 8.2 The net.
    manual_seed(42);
    let linear_layer_stack = sequential![Linear::new(2, 8), Linear::new(8, 8), Linear::new(8, 4)];
    let model_4 = BlobModel { linear_layer_stack };
    println!("{model_4}");

    // 8.4 A logit for each class. Softmax makes probabilities of them, argmax the label. (The lecture asks about
    // the test points of the circles here; so its digits come from these.)
    let y_logits = no_grad(|| model_4.forward(x_train));
    println!("{}\nshape of one: {:?}", y_logits.slice(0, ..5), y_logits.select(0, 0).shape());
    let (x, y) = make_circles(1000, 0.03, 42).tensors();
    let (_, x_circles, ..) = train_test_split(1000, 0.2, 42).tensors(&x.float(), &y);
    let y_logits = no_grad(|| model_4.forward(&x_circles));
    let y_pred_probs = y_logits.softmax(1);
    println!("logits {}\nprobabilities {}", y_logits.slice(0, ..5), y_pred_probs.slice(0, ..5));
    let first = y_pred_probs.select(0, 0);
    println!("sum of the first: {}, argmax: {}", first.sum(), first.argmax());

    // 8.5 and 8.6.
    fit(&model_4, &blobs);
    let y_logits = no_grad(|| model_4.forward(x_test));
    println!("y_logits[:10] {}", y_logits.slice(0, ..10));
    let y_preds = y_logits.softmax(1).argmax_dim(1, false);
    println!("Predictions: {}\nLabels: {}", y_preds.slice(0, ..10), y_test.slice(0, ..10));
    println!("Test accuracy: {:.1}%", accuracy(&y_preds, y_test) * 100.0);
    draw(&model_4, &blobs, "Linear: straight borders are enough here", &format!("{folder}/linear.png"))?;

    // "Does our data need ReLU?" The same net with ReLU between its layers is not better.
    manual_seed(42);
    let with_relu = sequential![Linear::new(2, 8), ReLU, Linear::new(8, 8), ReLU, Linear::new(8, 4)];
    println!("with ReLU:");
    fit(&with_relu, &blobs);
    draw(&with_relu, &blobs, "With ReLU: no better", &format!("{folder}/relu.png"))?;
    println!("The pictures are in {folder}");
    Ok(())
}

fn fit(net: &dyn Module, (x_train, x_test, y_train, y_test): &Split) {
    let loss_fn = CrossEntropyLoss::new(); // takes logits
    let mut optimizer = SGD::new(net.parameters(), 0.1);
    for epoch in 0..100 {
        let y_logits = net.forward(x_train); // 1. forward pass
        let loss = loss_fn.forward(&y_logits, y_train); // 2. loss
        optimizer.zero_grad();
        loss.backward(); // 3. backward pass
        optimizer.step(); // 4. update

        if epoch % 10 == 0 {
            let test_logits = no_grad(|| net.forward(x_test));
            let (loss, test_loss) = (loss.item::<f64>(), loss_fn.forward(&test_logits, y_test).item::<f64>());
            let acc = accuracy(&y_logits.softmax(1), y_train) * 100.0;
            let test_acc = accuracy(&test_logits.softmax(1), y_test) * 100.0;
            println!(
                "Epoch: {epoch} | Loss: {loss:.5}, Acc: {acc:.2}% | Test Loss: {test_loss:.5}, Test Acc: {test_acc:.2}%"
            );
        }
    }
}

fn draw(net: &dyn Module, blobs: &Split, title: &str, path: &str) -> std::io::Result<()> {
    let (x_train, x_test, y_train, y_test) = blobs;
    let panels = [("Train", x_train, y_train), ("Test", x_test, y_test)];
    plot::decision_boundary(&|x| net.forward(x).softmax(1), &panels)
        .title(title)
        .class_names(NAMES)
        .x_label("X1")
        .y_label("X2")
        .size(960, 450)
        .save(path)
}
