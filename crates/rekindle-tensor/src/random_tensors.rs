//! Random tensors: PyTorch's constructors and in-place draws, from its streams (see [`crate::random`]).
//!
//! All draw from the default generator on the CPU, also for tensors on a GPU, which get the same numbers.
//! To draw from another, lend it for a while:
//! `random::with_generator(&mut g, || Tensor::rand([3]))`.

use crate::device::Device;
use crate::dtype::{DType, match_dtype, match_float};
use crate::op::mistake;
use crate::random::{Generator, with_default};
use crate::shape::Shape;
use crate::tensor::Tensor;

impl Tensor {
    /// Uniform f32 numbers of [0, 1).
    ///
    /// ```
    /// use rekindle_tensor::{random, Tensor};
    /// random::manual_seed(0);
    /// assert_eq!(Tensor::rand([2]).to_vec::<f32>(), [0.4962566, 0.7682218]);
    /// let mut g = random::Generator::seeded(0);
    /// let x = random::with_generator(&mut g, || Tensor::rand([1]));
    /// assert_eq!(x.item::<f32>(), 0.4962566);
    /// ```
    pub fn rand(shape: impl Into<Shape>) -> Tensor {
        Tensor::rand_of(shape, DType::F32)
    }

    /// Uniform numbers of [0, 1) of the given floating type.
    ///
    /// ```
    /// # use rekindle_tensor::{random::manual_seed, DType, Tensor};
    /// manual_seed(0);
    /// assert_eq!(Tensor::rand_of([2], DType::F64).dtype(), DType::F64);
    /// ```
    #[track_caller]
    pub fn rand_of(shape: impl Into<Shape>, dtype: DType) -> Tensor {
        let x = Tensor::full_of(shape, 0.0, dtype);
        x.uniform_(0.0, 1.0);
        x
    }

    /// Uniform numbers of [0, 1) with the shape, type and device of another tensor.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::rand_like(&Tensor::zeros([2, 3])).shape(), [2, 3]);
    /// ```
    #[track_caller]
    pub fn rand_like(x: &Tensor) -> Tensor {
        Tensor::rand_of(x.shape(), x.dtype()).to(x.device())
    }

    /// Standard normal f32 numbers.
    ///
    /// ```
    /// use rekindle_tensor::{random, Tensor};
    /// random::manual_seed(0);
    /// assert_eq!(Tensor::randn([2]).to_vec::<f32>(), [1.5409961, -0.2934289]);
    /// ```
    pub fn randn(shape: impl Into<Shape>) -> Tensor {
        Tensor::randn_of(shape, DType::F32)
    }

    /// Standard normal numbers of the given floating type.
    ///
    /// ```
    /// # use rekindle_tensor::{DType, Tensor};
    /// assert_eq!(Tensor::randn_of([2], DType::F64).dtype(), DType::F64);
    /// ```
    #[track_caller]
    pub fn randn_of(shape: impl Into<Shape>, dtype: DType) -> Tensor {
        let x = Tensor::full_of(shape, 0.0, dtype);
        x.normal_(0.0, 1.0);
        x
    }

    /// Standard normal numbers with the shape, type and device of another tensor.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::randn_like(&Tensor::zeros([2, 3])).shape(), [2, 3]);
    /// ```
    #[track_caller]
    pub fn randn_like(x: &Tensor) -> Tensor {
        Tensor::randn_of(x.shape(), x.dtype()).to(x.device())
    }

    /// Normal numbers, each with its own mean and standard deviation.
    ///
    /// # Panics
    /// If shapes or types differ, or a tensor does not hold floats.
    #[track_caller]
    pub fn normal(mean: &Tensor, std: &Tensor) -> Tensor {
        if mean.shape() != std.shape() || mean.dtype() != std.dtype() {
            mistake!(
                "normal: means are {} {:?} but deviations {} {:?}; they must agree",
                mean.dtype(),
                mean.shape(),
                std.dtype(),
                std.shape()
            );
        }
        let x = Tensor::zeros_like(mean);
        match_float!("normal", x.dtype(), T => {
            let (mean, std) = (mean.data::<T>(), std.data::<T>());
            with_default(|g| x.with_data_mut::<T, _>(|x| g.normal_each(x, &mean, &std)));
        });
        x
    }

    /// Integers of [low, high).
    ///
    /// # Panics
    /// If there are none.
    ///
    /// ```
    /// use rekindle_tensor::{random, Tensor};
    /// random::manual_seed(0);
    /// assert_eq!(Tensor::randint(0, 10, [6]).to_vec::<i64>(), [4, 9, 3, 0, 3, 9]);
    /// ```
    #[track_caller]
    pub fn randint(low: i64, high: i64, shape: impl Into<Shape>) -> Tensor {
        let x = Tensor::full_of(shape, 0, DType::I64);
        x.random_range_(low, high);
        x
    }

