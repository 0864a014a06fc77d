//! What the programs have in common: the protocol of `xtask/src/bench/torch_bench.py`, and the data of the workloads.

mod data;
mod memory;

pub use data::{Samples, circles, images, zeros_and_ones};

use std::error::Error;
use std::io::{BufRead, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// One call is one step.
pub type Step = Box<dyn FnMut() -> Result<()>>;

/// What was asked for on the command line.
pub struct Options {
    /// The folder with `mnist/` and `fashion-mnist/`.
    pub data: PathBuf,
    /// Whether training steps report their losses, which is no part of a measurement.
    pub losses: bool,
}

impl Options {
    /// Reports the loss of a training step if losses are wanted; only then is it read.
    pub fn report(&self, loss: impl FnOnce() -> Result<f32>) -> Result<()> {
        if self.losses {
            eprintln!("loss {}", loss()?);
        }
        Ok(())
    }
}

/// Reads the command line and runs the program.
pub fn main(run: impl FnOnce(&'static Options) -> Result<()>) -> ExitCode {
    match parse().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

/// The error of a workload that is not there.
pub fn unknown<T>(name: &str) -> Result<T> {
    Err(format!("there is no workload {name}").into())
}

/// The rows of one batch after the other, starting over at the end.
pub fn batches(rows: usize, size: usize) -> impl FnMut() -> Range<usize> {
    let mut at = 0;
    move || {
        let start = if at >= rows { 0 } else { at };
        at = rows.min(start + size);
        start..at
    }
}

/// Options live as long as the program, so that every step can have them.
fn parse() -> Result<&'static Options> {
    let usage = "usage: PROGRAM DATA_DIR THREADS [losses]";
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (data, threads, losses) = match args.as_slice() {
        [data, threads] => (data, threads, false),
        [data, threads, word] if word == "losses" => (data, threads, true),
        _ => return Err(usage.into()),
    };
    let threads: usize = threads.parse().ok().filter(|n| *n > 0).ok_or(usage)?;
    // Both frameworks' pools read it from there.
    if std::env::var("RAYON_NUM_THREADS").ok() != Some(threads.to_string()) {
        return Err(format!("set RAYON_NUM_THREADS={threads} in the environment").into());
    }
    Ok(Box::leak(Box::new(Options { data: data.into(), losses })))
}

/// Answers each line `WORKLOAD STEPS` with the milliseconds of every step and the peak of memory since the workload was
/// made. `make` makes the step of a workload, and calls [`unknown`] for a name that it does not have.
pub fn serve(options: &'static Options, make: impl Fn(&'static Options, &str) -> Result<Step>) -> Result<()> {
    let mut current: Option<(String, Step)> = None;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (name, count) = line.split_once(' ').ok_or("a line is WORKLOAD STEPS")?;
        if current.as_ref().is_none_or(|(made, _)| made != name) {
            // The memory of the workload before goes first.
            drop(current.take());
            current = Some((name.to_string(), make(options, name)?));
            memory::reset_peak();
        }
        if let Some((_, step)) = &mut current {
            let times = time_steps(step, count.trim().parse()?)?;
            // Rust writes a list of numbers as JSON does.
            writeln!(std::io::stdout(), r#"{{"ms": {times:?}, "peak_mb": {:?}}}"#, memory::peak_mb())?;
        }
    }
    Ok(())
}

fn time_steps(step: &mut Step, count: usize) -> Result<Vec<f64>> {
    let mut once = || -> Result<f64> {
        let start = Instant::now();
        step()?;
        Ok(start.elapsed().as_secs_f64() * 1e3)
    };
    (0..count).map(|_| once()).collect()
}
