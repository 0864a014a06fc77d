//! Every set with every loss and both kinds of targets: a run from training to pictures, or one line before it begins.

use crate::{Folder, stdout};
use rekindle::train::SETS;

const LOSSES: [&str; 8] = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "NLLLoss",
    "MSELoss",
    "L1Loss",
    "SmoothL1Loss",
    "HuberLoss",
];

/// A recipe for a set: a net with so many outputs, and what the loss needs at its end.
fn recipe(set: &str, loss: &str, targets: &str, inputs: usize, outputs: usize) -> String {
    let end = match loss {
        "BCELoss" => ", \"Sigmoid\"",
        "NLLLoss" => ", \"LogSoftmax(1)\"",
        _ => "",
    };
    let targets = if targets.is_empty() { String::new() } else { format!("targets = \"{targets}\"\n") };
    format!(
        "name = \"{set}\"\nseed = 1\nepochs = 2\nnet = [\"Linear({inputs}, {outputs})\"{end}]\nloss = \"{loss}\"\n\
         optimizer = \"SGD(lr=0.01)\"\n[data]\nsource = \"{set}\"\nsamples = 120\nvalidation = 7\n{targets}"
    )
}

#[test]
fn a_combination_runs_to_the_last_picture_or_is_refused_before_the_first_epoch() {
    let folder = Folder::new();
    let (mut runs, mut refused) = (0, 0);
    for set in SETS.iter().filter(|set| !set.name.contains("mnist")) {
        let inputs = match set.name {
            "line" => 1,
            "classification" => 20,
            _ => 2,
        };
        for loss in LOSSES {
            for (targets, outputs) in [("", 1), ("", 3), ("one_hot", 2), ("one_hot", 3)] {
                let text = recipe(set.name, loss, targets, inputs, outputs);
                std::fs::write(folder.0.join("r.toml"), &text).unwrap();
                let output = folder.rekindle(&["train", "r.toml"]);
                let (out, err) = (stdout(&output), String::from_utf8_lossy(&output.stderr).into_owned());
                match output.status.code() {
                    Some(0) => {
                        assert!(err.is_empty() && !out.contains("not drawn"), "{text}\n{err}{out}");
                        runs += 1;
                    }
                    Some(1) => {
                        assert_eq!((err.lines().count(), out.as_str()), (1, ""), "{text}\n{err}{out}");
                        refused += 1;
                    }
                    code => panic!("exit {code:?}\n{text}\n{err}{out}"),
                }
            }
        }
    }
    assert!(runs >= 30 && refused >= 100, "{runs} runs, {refused} refused");
}
