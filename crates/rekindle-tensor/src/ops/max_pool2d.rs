//! Maximum over windows of images and sequences. A sequence is an image of height 1.

use super::elementwise::{filled, no_grads};
use crate::dtype::{DType, match_float};
use crate::gpu::{self, pool::Windows};
use crate::op::{Context, Grads, Keeps, Meta, Op, Output, apply};
use crate::plan::{Stage, plain};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::testing::Sample;
use rekindle_kernels::pool2d::{Pool2dShape, max_backward, max_forward};
use smallvec::smallvec;

/// How a window moves over `D` dimensions.
///
/// ```
/// # use rekindle_tensor::PoolOptions;
/// let options = PoolOptions { padding: [1, 1], ..PoolOptions::new([3, 3]) };
/// assert_eq!(options.stride, [3, 3]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions<const D: usize> {
    /// Size of the window.
    pub kernel: [usize; D],
    /// Step between windows; the window's size by default.
    pub stride: [usize; D],
    /// What is added on each side, at most half of the window: minus infinity for a maximum, 0 for an average.
    pub padding: [usize; D],
    /// Distance between the elements of a window; for maxima only.
    pub dilation: [usize; D],
    /// Whether a last window that reaches beyond the padded image counts.
    pub ceil_mode: bool,
    /// Whether an average divides by the whole window where part of it is padding.
    pub count_include_pad: bool,
}

impl<const D: usize> PoolOptions<D> {
    /// Windows side by side, without padding.
    pub fn new(kernel: [usize; D]) -> Self {
        PoolOptions {
            kernel,
            stride: kernel,
            padding: [0; D],
            dilation: [1; D],
            ceil_mode: false,
            count_include_pad: true,
        }
    }

    /// The same over an image of height 1 if `D` is 1.
    pub(crate) fn over_images(&self) -> PoolOptions<2> {
        let pair = |values: [usize; D], first: usize| {
            if D == 2 { [values[0], values[1]] } else { [first, values[0]] }
        };
        PoolOptions {
            kernel: pair(self.kernel, 1),
            stride: pair(self.stride, 1),
            padding: pair(self.padding, 0),
            dilation: pair(self.dilation, 1),
            ceil_mode: self.ceil_mode,
            count_include_pad: self.count_include_pad,
        }
    }
}

/// A pooling's name, its number of pooled dimensions and its options.
#[derive(Debug)]
pub(crate) struct Pooling {
    pub name: &'static str,
    pub dims: usize,
    pub options: PoolOptions<2>,
}

impl Pooling {
    /// The geometry for `[N, C, H, W]` or `[C, H, W]` (`[N, C, L]` or `[C, L]` for sequences).
    pub fn geometry(&self, x: &[usize]) -> Result<Pool2dShape, String> {
        let PoolOptions { kernel, stride, padding, dilation, ceil_mode, .. } = self.options;
        let op = self.name;
        let (planes, size) = planes(op, x, self.dims)?;
        if kernel.contains(&0) || stride.contains(&0) || dilation.contains(&0) {
            return Err(format!(
                "{op}: window, stride and dilation must be positive, got {kernel:?}, {stride:?} and {dilation:?}"
            ));
        }
        if (0..2).any(|d| padding[d] > kernel[d] / 2) {
            return Err(format!("{op}: the padding {padding:?} exceeds half of the window {kernel:?}"));
        }
        let shape = Pool2dShape {
            planes,
            size,
            kernel: kernel.into(),
            stride: stride.into(),
            padding: padding.into(),
            dilation: dilation.into(),
            ceil_mode,
        };
        if shape.out_size().0 == 0 || shape.out_size().1 == 0 {
            return Err(format!(
                "{op}: the window {:?} exceeds the input {:?} with padding {:?}",
                &kernel[2 - self.dims..],
                &x[x.len() - self.dims..],
                &padding[2 - self.dims..]
            ));
        }
        Ok(shape)
    }

    /// The geometry of some rows of a batch, by how many.
    pub fn geometry_of_rows(&self, x: &[usize]) -> Option<impl Fn(usize) -> Pool2dShape + Copy + use<>> {
        let (whole, rows) = (self.geometry(x).ok()?, *x.first()?);
        let planes = whole.planes / rows.max(1);
        Some(move |n| Pool2dShape { planes: planes * n, ..whole })
    }

    /// The windows on a GPU.
    pub fn windows(&self, x: &[usize]) -> Windows {
        Windows::of(&self.geometry(x).expect("the shape rule accepted it"), self.options.count_include_pad)
    }

