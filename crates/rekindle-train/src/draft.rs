//! A recipe for a file that nobody has written one for: what it is, is guessed, and the guesses are written down as comments.

use crate::error::Error;
use crate::objective::Objective;
use crate::part::Data;
use crate::sets::Kind;
use crate::source::{Loading, Sketch, sketch};
use std::fmt::Write as _;
use std::path::Path;

/// A drafted recipe.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The recipe in TOML, with comments.
    pub text: String,
    /// What somebody should know about the guesses.
    pub remarks: Vec<String>,
}

/// Drafts a recipe for a table, a folder of images or a file of arrays. The columns `labels` are to be learned; without any, a
/// column that is called like a label, or else the last one.
///
/// ```
/// let folder = std::env::temp_dir().join(format!("rekindle-doc-draft-{}", std::process::id()));
/// std::fs::create_dir_all(&folder)?;
/// let rows: String = (0..40).map(|i| format!("{},{}\n", i * 7 % 40, ["no", "yes"][i / 20])).collect();
/// std::fs::write(folder.join("late.csv"), format!("age,late\n{rows}"))?;
///
/// let draft = rekindle_train::draft(&folder.join("late.csv"), &["late".into()])?;
/// assert!(draft.text.contains("age = \"numeric\" # numbers from 0 to 39"));
/// let recipe = rekindle_train::Recipe::from_toml(&draft.text)?;
/// assert_eq!(recipe.loss, "BCEWithLogitsLoss");
/// # std::fs::remove_dir_all(folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the file cannot be read, or nothing can be learned from it.
pub fn draft(path: &Path, labels: &[String]) -> Result<Draft, Error> {
    let Sketch { source, about, mut remarks, kind, outputs } = sketch(path, labels)?;
    let loss = match (kind, outputs) {
        (Kind::Numbers, _) => "MSELoss",
        (Kind::Labels, _) | (Kind::Classes, 2) => "BCEWithLogitsLoss",
        (Kind::Classes, _) => "CrossEntropyLoss",
    };
    let objective = &Objective::build(loss).map_err(Error::Recipe)?;
    let how = Loading { seed: SEED, objective, beside: None, signature: None };
    let data = source.load(&how)?;
    remarks.extend(data.remarks.iter().cloned());
    let outputs = if objective.is_binary() && kind == Kind::Classes { 1 } else { outputs };
    let name = path.file_stem().map_or("data".into(), |stem| stem.to_string_lossy());
    let text = page(&name, &data, loss, outputs) + &about;
    Ok(Draft { text, remarks })
}

const SEED: i64 = 42;

/// Everything but the data.
fn page(name: &str, data: &Data, loss: &str, outputs: usize) -> String {
    let n = data.train.len();
    let batch = if n < 4000 { 32 } else { 256 };
    let lr = if n < 4000 && data.image.is_none() { 0.005 } else { 0.001 };
    let net: Vec<String> = net(data, outputs).iter().map(|word| format!("\"{word}\"")).collect();
    let shape = data.train.sample_shape();
    let inputs = match shape.as_slice() {
        [features] => format!("{features} features"),
        shape => format!("samples of the shape {shape:?}"),
    };
    let mut text = String::new();
    let mut line = |key: &str, value: String, why: &str| {
        let comment = if why.is_empty() { String::new() } else { format!(" # {why}") };
        _ = writeln!(text, "{key} = {value}{comment}");
    };
    line("name", quoted(name), "");
    line("seed", SEED.to_string(), "of the weights and of the order of the batches");
    line("epochs", if data.image.is_some() { "20" } else { "100" }.into(), "at most; see [early_stopping]");
    line("net", format!("[{}]", net.join(", ")), &format!("{inputs}, {outputs} outputs"));
    line("loss", quoted(loss), "");
    line("optimizer", format!("\"Adam(lr={lr})\""), "");
    line("batch_size", batch.to_string(), &format!("of {n} training samples"));
    line("shuffle", "true".into(), "");
    text + "\n[early_stopping] # ends training when the validation loss has not become better for so many epochs\npatience = 10\n\n"
}

/// A small net of the usual kind.
fn net(data: &Data, outputs: usize) -> Vec<String> {
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let shape = data.train.sample_shape();
    match shape.as_slice() {
        [channels, rows, columns] if rows.min(columns) >= &8 => {
            let mut net = vec![format!("Conv2d({channels}, 32, 3, padding=1)")];
            net.extend(words(&[
                "ReLU",
                "MaxPool2d(2)",
                "Conv2d(32, 64, 3, padding=1)",
                "ReLU",
                "MaxPool2d(2)",
                "Flatten",
            ]));
            net.push(format!("Linear({}, 64)", 64 * (rows / 4) * (columns / 4)));
            net.push("ReLU".into());
            net.push(format!("Linear(64, {outputs})"));
            net
        }
        _ => {
            let numbers: usize = shape.iter().product();
            let hidden = if numbers <= 64 { 32 } else { 128 };
            let mut net = if shape.len() > 1 { words(&["Flatten"]) } else { Vec::new() };
            net.extend([
                format!("Linear({numbers}, {hidden})"),
                "ReLU".into(),
                format!("Linear({hidden}, {outputs})"),
            ]);
            net
        }
    }
}

/// A text as TOML has it.
pub(crate) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
