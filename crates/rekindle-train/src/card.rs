//! The model card of a run: what a model is for, what it learned from, how good it is, how to use it
//! (Mitchell et al., "Model Cards for Model Reporting", 2019).

use crate::judge::Judgement;
use crate::run::Trained;
use crate::sets::Kind;
use crate::signature::Input;
use rekindle_nn::Parameters;
use std::fmt::Write as _;
use std::path::Path;

/// A card in Markdown for the model in the directory `run`.
pub fn model_card(trained: &Trained, judged: &Judgement, run: &Path) -> String {
    let mut card = format!("# {}\n\n", trained.recipe.name);
    let test = judged.test();
    _ = writeln!(card, "{}.\n", test.headline());
    for (title, text) in [
        ("What it takes and gives", takes_and_gives(trained)),
        ("What it learned from", learned_from(trained)),
        ("How it learned", how(trained)),
        (
            "How good it is",
            format!(
                "On the test data, which it has not seen:\n\n```text\n{}\n```\n",
                test.to_string().trim_end()
            ),
        ),
        ("How to use it", usage(run, &trained.data.input)),
        ("What to be careful about", cautions(trained)),
    ] {
        _ = writeln!(card, "## {title}\n\n{text}");
    }
    card
}

fn takes_and_gives(trained: &Trained) -> String {
    let data = &trained.data;
    let takes = data.input.describe();
    let gives = match data.kind {
        Kind::Classes => format!("one of {} classes: {}", data.classes.len(), data.classes.join(", ")),
        Kind::Labels => format!("any of {} labels: {}", data.classes.len(), data.classes.join(", ")),
        Kind::Numbers => "numbers".into(),
    };
    format!("It takes {takes}. It gives {gives}.\n")
}

fn learned_from(trained: &Trained) -> String {
    let data = &trained.data;
    let mut text = format!("{}.\n\n| part | samples |\n|---|---|\n", data.source.about());
    for (name, part) in data.parts() {
        _ = writeln!(text, "| {name} | {} |", part.len());
    }
    text
}

fn how(trained: &Trained) -> String {
    let recipe = &trained.recipe;
    format!(
        "Net `{}` with {} parameters; loss `{}`; optimiser `{}`; at most {} epochs; seed {}. \
         `config.toml` has everything, and the same recipe on the same data gives the same weights, byte for byte.\n",
        recipe.net.join(" -> "),
        trained.net.num_parameters(),
        recipe.loss,
        recipe.optimizer,
        recipe.epochs,
        recipe.seed
    )
}

fn usage(run: &Path, input: &Input) -> String {
    let run = run.display();
    let new = match input {
        Input::Numbers(_) | Input::Table(_) => "NEW.csv ",
        #[cfg(feature = "images")]
        Input::Images(_) => "IMAGES/ ",
        Input::Arrays(_) => "NEW.npy ",
    };
    format!(
        "```sh\nrekindle predict {run} {new}     # what it says of each sample, and how sure it is\n\
         rekindle evaluate {run}             # the figures above, again\n```\n\n\
         `model.safetensors` has the weights under PyTorch's names (`safetensors.torch.load_file`).\n"
    )
}

fn cautions(trained: &Trained) -> String {
    let remarks = trained.data.remarks.iter().map(|remark| format!("- {remark}\n"));
    let known = "- It knows nothing but data like those that it learned from; a probability is no better than they were.\n";
    remarks.chain([known.to_string()]).collect()
}
