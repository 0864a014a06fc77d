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

/// Recipes, whether they take minutes on a software driver, and how far losses may be apart, relative to the CPU's.
const RECIPES: &[(&str, bool, f64)] = &[
    ("02/model_1", false, 1e-4),
    ("02/model_2", false, 1e-4),
    ("02/model_3", false, 1e-4),
    ("02/model_4", false, 1e-4),
    ("05wk-1/4A", true, 1e-3),
    ("05wk-1/4B", true, 1e-3),
    ("05wk-1/4D-gpu", true, 1e-3),
    ("05wk-1/5B", true, 1e-3),
    ("06wk-1/3B", true, 1e-3),
    ("06wk-1/4A", true, 1e-3),
    ("06wk-2/3A", true, 1e-3),
];
/// Accuracies may differ by a tenth of a point.
const ACCURACY: f64 = 1e-3;

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
    for (id, long, tolerance) in RECIPES {
        if *long && options.quick {
            continue;
        }
        let mut recipe = lectures::recipe(id)?;
        // A GPU draws its masks from this stream; with the same masks the figures can be compared.
        recipe.stream = Stream::Cuda;
        _ = recipe.data.locate(&options.data);
        let ((here, slow), (there, fast)) = (train(&recipe, Device::Cpu)?, train(&recipe, options.device)?);
        // A line has none.
        let accuracy = |row: &EpochRow| row.train.accuracy.unwrap_or(0.0);
        let near = (here.train.loss - there.train.loss).abs() <= tolerance * here.train.loss.abs()
            && (accuracy(&here) - accuracy(&there)).abs() <= ACCURACY;
        wrong += usize::from(!near);
        say!(
            "{id:<14} {:>12.6} {:>12.6} {:>9.4} {:>9.4} {slow:>8.1} {fast:>8.1}  {}",
            here.train.loss,
            there.train.loss,
            accuracy(&here),
            accuracy(&there),
            if near { "same" } else { "DIFFERENT" }
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
