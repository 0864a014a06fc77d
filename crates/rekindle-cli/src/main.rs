//! The `rekindle` program: one file per command.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage, 4 the numbers stopped being finite, 130 and 143 stopped by Ctrl-C and SIGTERM.

mod check;
mod datasets;
mod devices;
mod evaluate;
mod export;
mod init;
mod inspect;
mod output;
mod plot;
mod predict;
mod replace;
mod serve;
mod shell;
mod signals;
mod train;
mod weights;

use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

/// Train and judge neural-network classifiers, with PyTorch's words and PyTorch's numbers.
#[derive(Parser)]
#[command(name = "rekindle", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Threads; they change no result [default: $REKINDLE_NUM_THREADS, else all]
    #[arg(long, global = true, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

/// The commands; each is one file.
#[derive(Subcommand)]
enum Command {
    Init(init::Args),
    Check(check::Args),
    Train(train::Args),
    Evaluate(evaluate::Args),
    Predict(predict::Args),
    Serve(serve::Args),
    Export(export::Args),
    Inspect(inspect::Args),
    Plot(plot::Args),
    Datasets(datasets::Args),
    Devices(devices::Args),
    Completions(shell::Completions),
    Man(shell::Man),
}

fn main() -> ExitCode {
    signals::survive_limits();
    let cli = Cli::parse();
    if let Some(n) = cli.threads {
        rekindle::set_num_threads(n.into());
    }
    let result = match cli.command {
        Command::Init(args) => init::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Plot(args) => plot::run(&args),
        Command::Datasets(args) => datasets::run(&args),
        Command::Devices(args) => devices::run(&args),
        Command::Completions(args) => shell::completions(&args, Cli::command()),
        Command::Man(args) => shell::man(&args, Cli::command()),
    };
    match result {
        Ok(()) => {
            output::finish();
            ExitCode::SUCCESS
        }
        Err(failure) => {
            output::complain(failure.message);
            ExitCode::from(failure.code)
        }
    }
}

/// Why a command failed, and the exit code that says so.
struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    fn failed(message: String) -> Failure {
        Failure { message, code: 1 }
    }

    fn data(e: rekindle::data::Error) -> Failure {
        Failure::failed(e.to_string())
    }
}

impl From<rekindle::train::Error> for Failure {
    fn from(e: rekindle::train::Error) -> Self {
        let code = if matches!(e, rekindle::train::Error::NotFinite { .. }) { 4 } else { 1 };
        Failure { message: e.to_string(), code }
    }
}
