//! Constructors: filled, counted and literal tensors. Random ones are in `random_tensors`.

use crate::device::Device;
use crate::dtype::{DType, Element, Scalar, match_dtype};
use crate::gpu;
use crate::op::{Meta, mistake};
use crate::shape::Shape;
use crate::tensor::Tensor;

impl Tensor {
    /// Zeros of type f32.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2]).to_vec::<f32>(), [0.0, 0.0]);
    /// ```
    pub fn zeros(shape: impl Into<Shape>) -> Tensor {
        Tensor::full_of(shape, 0.0, DType::F32)
    }

    /// Ones of type f32.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::ones([2]).to_vec::<f32>(), [1.0, 1.0]);
    /// ```
    pub fn ones(shape: impl Into<Shape>) -> Tensor {
        Tensor::full_of(shape, 1.0, DType::F32)
    }

    /// A tensor filled with one number: f32 for a float, i64 for an integer, bool for a truth value.
    ///
    /// ```
    /// # use rekindle_tensor::{Tensor, DType};
    /// assert_eq!(Tensor::full([3], 7).dtype(), DType::I64);
    /// ```
    pub fn full(shape: impl Into<Shape>, value: impl Into<Scalar>) -> Tensor {
        let value = value.into();
        Tensor::full_of(shape, value, value.dtype())
    }

    /// A tensor of the given type filled with one number.
    ///
    /// ```
    /// # use rekindle_tensor::{DType, Tensor};
    /// assert_eq!(Tensor::full_of([2], 7, DType::F64).to_vec::<f64>(), [7.0, 7.0]);
    /// ```
    pub fn full_of(shape: impl Into<Shape>, value: impl Into<Scalar>, dtype: DType) -> Tensor {
        let (shape, value) = (shape.into(), value.into());
        match_dtype!(dtype, T => Tensor::from_vec(vec![T::from_scalar(value); shape.numel()], shape))
    }

    /// Zeros with the shape and type of another tensor.
    ///
    /// ```
    /// # use rekindle_tensor::{tensor, Tensor};
    /// assert_eq!(Tensor::zeros_like(&tensor([1, 2])).to_vec::<i64>(), [0, 0]);
    /// ```
    pub fn zeros_like(x: &Tensor) -> Tensor {
        Tensor::full_like(x, 0.0)
    }

    /// Ones with the shape and type of another tensor.
    ///
    /// ```
    /// # use rekindle_tensor::{tensor, Tensor};
    /// assert_eq!(Tensor::ones_like(&tensor([4.0, 5.0])).to_vec::<f32>(), [1.0, 1.0]);
    /// ```
    pub fn ones_like(x: &Tensor) -> Tensor {
        Tensor::full_like(x, 1.0)
    }

    /// A tensor of one number with the shape, type and device of another.
    ///
    /// ```
    /// # use rekindle_tensor::{tensor, Tensor};
    /// assert_eq!(Tensor::full_like(&tensor([1, 2]), 7).to_vec::<i64>(), [7, 7]);
    /// ```
    pub fn full_like(x: &Tensor, value: impl Into<Scalar>) -> Tensor {
        x.new_full(&Meta::of(x), value)
    }

    /// A tensor of one number on this tensor's device; PyTorch's `x.new_full(..)`.
    pub(crate) fn new_full(&self, meta: &Meta, value: impl Into<Scalar>) -> Tensor {
        let Device::Gpu(index) = self.device() else {
            return Tensor::full_of(&meta.shape, value, meta.dtype);
        };
        let y = gpu::empty(&gpu::open(index), meta);
        y.fill_(value);
        y
    }

    /// The `n` integers from `start` in steps of `step`, on this tensor's device.
    pub(crate) fn new_arange(&self, start: i64, step: i64, n: usize) -> Tensor {
        let Device::Gpu(index) = self.device() else {
            return Tensor::from_vec((0..n as i64).map(|i| start + i * step).collect(), n);
        };
        let [start, step] = [start, step].map(|v| Tensor::scalar(v.into(), DType::I64));
        gpu::map(&gpu::open(index), "a + b * i32(i)", &[&start, &step], &[], &Meta::new([n], DType::I64))
    }

    /// The f32 identity matrix of `n` rows.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::eye(2).to_vec::<f32>(), [1.0, 0.0, 0.0, 1.0]);
    /// ```
    pub fn eye(n: usize) -> Tensor {
        let mut data = vec![0.0f32; n * n];
        data.iter_mut().step_by(n + 1).for_each(|v| *v = 1.0);
        Tensor::from_vec(data, [n, n])
    }

    /// Numbers from `start` up to, not including, `end` in steps of `step`: i64 when all three are integers, else
    /// f32. Element `i` is `start + i * step`, computed in double precision with PyTorch's roundings.
    ///
    /// # Panics
    /// If `step` is zero or leads away from `end`.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::arange(0, 5, 2).to_vec::<i64>(), [0, 2, 4]);
    /// assert_eq!(Tensor::arange(0.0, 1.0, 0.25).to_vec::<f32>(), [0.0, 0.25, 0.5, 0.75]);
    /// ```
    #[track_caller]
    pub fn arange(start: impl Into<Scalar>, end: impl Into<Scalar>, step: impl Into<Scalar>) -> Tensor {
        let (start, end, step) = (start.into(), end.into(), step.into());
        let floats = [start, end, step].iter().any(|s| matches!(s, Scalar::Float(_)));
        let (a, b, s) = (start.as_f64(), end.as_f64(), step.as_f64());
        if s == 0.0 || (b - a) * s < 0.0 || !(a.is_finite() && b.is_finite() && s.is_finite()) {
            mistake!(
                "arange: no steps of {s} lead from {a} to {b}; give a step with the sign of end - start"
            );
        }
        let n = ((b - a) / s).ceil() as usize;
        if floats {
            // PyTorch counts eight at a time from a rounded number, and one by one what is left of sixteen.
            let value = |i: usize| {
                let first = if i < n / 16 * 16 { i / 8 * 8 } else { i };
                let base = a + first as f64 * s;
                if first == i {
                    base as f32
                } else {
                    (f64::from(base as f32) + (i - first) as f64 * s) as f32
                }
            };
            Tensor::from_vec((0..n).map(value).collect(), n)
        } else {
            let (a, s) = (start.as_i64(), step.as_i64());
            Tensor::from_vec((0..n as i64).map(|i| a + i * s).collect(), n)
        }
    }

