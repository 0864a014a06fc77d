//! Stages without parameters, from two functions.

use super::{Rows, Stage};
use std::fmt;

struct Plain<F, B> {
    forward: F,
    backward: B,
}

/// A stage whose rows do not mix: `forward(n, x, y)` writes the output `y` of `n` rows, `backward(n, x, dy, dx)` the gradient `dx` of their input.
pub(crate) fn plain(
    forward: impl Fn(usize, &[f32], &mut [f32]) + Send + Sync + 'static,
    backward: impl Fn(usize, &[f32], &[f32], &mut [f32]) + Send + Sync + 'static,
) -> Box<dyn Stage> {
    Box::new(Plain { forward, backward })
}

impl<F, B> fmt::Debug for Plain<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a stage without parameters")
    }
}

impl<F, B> Stage for Plain<F, B>
where
    F: Fn(usize, &[f32], &mut [f32]) + Send + Sync,
    B: Fn(usize, &[f32], &[f32], &mut [f32]) + Send + Sync,
{
    fn forward(&self, rows: Rows<'_>, y: &mut [f32]) {
        (self.forward)(rows.n, rows.x, y);
    }

    fn backward(&self, rows: Rows<'_>, dy: &[f32], dx: Option<&mut [f32]>, _: &mut [Vec<f32>]) {
        if let Some(dx) = dx {
            (self.backward)(rows.n, rows.x, dy, dx);
        }
    }
}
