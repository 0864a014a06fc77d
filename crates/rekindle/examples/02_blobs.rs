//! Lecture 02, section 8: four classes, softmax and cross entropy; first without, then with ReLU.
//!
//!     cargo run --release -p rekindle --example 02_blobs [FOLDER]
//!
//! The pictures go to FOLDER, else to `target/pictures/02_blobs`.

use rekindle::metrics::accuracy;
use rekindle::prelude::*;
use rekindle_plot as plot;

const NUM_CLASSES: usize = 4;
const NUM_FEATURES: usize = 2;
const RANDOM_SEED: u32 = 42;

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

    // 8.1 Data: make_blobs(1000, n_features=2, centers=4, cluster_std=1.5, random_state=42).
    let blobs = data::synthetic::Blobs {
        n_samples: 1000,
        n_features: NUM_FEATURES,
        centers: NUM_CLASSES,
        cluster_std: 1.5,
        random_state: RANDOM_SEED,
        ..Default::default()
    };
    let (x, y) = blobs.generate().tensors();
    let x = x.float();
    println!("{} {}", x.slice(0, ..5), y.slice(0, ..5));
    let blobs = data::split::train_test_split(1000, 0.2, RANDOM_SEED).tensors(&x, &y);
    let (x_train, x_test, y_train, y_test) = &blobs;
    plot::scatter(&x, &y).title("Blobs: 1000 points, four classes").save(format!("{folder}/blobs.png"))?;

    // 8.2 The net.
    manual_seed(42);
    let layers = sequential![Linear::new(NUM_FEATURES, 8), Linear::new(8, 8), Linear::new(8, NUM_CLASSES)];
    let model_4 = BlobModel { linear_layer_stack: layers };
    println!("{model_4}");

    // 8.4 A logit for each class. Softmax makes probabilities of them, argmax the label. (The lecture asks about the test
    // points of the circles here; so its digits come from these.)
    let y_logits = no_grad(|| model_4.forward(x_train));
    println!("{}\nshape of one: {:?}", y_logits.slice(0, ..5), y_logits.select(0, 0).shape());
    let (x_circles, y_circles) = data::synthetic::make_circles(1000, 0.03, 42).tensors();
    let (_, x_circles, ..) =
        data::split::train_test_split(1000, 0.2, 42).tensors(&x_circles.float(), &y_circles);
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
    let panels = [("Train", x_train, y_train), ("Test", x_test, y_test)];
    plot::decision_boundary(&|x| model_4.forward(x).softmax(1), &panels)
        .title("Linear layers only: straight borders are enough here")
        .save(format!("{folder}/linear.png"))?;

    // "Does our data need ReLU?" The same net with ReLU between its layers is not better.
    manual_seed(42);
    let with_relu = sequential![
        Linear::new(NUM_FEATURES, 8),
        ReLU,
        Linear::new(8, 8),
        ReLU,
        Linear::new(8, NUM_CLASSES),
    ];
    println!("with ReLU:");
    fit(&with_relu, &blobs);
    plot::decision_boundary(&|x| with_relu.forward(x).softmax(1), &panels)
        .title("With ReLU: the borders bend, the accuracy is the same")
        .save(format!("{folder}/relu.png"))?;
    println!("The pictures are in {folder}");
    Ok(())
}

fn fit(net: &dyn Module, (x_train, x_test, y_train, y_test): &(Tensor, Tensor, Tensor, Tensor)) {
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
