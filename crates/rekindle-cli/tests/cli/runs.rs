//! Run directories: what training leaves, and what `evaluate` and `plot` make of it.

use crate::{Folder, fails_with, image_data, stdout, succeeds};
use serde_json::Value;
use std::process::Command;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn a_run_is_kept_under_the_next_free_number_or_exactly_where_it_is_wanted() {
    let folder = Folder::new();
    for number in 1..=2 {
        let last = succeeds(&folder.rekindle(&["train", "xor", "--epochs", "2", "--quiet"]));
        assert!(last.trim_end().ends_with(&format!("runs/xor-{number:03}")), "{last}");
    }
    succeeds(&folder.rekindle(&["train", "xor", "--epochs", "2", "--quiet", "--output", "here"]));
    for file in
        ["config.toml", "metrics.csv", "metrics.jsonl", "model.safetensors", "report.json", "report.txt"]
    {
        assert!(folder.0.join("here").join(file).is_file(), "{file}");
    }
    let before = folder.read("here/metrics.csv");
    let again = folder.rekindle(&["train", "xor", "--epochs", "3", "--output", "here"]);
    fails_with(&again, 1, "here: it exists, and a run overwrites nothing");
    assert_eq!(folder.read("here/metrics.csv"), before);
    succeeds(&folder.rekindle(&["train", "xor", "--epochs", "1", "--quiet", "--output", "a/deep/place"]));
    assert!(folder.0.join("a/deep/place/report.json").is_file());
    std::fs::write(folder.0.join("file"), "").unwrap();
    let under = folder.rekindle(&["train", "xor", "--epochs", "3", "--output", "file/run"]);
    fails_with(&under, 1, "file: cannot make the directory");
}

