//! Lecture 02, section 7: ReLU and sigmoid written from primitives; gradients flow through them like through any op.
//!
//!     cargo run --release -p rekindle --example 02_activations_by_hand

use rekindle::prelude::*;

fn relu(x: &Tensor) -> Tensor {
    x.maximum(0.0)
}

fn sigmoid(x: &Tensor) -> Tensor {
    1.0 / (1.0 + (-x).exp())
}

fn main() {
    let x = Tensor::arange(-10.0, 10.0, 1.0);
    println!("x          {x}");
    println!("relu(x)    {}", relu(&x));
    println!("torch.relu {}", x.relu());
    println!("sigmoid(x) {}", sigmoid(&x));
    println!("difference to the built-in: {}", (sigmoid(&x) - x.sigmoid()).abs().max());

    let z = tensor([-1.0, 2.0]).requires_grad_(true);
    (relu(&z) + sigmoid(&z)).sum().backward();
    println!("gradient of relu + sigmoid at {:?}: {}", z.to_vec::<f32>(), z.grad().unwrap());
}
