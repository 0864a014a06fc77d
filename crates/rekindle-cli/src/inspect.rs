//! `rekindle inspect`: what is in a run, a checkpoint, a file of weights or a table.

use crate::Failure;
use crate::output::say;
use rekindle::data::table::{CsvOptions, Schema, Table};
use rekindle::nn::StateDict;
use rekindle::train::{Checkpoint, Recipe, RunDir, Signature, Training};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Look into a run, a checkpoint, a file of weights or a table
#[derive(clap::Args)]
#[command(after_help = "Examples:
  rekindle inspect runs/iris-001                          how far it is, what its model takes
  rekindle inspect runs/iris-001/model.safetensors        every tensor
  rekindle inspect runs/iris-001/checkpoints/last.ckpt    every tensor of a checkpoint
  rekindle inspect iris.csv                               what the columns seem to be
  rekindle inspect iris.toml --plan                       how its training steps are executed
  rekindle inspect runs/iris-001 --json                   the same for machines")]
pub struct Args {
    /// What to look into
    path: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// How the training steps of a run or a recipe are executed, and why
    #[arg(long)]
    plan: bool,
}

/// What was found: as JSON, and as lines for people.
struct Found {
    json: Value,
    lines: Vec<String>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    if args.plan {
        return plan(args);
    }
    let path = &args.path;
    let suffix = path.extension().and_then(|suffix| suffix.to_str()).unwrap_or_default();
    let found = match suffix {
        _ if path.is_dir() => look_into_run(&RunDir::open(path)?)?,
        "ckpt" => look_into_checkpoint(path)?,
        // What has a name of PyTorch's is refused with the way to convert it.
        "safetensors" | "pt" | "pth" => look_into_weights(path)?,
        _ => look_into_table(path)?,
    };
    match args.json {
        true => say!("{}", found.json),
        false => found.lines.iter().for_each(|line| say!("{line}")),
    }
    Ok(())
}

/// How a training step of a run, a recipe or a built-in set is executed.
fn plan(args: &Args) -> Result<(), Failure> {
    let recipe = match args.path.is_dir() {
        true => RunDir::open(&args.path)?.recipe()?,
        false => Recipe::find(&args.path.to_string_lossy())?.0,
    };
    let planned = Training::new(&recipe, None)?.plan()?;
    match (&planned, args.json) {
        (Ok(stages), true) => say!("{}", json!({"captured": true, "stages": stages})),
        (Err(why), true) => say!("{}", json!({"captured": false, "why": why})),
        (Ok(stages), false) => say!("captured: {}", stages.join("\n          ")),
        (Err(why), false) => say!("eager: {why}"),
    }
    Ok(())
}

fn look_into_run(run: &RunDir) -> Result<Found, Failure> {
    let recipe = run.recipe()?;
    let log = run.log_columns().unwrap_or_default();
    let column = |name: &str| log.iter().find(|(n, _)| n == name).map(|(_, values)| values.as_slice());
    let epochs = column("epoch").and_then(|c| c.last().copied()).unwrap_or(0.0);
    let checkpoint = Checkpoint::newest(&run.checkpoints());
    let resumable = match &checkpoint {
        Ok(Some(c)) => {
            let warning = c.warning().map_or(String::new(), |warning| format!("; {warning}"));
            format!("after {} epochs and {} batches{warning}", c.epoch(), c.batch())
        }
        Ok(None) => "none".into(),
        Err(e) => e.to_string(),
    };
    let figures: Vec<(&str, f64)> = log
        .iter()
        .filter_map(|(name, values)| Some((name.as_str(), *values.last()?)))
        .filter(|(_, value)| !value.is_nan())
        .collect();
    let weights = run.path().join("model.safetensors");
    let read = || {
        let weights = StateDict::load(&weights).map_err(|e| e.to_string())?;
        Signature::read_from(&weights)
    };
    let (model, signature) = match read() {
        _ if !weights.exists() => ("none yet; the run is not finished".to_string(), None),
        Ok(signature) if run.is_finished() => ("model.safetensors".to_string(), signature),
        Ok(signature) => ("model.safetensors, of a run that is not finished".to_string(), signature),
        Err(wrong) => (wrong, None),
    };
    let mut lines = vec![
        format!("run         {}", run.path().display()),
        format!("name        {}", recipe.name),
        format!("data        {}", recipe.data.about()),
        format!("net         {}", recipe.net.join(", ")),
        format!("loss        {}", recipe.loss),
        format!("optimizer   {}", recipe.optimizer),
        format!("epochs      {epochs} logged of {}", recipe.epochs),
        format!("checkpoint  {resumable}"),
        format!("model       {model}"),
    ];
    lines.extend(figures.iter().map(|(name, value)| format!("{name:<11} {value}")));
    lines.extend(signature.iter().flat_map(signature_lines));
    let json = json!({
        "run": run.path(), "name": recipe.name, "net": recipe.net, "loss": recipe.loss, "optimizer": recipe.optimizer,
        "epochs": recipe.epochs, "logged": epochs, "finished": run.is_finished(),
        "checkpoint": checkpoint.ok().flatten().map(|c| json!({"epoch": c.epoch(), "batch": c.batch()})),
        "last": figures.into_iter().collect::<std::collections::BTreeMap<_, _>>(), "signature": signature,
    });
    Ok(Found { json, lines })
}

