//! Kernels that reduce rows and use the results: a workgroup's 256 threads share one long row or several short ones.

use super::Text;

/// How many of `rows` rows of `len` elements a workgroup takes: a power of two. Rows whose elements lie `inner` apart are neighbours, which
/// are read together.
pub(crate) fn width(rows: usize, len: usize, inner: usize) -> usize {
    let most = rows.next_power_of_two().min(256);
    let by_length = 256 / len.next_power_of_two().min(256);
    by_length.max(if inner > 1 { 32 } else { 1 }).min(most)
}

/// A kernel in which the thread `l` works on row `l % p.width` of its workgroup, of which it takes each `256 / p.width`th element.
///
/// `main` is the rest of the text. All threads of a workgroup call its functions `total(l, x)` and `greatest(l, x)` together and get the sum
/// and the greatest of the values of their rows.
pub(crate) fn text(name: &'static str, io: &'static str, params: &'static str, main: &str) -> Text {
    Text { name: name.into(), io: io.into(), params: params.into(), body: format!("{SHARED}{main}").into() }
}

const SHARED: &str = "
var<workgroup> shared_values: array<f32, 256>;

fn total(l: u32, x: f32) -> f32 {
    // The last result may still be read.
    workgroupBarrier();
    shared_values[l] = x;
    for (var half = 128u; half >= p.width; half /= 2u) {
        workgroupBarrier();
        if (l < half) { shared_values[l] += shared_values[l + half]; }
    }
    workgroupBarrier();
    return shared_values[l % p.width];
}

fn greatest(l: u32, x: f32) -> f32 {
    workgroupBarrier();
    shared_values[l] = x;
    for (var half = 128u; half >= p.width; half /= 2u) {
        workgroupBarrier();
        if (l < half) { shared_values[l] = maximum(shared_values[l], shared_values[l + half]); }
    }
    workgroupBarrier();
    return shared_values[l % p.width];
}
";
