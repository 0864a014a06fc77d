//! `rekindle predict`: asks the model of a run about new samples.

mod write;

use crate::Failure;
use crate::devices;
use crate::replace::may_replace;
use crate::weights;
use rekindle::data::images::ImageFolder;
use rekindle::data::table::{CsvOptions, Table, TableReader};
use rekindle::train::{Input, Model, RunDir, Source};
use std::io;
use std::path::{Path, PathBuf};
use write::{Format, Writer};

/// Rows that are asked about at once.
const PIECE: usize = 4096;
/// Images that are asked about at once.
const IMAGES: usize = 256;

/// Ask the model of a run about new samples
#[derive(clap::Args)]
#[command(after_help = "Examples:
  rekindle predict runs/iris-001 new.csv                       CSV on standard output, a row for each row
  rekindle predict runs/iris-001 new.csv --output answers.csv  into a file (.csv, .parquet, .jsonl)
  cat new.csv | rekindle predict runs/iris-001 - | head -3     from standard input
  rekindle predict runs/iris-001 new.csv --keep                the columns of the input, too
  rekindle predict runs/iris-001 new.csv --weights best        the weights of the best epoch
  rekindle predict runs/photos-001 new-photos/                 a folder of images, or one; a column says which

The columns are `predicted` and `probability_CLASS` for each class; of a regression `predicted`.")]
pub struct Args {
    /// The directory of a run, such as runs/iris-001
    run: PathBuf,
    /// A table with the columns of the training data, - for standard input, images, or arrays
    file: PathBuf,
    /// Write into this file, which is replaced, instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The format of the answers [default: that of --output's name, else csv]
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    weights: weights::Which,
    #[command(flatten)]
    place: devices::Choice,
    /// Give the columns of the input, too, before the answers
    #[arg(long)]
    keep: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let device = args.place.device()?;
    let model = args.weights.model(&RunDir::open(&args.run)?)?.on(device)?;
    args.output.iter().try_for_each(|file| may_replace(file, &args.file))?;
    let format = Format::choose(args.format, args.output.as_deref())?;
    let mut writer = Writer::new(format, args.output.as_deref())?;
    let result = match model.signature.as_ref().map(|signature| &signature.input) {
        Some(Input::Images(_)) => images(args, &model, &mut writer),
        Some(_) if Model::is_arrays(&args.file) => arrays(args, &model, &mut writer),
        _ => rows(args, &model, &mut writer),
    };
    // Half an answer is none.
    if result.is_ok() { writer.finish() } else { result }
}

fn rows(args: &Args, model: &Model, writer: &mut Writer) -> Result<(), Failure> {
    let mut reader = open(&args.file, model)?;
    let mut none = true;
    while let Some(table) = reader.read_rows(PIECE).map_err(Failure::data)? {
        let prediction = model.ask(&model.rows(&table)?)?;
        writer.write(args.keep.then_some(&table), &prediction)?;
        none = false;
    }
    if none { Err(Failure::data(reader.no_rows())) } else { Ok(()) }
}

/// A row for each sample of an array.
fn arrays(args: &Args, model: &Model, writer: &mut Writer) -> Result<(), Failure> {
    let x = model.arrays(&args.file)?;
    let n = x.size(0);
    for start in (0..n).step_by(PIECE) {
        writer.write(None, &model.ask(&x.narrow(0, start, PIECE.min(n - start)))?)?;
    }
    Ok(())
}

/// A row for each image, behind its file.
fn images(args: &Args, model: &Model, writer: &mut Writer) -> Result<(), Failure> {
    let folder = ImageFolder::flat(&args.file).map_err(Failure::data)?;
    for files in folder.pieces(IMAGES) {
        let names: Vec<[String; 1]> = files.files().iter().map(|path| [path.display().to_string()]).collect();
        let table = Table::new("images", &["file"], names).map_err(Failure::data)?;
        writer.write(Some(&table), &model.ask(&model.images(&files)?)?)?;
    }
    Ok(())
}

/// A table, read as the training data was.
fn open(file: &Path, model: &Model) -> Result<TableReader, Failure> {
    let options = match &model.recipe.data {
        Source::Table(source) => source.options(),
        _ => CsvOptions::default(),
    };
    let reader = match file == Path::new("-") {
        true => TableReader::from_reader(io::stdin(), "standard input", &options),
        false => TableReader::open(file, &options),
    };
    reader.map_err(Failure::data)
}
