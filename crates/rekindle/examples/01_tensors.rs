//! Tensors and automatic differentiation, the ground everything else stands on.
//!
//!     cargo run --release -p rekindle --example 01_tensors

use rekindle::prelude::*;

fn main() {
    // A tensor from a literal: floats are f32, integers i64, as in PyTorch.
    let x = tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    println!("x = {x}\nshape {:?}, dtype {}\n", x.shape(), x.dtype());

    // Arithmetic broadcasts; views share memory.
    println!("x * 2 + 1 = {}", &x * 2.0 + 1.0);
    println!("x + row   = {}", &x + tensor([10.0, 20.0, 30.0]));
    println!("x.t()     = {}", x.t());
    println!("x @ x.T   = {}", x.matmul(&x.t()));
    println!("x > 2     = {}", x.gt(2.0));
    println!("sum over rows {}, mean {}\n", x.sum_dim(0, false), x.mean());

    // The same seed gives PyTorch's numbers.
    manual_seed(42);
    println!("torch.manual_seed(42); torch.rand(3)  = {}", Tensor::rand([3]));
    println!("torch.randn(2, 2) = {}\n", Tensor::randn([2, 2]));

    // Gradients: y = sum(w^2 + 3 w) has the gradient 2 w + 3.
    let w = tensor([1.0, -2.0]).requires_grad_(true);
    let y = (w.pow(2) + 3.0 * &w).sum();
    y.backward();
    println!("w = {w}\ny = {y}\nw.grad = {}", w.grad().unwrap());
}
