//! What products have in common on a GPU: tiles of the result in registers, strips of the factors in shared memory.
//!
//! A workgroup of 16 x 16 threads makes a square tile, each thread a square of 4 or 8 elements whose rows and columns are 16 apart, so that
//! neighbouring threads read neighbouring words of shared memory. Results too small to fill a device are cut along the inner dimension;
//! the parts are added in their order. Source of the scheme: S. Boehm, "How to optimize a CUDA matmul kernel" (2022).

/// How a product `[count, m, n]` over `k` is shared out.
pub(super) struct Cut {
    /// Each thread makes `side` x `side` elements.
    pub side: usize,
    /// Rows of tiles.
    pub rows: usize,
    /// Columns of tiles.
    pub columns: usize,
    /// Parts of the inner dimension.
    pub parts: usize,
    /// Elements of a part.
    pub part: usize,
}

/// The inner dimension is walked in strips of this many elements.
const STRIP: usize = 16;

impl Cut {
    /// Few tiles are made in parts, so that at least `busy` workgroups run where the inner dimension is long enough.
    pub fn new([count, m, n, k]: [usize; 4], busy: usize) -> Cut {
        let side = if m.min(n) >= 256 && m * n >= 1 << 18 { 8 } else { 4 };
        let (rows, columns) = (m.div_ceil(16 * side), n.div_ceil(16 * side));
        let (tiles, most) = ((rows * columns * count).max(1), (k / 128).max(1));
        let parts = if tiles < busy / 2 { (busy / tiles).clamp(1, most) } else { 1 };
        let part = k.div_ceil(parts).next_multiple_of(STRIP).max(STRIP);
        Cut { side, rows, columns, parts: k.div_ceil(part).max(1), part }
    }
}

/// What a kernel says for itself.
pub(super) struct Parts<'a> {
    /// Declarations.
    pub declarations: &'a str,
    /// Statements that give the tile's place, `row` and `column`, and whatever is the same for all strips.
    pub before: &'a str,
    /// Fills `left[s * PITCH + i]` with row `row + i` of the left factor at `first + s`, and `right[s * PITCH + j]` with column `column + j` of
    /// the right one; 0 outside the factors, and from `end` on.
    pub load: &'a str,
    /// Writes `value`, the element of row `r` and column `c` of the result.
    pub store: &'a str,
}

/// The text of a kernel that reads `p.m`, `p.n`, `p.k`, `p.part` and `p.count`. `matrix` is which product of several it is, `part` the part
/// of the inner dimension, `g` and `w` are the number of workgroups and which this is.
pub(super) fn text(side: usize, parts: &Parts<'_>) -> String {
    BODY.replace("{SIDE}", &side.to_string())
        .replace("{declarations}", parts.declarations)
        .replace("{before}", parts.before)
        .replace("{load}", parts.load)
        .replace("{store}", parts.store)
}

const BODY: &str = "
const SIDE = {SIDE}u;
const TILE = SIDE * 16u;
const STRIP = 16u;
// One more column, so that a column's elements lie in different banks.
const PITCH = TILE + 1u;
var<workgroup> left: array<f32, STRIP * PITCH>;
var<workgroup> right: array<f32, STRIP * PITCH>;
{declarations}
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3<u32>, @builtin(num_workgroups) g: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    let matrix = w.z % p.count;
    let part = w.z / p.count;
    let tx = l % 16u;
    let ty = l / 16u;
    {before}
    var sums: array<array<f32, SIDE>, SIDE>;
    for (var i = 0u; i < SIDE; i++) { for (var j = 0u; j < SIDE; j++) { sums[i][j] = 0.0; } }
    let end = min(p.k, (part + 1u) * p.part);
    for (var first = part * p.part; first < end; first += STRIP) {
        {load}
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
    for (var j = 0u; j < SIDE; j++) {
        let c = column + tx + 16u * j;
        for (var i = 0u; i < SIDE; i++) {
            let r = row + ty + 16u * i;
            if (r < p.m && c < p.n) {
                var value = sums[i][j];
                {store}
            }
        }
    }
}
";