    /// The integers 0 to n - 1 in random order.
    ///
    /// ```
    /// use rekindle_tensor::{random, Tensor};
    /// random::manual_seed(0);
    /// assert_eq!(Tensor::randperm(10).to_vec::<i64>(), [4, 1, 7, 5, 3, 9, 0, 8, 6, 2]);
    /// ```
    pub fn randperm(n: usize) -> Tensor {
        Tensor::from_vec(with_default(|g| g.randperm(n)).into_iter().map(|i| i as i64).collect(), n)
    }

    /// Ones where a coin with this tensor's probability of heads says so, else zeros.
    ///
    /// # Panics
    /// If a probability is not in [0, 1] or the tensor does not hold floats.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([0.0, 1.0]).bernoulli().to_vec::<f32>(), [0.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn bernoulli(&self) -> Tensor {
        let x = Tensor::zeros_like(self);
        match_float!("bernoulli", x.dtype(), T => {
            let p = self.data::<T>();
            with_default(|g| x.with_data_mut::<T, _>(|x| g.bernoulli_each(x, &p)));
        });
        x
    }

    /// Draws `n` indices with this vector's weights, or a row of them for each row of a matrix.
    ///
    /// # Panics
    /// If the tensor has no or more than two dimensions, a weight is negative or not finite, the weights are all zero,
    /// or more indices are wanted without replacement than there are weights above zero.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// assert_eq!(tensor([0.0, 0.0, 2.5]).multinomial(4, true).to_vec::<i64>(), [2, 2, 2, 2]);
    /// ```
    #[track_caller]
    pub fn multinomial(&self, n: usize, replacement: bool) -> Tensor {
        if ![1, 2].contains(&self.dim()) {
            mistake!("multinomial: needs a vector or a matrix of weights, got {:?}", self.shape());
        }
        let mut drawn = Vec::new();
        match_float!("multinomial", self.dtype(), T => {
            for row in self.data::<T>().chunks(self.size(-1).max(1)) {
                drawn.extend(with_default(|g| g.multinomial(row, n, replacement)).into_iter().map(|i| i as i64));
            }
        });
        let rows = &self.shape()[..self.dim() - 1];
        Tensor::from_vec(drawn, [rows, &[n]].concat())
    }

    /// Overwrites the tensor with uniform numbers of [a, b).
    ///
    /// # Panics
    /// If `a > b`, the tensor does not hold floats, or it requires gradients and recording is on.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert!(Tensor::zeros([100]).uniform_(2.0, 3.0).ge(2.0).all().item::<bool>());
    /// ```
    #[track_caller]
    pub fn uniform_(&self, a: f64, b: f64) -> &Tensor {
        self.draw_floats("uniform_", |g, x| g.uniform(x, a, b), |g, x| g.uniform(x, a, b))
    }

    /// Overwrites the tensor with normal numbers.
    ///
    /// # Panics
    /// If `std` is negative, the tensor does not hold floats, or it requires gradients and recording is on.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([3]).normal_(5.0, 0.0).to_vec::<f32>(), [5.0; 3]);
    /// ```
    #[track_caller]
    pub fn normal_(&self, mean: f64, std: f64) -> &Tensor {
        if self.is_contiguous() {
            return self.draw_floats("normal_", |g, x| g.normal(x, mean, std), |g, x| g.normal(x, mean, std));
        }
        // PyTorch draws normals of other layouts one by one.
        self.draw_floats(
            "normal_",
            |g, x| g.normal_serial(x, mean, std),
            |g, x| g.normal_serial(x, mean, std),
        )
    }

    /// Overwrites the tensor with the exponentials of normal numbers.
    ///
    /// # Panics
    /// If `std` is negative, the tensor does not hold floats, or it requires gradients and recording is on.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert!(Tensor::zeros([100]).log_normal_(0.0, 1.0).gt(0.0).all().item::<bool>());
    /// ```
    #[track_caller]
    pub fn log_normal_(&self, mean: f64, std: f64) -> &Tensor {
        self.draw_floats("log_normal_", |g, x| g.log_normal(x, mean, std), |g, x| g.log_normal(x, mean, std))
    }

    #[track_caller]
    fn draw_floats(
        &self,
        op: &str,
        f32: impl FnOnce(&mut Generator, &mut [f32]),
        f64: impl FnOnce(&mut Generator, &mut [f64]),
    ) -> &Tensor {
        if !self.dtype().is_float() {
            mistake!("{op}: needs a floating tensor, got {}; convert with .float()", self.dtype());
        }
        self.drawn(op, |x| {
            with_default(|g| match x.dtype() {
                DType::F32 => x.with_data_mut(|x| f32(g, x)),
                _ => x.with_data_mut(|x| f64(g, x)),
            });
        })
    }

    /// Has `draw` fill a tensor on the CPU in the order of addresses: a view of this one, or what is then moved to it.
    #[track_caller]
    fn drawn(&self, op: &str, draw: impl FnOnce(&Tensor)) -> &Tensor {
        let x = self.in_memory_order(op);
        if x.device() == Device::Cpu {
            draw(&x);
        } else {
            let here = Tensor::full_of(x.shape(), 0, x.dtype());
            draw(&here);
            x.copy_(&here);
        }
        self
    }

    /// A view whose row-major order is the order of addresses, in which PyTorch draws; it may be written although
    /// it is detached, because `self` may.
    #[track_caller]
    fn in_memory_order(&self, op: &str) -> Tensor {
        self.check_writable(op);
        let mut dims: Vec<usize> = (0..self.dim()).collect();
        dims.sort_by_key(|&d| std::cmp::Reverse(self.strides()[d]));
        self.detach().permute(dims)
    }
}

