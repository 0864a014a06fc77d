//! `cargo xtask gpu [--device gpu:N] [--quick] [--vs-torch PYTHON] [--data DIR]`: everything that can be said of a GPU in one command: every
//! operation and the lectures' recipes on it against the CPU, then the workloads of the benchmark, against PyTorch's eager execution and
//! its CUDA graphs if its Python is named. `--quick` leaves out what takes minutes on a software driver.

use crate::{bench, lectures, say};
use rekindle::Device;
use rekindle::train::{EpochRow, Recipe, Stream, Training};
use rekindle_tensor::ops::samples;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// A recipe of a lecture.
struct Run {
    id: &'static str,
    /// Whether it takes minutes on a software driver.
    long: bool,
    /// How far losses may be apart, relative to the CPU's, and accuracies.
    near: [f64; 2],
    /// So many epochs only: the CPU has to train it, too.
    epochs: Option<usize>,
}

const fn short(id: &'static str) -> Run {
    Run { id, long: false, near: [1e-4, 1e-3], epochs: None }
}

const fn long(id: &'static str) -> Run {
    Run { id, long: true, near: [1e-3, 1e-3], epochs: None }
}

/// Nets on Fashion-MNIST, in which roundings grow.
const fn fashion(id: &'static str) -> Run {
    Run { id, long: true, near: [1e-2, 5e-3], epochs: Some(2) }
}

const RUNS: &[Run] = &[
    short("02/model_1"),
    short("02/model_2"),
    short("02/model_3"),
    short("02/model_4"),
    long("05wk-1/4A"),
    long("05wk-1/4B"),
    long("05wk-1/4D-gpu"),
    long("05wk-1/5B"),
    long("06wk-1/3B"),
    long("06wk-1/4A"),
    long("06wk-2/3A"),
    fashion("06wk-2/4B"),
    fashion("06wk-2/4C"),
    fashion("06wk-2/4D-wide"),
    fashion("06wk-2/4D-deep"),
    fashion("06wk-2/4F-cnn"),
];

struct Options {
    device: Device,
    quick: bool,
    torch: Option<String>,
    data: PathBuf,
}

/// Runs the command.
pub fn main(args: Vec<String>) -> ExitCode {
    match parse(args).and_then(|options| run(&options)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(wrong) => {
            eprintln!("gpu: {wrong} checks failed");
            ExitCode::FAILURE
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn parse(args: Vec<String>) -> Result<Options, String> {
    let (mut device, mut quick, mut torch, mut data) = (Device::gpu(0), false, None, None);
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("gpu: {arg} needs a value"));
        match arg.as_str() {
            "--device" => device = value()?.parse()?,
            "--quick" => quick = true,
            "--vs-torch" => torch = Some(value()?),
            "--data" => data = Some(value()?.into()),
            other => return Err(format!("gpu: there is no flag {other}")),
        }
    }
    Ok(Options { device, quick, torch, data: crate::data_dir(data) })
}

/// How many checks failed.
fn run(options: &Options) -> Result<usize, String> {
    options.device.check()?;
    for (i, gpu) in Device::gpus().iter().enumerate() {
        say!("gpu:{i} {} ({}, {:?}, {})", gpu.name, gpu.backend, gpu.kind, gpu.driver);
    }
    let mut wrong = operations(options.device);
    wrong += recipes(options)?;
    if options.quick {
        return Ok(wrong);
    }
    let data = options.data.display().to_string();
    let device = options.device.to_string();
    let measure = |more: &[&str]| {
        let all = [&["--device", &device, "--data", &data], more].concat();
        bench::main(all.into_iter().map(String::from).collect())
    };
    let runs: &[&[&str]] = match &options.torch {
        None => &[&[]],
        Some(python) => &[&["--vs-torch", python], &["--vs-torch-compiled", python]],
    };
    Ok(wrong + runs.iter().filter(|more| measure(more) != ExitCode::SUCCESS).count())
}

fn operations(device: Device) -> usize {
    let all = samples();
    let count = all.iter().map(|(_, samples)| samples.len()).sum::<usize>();
    let failures: Vec<String> =
        all.iter().flat_map(|(_, s)| s).filter_map(|sample| sample.check_gpu(device).err()).collect();
    failures.iter().for_each(|failure| say!("DIFFERENT {failure}"));
    say!("operations: {} of {count} samples agree with the cpu", count - failures.len());
    failures.len()
}

fn recipes(options: &Options) -> Result<usize, String> {
    say!(
        "{:<14} {:>12} {:>12} {:>9} {:>9} {:>8} {:>8}",
        "recipe",
        "loss, cpu",
        "gpu",
        "acc, cpu",
        "gpu",
        "s, cpu",
        "gpu"
    );
    let mut wrong = 0;
    for Run { id, near, epochs, .. } in RUNS.iter().filter(|run| !(run.long && options.quick)) {
        let mut recipe = lectures::recipe(id)?;
        recipe.epochs = epochs.unwrap_or(recipe.epochs);
        // A GPU draws its masks from this stream; with the same masks the figures can be compared.
        recipe.stream = Stream::Cuda;
        _ = recipe.data.locate(&options.data);
        let ((here, slow), (there, fast)) = (train(&recipe, Device::Cpu)?, train(&recipe, options.device)?);
        // A line has none.
        let accuracy = |row: &EpochRow| row.train.accuracy.unwrap_or(0.0);
        let same = (here.train.loss - there.train.loss).abs() <= near[0] * here.train.loss.abs()
            && (accuracy(&here) - accuracy(&there)).abs() <= near[1];
        wrong += usize::from(!same);
        say!(
            "{id:<14} {:>12.6} {:>12.6} {:>9.4} {:>9.4} {slow:>8.1} {fast:>8.1}  {}",
            here.train.loss,
            there.train.loss,
            accuracy(&here),
            accuracy(&there),
            if same { "same" } else { "DIFFERENT" }
        );
    }
    Ok(wrong)
}

/// The last epoch's figures, and seconds.
fn train(recipe: &Recipe, device: Device) -> Result<(EpochRow, f64), String> {
    let folder: Option<&Path> = None;
    let mut training = Training::new(recipe, folder).and_then(|t| t.on(device)).map_err(|e| e.to_string())?;
    let start = Instant::now();
    let rows = training.fit().map_err(|e| e.to_string())?;
    let last = rows.last().cloned().ok_or("the recipe has no epochs")?;
    Ok((last, start.elapsed().as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_has_its_recipe_and_flags_are_read() {
        for run in RUNS {
            lectures::recipe(run.id).unwrap_or_else(|e| panic!("{e}"));
        }
        let args = |list: &[&str]| parse(list.iter().map(|s| s.to_string()).collect());
        let options =
            args(&["--quick", "--device", "gpu:1", "--data", "d"]).unwrap_or_else(|e| panic!("{e}"));
        assert!(options.quick && options.device == Device::gpu(1) && options.torch.is_none());
        assert!(
            args(&["--dat"]).is_err() && args(&["--device"]).is_err() && args(&["--device", "tpu"]).is_err()
        );
    }
}
