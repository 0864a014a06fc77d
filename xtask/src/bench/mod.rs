//! `cargo xtask bench [W...] [--json] [--vs-torch PYTHON] [--threads N] [--rounds N] [--data DIR]`: milliseconds per
//! step of the workloads, alone or alternating with PyTorch's in one run.

mod torch;
mod workloads;

use crate::say;
use rekindle::{num_threads, set_num_threads};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use torch::Torch;
use workloads::{WORKLOADS, Workload};

/// Steps are timed in rounds; with PyTorch the two sides take turns.
const ROUNDS: usize = 5;

/// What was asked for on the command line.
struct Options {
    workloads: Vec<&'static Workload>,
    json: bool,
    python: Option<String>,
    rounds: usize,
    data: PathBuf,
}

/// The figures of one workload.
struct Figures {
    name: &'static str,
    ms: f64,
    min_ms: f64,
    steps: usize,
    peak_mb: f64,
    torch_ms: Option<f64>,
}

/// Runs the command.
pub fn main(args: Vec<String>) -> ExitCode {
    let options = match parse(&args) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let mut torch =
        options.python.as_deref().map(|p| Torch::start(p, &options.data, num_threads())).transpose()?;
    if !options.json {
        let torch_columns =
            if torch.is_some() { format!("{:>12}{:>8}", "torch_ms", "ratio") } else { String::new() };
        say!(
            "{:<8}{:>12}{:>12}{:>8}{:>9}{:>9}{torch_columns}",
            "",
            "ms",
            "min_ms",
            "steps",
            "threads",
            "peak_mb"
        );
    }
    for workload in &options.workloads {
        let figures = measure(workload, options, torch.as_mut())?;
        if options.json { print_json(&figures) } else { print_row(&figures) }
    }
    Ok(())
}

fn parse(args: &[String]) -> Result<Options, String> {
    let data = crate::data_dir(None);
    let mut options = Options { workloads: Vec::new(), json: false, python: None, rounds: ROUNDS, data };
    let mut args = args.iter();
    let value = |args: &mut std::slice::Iter<'_, String>, flag: &str| {
        args.next().cloned().ok_or_else(|| format!("bench: {flag} needs a value"))
    };
    let number = |text: String, flag: &str| match text.parse::<usize>() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err(format!("bench: {flag} needs a number of at least 1, got {text}")),
    };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--json" => options.json = true,
            "--vs-torch" => options.python = Some(value(&mut args, arg)?),
            "--threads" => set_num_threads(number(value(&mut args, arg)?, arg)?),
            "--rounds" => options.rounds = number(value(&mut args, arg)?, arg)?,
            "--data" => options.data = value(&mut args, arg)?.into(),
            name => match WORKLOADS.iter().find(|w| w.name == name) {
                Some(workload) => options.workloads.push(workload),
                None => {
                    let names: Vec<&str> = WORKLOADS.iter().map(|w| w.name).collect();
                    return Err(format!(
                        "bench: there is no workload or flag {name}; workloads: {}",
                        names.join(" ")
                    ));
                }
            },
        }
    }
    if options.workloads.is_empty() {
        options.workloads = WORKLOADS.iter().collect();
    }
    Ok(options)
}

/// Rounds of `workload.steps` timed steps each. The median is that of the rounds' medians, so that a disturbed round
/// does not count.
fn measure(workload: &Workload, options: &Options, mut torch: Option<&mut Torch>) -> Result<Figures, String> {
    let mut step = (workload.make)(&options.data)?;
    // What it took to read the data does not count.
    reset_peak_memory();
    // The first steps of either side fill caches and pools; they are not counted.
    time_steps(&mut step, workload.steps.div_ceil(4));
    if let Some(torch) = torch.as_deref_mut() {
        torch.time_steps(workload.name, workload.steps.div_ceil(4))?;
    }
    let (mut ours, mut theirs, mut min_ms) = (Vec::new(), Vec::new(), f64::INFINITY);
    for _ in 0..options.rounds {
        let mut times = time_steps(&mut step, workload.steps);
        min_ms = times.iter().copied().fold(min_ms, f64::min);
        ours.push(median(&mut times));
        if let Some(torch) = torch.as_deref_mut() {
            theirs.push(median(&mut torch.time_steps(workload.name, workload.steps)?));
        }
    }
    Ok(Figures {
        name: workload.name,
        ms: median(&mut ours),
        min_ms,
        steps: workload.steps * options.rounds,
        peak_mb: peak_memory_mb(),
        torch_ms: torch.map(|_| median(&mut theirs)),
    })
}

fn time_steps(step: &mut dyn FnMut(), n: usize) -> Vec<f64> {
    let mut once = || {
        let start = Instant::now();
        step();
        start.elapsed().as_secs_f64() * 1e3
    };
    (0..n).map(|_| once()).collect()
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn print_row(f: &Figures) {
    let torch = f.torch_ms.map_or(String::new(), |t| format!("{t:>12.4}{:>8.2}", t / f.ms));
    say!(
        "{:<8}{:>12.4}{:>12.4}{:>8}{:>9}{:>9.0}{torch}",
        f.name,
        f.ms,
        f.min_ms,
        f.steps,
        num_threads(),
        f.peak_mb
    );
}

fn print_json(f: &Figures) {
    let mut object = serde_json::json!({
        "workload": f.name, "ms": f.ms, "min_ms": f.min_ms, "steps": f.steps, "threads": num_threads(), "peak_mb": f.peak_mb,
    });
    if let Some(t) = f.torch_ms {
        object["torch_ms"] = t.into();
        object["ratio"] = (t / f.ms).into();
    }
    say!("{object}");
}

/// Makes the kernel count the peak from now on; where it cannot, the peak is that of the whole process.
fn reset_peak_memory() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The peak of resident memory in MB, or 0 where the system does not tell.
fn peak_memory_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<f64>().ok())
        .map_or(0.0, |kb| kb / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Options, String> {
        parse(&args.iter().map(|s| s.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn workloads_and_flags_are_read_and_mistakes_named() {
        let options = parsed(&["W3", "--json", "--rounds", "2", "W6tiny"]).unwrap_or_else(|e| panic!("{e}"));
        let names: Vec<&str> = options.workloads.iter().map(|w| w.name).collect();
        assert_eq!((names, options.json, options.rounds), (vec!["W3", "W6tiny"], true, 2));
        assert_eq!(parsed(&[]).map(|o| o.workloads.len()), Ok(WORKLOADS.len()));
        let says = |args: &[&str]| parsed(args).err().unwrap_or_default();
        assert!(says(&["W99"]).starts_with("bench: there is no workload or flag W99; workloads: W1 "));
        assert_eq!(says(&["--rounds", "0"]), "bench: --rounds needs a number of at least 1, got 0");
        assert_eq!(says(&["--rounds"]), "bench: --rounds needs a value");
    }

    #[test]
    fn the_median_is_not_moved_by_one_slow_step() {
        assert_eq!(median(&mut [3.0, 1.0, 900.0, 2.0, 2.5]), 2.5);
    }

    #[test]
    fn a_workload_without_files_gives_figures() {
        let options = parsed(&["W6tiny", "--rounds", "1"]).unwrap_or_else(|e| panic!("{e}"));
        let figures = measure(options.workloads[0], &options, None).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((figures.name, figures.steps), ("W6tiny", 2000));
        assert!(0.0 < figures.min_ms && figures.min_ms <= figures.ms, "{} {}", figures.min_ms, figures.ms);
    }
}
