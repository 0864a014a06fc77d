//! `rekindle train`: runs a recipe and shows what comes of it.

use crate::Failure;
use crate::output::say;
use rekindle::nn::Parameters;
use rekindle::train::{CIRCLES, EpochRow, Recipe, Trained, run as train};
use std::path::PathBuf;

/// Train a net as a recipe says; without one, the circles classifier of lecture 02
#[derive(clap::Args)]
#[command(after_help = "Examples:
  rekindle train                                 the embedded circles recipe, a few seconds
  rekindle train recipes/05wk-1-4A.toml          MNIST zeros and ones, downloaded when they are not there
  rekindle train my.toml --data ../data --json   one JSON line per reported epoch")]
pub struct Args {
    /// A recipe in TOML (see recipes/)
    recipe: Option<PathBuf>,
    /// The folder of mnist/ and fashion-mnist/ [default: $REKINDLE_DATA, else a download]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Use another seed than the recipe's
    #[arg(long, allow_negative_numbers = true)]
    seed: Option<i64>,
    /// Train for another number of epochs
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// Threads, without effect on results [default: $REKINDLE_NUM_THREADS, else all cores]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print one JSON object per reported epoch and nothing else
    #[arg(long)]
    json: bool,
    /// Print only the last line
    #[arg(long, conflicts_with = "json")]
    quiet: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let mut recipe = match &args.recipe {
        Some(path) => Recipe::from_file(path)?,
        None => Recipe::from_toml(CIRCLES)?,
    };
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    recipe.epochs = args.epochs.map_or(recipe.epochs, |n| n as usize);
    if let Some(n) = args.threads {
        rekindle::set_num_threads(n.into());
    }
    let table = !args.json && !args.quiet;
    if table {
        print_head(&recipe);
    }
    let trained = train(&recipe, args.data.as_deref(), &mut |row| {
        if args.json {
            say!("{}", json(row));
        } else if table {
            say!("{}", line(row));
        }
    })?;
    if !args.json {
        print_end(&trained, table);
    }
    Ok(())
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
    say!(
        "{:>6} {:>11} {:>10} {:>10} {:>9} {:>8}",
        "epoch",
        "train_loss",
        "train_acc",
        "test_loss",
        "test_acc",
        "time"
    );
}

fn line(row: &EpochRow) -> String {
    let accuracy = |a: Option<f64>| a.map_or("-".into(), |a| format!("{a:.4}"));
    format!(
        "{:>6} {:>11.5} {:>10} {:>10.5} {:>9} {:>7.1}s",
        row.epoch,
        row.train_loss,
        accuracy(row.train_acc),
        row.test_loss,
        accuracy(row.test_acc),
        row.seconds
    )
}

fn json(row: &EpochRow) -> serde_json::Value {
    serde_json::json!({
        "epoch": row.epoch, "train_loss": row.train_loss, "train_acc": row.train_acc,
        "test_loss": row.test_loss, "test_acc": row.test_acc, "time": row.seconds,
    })
}

fn print_end(trained: &Trained, blank: bool) {
    let Some(last) = trained.rows.last() else { return };
    if blank {
        say!("");
    }
    let n = trained.data.test.len();
    let judged = match last.test_acc {
        Some(acc) => format!("{:.0} of {n} test samples right (accuracy {acc:.4})", acc * n as f64),
        None => format!("loss {:.5} on {n} test samples", last.test_loss),
    };
    say!("{judged}; {} parameters, {:.1} s", trained.net.num_parameters(), last.seconds);
}
