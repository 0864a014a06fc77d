//! An open device.

use crate::adapters::{Info, find};
use crate::error::Error;
use crate::kernel::{Kernel, Pipeline};
use crate::memory::{Memory, Pool};
use crate::queue::Pending;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

/// An open device. Clones are the same device; it stays open until the process ends.
#[derive(Clone)]
pub struct Gpu(pub(crate) Arc<Inner>);

/// Which bind group serves which pipeline with which blocks.
pub(crate) type BindGroups = HashMap<(usize, smallvec::SmallVec<[u64; 6]>), wgpu::BindGroup>;

pub(crate) struct Inner {
    pub index: usize,
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub max_tensor: u64,
    pub pool: Mutex<Pool>,
    pub pipelines: Mutex<HashMap<String, Arc<Pipeline>>>,
    pub bind_groups: Mutex<BindGroups>,
    pub pending: Mutex<Pending>,
    /// The numbers of pending launches.
    pub arena: wgpu::Buffer,
    /// The first thing that went wrong where nobody could be told.
    pub failed: Arc<Mutex<Option<Error>>>,
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "gpu:{}", self.0.index)
    }
}

/// A lock that ignores poisoning: the data behind our locks is valid after any panic.
pub(crate) fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

static OPEN: Mutex<Vec<Gpu>> = Mutex::new(Vec::new());

impl Gpu {
    /// The device of a number, as [`devices`](crate::devices) lists them. It is opened once.
    ///
    /// # Errors
    /// If there is no such device, or its driver refuses.
    pub fn open(index: usize) -> Result<Gpu, Error> {
        let mut open = lock(&OPEN);
        if let Some(gpu) = open.iter().find(|gpu| gpu.0.index == index) {
            return Ok(gpu.clone());
        }
        let gpu = Gpu(Arc::new(Inner::open(index)?));
        open.push(gpu.clone());
        Ok(gpu)
    }

    /// Its number.
    pub fn index(&self) -> usize {
        self.0.index
    }

    /// What is known of it.
    ///
    /// # Panics
    /// Never: it was found before it was opened.
    pub fn info(&self) -> Info {
        find(self.0.index).expect("it was found before").info.clone()
    }

    /// Memory of some words, with unspecified contents.
    ///
    /// # Errors
    /// If the device does not have as much.
    pub fn alloc(&self, words: usize) -> Result<Memory, Error> {
        let memory = self.0.take(words)?;
        lock(&self.0.pending).taken(&memory);
        Ok(memory)
    }

    /// Memory with these words.
    ///
    /// # Errors
    /// If the device does not have as much memory.
    pub fn upload(&self, words: &[u32]) -> Result<Memory, Error> {
        let memory = self.alloc(words.len())?;
        self.write(&memory, words);
        Ok(memory)
    }

    /// Overwrites the first words of a memory.
    pub fn write(&self, memory: &Memory, words: &[u32]) {
        let mut pending = lock(&self.0.pending);
        self.0.settle(&mut pending, &[memory]);
        pending.refuse("numbers are copied to the device between operations");
        if pending.uses(memory) {
            // Writes come before the commands that are submitted after them.
            self.0.submit(&mut pending);
        }
        if !words.is_empty() {
            self.0.queue.write_buffer(&memory.0.raw, 0, bytes(words));
        }
    }

    /// The words of a range, once everything that was launched before is done.
    ///
    /// # Errors
    /// If the device was lost or something before failed.
    pub fn download(&self, memory: &Memory, range: Range<usize>) -> Result<Vec<u32>, Error> {
        self.0.download(memory, range)
    }

    /// Copies words between two memories.
    pub fn copy(&self, from: &Memory, at: usize, to: &Memory, to_at: usize, words: usize) {
        self.0.copy(from, at, to, to_at, words);
    }

    /// A compiled kernel, compiled when its name is asked for first.
    ///
    /// # Errors
    /// If the driver refuses it.
    pub fn pipeline(&self, name: &str, kernel: impl FnOnce() -> Kernel) -> Result<Arc<Pipeline>, Error> {
        self.0.pipeline(name, kernel)
    }

