//! Memory behind tensors: a typed [`Buffer`] in a copy-on-write [`Storage`].
//!
//! A reader takes a snapshot (an `Arc` of the buffer) and keeps no lock. A writer changes the buffer in place
//! when nobody else holds a snapshot and copies it first otherwise. So a graph that saved a parameter still sees
//! the values of its forward pass after an in-place update, without version counters, and no lock can deadlock.
//!
//! Large buffers are recycled: returning pages to the operating system and faulting them in again costs more than
//! most element-wise ops.

use crate::dtype::{DType, Element};
use std::cell::RefCell;
use std::collections::HashMap;
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

/// The memory that a tensor and its views share.
#[derive(Debug)]
pub(crate) struct Storage {
    cell: Mutex<Arc<Buffer>>,
}

impl Storage {
    pub(crate) fn new(buffer: Buffer) -> Arc<Storage> {
        Storage::from_snapshot(Arc::new(buffer))
    }

    /// A storage of its own that starts with the contents of a snapshot, copied only when either is written.
    pub(crate) fn from_snapshot(buffer: Arc<Buffer>) -> Arc<Storage> {
        Arc::new(Storage { cell: Mutex::new(buffer) })
    }

    /// The contents now; later writes do not change what was returned.
    ///
    /// # Panics
    /// As [`write`](Storage::write).
    #[track_caller]
    pub(crate) fn snapshot(&self) -> Arc<Buffer> {
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
        f(Arc::make_mut(&mut guard))
    }

    #[track_caller]
    fn lock(&self) -> MutexGuard<'_, Arc<Buffer>> {
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
        assert_eq!(i64::slice(&before), Some(&[1, 2][..]));
        assert_eq!(i64::slice(&s.snapshot()), Some(&[7, 2][..]));
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
