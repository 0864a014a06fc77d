//! The other side of a comparison: PyTorch or another program that times steps when told to, or our own steps executed otherwise.

use super::workloads::{Mode, Step, Way, Workload};
use super::{peak_memory_mb, time_steps};
use rekindle::{Device, num_threads, set_num_threads};
use serde::Deserialize;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const SCRIPT: &str = include_str!("torch_bench.py");

/// Whom the workloads are measured against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Against {
    /// PyTorch, in this Python.
    Torch(String),
    /// The same with `torch.compile(mode="reduce-overhead")`, which uses CUDA graphs.
    TorchCompiled(String),
    /// A program that speaks as `torch_bench.py` does.
    Program(String),
    /// Our own eager execution.
    Eager,
    /// Ourselves on one thread.
    OneThread,
}

impl Against {
    /// What the column of its times is called.
    pub fn column(&self) -> &'static str {
        match self {
            Against::Torch(_) => "torch_ms",
            Against::TorchCompiled(_) => "compile_ms",
            Against::Program(_) => "other_ms",
            Against::Eager => "eager_ms",
            Against::OneThread => "one_ms",
        }
    }

    /// A program that is started once for all workloads, if it is one.
    pub fn start(&self, data: &Path, device: Device) -> Result<Option<Program>, String> {
        // PyTorch's GPUs have their own numbers: the machine's first is meant.
        let where_ = if device == Device::Cpu { "cpu" } else { "cuda" };
        let (program, arguments, last): (&str, &[&str], &[&str]) = match self {
            Against::Torch(python) => (python, &["-c", SCRIPT], &[where_, "eager"]),
            Against::TorchCompiled(python) => (python, &["-c", SCRIPT], &[where_, "compile"]),
            Against::Program(program) => (program, &[], &[]),
            Against::Eager | Against::OneThread => return Ok(None),
        };
        Program::start(program, arguments, data, last).map(Some)
    }
}

/// Times of steps, and what they took in memory.
#[derive(Deserialize)]
pub struct Timed {
    pub ms: Vec<f64>,
    pub peak_mb: f64,
}

/// The other side of one workload.
pub enum Side<'a> {
    Program(&'a mut Program, &'static str),
    Eager(Step, Device),
    OneThread(Step),
}

impl<'a> Side<'a> {
    pub fn new(
        against: &Against,
        program: Option<&'a mut Program>,
        workload: &Workload,
        data: &Path,
        device: Device,
    ) -> Result<Side<'a>, String> {
        let make = |mode| workload.step(data, Way { mode, device });
        Ok(match (against, program) {
            (_, Some(program)) => Side::Program(program, workload.name),
            (Against::OneThread, _) => Side::OneThread(make(Mode::Captured)?),
            _ => Side::Eager(make(Mode::Eager)?, device),
        })
    }

    /// `n` steps.
    pub fn time(&mut self, n: usize) -> Result<Timed, String> {
        let ms = match self {
            Side::Program(program, workload) => return program.time_steps(workload, n),
            Side::Eager(step, device) => time_steps(step, n, *device),
            Side::OneThread(step) => {
                let threads = num_threads();
                set_num_threads(1);
                let ms = time_steps(step, n, Device::Cpu);
                set_num_threads(threads);
                ms
            }
        };
        Ok(Timed { ms, peak_mb: peak_memory_mb() })
    }
}

/// A running process with the workloads.
pub struct Program {
    name: String,
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Program {
    fn start(program: &str, arguments: &[&str], data: &Path, last: &[&str]) -> Result<Program, String> {
        let mut process = Command::new(program)
            .args(arguments)
            .arg(data)
            .arg(num_threads().to_string())
            .args(last)
            // Those of the programs that take their number of threads from there.
            .env("RAYON_NUM_THREADS", num_threads().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("bench: cannot start {program}: {e}"))?;
        let (Some(commands), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(format!("bench: {program} has no standard input and output"));
        };
        Ok(Program { name: program.into(), process, commands, answers: BufReader::new(answers) })
    }

    fn time_steps(&mut self, workload: &str, n: usize) -> Result<Timed, String> {
        let stopped = |e: String| format!("bench: {} stopped on {workload}: {e}", self.name);
        writeln!(self.commands, "{workload} {n}").map_err(|e| stopped(e.to_string()))?;
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(|e| stopped(e.to_string()))?;
        serde_json::from_str(&line).map_err(|e| stopped(format!("{e}; it printed {line:?}")))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Nothing is lost if it has gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
