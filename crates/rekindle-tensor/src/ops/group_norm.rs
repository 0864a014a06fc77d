//! Normalisation of groups of channels, and of single channels, of every sample.
//!
//! Source: Y. Wu and K. He, "Group Normalization", ECCV 2018.

use super::batch_norm::normalize_slices;
use crate::op::mistake;
use crate::tensor::Tensor;
use crate::testing::Sample;

impl Tensor {
    /// Divides the channels of `[N, C, ..]` into `groups`, gives every group of every sample mean 0 and variance 1,
    /// and scales and shifts every channel. PyTorch's `F.group_norm` (its `eps` is 1e-5).
    ///
    /// # Panics
    /// If the channels do not divide into the groups, or weight or bias are not `[C]`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let y = tensor([[1.0, 3.0, 0.0, 8.0]]).group_norm(2, None, None, 0.0);
    /// assert_eq!(y.to_vec::<f32>(), [-1.0, 1.0, -1.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn group_norm(
        &self,
        groups: usize,
        weight: Option<&Tensor>,
        bias: Option<&Tensor>,
        eps: f64,
    ) -> Tensor {
        if self.dim() < 2 || groups == 0 || !self.size(1).is_multiple_of(groups) {
            mistake!(
                "group_norm: the channels of {:?} do not divide into {groups} groups; it needs [N, C, ..]",
                self.shape()
            );
        }
        let normalized = normalize_slices(self, self.size(0) * groups, eps);
        affine(normalized, "group_norm", weight, bias)
    }

    /// Gives every channel of every sample of `[N, C, ..]` mean 0 and variance 1, then scales and shifts it. PyTorch's
    /// `F.instance_norm` (its `eps` is 1e-5).
    ///
    /// # Panics
    /// If there is one element per channel only, or weight or bias are not `[C]`.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let y = tensor([[[1.0, 3.0], [0.0, 8.0]]]).instance_norm(None, None, 0.0);
    /// assert_eq!(y.to_vec::<f32>(), [-1.0, 1.0, -1.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn instance_norm(&self, weight: Option<&Tensor>, bias: Option<&Tensor>, eps: f64) -> Tensor {
        if self.dim() < 3 || self.shape()[2..].iter().product::<usize>() == 1 {
            mistake!(
                "instance_norm: needs [N, C, ..] with more than one element per channel, got {:?}",
                self.shape()
            );
        }
        let normalized = normalize_slices(self, self.size(0) * self.size(1), eps);
        affine(normalized, "instance_norm", weight, bias)
    }
}

/// Scales and shifts every channel.
#[track_caller]
fn affine(x: Tensor, op: &str, weight: Option<&Tensor>, bias: Option<&Tensor>) -> Tensor {
    let channels = x.size(1);
    let column = |t: &Tensor| {
        if t.shape() != [channels] {
            mistake!("{op}: weight and bias of {channels} channels are [{channels}], got {:?}", t.shape());
        }
        let mut shape = vec![1; x.dim() - 1];
        shape[0] = channels;
        t.reshape(shape)
    };
    let scaled = weight.map(|w| &x * column(w)).unwrap_or_else(|| x.clone());
    bias.map(|b| &scaled + column(b)).unwrap_or(scaled)
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        Sample::new("group_norm", |x| x[0].group_norm(2, x.get(1), x.get(2), 1e-5))
            .on(&[&[2, 4, 3], &[4], &[4]])
            .on(&[&[1, 2, 2, 2], &[2]])
            .on(&[&[3, 6]])
            .on(&[&[0, 2, 3]]),
        Sample::new("instance_norm", |x| x[0].instance_norm(x.get(1), x.get(2), 1e-5))
            .on(&[&[2, 3, 4], &[3], &[3]])
            .on(&[&[1, 2, 2, 3]]),
    ]
}
