//! Two-dimensional convolution (cross-correlation) of NCHW images, forward and backward.
//!
//! `y[b, o, i, j] = bias[o] + sum over c, p, q of w[o, c, p, q] * x[b, g C/G + c, i sh + p dh - ph, j sw + q dw - pw]`,
//! where `g` is the group of output channel `o` and terms outside the image are 0.
//!
//! The matrix of columns of an image has a row per tap (c, p, q) of the kernel and a column per output pixel (i, j).
//! With it, all three directions are matrix products: `y^T = cols^T w^T`, `dw^T = cols dy^T`, `dcols = w^T dy`. It is
//! never made: its element is `x[row offset + column offset]` of the padded image (see `view`), which the gathering
//! microkernels read in place. Output channels lie along the vectors.
mod forward;
mod input;
mod skipping;
mod view;
mod weight;

use crate::dispatch::{Isa, isa};
use crate::gemm::tile::Kernels;
use crate::real::Real;
use std::ops::Range;

/// Parts of a batch whose gradients of the weight are added up.
const PARTS: usize = 16;
/// Numbers of the gradients of all parts together: a large weight has fewer parts, and channels enough for all threads.
const PARTIALS: usize = 4 << 20;

/// The geometry of a two-dimensional convolution. Pairs are (vertical, horizontal).
///
/// ```
/// use rekindle_kernels::conv::Conv2dShape;
/// let shape = Conv2dShape { batch: 8, in_channels: 1, out_channels: 64, size: (28, 28), kernel: (5, 5), ..Default::default() };
/// assert_eq!(shape.out_size(), (24, 24));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dShape {
    /// Number of images.
    pub batch: usize,
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Height and width of the input.
    pub size: (usize, usize),
    /// Height and width of the kernel.
    pub kernel: (usize, usize),
    /// Step between windows.
    pub stride: (usize, usize),
    /// Rows and columns of zeros on each side.
    pub padding: (usize, usize),
    /// Distance between the taps of the kernel.
    pub dilation: (usize, usize),
    /// Number of groups into which the channels are split.
    pub groups: usize,
}

impl Default for Conv2dShape {
    fn default() -> Self {
        Conv2dShape {
            batch: 1,
            in_channels: 1,
            out_channels: 1,
            size: (1, 1),
            kernel: (1, 1),
            stride: (1, 1),
            padding: (0, 0),
            dilation: (1, 1),
            groups: 1,
        }
    }
}

impl Conv2dShape {
    /// Height and width of the output; 0 where the kernel exceeds the padded image.
    pub fn out_size(&self) -> (usize, usize) {
        let along = |size: usize, kernel: usize, stride: usize, padding: usize, dilation: usize| {
            let reach = dilation * (kernel - 1) + 1;
            (size + 2 * padding).checked_sub(reach).map_or(0, |room| room / stride + 1)
        };
        let s = self;
        (
            along(s.size.0, s.kernel.0, s.stride.0, s.padding.0, s.dilation.0),
            along(s.size.1, s.kernel.1, s.stride.1, s.padding.1, s.dilation.1),
        )
    }

    /// Number of elements of the input `[batch, in_channels, height, width]`.
    pub fn x_len(&self) -> usize {
        self.batch * self.in_channels * self.size.0 * self.size.1
    }

    /// Number of elements of the weight `[out_channels, in_channels / groups, kernel height, kernel width]`.
    pub fn w_len(&self) -> usize {
        self.out_channels * (self.in_channels / self.groups) * self.kernel.0 * self.kernel.1
    }

    /// Number of elements of the output `[batch, out_channels, out height, out width]`.
    pub fn y_len(&self) -> usize {
        let (h, w) = self.out_size();
        self.batch * self.out_channels * h * w
    }

