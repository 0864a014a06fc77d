//! A run and other data than it was trained on: given on purpose, or changed behind its back.

use crate::own_data::real;
use crate::{Folder, fails_with, succeeds};

fn iris() -> Folder {
    let folder = Folder::new();
    folder.put("iris.csv", real("iris"));
    succeeds(&folder.rekindle(&["init", "iris.csv", "--label", "species", "--output", "iris.toml"]));
    succeeds(&folder.rekindle(&["train", "iris.toml", "--epochs", "60", "--quiet", "--output", "run"]));
    folder
}

#[test]
fn a_model_is_judged_on_all_rows_of_another_file() {
    let folder = iris();
    folder.put("other.csv", real("iris").lines().take(101).collect::<Vec<_>>().join("\n"));
    let judged = succeeds(&folder.rekindle(&["evaluate", "run", "--data", "other.csv", "--json"]));
    let judged: serde_json::Value = serde_json::from_str(&judged).unwrap();
    assert_eq!((judged["test"]["samples"].as_u64(), judged["train"].is_null()), (Some(100), true));
    fails_with(
        &folder.rekindle(&["evaluate", "run", "--data", "nothing.csv"]),
        1,
        "nothing.csv: No such file",
    );
    fails_with(&folder.rekindle(&["plot", "run", "--data", "nothing.csv"]), 1, "nothing.csv: No such file");
    let resume = ["train", "--resume", "run", "--epochs", "80", "--data", "nothing.csv"];
    fails_with(&folder.rekindle(&resume), 1, "nothing.csv: No such file");
    succeeds(&folder.rekindle(&["train", "circles", "--epochs", "1", "--quiet", "--output", "made"]));
    let resume = ["train", "--resume", "made", "--epochs", "2", "--data", "other.csv"];
    for command in
        [&["evaluate", "made", "--data", "other.csv"][..], &["plot", "made", "--data", "other.csv"], &resume]
    {
        fails_with(&folder.rekindle(command), 1, "--data: the points of circles are made, not read");
    }
}

#[test]
fn data_that_changed_is_noticed() {
    let folder = iris();
    let quiet = folder.rekindle(&["evaluate", "run"]);
    assert!(quiet.stderr.is_empty(), "{}", String::from_utf8_lossy(&quiet.stderr));
    folder.put("iris.csv", real("iris").replacen("setosa", "virginica", 30));
    let resume = ["train", "--resume", "run", "--epochs", "80"];
    fails_with(
        &folder.rekindle(&resume),
        1,
        "the training data is not that of the checkpoint; bring the files back",
    );
    let warned = folder.rekindle(&["evaluate", "run"]);
    assert!(
        String::from_utf8_lossy(&warned.stderr)
            .starts_with("warning: the data is not what the model was trained on")
    );
    folder.put("iris.csv", real("iris"));
    succeeds(&folder.rekindle(&resume));
}

#[test]
fn the_best_weights_can_be_judged_too() {
    let folder = iris();
    let of = |weights| succeeds(&folder.rekindle(&["evaluate", "run", "--weights", weights, "--json"]));
    assert_eq!(of("final").trim(), folder.read("run/report.json").trim());
    std::fs::copy(folder.0.join("run/best.safetensors"), folder.0.join("run/model.safetensors")).unwrap();
    assert_eq!(of("best"), of("final"));
}

#[test]
fn an_index_of_categories_that_is_not_embedded_is_refused_with_the_layer_that_does() {
    let folder = iris();
    let set = ["--set", "data.columns.petal_width=embedding"];
    let says =
        "net: petal_width of the data is the index of a category; begin the net with \"EmbedColumns([3], [";
    fails_with(&folder.rekindle(&[&["check", "iris.toml"], &set[..]].concat()), 1, says);
}

#[test]
fn what_is_checked_is_told_to_machines_too() {
    let text = succeeds(&iris().rekindle(&["check", "iris.toml", "--json"]));
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        told["parts"]["train"],
        serde_json::json!({"samples": 90, "shape": [4], "classes": [30, 30, 30]})
    );
    assert_eq!((told["parameters"].as_u64(), told["remarks"].as_array().map(Vec::len)), (Some(259), Some(0)));
}

#[test]
fn a_run_that_was_stopped_is_not_finished() {
    let folder = Folder::new();
    succeeds(&folder.rekindle(&["train", "circles", "--epochs", "1", "--quiet", "--output", "run"]));
    let about = |key: &str| {
        let text = succeeds(&folder.rekindle(&["inspect", "run", "--json"]));
        serde_json::from_str::<serde_json::Value>(&text).unwrap()[key].clone()
    };
    assert_eq!(about("finished"), true);
    // It is killed in one of a great many epochs.
    let resume = ["train", "--resume", "run", "--epochs", "100000000", "--quiet"];
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_rekindle"));
    let mut child =
        child.args(resume).current_dir(&folder.0).stderr(std::process::Stdio::null()).spawn().unwrap();
    // It has begun when what the run had ended with is gone, the weights last.
    let begin = std::time::Instant::now();
    while folder.0.join("run/model.safetensors").exists() && begin.elapsed().as_secs() < 60 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(about("finished"), false);
    fails_with(&folder.rekindle(&["predict", "run", "none.csv"]), 1, "the run was not finished");
}
