//! `cargo xtask bench [W...] [--device D] [--json] [--threads N] [--rounds N] [--data DIR]`: milliseconds per step of the workloads, and which share
//! of what the machine allows that is. With `--vs-torch PYTHON`, `--vs PROGRAM` (see `comparison/`), `--vs-eager` (our own eager
//! execution), `--vs-torch-compiled PYTHON` or `--scaling` (ourselves on one thread) alternating with the other side in one run; `--at-least R` fails if the
//! ratios of a workload's medians and of its fastest rounds are both below R.

mod gpu;
mod options;
mod other;
mod workloads;

use crate::say;
use options::{Options, parse};
use other::{Program, Side};
use rekindle::{Device, num_threads};
use rekindle_kernels::limits;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};
use workloads::{Mode, Way, Workload};

/// Between the sides' turns: threads that wait for work by spinning would take the processor from the other side.
const PAUSE: Duration = Duration::from_millis(300);
/// Milliseconds of steps that are not counted, at the beginning of each turn: a processor that has slept needs time to come to its speed.
const LEAD: f64 = 300.0;

/// What this machine can do at most.
struct Machine {
    /// Floating-point operations a second.
    flops: f64,
    /// Bytes read a second.
    bandwidth: f64,
}

/// The figures of one workload.
struct Figures {
    name: &'static str,
    ms: f64,
    min_ms: f64,
    steps: usize,
    peak_mb: f64,
    /// The time that the machine's limits allow, without caches between operations.
    limit_ms: f64,
    other: Option<OtherFigures>,
}

/// The other side's.
#[derive(Clone, Copy, Debug, PartialEq)]
struct OtherFigures {
    ms: f64,
    min_ms: f64,
    peak_mb: f64,
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
    // Before the other program starts: it needs the processor for that.
    options.device.check()?;
    let machine = match options.device {
        Device::Cpu => Machine { flops: limits::peak_flops(), bandwidth: limits::read_bandwidth() },
        device => gpu::limits(device),
    };
    let mut program = match &options.against {
        Some(against) => against.start(&options.data, options.device)?,
        None => None,
    };
    if !options.json {
        print_head(options, &machine);
    }
    let mut low = Vec::new();
    for workload in &options.workloads {
        let figures = measure(workload, options, program.as_mut(), &machine)?;
        if options.json {
            print_json(&figures, &machine)
        } else {
            print_row(&figures)
        }
        // A busy machine disturbs the medians or the fastest rounds, a slower plan both.
        let ratio = figures.ratio().zip(figures.min_ratio()).map(|(ratio, min_ratio)| ratio.max(min_ratio));
        if ratio.is_some_and(|ratio| ratio < options.at_least) {
            low.push(workload.name);
        }
    }
    match low.as_slice() {
        [] => Ok(()),
        low => Err(format!("bench: the ratio is below {} for {}", options.at_least, low.join(", "))),
    }
}

/// Rounds of `workload.steps` timed steps each. The median is that of the rounds' medians, so that a disturbed round
/// does not count; the fastest is that of the fastest round.
fn measure(
    workload: &Workload,
    options: &Options,
    program: Option<&mut Program>,
    machine: &Machine,
) -> Result<Figures, String> {
    let device = options.device;
    let mut step = workload.step(&options.data, Way { mode: Mode::Captured, device })?;
    let theirs =
        options.against.as_ref().map(|against| Side::new(against, program, workload, &options.data, device));
    let mut theirs = theirs.transpose()?;
    // What it took to read the data does not count.
    reset_peak_memory();
    // The first steps of either side fill caches and pools; they are not counted.
    let few = workload.steps.div_ceil(4);
    let mut lead = steps_in(LEAD, &mut time_steps(&mut step, few, device));
    let mut their_lead = match &mut theirs {
        Some(theirs) => steps_in(LEAD, &mut theirs.time(few)?.ms),
        None => 0,
    };
    let (mut ours, mut others, mut other_mb) = (Vec::new(), Vec::new(), 0.0);
    for _ in 0..options.rounds {
        if theirs.is_some() {
            sleep(PAUSE);
        }
        time_steps(&mut step, lead, device);
        let mut times = time_steps(&mut step, workload.steps, device);
        lead = steps_in(LEAD, &mut times);
        ours.push(median(&mut times));
        if let Some(theirs) = &mut theirs {
            sleep(PAUSE);
            theirs.time(their_lead)?;
            let mut timed = theirs.time(workload.steps)?;
            their_lead = steps_in(LEAD, &mut timed.ms);
            others.push(median(&mut timed.ms));
            other_mb = timed.peak_mb;
        }
    }
    Ok(Figures {
        name: workload.name,
        ms: median(&mut ours),
        min_ms: ours[0],
        steps: workload.steps * options.rounds,
        peak_mb: peak_memory_mb(),
        limit_ms: 1e3 * ((workload.flops)() / machine.flops).max(workload.bytes / machine.bandwidth),
        other: theirs.map(|_| OtherFigures { ms: median(&mut others), min_ms: others[0], peak_mb: other_mb }),
    })
}

/// Milliseconds of each step. On a GPU, where steps are asked for faster than they are done, the mean of all.
fn time_steps(step: &mut dyn FnMut(), n: usize, device: Device) -> Vec<f64> {
    if device != Device::Cpu {
        device.synchronize();
        let start = Instant::now();
        (0..n).for_each(|_| step());
        device.synchronize();
        return vec![start.elapsed().as_secs_f64() * 1e3 / n as f64];
    }
    let mut once = || {
        let start = Instant::now();
        step();
        start.elapsed().as_secs_f64() * 1e3
    };
    (0..n).map(|_| once()).collect()
}

