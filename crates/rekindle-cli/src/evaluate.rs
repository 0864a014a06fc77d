//! `rekindle evaluate`: judges the model of a run on its data, from the run's directory alone.

use crate::Failure;
use crate::devices;
use crate::output::{note, say};
use crate::weights;
use rekindle::train::{RunDir, judge};
use std::path::PathBuf;

/// Judge the model of a run on its training, validation and test data
#[derive(clap::Args)]
#[command(after_help = "Examples:
  rekindle evaluate runs/circles-001             a report for each part of the data
  rekindle evaluate runs/iris-001 --data new.csv     how good it is on other rows, whose labels are known
  rekindle evaluate runs/mnist-001 --json        one JSON object: {\"train\": .., \"validation\": .., \"test\": ..}")]
pub struct Args {
    /// The directory of a run, such as runs/circles-001
    run: PathBuf,
    /// Another file or folder, all of which tests; for image sets the folder of mnist/
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    #[command(flatten)]
    weights: weights::Which,
    #[command(flatten)]
    place: devices::Choice,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let run = RunDir::open(&args.run)?;
    let device = args.place.device()?;
    let model = args.weights.model(&run)?.on(device)?;
    let data = match &args.data {
        Some(path) => model.data_of(path)?,
        None => model.data(None)?,
    };
    if args.data.is_none() && !run.was_trained_on(&data) {
        note(format_args!(
            "warning: the data is not what the model was trained on; bring the files back as they were, or judge others with --data"
        ));
    }
    let judged = judge(&model.recipe, &model.net, &data)?;
    if args.json {
        say!("{}", judged.json());
    } else {
        say!("{}", judged.to_string().trim_end());
    }
    Ok(())
}