macro_rules! draws {
    ($($(#[$doc:meta])* $method:ident($($p:ident: $t:ty),*): $source:ident;)*) => {
        impl Tensor {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $method(&self, $($p: $t),*) -> &Tensor {
                    self.drawn(stringify!($method), |x| {
                        match_dtype!(x.dtype(), T => with_default(|g| x.with_data_mut::<T, _>(|x| g.$source(x, $($p),*))));
                    })
                }
            )*
        }
    };
}

draws! {
    /// Overwrites the tensor with exponentially distributed numbers of rate `lambda`.
    ///
    /// # Panics
    /// If `lambda` is not positive, or the tensor requires gradients and recording is on.
    exponential_(lambda: f64): exponential;
    /// Overwrites the tensor with Cauchy distributed numbers.
    ///
    /// # Panics
    /// If `sigma` is not positive, or the tensor requires gradients and recording is on.
    cauchy_(median: f64, sigma: f64): cauchy;
    /// Overwrites the tensor with numbers of trials up to the first success.
    ///
    /// # Panics
    /// If `p` is not in (0, 1), or the tensor requires gradients and recording is on.
    geometric_(p: f64): geometric;
    /// Overwrites the tensor with ones of probability `p`, else zeros.
    ///
    /// # Panics
    /// If `p` is not in [0, 1], or the tensor requires gradients and recording is on.
    bernoulli_(p: f64): bernoulli;
    /// Overwrites the tensor with integers of the type's whole range, from 0: for floats, all that they hold exactly.
    ///
    /// # Panics
    /// If the tensor requires gradients and recording is on.
    random_(): random;
    /// Overwrites the tensor with integers of [low, high): PyTorch's `x.random_(low, high)`.
    ///
    /// # Panics
    /// If there are none, or the tensor requires gradients and recording is on.
    random_range_(low: i64, high: i64): randint;
}

#[cfg(test)]
mod tests {
    use crate::random::{Generator, with_generator};
    use crate::{DType, Tensor, no_grad, tensor};

    fn seeded<R>(f: impl FnOnce() -> R) -> R {
        with_generator(&mut Generator::seeded(0), f)
    }

    #[test]
    fn draws_follow_the_order_of_memory() {
        let straight = seeded(|| Tensor::rand([3, 2]));
        let turned = Tensor::zeros([3, 2]).t();
        seeded(|| turned.uniform_(0.0, 1.0).shape().len());
        assert!(turned.t().equal(&straight));
    }

    #[test]
    fn normals_of_a_turned_tensor_are_drawn_one_by_one() {
        let turned = Tensor::zeros([5, 8]).t();
        seeded(|| turned.normal_(0.0, 1.0).dim());
        // torch.manual_seed(0); torch.empty(5, 8).t().normal_() starts like torch.randn(3).
        assert_eq!(turned.t().to_vec::<f32>()[..3], seeded(|| Tensor::randn([3])).to_vec::<f32>());
        assert_ne!(turned.t().to_vec::<f32>()[..3], seeded(|| Tensor::randn([40])).to_vec::<f32>()[..3]);
    }

    #[test]
    fn one_part_of_a_tensor_can_be_drawn() {
        let x = Tensor::zeros([3, 4]);
        x.narrow(1, 1, 2).fill_(7.0).bernoulli_(1.0);
        assert_eq!(x.sum_dim(0, false).to_vec::<f32>(), [0.0, 3.0, 3.0, 0.0]);
    }

    #[test]
    fn types_and_rows_have_their_own_draws() {
        assert_eq!(Tensor::rand_of([2], DType::F64).dtype(), DType::F64);
        let drawn = tensor([[0.0, 1.0], [1.0, 0.0]]).multinomial(3, true);
        assert_eq!(drawn.to_vec::<i64>(), [1, 1, 1, 0, 0, 0]);
        assert_eq!(tensor([0.0, 1.0]).bernoulli().to_vec::<f32>(), [0.0, 1.0]);
        assert_eq!(Tensor::full_of([3], 0, DType::Bool).bernoulli_(1.0).to_vec::<bool>(), [true; 3]);
        assert_eq!(Tensor::normal(&tensor([1.0, 2.0]), &tensor([0.0, 0.0])).to_vec::<f32>(), [1.0, 2.0]);
    }

    #[test]
    #[should_panic(expected = "uniform_: a tensor that requires gradients is changed in place")]
    fn parameters_are_drawn_without_recording() {
        let w = Tensor::zeros([2]).requires_grad_(true);
        no_grad(|| w.uniform_(0.0, 1.0).numel());
        w.uniform_(0.0, 1.0);
    }
}
