//! Project tasks, run with `cargo xtask NAME ARGS...`.

mod bench;
mod golden;
mod gpu;
mod interchange;
mod lectures;

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Prints a line to standard output. A reader that has gone away (`cargo xtask lectures | head -1`) ends the task
/// quietly; if the line cannot be written for another reason, it ends with exit code 1 and the cause.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::line(format_args!($($text)*))
    };
}
use say;

/// A task: its name, its arguments as shown to people, and what it runs. Add a line to add a task.
type Task = (&'static str, &'static str, fn(Vec<String>) -> ExitCode);

const TASKS: &[Task] = &[
    ("golden", "[--data DIR] [--only TEXT] DIR...", golden::main),
    ("lectures", "[--data DIR] [--full] [IDS...]", lectures::main),
    ("interchange", "[--python PYTHON] [--data DIR]", interchange::main),
    ("gpu", "[--device gpu:N] [--quick] [--vs-torch PYTHON] [--data DIR]", gpu::main),
    ("bench", "[W...] [--json] [--vs-torch PYTHON] [--threads N] [--rounds N] [--data DIR]", bench::main),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (name, rest) = args.split_first().map_or(("", &[][..]), |(name, rest)| (name.as_str(), rest));
    let is_help = |text: &str| text == "--help" || text == "-h";
    match TASKS.iter().find(|task| task.0 == name) {
        Some(task) if rest.iter().any(|arg| is_help(arg)) => help(std::slice::from_ref(task)),
        Some((_, _, run)) => run(rest.to_vec()),
        None if is_help(name) => help(TASKS),
        None => {
            eprintln!("xtask: there is no task {name:?}; cargo xtask --help lists them");
            ExitCode::from(2)
        }
    }
}

fn help(tasks: &[Task]) -> ExitCode {
    tasks.iter().for_each(|(name, args, _)| say!("cargo xtask {name} {args}"));
    ExitCode::SUCCESS
}

fn line(text: std::fmt::Arguments<'_>) {
    if let Err(e) = writeln!(std::io::stdout(), "{text}") {
        if e.kind() == ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        eprintln!("xtask: cannot write the output: {e}");
        std::process::exit(1);
    }
}

/// The folder of MNIST and Fashion-MNIST: the one that was named, else `REKINDLE_DATA`, else `../shared/data`.
fn data_dir(named: Option<PathBuf>) -> PathBuf {
    let from_env = || std::env::var_os("REKINDLE_DATA").filter(|v| !v.is_empty()).map(PathBuf::from);
    named.or_else(from_env).unwrap_or_else(|| "../shared/data".into())
}
