//! Matrix products: tiles of the result in registers, strips of the factors in shared memory.
//!
//! A workgroup of 16 x 16 threads makes a square tile, each thread a square of 4 or 8 elements whose rows and columns are 16 apart, so that
//! neighbouring threads read neighbouring words of shared memory. Results too small to fill a device are cut along the inner dimension;
//! the parts are added in their order. Source of the scheme: S. Boehm, "How to optimize a CUDA matmul kernel" (2022).

use super::fold::{SUM, fold};
use super::{Gpu, Text, dense, empty, launch_on, map, memory, written};
use crate::dtype::DType;
use crate::numbers;
use crate::op::Meta;
use crate::tensor::Tensor;
use std::sync::LazyLock;

/// A factor: a matrix, or as many as the other has, with its strides.
pub(crate) struct Factor<'a> {
    pub x: &'a Tensor,
    /// Steps between rows, columns and matrices.
    pub strides: [usize; 3],
}

impl Factor<'_> {
    /// The last two dimensions of a tensor are matrices, the others count them.
    ///
    /// A view whose matrices lie unevenly is copied first.
    pub fn of<'a>(gpu: &Gpu, x: &'a Tensor, copy: &'a mut Option<Tensor>) -> Factor<'a> {
        let r = x.dim();
        let even = r == 2 || (r > 2 && x.is_contiguous());
        let x = if even { x } else { copy.insert(dense(gpu, x)) };
        let s = x.strides();
        let matrix = x.shape()[r - 2] * x.shape()[r - 1];
        Factor { x, strides: [s[r - 2], s[r - 1], matrix] }
    }
}

/// `[count, m, n]`, the products of `count` pairs of matrices `[m, k]` and `[k, n]`, with a bias for each column if one is given.
#[track_caller]
pub(crate) fn gemm(
    gpu: &Gpu,
    [count, m, n, k]: [usize; 4],
    a: &Factor<'_>,
    b: &Factor<'_>,
    bias: Option<&Tensor>,
) -> Tensor {
    let large = m.min(n) >= 256 && m * n >= 1 << 18;
    let (text, tile) = if large { (&*LARGE, 128) } else { (&*SMALL, 64) };
    let (rows, columns) = (m.div_ceil(tile), n.div_ceil(tile));
    let (tiles, most) = ((rows * columns * count).max(1), (k / 128).max(1));
    // Workgroups that keep a device busy.
    let parts = if tiles < 64 { (128 / tiles).clamp(1, most) } else { 1 };
    let part = k.div_ceil(parts).next_multiple_of(STRIP).max(STRIP);
    let parts = k.div_ceil(part).max(1);
    let y = empty(gpu, &Meta::new([parts, count, m, n], DType::F32));
    let added = bias.filter(|_| parts == 1).map(|b| dense(gpu, b));
    let numbers = numbers![
        m,
        n,
        k,
        part,
        count,
        usize::from(added.is_some()),
        a.x.0.layout.offset,
        a.strides[0],
        a.strides[1],
        a.strides[2],
        b.x.0.layout.offset,
        b.strides[0],
        b.strides[1],
        b.strides[2],
    ];
    let (left, right) = (memory(a.x), memory(b.x));
    let last = added.as_ref().map_or(left.clone(), memory);
    let groups = [columns as u32, rows as u32, (parts * count) as u32];
    launch_on(gpu, text, &[left, right, last], &[written(&y)], &numbers, groups, None);
    if parts == 1 {
        return y.reshape([count, m, n]);
    }
    let sum = fold(gpu, &y, [1, parts, count * m * n], SUM).reshape([count, m, n]);
    match bias {
        Some(bias) => map(gpu, "a + b", &[&sum, bias], &[], &Meta::of(&sum)),
        None => sum,
    }
}

/// The inner dimension is walked in strips of this many elements.
const STRIP: usize = 16;

static SMALL: LazyLock<Text> = LazyLock::new(|| text("gemm in tiles of 64", 4));
static LARGE: LazyLock<Text> = LazyLock::new(|| text("gemm in tiles of 128", 8));

/// Each thread makes `side` x `side` elements.
fn text(name: &'static str, side: usize) -> Text {
    Text {
        name: name.into(),
        io: "a: f32, b: f32, bias: f32 -> y: f32".into(),
        params:
            "m, n, k, part, count, biased, a_at, a_row, a_column, a_matrix, b_at, b_row, b_column, b_matrix"
                .into(),
        body: BODY.replace("{SIDE}", &side.to_string()).into(),
    }
}

const BODY: &str = "
const SIDE = {SIDE}u;
const TILE = SIDE * 16u;
const STRIP = 16u;
// One more column, so that a column's elements lie in different banks.
const PITCH = TILE + 1u;
var<workgroup> left: array<f32, STRIP * PITCH>;
var<workgroup> right: array<f32, STRIP * PITCH>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    let matrix = w.z % p.count;
    let part = w.z / p.count;
    let row = w.y * TILE;
    let column = w.x * TILE;
    let a_first = p.a_at + matrix * p.a_matrix;
    let b_first = p.b_at + matrix * p.b_matrix;
    let tx = l % 16u;
    let ty = l / 16u;
    var sums: array<array<f32, SIDE>, SIDE>;
    for (var i = 0u; i < SIDE; i++) { for (var j = 0u; j < SIDE; j++) { sums[i][j] = 0.0; } }
    let end = min(p.k, (part + 1u) * p.part);
    for (var first = part * p.part; first < end; first += STRIP) {
        // Neighbouring threads read along whichever dimension is contiguous.
        for (var e = l; e < TILE * STRIP; e += 256u) {
            var i = e / STRIP; var s = e % STRIP;
            if (p.a_row == 1u) { i = e % TILE; s = e / TILE; }
            var value = 0.0;
            if (row + i < p.m && first + s < end) { value = a[a_first + (row + i) * p.a_row + (first + s) * p.a_column]; }
            left[s * PITCH + i] = value;
            var j = e % TILE; s = e / TILE;
            if (p.b_row == 1u) { j = e / STRIP; s = e % STRIP; }
            value = 0.0;
            if (column + j < p.n && first + s < end) { value = b[b_first + (first + s) * p.b_row + (column + j) * p.b_column]; }
            right[s * PITCH + j] = value;
        }
        workgroupBarrier();
        for (var s = 0u; s < STRIP; s++) {
            var x: array<f32, SIDE>;
            var z: array<f32, SIDE>;
            for (var i = 0u; i < SIDE; i++) {
                x[i] = left[s * PITCH + ty + 16u * i];
                z[i] = right[s * PITCH + tx + 16u * i];
            }
            for (var i = 0u; i < SIDE; i++) { for (var j = 0u; j < SIDE; j++) { sums[i][j] = fma(x[i], z[j], sums[i][j]); } }
        }
        workgroupBarrier();
    }
    let y_first = w.z * p.m * p.n;
    for (var i = 0u; i < SIDE; i++) {
        for (var j = 0u; j < SIDE; j++) {
            let r = row + ty + 16u * i;
            let c = column + tx + 16u * j;
            if (r < p.m && c < p.n) {
                var value = sums[i][j];
                if (p.biased != 0u) { value += bias[c]; }
                y[y_first + r * p.n + c] = value;
            }
        }
    }
}
";
