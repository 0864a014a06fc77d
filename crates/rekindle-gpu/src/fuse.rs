//! Element-wise statements, held back for a moment so that those which follow become one kernel with them.
//!
//! `relu(a * b + c)` is one launch that reads a, b and c and writes the result: what is read by nobody else when the chain ends, because its
//! memory was dropped meanwhile, is not written at all. The chain ends with the next command of another kind, with a statement
//! of another length, or when it has no room for more buffers.

use crate::device::{Gpu, Inner, lock};
use crate::kernel::{Kernel, PARAMS};
use crate::memory::Memory;
use crate::queue::{Command, Launch, Pending};
use std::fmt::Write;
use std::sync::Arc;
use std::thread::{ThreadId, current};

/// Buffers of a kernel: what every device binds.
const BUFFERS: usize = 8;

/// An element-wise computation: `output[at + i] = expression` for each i below `n`.
pub struct Statement<'a> {
    /// How many elements.
    pub n: usize,
    /// What the expression calls `a`, `b`, `c`, ..
    pub operands: Vec<Operand>,
    /// What it calls `p.n0`, `p.n1`, ..: floats.
    pub numbers: &'a [f32],
    /// In WGSL.
    pub expression: &'a str,
    /// Where the results go.
    pub output: Memory,
    /// The first element.
    pub at: usize,
    /// The element type: `f32`, `i32`, or `u32` for an expression of type `bool`.
    pub result: &'static str,
    /// What must stand before the kernel.
    pub prelude: &'a str,
}

