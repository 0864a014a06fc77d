//! `rekindle train`: runs a recipe, shows what comes of it and keeps it in a directory.

use crate::Failure;
use crate::output::{note, say, terminal};
use rekindle::nn::Parameters;
use rekindle::train::{EpochRow, Recipe, RunDir, Training, judge, pictures};
use std::path::PathBuf;

/// Train a net on a built-in data set or as a recipe says, judge it, draw it and keep it
#[derive(clap::Args)]
#[command(after_help = "Examples:
  rekindle train                                 circles, a few seconds; kept in runs/circles-001
  rekindle train spirals --show                  and curves and decision boundary in the terminal
  rekindle train mnist --epochs 3 --seed 1       handwritten digits, downloaded when they are not there
  rekindle train recipes/05wk-1-4A.toml          a recipe of your own or one of the lectures'
  rekindle train moons --json --output my-run    one JSON line per reported epoch; kept in my-run")]
pub struct Args {
    /// A built-in data set (see `rekindle datasets`) or a recipe in TOML
    #[arg(default_value = "circles", value_name = "NAME|RECIPE")]
    recipe: String,
    /// The folder of mnist/ and fashion-mnist/ [default: $REKINDLE_DATA, else a download]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Use another seed than the recipe's
    #[arg(long, allow_negative_numbers = true)]
    seed: Option<i64>,
    /// Train for another number of epochs
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// Samples in a mini-batch; they are shuffled if the recipe had full batches
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: Option<u32>,
    /// The run's directory, which must not exist yet [default: the next runs/NAME-001]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Show curves and decision boundary as text at the end
    #[arg(long, conflicts_with_all = ["json", "quiet"])]
    show: bool,
    /// Print one JSON object per reported epoch and nothing else
    #[arg(long)]
    json: bool,
    /// Print only the last line
    #[arg(long, conflicts_with = "json")]
    quiet: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let (recipe, name) = recipe(args)?;
    let mut training = Training::new(&recipe, None)?;
    let run = RunDir::create(args.output.as_deref(), &name)?;
    run.save_recipe(&recipe.with_folder_of(training.data()))?;
    let table = !args.json && !args.quiet;
    if table {
        print_head(&recipe);
    }
    let mut last = None;
    for row in training.epochs() {
        let row = row?;
        run.log(&row)?;
        if row.reported && args.json {
            say!("{}", row.json());
        } else if row.reported && table {
            print_row(&row, last.is_none());
        }
        last = Some(row);
    }
    let trained = training.finish();
    run.save_net(&trained.net)?;
    let judged = judge(&recipe, &trained.net, &trained.data)?;
    run.write("report.json", format!("{}\n", judged.json()).as_bytes())?;
    run.write("report.txt", judged.to_string().as_bytes())?;
    let drawn = pictures::draw(&run, &judged, &trained.net, &trained.data, &pictures::Choice::default())?;
    if table {
        say!("\n{}", judged.test());
        if args.show {
            say!("{}", pictures::text::of_run(&run, &trained.net, &trained.data, &terminal())?);
        }
        say!("{}", pictures::listed(&run, &drawn));
    }
    if args.json {
        // Beside the lines of JSON, which hold epochs and nothing else.
        note(format_args!("run {}", run.path().display()));
    } else {
        let seconds = last.map_or(0.0, |row| row.seconds);
        let parameters = trained.net.num_parameters();
        let judged = judged.test().headline();
        say!("{judged}; {parameters} parameters, {seconds:.1} s; {}", run.path().display());
    }
    Ok(())
}

/// The recipe with what the flags change, and what its runs are called.
fn recipe(args: &Args) -> Result<(Recipe, String), Failure> {
    let (mut recipe, name) = Recipe::find(&args.recipe)?;
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    recipe.epochs = args.epochs.map_or(recipe.epochs, |n| n as usize);
    if let Some(n) = args.batch_size {
        recipe.shuffle |= recipe.batch_size.is_none();
        recipe.batch_size = Some(n as usize);
    }
    if let Some(folder) = &args.data {
        recipe.set_folder(folder)?;
    }
    Ok((recipe, name))
}

fn print_head(recipe: &Recipe) {
    say!("{}", recipe.name);
    say!("net        {}", recipe.net.join(", "));
    say!("loss       {}", recipe.loss);
    say!("optimizer  {}", recipe.optimizer);
    let batches = match (recipe.batch_size, recipe.shuffle) {
        (None, _) => "full batches".to_string(),
        (Some(n), false) => format!("batches of {n} in order"),
        (Some(n), true) => format!("batches of {n}, shuffled"),
    };
    say!("seed       {}, {} epochs, {batches}\n", recipe.seed, recipe.epochs);
}

/// A line of the table, under its head if it is the first.
fn print_row(row: &EpochRow, first: bool) {
    let fields: Vec<_> = row.fields().filter(|(name, _)| !["step", "lr"].contains(name)).collect();
    if first {
        say!("{}", fields.iter().map(|(name, _)| format!("{name:>10} ")).collect::<String>().trim_end());
    }
    let cell = |(name, value): &(&str, f64)| match *name {
        "epoch" => format!("{value:>10} "),
        "time" => format!("{value:>9.1}s "),
        name if name.ends_with("acc") => format!("{value:>10.4} "),
        _ => format!("{value:>10.5} "),
    };
    say!("{}", fields.iter().map(cell).collect::<String>().trim_end());
}