    /// The shape rule.
    pub fn infer(&self, x: &Meta) -> Result<Meta, String> {
        let out = self.geometry(&x.shape)?.out_size();
        super::elementwise::same_float(self.name, std::slice::from_ref(x))?;
        Ok(Meta::new(resized(&x.shape, out, self.dims), x.dtype))
    }
}

/// The number of planes and their size.
pub(crate) fn planes(op: &str, x: &[usize], dims: usize) -> Result<(usize, (usize, usize)), String> {
    if x.len() != dims + 1 && x.len() != dims + 2 {
        let want = if dims == 2 {
            "[N, C, height, width] or [C, height, width]"
        } else {
            "[N, C, length] or [C, length]"
        };
        return Err(format!("{op}: the input must be {want}, got {x:?}; .reshape(..) or .unsqueeze(1)?"));
    }
    let (outer, inner) = x.split_at(x.len() - dims);
    Ok((outer.iter().product(), if dims == 2 { (inner[0], inner[1]) } else { (1, inner[0]) }))
}

/// The shape with another size of the planes.
pub(crate) fn resized(x: &Shape, (h, w): (usize, usize), dims: usize) -> Shape {
    let last = x.with(x.len() - 1, w);
    if dims == 2 { last.with(x.len() - 2, h) } else { last }
}

/// The backward pass looks for the maxima again; on a GPU their places are saved.
#[derive(Debug)]
struct MaxPool(Pooling);

impl Op for MaxPool {
    fn name(&self) -> &'static str {
        self.0.name
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        self.0.infer(&x[0])
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let shape = self.0.geometry(x[0].shape()).expect("the shape rule accepted it");
        match_float!(self.name(), out.dtype, T => {
            filled::<T>(&out.shape, |y| max_forward(&shape, &x[0].data::<T>(), y, None)).into()
        })
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        let shape = self.0.geometry(&ctx.metas[0].shape).expect("the shape rule accepted it");
        smallvec![Some(match_float!(self.name(), ctx.grad.dtype(), T => {
            let (x, dy) = (ctx.input(0).data::<T>(), ctx.grad.data::<T>());
            filled::<T>(&ctx.metas[0].shape, |dx| max_backward(&shape, &x, &dy, dx))
        }))]
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let [value, places] = self.0.windows(x[0].shape()).max(&gpu::of(x), x[0], out);
        Output { value, saved: vec![places] }
    }
    fn backward_gpu(&self, ctx: &Context<'_>) -> Grads {
        let (gpu, input) = (gpu::of(&[ctx.grad]), &ctx.metas[0]);
        smallvec![Some(self.0.windows(&input.shape).max_backward(&gpu, ctx.grad, &ctx.saved[0], input))]
    }
    fn stage(&self, m: &[Meta], _: &Meta) -> Option<Box<dyn Stage>> {
        let of = self.0.geometry_of_rows(&m[0].shape)?;
        Some(plain(
            move |n, x, y| max_forward(&of(n), x, y, None),
            move |n, x, dy, dx| max_backward(&of(n), x, dy, dx),
        ))
    }
}

/// Where the maxima are in their planes.
#[derive(Debug)]
struct MaxPlaces(Pooling);

impl Op for MaxPlaces {
    fn name(&self) -> &'static str {
        self.0.name
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        Ok(Meta { dtype: DType::I64, ..self.0.infer(&x[0])? })
    }
    fn forward(&self, x: &[&Tensor], out: &Meta) -> Output {
        let shape = self.0.geometry(x[0].shape()).expect("the shape rule accepted it");
        let mut places = vec![0; out.shape.numel()];
        match_float!(self.name(), x[0].dtype(), T => {
            max_forward(&shape, &x[0].data::<T>(), &mut vec![0.0 as T; places.len()], Some(&mut places));
        });
        Tensor::from_vec(places, &out.shape).into()
    }
    fn forward_gpu(&self, x: &[&Tensor], out: &Meta) -> Output {
        let values = Meta::new(out.shape.clone(), x[0].dtype());
        let [_, places] = self.0.windows(x[0].shape()).max(&gpu::of(x), x[0], &values);
        places.into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        no_grads(ctx.metas.len())
    }
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

impl Tensor {
    /// The maximum of every window: PyTorch's `F.max_pool2d` on `[N, C, H, W]` or `[C, H, W]`.
    ///
    /// The first maximum of a window, row by row, wins and alone gets the gradient; NaN wins over everything.
    ///
    /// # Panics
    /// If the shape or the options do not fit, or a window exceeds the padded image.
    ///
    /// ```
    /// use rekindle_tensor::{PoolOptions, Tensor};
    /// let x = Tensor::arange(0.0, 16.0, 1.0).reshape([1, 1, 4, 4]);
    /// assert_eq!(x.max_pool2d(PoolOptions::new([2, 2])).to_vec::<f32>(), [5.0, 7.0, 13.0, 15.0]);
    /// ```
    #[track_caller]
    pub fn max_pool2d(&self, options: PoolOptions<2>) -> Tensor {
        apply(MaxPool(Pooling { name: "max_pool2d", dims: 2, options }), &[self])
    }

