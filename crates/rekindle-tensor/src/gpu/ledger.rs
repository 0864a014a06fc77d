//! Numbers that steps leave on a device, to be read all at once: a look at every step would make the device wait for it.

use super::{Gpu, Live, Number, Text, copy_words, download, empty, groups, launch_live, memory, open};
use crate::dtype::{DType, Element};
use crate::op::Meta;
use crate::tensor::Tensor;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Tensors that are looked at in one launch.
const TOGETHER: usize = 6;
/// Looks in a step at most.
const LOOKS: u32 = 4096;
/// The flag while everything was finite.
const FINE: i64 = i32::MAX as i64;

/// A table on a device, of which each step fills a row with numbers, and the first step whose tensors were not finite.
pub struct Ledger {
    gpu: Gpu,
    /// The flag, then the rows.
    words: Tensor,
    columns: usize,
    rows: usize,
    /// The row that is filled now, for launches that are replayed, too.
    row: Arc<AtomicU32>,
}

/// What a ledger had.
#[derive(Debug, PartialEq)]
pub struct Page {
    /// The numbers of each row.
    pub rows: Vec<Vec<f32>>,
    /// The row and the look at which something was not finite first.
    pub not_finite: Option<(usize, usize)>,
}

impl Ledger {
    /// An empty table.
    ///
    /// # Panics
    /// If the device fails.
    #[track_caller]
    pub fn new(device: usize, rows: usize, columns: usize) -> Ledger {
        let gpu = open(device);
        let words = empty(&gpu, &Meta::new([1 + rows * columns], DType::I64));
        words.fill_(FINE);
        Ledger { gpu, words, columns, rows, row: Arc::default() }
    }

    /// Writes a number, an f32 with one element, into the row.
    #[track_caller]
    pub fn put(&self, column: usize, value: &Tensor) {
        let at = 1 + self.row.load(Ordering::Relaxed) as usize * self.columns + column;
        copy_words(&self.gpu, value, &self.words, at);
    }

    /// Looks whether floats are finite: the first by the number `number`, the others by those after it. No other looks of a step may have
    /// these.
    #[track_caller]
    pub fn look(&self, number: usize, tensors: &[&Tensor]) {
        for (i, some) in tensors.chunks(TOGETHER).enumerate() {
            self.look_at(number as u32 + (i * TOGETHER) as u32, some);
        }
    }

    fn look_at(&self, number: u32, tensors: &[&Tensor]) {
        let longest = tensors.iter().map(|t| t.numel()).max().unwrap_or(0);
        // The first one again where there are fewer; nothing is looked at of it.
        let all: Vec<&Tensor> = (0..TOGETHER).map(|i| *tensors.get(i).unwrap_or(&tensors[0])).collect();
        let length = |i: usize| tensors.get(i).map_or(0, |t| t.numel());
        let row = self.row.clone();
        let code = move || row.load(Ordering::Relaxed) * LOOKS + number;
        let mut numbers = vec![Number::Unsigned(code())];
        numbers.extend((0..TOGETHER).map(|i| Number::from(length(i))));
        let live: Live = Arc::new(move |words: &mut [u32]| words[0] = code());
        let groups = groups(longest.div_ceil(256).min(64));
        launch_live(&self.gpu, &LOOK, &all, &[&self.words], &numbers, groups, Some(live));
    }

    /// The next row. True if there is none left.
    pub fn next(&self) -> bool {
        self.row.fetch_add(1, Ordering::Relaxed) as usize + 1 == self.rows
    }

    /// Reads what was written since it was read last, and begins anew. It waits for the device.
    ///
    /// # Panics
    /// If the device failed.
    #[track_caller]
    pub fn read(&self) -> Page {
        let rows = self.row.swap(0, Ordering::Relaxed) as usize;
        let words = download(&memory(&self.words), 0..1 + rows * self.columns, DType::I64);
        let words = i64::slice(&words).unwrap_or_default();
        let not_finite = (words[0] != FINE).then(|| {
            let code = words[0] as u32;
            self.words.narrow(0, 0, 1).fill_(FINE);
            ((code / LOOKS) as usize, (code % LOOKS) as usize)
        });
        let number = |&w: &i64| f32::from_bits(w as i32 as u32);
        let rows = words[1..].chunks_exact(self.columns.max(1)).map(|row| row.iter().map(number).collect());
        Page { rows: rows.collect(), not_finite }
    }
}

/// Workgroups go over the tensors with steps of the grid. The least code wins, whoever comes first.
const LOOK: Text = Text::new(
    "look for what is not finite",
    "a: f32, b: f32, c: f32, d: f32, e: f32, f: f32 -> words: atomic<i32>",
    "code, an, bn, cn, dn, en, fn_",
    "
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3<u32>, @builtin(num_workgroups) g: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    let first = (w.y * g.x + w.x) * 256u + l;
    let step = g.x * g.y * 256u;
    for (var i = first; i < p.an; i += step) { if (!is_finite(a[i])) { atomicMin(&words[0], i32(p.code)); } }
    for (var i = first; i < p.bn; i += step) { if (!is_finite(b[i])) { atomicMin(&words[0], i32(p.code + 1u)); } }
    for (var i = first; i < p.cn; i += step) { if (!is_finite(c[i])) { atomicMin(&words[0], i32(p.code + 2u)); } }
    for (var i = first; i < p.dn; i += step) { if (!is_finite(d[i])) { atomicMin(&words[0], i32(p.code + 3u)); } }
    for (var i = first; i < p.en; i += step) { if (!is_finite(e[i])) { atomicMin(&words[0], i32(p.code + 4u)); } }
    for (var i = first; i < p.fn_; i += step) { if (!is_finite(f[i])) { atomicMin(&words[0], i32(p.code + 5u)); } }
}
",
);
