//! Memory behind tensors: [`Contents`], a typed [`Buffer`] or memory of a GPU, in a copy-on-write [`Storage`].
//!
//! A reader takes a snapshot (an `Arc` of the buffer) and keeps no lock. A writer changes the buffer in place
//! when nobody else holds a snapshot and copies it first otherwise. So a graph that saved a parameter still sees
//! the values of its forward pass after an in-place update, without version counters, and no lock can deadlock.
//!
//! Large buffers are recycled: returning pages to the operating system and faulting them in again costs more than
//! most element-wise ops.

use crate::device::Device;
use crate::dtype::{DType, Element};
use crate::gpu::{self, Memory};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

/// Elements of one type.
#[derive(Debug)]
pub enum Buffer {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 64-bit floats.
    F64(Vec<f64>),
    /// 64-bit integers.
    I64(Vec<i64>),
    /// Truth values.
    Bool(Vec<bool>),
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        match self {
            Buffer::F32(v) => {
                let mut c = alloc(v.len());
                c.copy_from_slice(v);
                Buffer::F32(c)
            }
            Buffer::F64(v) => Buffer::F64(v.clone()),
            Buffer::I64(v) => Buffer::I64(v.clone()),
            Buffer::Bool(v) => Buffer::Bool(v.clone()),
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Buffer::F32(v) = self
            && v.len() >= RECYCLED_FROM
        {
            recycle(std::mem::take(v));
        }
    }
}

/// Buffers of at least this many floats are kept for reuse; smaller ones are cheap to allocate.
const RECYCLED_FROM: usize = 4 * 1024;
/// At most this many bytes wait for reuse.
const RECYCLED_BYTES: usize = 512 << 20;

#[derive(Default)]
struct Recycler {
    by_len: HashMap<usize, Vec<Vec<f32>>>,
    bytes: usize,
}

static RECYCLER: Mutex<Option<Recycler>> = Mutex::new(None);

fn recycle(v: Vec<f32>) {
    let mut guard = lock(&RECYCLER);
    let pool = guard.get_or_insert_default();
    let bytes = v.len() * 4;
    if pool.bytes + bytes > RECYCLED_BYTES {
        // Other lengths fill the store: start afresh rather than keep what no longer recurs.
        *pool = Recycler::default();
    }
    // Only lengths that kernels have asked for are worth keeping; users' own vectors go back to the system.
    if let Some(waiting) = pool.by_len.get_mut(&v.len()) {
        pool.bytes += bytes;
        waiting.push(v);
    }
}

/// A vector of `n` elements with unspecified (but initialised) contents, to be overwritten by a kernel.
pub(crate) fn alloc<T: Element>(n: usize) -> Vec<T> {
    if T::DTYPE == DType::F32 && n >= RECYCLED_FROM {
        let mut guard = lock(&RECYCLER);
        let pool = guard.get_or_insert_default();
        let found = pool.by_len.entry(n).or_default().pop();
        if let Some(v) = found {
            pool.bytes -= n * 4;
            let any: Box<dyn std::any::Any> = Box::new(v);
            if let Ok(v) = any.downcast::<Vec<T>>() {
                return *v;
            }
        }
    }
    vec![T::default(); n]
}

/// A lock that ignores poisoning: the data behind our locks is valid after any panic.
pub(crate) fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Elements, wherever they are.
#[derive(Debug)]
pub(crate) enum Contents {
    Cpu(Buffer),
    Gpu(Memory),
}

impl Contents {
    /// The elements on the CPU.
    ///
    /// # Panics
    /// If they are on a GPU: only an operation that has no kernel for it asks then.
    #[track_caller]
    pub(crate) fn buffer(&self) -> &Buffer {
        match self {
            Contents::Cpu(buffer) => buffer,
            Contents::Gpu(memory) => crate::op::mistake!(
                "data: the elements are on {}, where this runs on the cpu only; move the tensor with .cpu(), or read it with .to_vec()",
                Device::Gpu(memory.gpu().index())
            ),
        }
    }

    /// How many elements there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Contents::Cpu(Buffer::F32(v)) => v.len(),
            Contents::Cpu(Buffer::F64(v)) => v.len(),
            Contents::Cpu(Buffer::I64(v)) => v.len(),
            Contents::Cpu(Buffer::Bool(v)) => v.len(),
            Contents::Gpu(memory) => memory.len(),
        }
    }

    fn device(&self) -> Device {
        match self {
            Contents::Cpu(_) => Device::Cpu,
            Contents::Gpu(memory) => Device::Gpu(memory.gpu().index()),
        }
    }
}

impl Clone for Contents {
    #[track_caller]
    fn clone(&self) -> Self {
        match self {
            Contents::Cpu(buffer) => Contents::Cpu(buffer.clone()),
            Contents::Gpu(memory) => Contents::Gpu(gpu::copied(memory)),
        }
    }
}

