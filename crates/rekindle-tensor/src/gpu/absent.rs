//! What stands for the driver where the feature `gpu` is off: no device can be opened, so nothing of this is ever called.

use std::ops::Range;
use std::sync::Arc;

/// An open device, of which there is none.
#[derive(Clone, Debug)]
pub struct Gpu(());

/// Memory on a device.
#[derive(Clone, Debug)]
pub struct Memory(());

/// A compiled kernel.
pub struct Pipeline(());

/// What a step had a device do.
pub struct Recording(());

/// A prepared recording.
pub struct Replay(());

/// What a recording does.
#[derive(PartialEq)]
pub struct Trace(());

/// An element-wise computation.
#[allow(dead_code, reason = "nobody computes it")]
pub(crate) struct Statement<'a> {
    pub(crate) n: usize,
    pub(crate) operands: Vec<Operand>,
    pub(crate) numbers: &'a [f32],
    pub(crate) expression: &'a str,
    pub(crate) output: Memory,
    pub(crate) at: usize,
    pub(crate) result: &'static str,
    pub(crate) prelude: &'a str,
}

/// An operand of a statement.
#[allow(dead_code, reason = "nobody computes with it")]
pub(crate) enum Operand {
    Constant(&'static str, u32),
    Elements { memory: Memory, at: usize, one: bool, of: &'static str },
}

/// Makes the numbers of a launch anew.
pub type Live = Arc<dyn Fn(&mut [u32]) + Send + Sync>;

/// Nobody has a device to ask.
fn never() -> ! {
    unreachable!("this build has no GPU support")
}

/// Why there is no device.
pub struct Error(usize);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "gpu:{}: this build has no GPU support; build with the feature gpu", self.0)
    }
}

/// What a device is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A card with memory of its own.
    Discrete,
    /// A part of the processor's chip, on its memory.
    Integrated,
    /// A share of a card in a virtual machine.
    Virtual,
    /// Unknown.
    Other,
    /// A program that does what a GPU would, on the processor: for tests.
    Software,
}

/// What is known of a device.
#[derive(Clone, Debug)]
pub struct Info {
    /// Its name, as the driver says.
    pub name: String,
    /// The interface through which it is reached.
    pub backend: String,
    /// The driver and its version.
    pub driver: String,
    /// What it is made of.
    pub kind: Kind,
    /// The device's own memory in bytes, where the driver says.
    pub memory: Option<u64>,
    /// The largest single tensor in bytes.
    pub max_tensor: u64,
    /// Threads of a workgroup at most.
    pub max_threads: u32,
    /// Bytes that the threads of a workgroup share at most.
    pub shared_memory: u32,
}

/// None.
pub fn devices() -> Vec<Info> {
    Vec::new()
}

/// A kernel before it is compiled.
#[allow(dead_code, reason = "nobody compiles it")]
pub struct Kernel {
    pub(crate) name: String,
    pub(crate) io: std::borrow::Cow<'static, str>,
    pub(crate) params: std::borrow::Cow<'static, str>,
    pub(crate) body: std::borrow::Cow<'static, str>,
}

impl Memory {
    pub(crate) fn len(&self) -> usize {
        never()
    }
    pub(crate) fn id(&self) -> u64 {
        never()
    }
    pub(crate) fn gpu(&self) -> Gpu {
        never()
    }
}

impl Gpu {
    pub(crate) fn open(index: usize) -> Result<Gpu, Error> {
        Err(Error(index))
    }
    pub(crate) fn index(&self) -> usize {
        never()
    }
    pub(crate) fn alloc(&self, _: usize) -> Result<Memory, Error> {
        never()
    }
    pub(crate) fn upload(&self, _: &[u32]) -> Result<Memory, Error> {
        never()
    }
    pub(crate) fn download(&self, _: &Memory, _: Range<usize>) -> Result<Vec<u32>, Error> {
        never()
    }
    pub(crate) fn copy(&self, _: &Memory, _: usize, _: &Memory, _: usize, _: usize) {
        never()
    }
    pub(crate) fn pipeline(&self, _: &str, _: impl FnOnce() -> Kernel) -> Result<Arc<Pipeline>, Error> {
        never()
    }
    pub(crate) fn launch_live(
        &self,
        _: &Arc<Pipeline>,
        _: &[&Memory],
        _: &[u32],
        _: [u32; 3],
        _: Option<Live>,
    ) {
        never()
    }
    pub(crate) fn element_wise(&self, _: Statement<'_>) {
        never()
    }
    pub(crate) fn synchronize(&self) -> Result<(), Error> {
        never()
    }
    pub(crate) fn record<R>(&self, _: impl FnOnce() -> R) -> (R, Option<Recording>) {
        never()
    }
}

impl Recording {
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        never()
    }
    pub(crate) fn trace(&self, _: &[Memory]) -> Trace {
        never()
    }
    pub(crate) fn owns(&self, _: u64) -> bool {
        never()
    }
    pub(crate) fn prepare(self, _: &Gpu) -> Replay {
        never()
    }
}

impl Replay {
    pub(crate) fn run(&self) {
        never()
    }
    pub(crate) fn len(&self) -> usize {
        never()
    }
}
