//! Where the elements of the matrix of columns are: offsets into an image with its padding.
use super::Conv2dShape;
use crate::real::Real;
use crate::scratch::Offsets;
use std::ops::Range;

/// A group of channels of images in memory, with the padding if there is any: the distances between rows, channels
/// and images.
#[derive(Clone, Copy)]
pub(super) struct View {
    pub row: usize,
    pub channel: usize,
    pub image: usize,
}

impl View {
    /// The images of `channels` channels as `padded` writes them; without padding, the input itself.
    pub fn new(s: &Conv2dShape, channels: usize) -> Self {
        let (row, rows) = (s.size.1 + 2 * s.padding.1, s.size.0 + 2 * s.padding.0);
        let channel = row * rows;
        let image = if s.padding == (0, 0) { s.in_channels * channel } else { channels * channel };
        View { row, channel, image }
    }

    /// Elements of scratch memory for `images` images of `channels` channels.
    pub fn scratch(&self, s: &Conv2dShape, channels: usize, images: usize) -> usize {
        if s.padding == (0, 0) { 0 } else { channels * images * self.channel }
    }

    /// Channels `channels` of the images from `first` on: the input itself, or a copy with padding in `scratch`.
    pub fn padded<'a, T: Real>(
        &self,
        s: &Conv2dShape,
        x: &'a [T],
        images: Range<usize>,
        channels: Range<usize>,
        scratch: &'a mut [T],
    ) -> &'a [T] {
        let plane = s.size.0 * s.size.1;
        let first = (images.start * s.in_channels + channels.start) * plane;
        if s.padding == (0, 0) {
            return &x[first..];
        }
        scratch.fill(T::ZERO);
        for (image, out) in images.zip(scratch.chunks_exact_mut(self.image)) {
            let x = &x[(image * s.in_channels + channels.start) * plane..];
            for (x, out) in x.chunks_exact(plane.max(1)).zip(out.chunks_exact_mut(self.channel)) {
                for (x, out) in x.chunks_exact(s.size.1).zip(out.chunks_exact_mut(self.row).skip(s.padding.0))
                {
                    out[s.padding.1..][..s.size.1].copy_from_slice(x);
                }
            }
        }
        scratch
    }

    /// Offset of each tap (c, p, q) of the kernel for `channels` channels.
    pub fn taps(&self, s: &Conv2dShape, channels: usize) -> Offsets {
        let (kh, kw) = s.kernel;
        (0..channels * kh * kw)
            .map(|t| {
                t / (kh * kw) * self.channel + t / kw % kh * s.dilation.0 * self.row + t % kw * s.dilation.1
            })
            .collect()
    }

    /// Offset of each output pixel (image, i, j) for `images` images.
    pub fn pixels(&self, s: &Conv2dShape, images: usize) -> Offsets {
        let (oh, ow) = s.out_size();
        (0..images * oh * ow)
            .map(|t| t / (oh * ow) * self.image + t / ow % oh * s.stride.0 * self.row + t % ow * s.stride.1)
            .collect()
    }
}
