//! Operations on a GPU: where elements lie there, and how an operation launches its kernels.
//!
//! This is for those who write operations; users move tensors with `.to(&device)`. Elements are words of 32 bits: f32 as it is, i64 in 32
//! bits (what does not fit is refused on its way there), truth values as 0 and 1; there is no f64. An operation's WGSL stands in its own file beside
//! its CPU kernel: an expression for [`map`], or a [`Text`] for [`launch`]. Without the feature `gpu` there are no devices and
//! everything here is never called.

#[cfg(not(feature = "gpu"))]
mod absent;
pub(crate) mod conv;
mod elements;
pub mod fold;
pub(crate) mod gemm;
mod ledger;
mod map;
pub(crate) mod norm;
pub(crate) mod outside;
pub(crate) mod pool;
mod prelude;
pub(crate) mod rows;
pub(crate) mod scan;
mod tiles;

#[cfg(not(feature = "gpu"))]
use absent as driver;
#[cfg(feature = "gpu")]
use rekindle_gpu as driver;

pub(crate) use driver::Memory;
pub use driver::{Gpu, Info, Kind, Live, devices};
pub(crate) use driver::{Recording, Replay, Trace};
pub(crate) use elements::{copied, download, upload};
pub use ledger::{Ledger, Page};
pub(crate) use map::packed;
pub use map::{map, map_into};

use crate::device::Device;
use crate::dtype::DType;
use crate::layout::Layout;
use crate::op::{Meta, fail};
use crate::shape::Shape;
use crate::storage::{Contents, Storage};
use crate::tensor::Tensor;
use driver::{Error, Kernel};
use std::borrow::Cow;

/// A kernel that is written out.
#[derive(Clone, Debug)]
pub struct Text {
    /// Under which it is compiled once; no other may have it.
    pub name: Cow<'static, str>,
    /// The buffers with their element types, those that are only read before the arrow: `"x: f32, t: i32 -> y: f32"`.
    pub io: Cow<'static, str>,
    /// The numbers that a launch passes, u32 unless a type is given: `"n, rate: f32"`. The text reads them as `p.n`.
    pub params: Cow<'static, str>,
    /// WGSL with one of three functions: `each(i: u32)`, called for every i below `p.n` if [`threads`] of them are launched;
    /// `together(number: u32, l: u32)`, called by the 256 threads l of every workgroup; or an entry point `main` of its own. The
    /// functions of `gpu/prelude.wgsl` are known.
    pub body: Cow<'static, str>,
}

impl Text {
    /// A kernel that is the same for all launches.
    pub const fn new(name: &'static str, io: &'static str, params: &'static str, body: &'static str) -> Text {
        Text {
            name: Cow::Borrowed(name),
            io: Cow::Borrowed(io),
            params: Cow::Borrowed(params),
            body: Cow::Borrowed(body),
        }
    }
}

/// What a device did, or the mistake that it did not.
#[track_caller]
pub(crate) fn must<T>(result: Result<T, Error>) -> T {
    match result {
        Ok(value) => value,
        Err(e) => fail(e.to_string()),
    }
}

/// The open device of a number.
///
/// # Panics
/// If there is none.
#[track_caller]
pub fn open(index: usize) -> Gpu {
    must(Gpu::open(index))
}

/// The device of tensors of which at least one is on a GPU.
///
/// # Panics
/// If none is.
#[track_caller]
pub fn of(tensors: &[&Tensor]) -> Gpu {
    let index = tensors.iter().find_map(|x| x.device().index());
    match index {
        Some(index) => open(index),
        None => fail("gpu: no input is on a GPU".into()),
    }
}

/// The element type in WGSL.
pub(crate) fn wgsl(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "f32",
        DType::I64 => "i32",
        DType::Bool => "u32",
        DType::F64 => fail("a GPU has no f64; convert with .float()".into()),
    }
}

/// A new contiguous tensor with unspecified elements.
#[track_caller]
pub fn empty(gpu: &Gpu, meta: &Meta) -> Tensor {
    wgsl(meta.dtype);
    over(must(gpu.alloc(meta.shape.numel())), meta.shape.clone(), meta.dtype)
}

/// A contiguous tensor over a memory.
pub(crate) fn over(memory: Memory, shape: Shape, dtype: DType) -> Tensor {
    Tensor::over(Storage::holding(Contents::Gpu(memory)), Layout::contiguous(shape), dtype)
}

/// The tensor on the device, its elements in row-major order from the start of their memory: itself if they lie so already.
#[track_caller]
pub fn dense(gpu: &Gpu, x: &Tensor) -> Tensor {
    match x.device() {
        // Only numbers without a shape may come from elsewhere.
        Device::Cpu if x.dim() == 0 => x.detach().to(Device::Gpu(gpu.index())),
        Device::Cpu => fail("gpu: a tensor is on the cpu; move it with .to(&device)".into()),
        _ if x.is_contiguous() && x.0.layout.offset == 0 => x.detach(),
        _ => packed(gpu, x),
    }
}

/// Launches a kernel: `inputs` are bound in their order to the buffers before the arrow (made [`dense`] first), then `outputs` to the others.
/// `groups` is how many workgroups run; see [`groups`]. What is written must not be read through another binding.
///
/// # Panics
/// If the device fails, or an output is not dense.
#[track_caller]
pub fn launch(
    gpu: &Gpu,
    text: &Text,
    inputs: &[&Tensor],
    outputs: &[&Tensor],
    numbers: &[Number],
    groups: [u32; 3],
) {
    launch_live(gpu, text, inputs, outputs, numbers, groups, None);
}

