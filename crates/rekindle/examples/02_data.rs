//! Lecture 02, section 1: make data, look at it, know its shapes, keep a fifth for the test.
//!
//!     cargo run --release -p rekindle --example 02_data [FOLDER]
//!
//! The picture goes to FOLDER, else to `target/pictures/02_data`.

use rekindle::prelude::*;
use rekindle_plot as plot;

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "target/pictures/02_data".into());

    // 1. A thousand points on two rings: scikit-learn's make_circles(1000, noise=0.03, random_state=42).
    let circles = data::synthetic::make_circles(1000, 0.03, 42);
    println!("First 5 X features:");
    for i in 0..5 {
        println!("[{:11.8} {:11.8}]", circles.row(i)[0], circles.row(i)[1]);
    }
    println!("\nFirst 5 y labels:\n{:?}\n", &circles.labels[..5]);

    // The lecture's circles.head(10).
    println!("          X1         X2  label");
    for i in 0..10 {
        println!("{i} {:10.6} {:10.6} {:6}", circles.row(i)[0], circles.row(i)[1], circles.labels[i]);
    }
    // circles.label.value_counts(): as many of one class as of the other.
    for class in [1, 0] {
        println!("label {class}: {} points", circles.labels.iter().filter(|&&y| y == class).count());
    }

    // 1.1 Shapes: two numbers go in for every number that comes out.
    let (x, y) = circles.tensors();
    println!("\nshapes of X and y: {:?} {:?}", x.shape(), y.shape());
    let (x_sample, y_sample) = (x.select(0, 0), y.select(0, 0));
    println!("values of one sample: {:.8?} and {}", x_sample.to_vec::<f64>(), y_sample.item::<i64>());
    println!("shapes of one sample: {:?} and {:?}", x_sample.shape(), y_sample.shape());

    // 1.2 Numbers as networks want them (float32), and 80 % of them to train with.
    let (x, y) = (x.float(), y.float());
    println!("\nX[:5] {}\ny[:5] {}", x.slice(0, ..5), y.slice(0, ..5));
    let (x_train, x_test, y_train, y_test) = data::split::train_test_split(1000, 0.2, 42).tensors(&x, &y);
    let [a, b, c, d] = [&x_train, &x_test, &y_train, &y_test].map(|t| t.size(0));
    println!("\nlengths of X_train, X_test, y_train, y_test: {a} {b} {c} {d}");
    println!("X_train[:5] {}\ny_train[:5] {}", x_train.slice(0, ..5), y_train.slice(0, ..5));

    plot::scatter(&x, &y)
        .title("Circles: 1000 points, noise 0.03")
        .class_names(["outer ring", "inner ring"])
        .x_label("X1")
        .y_label("X2")
        .save(format!("{folder}/circles.png"))?;
    println!("\nThe picture is in {folder}");
    Ok(())
}
