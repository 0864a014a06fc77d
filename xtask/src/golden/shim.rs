#![allow(missing_docs, dead_code, unused_variables, clippy::all)]
use rekindle_tensor::{DType, Tensor};
macro_rules! nope { ($($n:ident($($a:ident: $t:ty),*) -> $r:ty;)*) => { $(fn $n(&self $(, $a: $t)*) -> $r where Self: Sized { panic!("not yet: {}", stringify!($n)) })* } }
pub trait Shim {
    nope! {
        pow(x: impl Into<rekindle_tensor::Scalar>) -> Tensor;
        where_(x: &Tensor, y: &Tensor) -> Tensor;
        lt(x: &Tensor) -> Tensor; le(x: &Tensor) -> Tensor; gt(x: &Tensor) -> Tensor; ge(x: &Tensor) -> Tensor; ne(x: &Tensor) -> Tensor; eq(x: &Tensor) -> Tensor;
        max() -> Tensor; min() -> Tensor; argmax() -> Tensor; argmin() -> Tensor; mean() -> Tensor;
        ln() -> Tensor; log1p() -> Tensor; sqrt() -> Tensor; abs() -> Tensor; sign() -> Tensor; round() -> Tensor; floor() -> Tensor; sigmoid() -> Tensor; logsigmoid() -> Tensor; tanh() -> Tensor; silu() -> Tensor; logical_not() -> Tensor;
        softmax(d: isize) -> Tensor; log_softmax(d: isize) -> Tensor;
        maximum(x: &Tensor) -> Tensor; minimum(x: &Tensor) -> Tensor; masked_fill(m: &Tensor, v: f64) -> Tensor;
        clamp(a: f64, b: f64) -> Tensor;
        mean_dim(d: Vec<isize>, k: bool) -> Tensor; logsumexp_dim(d: Vec<isize>, k: bool) -> Tensor;
        argmax_dim(d: isize, k: bool) -> Tensor; argmin_dim(d: isize, k: bool) -> Tensor;
        max_dim(d: isize, k: bool) -> (Tensor, Tensor); min_dim(d: isize, k: bool) -> (Tensor, Tensor);
        var_dim(d: Vec<isize>, c: usize, k: bool) -> Tensor; std_dim(d: Vec<isize>, c: usize, k: bool) -> Tensor;
    }
    fn index_select(&self, d: isize, i: &Tensor) -> Tensor;
    fn stack(x: &[Tensor], d: isize) -> Tensor;
    fn cat(x: &[Tensor], d: isize) -> Tensor;
    fn rand<const N: usize>(s: [usize; N]) -> Tensor;
}
impl Shim for Tensor {
    fn index_select(&self, d: isize, i: &Tensor) -> Tensor {
        let rows: Vec<Tensor> = i.to_vec::<i64>().iter().map(|i| self.select(d, *i as isize)).collect();
        Tensor::stack(&rows, d)
    }
    fn stack(x: &[Tensor], d: isize) -> Tensor {
        let x: Vec<Tensor> = x.iter().map(|x| x.unsqueeze(d)).collect();
        Tensor::cat(&x, d)
    }
    fn cat(x: &[Tensor], d: isize) -> Tensor {
        let mut shape = x[0].shape().to_vec();
        shape[d as usize] = x.iter().map(|x| x.shape()[d as usize]).sum();
        let out = Tensor::full_of(shape, 0.0, x[0].dtype());
        let mut at = 0;
        for x in x {
            let n = x.shape()[d as usize];
            out.narrow(d, at, n).copy_(x);
            at += n;
        }
        out
    }
    fn rand<const N: usize>(s: [usize; N]) -> Tensor {
        let mut x = vec![0f32; s.iter().product()];
        rekindle_tensor::random::with_default(|g| g.uniform(&mut x, 0.0, 1.0));
        Tensor::from_vec(x, s)
    }
}