    /// The parts of the batch whose images are added up by themselves for the gradients of weight and bias, which are the sums of
    /// the parts in their order. No part is a single image of several.
    ///
    /// ```
    /// use rekindle_kernels::conv::Conv2dShape;
    /// let shape = Conv2dShape { batch: 7, ..Default::default() };
    /// assert_eq!(shape.image_parts(), [0..2, 2..4, 4..7]);
    /// ```
    pub fn image_parts(&self) -> Vec<Range<usize>> {
        let most = (PARTIALS / self.w_len().max(1)).clamp(1, PARTS);
        let parts = most.min(self.batch / 2).max(1);
        (0..parts).map(|i| weight::part(self.batch, parts, i)).collect()
    }

    /// Rows of the matrix of columns of one group, and output pixels.
    fn matrix_size(&self) -> (usize, usize) {
        let (h, w) = self.out_size();
        (self.in_channels / self.groups * self.kernel.0 * self.kernel.1, h * w)
    }

    /// Channels of one group of input and output.
    fn group_channels(&self) -> (usize, usize) {
        (self.in_channels / self.groups, self.out_channels / self.groups)
    }

    /// Whether every number of elements below, padding included, fits in `usize`.
    fn is_addressable(&self) -> bool {
        let padded = |size: usize, padding: usize| padding.checked_mul(2)?.checked_add(size);
        let reach = |kernel: usize, dilation: usize| dilation.checked_mul(kernel);
        let product =
            |sizes: &[Option<usize>]| sizes.iter().try_fold(1_usize, |n, &size| n.checked_mul(size?));
        let (height, width) = (padded(self.size.0, self.padding.0), padded(self.size.1, self.padding.1));
        let taps = [Some(self.in_channels), Some(self.kernel.0), Some(self.kernel.1)];
        product(&[Some(self.batch), Some(self.in_channels), height, width]).is_some()
            && product(&[Some(self.batch), Some(self.out_channels), height, width]).is_some()
            && product(&taps).is_some_and(|taps| taps.checked_mul(self.out_channels).is_some())
            && reach(self.kernel.0, self.dilation.0).is_some()
            && reach(self.kernel.1, self.dilation.1).is_some()
    }

    #[track_caller]
    fn check_parts(&self, parts: &[Range<usize>]) {
        let inside =
            |part: &Range<usize>| part.end <= self.batch && (part.start < part.end || self.batch == 0);
        assert!(!parts.is_empty() && parts.iter().all(inside), "conv2d: {parts:?} are no parts of {self:?}");
    }

    #[track_caller]
    fn check(&self, x: usize, w: usize, y: usize) {
        assert!(self.groups > 0, "conv2d: groups must be positive");
        assert!(
            self.in_channels.is_multiple_of(self.groups) && self.out_channels.is_multiple_of(self.groups),
            "conv2d: {} input and {} output channels do not divide into {} groups",
            self.in_channels,
            self.out_channels,
            self.groups
        );
        assert!(self.kernel.0 > 0 && self.kernel.1 > 0, "conv2d: the kernel must not be empty");
        assert!(self.stride.0 > 0 && self.stride.1 > 0, "conv2d: the stride must be positive");
        assert!(self.dilation.0 > 0 && self.dilation.1 > 0, "conv2d: the dilation must be positive");
        assert!(self.is_addressable(), "conv2d: sizes exceed what memory can address: {self:?}");
        let (ex, ew, ey) = (self.x_len(), self.w_len(), self.y_len());
        assert!(x == ex, "conv2d: the input has {x} elements, expected {ex} for {self:?}");
        assert!(w == ew, "conv2d: the weight has {w} elements, expected {ew} for {self:?}");
        assert!(y == ey, "conv2d: the output has {y} elements, expected {ey} for {self:?}");
    }
}

