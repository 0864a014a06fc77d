//! Reductions, in an order that depends on sizes only: reruns give the same bits.

use super::{Gpu, Text, empty, groups, launch_made, threads, wgsl};
use crate::numbers;
use crate::op::Meta;
use crate::tensor::Tensor;
use std::borrow::Cow;

/// What a reduction does with two elements.
#[derive(Clone, Copy)]
pub struct Fold {
    /// Part of the kernels' names; no other fold may have it.
    pub name: &'static str,
    /// What is left of nothing, in WGSL.
    pub identity: &'static str,
    /// Of `a` and `b`, in WGSL.
    pub combine: &'static str,
}

/// Sums.
pub const SUM: Fold = Fold { name: "sum", identity: "0", combine: "a + b" };

/// Elements of a row that one workgroup adds up at most; longer rows are cut.
const PART: usize = 8192;
/// Rows of fewer elements take one thread each.
const SHORT: usize = 64;
/// Threads that keep a device busy.
const ENOUGH: usize = 4096;

/// Reduces the middle of `[outer, len, inner]`, the elements of a tensor in row-major order, to `[outer, inner]`.
///
/// # Panics
/// If the device fails.
#[track_caller]
pub fn fold(gpu: &Gpu, x: &Tensor, [outer, len, inner]: [usize; 3], how: Fold) -> Tensor {
    let columns = inner > 1 || len <= SHORT;
    let part = match columns {
        true if len <= SHORT || outer * inner >= ENOUGH => len,
        true => len.div_ceil((ENOUGH / (outer * inner).max(1)).clamp(1, len.div_ceil(SHORT / 2))),
        false => len.min(PART),
    };
    let parts = len.div_ceil(part.max(1)).max(1);
    let y = empty(gpu, &Meta::new([outer, parts, inner], x.dtype()));
    let (t, kind) = (wgsl(x.dtype()), if columns { "columns" } else { "rows" });
    let name = format!("{} of {kind} of {t}", how.name);
    let numbers = numbers![outer, len, inner, part, parts];
    let n = outer * parts * inner;
    let grid = if columns { threads(n) } else { groups(n) };
    launch_made(gpu, &name, || text(how, &name, t, columns), &[x], &[&y], &numbers, grid);
    if parts == 1 { y.reshape([outer, inner]) } else { fold(gpu, &y, [outer, parts, inner], how) }
}

fn text(how: Fold, name: &str, t: &str, columns: bool) -> Text {
    let body = if columns { COLUMNS } else { ROWS };
    let filled = body
        .replace("{T}", t)
        .replace("{identity}", &format!("{t}({})", how.identity))
        .replace("{combine}", how.combine);
    Text {
        name: Cow::Owned(name.to_string()),
        io: Cow::Owned(format!("x: {t} -> y: {t}")),
        params: "outer, len, inner, part, parts".into(),
        body: filled.into(),
    }
}

/// One thread for each element of the result and each part.
const COLUMNS: &str = "
fn combine(a: {T}, b: {T}) -> {T} { return {combine}; }

fn together(number: u32, l: u32) {
    let i = number * 256u + l;
    if (i >= p.outer * p.parts * p.inner) { return; }
    let column = i % p.inner;
    let part = (i / p.inner) % p.parts;
    let first = (i / p.inner / p.parts) * p.len;
    var sum = {identity};
    for (var j = part * p.part; j < min(p.len, (part + 1u) * p.part); j++) {
        sum = combine(sum, x[(first + j) * p.inner + column]);
    }
    y[i] = sum;
}
";

/// One workgroup for each part of a row: every thread adds up each 256th element, then pairs are added.
const ROWS: &str = "
var<workgroup> sums: array<{T}, 256>;

fn combine(a: {T}, b: {T}) -> {T} { return {combine}; }

fn together(number: u32, l: u32) {
    let i = number;
    let part = i % p.parts;
    let first = (i / p.parts) * p.len;
    var sum = {identity};
    if (i < p.outer * p.parts) {
        for (var j = part * p.part + l; j < min(p.len, (part + 1u) * p.part); j += 256u) {
            sum = combine(sum, x[first + j]);
        }
    }
    sums[l] = sum;
    for (var half = 128u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (l < half) { sums[l] = combine(sums[l], sums[l + half]); }
    }
    if (l == 0u && i < p.outer * p.parts) { y[i] = sums[0]; }
}
";
