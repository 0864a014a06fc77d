//! `rekindle train`: runs a recipe, shows what comes of it and keeps it in a directory.

use crate::Failure;
use crate::devices;
use crate::output::{Stdout, note, say, terminal};
use crate::signals::Signals;
use rekindle::Device;
use rekindle::nn::Parameters;
use rekindle::train::{
    EpochRow, Error, Flow, Observer, Progress, Recipe, RunDir, Table, Training, judge, pictures,
};
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Instant;

pub(crate) mod changes;
mod find_lr;

use changes::Changes;

/// Train a net on a built-in data set or as a recipe says, judge it, draw it and keep it
#[derive(clap::Args)]
#[command(after_help = "Examples:
  rekindle train                                 circles, a few seconds; kept in runs/circles-001
  rekindle train spirals --show                  and curves and decision boundary in the terminal
  rekindle train mnist --epochs 3 --seed 1       handwritten digits, downloaded when they are not there
  rekindle train iris.toml --set epochs=50       a recipe of your own (see `rekindle init`), changed
  rekindle train --resume runs/iris-001          go on where it was stopped
  rekindle train --resume runs/iris-001 --epochs 80    and for 80 epochs in all
  rekindle train moons --find-lr                 which learning rate to begin with
  rekindle train moons --json --output my-run    one JSON line per reported epoch; kept in my-run")]
pub struct Args {
    /// A built-in data set (see `rekindle datasets`) or a recipe in TOML
    #[arg(default_value = "circles", value_name = "NAME|RECIPE")]
    recipe: String,
    /// The recipe, as a flag
    #[arg(long, value_name = "RECIPE", conflicts_with_all = ["recipe", "resume"])]
    config: Option<String>,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    place: devices::Choice,
    /// Go on with a run that was stopped, or train it for more epochs in all
    #[arg(long, value_name = "RUN",
        conflicts_with_all = ["recipe", "output", "seed", "batch_size", "lr", "max_time", "set"])]
    resume: Option<PathBuf>,
    /// The run's directory, which must not exist [default: the next runs/NAME-001]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Do everything once on a few batches of each part, keep nothing
    #[arg(long, value_name = "BATCHES", num_args = 0..=1, default_missing_value = "3", require_equals = true,
        value_parser = clap::value_parser!(u32).range(1..), conflicts_with_all = ["resume", "output"])]
    fast_dev_run: Option<u32>,
    /// Learn the first so many batches by heart, to see whether the net can
    #[arg(long, value_name = "BATCHES", value_parser = clap::value_parser!(u32).range(1..),
        conflicts_with_all = ["resume", "fast_dev_run"])]
    overfit_batches: Option<u32>,
    /// Try learning rates from 1e-7 to 10 instead of training, and draw the losses
    #[arg(long, value_name = "FILE.png", num_args = 0..=1, require_equals = true,
        conflicts_with_all = ["resume", "output", "fast_dev_run", "overfit_batches"])]
    find_lr: Option<Option<PathBuf>>,
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
    if let Some(picture) = &args.find_lr {
        let training = Training::new(&recipe(args)?.0, None)?.on(args.place.device()?)?;
        return find_lr::run(training, picture.as_deref(), args.json);
    }
    let begun = begin(args)?;
    let path = begun.run.path().to_path_buf();
    let result = train(args, begun);
    if args.fast_dev_run.is_some() {
        // Nothing of it is worth keeping, well or not.
        _ = std::fs::remove_dir_all(path);
        result?;
        let works = "a fast dev run: everything works, and nothing is kept";
        if args.json {
            note(format_args!("{works}"))
        } else {
            say!("{works}")
        }
        return Ok(());
    }
    result
}

/// A run that is about to train.
struct Begun {
    run: RunDir,
    training: Training,
    /// Epochs that were done before.
    done: usize,
}