    /// `n` evenly spaced f32 numbers from `start` to `end`, both included. As PyTorch, the first half counts up
    /// from `start` and the second half down from `end`, with an f32 step.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::linspace(0.0, 1.0, 5).to_vec::<f32>(), [0.0, 0.25, 0.5, 0.75, 1.0]);
    /// ```
    pub fn linspace(start: f64, end: f64, n: usize) -> Tensor {
        let (a, b) = (start as f32, end as f32);
        let step = (b - a) / (n.max(2) - 1) as f32;
        let value = |i: usize| {
            if i < n / 2 || n == 1 {
                step.mul_add(i as f32, a)
            } else {
                (-step).mul_add((n - 1 - i) as f32, b)
            }
        };
        Tensor::from_vec((0..n).map(value).collect(), n)
    }

    /// As [`linspace`](Tensor::linspace), in f64.
    ///
    /// ```
    /// # use rekindle_tensor::Tensor;
    /// assert_eq!(Tensor::linspace_f64(0.0, 1.0, 3).to_vec::<f64>(), [0.0, 0.5, 1.0]);
    /// ```
    pub fn linspace_f64(start: f64, end: f64, n: usize) -> Tensor {
        let step = (end - start) / (n.max(2) - 1) as f64;
        let value = |i: usize| {
            if i < n / 2 || n == 1 {
                step.mul_add(i as f64, start)
            } else {
                (-step).mul_add((n - 1 - i) as f64, end)
            }
        };
        Tensor::from_vec((0..n).map(value).collect(), n)
    }
}

/// A number, or an array or `Vec` of equally long literals, nested as deep as the tensor has dimensions.
pub trait Literal {
    /// The element type that PyTorch gives such a literal.
    const DTYPE: DType;
    /// Appends the sizes of the dimensions below this one.
    fn shape(&self, shape: &mut Vec<usize>);
    /// Appends the numbers in row-major order.
    fn flatten(&self, out: &mut Vec<Scalar>);
}

macro_rules! literal {
    ($($t:ty => $dtype:ident),*) => {$(
        impl Literal for $t {
            const DTYPE: DType = DType::$dtype;
            fn shape(&self, _: &mut Vec<usize>) {}
            fn flatten(&self, out: &mut Vec<Scalar>) {
                out.push(Scalar::from(*self));
            }
        }
    )*};
}
literal!(f32 => F32, f64 => F32, i32 => I64, i64 => I64, usize => I64, u8 => I64, bool => Bool);

impl<L: Literal> Literal for [L] {
    const DTYPE: DType = L::DTYPE;
    #[track_caller]
    fn shape(&self, shape: &mut Vec<usize>) {
        shape.push(self.len());
        let Some(first) = self.first() else { return };
        let below = |l: &L| {
            let mut s = Vec::new();
            l.shape(&mut s);
            s
        };
        let expected = below(first);
        if let Some(other) = self.iter().map(below).find(|s| *s != expected) {
            mistake!("tensor: rows of different shapes: {expected:?} and {other:?}; make them equally long");
        }
        shape.extend(expected);
    }
    fn flatten(&self, out: &mut Vec<Scalar>) {
        self.iter().for_each(|l| l.flatten(out));
    }
}

macro_rules! literal_like_slice {
    ($([$($generics:tt)*] $t:ty),*) => {$(
        impl<$($generics)*> Literal for $t {
            const DTYPE: DType = L::DTYPE;
            fn shape(&self, shape: &mut Vec<usize>) {
                self[..].shape(shape);
            }
            fn flatten(&self, out: &mut Vec<Scalar>) {
                self[..].flatten(out);
            }
        }
    )*};
}
literal_like_slice!([L: Literal, const N: usize] [L; N], [L: Literal] Vec<L>, [L: Literal] &[L]);

/// A tensor from a literal, by PyTorch's rules: floats (also Rust's `f64` literals) become f32, integers i64.
/// For typed data use [`Tensor::from_vec`].
///
/// # Panics
/// If rows have different lengths.
///
/// ```
/// # use rekindle_tensor::{tensor, DType};
/// let x = tensor([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!((x.shape(), x.dtype()), (&[2, 2][..], DType::F32));
/// assert_eq!(tensor([0, 1, 1]).dtype(), DType::I64);
/// assert_eq!(tensor(2.5).dim(), 0);
/// ```
#[track_caller]
pub fn tensor<L: Literal>(literal: L) -> Tensor {
    let (mut shape, mut values) = (Vec::new(), Vec::new());
    literal.shape(&mut shape);
    literal.flatten(&mut values);
    match_dtype!(L::DTYPE, T => Tensor::from_vec(values.into_iter().map(T::from_scalar).collect(), shape))
}