    /// Submits what was launched, without waiting for it.
    pub fn submit(&self) {
        let mut pending = lock(&self.0.pending);
        self.0.settle_all(&mut pending);
        self.0.submit(&mut pending);
    }

    /// Waits until everything that was launched is done.
    ///
    /// # Errors
    /// If the device was lost or something before failed.
    pub fn synchronize(&self) -> Result<(), Error> {
        self.submit();
        self.0.wait()
    }
}

pub(crate) fn bytes(words: &[u32]) -> &[u8] {
    // SAFETY: every u32 is four initialised bytes, and u8 has no alignment.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), words.len() * 4) }
}

impl Inner {
    fn open(index: usize) -> Result<Inner, Error> {
        let found = find(index)?;
        let refused = |e: &dyn std::fmt::Display| Error::Driver { index, why: e.to_string() };
        let request = found.adapter.request_device(&wgpu::DeviceDescriptor {
            label: None,
            required_features: wgpu::Features::empty(),
            required_limits: found.adapter.limits(),
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        });
        let (device, queue) = pollster::block_on(request).map_err(|e| refused(&e))?;
        let failed = Arc::new(Mutex::new(None));
        let first = failed.clone();
        device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| {
            lock(&first).get_or_insert(Error::Driver { index, why: e.to_string() });
        }));
        let first = failed.clone();
        device.set_device_lost_callback(move |_, why| {
            *lock(&first) = Some(Error::Lost { index, why });
        });
        let arena = crate::queue::arena(&device, crate::queue::MOST_PENDING);
        Ok(Inner {
            index,
            max_tensor: found.info.max_tensor,
            device,
            queue,
            pool: Mutex::default(),
            pipelines: Mutex::default(),
            bind_groups: Mutex::default(),
            pending: Mutex::default(),
            arena,
            failed,
        })
    }

    pub fn pipeline(&self, name: &str, kernel: impl FnOnce() -> Kernel) -> Result<Arc<Pipeline>, Error> {
        if let Some(pipeline) = lock(&self.pipelines).get(name) {
            return Ok(pipeline.clone());
        }
        let pipeline = kernel().compile(self)?;
        // Of two threads that compiled it, both take the first's: recordings compare pipelines.
        Ok(lock(&self.pipelines).entry(name.to_string()).or_insert(pipeline).clone())
    }

    /// Waits for everything that was submitted.
    pub fn wait(&self) -> Result<(), Error> {
        let waited = self.device.poll(wgpu::PollType::wait_indefinitely());
        self.check()?;
        waited.map(|_| ()).map_err(|e| Error::Driver { index: self.index, why: e.to_string() })
    }

    /// The first thing that went wrong, if anything did.
    pub fn check(&self) -> Result<(), Error> {
        lock(&self.failed).clone().map_or(Ok(()), Err)
    }

    fn download(&self, memory: &Memory, range: Range<usize>) -> Result<Vec<u32>, Error> {
        let mut pending = lock(&self.pending);
        self.settle(&mut pending, &[memory]);
        pending.refuse("numbers are read from the device between operations");
        self.submit(&mut pending);
        drop(pending);
        if range.is_empty() {
            return self.check().map(|()| Vec::new());
        }
        let size = (range.len() * 4) as u64;
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&memory.0.raw, range.start as u64 * 4, &staging, 0, size);
        self.queue.submit([encoder.finish()]);
        let (done, mapped) = mpsc::channel();
        // Nobody waits for a reader that is gone.
        staging.map_async(wgpu::MapMode::Read, .., move |r| _ = done.send(r));
        self.wait()?;
        let refused = |why: String| Error::Driver { index: self.index, why };
        // Another thread that waits for the device may be the one that is told.
        match mapped.recv() {
            Ok(Ok(())) => {}
            Ok(Err(e)) => return Err(refused(e.to_string())),
            Err(_) => return Err(refused("a read-back did not end".into())),
        }
        let view = staging.get_mapped_range(..).map_err(|e| refused(e.to_string()))?;
        let words = view.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        Ok(words.collect())
    }
}