fn train(args: &Args, Begun { run, training, done }: Begun) -> Result<(), Failure> {
    let (run, kept, start) = (&run, args.fast_dev_run.is_none(), Instant::now());
    let signals = Signals::listen().map_err(|e| Failure::failed(format!("cannot listen to signals: {e}")))?;
    let mut training = watched(args, training).observer(signals.clone());
    let rows = training.fit()?;
    let trained = training.finish();
    run.save_model(&trained)?;
    let complete = rows.last().is_some_and(|row| row.epoch == trained.recipe.epochs);
    if let Some(code) = signals.exit_code().filter(|_| !complete) {
        let device = match args.place.device()? {
            Device::Cpu => String::new(),
            device => format!(" --device {device}"),
        };
        let resume = format!("rekindle train --resume {}{device}", run.path().display());
        let message = match kept {
            true => format!("stopped by a signal; everything is kept; go on with `{resume}`"),
            false => "stopped by a signal".into(),
        };
        return Err(Failure { message, code });
    }
    // A run that was killed after its last epoch is only judged.
    if !args.json && !args.quiet && !complete && done < trained.recipe.epochs {
        say!("{}", why_it_ended(&rows, done, start.elapsed().as_secs_f64(), &trained.recipe));
    }
    let judged = judge(&trained.recipe, &trained.net, &trained.data)?;
    let drawn = pictures::draw(run, &judged, &trained.net, &trained.data, &pictures::Choice::default())?;
    // The last ones, because they say that the run is finished.
    run.save_reports(&trained, &judged)?;
    if !args.json && !args.quiet {
        say!("\n{}", judged.test());
        if args.show {
            say!("{}", pictures::text::of_run(run, &trained.net, &trained.data, &terminal())?);
        }
        if kept {
            say!("{}", pictures::listed(run, &drawn));
        }
    }
    if args.json && kept {
        // Beside the lines of JSON, which hold epochs and nothing else.
        note(format_args!("run {}", run.path().display()));
    } else if !args.json {
        let seconds = rows.last().map_or(0.0, |row| row.seconds);
        let parameters = trained.net.num_parameters();
        let judged = judged.test().headline();
        let place = if kept { format!("; {}", run.path().display()) } else { String::new() };
        say!("{judged}; {parameters} parameters, {seconds:.1} s{place}");
    }
    Ok(())
}

/// Why there are fewer epochs than the recipe allows.
fn why_it_ended(rows: &[EpochRow], done: usize, seconds: f64, recipe: &Recipe) -> String {
    let last = rows.last().map_or(done, |row| row.epoch);
    let ended = format!("ended after {last} of {} epochs", recipe.epochs);
    match (recipe.max_time, &recipe.early_stopping) {
        (Some(most), _) if seconds >= most => format!("{ended}: max_time has passed"),
        (_, Some(s)) if s.patience > 0 => format!(
            "{ended}: the last {} were no better than those before; early_stopping.patience says how many may be",
            s.patience
        ),
        _ => ended,
    }
}

/// A new run, or one that goes on.
fn begin(args: &Args) -> Result<Begun, Failure> {
    let device = args.place.device()?;
    let epochs = args.changes.epochs.map(|n| n as usize);
    if let Some(path) = &args.resume {
        let mut run = RunDir::open(path)?;
        let (training, resumed) = run.resume(epochs, args.changes.data.as_deref())?;
        let training = training.on(device)?;
        if let Some(warning) = &resumed.warning {
            note(format_args!("warning: {warning}; going on from the checkpoint before it"));
        }
        if !args.json && !args.quiet {
            print_head(training.recipe(), device);
            let batches =
                if resumed.batch > 0 { format!(" and {} batches", resumed.batch) } else { String::new() };
            say!("going on after {} epochs{batches}\n", resumed.epoch);
        }
        return Ok(Begun { run, training, done: resumed.epoch });
    }
    let (recipe, name) = recipe(args)?;
    let mut training = Training::new(&recipe, None)?.on(device)?;
    let mut output = args.output.clone();
    if let Some(batches) = args.fast_dev_run {
        training = training.fast_dev_run(batches as usize);
        output = Some(std::env::temp_dir().join(format!("rekindle-fast-dev-run-{}", std::process::id())));
    }
    let run = RunDir::create(output.as_deref(), &name)?;
    run.save_recipe(training.recipe())?;
    if !args.json && !args.quiet {
        print_head(training.recipe(), device);
        training.data().remarks.iter().for_each(|remark| say!("remark: {remark}"));
        say!("");
    }
    let training = run.keep(training);
    Ok(Begun { run, training, done: 0 })
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
    let (mut recipe, name) = Recipe::find(args.config.as_ref().unwrap_or(&args.recipe))?;
    recipe.overfit_batches = args.overfit_batches.map(|n| n as usize).or(recipe.overfit_batches);
    Ok((args.changes.apply(recipe)?, name))
}

fn print_head(recipe: &Recipe, device: Device) {
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
    if device != Device::Cpu {
        say!("device     {}", devices::described(device));
    }
}