#[test]
fn metrics_have_a_row_for_each_kept_epoch_under_stable_columns() {
    let folder = Folder::new();
    succeeds(&folder.rekindle(&["train", "blobs", "--epochs", "7", "--quiet", "--output", "run"]));
    let csv = folder.read("run/metrics.csv");
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "epoch,step,train_loss,train_acc,val_loss,val_acc,test_loss,test_acc,lr,time");
    assert_eq!(lines.len(), 8);
    let row = json(folder.read("run/metrics.jsonl").lines().last().unwrap());
    assert_eq!((row["epoch"].as_u64(), row["step"].as_u64()), (Some(7), Some(7)));
    let loss = lines[7].split(',').nth(2).unwrap();
    assert!(
        folder.read("run/metrics.jsonl").contains(&format!(r#""step":7,"train_loss":{loss},"#)),
        "{loss}"
    );
}

#[test]
fn evaluate_judges_all_three_parts_from_the_directory_alone_and_as_training_did() {
    let folder = Folder::new();
    succeeds(&folder.rekindle(&["train", "circles", "--epochs", "50", "--quiet", "--output", "run"]));
    let elsewhere = Folder::new();
    let run = folder.0.join("run");
    let text = succeeds(&elsewhere.rekindle(&["evaluate", run.to_str().unwrap(), "--json"]));
    assert_eq!(text.lines().count(), 1);
    assert_eq!(text, folder.read("run/report.json"));
    let judged = json(&text);
    let parts = [("train", 800), ("validation", 200), ("test", 200)];
    for (name, samples) in parts {
        let part = &judged[name];
        for figure in ["loss", "accuracy", "precision_macro", "recall_macro", "f1_macro", "roc_auc"] {
            assert!(part[figure].as_f64().is_some_and(|v| v.is_finite()), "{name} {figure}: {part}");
        }
        assert_eq!(part["classes"], json(r#"["0", "1"]"#));
        assert_eq!(part["per_class"][1]["class"], "1");
        let recalls = [0, 1].map(|c: usize| part["per_class"][c]["recall"].as_f64().unwrap());
        assert_eq!(part["recall_macro"].as_f64(), Some((recalls[0] + recalls[1]) / 2.0));
        let counts = part["confusion_matrix"].as_array().unwrap();
        let all: u64 =
            counts.iter().flat_map(|row| row.as_array().unwrap()).map(|n| n.as_u64().unwrap()).sum();
        assert_eq!(all, samples, "{name}");
        let right = counts[0][0].as_u64().unwrap() + counts[1][1].as_u64().unwrap();
        assert_eq!(part["accuracy"].as_f64(), Some(right as f64 / samples as f64));
    }
    // The loss that the table showed at the end is that of the saved weights.
    let last = json(folder.read("run/metrics.jsonl").lines().last().unwrap());
    assert_eq!(last["test_loss"], judged["test"]["loss"]);
    assert_eq!(last["val_acc"], judged["validation"]["accuracy"]);
}

#[test]
fn without_validation_data_its_place_is_null_and_the_test_data_is_watched() {
    let folder = Folder::new();
    let recipe = concat!(env!("CARGO_MANIFEST_DIR"), "/../../recipes/02-model_4.toml");
    let table = succeeds(&folder.rekindle(&["train", recipe, "--epochs", "10", "--output", "run"]));
    assert!(table.contains("epoch train_loss  train_acc  test_loss   test_acc       time\n"), "{table}");
    let judged = json(&succeeds(&folder.rekindle(&["evaluate", "run", "--json"])));
    assert!(judged["validation"].is_null() && judged["test"]["accuracy"].is_f64(), "{judged}");
}

#[test]
fn weights_and_reports_are_the_same_bytes_for_every_number_of_threads() {
    let folder = Folder::new();
    let with = |threads: &str| {
        let args = [
            "train",
            "classification",
            "--epochs",
            "2",
            "--quiet",
            "--threads",
            threads,
            "--output",
            threads,
        ];
        succeeds(&folder.rekindle(&args));
        let read = |file: &str| std::fs::read(folder.0.join(threads).join(file)).expect(file);
        (read("model.safetensors"), read("report.json"), read("plots/confusion.png"))
    };
    let one = with("1");
    assert!(one == with("2") && one == with("4"));
}

#[test]
fn multi_label_and_regression_runs_are_judged_as_what_they_are() {
    let folder = Folder::new();
    succeeds(&folder.rekindle(&["train", "discs", "--epochs", "60", "--quiet", "--output", "discs"]));
    let judged = json(&folder.read("discs/report.json"));
    assert_eq!(judged["test"]["classes"], json(r#"["top", "left", "right"]"#));
    assert_eq!(judged["test"]["confusion_matrix"].as_array().unwrap().len(), 3);
    assert!(judged["test"]["f1_macro"].as_f64().unwrap() > 0.5, "{judged}");
    let report = folder.read("discs/report.txt");
    for line in ["micro avg", "macro avg", "weighted avg", "samples avg", "hamming_loss"] {
        assert!(report.contains(line), "{line} in {report}");
    }
    succeeds(&folder.rekindle(&["train", "line", "--epochs", "5", "--quiet", "--output", "line"]));
    let judged = json(&folder.read("line/report.json"));
    assert!(judged["test"].get("accuracy").is_none());
    // The loss is the mean squared error, in f32.
    let [mse, loss] = ["mean_squared_error", "loss"].map(|name| judged["test"][name].as_f64().unwrap());
    assert!((mse - loss).abs() < 1e-6, "{mse} {loss}");
}

#[test]
fn plot_draws_what_the_data_allows_and_says_what_it_does_not() {
    let folder = Folder::new();
    succeeds(&folder.rekindle(&["train", "spirals", "--epochs", "3", "--quiet", "--output", "run"]));
    let plots = folder.0.join("run/plots");
    let boundary = std::fs::read(plots.join("boundary.png")).expect("training draws");
    assert_eq!(&boundary[..8], b"\x89PNG\r\n\x1a\n");
    std::fs::remove_dir_all(&plots).unwrap();
    let text = succeeds(&folder.rekindle(&["plot", "run", "--what", "boundary,curves"]));
    assert!(text.contains("curves.png boundary.png"), "{text}");
    assert_eq!(std::fs::read(plots.join("boundary.png")).unwrap(), boundary, "the same bytes again");
    assert_eq!(std::fs::read_dir(&plots).unwrap().count(), 2);
    succeeds(&folder.rekindle(&["plot", "run", "--format", "svg", "--what", "roc"]));
    assert!(folder.read("run/plots/roc.svg").starts_with("<svg"));
    fails_with(&folder.rekindle(&["plot", "run", "--what", "images"]), 1, "images: it needs images");
    fails_with(&folder.rekindle(&["plot", "run", "--what", "imagse"]), 2, "images");
    let help = succeeds(&folder.rekindle(&["plot", "--help"]));
    assert!(
        rekindle::train::pictures::NAMES.iter().all(|name| help.contains(name)),
        "the help lists them: {help}"
    );
}

#[test]
fn what_is_no_run_or_a_damaged_one_is_one_line_and_exit_1() {
    let folder = Folder::new();
    for command in ["evaluate", "plot"] {
        fails_with(&folder.rekindle(&[command, "nowhere"]), 1, "nowhere: no such directory");
        fails_with(&folder.rekindle(&[command, "."]), 1, "there is no config.toml in it");
    }
    succeeds(&folder.rekindle(&["train", "xor", "--epochs", "1", "--quiet", "--output", "run"]));
    let weights = folder.0.join("run/model.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() - 1]).unwrap();
    let damaged = folder.rekindle(&["evaluate", "run"]);
    fails_with(&damaged, 1, "run/model.safetensors: ");
    assert_eq!(
        (String::from_utf8_lossy(&damaged.stderr).lines().count(), stdout(&damaged)),
        (1, String::new())
    );
    std::fs::remove_file(&weights).unwrap();
    fails_with(&folder.rekindle(&["evaluate", "run"]), 1, "the run was not finished");
    std::fs::write(&weights, &bytes).unwrap();
    let config =
        folder.read("run/config.toml").replace("Linear(2, 8)", "Linear(2, 9)").replace("(8, 1)", "(9, 1)");
    std::fs::write(folder.0.join("run/config.toml"), config).unwrap();
    fails_with(&folder.rekindle(&["evaluate", "run"]), 1, "0.weight");
}

#[test]
fn batch_size_makes_shuffled_mini_batches_of_full_ones() {
    let folder = Folder::new();
    succeeds(&folder.rekindle(&["train", "moons", "--epochs", "2", "--batch-size", "64", "--output", "run"]));
    let config = folder.read("run/config.toml");
    assert!(config.contains("batch_size = 64\nshuffle = true"), "{config}");
    let last = json(folder.read("run/metrics.jsonl").lines().last().unwrap());
    assert_eq!(last["step"].as_u64(), Some(2 * 800u64.div_ceil(64)));
}

#[test]
fn classes_are_called_what_the_recipe_says_in_any_script() {
    let folder = Folder::new();
    let recipe = "name = \"두 고리\"\nseed = 1\nepochs = 3\nnet = [\"Linear(2, 1)\"]\nloss = \"BCEWithLogitsLoss\"\n\
                  optimizer = \"SGD(lr=0.1)\"\n[data]\nsource = \"circles\"\nclass_names = [\"바깥\", \"안\"]\n";
    std::fs::write(folder.0.join("고리.toml"), recipe).unwrap();
    let last = succeeds(&folder.rekindle(&["train", "고리.toml", "--quiet"]));
    assert!(last.trim_end().ends_with("runs/고리-001"), "{last}");
    assert_eq!(json(&folder.read("runs/고리-001/report.json"))["test"]["classes"], json(r#"["바깥", "안"]"#));
    succeeds(&folder.rekindle(&["plot", "runs/고리-001", "--what", "confusion", "--format", "svg"]));
    assert!(folder.read("runs/고리-001/plots/confusion.svg").contains("aria-label=\"바깥\""));
    std::fs::write(folder.0.join("one.toml"), recipe.replace(", \"안\"", "")).unwrap();
    fails_with(&folder.rekindle(&["train", "one.toml"]), 1, "data.class_names: 1 names for 2 classes");
}

#[test]
fn json_epochs_go_to_standard_output_and_the_place_of_the_run_beside_them() {
    let output = Folder::new().rekindle(&["train", "xor", "--epochs", "60", "--json"]);
    assert!(succeeds(&output).lines().all(|line| json(line)["epoch"].is_u64()));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "run runs/xor-001\n");
}

#[test]
fn made_data_has_no_folder() {
    let output = Folder::new().rekindle(&["train", "moons", "--data", "somewhere"]);
    fails_with(&output, 1, "--data: the points of moons are made, not read");
}

#[test]
fn a_name_that_does_not_exist_gets_the_nearest() {
    let output = Folder::new().rekindle(&["train", "circle"]);
    fails_with(&output, 1, "there is no data set `circle`; did you mean `circles`?");
}

#[test]
fn mnist_is_trained_judged_and_drawn() {
    let Some(data) = image_data() else { return };
    let folder = Folder::new();
    // The folder comes from the environment, which nobody sets later.
    let mut command = Command::new(env!("CARGO_BIN_EXE_rekindle"));
    command.args(["train", "mnist", "--epochs", "1", "--quiet", "--output", "run"]).current_dir(&folder.0);
    succeeds(&command.env("REKINDLE_DATA", &data).output().unwrap());
    let judged = json(&folder.read("run/report.json"));
    assert!(judged["test"]["accuracy"].as_f64().unwrap() > 0.9, "{judged}");
    assert_eq!(judged["train"]["samples"], 50_000);
    for picture in ["images.png", "worst.png", "confusion.png"] {
        assert!(folder.0.join("run/plots").join(picture).is_file(), "{picture}");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_rekindle"));
    command.args(["evaluate", folder.0.join("run").to_str().unwrap(), "--json"]);
    let text = succeeds(&command.env_remove("REKINDLE_DATA").output().unwrap());
    assert_eq!(text, folder.read("run/report.json"));
}