/// The memory that a tensor and its views share.
#[derive(Debug)]
pub(crate) struct Storage {
    cell: Mutex<Arc<Contents>>,
    /// The device of the contents, to be asked without a lock: 0 for the CPU, else the GPU's number and 1.
    device: AtomicUsize,
}

fn number_of(device: Device) -> usize {
    device.index().map_or(0, |i| i + 1)
}

impl Storage {
    pub(crate) fn new(buffer: Buffer) -> Arc<Storage> {
        Storage::holding(Contents::Cpu(buffer))
    }

    pub(crate) fn holding(contents: Contents) -> Arc<Storage> {
        Storage::from_snapshot(Arc::new(contents))
    }

    /// Where the contents are.
    pub(crate) fn device(&self) -> Device {
        match self.device.load(Ordering::Relaxed) {
            0 => Device::Cpu,
            i => Device::Gpu(i - 1),
        }
    }

    /// Other contents, on whatever device.
    #[track_caller]
    pub(crate) fn replace(&self, contents: Arc<Contents>) {
        let mut guard = self.lock();
        self.device.store(number_of(contents.device()), Ordering::Relaxed);
        *guard = contents;
    }

    /// The number of the memory on a GPU; none while somebody holds a snapshot of it, so that a change in place would move it.
    pub(crate) fn memory_id(&self) -> Option<u64> {
        let contents = self.lock();
        match &**contents {
            Contents::Gpu(memory) if Arc::strong_count(&contents) == 1 => Some(memory.id()),
            _ => None,
        }
    }

    /// The memory on a GPU, for changing it in place: no snapshot sees the change.
    ///
    /// # Panics
    /// If the contents are on the CPU.
    #[track_caller]
    pub(crate) fn own_memory(&self) -> Memory {
        match Arc::make_mut(&mut self.lock()) {
            Contents::Gpu(memory) => memory.clone(),
            Contents::Cpu(_) => crate::op::mistake!("gpu: a tensor is on the cpu; move it with .to(&device)"),
        }
    }

    /// A storage of its own that starts with the contents of a snapshot, copied only when either is written.
    pub(crate) fn from_snapshot(contents: Arc<Contents>) -> Arc<Storage> {
        let device = AtomicUsize::new(number_of(contents.device()));
        Arc::new(Storage { cell: Mutex::new(contents), device })
    }

    /// The contents now; later writes do not change what was returned.
    ///
    /// # Panics
    /// As [`write`](Storage::write).
    #[track_caller]
    pub(crate) fn snapshot(&self) -> Arc<Contents> {
        self.lock().clone()
    }

    /// Runs `f` on the contents, in place when no snapshot is alive.
    ///
    /// # Panics
    /// If this thread is inside a `write` of the same storage, for which it would wait forever.
    #[track_caller]
    pub(crate) fn write<R>(&self, f: impl FnOnce(&mut Buffer) -> R) -> R {
        struct Leave;
        impl Drop for Leave {
            fn drop(&mut self) {
                WRITING.with_borrow_mut(Vec::pop);
            }
        }
        let mut guard = self.lock();
        WRITING.with_borrow_mut(|writing| writing.push(self));
        let _leave = Leave;
        match Arc::make_mut(&mut guard) {
            Contents::Cpu(buffer) => f(buffer),
            // It says what is wrong.
            gpu => {
                gpu.buffer();
                unreachable!("elements on a GPU are not lent")
            }
        }
    }

    #[track_caller]
    fn lock(&self) -> MutexGuard<'_, Arc<Contents>> {
        match self.cell.try_lock() {
            Ok(guard) => guard,
            // What a panic left behind is valid.
            Err(TryLockError::Poisoned(guard)) => guard.into_inner(),
            Err(TryLockError::WouldBlock)
                if WRITING.with_borrow(|writing| writing.iter().any(|&s| std::ptr::eq(s, self))) =>
            {
                crate::op::mistake!(
                    "with_data_mut: the tensor is used while its own elements are lent for changing"
                )
            }
            Err(TryLockError::WouldBlock) => lock(&self.cell),
        }
    }
}

thread_local! {
    /// The storages that this thread is writing, for recognising one that it would wait for itself.
    static WRITING: RefCell<Vec<*const Storage>> = const { RefCell::new(Vec::new()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_outlives_a_write() {
        let s = Storage::new(Buffer::I64(vec![1, 2]));
        let before = s.snapshot();
        s.write(|b| i64::slice_mut(b).unwrap()[0] = 7);
        assert_eq!(i64::slice(before.buffer()), Some(&[1, 2][..]));
        assert_eq!(i64::slice(s.snapshot().buffer()), Some(&[7, 2][..]));
    }

    #[test]
    fn large_buffers_are_recycled() {
        let n = RECYCLED_FROM + 12345;
        let v: Vec<f32> = alloc(n);
        let p = v.as_ptr();
        drop(Buffer::F32(v));
        let again: Vec<f32> = alloc(n);
        assert_eq!(again.as_ptr(), p);
    }
}
