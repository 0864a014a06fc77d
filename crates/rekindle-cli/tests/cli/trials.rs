//! Looking before a long training: trials, the learning-rate finder, schedules of another length.

use crate::{Folder, stdout, succeeds};

/// A column of a run's log.
fn column(folder: &Folder, run: &str, name: &str) -> Vec<f64> {
    let text = folder.read(&format!("{run}/metrics.csv"));
    let mut lines = text.lines();
    let at = lines.next().unwrap().split(',').position(|n| n == name).unwrap();
    lines.map(|line| line.split(',').nth(at).unwrap().parse().unwrap()).collect()
}

#[test]
fn the_learning_rate_finder_needs_no_file_and_no_length_of_a_schedule() {
    let folder = Folder::new();
    let found = succeeds(&folder.rekindle(&["train", "moons", "--find-lr"]));
    assert!(found.contains("suggestion: --lr "), "{found}");
    // The sweep takes more steps than this cycle has.
    let cycle = ["--set", "scheduler=OneCycleLR(max_lr=0.1)", "--set", "epochs=5"];
    let found = succeeds(&folder.rekindle(&[&["train", "moons", "--find-lr=lr.png"], &cycle[..]].concat()));
    assert!(found.contains("suggestion: --lr "), "{found}");
    assert!(folder.0.join("lr.png").is_file());
}

#[test]
fn a_trial_prints_json_only_where_json_was_asked_for() {
    let folder = Folder::new();
    let output = folder.rekindle(&["train", "moons", "--fast-dev-run", "--json"]);
    assert!(output.status.success() && stdout(&output).lines().all(|line| line.starts_with('{')));
    let shown = succeeds(&folder.rekindle(&["train", "moons", "--fast-dev-run"]));
    assert!(shown.ends_with("a fast dev run: everything works, and nothing is kept\n"), "{shown}");
    assert!(!shown.contains("pictures in") && !shown.contains("rekindle-fast-dev-run"), "{shown}");
}

#[test]
fn a_schedule_has_the_length_of_what_is_trained_on() {
    let folder = Folder::new();
    let heart = ["--overfit-batches", "1", "--batch-size", "10", "--epochs", "20", "--output", "heart"];
    let cycle = ["--set", "scheduler=OneCycleLR(max_lr=1.0)", "--quiet"];
    succeeds(&folder.rekindle(&[&["train", "circles"], &heart[..], &cycle[..]].concat()));
    let rates = column(&folder, "heart", "lr");
    assert!(rates.iter().any(|&lr| lr > 0.5) && rates.last().is_some_and(|&lr| lr < 0.02), "{rates:?}");
}

#[test]
fn a_schedule_that_follows_the_length_of_the_run_follows_the_new_one() {
    let folder = Folder::new();
    let cosine =
        ["train", "moons", "--quiet", "--set", "scheduler=CosineAnnealingLR", "--set", "report.every=1"];
    succeeds(&folder.rekindle(&[&cosine[..], &["--epochs", "5", "--output", "run"]].concat()));
    succeeds(&folder.rekindle(&["train", "--resume", "run", "--epochs", "8", "--quiet"]));
    succeeds(&folder.rekindle(&[&cosine[..], &["--epochs", "8", "--output", "whole"]].concat()));
    let (gone_on, whole) = (column(&folder, "run", "lr"), column(&folder, "whole", "lr"));
    assert_eq!(gone_on[5..], whole[5..]);
    assert!(gone_on[5] > 0.0 && gone_on[..5] != whole[..5]);
}

#[test]
fn a_training_that_had_ended_early_says_so_when_it_is_to_go_on() {
    let folder = Folder::new();
    let stopping = ["--set", "early_stopping.patience=1", "--set", "early_stopping.min_delta=10"];
    succeeds(&folder.rekindle(&[&["train", "moons", "--output", "run"], &stopping[..]].concat()));
    let output = succeeds(&folder.rekindle(&["train", "--resume", "run"]));
    assert!(output.contains("were no better than those before; early_stopping.patience says"), "{output}");
}

#[test]
fn how_steps_are_executed_is_told() {
    let folder = Folder::new();
    let told = succeeds(&folder.rekindle(&["inspect", "circles", "--plan"]));
    assert_eq!(
        told,
        "captured: linear -> relu -> linear -> relu -> linear -> binary_cross_entropy_with_logits; 800 rows in 3 blocks, beside each other\n"
    );
    let recipe = "name = \"normed\"\nseed = 1\nepochs = 1\nnet = [\"Linear(2, 4)\", \"BatchNorm1d(4)\", \"Linear(4, 1)\"]\n\
                  loss = \"BCEWithLogitsLoss\"\noptimizer = \"SGD(lr=0.1)\"\n\n[data]\nsource = \"moons\"\n";
    std::fs::write(folder.0.join("normed.toml"), recipe).unwrap();
    let told = succeeds(&folder.rekindle(&["inspect", "normed.toml", "--plan"]));
    assert!(told.starts_with("captured: linear -> [batch_norm] -> linear -> "), "{told}");
    std::fs::write(folder.0.join("normed.toml"), format!("accumulate = 2\n{recipe}")).unwrap();
    let told = succeeds(&folder.rekindle(&["inspect", "normed.toml", "--plan", "--json"]));
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["captured"], false);
    assert!(told["why"].as_str().is_some_and(|why| !why.is_empty()), "{told}");
}
