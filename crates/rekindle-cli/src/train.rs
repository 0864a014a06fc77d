//! `rekindle train`: runs a recipe, shows what comes of it and keeps it in a directory.

use crate::Failure;
use crate::output::{Stdout, note, say, terminal};
use crate::signals::Signals;
use rekindle::nn::Parameters;
use rekindle::train::{
    EpochRow, Error, Flow, Observer, Progress, Recipe, RunDir, Table, Training, judge, pictures,
};
use std::io::{self, IsTerminal};
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
    /// Go on with a run that was stopped, or train it for more epochs in all
    #[arg(long, value_name = "RUN", conflicts_with_all = ["recipe", "seed", "batch_size", "output"])]
    resume: Option<PathBuf>,
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
    let (run, training) = begin(args)?;
    let signals = Signals::listen().map_err(|e| Failure::failed(format!("cannot listen to signals: {e}")))?;
    let mut training = watched(args, training).observer(signals.clone());
    let rows = training.fit()?;
    let trained = training.finish();
    run.save_net(&trained.net)?;
    let complete = rows.last().is_some_and(|row| row.epoch == trained.recipe.epochs);
    if let Some(code) = signals.exit_code().filter(|_| !complete) {
        let resume = format!("rekindle train --resume {}", run.path().display());
        return Err(Failure {
            message: format!("stopped by a signal; everything is kept; go on with `{resume}`"),
            code,
        });
    }
    let judged = judge(&trained.recipe, &trained.net, &trained.data)?;
    run.write("report.txt", judged.to_string().as_bytes())?;
    let drawn = pictures::draw(&run, &judged, &trained.net, &trained.data, &pictures::Choice::default())?;
    // The last one, because it says that the run is finished.
    run.write("report.json", format!("{}\n", judged.json()).as_bytes())?;
    if !args.json && !args.quiet {
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
        let seconds = rows.last().map_or(0.0, |row| row.seconds);
        let parameters = trained.net.num_parameters();
        let judged = judged.test().headline();
        say!("{judged}; {parameters} parameters, {seconds:.1} s; {}", run.path().display());
    }
    Ok(())
}

/// A new run, or one that goes on.
fn begin(args: &Args) -> Result<(RunDir, Training), Failure> {
    let epochs = args.epochs.map(|n| n as usize);
    if let Some(path) = &args.resume {
        let run = RunDir::open(path)?;
        let (training, resumed) = run.resume(epochs, args.data.as_deref())?;
        if let Some(warning) = &resumed.warning {
            note(format_args!("warning: {warning}; going on from the checkpoint before it"));
        }
        if !args.json && !args.quiet {
            print_head(training.recipe());
            let batches =
                if resumed.batch > 0 { format!(" and {} batches", resumed.batch) } else { String::new() };
            say!("going on after {} epochs{batches}\n", resumed.epoch);
        }
        return Ok((run, training));
    }
    let (recipe, name) = recipe(args)?;
    let training = Training::new(&recipe, None)?;
    let run = RunDir::create(args.output.as_deref(), &name)?;
    run.save_recipe(&training.recipe().with_folder_of(training.data()))?;
    if !args.json && !args.quiet {
        print_head(training.recipe());
        say!("");
    }
    let training = run.keep(training);
    Ok((run, training))
}

/// Whoever shows how the training goes. The bar comes first, because it makes room for the others.
fn watched(args: &Args, training: Training) -> Training {
    let bar = !args.json && !args.quiet && io::stderr().is_terminal();
    let training = if bar { training.observer(Progress::new(io::stderr())) } else { training };
    match (args.json, args.quiet) {
        (true, _) => training.observer(Lines),
        (_, true) => training,
        _ => training.observer(Table::new(Stdout)),
    }
}

/// A line of JSON for each reported epoch.
struct Lines;

impl Observer for Lines {
    fn epoch(&mut self, row: &EpochRow, _: &dyn Parameters) -> Result<Flow, Error> {
        if row.reported {
            say!("{}", row.json());
        }
        Ok(Flow::Continue)
    }
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
    say!("seed       {}, {} epochs, {batches}", recipe.seed, recipe.epochs);
}
