//! `rekindle check`: everything that can be known about a run before it runs.

use crate::Failure;
use crate::output::say;
use crate::train::changes::Changes;
use rekindle::nn::summary;
use rekindle::train::{Kind, Recipe, Training};

/// Hold a recipe, its data, net and loss against each other without training
#[derive(clap::Args)]
#[command(after_help = "Examples:
  rekindle check iris.toml      the net layer by layer, the parts of the data, and what is strange about them
  rekindle check spirals        of a built-in data set
  rekindle check iris.toml --set 'loss=MSELoss'    with another value, as `rekindle train` takes it

Exit code 0: a run can begin. 1: it cannot, and why.")]
pub struct Args {
    /// A recipe in TOML, or a built-in data set
    #[arg(value_name = "NAME|RECIPE")]
    recipe: String,
    #[command(flatten)]
    changes: Changes,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let recipe = args.changes.apply(Recipe::find(&args.recipe)?.0)?;
    let training = Training::new(&recipe, None)?;
    let data = training.data();
    say!("{}", recipe.name);
    say!("data       {}", recipe.data.about());
    for (name, part) in data.parts() {
        let classes = match data.kind {
            Kind::Classes => counts(&data.classes, &part.class_counts(data.classes.len())),
            Kind::Labels => format!("; labels {}", data.classes.join(", ")),
            Kind::Numbers => String::new(),
        };
        say!("{name:<10} {} samples of the shape {:?}{classes}", part.len(), part.sample_shape());
    }
    say!("loss       {}", training.recipe().loss);
    say!("optimizer  {}\n", training.recipe().optimizer);
    say!("{}", summary(training.net(), data.train.sample_shape()));
    data.remarks.iter().for_each(|remark| say!("remark: {remark}"));
    say!("ready: `rekindle train {}`", args.recipe);
    Ok(())
}

/// How many samples of each class there are.
fn counts(classes: &[String], counts: &[usize]) -> String {
    const MOST: usize = 20;
    let each: Vec<String> = classes.iter().zip(counts).take(MOST).map(|(c, n)| format!("{c} {n}")).collect();
    format!(": {}{}", each.join(", "), if classes.len() > MOST { ", .." } else { "" })
}
