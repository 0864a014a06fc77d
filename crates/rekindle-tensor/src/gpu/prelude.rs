//! What every kernel has around its own text: functions that WGSL lacks, and the entry point.

/// The functions.
pub(super) const TEXT: &str = include_str!("prelude.wgsl");

/// The entry point of a kernel with one thread an element.
const EACH: &str = "
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3<u32>, @builtin(num_workgroups) g: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    let i = (w.y * g.x + w.x) * 256u + l;
    if (i < p.n) { each(i); }
}
";

/// The entry point of a kernel whose threads work together.
const WORKGROUP: &str = "
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3<u32>, @builtin(num_workgroups) g: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    together(w.y * g.x + w.x, l);
}
";

/// A kernel's text with what it lacks; see [`Text::body`](super::Text::body).
pub(super) fn with(body: &str) -> String {
    let entry = match () {
        _ if body.contains("fn each(") => EACH,
        _ if body.contains("fn together(") => WORKGROUP,
        _ => "",
    };
    format!("{TEXT}\n{body}\n{entry}")
}
