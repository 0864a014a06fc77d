//! Lecture 02, sections 5.1 and 5.2: can the net that fails on circles learn anything? It can: a line.
//!
//!     cargo run --release -p rekindle --example 02_straight_line [FOLDER]
//!
//! The pictures go to FOLDER, else to `target/pictures/02_straight_line`.

use rekindle::prelude::*;
use rekindle_plot as plot;

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "target/pictures/02_straight_line".into());

    // 5.1 y = 0.7 x + 0.3 at a hundred places; the first 80 to train with.
    let x = Tensor::arange(0.0, 1.0, 0.01).unsqueeze(1);
    let y = &x * 0.7 + 0.3;
    println!("{} points\nX[:5] {}\ny[:5] {}", x.size(0), x.slice(0, ..5), y.slice(0, ..5));
    let (x_train, y_train) = (x.slice(0, ..80), y.slice(0, ..80));
    let (x_test, y_test) = (x.slice(0, 80..), y.slice(0, 80..));
    let [a, b, c, d] = [&x_train, &y_train, &x_test, &y_test].map(|t| t.size(0));
    println!("lengths of X_train, y_train, X_test, y_test: {a} {b} {c} {d}");
    let (train, test) = ((&x_train, &y_train), (&x_test, &y_test));
    plot::predictions(train, test, None).title("y = 0.7 x + 0.3").save(format!("{folder}/data.png"))?;

    // 5.2 The layers of model_1, with one input, and a loss for numbers instead of classes.
    manual_seed(42);
    let model_2 = sequential![Linear::new(1, 10), Linear::new(10, 10), Linear::new(10, 1)];
    println!("{model_2}");
    let loss_fn = L1Loss::new();
    let mut optimizer = SGD::new(model_2.parameters(), 0.1);

    for epoch in 0..1000 {
        let y_pred = model_2.forward(&x_train); // 1. forward pass
        let loss = loss_fn.forward(&y_pred, &y_train); // 2. loss
        optimizer.zero_grad();
        loss.backward(); // 3. backward pass
        optimizer.step(); // 4. update

        if epoch % 100 == 0 {
            let test_loss = no_grad(|| loss_fn.forward(&model_2.forward(&x_test), &y_test));
            let (loss, test_loss) = (loss.item::<f64>(), test_loss.item::<f64>());
            println!("Epoch: {epoch} | Train loss: {loss:.5}, Test loss: {test_loss:.5}");
        }
    }

    // The loss swings: its gradient does not shrink near the goal, so the steps stay as large as they are.
    let y_preds = no_grad(|| model_2.forward(&x_test));
    println!("Test loss after the last step: {:.4}", loss_fn.forward(&y_preds, &y_test).item::<f64>());
    plot::predictions(train, test, Some(&y_preds))
        .title("What model_2 predicts after 1000 epochs")
        .save(format!("{folder}/predictions.png"))?;
    println!("The pictures are in {folder}. The loop is right; the circles need something else.");
    Ok(())
}
