//! Project tasks, run with `cargo xtask NAME ARGS...`.

mod bench;
mod golden;
mod lectures;

use std::path::PathBuf;
use std::process::ExitCode;

/// A task: its name, its arguments as shown to people, and what it runs. Add a line to add a task.
type Task = (&'static str, &'static str, fn(Vec<String>) -> ExitCode);

const TASKS: &[Task] = &[
    ("golden", "[--data DIR] [--only TEXT] DIR...", golden::main),
    ("lectures", "[--data DIR] [IDS...]", lectures::main),
    ("bench", "[W...] [--json] [--vs-torch PYTHON] [--threads N] [--rounds N] [--data DIR]", bench::main),
];

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_default();
    match TASKS.iter().find(|task| task.0 == name) {
        Some((_, _, run)) => run(args.collect()),
        None => {
            eprintln!("usage:");
            TASKS.iter().for_each(|(name, args, _)| eprintln!("  cargo xtask {name} {args}"));
            ExitCode::from(2)
        }
    }
}

/// The folder of MNIST and Fashion-MNIST: the one that was named, else `REKINDLE_DATA`, else `../shared/data`.
fn data_dir(named: Option<PathBuf>) -> PathBuf {
    let from_env = || std::env::var_os("REKINDLE_DATA").filter(|v| !v.is_empty()).map(PathBuf::from);
    named.or_else(from_env).unwrap_or_else(|| "../shared/data".into())
}
