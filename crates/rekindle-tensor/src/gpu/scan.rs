//! Running reductions along a dimension, such as sums of all elements so far, in an order that depends on sizes only.

use super::fold::Fold;
use super::{Gpu, Text, empty, groups, launch, wgsl};
use crate::numbers;
use crate::op::Meta;
use crate::tensor::Tensor;

/// Which elements go into each result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan {
    /// From the last element back instead of from the first on.
    pub reverse: bool,
    /// Those before an element without itself.
    pub exclusive: bool,
}

/// How many of a workgroup's 256 threads walk together along rows of `len` elements that lie `inner` apart; the others take neighbouring
/// rows. So neighbouring threads read neighbouring words.
pub(crate) fn lanes(len: usize, inner: usize) -> usize {
    let most = 256 / inner.next_power_of_two().min(32);
    len.next_power_of_two().min(most)
}

/// Results of which each workgroup makes several, one for each row beside the others; see [`lanes`].
pub(crate) fn rows(n: usize, lanes: usize) -> [u32; 3] {
    groups(n.div_ceil(256 / lanes))
}

/// Threads that keep a device busy; a few long rows are cut into parts.
const ENOUGH: usize = 1 << 16;
/// The least elements of a part.
const PART: usize = 2048;

/// The running reduction along the middle of `[outer, len, inner]`, the elements of a tensor in row-major order.
///
/// # Panics
/// If the device fails.
#[track_caller]
pub(crate) fn scan(gpu: &Gpu, x: &Tensor, sizes: [usize; 3], how: Fold, which: Scan) -> Tensor {
    let [outer, len, inner] = sizes;
    let most = (ENOUGH / (outer * inner * lanes(len, inner)).max(1)).max(1);
    let part = len.div_ceil(most.min(len.div_ceil(PART)).max(1)).max(1);
    let parts = len.div_ceil(part).max(1);
    let y = empty(gpu, &Meta::of(x));
    let totals = empty(gpu, &Meta::new([outer, parts, inner], x.dtype()));
    let text = text(how, wgsl(x.dtype()));
    let run = |before: Option<&Tensor>| {
        let lanes = lanes(part, inner);
        let [reverse, exclusive] = [which.reverse, which.exclusive].map(usize::from);
        let numbers = numbers![
            outer,
            len,
            inner,
            part,
            parts,
            lanes,
            reverse,
            exclusive,
            usize::from(before.is_some())
        ];
        let groups = rows(outer * parts * inner, lanes);
        launch(gpu, &text, &[x, before.unwrap_or(x)], &[&y, &totals], &numbers, groups);
    };
    run(None);
    if parts > 1 {
        // The parts once more, each from where the one before it ends.
        let before = Scan { reverse: false, exclusive: true };
        let before = scan(gpu, &totals, [outer, parts, inner], how, before);
        run(Some(&before));
    }
    y
}

fn text(how: Fold, t: &str) -> Text {
    let filled = BODY
        .replace("{T}", t)
        .replace("{identity}", &format!("{t}({})", how.identity))
        .replace("{combine}", how.combine);
    Text {
        name: format!("scan {} of {t}", how.name).into(),
        io: format!("x: {t}, before: {t} -> y: {t}, totals: {t}").into(),
        params: "outer, len, inner, part, parts, lanes, reverse, exclusive, continued".into(),
        body: filled.into(),
    }
}

/// A tile of as many elements as there are lanes is scanned by steps that double (W. Hillis and G. Steele, "Data parallel algorithms", 1986),
/// then the next.
const BODY: &str = "
var<workgroup> sums: array<{T}, 256>;

fn combine(a: {T}, b: {T}) -> {T} { return {combine}; }

fn together(number: u32, l: u32) {
    let wide = 256u / p.lanes;
    let lane = l / wide;
    let row = number * wide + l % wide;
    let there = row < p.outer * p.parts * p.inner;
    let column = row % p.inner;
    let first = ((row / p.inner) % p.parts) * p.part;
    let end = min(p.len, first + p.part);
    let block = (row / p.inner / p.parts) * p.len;
    var sum = {identity};
    if (there && p.continued == 1u) { sum = before[row]; }
    for (var tile = 0u; tile < p.part; tile += p.lanes) {
        let j = first + tile + lane;
        let inside = there && j < end;
        let at = (block + select(j, p.len - 1u - j, p.reverse == 1u)) * p.inner + column;
        sums[l] = {identity};
        if (inside) { sums[l] = x[at]; }
        for (var step = wide; step < 256u; step *= 2u) {
            workgroupBarrier();
            var left = {identity};
            if (l >= step) { left = sums[l - step]; }
            workgroupBarrier();
            sums[l] = combine(left, sums[l]);
        }
        workgroupBarrier();
        if (inside) {
            var result = sum;
            if (p.exclusive == 0u) { result = combine(sum, sums[l]); }
            else if (lane > 0u) { result = combine(sum, sums[l - wide]); }
            y[at] = result;
        }
        sum = combine(sum, sums[256u - wide + l % wide]);
        workgroupBarrier();
    }
    if (there && lane == 0u) { totals[row] = sum; }
}
";
