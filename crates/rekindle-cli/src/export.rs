//! `rekindle export`: the model of a run for other programs.

use crate::Failure;
use crate::output::say;
use crate::replace::may_replace;
use crate::weights;
use rekindle::nn::replace_file;
use rekindle::train::RunDir;
use std::path::PathBuf;

/// Write the model of a run as a file for other programs
#[derive(clap::Args)]
#[command(after_help = "Examples:
  rekindle export runs/iris-001 --onnx iris.onnx                   for onnxruntime and other readers of ONNX
  rekindle export runs/iris-001 --onnx iris.onnx --weights best    the weights of the best epoch

The file has what is done to the inputs (missing values, scaling, categories) and to the outputs.
The weights alone are in the run already, for PyTorch, too: RUN/model.safetensors.")]
pub struct Args {
    /// The directory of a run, such as runs/iris-001
    run: PathBuf,
    /// Write ONNX into this file; one that is called .onnx is replaced
    #[arg(long, value_name = "FILE", required = true)]
    onnx: PathBuf,
    #[command(flatten)]
    weights: weights::Which,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let exported = args.weights.model(&RunDir::open(&args.run)?)?.onnx()?;
    let file = args.onnx.display();
    may_replace(&args.onnx, &args.run)?;
    if args.onnx.exists() && args.onnx.extension().is_none_or(|end| end != "onnx") {
        return Err(Failure::failed(format!("{file}: exists, and is not called .onnx; choose another name")));
    }
    replace_file(&args.onnx, &exported.bytes)
        .map_err(|e| Failure::failed(format!("{file}: cannot write: {e}")))?;
    say!("wrote {file}: takes {}; gives {}", listed(&exported.inputs), listed(&exported.outputs));
    Ok(())
}

/// Some, and how many more there are.
fn listed(all: &[String]) -> String {
    const SHOWN: usize = 4;
    let more = match all.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ") + &more
}
