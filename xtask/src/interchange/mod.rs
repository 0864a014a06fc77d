//! `cargo xtask interchange [--python PYTHON] [--data DIR]`: are our files right for others, and theirs for us?
//!
//! Every layer, a CNN that a recipe trained, tables and arrays become ONNX files, which ONNX's checker takes and onnxruntime runs with
//! our answers, at batches of 1, 2 and 7. Weights go to PyTorch and come back. `tests/interchange/check.py` is the half in Python; what it
//! needs is in `requirements.txt` beside it. Where a package is missing, this fails.

mod cases;
mod torch;

use crate::{data_dir, say};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What everybody's numbers may differ by, relative to numbers above 1.
const TOLERANCE: f64 = 1e-5;

pub fn main(args: Vec<String>) -> ExitCode {
    let (mut python, mut data) = ("python3".to_string(), None);
    let mut args = args.into_iter();
    while let Some(flag) = args.next() {
        match (flag.as_str(), args.next()) {
            ("--python", Some(program)) => python = program,
            ("--data", Some(folder)) => data = Some(PathBuf::from(folder)),
            _ => {
                eprintln!("interchange: {flag}: expected --python PYTHON or --data DIR");
                return ExitCode::from(2);
            }
        }
    }
    match check(&python, &data_dir(data)) {
        Ok(()) => {
            say!("interchange: all right");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("interchange: {why}");
            ExitCode::FAILURE
        }
    }
}

fn check(python: &str, data: &Path) -> Result<(), String> {
    // A relative path would be looked for in the folders that Python is run in.
    let python =
        if python.contains('/') { std::path::absolute(python).map_err(text)? } else { python.into() };
    let folder = std::env::temp_dir().join(format!("rekindle-interchange-{}", std::process::id()));
    let (onnx, torch) = (folder.join("onnx"), folder.join("torch"));
    [&onnx, &torch].into_iter().try_for_each(std::fs::create_dir_all).map_err(text)?;
    let run = cases::write(&onnx, data)?;
    let nets = torch::write(&torch, &run)?;
    let checked = ask(&python, "onnx", &onnx).and_then(|()| ask(&python, "torch", &torch));
    let back = checked.and_then(|()| torch::read(&torch, &nets, &run, &python));
    match &back {
        Ok(()) => std::fs::remove_dir_all(&folder).map_err(text)?,
        Err(_) => eprintln!("interchange: the files are in {}", folder.display()),
    }
    back
}

/// Runs the half in Python over a folder of cases.
fn ask(python: &Path, what: &str, folder: &Path) -> Result<(), String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/interchange/check.py");
    let run = Command::new(python).args([script, what]).arg(folder).status();
    let status =
        run.map_err(|e| format!("cannot run {}: {e}; name another with --python", python.display()))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(3) => Err("NOT CHECKED: Python lacks a package".into()),
        _ => Err(format!("{what}: not as ours")),
    }
}

fn text(e: impl std::fmt::Display) -> String {
    e.to_string()
}
