//! Lecture 02, exercises 7 to 10: three spiral arms, tanh layers and Adam, 95 % and more.
//!
//!     cargo run --release -p rekindle --example 02_spirals [FOLDER]
//!
//! The pictures go to FOLDER, else to `target/pictures/02_spirals`.

use rekindle::metrics::accuracy;
use rekindle::prelude::*;
use rekindle::random::numpy::RandomState;
use rekindle_plot as plot;

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "target/pictures/02_spirals".into());

    // Exercise 7: the spirals of CS231n. The lecture sets no seed; this is np.random.seed(42).
    let (x, y) = data::synthetic::make_spirals(100, 3, 0.2, &mut RandomState::new(42)).tensors();
    let (x_train, x_test, y_train, y_test) =
        data::split::train_test_split(300, 0.2, 42).tensors(&x.float(), &y);
    println!("{:?} to train with, {:?} to test with", x_train.shape(), x_test.shape());
    let names = ["arm 0", "arm 1", "arm 2"];
    let picture = plot::scatter(&x, &y).title("Spirals: three arms of 100 points").class_names(names);
    picture.x_label("X1").y_label("X2").save(format!("{folder}/spirals.png"))?;

    // Exercises 8 and 9: tanh bends softly, Adam finds its own step sizes.
    manual_seed(42);
    let net = sequential![Linear::new(2, 10), Tanh, Linear::new(10, 10), Tanh, Linear::new(10, 3)];
    println!("{net}");
    let loss_fn = CrossEntropyLoss::new();
    let mut optimizer = Adam::new(net.parameters(), 0.02);

    // Exercise 10: training and the boundary.
    let mut history = [const { Vec::new() }; 4];
    for epoch in 0..=300 {
        let y_logits = net.forward(&x_train); // 1. forward pass
        let loss = loss_fn.forward(&y_logits, &y_train); // 2. loss
        optimizer.zero_grad();
        loss.backward(); // 3. backward pass
        optimizer.step(); // 4. update

        if epoch % 20 == 0 {
            let test_logits = no_grad(|| net.forward(&x_test));
            let (loss, test_loss) =
                (loss.item::<f64>(), loss_fn.forward(&test_logits, &y_test).item::<f64>());
            let acc = accuracy(&y_logits.softmax(1), &y_train);
            let test_acc = accuracy(&test_logits.softmax(1), &y_test);
            println!(
                "Epoch: {epoch} | Loss: {loss:.5}, Acc: {:.2}% | Test Loss: {test_loss:.5}, Test Acc: {:.2}%",
                acc * 100.0,
                test_acc * 100.0
            );
            for (curve, value) in history.iter_mut().zip([loss, test_loss, acc, test_acc]) {
                curve.push((epoch as f64, value));
            }
        }
    }
    let test_acc = accuracy(&no_grad(|| net.forward(&x_test)).softmax(1), &y_test);
    println!("Test accuracy: {:.2}%", test_acc * 100.0);

    let panels = [("Train", &x_train, &y_train), ("Test", &x_test, &y_test)];
    plot::decision_boundary(&|x| net.forward(x).softmax(1), &panels)
        .title("Spirals: tanh and Adam, 300 epochs")
        .class_names(names)
        .x_label("X1")
        .y_label("X2")
        .size(960, 450)
        .save(format!("{folder}/boundary.png"))?;
    let [loss, test_loss, acc, test_acc] = &history;
    plot::history(&[("train", loss), ("test", test_loss)], &[("train", acc), ("test", test_acc)])
        .title("Spirals: training")
        .size(960, 400)
        .save(format!("{folder}/history.png"))?;
    println!("The pictures are in {folder}");
    Ok(())
}
