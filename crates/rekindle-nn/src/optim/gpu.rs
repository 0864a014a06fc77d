//! What optimisers share on a GPU: kernels that change tensors in place, one thread for each element.

use rekindle_tensor::gpu::{self, Number, Text};
use rekindle_tensor::{Tensor, numbers};
use std::fmt::Write;

/// Functions of [`Direction`](super::Direction), [`lerp`](super::lerp) and [`square_average`](super::square_average).
const FUNCTIONS: &str = "
fn directed(w: f32, g: f32, decay: f32, sign: f32) -> f32 {
    let d = g * sign;
    if (decay == 0.0) { return d; }
    return fma(decay, w, d);
}

fn lerp(m: f32, g: f32, weight: f32) -> f32 {
    if (abs(weight) < 0.5) { return fma(weight, g - m, m); }
    return fma(weight - 1.0, g - m, g);
}

fn square_average(v: f32, g: f32, keep: f32, fresh: f32) -> f32 { return fma(fresh * g, g, v * keep); }
";

/// One step of an optimiser on a GPU, in one pass over a parameter, its state and its gradient: what [`Rule::update_gpu`] calls; see the
/// example of [`Rule`].
///
/// `wgsl` are statements that change `w`, an element of the parameter, and those of the state tensors under their names; `g` is the
/// gradient's, `p.rate` the number `rate`. They know `directed(w, g, decay, sign)`, `lerp(m, g, weight)` and
/// `square_average(v, g, keep, fresh)`. A `name` is for one text: it is compiled once.
///
/// # Panics
/// If the device fails or does not understand the text.
///
/// [`Rule`]: super::Rule
/// [`Rule::update_gpu`]: super::Rule::update_gpu
#[track_caller]
pub fn update_elements(
    name: &str,
    wgsl: &str,
    parameter: &Tensor,
    state: &[(&str, &Tensor)],
    gradient: &Tensor,
    numbers: &[(&str, f64)],
) {
    let changed: Vec<&Tensor> = std::iter::once(parameter).chain(state.iter().map(|(_, t)| *t)).collect();
    let values: Vec<Number> = numbers.iter().map(|&(_, v)| v.into()).collect();
    in_place_made(name, || element_text(name, wgsl, state, numbers), &[gradient], &changed, &values);
}

/// The kernel of [`update_elements`].
fn element_text(name: &str, wgsl: &str, state: &[(&str, &Tensor)], numbers: &[(&str, f64)]) -> Text {
    let (mut io, mut params) = ("gradient: f32 -> parameter: f32".to_string(), "n".to_string());
    let (mut before, mut after) = (String::new(), String::new());
    for (name, _) in state {
        _ = write!(io, ", {name}_: f32");
        _ = writeln!(before, "    var {name} = {name}_[i];");
        _ = writeln!(after, "    {name}_[i] = {name};");
    }
    numbers.iter().for_each(|(name, _)| _ = write!(params, ", {name}: f32"));
    let body = format!(
        "{FUNCTIONS}
fn each(i: u32) {{
    let g = gradient[i];
    var w = parameter[i];
{before}{wgsl}
    parameter[i] = w;
{after}}}"
    );
    Text { name: name.to_string().into(), io: io.into(), params: params.into(), body: body.into() }
}

/// Launches a kernel with one thread for each element of what it changes; their number `n` comes before its other numbers.
#[track_caller]
pub(super) fn in_place(text: &Text, reads: &[&Tensor], changed: &[&Tensor], numbers: &[Number]) {
    in_place_made(&text.name, || text.clone(), reads, changed, numbers);
}

/// [`in_place`], with a text that is made only when its name is not known yet.
#[track_caller]
fn in_place_made(
    name: &str,
    text: impl FnOnce() -> Text,
    reads: &[&Tensor],
    changed: &[&Tensor],
    numbers: &[Number],
) {
    let (gpu, n) = (gpu::of(changed), changed[0].numel());
    let dense: Vec<Tensor> = changed.iter().map(|x| gpu::dense(&gpu, x)).collect();
    let numbers = [&numbers![n][..], numbers].concat();
    gpu::launch_made(&gpu, name, text, reads, &dense.iter().collect::<Vec<_>>(), &numbers, gpu::threads(n));
    // A view of other memory was changed in a copy.
    for (x, dense) in changed.iter().zip(&dense).filter(|(x, dense)| !dense.shares_memory(x)) {
        x.copy_(dense);
    }
}
