//! Commands that are recorded once and replayed: what a training step does, without finding it out again.

use crate::device::{Gpu, bytes, lock};
use crate::kernel::{PARAMS, Pipeline};
use crate::memory::Memory;
use crate::queue::{Command, Run, arena, push_params};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::thread::{ThreadId, current};

/// Makes the numbers of a launch anew: random draws that go on, rates that change.
pub type Live = Arc<dyn Fn(&mut [u32]) + Send + Sync>;

/// What a thread records now.
pub(crate) struct Recorder {
    pub thread: ThreadId,
    commands: Vec<Command>,
    own: HashSet<u64>,
    refusal: Option<&'static str>,
}

impl Recorder {
    pub fn push(&mut self, command: &Command) {
        self.commands.push(command.clone());
    }

    pub fn taken(&mut self, memory: &Memory) {
        self.own.insert(memory.id());
    }

    pub fn refuse(&mut self, why: &'static str) {
        self.refusal.get_or_insert(why);
    }
}

/// What a thread had a device do, in a form that can be done again.
pub struct Recording {
    commands: Vec<Command>,
    own: HashSet<u64>,
    refusal: Option<&'static str>,
}

/// What a recording does, to be compared with what another does.
#[derive(PartialEq, Eq, Debug)]
pub struct Trace(Vec<u64>);

impl Gpu {
    /// Runs `f` and records what this thread has the device do meanwhile. None inside of another recording of this thread.
    pub fn record<R>(&self, f: impl FnOnce() -> R) -> (R, Option<Recording>) {
        /// Ends the record also when `f` panics.
        struct End<'a>(&'a Gpu);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.recorded();
            }
        }
        let thread = current().id();
        {
            let mut pending = lock(&self.0.pending);
            self.0.settle(&mut pending, &[]);
            if pending.recorders.iter().any(|recorder| recorder.thread == thread) {
                drop(pending);
                return (f(), None);
            }
            pending.recorders.push(Recorder {
                thread,
                commands: Vec::new(),
                own: HashSet::new(),
                refusal: None,
            });
        }
        let end = End(self);
        let result = f();
        let recorder = self.recorded();
        drop(end);
        let recording =
            recorder.map(|Recorder { commands, own, refusal, .. }| Recording { commands, own, refusal });
        (result, recording)
    }

    /// Ends this thread's record.
    fn recorded(&self) -> Option<Recorder> {
        let mut pending = lock(&self.0.pending);
        self.0.settle(&mut pending, &[]);
        let place = pending.recorders.iter().position(|recorder| recorder.thread == current().id())?;
        Some(pending.recorders.swap_remove(place))
    }
}

impl Recording {
    /// Why it does not hold everything that was done, if so: numbers were read or written from outside.
    pub fn refusal(&self) -> Option<&'static str> {
        self.refusal
    }

    /// Whether a memory was taken while it was made.
    pub fn owns(&self, id: u64) -> bool {
        self.own.contains(&id)
    }

    /// What it does. Memory of its own is numbered in the order of its use, `inputs` in their order; all other memory is itself.
    pub fn trace(&self, inputs: &[Memory]) -> Trace {
        let mut numbers: Vec<u64> = inputs.iter().map(Memory::id).collect();
        let mut of = |memory: &Memory| match numbers.iter().position(|&id| id == memory.id()) {
            Some(i) => i as u64,
            None if self.own.contains(&memory.id()) => {
                numbers.push(memory.id());
                numbers.len() as u64 - 1
            }
            None => (1 << 63) | memory.id(),
        };
        let mut words = Vec::new();
        for command in &self.commands {
            match command {
                Command::Launch(launch) => {
                    words.extend([1, launch.pipeline.id as u64]);
                    words.extend(launch.groups.map(u64::from));
                    words.extend(launch.buffers.iter().map(&mut of));
                    if launch.live.is_none() {
                        words.extend(launch.params.iter().map(|&p| u64::from(p)));
                    }
                }
                Command::Copy { from, at, to, to_at, words: n } => {
                    words.extend([2, of(from), *at as u64, of(to), *to_at as u64, *n as u64]);
                }
            }
        }
        Trace(words)
    }

    /// How many commands it has.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether it does nothing.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Binds everything, so that a replay only submits.
    pub fn prepare(self, gpu: &Gpu) -> Replay {
        let launches = self.commands.iter().filter(|c| matches!(c, Command::Launch(_))).count();
        let arena = arena(&gpu.0.device, launches);
        let (mut numbers, mut lives, mut steps) =
            (Vec::with_capacity(launches * PARAMS), Vec::new(), Vec::new());
        for command in &self.commands {
            steps.push(match command {
                Command::Copy { from, at, to, to_at, words } => {
                    Step::Copy { from: from.clone(), at: *at, to: to.clone(), to_at: *to_at, words: *words }
                }
                Command::Launch(launch) => {
                    let at = numbers.len();
                    push_params(&mut numbers, &launch.params);
                    if let Some(live) = &launch.live {
                        lives.push((at..at + launch.params.len(), live.clone()));
                    }
                    let group = gpu.0.bind_group(&launch.pipeline, &launch.buffers, &arena);
                    Step::Launch {
                        pipeline: launch.pipeline.clone(),
                        group,
                        at: at * 4,
                        groups: launch.groups,
                    }
                }
            });
        }
        let numbers = Mutex::new(Numbers { words: numbers, written: false });
        Replay { gpu: gpu.clone(), steps, lives, arena, numbers, _memory: self.commands }
    }
}

struct Numbers {
    words: Vec<u32>,
    written: bool,
}

enum Step {
    Launch { pipeline: Arc<Pipeline>, group: wgpu::BindGroup, at: usize, groups: [u32; 3] },
    Copy { from: Memory, at: usize, to: Memory, to_at: usize, words: usize },
}

/// A prepared recording.
pub struct Replay {
    gpu: Gpu,
    steps: Vec<Step>,
    lives: Vec<(std::ops::Range<usize>, Live)>,
    arena: wgpu::Buffer,
    numbers: Mutex<Numbers>,
    /// Memory must live as long as somebody writes into it.
    _memory: Vec<Command>,
}

impl Replay {
    /// Has the device do it again, after what waits.
    pub fn run(&self) {
        let inner = &self.gpu.0;
        // They are others' code, which may wait or panic: before anything is locked that a device needs.
        let mut numbers = lock(&self.numbers);
        for (range, live) in &self.lives {
            live(&mut numbers.words[range.clone()]);
        }
        let mut pending = lock(&inner.pending);
        inner.settle(&mut pending, &[]);
        let encoder = inner.encode(&mut pending);
        let mut encoder = encoder.unwrap_or_else(|| inner.device.create_command_encoder(&Default::default()));
        if !numbers.written || !self.lives.is_empty() {
            inner.queue.write_buffer(&self.arena, 0, bytes(&numbers.words));
            numbers.written = true;
        }
        let mut run = Run::default();
        for step in &self.steps {
            match step {
                Step::Launch { pipeline, group, at, groups } => {
                    run.launch(&mut encoder, pipeline, group, *at, *groups);
                }
                Step::Copy { from, at, to, to_at, words } => {
                    run.copy(&mut encoder, (from, *at), (to, *to_at), *words);
                }
            }
        }
        drop(run);
        inner.queue.submit([encoder.finish()]);
        inner.submitted(&mut pending);
    }

    /// How many commands it has.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether it does nothing.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}
