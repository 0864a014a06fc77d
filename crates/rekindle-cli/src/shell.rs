//! `rekindle completions` and `rekindle man`: what a shell and `man` read.

use crate::Failure;
use crate::output::Stdout;
use clap::Command;
use std::io::Write;
use std::path::PathBuf;

/// Print the completions of a shell
#[derive(clap::Args)]
#[command(after_help = "Examples:
  rekindle completions bash > ~/.local/share/bash-completion/completions/rekindle
  rekindle completions fish > ~/.config/fish/completions/rekindle.fish
  rekindle completions zsh > \"${fpath[1]}/_rekindle\"")]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

/// Write the man pages into a folder: rekindle.1 and one for each command
#[derive(clap::Args)]
#[command(after_help = "Examples:
  rekindle man ~/.local/share/man/man1        then: man rekindle-train")]
pub struct Man {
    /// The folder, which is made if it is not there
    folder: PathBuf,
}

/// Runs `completions`.
pub fn completions(args: &Completions, mut command: Command) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, "rekindle", &mut text);
    Stdout.write_all(&text).expect("it takes everything");
    Ok(())
}

/// Runs `man`.
pub fn man(args: &Man, command: Command) -> Result<(), Failure> {
    let write = || {
        std::fs::create_dir_all(&args.folder)?;
        clap_mangen::generate_to(command, &args.folder)
    };
    write().map_err(|e| Failure::failed(format!("{}: cannot write: {e}", args.folder.display())))
}
