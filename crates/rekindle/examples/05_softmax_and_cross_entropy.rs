//! 05wk-1, sections 5C and 5D: softmax along the right dimension, and cross entropy computed in every way.
//!
//!     cargo run --release -p rekindle --example 05_softmax_and_cross_entropy

// The lecture's table holds 3.14, not pi.
#![allow(clippy::approx_constant)]

use rekindle::prelude::*;

fn main() {
    let netout =
        tensor([[-2.0, -2.0, 0.0], [3.14, 3.14, 3.14], [0.0, 0.0, 2.0], [2.0, 2.0, 4.0], [0.0, 0.0, 0.0]]);
    println!("softmax over the samples (wrong): {}", netout.softmax(0));
    println!("softmax over the classes (right): {}", netout.softmax(1));

    // Two classes, one output: binary cross entropy.
    let (y, logits) = (tensor([[0.0], [0.0], [1.0]]), tensor([[-1.0], [0.0], [1.0]]));
    let yhat = logits.sigmoid();
    println!("by the formula    {}", -(yhat.ln() * &y + (1.0 - &yhat).ln() * (1.0 - &y)).sum() / 3.0);
    println!("BCELoss           {}", BCELoss::new().forward(&yhat, &y));
    println!("BCEWithLogitsLoss {}", BCEWithLogitsLoss::new().forward(&logits, &y));

    // Two classes, two outputs: the same number from cross entropy.
    let (logits, one_hot) =
        (tensor([[3.0, 2.0], [2.0, 2.0], [5.0, 6.0]]), tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]));
    println!("CrossEntropyLoss, one-hot {}", CrossEntropyLoss::new().forward(&logits, &one_hot));
    println!("CrossEntropyLoss, classes {}", CrossEntropyLoss::new().forward(&logits, &tensor([0, 0, 1])));

    // Three classes.
    let y = tensor([2, 1, 2, 2, 0]);
    println!("one-hot {}", y.one_hot(3));
    println!("CrossEntropyLoss, one-hot {}", CrossEntropyLoss::new().forward(&netout, &y.one_hot(3).float()));
    println!("CrossEntropyLoss, classes {}", CrossEntropyLoss::new().forward(&netout, &y));
}