/// How many steps take so many milliseconds, at least one.
fn steps_in(ms: f64, times: &mut [f64]) -> usize {
    (ms / median(times)).ceil().clamp(1.0, 1e6) as usize
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

impl Figures {
    /// The other side's time over ours.
    fn ratio(&self) -> Option<f64> {
        self.other.map(|other| other.ms / self.ms)
    }

    /// The same of the fastest rounds: what a quiet machine would say.
    fn min_ratio(&self) -> Option<f64> {
        self.other.map(|other| other.min_ms / self.min_ms)
    }

    /// Which part of the time the machine's limits explain.
    fn share(&self) -> f64 {
        self.limit_ms / self.ms
    }
}

fn print_head(options: &Options, machine: &Machine) {
    let place = match options.device {
        Device::Cpu => format!("{} threads", num_threads()),
        device => format!("{device}, {}, as reached by a large product and a large sum", gpu::name(device)),
    };
    say!(
        "{place}: {:.0} GFLOP/s in f32, {:.1} GB/s read from memory",
        machine.flops / 1e9,
        machine.bandwidth / 1e9
    );
    let columns = options.against.as_ref().map_or(String::new(), |against| {
        format!("{:>12}{:>8}{:>11}{:>10}", against.column(), "ratio", "min_ratio", "other_mb")
    });
    say!(
        "{:<8}{:>12}{:>12}{:>8}{:>9}{:>9}{:>12}{:>7}{columns}",
        "",
        "ms",
        "min_ms",
        "steps",
        "threads",
        "peak_mb",
        "limit_ms",
        "share"
    );
}

fn print_row(f: &Figures) {
    let other = f.other.map_or(String::new(), |other| {
        let [ratio, min_ratio] = [f.ratio(), f.min_ratio()].map(Option::unwrap_or_default);
        format!("{:>12.4}{ratio:>8.2}{min_ratio:>11.2}{:>10.0}", other.ms, other.peak_mb)
    });
    say!(
        "{:<8}{:>12.4}{:>12.4}{:>8}{:>9}{:>9.0}{:>12.4}{:>7.2}{other}",
        f.name,
        f.ms,
        f.min_ms,
        f.steps,
        num_threads(),
        f.peak_mb,
        f.limit_ms,
        f.share()
    );
}

fn print_json(f: &Figures, machine: &Machine) {
    let mut object = serde_json::json!({
        "workload": f.name, "ms": f.ms, "min_ms": f.min_ms, "steps": f.steps, "threads": num_threads(), "peak_mb": f.peak_mb,
        "limit_ms": f.limit_ms, "share": f.share(), "peak_flops": machine.flops, "read_bandwidth": machine.bandwidth,
    });
    if let Some(other) = f.other {
        object["other_ms"] = other.ms.into();
        object["ratio"] = f.ratio().into();
        object["min_ratio"] = f.min_ratio().into();
        object["other_mb"] = other.peak_mb.into();
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
    use super::other::Against;
    use super::workloads::WORKLOADS;
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
        let against = |args: &[&str]| parsed(args).ok().and_then(|o| o.against);
        assert_eq!(against(&["--vs-torch", "python3"]), Some(Against::Torch("python3".into())));
        assert_eq!(against(&["--scaling", "W1"]), Some(Against::OneThread));
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
        let machine = Machine { flops: 1e9, bandwidth: 1e9 };
        let figures =
            measure(options.workloads[0], &options, None, &machine).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((figures.name, figures.steps, figures.limit_ms), ("W6tiny", 2000, 260e-6));
        let against = Options { against: Some(Against::Eager), at_least: 1e9, ..options };
        let e = run(&against).expect_err("no step is so much faster");
        assert_eq!(e, "bench: the ratio is below 1000000000 for W6tiny");
        assert!(0.0 < figures.min_ms && figures.min_ms <= figures.ms, "{} {}", figures.min_ms, figures.ms);
    }

    #[test]
    fn another_program_is_asked_step_by_step() {
        let script = std::env::temp_dir().join(format!("rekindle-bench-{}.sh", std::process::id()));
        let answer =
            "#!/bin/sh\nwhile read -r w n; do echo '{\"ms\": [8.5, 9.5, 7.5], \"peak_mb\": 12}'; done\n";
        std::fs::write(&script, answer).unwrap_or_else(|e| panic!("{e}"));
        let against = Against::Program("sh".into());
        let mut program = against
            .start(&script, Device::Cpu)
            .ok()
            .flatten()
            .unwrap_or_else(|| panic!("a shell can be started"));
        let options = parsed(&["W6tiny", "--rounds", "1"]).unwrap_or_else(|e| panic!("{e}"));
        let options = Options { against: Some(against), ..options };
        let machine = Machine { flops: 1e9, bandwidth: 1e9 };
        let figures = measure(options.workloads[0], &options, Some(&mut program), &machine);
        assert_eq!(figures.map(|f| f.other), Ok(Some(OtherFigures { ms: 8.5, min_ms: 8.5, peak_mb: 12.0 })));
        let _ = std::fs::remove_file(script);
    }
}