    /// As [`max_pool2d`](Tensor::max_pool2d), also giving the flat index of every maximum in its image's plane.
    ///
    /// # Panics
    /// As [`max_pool2d`](Tensor::max_pool2d).
    ///
    /// ```
    /// # use rekindle_tensor::{Tensor, PoolOptions};
    /// let (y, at) = Tensor::arange(0.0, 4.0, 1.0).reshape([1, 2, 2]).max_pool2d_with_indices(PoolOptions::new([2, 2]));
    /// assert_eq!((y.item::<f32>(), at.item::<i64>()), (3.0, 3));
    /// ```
    #[track_caller]
    pub fn max_pool2d_with_indices(&self, options: PoolOptions<2>) -> (Tensor, Tensor) {
        let pooling = Pooling { name: "max_pool2d", dims: 2, options };
        (self.max_pool2d(options), apply(MaxPlaces(pooling), &[self]))
    }

    /// The maximum of every window of `[N, C, L]` or `[C, L]`: PyTorch's `F.max_pool1d`.
    ///
    /// # Panics
    /// As [`max_pool2d`](Tensor::max_pool2d).
    ///
    /// ```
    /// # use rekindle_tensor::{tensor, PoolOptions};
    /// let y = tensor([[1.0, 3.0, 7.0, 5.0]]).max_pool1d(PoolOptions::new([2]));
    /// assert_eq!(y.to_vec::<f32>(), [3.0, 7.0]);
    /// ```
    #[track_caller]
    pub fn max_pool1d(&self, options: PoolOptions<1>) -> Tensor {
        apply(MaxPool(Pooling { name: "max_pool1d", dims: 1, options: options.over_images() }), &[self])
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let pool =
        |name: &'static str, options: PoolOptions<2>| Sample::new(name, move |x| x[0].max_pool2d(options));
    vec![
        pool("max_pool2d", PoolOptions::new([2, 2]))
            .on(&[&[2, 3, 4, 6]])
            .on(&[&[0, 1, 2, 2]])
            .on(&[&[3, 5, 5]])
            .large(&[&[4, 8, 48, 48]]),
        pool(
            "max_pool2d, overlapping",
            PoolOptions { stride: [2, 1], padding: [1, 1], ..PoolOptions::new([3, 2]) },
        )
        .on(&[&[1, 2, 5, 4]])
        .on(&[&[1, 1, 1, 1]]),
        pool(
            "max_pool2d, dilated",
            PoolOptions { dilation: [2, 1], ceil_mode: true, ..PoolOptions::new([2, 2]) },
        )
        .on(&[&[1, 2, 7, 5]]),
        Sample::new("max_pool1d", |x| x[0].max_pool1d(PoolOptions { stride: [2], ..PoolOptions::new([3]) }))
            .on(&[&[2, 3, 9]])
            .on(&[&[0, 1, 4]])
            .on(&[&[1, 3]]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;

    #[test]
    fn indices_are_flat_in_each_plane() {
        let x = Tensor::from_vec(vec![1.0f32, 9.0, 3.0, 9.0, 0.0, 5.0, 7.0, 2.0], [2, 1, 2, 2]);
        let (values, indices) = x.max_pool2d_with_indices(PoolOptions::new([2, 2]));
        assert_eq!((values.to_vec::<f32>(), indices.to_vec::<i64>()), (vec![9.0, 7.0], vec![1, 2]));
    }

    #[test]
    fn misfits_are_explained() {
        let say =
            |x: &[usize], k| check(|| Tensor::zeros(x).max_pool2d(PoolOptions::new([k, k]))).unwrap_err();
        assert_eq!(
            say(&[2, 1, 3, 3], 4),
            "max_pool2d: the window [4, 4] exceeds the input [3, 3] with padding [0, 0]"
        );
        assert!(say(&[4, 784], 2).starts_with("max_pool2d: the input must be [N, C, height, width]"));
        let padded = PoolOptions { padding: [2, 0], ..PoolOptions::new([3, 3]) };
        let e = check(|| Tensor::zeros([1, 1, 5, 5]).max_pool2d(padded)).unwrap_err();
        assert_eq!(e, "max_pool2d: the padding [2, 0] exceeds half of the window [3, 3]");
    }
}
