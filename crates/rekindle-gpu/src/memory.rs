//! Blocks of memory on a device, kept for reuse when they are dropped.

use crate::device::{Gpu, Inner, lock};
use crate::error::Error;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// Some 32-bit words on a device. Clones are the same memory; when the last is dropped the device has it back.
#[derive(Clone)]
pub struct Memory(pub(crate) Arc<Block>);

pub(crate) struct Block {
    pub id: u64,
    pub raw: wgpu::Buffer,
    pub words: usize,
    /// The submission that uses it last.
    pub used: AtomicU64,
    device: Weak<Inner>,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Memory({}, {} words)", self.0.id, self.0.words)
    }
}

impl Memory {
    /// The number of words that were asked for.
    pub fn len(&self) -> usize {
        self.0.words
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.0.words == 0
    }

    /// A number that no other memory of the process has while this one lives.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// The device that it is on.
    ///
    /// # Panics
    /// If the device was closed, which happens at the end of the process only.
    pub fn gpu(&self) -> Gpu {
        Gpu(self.0.device.upgrade().expect("devices live as long as the process"))
    }
}

/// Dropped blocks that wait for reuse, by their size in bytes.
#[derive(Default)]
pub(crate) struct Pool {
    free: HashMap<u64, Vec<(u64, wgpu::Buffer, u64)>>,
    held: u64,
}

/// Sizes are rounded up, so that blocks of nearly the same size serve one another: an eighth of a power of two at most is lost.
fn rounded(words: usize) -> u64 {
    let bytes = (words.max(1) * 4) as u64;
    if bytes <= 256 {
        bytes.next_power_of_two().max(16)
    } else {
        bytes.next_multiple_of((bytes.next_power_of_two() / 8).max(64))
    }
}

impl Inner {
    pub(crate) fn take(self: &Arc<Inner>, words: usize) -> Result<Memory, Error> {
        static IDS: AtomicU64 = AtomicU64::new(1);
        let asked = words as u64 * 4;
        if asked > self.max_tensor {
            return Err(Error::TooLarge { index: self.index, bytes: asked, most: self.max_tensor });
        }
        let bytes = rounded(words).min(self.max_tensor & !3);
        let recycled = {
            let mut pool = lock(&self.pool);
            let found = pool.free.get_mut(&bytes).and_then(Vec::pop);
            pool.held += bytes;
            found
        };
        let (id, raw, used) = match recycled {
            Some(block) => block,
            None => (IDS.fetch_add(1, Ordering::Relaxed), self.create(bytes)?, 0),
        };
        Ok(Memory(Arc::new(Block {
            id,
            raw,
            words,
            used: AtomicU64::new(used),
            device: Arc::downgrade(self),
        })))
    }

    fn create(self: &Arc<Inner>, bytes: u64) -> Result<wgpu::Buffer, Error> {
        let attempt = || {
            let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
            let usage =
                wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
            let raw = self.device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: bytes,
                usage,
                mapped_at_creation: false,
            });
            (pollster::block_on(scope.pop()).is_none()).then_some(raw)
        };
        if let Some(raw) = attempt() {
            return Ok(raw);
        }
        // What waits for reuse has other sizes: give it back and try again. Commands that wait hold memory, too.
        {
            let mut pending = lock(&self.pending);
            self.settle_all(&mut pending);
            self.submit(&mut pending);
        }
        *lock(&self.bind_groups) = HashMap::new();
        let mut pool = lock(&self.pool);
        pool.free = HashMap::new();
        drop(pool);
        self.wait()?;
        attempt().ok_or_else(|| {
            let mut pool = lock(&self.pool);
            pool.held -= bytes;
            Error::OutOfMemory { index: self.index, bytes, held: pool.held }
        })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let Some(device) = self.device.upgrade() else { return };
        let bytes = self.raw.size();
        let mut pool = lock(&device.pool);
        pool.held -= bytes;
        let used = *self.used.get_mut();
        pool.free.entry(bytes).or_default().push((self.id, self.raw.clone(), used));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_up_by_an_eighth_at_most() {
        assert_eq!([0, 1, 4, 5, 64].map(rounded), [16, 16, 16, 32, 256]);
        for words in [65, 100, 1000, 12345, 1 << 20, (1 << 20) + 1] {
            let (bytes, got) = (words as u64 * 4, rounded(words));
            assert!(
                got >= bytes && got as f64 <= bytes as f64 * 1.25 + 64.0 && got % 4 == 0,
                "{words} {got}"
            );
        }
    }
}
