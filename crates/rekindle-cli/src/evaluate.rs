//! `rekindle evaluate`: judges the model of a run on its data, from the run's directory alone.

use crate::Failure;
use crate::output::say;
use rekindle::train::{RunDir, Weights, judge};
use std::path::PathBuf;

/// Judge the model of a run on its training, validation and test data
#[derive(clap::Args)]
#[command(after_help = "Examples:
  rekindle evaluate runs/circles-001             a report for each part of the data
  rekindle evaluate runs/mnist-001 --json        one JSON object: {\"train\": .., \"validation\": .., \"test\": ..}")]
pub struct Args {
    /// The directory of a run, such as runs/circles-001
    run: PathBuf,
    /// The folder of mnist/ and fashion-mnist/ [default: that of the run]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let run = RunDir::open(&args.run)?;
    let model = run.model(Weights::Final)?;
    let data = model.data(args.data.as_deref())?;
    let judged = judge(&model.recipe, &model.net, &data)?;
    if args.json {
        say!("{}", judged.json());
    } else {
        say!("{}", judged.to_string().trim_end());
    }
    Ok(())
}
