//! Commands on their way to a device: collected, then submitted together.

use crate::device::{Gpu, Inner, bytes, lock};
use crate::fuse::Chain;
use crate::kernel::{PARAMS, Pipeline};
use crate::memory::Memory;
use crate::recording::{Live, Recorder};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{ThreadId, current};

/// So many launches are collected before they are submitted without being asked to: enough that a submission's cost is shared, few
/// enough that the device begins early.
const SUBMIT_AT: usize = 96;
/// So many may wait at most.
pub(crate) const MOST_PENDING: usize = 128;
/// The numbers of a launch lie this many bytes apart: the most alignment that a device may ask for.
pub(crate) const STRIDE: usize = PARAMS * 4;

/// Something that the device is to do.
#[derive(Clone)]
pub(crate) enum Command {
    Launch(Launch),
    Copy { from: Memory, at: usize, to: Memory, to_at: usize, words: usize },
}

#[derive(Clone)]
pub(crate) struct Launch {
    pub pipeline: Arc<Pipeline>,
    pub buffers: SmallVec<[Memory; 6]>,
    pub params: SmallVec<[u32; 16]>,
    pub groups: [u32; 3],
    /// What makes the numbers anew when the launch is replayed.
    pub live: Option<Live>,
}

/// What waits to be submitted.
#[derive(Default)]
pub(crate) struct Pending {
    commands: Vec<Command>,
    /// Element-wise work that may still grow, one chain a thread.
    pub chains: Vec<Chain>,
    /// How many submissions there were.
    submissions: u64,
    /// What threads record now, one recording each.
    pub recorders: Vec<Recorder>,
}

impl Pending {
    /// Whether a command that waits uses a memory.
    pub fn uses(&self, memory: &Memory) -> bool {
        !self.commands.is_empty() && memory.0.used.load(Ordering::Relaxed) > self.submissions
    }

    /// Something that a thread asked for.
    pub fn push(&mut self, command: Command, thread: ThreadId) {
        let next = self.submissions + 1;
        let touch = |memory: &Memory| memory.0.used.store(next, Ordering::Relaxed);
        match &command {
            Command::Launch(launch) => launch.buffers.iter().for_each(touch),
            Command::Copy { from, to, .. } => [from, to].into_iter().for_each(touch),
        }
        if let Some(recorder) = self.recorder(thread) {
            recorder.push(&command);
        }
        self.commands.push(command);
    }

    fn recorder(&mut self, thread: ThreadId) -> Option<&mut Recorder> {
        self.recorders.iter_mut().find(|recorder| recorder.thread == thread)
    }

    /// A recording must know which memory is its own.
    pub fn taken(&mut self, memory: &Memory) {
        if let Some(recorder) = self.recorder(current().id()) {
            recorder.taken(memory);
        }
    }

    /// Says that something was done which a recording does not hold.
    pub fn refuse(&mut self, why: &'static str) {
        if let Some(recorder) = self.recorder(current().id()) {
            recorder.refuse(why);
        }
    }
}

/// A buffer for the numbers of `launches` launches.
pub(crate) fn arena(device: &wgpu::Device, launches: usize) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("numbers"),
        size: (launches.max(1) * STRIDE) as u64,
        usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}

/// Appends the numbers of a launch to those of others. Even none have a place.
pub(crate) fn push_params(all: &mut Vec<u32>, params: &[u32]) {
    let end = all.len() + PARAMS;
    all.extend_from_slice(params);
    all.resize(end, 0);
}

