//! `rekindle plot`: draws the pictures of a run into its directory.

use crate::Failure;
use crate::output::{say, terminal};
use rekindle::train::pictures::{self, Choice, Format};
use rekindle::train::{Model, RunDir, Weights, judge};
use std::path::PathBuf;

/// Draw the pictures of a run into its plots/
#[derive(clap::Args)]
#[command(after_help = "Examples:
  rekindle plot runs/circles-001                            every picture that its data allows
  rekindle plot runs/mnist-001 --what confusion,images      only these
  rekindle plot runs/circles-001 --format svg               for print and for the web
  rekindle plot runs/circles-001 --show                     curves and boundary as text, no files

Pictures: curves, learning-rate, data, boundary, surface, predictions, images, worst, confusion, roc,
  precision-recall, reliability, weights")]
pub struct Args {
    /// The directory of a run, such as runs/circles-001
    run: PathBuf,
    /// Which pictures [default: all that the data allows]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = pictures::NAMES, hide_possible_values = true)]
    what: Vec<String>,
    /// The format of the files
    #[arg(long, value_enum, default_value = "png")]
    format: Suffix,
    /// The file or folder of the data, if it has moved [default: that of the run]
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Show curves and decision boundary as text instead of writing files
    #[arg(long, conflicts_with_all = ["what", "format"])]
    show: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Suffix {
    Png,
    Svg,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let run = RunDir::open(&args.run)?;
    let model = run.model(Weights::Final)?;
    let Model { recipe, net, .. } = &model;
    let data = model.data(args.data.as_deref())?;
    if args.show {
        say!("{}", pictures::text::of_run(&run, net, &data, &terminal())?);
        return Ok(());
    }
    let format = match args.format {
        Suffix::Png => Format::Png,
        Suffix::Svg => Format::Svg,
    };
    let judged = judge(recipe, net, &data)?;
    let choice = Choice { names: args.what.clone(), format };
    let drawn = pictures::draw(&run, &judged, net, &data, &choice)?;
    say!("{}", pictures::listed(&run, &drawn));
    Ok(())
}
