//! `rekindle init`: drafts a recipe for a file of one's own.

use crate::Failure;
use crate::output::{note, say};
use rekindle::train::draft;
use std::io::ErrorKind;
use std::path::PathBuf;

/// Draft a recipe for a table, a folder of images or a file of arrays; guesses are comments in it
#[derive(clap::Args)]
#[command(after_help = "Examples:
  rekindle init iris.csv --label species > iris.toml     a table; then: rekindle train iris.toml
  rekindle init films.csv --label genres                 several labels in a column, such as drama|comedy
  rekindle init houses.csv --label price                 a column of numbers: regression
  rekindle init photos/ --output photos.toml             images, a folder for each class")]
pub struct Args {
    /// The file or folder
    file: PathBuf,
    /// The column to be learned, or several [default: one that is called so, or the last]
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    label: Vec<String>,
    /// Write the recipe into this file, which must not exist yet, instead of printing it
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let draft = draft(&args.file, &args.label)?;
    draft.remarks.iter().for_each(|remark| note(format_args!("remark: {remark}")));
    let Some(path) = &args.output else {
        say!("{}", draft.text.trim_end());
        return Ok(());
    };
    let write = || {
        let mut file = std::fs::File::create_new(path)?;
        std::io::Write::write_all(&mut file, draft.text.as_bytes())
    };
    write().map_err(|e| {
        let file = path.display();
        Failure::failed(match e.kind() {
            ErrorKind::AlreadyExists => format!("{file}: exists already; choose another name"),
            _ => format!("{file}: cannot write: {e}"),
        })
    })?;
    note(format_args!("wrote {0}; train it with `rekindle train {0}`", path.display()));
    Ok(())
}