/// As [`launch`], with something that makes the numbers anew when a recorded step is replayed.
#[track_caller]
pub fn launch_live(
    gpu: &Gpu,
    text: &Text,
    inputs: &[&Tensor],
    outputs: &[&Tensor],
    numbers: &[Number],
    groups: [u32; 3],
    live: Option<Live>,
) {
    let reads: Vec<Memory> = inputs.iter().map(|x| memory(&dense(gpu, x))).collect();
    launch_on(gpu, text, &reads, &written_whole(outputs), numbers, groups, live);
}

/// As [`launch`], with a text that is made only when its name is not known yet.
#[track_caller]
pub fn launch_made(
    gpu: &Gpu,
    name: &str,
    text: impl FnOnce() -> Text,
    inputs: &[&Tensor],
    outputs: &[&Tensor],
    numbers: &[Number],
    groups: [u32; 3],
) {
    let reads: Vec<Memory> = inputs.iter().map(|x| memory(&dense(gpu, x))).collect();
    run(gpu, name, text, &reads, &written_whole(outputs), numbers, groups, None);
}

/// The memories of outputs, for writing. To be asked for after those of the inputs, so that what an output replaces is not in use.
#[track_caller]
fn written_whole(outputs: &[&Tensor]) -> Vec<Memory> {
    let whole = |y: &&Tensor| y.is_contiguous() && y.0.layout.offset == 0;
    assert!(
        outputs.iter().all(whole),
        "gpu: an output is a view; write into what dense() gives, and copy it back"
    );
    outputs.iter().map(|y| written(y)).collect()
}

/// As [`launch_live`], on memory whose layout the numbers tell.
#[track_caller]
pub(crate) fn launch_on(
    gpu: &Gpu,
    text: &Text,
    reads: &[Memory],
    writes: &[Memory],
    numbers: &[Number],
    groups: [u32; 3],
    live: Option<Live>,
) {
    run(gpu, &text.name, || text.clone(), reads, writes, numbers, groups, live);
}

#[allow(clippy::too_many_arguments, reason = "a launch is these eight things")]
#[track_caller]
fn run(
    gpu: &Gpu,
    name: &str,
    text: impl FnOnce() -> Text,
    reads: &[Memory],
    writes: &[Memory],
    numbers: &[Number],
    groups: [u32; 3],
    live: Option<Live>,
) {
    let kernel = || {
        let Text { io, params, body, .. } = text();
        Kernel { name: name.to_string(), io, params, body: prelude::with(&body).into() }
    };
    let pipeline = must(gpu.pipeline(name, kernel));
    let numbers: Vec<u32> = numbers.iter().map(|n| n.word()).collect();
    let all: Vec<&Memory> = reads.iter().chain(writes).collect();
    gpu.launch_live(&pipeline, &all, &numbers, groups, live);
}

/// The memory of a tensor on a GPU, for reading.
#[track_caller]
pub(crate) fn memory(x: &Tensor) -> Memory {
    match &*x.0.storage.snapshot() {
        Contents::Gpu(memory) => {
            outside::seen(&x.0.storage, memory);
            memory.clone()
        }
        Contents::Cpu(_) => fail("gpu: a tensor is on the cpu; move it with .to(&device)".into()),
    }
}

/// The memory of a tensor on a GPU, for writing: nobody else's snapshot.
#[track_caller]
pub(crate) fn written(y: &Tensor) -> Memory {
    let memory = y.0.storage.own_memory();
    outside::seen(&y.0.storage, &memory);
    memory
}

/// Copies the one element of a tensor over a word of another's memory.
#[track_caller]
fn copy_words(gpu: &Gpu, from: &Tensor, to: &Tensor, at: usize) {
    gpu.copy(&memory(from), from.0.layout.offset, &written(to), at, 1);
}

/// A number for a kernel.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// A count, an index, a size.
    Unsigned(u32),
    /// An integer.
    Signed(i32),
    /// A float.
    Float(f32),
}

impl Number {
    fn word(self) -> u32 {
        match self {
            Number::Unsigned(v) => v,
            Number::Signed(v) => v as u32,
            Number::Float(v) => v.to_bits(),
        }
    }
}

impl From<usize> for Number {
    fn from(v: usize) -> Number {
        match u32::try_from(v) {
            Ok(v) => Number::Unsigned(v),
            Err(_) => fail(format!("gpu: {v} elements are more than a kernel counts")),
        }
    }
}

impl From<f64> for Number {
    fn from(v: f64) -> Number {
        Number::Float(v as f32)
    }
}

impl From<f32> for Number {
    fn from(v: f32) -> Number {
        Number::Float(v)
    }
}

/// Numbers for a kernel, of any type that is one.
#[macro_export]
macro_rules! numbers {
    ($($n:expr),* $(,)?) => {
        [$($crate::gpu::Number::from($n)),*]
    };
}

/// The grid for so many workgroups; a kernel's workgroup has the number `w.y * g.x + w.x` from `workgroup_id` and `num_workgroups`, and
/// there may be a few more than asked for.
pub fn groups(n: usize) -> [u32; 3] {
    /// What every device takes in a dimension.
    const MOST: usize = 65_535;
    let y = n.div_ceil(MOST);
    let x = if y > 0 { n.div_ceil(y) } else { 0 };
    [x as u32, y as u32, 1]
}

/// The grid for one thread an element, in workgroups of 256.
pub fn threads(n: usize) -> [u32; 3] {
    groups(n.div_ceil(256))
}
