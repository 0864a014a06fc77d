//! `rekindle check`: everything that can be known about a run before it runs.

use crate::Failure;
use crate::output::say;
use crate::train::changes::Changes;
use rekindle::nn::{Parameters, summary};
use rekindle::train::{Kind, Part, Recipe, Training};
use serde_json::{Value, json};
use std::collections::BTreeMap;

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
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let recipe = args.changes.apply(Recipe::find(&args.recipe)?.0)?;
    let training = Training::new(&recipe, None)?;
    if args.json {
        say!("{}", as_json(&training));
        return Ok(());
    }
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

fn as_json(training: &Training) -> Value {
    let data = training.data();
    let of = |part: &Part| {
        let counts = (data.kind == Kind::Classes).then(|| part.class_counts(data.classes.len()));
        json!({"samples": part.len(), "shape": part.sample_shape(), "classes": counts})
    };
    let parts: BTreeMap<&str, Value> = data.parts().map(|(name, part)| (name, of(part))).collect();
    json!({
        "name": training.recipe().name, "parts": parts, "classes": data.classes, "remarks": data.remarks,
        "parameters": training.net().num_parameters(),
    })
}

/// How many samples of each class there are.
fn counts(classes: &[String], counts: &[usize]) -> String {
    const MOST: usize = 20;
    let each: Vec<String> = classes.iter().zip(counts).take(MOST).map(|(c, n)| format!("{c} {n}")).collect();
    format!(": {}{}", each.join(", "), if classes.len() > MOST { ", .." } else { "" })
}
