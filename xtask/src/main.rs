//! Project tasks, run with `cargo xtask NAME ARGS...`.

mod golden;

use std::process::ExitCode;

/// A task: its name, its arguments as shown to people, and what it runs. Add a line to add a task.
type Task = (&'static str, &'static str, fn(Vec<String>) -> ExitCode);

const TASKS: &[Task] = &[("golden", "[--data DIR] [--only TEXT] DIR...", golden::main)];

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
