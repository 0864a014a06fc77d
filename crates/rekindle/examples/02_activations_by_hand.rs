//! Lecture 02, section 7 and exercise 6: ReLU, sigmoid and tanh from primitives. Gradients flow through them
//! as through any op.
//!
//!     cargo run --release -p rekindle --example 02_activations_by_hand [FOLDER]
//!
//! The picture goes to FOLDER, else to `target/pictures/02_activations_by_hand`.

use rekindle::prelude::*;
use rekindle_plot as plot;

/// Negative numbers become 0, the others stay.
fn relu(x: &Tensor) -> Tensor {
    x.maximum(0.0)
}

/// `1 / (1 + e^-x)`.
fn sigmoid(x: &Tensor) -> Tensor {
    1.0 / (1.0 + (-x).exp())
}

/// `(e^x - e^-x) / (e^x + e^-x)`. From |x| = 89 on this is infinity over infinity; the built-in tanh is not.
fn tanh(x: &Tensor) -> Tensor {
    let (up, down) = (x.exp(), (-x).exp());
    (&up - &down) / (&up + &down)
}

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "target/pictures/02_activations_by_hand".into());
    let a = Tensor::arange(-10.0, 10.0, 1.0);
    println!("A          {a}");
    println!("relu(A)    {}", relu(&a));
    println!("sigmoid(A) {}", sigmoid(&a));
    println!("tanh(A)    {}", tanh(&a));

    // How far the built-in functions are from these: at most a last digit.
    let farthest = |by_hand: Tensor, built_in: Tensor| (by_hand - built_in).abs().max().item::<f32>();
    println!("farthest from the built-in relu:    {:e}", farthest(relu(&a), a.relu()));
    println!("farthest from the built-in sigmoid: {:e}", farthest(sigmoid(&a), a.sigmoid()));
    println!("farthest from the built-in tanh:    {:e}", farthest(tanh(&a), a.tanh()));

    let z = tensor([-1.0, 2.0]).requires_grad_(true);
    (relu(&z) + sigmoid(&z)).sum().backward();
    println!("gradient of relu + sigmoid at {:?}: {}", z.to_vec::<f32>(), z.grad().unwrap());

    plot::activations(
        &[("A", &|x| x.clone()), ("relu(A)", &relu), ("sigmoid(A)", &sigmoid), ("tanh(A)", &tanh)],
        (-10.0, 10.0),
    )
    .title("Activation functions by hand")
    .save(format!("{folder}/activations.png"))?;
    println!("The picture is in {folder}");
    Ok(())
}
