//! Lecture 02, exercises 1 to 5: two half moons, a net with ReLU, 96 % and more.
//!
//!     cargo run --release -p rekindle --example 02_moons [FOLDER]
//!
//! The pictures go to FOLDER, else to `target/pictures/02_moons`.

use rekindle::metrics::accuracy;
use rekindle::prelude::*;
use rekindle_plot as plot;

/// Exercise 2: a net of one's own.
#[derive(Parameters)]
struct MoonModel {
    layer_1: Linear,
    layer_2: Linear,
    layer_3: Linear,
}

impl MoonModel {
    fn new(hidden_units: usize) -> Self {
        Self {
            layer_1: Linear::new(2, hidden_units),
            layer_2: Linear::new(hidden_units, hidden_units),
            layer_3: Linear::new(hidden_units, 1),
        }
    }
}

impl Module for MoonModel {
    fn forward(&self, x: &Tensor) -> Tensor {
        let z = self.layer_1.forward(x).relu();
        let z = self.layer_2.forward(&z).relu();
        self.layer_3.forward(&z).squeeze()
    }
}

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "target/pictures/02_moons".into());

    // Exercise 1: make_moons(1000, noise=0.07, random_state=42), 80 % to train with.
    let (x, y) = data::synthetic::make_moons(1000, 0.07, 42).tensors();
    let (x_train, x_test, y_train, y_test) =
        data::split::train_test_split(1000, 0.2, 42).tensors(&x.float(), &y.float());
    let names = ["upper moon", "lower moon"];
    let picture = plot::scatter(&x, &y).title("Moons: 1000 points, noise 0.07").class_names(names);
    picture.x_label("X1").y_label("X2").save(format!("{folder}/moons.png"))?;

    // Exercises 2 and 3: net, loss, optimiser.
    manual_seed(42);
    let net = MoonModel::new(10);
    println!("{net}");
    let loss_fn = BCEWithLogitsLoss::new();
    let mut optimizer = SGD::new(net.parameters(), 0.1);

    // Exercise 4: train until 96 % are right and more; say every 10 epochs how it goes.
    let mut history = [const { Vec::new() }; 4];
    for epoch in 0..1000 {
        let y_logits = net.forward(&x_train); // 1. forward pass
        let loss = loss_fn.forward(&y_logits, &y_train); // 2. loss
        optimizer.zero_grad();
        loss.backward(); // 3. backward pass
        optimizer.step(); // 4. update

        if epoch % 10 == 0 {
            let test_logits = no_grad(|| net.forward(&x_test));
            let (loss, test_loss) =
                (loss.item::<f64>(), loss_fn.forward(&test_logits, &y_test).item::<f64>());
            let acc = accuracy(&y_logits.sigmoid(), &y_train);
            let test_acc = accuracy(&test_logits.sigmoid(), &y_test);
            println!(
                "Epoch: {epoch} | Loss: {loss:.5}, Accuracy: {:.2}% | Test loss: {test_loss:.5}, Test acc: {:.2}%",
                acc * 100.0,
                test_acc * 100.0
            );
            for (curve, value) in history.iter_mut().zip([loss, test_loss, acc, test_acc]) {
                curve.push((epoch as f64, value));
            }
        }
    }
    let test_acc = accuracy(&no_grad(|| net.forward(&x_test)).sigmoid(), &y_test);
    println!("Test accuracy: {:.2}%", test_acc * 100.0);

    // Exercise 5: the boundary.
    let panels = [("Train", &x_train, &y_train), ("Test", &x_test, &y_test)];
    plot::decision_boundary(&|x| net.forward(x).sigmoid(), &panels)
        .title("Moons: ReLU, 1000 epochs")
        .class_names(names)
        .x_label("X1")
        .y_label("X2")
        .size(960, 450)
        .save(format!("{folder}/boundary.png"))?;
    let [loss, test_loss, acc, test_acc] = &history;
    plot::history(&[("train", loss), ("test", test_loss)], &[("train", acc), ("test", test_acc)])
        .title("Moons: training")
        .size(960, 400)
        .save(format!("{folder}/history.png"))?;
    println!("The pictures are in {folder}");
    Ok(())
}
