//! The PyTorch side of the benchmark: a Python process that times steps when told to.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const SCRIPT: &str = include_str!("torch_bench.py");

/// A running Python with the script of the workloads.
pub struct Torch {
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Torch {
    /// Starts Python.
    pub fn start(python: &str, data: &Path, threads: usize) -> Result<Torch, String> {
        let mut process = Command::new(python)
            .args(["-c", SCRIPT])
            .arg(data)
            .arg(threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("bench: cannot start {python}: {e}"))?;
        let (Some(commands), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("bench: Python has no standard input and output".into());
        };
        Ok(Torch { process, commands, answers: BufReader::new(answers) })
    }

    /// The milliseconds of each of `n` steps of a workload.
    pub fn time_steps(&mut self, workload: &str, n: usize) -> Result<Vec<f64>, String> {
        let died = |e: String| format!("bench: PyTorch's side stopped on {workload}: {e}");
        writeln!(self.commands, "{workload} {n}").map_err(|e| died(e.to_string()))?;
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(|e| died(e.to_string()))?;
        serde_json::from_str(&line).map_err(|e| died(format!("{e}; it printed {line:?}")))
    }
}

impl Drop for Torch {
    fn drop(&mut self) {
        // Nothing is lost if it has gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
