//! `cargo xtask bench [W...] [--json] [--vs-torch PYTHON] [--threads N] [--rounds N] [--data DIR]`: milliseconds per
//! step of the workloads, alone or alternating with PyTorch's, or with `--vs-eager` with our own eager steps, in one run.
//! `--at-least R` fails if a ratio is below R.

mod torch;
mod workloads;

use crate::say;
use rekindle::{num_threads, set_num_threads};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use torch::Torch;
use workloads::{Mode, WORKLOADS, Workload};

/// Steps are timed in rounds; with PyTorch the two sides take turns.
const ROUNDS: usize = 5;

/// What was asked for on the command line.
struct Options {
    workloads: Vec<&'static Workload>,
    json: bool,
    python: Option<String>,
    /// Whether the other side is our own eager execution.
    eager: bool,
    /// The least ratio that is no failure.
    at_least: f64,
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
    /// The other side's.
    other_ms: Option<f64>,
}

/// Whom the workloads are measured against.
enum Other {
    Torch(Torch),
    Eager,
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
    let torch =
        options.python.as_deref().map(|p| Torch::start(p, &options.data, num_threads())).transpose()?;
    let mut other = torch.map(Other::Torch).or(options.eager.then_some(Other::Eager));
    if !options.json {
        let columns = match &other {
            Some(Other::Torch(_)) => format!("{:>12}{:>8}", "torch_ms", "ratio"),
            Some(Other::Eager) => format!("{:>12}{:>8}", "eager_ms", "ratio"),
            None => String::new(),
        };
        say!("{:<8}{:>12}{:>12}{:>8}{:>9}{:>9}{columns}", "", "ms", "min_ms", "steps", "threads", "peak_mb");
    }
    let mut low = Vec::new();
    for workload in &options.workloads {
        let figures = measure(workload, options, other.as_mut())?;
        if options.json {
            print_json(&figures)
        } else {
            print_row(&figures)
        }
        if figures.ratio().is_some_and(|ratio| ratio < options.at_least) {
            low.push(workload.name);
        }
    }
    match low.as_slice() {
        [] => Ok(()),
        low => Err(format!("bench: the ratio is below {} for {}", options.at_least, low.join(", "))),
    }
}

fn parse(args: &[String]) -> Result<Options, String> {
    let data = crate::data_dir(None);
    let mut options = Options {
        workloads: Vec::new(),
        json: false,
        python: None,
        eager: false,
        at_least: 0.0,
        rounds: ROUNDS,
        data,
    };
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
            "--vs-eager" => options.eager = true,
            "--at-least" => {
                let text = value(&mut args, arg)?;
                options.at_least =
                    text.parse().map_err(|_| format!("bench: {arg} needs a number, got {text}"))?;
            }
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

/// The milliseconds of so many steps of the other side.
type Side<'a> = Box<dyn FnMut(usize) -> Result<Vec<f64>, String> + 'a>;

/// Rounds of `workload.steps` timed steps each. The median is that of the rounds' medians, so that a disturbed round
/// does not count.
fn measure(workload: &Workload, options: &Options, other: Option<&mut Other>) -> Result<Figures, String> {
    let mut step = (workload.make)(&options.data, Mode::Captured)?;
    let mut theirs: Option<Side<'_>> = match other {
        None => None,
        Some(Other::Torch(torch)) => Some(Box::new(|n| torch.time_steps(workload.name, n))),
        Some(Other::Eager) => {
            let mut eager = (workload.make)(&options.data, Mode::Eager)?;
            Some(Box::new(move |n| Ok(time_steps(&mut eager, n))))
        }
    };
    // What it took to read the data does not count.
    reset_peak_memory();
    // The first steps of either side fill caches and pools; they are not counted.
    time_steps(&mut step, workload.steps.div_ceil(4));
    if let Some(theirs) = &mut theirs {
        theirs(workload.steps.div_ceil(4))?;
    }
    let (mut ours, mut others, mut min_ms) = (Vec::new(), Vec::new(), f64::INFINITY);
    for _ in 0..options.rounds {
        let mut times = time_steps(&mut step, workload.steps);
        min_ms = times.iter().copied().fold(min_ms, f64::min);
        ours.push(median(&mut times));
        if let Some(theirs) = &mut theirs {
            others.push(median(&mut theirs(workload.steps)?));
        }
    }
    Ok(Figures {
        name: workload.name,
        ms: median(&mut ours),
        min_ms,
        steps: workload.steps * options.rounds,
        peak_mb: peak_memory_mb(),
        other_ms: theirs.map(|_| median(&mut others)),
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

impl Figures {
    /// The other side's time over ours.
    fn ratio(&self) -> Option<f64> {
        self.other_ms.map(|other| other / self.ms)
    }
}

fn print_row(f: &Figures) {
    let other =
        f.other_ms.zip(f.ratio()).map_or(String::new(), |(ms, ratio)| format!("{ms:>12.4}{ratio:>8.2}"));
    say!(
        "{:<8}{:>12.4}{:>12.4}{:>8}{:>9}{:>9.0}{other}",
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
    if let Some((ms, ratio)) = f.other_ms.zip(f.ratio()) {
        object["other_ms"] = ms.into();
        object["ratio"] = ratio.into();
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
        assert_eq!(says(&["--at-least", "x"]), "bench: --at-least needs a number, got x");
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
        let against = Options { eager: true, at_least: 1e9, ..options };
        let e = run(&against).expect_err("no step is so much faster");
        assert_eq!(e, "bench: the ratio is below 1000000000 for W6tiny");
        assert!(0.0 < figures.min_ms && figures.min_ms <= figures.ms, "{} {}", figures.min_ms, figures.ms);
    }
}