/// An operand of a [`Statement`].
pub enum Operand {
    /// A number of a type.
    Constant(&'static str, u32),
    /// The elements of a memory from a place on, or only the one there.
    Elements {
        /// The memory.
        memory: Memory,
        /// The first element.
        at: usize,
        /// Whether all elements are that one.
        one: bool,
        /// The element type: `f32`, `i32`, or `u32` for truth values.
        of: &'static str,
    },
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Statements that become one kernel.
pub(crate) struct Chain {
    /// Whose they are: what threads do is not mixed.
    thread: ThreadId,
    n: usize,
    prelude: String,
    params: String,
    numbers: Vec<u32>,
    body: String,
    reads: Vec<(Memory, &'static str)>,
    writes: Vec<Written>,
}

struct Written {
    memory: Memory,
    at: usize,
    of: &'static str,
}

impl Chain {
    fn new(statement: &Statement<'_>) -> Chain {
        Chain {
            thread: current().id(),
            n: statement.n,
            prelude: statement.prelude.into(),
            params: "count".into(),
            numbers: vec![statement.n as u32],
            body: String::new(),
            reads: Vec::new(),
            writes: Vec::new(),
        }
    }

    /// Whether it must run before something that this thread does with some memories.
    fn comes_before(&self, memories: &[&Memory]) -> bool {
        let has = |memory: &&Memory| {
            let mut all =
                self.reads.iter().map(|(read, _)| read).chain(self.writes.iter().map(|w| &w.memory));
            all.any(|own| own.id() == memory.id())
        };
        self.thread == current().id() || memories.iter().any(has)
    }

    /// Whether a statement can follow: it must not write what is read or written before, nor read what is written except element by
    /// element.
    fn takes(&self, s: &Statement<'_>) -> bool {
        let known = |memory: &Memory| self.reads.iter().any(|(read, _)| read.id() == memory.id());
        let written = |memory: &Memory| self.writes.iter().find(|w| w.memory.id() == memory.id());
        let mut new = 1;
        for operand in &s.operands {
            let Operand::Elements { memory, at, one, .. } = operand else { continue };
            match written(memory) {
                Some(w) if *one || w.at != *at => return false,
                Some(_) => {}
                None => new += usize::from(!known(memory)),
            }
            if memory.id() == s.output.id() {
                return false;
            }
        }
        let numbers = self.numbers.len() + s.operands.len() + s.numbers.len() + 1;
        s.n == self.n
            && numbers <= PARAMS
            && self.reads.len() + self.writes.len() + new <= BUFFERS
            && !known(&s.output)
            && written(&s.output).is_none()
    }

    fn number(&mut self, name: &str, t: &str, word: u32) {
        _ = write!(self.params, ", {name}: {t}");
        self.numbers.push(word);
    }

    fn push(&mut self, s: Statement<'_>) {
        let k = self.writes.len();
        _ = writeln!(self.body, "    var v{k}: {};\n    {{", s.result);
        for (name, operand) in NAMES.iter().zip(s.operands) {
            let (value, t) = match operand {
                Operand::Constant(t, word) => {
                    self.number(&format!("s{k}{name}"), t, word);
                    (format!("p.s{k}{name}"), t)
                }
                Operand::Elements { memory, at, one, of } => {
                    (self.element(&format!("s{k}{name}"), memory, at, one, of), of)
                }
            };
            // Truth values are words.
            let truth = if t == "u32" { " != 0u" } else { "" };
            _ = writeln!(self.body, "        let {name} = {value}{truth};");
        }
        for (i, value) in s.numbers.iter().enumerate() {
            self.number(&format!("s{k}n{i}"), "f32", value.to_bits());
        }
        let expression = s.expression.replace("p.n", &format!("p.s{k}n"));
        let expression = if s.result == "u32" { format!("select(0u, 1u, {expression})") } else { expression };
        _ = writeln!(self.body, "        v{k} = {expression};\n    }}");
        self.number(&format!("s{k}y"), "u32", s.at as u32);
        self.writes.push(Written { memory: s.output, at: s.at, of: s.result });
    }

    /// How the kernel reads an element.
    fn element(&mut self, number: &str, memory: Memory, at: usize, one: bool, of: &'static str) -> String {
        if let Some(j) = self.writes.iter().position(|w| w.memory.id() == memory.id()) {
            return format!("v{j}");
        }
        let known = self.reads.iter().position(|(read, _)| read.id() == memory.id());
        let buffer = known.unwrap_or_else(|| {
            self.reads.push((memory, of));
            self.reads.len() - 1
        });
        self.number(number, "u32", at as u32);
        if one { format!("x{buffer}[p.{number}]") } else { format!("x{buffer}[p.{number} + i]") }
    }

    /// The kernel and its memories. None if nobody waits for any of its results.
    fn finish(mut self) -> Option<(Kernel, Vec<Memory>, Vec<u32>)> {
        let mut io = String::new();
        for (i, (_, of)) in self.reads.iter().enumerate() {
            _ = write!(io, "{}x{i}: {of}", if i > 0 { ", " } else { "" });
        }
        io.push_str(" -> ");
        let mut memories: Vec<Memory> = self.reads.into_iter().map(|(memory, _)| memory).collect();
        let mut written = 0;
        for (k, w) in self.writes.into_iter().enumerate() {
            // Whoever could read it is gone.
            if Arc::strong_count(&w.memory.0) == 1 {
                continue;
            }
            _ = write!(io, "{}y{k}: {}", if written > 0 { ", " } else { "" }, w.of);
            _ = writeln!(self.body, "    y{k}[p.s{k}y + i] = v{k};");
            memories.push(w.memory);
            written += 1;
        }
        let name = format!("chain {io} | {} | {}", self.params, self.body);
        let body = format!(
            "{}\n@compute @workgroup_size(256) fn main(@builtin(workgroup_id) w: vec3<u32>, @builtin(num_workgroups) g: vec3<u32>, \
             @builtin(local_invocation_index) l: u32) {{\n    let i = (w.y * g.x + w.x) * 256u + l;\n    \
             if (i >= p.count) {{ return; }}\n{}}}",
            self.prelude, self.body
        );
        let kernel = Kernel { name, io: io.into(), params: self.params.into(), body: body.into() };
        (written > 0).then_some((kernel, memories, self.numbers))
    }
}

impl Inner {
    /// Ends this thread's chain, and those of others that touch some memories.
    pub fn settle(&self, pending: &mut Pending, memories: &[&Memory]) {
        let mut i = 0;
        while i < pending.chains.len() {
            if pending.chains[i].comes_before(memories) {
                let chain = pending.chains.remove(i);
                self.end(pending, chain);
            } else {
                i += 1;
            }
        }
    }

    fn settle_others(&self, pending: &mut Pending, memories: &[&Memory]) {
        let own = pending.chains.iter().position(|chain| chain.thread == current().id());
        let own = own.map(|i| pending.chains.remove(i));
        self.settle(pending, memories);
        pending.chains.extend(own);
    }

    /// Ends all chains.
    pub fn settle_all(&self, pending: &mut Pending) {
        std::mem::take(&mut pending.chains).into_iter().for_each(|chain| self.end(pending, chain));
    }

    fn end(&self, pending: &mut Pending, chain: Chain) {
        let thread = chain.thread;
        let Some((kernel, memories, numbers)) = chain.finish() else { return };
        let groups = grid(numbers[0] as usize);
        match self.pipeline(&kernel.name.clone(), || kernel) {
            Ok(pipeline) => {
                let (buffers, params) = (memories.into_iter().collect(), numbers.into_iter().collect());
                let launch = Launch { pipeline, buffers, params, groups, live: None };
                pending.push(Command::Launch(launch), thread);
                self.submit_if_many(pending);
            }
            Err(e) => _ = lock(&self.failed).get_or_insert(e),
        }
    }
}

/// Workgroups of 256 threads, one thread an element.
fn grid(n: usize) -> [u32; 3] {
    /// What every device takes in a dimension.
    const MOST: usize = 65_535;
    let groups = n.div_ceil(256);
    let y = groups.div_ceil(MOST).max(1);
    [groups.div_ceil(y) as u32, y as u32, 1]
}

impl Gpu {
    /// Computes element by element, together with what came before and what comes next if that is possible.
    pub fn element_wise(&self, statement: Statement<'_>) {
        if statement.n == 0 {
            return;
        }
        let inner = &self.0;
        let mut pending = lock(&inner.pending);
        let mine = |chain: &Chain| chain.thread == current().id();
        let fits = pending.chains.iter().any(|chain| mine(chain) && chain.takes(&statement));
        let mut touched: Vec<&Memory> = statement.operands.iter().filter_map(Operand::memory).collect();
        touched.push(&statement.output);
        match fits {
            // This thread's goes on.
            true => inner.settle_others(&mut pending, &touched),
            false => inner.settle(&mut pending, &touched),
        }
        inner.submit_if_many(&mut pending);
        if !fits {
            pending.chains.push(Chain::new(&statement));
        }
        if let Some(chain) = pending.chains.iter_mut().find(|chain| mine(chain)) {
            chain.push(statement);
        }
    }
}

impl Operand {
    fn memory(&self) -> Option<&Memory> {
        match self {
            Operand::Constant(..) => None,
            Operand::Elements { memory, .. } => Some(memory),
        }
    }
}