impl Inner {
    pub fn bind_group(
        &self,
        pipeline: &Pipeline,
        buffers: &[Memory],
        arena: &wgpu::Buffer,
    ) -> wgpu::BindGroup {
        let numbers = wgpu::BufferBinding { buffer: arena, offset: 0, size: (STRIDE as u64).try_into().ok() };
        let mut entries: SmallVec<[wgpu::BindGroupEntry; 8]> = SmallVec::new();
        entries.push(wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(numbers) });
        entries.extend(buffers.iter().enumerate().map(|(i, memory)| wgpu::BindGroupEntry {
            binding: i as u32 + 1,
            resource: memory.0.raw.as_entire_binding(),
        }));
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.layout,
            entries: &entries,
        })
    }

    fn cached_bind_group(&self, launch: &Launch) -> wgpu::BindGroup {
        /// Networks have a few hundred; more means that blocks do not come back.
        const MOST: usize = 8192;
        let key = (launch.pipeline.id, launch.buffers.iter().map(Memory::id).collect());
        let mut known = lock(&self.bind_groups);
        if let Some(group) = known.get(&key) {
            return group.clone();
        }
        if known.len() >= MOST {
            known.clear();
        }
        let group = self.bind_group(&launch.pipeline, &launch.buffers, &self.arena);
        known.insert(key, group.clone());
        group
    }

    pub fn launch(&self, launch: Launch) {
        let mut pending = lock(&self.pending);
        self.settle(&mut pending, &launch.buffers.iter().collect::<SmallVec<[&Memory; 8]>>());
        pending.push(Command::Launch(launch), current().id());
        self.submit_if_many(&mut pending);
    }

    pub fn submit_if_many(&self, pending: &mut Pending) {
        if pending.commands.len() >= SUBMIT_AT {
            self.submit(pending);
        }
    }

    pub fn copy(&self, from: &Memory, at: usize, to: &Memory, to_at: usize, words: usize) {
        if words == 0 {
            return;
        }
        let (from, to) = (from.clone(), to.clone());
        let mut pending = lock(&self.pending);
        self.settle(&mut pending, &[&from, &to]);
        pending.push(Command::Copy { from, at, to, to_at, words }, current().id());
    }

    /// Submits what waits.
    pub fn submit(&self, pending: &mut Pending) {
        if let Some(encoder) = self.encode(pending) {
            self.queue.submit([encoder.finish()]);
            pending.submissions += 1;
        }
    }

    /// What waits, as the beginning of a submission; none if nothing waits.
    pub fn encode(&self, pending: &mut Pending) -> Option<wgpu::CommandEncoder> {
        if pending.commands.is_empty() {
            return None;
        }
        let commands = std::mem::take(&mut pending.commands);
        let mut numbers = Vec::with_capacity(commands.len() * PARAMS);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut run = Run::default();
        for command in &commands {
            match command {
                Command::Launch(launch) => {
                    let at = numbers.len() * 4;
                    push_params(&mut numbers, &launch.params);
                    let group = self.cached_bind_group(launch);
                    run.launch(&mut encoder, &launch.pipeline, &group, at, launch.groups);
                }
                Command::Copy { from, at, to, to_at, words } => {
                    run.copy(&mut encoder, (from, *at), (to, *to_at), *words);
                }
            }
        }
        drop(run);
        if !numbers.is_empty() {
            self.queue.write_buffer(&self.arena, 0, bytes(&numbers));
        }
        Some(encoder)
    }

    /// One more submission: what was written before is not in use by what is launched from now on.
    pub fn submitted(&self, pending: &mut Pending) {
        pending.submissions += 1;
    }
}

/// Launches in one compute pass for as long as no copy comes between them.
#[derive(Default)]
pub(crate) struct Run {
    pass: Option<wgpu::ComputePass<'static>>,
}

impl Run {
    pub fn launch(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        pipeline: &Pipeline,
        group: &wgpu::BindGroup,
        at: usize,
        [x, y, z]: [u32; 3],
    ) {
        let pass = self
            .pass
            .get_or_insert_with(|| encoder.begin_compute_pass(&Default::default()).forget_lifetime());
        pass.set_pipeline(&pipeline.raw);
        pass.set_bind_group(0, group, &[at as u32]);
        pass.dispatch_workgroups(x, y, z);
    }

    pub fn copy(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        (from, at): (&Memory, usize),
        (to, to_at): (&Memory, usize),
        words: usize,
    ) {
        self.pass = None;
        let [at, to_at, size] = [at, to_at, words].map(|n| n as u64 * 4);
        encoder.copy_buffer_to_buffer(&from.0.raw, at, &to.0.raw, to_at, size);
    }
}

impl Gpu {
    /// Launches a kernel on some memories, those that it only reads first, with its numbers.
    ///
    /// No memory that is written may be bound twice; that is the driver's rule.
    pub fn launch(&self, pipeline: &Arc<Pipeline>, buffers: &[&Memory], params: &[u32], groups: [u32; 3]) {
        self.launch_live(pipeline, buffers, params, groups, None);
    }

    /// As [`launch`](Gpu::launch), with something that makes the numbers anew whenever a recording is replayed.
    pub fn launch_live(
        &self,
        pipeline: &Arc<Pipeline>,
        buffers: &[&Memory],
        params: &[u32],
        groups: [u32; 3],
        live: Option<Live>,
    ) {
        if groups.contains(&0) {
            return;
        }
        debug_assert!(
            buffers[pipeline.reads..]
                .iter()
                .all(|y| buffers.iter().filter(|x| x.id() == y.id()).count() == 1),
            "{pipeline:?}: what is written is bound twice"
        );
        self.0.launch(Launch {
            pipeline: pipeline.clone(),
            buffers: buffers.iter().map(|&memory| memory.clone()).collect(),
            params: params.into(),
            groups,
            live,
        });
    }
}
