//! Matrix products, in the [tiles](super::tiles) that all products share.

use super::fold::{SUM, fold};
use super::tiles::{self, Cut, Parts};
use super::{Gpu, Text, dense, empty, groups, launch_on, map, memory, written};
use crate::dtype::DType;
use crate::numbers;
use crate::op::{Meta, fail};
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
    // Workgroups that keep a device busy.
    let Cut { side, rows, columns, parts, part } = Cut::new([count, m, n, k], 128);
    let text = if side == 8 { &*LARGE } else { &*SMALL };
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
    // Tiles are numbered, because a dimension of a grid has an end.
    let [x, y_groups, _] = groups(rows * columns);
    let groups = match u16::try_from(parts * count) {
        Ok(z) => [x, y_groups, z.into()],
        Err(_) => fail(format!("matmul: {count} products at once are more than a GPU takes; use fewer")),
    };
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

static SMALL: LazyLock<Text> = LazyLock::new(|| text("gemm in tiles of 64", 4));
static LARGE: LazyLock<Text> = LazyLock::new(|| text("gemm in tiles of 128", 8));

fn text(name: &'static str, side: usize) -> Text {
    Text {
        name: name.into(),
        io: "a: f32, b: f32, bias: f32 -> y: f32".into(),
        params:
            "m, n, k, part, count, biased, a_at, a_row, a_column, a_matrix, b_at, b_row, b_column, b_matrix"
                .into(),
        body: tiles::text(side, &PARTS).into(),
    }
}

const PARTS: Parts<'_> = Parts {
    declarations: "",
    before: "
    let tile = w.y * g.x + w.x;
    let columns = (p.n + TILE - 1u) / TILE;
    let row = tile / columns * TILE;
    let column = tile % columns * TILE;
    let a_first = p.a_at + matrix * p.a_matrix;
    let b_first = p.b_at + matrix * p.b_matrix;
    let y_first = w.z * p.m * p.n;",
    load: "
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
        }",
    store: "
                if (p.biased != 0u) { value += bias[c]; }
                y[y_first + r * p.n + c] = value;",
};
