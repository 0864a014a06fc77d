//! The program as a user runs it: output, digits and exit codes.

use std::process::{Command, Output};

fn rekindle(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rekindle")).args(args).output().expect("the program runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("the output is text")
}

/// Runs the program on a recipe that is the embedded one with some lines replaced.
fn with_recipe(name: &str, replace: &[(&str, &str)], args: &[&str]) -> Output {
    let text = include_str!("../../../recipes/circles.toml").to_string();
    let text = replace.iter().fold(text, |t, (from, to)| {
        assert!(t.contains(from), "the recipe has {from:?}");
        t.replace(from, to)
    });
    let path = std::env::temp_dir().join(format!("rekindle-cli-{name}-{}.toml", std::process::id()));
    std::fs::write(&path, text).expect("the recipe is written");
    let output = rekindle(&[&["train", path.to_str().expect("a path in text")], args].concat());
    std::fs::remove_file(&path).expect("the recipe is removed");
    output
}

fn fails_with(output: &Output, code: i32, message: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(message), "{stderr}");
    assert!(!stderr.contains("panicked") && !stderr.contains("RUST_BACKTRACE"), "{stderr}");
}

#[test]
fn train_without_a_recipe_prints_the_digits_of_lecture_02_and_closes_the_ring() {
    let output = rekindle(&["train"]);
    assert!(output.status.success());
    let text = stdout(&output);
    let figures: Vec<Vec<&str>> = text.lines().map(|l| l.split_whitespace().collect()).collect();
    let at = |epoch: &str| {
        figures
            .iter()
            .find(|f| f.first() == Some(&epoch))
            .unwrap_or_else(|| panic!("epoch {epoch} in {text}"))
    };
    // The lecture counts epochs from 0.
    assert_eq!(at("1")[1..5], ["0.69295", "0.5000", "0.69319", "0.5000"]);
    assert_eq!(at("501")[1..5], ["0.68102", "0.5275", "0.67941", "0.5650"]);
    assert_eq!(at("901")[1..5], ["0.62362", "0.7400", "0.62145", "0.7900"]);
    let last = text.lines().last().unwrap_or_default();
    assert!(last.starts_with("200 of 200 test samples right (accuracy 1.0000); 151 parameters"), "{last}");
}

#[test]
fn json_lines_are_the_same_for_every_number_of_threads() {
    let lines = |threads: &str| -> Vec<serde_json::Value> {
        let output = rekindle(&["train", "--json", "--epochs", "300", "--threads", threads]);
        assert!(output.status.success());
        let parse = |l: &str| {
            let mut value: serde_json::Value = serde_json::from_str(l).expect("a JSON object");
            value.as_object_mut().expect("an object").remove("time").expect("a time");
            value
        };
        stdout(&output).lines().map(parse).collect()
    };
    let one = lines("1");
    assert_eq!(one.len(), 4);
    assert_eq!(one[0]["epoch"], 1);
    assert_eq!((lines("2"), lines("4")), (one.clone(), one));
}

#[test]
fn seed_and_epochs_can_be_set() {
    let output = rekindle(&["train", "--quiet", "--epochs", "1", "--seed", "-1"]);
    assert!(output.status.success());
    assert_eq!(stdout(&output).lines().count(), 1);
}

#[test]
fn a_missing_recipe_is_exit_1_and_a_wrong_flag_exit_2() {
    fails_with(&rekindle(&["train", "no-such.toml"]), 1, "cannot read the recipe no-such.toml");
    fails_with(&rekindle(&["train", "--epoch", "3"]), 2, "--epochs");
    fails_with(&rekindle(&["trian"]), 2, "train");
}

#[test]
fn a_wrong_recipe_is_exit_1_with_the_cure() {
    fails_with(&with_recipe("key", &[("epochs =", "epochz =")], &[]), 1, "epochz");
    let wrong_layer = [("\"Linear(10, 1)\"", "\"Linaer(10, 1)\"")];
    fails_with(
        &with_recipe("word", &wrong_layer, &[]),
        1,
        "net: there is no `Linaer`; did you mean `Linear`?",
    );
    let wrong_size = [("\"Linear(10, 1)\"", "\"Linear(11, 1)\"")];
    let message = "net: it does not fit the data: linear: input [2, 10] does not fit weight [1, 11] (10 vs 11 features)";
    fails_with(&with_recipe("size", &wrong_size, &[]), 1, message);
    let wrong_loss = [("BCEWithLogitsLoss", "CrossEntropyLoss")];
    fails_with(&with_recipe("loss", &wrong_loss, &[]), 1, "Target 1 is out of bounds");
}

#[test]
fn numbers_that_stop_being_finite_are_exit_4() {
    fails_with(&with_recipe("nan", &[("SGD(lr=0.1)", "SGD(lr=1e38)")], &[]), 4, "epoch ");
}

#[test]
fn a_folder_without_the_data_is_exit_1_and_names_it() {
    let line = "source = \"circles\"\nsamples = 1000\nnoise = 0.03\nrandom_state = 42\ntest_size = 0.2";
    let mnist = [
        (line, "source = \"mnist\"\nflatten = true\nclasses = [0, 1]"),
        ("Linear(2, 10)", "Linear(784, 10)"),
    ];
    fails_with(&with_recipe("data", &mnist, &["--data", "no-such-folder"]), 1, "no-such-folder");
}

#[test]
fn mnist_zeros_and_ones_print_the_digits_of_the_lecture() {
    let data = std::env::var("REKINDLE_DATA").unwrap_or_else(|_| "../../../shared/data".into());
    if !std::path::Path::new(&data).join("mnist").exists() {
        eprintln!("SKIPPED: no MNIST in {data}; set REKINDLE_DATA");
        return;
    }
    let output = rekindle(&["train", "../../recipes/06wk-1-4A.toml", "--data", &data, "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let accuracies: Vec<String> = stdout(&output)
        .lines()
        .map(|l| {
            serde_json::from_str::<serde_json::Value>(l).expect("JSON")["train_acc"]
                .as_f64()
                .map_or("-".into(), |a| format!("{a:.4}"))
        })
        .collect();
    let lecture =
        ["0.4677", "0.4677", "0.4745", "0.5572", "0.6995", "0.8175", "0.8904", "0.9255", "0.9444", "0.9577"];
    assert_eq!(accuracies, lecture);
}
