//! The command line of the benchmark.

use super::other::Against;
use super::workloads::{WORKLOADS, Workload};
use rekindle::{Device, set_num_threads};
use std::path::PathBuf;

/// Steps are timed in rounds; two sides take turns.
const ROUNDS: usize = 5;

/// What was asked for.
pub struct Options {
    pub workloads: Vec<&'static Workload>,
    pub json: bool,
    pub against: Option<Against>,
    /// The least ratio that is no failure.
    pub at_least: f64,
    pub rounds: usize,
    pub data: PathBuf,
    pub device: Device,
}

/// What the arguments ask for. The number of threads is set at once.
pub fn parse(args: &[String]) -> Result<Options, String> {
    let mut options = Options {
        workloads: Vec::new(),
        json: false,
        against: None,
        at_least: 0.0,
        rounds: ROUNDS,
        data: crate::data_dir(None),
        device: Device::Cpu,
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().cloned().ok_or_else(|| format!("bench: {arg} needs a value"));
        match arg.as_str() {
            "--json" => options.json = true,
            "--vs-torch" => options.against = Some(Against::Torch(value()?)),
            "--vs-torch-compiled" => options.against = Some(Against::TorchCompiled(value()?)),
            "--vs" => options.against = Some(Against::Program(value()?)),
            "--vs-eager" => options.against = Some(Against::Eager),
            "--scaling" => options.against = Some(Against::OneThread),
            "--at-least" => {
                let text = value()?;
                let number = text.parse();
                options.at_least = number.map_err(|_| format!("bench: {arg} needs a number, got {text}"))?;
            }
            "--threads" => set_num_threads(positive(&value()?, arg)?),
            "--rounds" => options.rounds = positive(&value()?, arg)?,
            "--device" => options.device = value()?.parse()?,
            "--data" => options.data = value()?.into(),
            name => options.workloads.push(workload(name)?),
        }
    }
    if options.workloads.is_empty() {
        options.workloads = WORKLOADS.iter().collect();
    }
    Ok(options)
}

fn workload(name: &str) -> Result<&'static Workload, String> {
    WORKLOADS.iter().find(|w| w.name == name).ok_or_else(|| {
        let names: Vec<&str> = WORKLOADS.iter().map(|w| w.name).collect();
        format!("bench: there is no workload or flag {name}; workloads: {}", names.join(" "))
    })
}

fn positive(text: &str, flag: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err(format!("bench: {flag} needs a number of at least 1, got {text}")),
    }
}
