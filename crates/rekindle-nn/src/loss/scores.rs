//! What losses of scores share on a GPU. A sample's scores are looked at by as many threads as there are classes, up to a workgroup of
//! 256; or by one where neighbouring samples' scores lie side by side.
//!
//! Legend: the scores are [outer, C, inner] with the classes in dimension 1; a sample is one (outer, inner).

use rekindle_tensor::gpu::Text;

/// The scores' shape as [outer, classes, inner].
pub(super) fn slabs(shape: &[usize]) -> [usize; 3] {
    [shape[0], shape[1], shape[2..].iter().product()]
}

/// Threads for each sample.
pub(super) fn lanes([_, classes, inner]: [usize; 3]) -> usize {
    if inner > 1 { 1 } else { classes.next_power_of_two().min(256) }
}

/// A kernel that calls `weight(k)` for the weight of class `k`. The weights, if there are any, are the first buffer.
pub(super) fn text(
    name: &'static str,
    io: &'static str,
    params: &'static str,
    body: &'static str,
    weighted: bool,
) -> Text {
    let (name, io, weight) = match weighted {
        true => (format!("{name}, weighted").into(), format!("weights: f32, {io}").into(), "weights[k]"),
        false => (name.into(), io.into(), "1.0"),
    };
    let body = format!("fn weight(k: u32) -> f32 {{ return {weight}; }}\n{body}").into();
    Text { name, io, params: params.into(), body }
}