/// `y = conv2d(x, w) + bias`, overwriting `y`. `bias` has one element per output channel.
///
/// # Panics
/// If a slice does not have the length that `shape` gives, or the channels do not divide into the groups.
///
/// ```
/// use rekindle_kernels::conv::{Conv2dShape, conv2d_forward};
/// let shape = Conv2dShape { size: (1, 3), kernel: (1, 2), ..Default::default() };
/// let mut y = [0.0; 2];
/// conv2d_forward(&shape, &[1.0_f32, 2.0, 4.0], &[10.0, 1.0], Some(&[0.5]), &mut y);
/// assert_eq!(y, [12.5, 24.5]);
/// ```
#[track_caller]
pub fn conv2d_forward<T: Real>(shape: &Conv2dShape, x: &[T], w: &[T], bias: Option<&[T]>, y: &mut [T]) {
    shape.check(x.len(), w.len(), y.len());
    if let Some(bias) = bias {
        check_bias(shape, bias.len());
    }
    forward::forward(isa(), shape, x, w, bias, y);
}

/// The gradient of the input from the gradient `dy` of the output; overwrites `dx`.
///
/// # Panics
/// As [`conv2d_forward`].
#[track_caller]
pub fn conv2d_backward_input<T: Real>(shape: &Conv2dShape, dy: &[T], w: &[T], dx: &mut [T]) {
    shape.check(dx.len(), w.len(), dy.len());
    backward_input(isa(), shape, dy, w, dx);
}

/// The gradient of the weight from the gradient `dy` of the output; overwrites `dw`. The images of each of `parts` are added up
/// by themselves: for a whole batch, [`Conv2dShape::image_parts`].
///
/// # Panics
/// As [`conv2d_forward`], and if a part lies outside the batch.
#[track_caller]
pub fn conv2d_backward_weight<T: Real>(
    shape: &Conv2dShape,
    parts: &[Range<usize>],
    x: &[T],
    dy: &[T],
    dw: &mut [T],
) {
    shape.check(x.len(), dw.len(), dy.len());
    shape.check_parts(parts);
    backward_weight(isa(), shape, parts, x, dy, dw);
}

/// The gradient of the bias: the sum of `dy` over images, rows and columns; overwrites `db`. `parts` as for
/// [`conv2d_backward_weight`].
///
/// # Panics
/// As [`conv2d_backward_weight`].
#[track_caller]
pub fn conv2d_backward_bias<T: Real>(shape: &Conv2dShape, parts: &[Range<usize>], dy: &[T], db: &mut [T]) {
    shape.check(shape.x_len(), shape.w_len(), dy.len());
    shape.check_parts(parts);
    check_bias(shape, db.len());
    weight::backward_bias(shape, parts, dy, db);
}

/// The gradient of the input: over what is not zero, or over all.
fn backward_input<T: Real>(isa: Isa, s: &Conv2dShape, dy: &[T], w: &[T], dx: &mut [T]) {
    let kernels = Kernels::get(isa);
    if dx.is_empty() || dy.is_empty() {
        dx.fill(T::ZERO);
    } else if skipping::fits(s) && skipping::pays(kernels, s, dy, w) {
        skipping::backward_input(kernels, s, dy, w, dx);
    } else {
        input::backward_input(kernels, s, dy, w, dx);
    }
}

/// The gradient of the weight: over what is not zero, or over all.
fn backward_weight<T: Real>(
    isa: Isa,
    s: &Conv2dShape,
    parts: &[Range<usize>],
    x: &[T],
    dy: &[T],
    dw: &mut [T],
) {
    let kernels = Kernels::get(isa);
    if dw.is_empty() || dy.is_empty() {
        dw.fill(T::ZERO);
    } else if skipping::pays(kernels, s, dy, x) {
        skipping::backward_weight(kernels, s, parts, x, dy, dw);
    } else {
        weight::backward_weight(kernels, s, parts, x, dy, dw);
    }
}

#[track_caller]
fn check_bias(shape: &Conv2dShape, len: usize) {
    let expected = shape.out_channels;
    assert!(len == expected, "conv2d: the bias has {len} elements for {expected} output channels");
}

#[cfg(test)]
mod tests;