fn signature_lines(signature: &Signature) -> Vec<String> {
    let mut lines = vec![format!("takes       {}", signature.input.describe())];
    if !signature.classes.is_empty() {
        lines.push(format!("gives       {}", signature.classes.join(", ")));
    }
    lines
}

fn look_into_weights(path: &Path) -> Result<Found, Failure> {
    let weights = StateDict::load(path).map_err(|e| Failure::failed(e.to_string()))?;
    let mut found = tensors(&weights);
    if let Ok(Some(signature)) = Signature::read_from(&weights) {
        found.lines.extend(signature_lines(&signature));
        found.json["signature"] = json!(signature);
    }
    Ok(found)
}

fn look_into_checkpoint(path: &Path) -> Result<Found, Failure> {
    let checkpoint = Checkpoint::read(path)?;
    let mut found = tensors(checkpoint.state());
    let (epoch, batch) = (checkpoint.epoch(), checkpoint.batch());
    found.lines.insert(0, format!("after {epoch} epochs and {batch} batches; whole"));
    (found.json["epoch"], found.json["batch"]) = (json!(epoch), json!(batch));
    Ok(found)
}

/// Every tensor with its shape and the range of its values.
fn tensors(state: &StateDict) -> Found {
    let width = state.names().map(str::len).max().unwrap_or(0);
    let (mut lines, mut all, mut numbers) = (Vec::new(), Vec::new(), 0);
    for (name, tensor) in state.iter() {
        numbers += tensor.numel();
        let (shape, dtype) = (tensor.shape(), tensor.dtype().to_string());
        let range = match tensor.numel() {
            0 => String::new(),
            _ => {
                let values = tensor.to_f64_vec();
                let (least, most) =
                    values.iter().fold((f64::MAX, f64::MIN), |(a, b), &v| (a.min(v), b.max(v)));
                format!("from {least:.4} to {most:.4}")
            }
        };
        lines.push(
            format!("{name:<width$}  {dtype:<8} {:<18} {range}", format!("{shape:?}")).trim_end().into(),
        );
        all.push(json!({"name": name, "dtype": dtype, "shape": shape}));
    }
    lines.push(format!("{} tensors, {numbers} numbers", state.len()));
    Found { json: json!({"tensors": all, "numbers": numbers}), lines }
}

fn look_into_table(path: &Path) -> Result<Found, Failure> {
    let table = Table::read(path, &CsvOptions::default()).map_err(Failure::data)?;
    let schema = Schema::guess(&table, &[]).map_err(Failure::data)?;
    let mut lines = vec![format!("{}: {} rows, {} columns", path.display(), table.len(), table.width())];
    lines.extend(schema.columns.iter().map(|column| {
        let kind = json!(column.kind);
        format!("  {:<24} {:<12} {}", column.name, kind.as_str().unwrap_or_default(), column.why)
    }));
    let columns: Vec<Value> =
        schema.columns.iter().map(|c| json!({"name": c.name, "kind": c.kind, "why": c.why})).collect();
    Ok(Found { json: json!({"rows": table.len(), "columns": columns}), lines })
}
