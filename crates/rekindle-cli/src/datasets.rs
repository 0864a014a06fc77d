//! `rekindle datasets`: the built-in data sets, and a look into one.

use crate::Failure;
use crate::output::{say, terminal};
use rekindle::Tensor;
use rekindle::train::pictures;
use rekindle::train::{Data, Part, Recipe, SETS, Source, load};
use std::path::PathBuf;

/// List the built-in data sets, or look into one
#[derive(clap::Args)]
#[command(after_help = "Examples:
  rekindle datasets                                   names, sizes and what there is to learn
  rekindle datasets show moons                        shapes, classes, first rows and a picture
  rekindle datasets show mnist --output digits.png    the same, and the picture as a file")]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Shapes, classes, counts, first rows and a picture of a data set
    Show(Show),
}

#[derive(clap::Args)]
struct Show {
    /// A built-in data set, such as moons, or a recipe in TOML
    #[arg(value_name = "NAME|RECIPE")]
    name: String,
    /// The folder of mnist/ and fashion-mnist/ [default: $REKINDLE_DATA, else a download]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Draw the picture into this file (.png or .svg), too
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        None => list(),
        Some(Command::Show(args)) => look_into(args),
    }
}

fn list() -> Result<(), Failure> {
    say!("{:<15} {:>7} {:>11} {:>7}  {:<10}  about", "name", "train", "validation", "test", "task");
    for set in SETS {
        let [train, validation, test] = set.sizes()?.map(thousands);
        say!("{:<15} {train:>7} {validation:>11} {test:>7}  {:<10}  {}", set.name, set.task, set.about);
    }
    say!("\n`rekindle datasets show NAME` looks into one, `rekindle train NAME` learns it.");
    Ok(())
}

fn thousands(n: usize) -> String {
    if n < 1000 { n.to_string() } else { format!("{},{:03}", n / 1000, n % 1000) }
}

fn look_into(args: &Show) -> Result<(), Failure> {
    let suffix = args.output.as_ref().map(|file| file.extension().and_then(|e| e.to_str()));
    if suffix.is_some_and(|suffix| !matches!(suffix, Some("png" | "svg"))) {
        return Err(Failure::failed("--output: a picture is a .png or a .svg; name the file so".into()));
    }
    let (mut recipe, _) = Recipe::find(&args.name)?;
    if let Some(folder) = &args.data {
        recipe.data.locate(folder).map_err(|e| Failure::failed(format!("--data: {e}")))?;
    }
    let data = load(&recipe, None)?;
    say!("{}", recipe.data.about());
    for (name, part) in data.parts() {
        let shape = [vec![part.len()], part.sample_shape()].concat();
        say!(
            "{name:<11} x {shape:?} {}, y {:?} {}",
            part.first(1).x().dtype(),
            part.y.shape(),
            part.y.dtype()
        );
    }
    counts(&data);
    let (x, y) = match &recipe.data {
        Source::Set(set) => set.as_they_come(None)?,
        _ => {
            let first = data.train.first(5);
            (first.x(), first.y)
        }
    };
    say!("\nfirst rows, before they are split");
    for i in 0..x.size(0).min(5) {
        say!("  {}", row(&x.select(0, i as isize), &y.select(0, i as isize)));
    }
    match pictures::text::of_data(&data, &terminal()).trim_end() {
        "" => say!("\nso many columns make no picture of text; --output FILE draws them"),
        text => say!("\n{text}"),
    }
    if let Some(file) = &args.output {
        pictures::of_data(&data)
            .save(file)
            .map_err(|e| Failure::failed(format!("{}: cannot write: {e}", file.display())))?;
        say!("\npicture {}", file.display());
    }
    Ok(())
}

/// How many samples of each class each part has.
fn counts(data: &Data) {
    if data.classes.is_empty() {
        let y = &data.train.y;
        say!("\ntargets from {:.4} to {:.4}", y.min().item::<f64>(), y.max().item::<f64>());
        return;
    }
    let width = data.classes.iter().map(|c| c.chars().count()).max().unwrap_or(0).max(5);
    let head: String = data.parts().map(|(name, _)| format!(" {name:>11}")).collect();
    say!("\n{:<width$}{head}", "class");
    for (i, class) in data.classes.iter().enumerate() {
        let cells: String = data.parts().map(|(_, part)| format!(" {:>11}", of_class(part, i))).collect();
        say!("{class:<width$}{cells}");
    }
}

/// Samples of a class, whether labels are numbers, zeros and ones, or one column for each.
fn of_class(part: &Part, class: usize) -> i64 {
    let y = &part.y;
    let is = match y.shape() {
        [_] | [_, 1] => y.eq(class as i64),
        _ => y.select(1, class as isize).eq(1),
    };
    is.sum().item::<i64>()
}

/// The first numbers of a sample and its label; of an image what its pixels are like.
fn row(x: &Tensor, y: &Tensor) -> String {
    const MOST: usize = 5;
    let numbers = |t: &Tensor| t.to(rekindle::DType::F64).to_vec::<f64>();
    // F32 has its own shortest decimals.
    let label: Vec<String> = match y.dtype() {
        rekindle::DType::F32 => y.to_vec::<f32>().iter().map(f32::to_string).collect(),
        _ => numbers(y).iter().map(f64::to_string).collect(),
    };
    let label = label.join(" ");
    if let [channels, rows, columns] = x.shape() {
        let mean = x.mean().item::<f64>();
        let (low, high) = (x.min().item::<f64>(), x.max().item::<f64>());
        return format!(
            "{channels} x {rows} x {columns} pixels from {low} to {high}, mean {mean:.4}  ->  {label}"
        );
    }
    let all = numbers(x);
    let some: Vec<String> = all.iter().take(MOST).map(|v| format!("{v:>11.8}")).collect();
    let rest = if all.len() > MOST { format!(" .. ({} numbers)", all.len()) } else { String::new() };
    format!("[{}{rest}]  ->  {label}", some.join(" "))
}
